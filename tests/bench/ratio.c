/*
 * ratio FOLDER NAME NAME [ROUNDS]: runs two bundles of a folder, FOLDER/NAME.so with
 * FOLDER/NAME.weights, by turns in this process, and prints how much faster the second one is.
 * By turns, so that a disturbed machine disturbs both.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bundle/runtime.h"

enum { MAX_ROUNDS = 1000 };

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static sheaf_bundle *open_bundle(const char *folder, const char *name)
{
    char library[4096], weights[4096];
    struct sheaf_error err;
    sheaf_bundle *b;
    snprintf(library, sizeof library, "%s/%s.so", folder, name);
    snprintf(weights, sizeof weights, "%s/%s.weights", folder, name);
    if (sheaf_open(library, name, weights, &b, &err) == SHEAF_OK)
        return b;
    fprintf(stderr, "error: %s\n", err.text);
    exit(1);
}

static double run_ms(sheaf_bundle *b)
{
    struct sheaf_error err;
    double start = now_ms();
    if (sheaf_run(b, &err) != SHEAF_OK) {
        fprintf(stderr, "error: %s\n", err.text);
        exit(1);
    }
    return now_ms() - start;
}

int main(int argc, char **argv)
{
    static double ms[2][MAX_ROUNDS];
    int rounds = argc > 4 ? atoi(argv[4]) : 60;
    if (argc < 4 || rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: ratio FOLDER NAME NAME [ROUNDS up to %d]\n", MAX_ROUNDS);
        return 1;
    }
    sheaf_bundle *b[2];
    for (int i = 0; i < 2; i++) {
        b[i] = open_bundle(argv[1], argv[2 + i]);
        run_ms(b[i]);
    }
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < 2; i++)
            ms[i][r] = run_ms(b[i]);
    for (int i = 0; i < 2; i++) {
        qsort(ms[i], (size_t)rounds, sizeof ms[i][0], by_value);
        printf("%-14s minimum %8.3f ms, median %8.3f ms\n", argv[2 + i], ms[i][0],
               ms[i][rounds / 2]);
        sheaf_close(b[i]);
    }
    printf("%s / %s: minima %.2f, medians %.2f\n", argv[2], argv[3], ms[0][0] / ms[1][0],
           ms[0][rounds / 2] / ms[1][rounds / 2]);
    return 0;
}
