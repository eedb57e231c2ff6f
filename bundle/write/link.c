/*
 * The linker runs in a folder of its own with names of files alone, so that neither the library nor
 * what it says depends on where that is.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "bundle/write/link.h"

#include <assert.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bundle/emit/emit_library.h"
#include "bundle/read/object.h"
#include "bundle/write/file.h"
#include "ir/io.h"

static const int64_t LIBRARY_LIMIT_BYTES = INT64_C(1) << 40;
static const char STUB_OBJECT[] = "libc-stub.o", STUB_LIBRARY[] = "libc.so.6";

/* ---- the linker ---- */

/* What the linkers call the machines (-m) and their shared libraries (--oformat), and GNU's linker
   for each. */
static const struct machine {
    const char *arch, *emulation, *format, *gnu;
} MACHINES[] = {
    {"x86_64", "elf_x86_64", "elf64-x86-64", "x86_64-linux-gnu-ld"},
    {"aarch64", "aarch64linux", "elf64-littleaarch64", "aarch64-linux-gnu-ld"},
    {"armv7", "armelf_linux_eabi", "elf32-littlearm", "arm-linux-gnueabihf-ld"},
    {"riscv64", "elf64lriscv", "elf64-littleriscv", "riscv64-linux-gnu-ld"},
};
enum { N_MACHINES = sizeof MACHINES / sizeof *MACHINES };

static const struct machine *machine_of(const struct target *t)
{
    size_t i = 0, n = strcspn(t->triple, "-");
    while (i < N_MACHINES &&
           (strlen(MACHINES[i].arch) != n || strncmp(MACHINES[i].arch, t->triple, n) != 0))
        i++;
    assert(i < N_MACHINES);
    return &MACHINES[i];
}

/* What else --oformat takes makes no shared library, or is not looked at by LLVM's linker. */
static bool check_format(const struct link_request *req, struct error *err)
{
    const struct machine *m = machine_of(req->target);
    return !req->output_format || strcmp(req->output_format, m->format) == 0 ||
           error_set(err, SHEAF_ERROR_ARGUMENT,
                     "option -oformat: '%s' is not the format of shared libraries for %s (%s is)",
                     req->output_format, m->arch, m->format);
}

static const char *find_program(struct arena *a, const char *name)
{
    const char *path = getenv("PATH");
    for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
        size_t n = strcspn(p, ":");
        const char *file = arena_printf(a, "%.*s/%s", (int)n, p, name);
        if (n && access(file, X_OK) == 0)
            return file;
        p += n + (p[n] == ':');
    }
    return NULL;
}

static const char *find_linker(struct arena *a, const struct link_request *req, struct error *err)
{
    const struct machine *m = machine_of(req->target);
    const char *const names[] = {"ld.lld-19", "ld.lld", m->gnu, req->is_native ? "ld" : NULL};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *file = names[i] ? find_program(a, names[i]) : NULL;
        if (file)
            return file;
    }
    error_set(err, SHEAF_ERROR_NOT_FOUND,
              "%s: no linker for %s is installed: ld.lld (Debian's package lld) or %s is needed",
              req->soname, m->arch, m->gnu);
    return NULL;
}

/* ---- running it ---- */

struct words {
    const char **word;
    size_t n, cap;
};

static void add(struct arena *a, struct words *w, const char *word)
{
    ARENA_PUSH(a, w->word, w->n, w->cap) = word;
}

static void add_two(struct arena *a, struct words *w, const char *first, const char *second)
{
    add(a, w, first);
    add(a, w, second);
}

/* Does not return. */
static void become(const char *dir, const struct words *w, FILE *said)
{
    /* execv takes texts that are not const, and leaves them as they are. */
    union {
        const char **in;
        char **out;
    } argv = {w->word};
    if (chdir(dir) != 0 || dup2(fileno(said), STDOUT_FILENO) < 0 ||
        dup2(fileno(said), STDERR_FILENO) < 0)
        _exit(127);
    execv(w->word[0], argv.out);
    _exit(127);
}

static bool run(struct arena *a, const struct link_request *req, const char *dir, struct words *w,
                struct error *err)
{
    FILE *said = tmpfile();
    fflush(NULL);
    pid_t child = said ? fork() : -1;
    if (child == 0) {
        add(a, w, NULL);
        become(dir, w, said);
    }
    if (child < 0) {
        error_set(err, SHEAF_ERROR_IO, "%s: cannot start the linker %s: %s", req->soname,
                  w->word[0], strerror(errno));
        if (said)
            fclose(said);
        return false;
    }
    char line[512];
    int status = io_wait(child, said, line, sizeof line);
    fclose(said);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    return error_set(err, SHEAF_ERROR_CODEGEN, "%s: the linker %s failed%s%s", req->soname,
                     w->word[0], *line ? ": " : "", line);
}

