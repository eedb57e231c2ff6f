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

/* What a library may need, with the names of the system's; the first always. */
static const struct stub {
    const char *object, *library;
    bool needed[EMIT_NEED_DL + 1];
} STUBS[] = {
    {"libc-stub.o", "libc.so.6", {[EMIT_NEED_C] = true, [EMIT_NEED_DEVICE] = true}},
    /* Since glibc 2.34 these functions are in the first, and this one is empty. */
    {"libdl-stub.o", "libdl.so.2", {[EMIT_NEED_DL] = true}},
};
enum { N_STUBS = sizeof STUBS / sizeof *STUBS };

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

static const char *find_linker(struct arena *a, const struct link_request *req, struct error *err)
{
    const struct machine *m = machine_of(req->target);
    const char *const names[] = {"ld.lld-19", "ld.lld", m->gnu, req->is_native ? "ld" : NULL};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *file = names[i] ? io_find_program(a, names[i]) : NULL;
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

static bool run(struct arena *a, const struct link_request *req, const char *dir, struct words *w,
                struct error *err)
{
    char line[512];
    add(a, w, NULL);
    int status = io_run(dir, w->word, line, sizeof line);
    if (status == -1)
        return error_set(err, SHEAF_ERROR_IO, "%s: cannot start the linker %s: %s", req->soname,
                         w->word[0], strerror(errno));
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

static size_t n_stubs(const struct link_request *req)
{
    return req->opens_libraries ? N_STUBS : 1;
}

/* A library in place of one of the system's, with its name. */
static bool link_stub(struct arena *a, const struct link_request *req, const struct stub *stub,
                      const char *linker, const char *dir, struct error *err)
{
    struct bytes object;
    struct words w = {0};
    struct emit_library_stub names = {.target = req->target};
    memcpy(names.needed, stub->needed, sizeof names.needed);
    if (!emit_library_stub(a, &names, &object, err) || !put_file(a, dir, stub->object, object, err))
        return false;
    begin(a, req, linker, stub->library, &w);
    add(a, &w, stub->object);
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
    for (size_t i = 0; i < n_stubs(req); i++)
        add(a, &w, STUBS[i].library);
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
    for (size_t i = 0; i < n_stubs(req); i++)
        if (!link_stub(a, req, &STUBS[i], linker, dir, err))
            return false;
    if (!link_objects(a, req, linker, dir, err) ||
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
