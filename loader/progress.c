#define _POSIX_C_SOURCE 200809L
#include "loader/progress.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_COLUMNS = 30, LINE_COLUMNS = 79 };

#define SHOW_SECONDS 0.1

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int progress_print(char *text, size_t size, size_t done, size_t total, double seconds)
{
    char bar[BAR_COLUMNS + 1];
    double rate = seconds > 0 ? (double)done / seconds : 0;
    double left = rate > 0 ? (double)(total - done) / rate : 0;
    int full = total ? (int)(BAR_COLUMNS * done / total) : BAR_COLUMNS;
    memset(bar, '.', BAR_COLUMNS);
    memset(bar, '#', (size_t)full);
    bar[BAR_COLUMNS] = '\0';
    long long rest = (long long)(left + 0.5);
    return snprintf(text, size, "[%s] %zu of %zu, %.1f/s, %lld:%02lld:%02lld left", bar, done,
                    total, rate, rest / 3600, rest / 60 % 60, rest % 60);
}

void progress_start(struct progress *p, FILE *out, size_t total)
{
    int fd = fileno(out);
    *p = (struct progress){.total = total, .started = now()};
    if (fd >= 0 && isatty(fd))
        p->out = out;
}

void progress_show(struct progress *p, size_t done)
{
    double t = now();
    char text[LINE_COLUMNS + 1];
    if (!p->out || t - p->shown < SHOW_SECONDS)
        return;
    p->shown = t;
    progress_print(text, sizeof text, done, p->total, t - p->started);
    fprintf(p->out, "\r%-*s", LINE_COLUMNS, text);
    fflush(p->out);
}

void progress_end(struct progress *p)
{
    if (!p->out)
        return;
    fprintf(p->out, "\r%*s\r", LINE_COLUMNS, "");
    fflush(p->out);
}
