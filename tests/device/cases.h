/*
 * cases.h: cases to be run on a device, in a file, so that the machine that has the device needs a
 * C compiler only (tests/device/run), and neither LLVM nor the test data.
 *
 * The file is records: a line `BYTES WORDS`, so many bytes of data, a line end.  What the words are
 * is in run_cases.c.
 */
#ifndef SHEAF_TESTS_DEVICE_CASES_H
#define SHEAF_TESTS_DEVICE_CASES_H

#include <stddef.h>
#include <stdio.h>

struct case_record {
    const char *words;
    const unsigned char *data; /* not aligned */
    size_t bytes;
};

struct case_reader {
    char *text, *at, *end;
};

/* The program ends where it cannot be written or read. */
void case_write(FILE *file, const void *data, size_t bytes, const char *words, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;

/* Reads the whole file; records are valid until it is closed. */
struct case_reader case_open(const char *path);
void case_close(struct case_reader *r);
/* 0 at the end. */
int case_next(struct case_reader *r, struct case_record *out);

/* How far a float may be from what is wanted; NaN is near NaN. */
int case_near(double got, double want, double absolute, double relative);

#endif