/* ---- what it is told ---- */

/* No section is writable and executable, nothing has to be changed when the library is loaded but
   addresses in data, which is read-only afterwards; nor is the stack executable.  What a bundle
   says of itself (NAME_info) nobody reads here, so it goes, and with it most of those addresses. */
static const char *const FLAGS[] = {
    "-shared",       "-z",
    "text",          "-z",
    "noexecstack",   "-z",
    "relro",         "-z",
    "now",           "--hash-style=gnu",
    "--gc-sections", "--build-id=none",
};

static void begin(struct arena *a, const struct link_request *req, const char *linker,
                  const char *soname, struct words *w)
{
    add(a, w, linker);
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++)
        add(a, w, FLAGS[i]);
    add_two(a, w, "-m", req->emulation ? req->emulation : machine_of(req->target)->emulation);
    add_two(a, w, "-soname", soname);
    add_two(a, w, "-o", soname);
}

static bool put_file(struct arena *a, const char *dir, const char *name, struct bytes data,
                     struct error *err)
{
    return file_write_atomic(arena_printf(a, "%s/%s", dir, name), data.data, data.size, err);
}

/* A library in place of the C library's, with its name. */
static bool link_stub(struct arena *a, const struct link_request *req, const char *linker,
                      const char *dir, struct error *err)
{
    struct bytes object;
    struct words w = {0};
    if (!emit_library_stub(a, req->target, &object, err) ||
        !put_file(a, dir, STUB_OBJECT, object, err))
        return false;
    begin(a, req, linker, STUB_LIBRARY, &w);
    add(a, &w, STUB_OBJECT);
    struct error why;
    error_init(&why);
    if (run(a, req, dir, &w, &why))
        return true;
    /* There is nothing else about this library that the linker could refuse. */
    const struct machine *m = machine_of(req->target);
    if (req->emulation && strcmp(req->emulation, m->emulation) != 0)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -elf: the linker %s makes no libraries for %s with '%s' (it does "
                         "with %s)",
                         linker, m->arch, req->emulation, m->emulation);
    return error_set(err, why.status, "%s", why.text);
}

static bool link_objects(struct arena *a, const struct link_request *req, const char *linker,
                         const char *dir, struct error *err)
{
    struct words w = {0};
    begin(a, req, linker, req->soname, &w);
    if (req->output_format)
        add(a, &w, arena_printf(a, "--oformat=%s", req->output_format));
    if (!req->may_need_more)
        add_two(a, &w, "-z", "defs");
    for (size_t i = 0; i < req->n_objects; i++) {
        if (!put_file(a, dir, req->objects[i].name, req->objects[i].data, err))
            return false;
        add(a, &w, req->objects[i].name);
    }
    add(a, &w, STUB_LIBRARY);
    return run(a, req, dir, &w, err);
}

/* The linker did what it was told to, whatever it is. */
static bool check_library(const struct link_request *req, struct bytes library, struct error *err)
{
    struct object o, first;
    const char *why = object_open(library.data, library.size, &o);
    if (!why)
        object_open(req->objects[0].data.data, req->objects[0].data.size, &first);
    if (!why && o.type != ET_DYN)
        why = "it is another kind of file";
    else if (!why && o.machine != first.machine)
        why = "it is for another machine";
    return !why || error_set(err, SHEAF_ERROR_CODEGEN,
                             "%s: the linker's file is no shared library: %s", req->soname, why);
}

static bool link_in(struct arena *a, const struct link_request *req, const char *linker,
                    const char *dir, struct bytes *out_library, struct error *err)
{
    uint8_t *data;
    size_t size;
    if (!link_stub(a, req, linker, dir, err) || !link_objects(a, req, linker, dir, err) ||
        !file_read(a, arena_printf(a, "%s/%s", dir, req->soname), LIBRARY_LIMIT_BYTES, &data, &size,
                   err))
        return false;
    struct bytes library = {data, size};
    if (!check_library(req, library, err))
        return false;
    *out_library = library;
    return true;
}

/* The folder has files only. */
static void remove_dir(struct arena *a, const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *entry; d && (entry = readdir(d)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlink(arena_printf(a, "%s/%s", dir, entry->d_name));
    if (d)
        closedir(d);
    rmdir(dir);
}

bool link_shared(struct arena *a, const struct link_request *req, struct bytes *out_library,
                 struct error *err)
{
    const char *linker = check_format(req, err) ? find_linker(a, req, err) : NULL;
    if (!linker)
        return false;
    const char *tmp = getenv("TMPDIR");
    char *dir = arena_printf(a, "%s/sheaf-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        return error_set(err, SHEAF_ERROR_IO, "%s: cannot make a folder for the linker: %s", dir,
                         strerror(errno));
    bool ok = link_in(a, req, linker, dir, out_library, err);
    remove_dir(a, dir);
    return ok;
}
