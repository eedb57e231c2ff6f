/*
 * Machine code by NVIDIA's assembler, where it is installed: a driver then has nothing to translate
 * when a bundle is opened.  It runs in a folder of its own with names of files alone, so that its
 * output does not depend on where that is.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bundle/emit/emit.h"
#include "gpu_runtime/codegen/gpu_target.h"
#include "ir/io.h"

bool gpu_find_assembler(struct arena *a, const char *named, const char **out_file,
                        struct error *err)
{
    if (named) {
        /* It runs in another folder. */
        char *file = realpath(named, NULL);
        if (!file)
            return error_set(err, SHEAF_ERROR_NOT_FOUND, "option -ptxas: %s: %s", named,
                             strerror(errno));
        *out_file = arena_strdup(a, file);
        free(file);
        return true;
    }
    const char *home = getenv("CUDA_HOME");
    if (home && *home) {
        const char *file = arena_printf(a, "%s/bin/ptxas", home);
        if (access(file, X_OK) == 0) {
            *out_file = file;
            return true;
        }
    }
    *out_file = io_find_program(a, "ptxas");
    return true;
}

static bool write_text(const char *file, const struct bytes *text)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
    bool ok = fd >= 0 && io_write_all(fd, text->data, text->size);
    return fd >= 0 && close(fd) == 0 && ok;
}

static bool read_code(struct arena *a, const char *file, struct bytes *out)
{
    struct stat st;
    int fd = open(file, O_RDONLY);
    bool ok = fd >= 0 && fstat(fd, &st) == 0;
    if (ok) {
        uint8_t *data = arena_alloc(a, (size_t)st.st_size + 1);
        ok = io_read_all(fd, data, (size_t)st.st_size);
        *out = (struct bytes){data, (size_t)st.st_size};
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool assemble_in(struct arena *a, const struct target *t, const char *dir, unsigned arch,
                        const struct bytes *text, struct bytes *out, struct error *err)
{
    const char *from = arena_printf(a, "%s/kernels.ptx", dir);
    const char *to = arena_printf(a, "%s/kernels.cubin", dir);
    const char *const argv[] = {t->assembler,    arena_printf(a, "-arch=sm_%u", arch),
                                "kernels.ptx",   "-o",
                                "kernels.cubin", NULL};
    char line[512] = "";
    int status = write_text(from, text) ? io_run(dir, argv, line, sizeof line) : -1;
    bool ran = status != -1, ok = ran && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    ok = ok && read_code(a, to, out);
    int reason = errno;
    unlink(from);
    unlink(to);
    if (ok)
        return true;
    const char *why = ran ? line : strerror(reason);
    return error_set(err, SHEAF_ERROR_CODEGEN,
                     "the assembler %s made no code for sm_%u%s%s; -ptxas=none leaves that to the "
                     "driver",
                     t->assembler, arch, *why ? ": " : "", why);
}

bool gpu_assemble(const struct target *t, struct arena *a, unsigned arch, const struct bytes *text,
                  struct bytes *out_code, struct error *err)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = arena_printf(a, "%s/sheaf-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        return error_set(err, SHEAF_ERROR_IO, "%s: cannot make a folder for the assembler: %s", dir,
                         strerror(errno));
    bool ok = assemble_in(a, t, dir, arch, text, out_code, err);
    rmdir(dir);
    return ok;
}
