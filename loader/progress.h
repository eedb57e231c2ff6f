/*
 * progress.h: a line on a terminal that says how far work has come.
 */
#ifndef SHEAF_LOADER_PROGRESS_H
#define SHEAF_LOADER_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct progress {
    FILE *out; /* NULL: it is no terminal, and nothing is shown */
    size_t total;
    double started, shown; /* seconds */
};

void progress_start(struct progress *p, FILE *out, size_t total);
/* Several times a second at most. */
void progress_show(struct progress *p, size_t done);
/* Clears the line. */
void progress_end(struct progress *p);

/* The line without what moves the cursor: bar, count, rate, time left. */
int progress_print(char *text, size_t size, size_t done, size_t total, double seconds);

#endif
