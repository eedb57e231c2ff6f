/*
 * The worker process: code is made in a child, whose result comes back through a pipe.  When
 * LLVM aborts, or is killed, the parent makes one sentence of it.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bundle/emit/emit_internal.h"
#include "ir/io.h"

/* What the child sends: the header, then the byte strings or the sentence. */
enum { N_PARTS = 6 };

struct header {
    uint32_t status;
    uint64_t size[N_PARTS];
};

static void send_result(int fd, const struct error *err, const struct emit_result *r)
{
    struct header h = {.status = (uint32_t)err->status};
    if (err->status != SHEAF_OK) {
        h.size[0] = strlen(err->text);
        if (io_write_all(fd, &h, sizeof h))
            io_write_all(fd, err->text, h.size[0]);
        return;
    }
    const struct bytes *part[N_PARTS] = {&r->object,  &r->assembly,      &r->llvm_ir,
                                         &r->listing, &r->device_object, &r->device_library};
    for (int i = 0; i < N_PARTS; i++)
        h.size[i] = part[i]->size;
    bool ok = io_write_all(fd, &h, sizeof h);
    for (int i = 0; ok && i < N_PARTS; i++)
        ok = io_write_all(fd, part[i]->data, part[i]->size);
}

static bool receive(int fd, struct arena *a, struct emit_result *out_result, struct error *err)
{
    struct header h;
    if (!io_read_all(fd, &h, sizeof h))
        return false;
    if (h.status != SHEAF_OK) {
        char text[ERROR_TEXT_MAX] = "";
        size_t n = h.size[0] < sizeof text ? (size_t)h.size[0] : sizeof text - 1;
        if (!io_read_all(fd, text, n))
            return false;
        error_set(err, (enum sheaf_status)h.status, "%s", text);
        return true;
    }
    struct emit_result r = {0};
    struct bytes *part[N_PARTS] = {&r.object,  &r.assembly,      &r.llvm_ir,
                                   &r.listing, &r.device_object, &r.device_library};
    for (int i = 0; i < N_PARTS; i++) {
        uint8_t *data = arena_alloc(a, (size_t)h.size[i]);
        if (!io_read_all(fd, data, (size_t)h.size[i]))
            return false;
        part[i]->data = data;
        part[i]->size = (size_t)h.size[i];
    }
    *out_result = r;
    return true;
}

static bool finish(pid_t child, bool complete, FILE *said, struct error *err)
{
    char line[512]; /* LLVM prints its reason there before it dies */
    int status = io_wait(child, said, line, sizeof line);
    if (err->status != SHEAF_OK)
        return false;
    if (complete && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    const char *sep = line[0] ? ": " : "";
    if (WIFSIGNALED(status))
        return error_set(err, SHEAF_ERROR_CODEGEN, "code generation was aborted (signal %d)%s%s",
                         WTERMSIG(status), sep, line);
    return error_set(err, SHEAF_ERROR_CODEGEN, "code generation ended with exit code %d%s%s",
                     WIFEXITED(status) ? WEXITSTATUS(status) : -1, sep, line);
}

bool emit_in_worker(struct arena *a, emit_job *job, const void *arg, struct emit_result *out_result,
                    struct error *err)
{
    int fd[2];
    if (pipe(fd) != 0)
        return error_set(err, SHEAF_ERROR_CODEGEN, "cannot start code generation: %s",
                         strerror(errno));
    FILE *said = tmpfile();
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        close(fd[0]);
        close(fd[1]);
        if (said)
            fclose(said);
        return error_set(err, SHEAF_ERROR_CODEGEN, "cannot start code generation: %s",
                         strerror(errno));
    }
    if (child == 0) {
        close(fd[0]);
        if (said)
            dup2(fileno(said), STDERR_FILENO);
        struct emit_result r = {0};
        job(a, arg, &r, err);
        send_result(fd[1], err, &r);
        _exit(0);
    }
    close(fd[1]);
    struct emit_result r = {0};
    bool complete = receive(fd[0], a, &r, err);
    close(fd[0]);
    bool ok = finish(child, complete, said, err);
    if (said)
        fclose(said);
    if (ok)
        *out_result = r;
    return ok;
}

struct module_job {
    const struct emit_request *req;
    bool want_text;
};

static bool make_module(struct arena *a, const void *arg, struct emit_result *out_result,
                        struct error *err)
{
    const struct module_job *job = arg;
    return emit_module(a, job->req, job->want_text, out_result, err);
}

bool emit_object(struct arena *a, const struct emit_request *req, bool want_text,
                 struct emit_result *out_result, struct error *err)
{
    struct module_job job = {req, want_text};
    return emit_in_worker(a, make_module, &job, out_result, err);
}
