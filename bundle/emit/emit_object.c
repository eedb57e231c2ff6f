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

/* What the child sends: the header, then the byte strings or the sentence. */
enum { N_PARTS = 4 };

struct header {
    uint32_t status;
    uint64_t size[N_PARTS];
};

static bool write_all(int fd, const void *data, size_t size)
{
    const char *p = data;
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t size)
{
    char *p = data;
    while (size > 0) {
        ssize_t n = read(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}

static void send_result(int fd, const struct error *err, const struct emit_result *r)
{
    struct header h = {.status = (uint32_t)err->status};
    if (err->status != SHEAF_OK) {
        h.size[0] = strlen(err->text);
        if (write_all(fd, &h, sizeof h))
            write_all(fd, err->text, h.size[0]);
        return;
    }
    const struct bytes *part[N_PARTS] = {&r->object, &r->assembly, &r->llvm_ir, &r->listing};
    for (int i = 0; i < N_PARTS; i++)
        h.size[i] = part[i]->size;
    bool ok = write_all(fd, &h, sizeof h);
    for (int i = 0; ok && i < N_PARTS; i++)
        ok = write_all(fd, part[i]->data, part[i]->size);
}

static bool receive(int fd, struct arena *a, struct emit_result *out_result, struct error *err)
{
    struct header h;
    if (!read_all(fd, &h, sizeof h))
        return false;
    if (h.status != SHEAF_OK) {
        char text[ERROR_TEXT_MAX] = "";
        size_t n = h.size[0] < sizeof text ? (size_t)h.size[0] : sizeof text - 1;
        if (!read_all(fd, text, n))
            return false;
        error_set(err, (enum sheaf_status)h.status, "%s", text);
        return true;
    }
    struct emit_result r = {0};
    struct bytes *part[N_PARTS] = {&r.object, &r.assembly, &r.llvm_ir, &r.listing};
    for (int i = 0; i < N_PARTS; i++) {
        uint8_t *data = arena_alloc(a, (size_t)h.size[i]);
        if (!read_all(fd, data, (size_t)h.size[i]))
            return false;
        part[i]->data = data;
        part[i]->size = (size_t)h.size[i];
    }
    *out_result = r;
    return true;
}

/* The first line of what the child said on stderr: LLVM prints its reason there before it dies. */
static void first_line(FILE *said, char *line, size_t size)
{
    line[0] = '\0';
    if (!said)
        return;
    rewind(said);
    if (fgets(line, (int)size, said))
        line[strcspn(line, "\n")] = '\0';
}

static bool finish(pid_t child, bool complete, FILE *said, struct error *err)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (err->status != SHEAF_OK)
        return false;
    if (complete && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    char line[512];
    first_line(said, line, sizeof line);
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
