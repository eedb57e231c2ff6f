#define _POSIX_C_SOURCE 200809L

#include "ir/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool io_write_all(int fd, const void *data, size_t size)
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

bool io_read_all(int fd, void *data, size_t size)
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

int io_wait(pid_t child, FILE *said, char *line, size_t size)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    line[0] = '\0';
    if (!said)
        return status;
    rewind(said);
    if (fgets(line, (int)size, said))
        line[strcspn(line, "\n")] = '\0';
    return status;
}

const char *io_find_program(struct arena *a, const char *name)
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

/* Does not return. */
static void become(const char *dir, const char *const *argv, FILE *said)
{
    /* execv takes texts that are not const, and leaves them as they are. */
    union {
        const char *const *in;
        char **out;
    } words = {argv};
    if (chdir(dir) != 0 || dup2(fileno(said), STDOUT_FILENO) < 0 ||
        dup2(fileno(said), STDERR_FILENO) < 0)
        _exit(127);
    execv(argv[0], words.out);
    _exit(127);
}

int io_run(const char *dir, const char *const *argv, char *line, size_t size)
{
    FILE *said = tmpfile();
    fflush(NULL);
    pid_t child = said ? fork() : -1;
    if (child == 0)
        become(dir, argv, said);
    int status = child < 0 ? -1 : io_wait(child, said, line, size), reason = errno;
    if (said)
        fclose(said);
    errno = reason;
    return status;
}
