/*
 * columns.h: the columns of the table of conformance: each is a way to run a vector.  What it gives
 * must be what is recorded: integers, bools and strings exactly, floats within the tolerances of
 * columns.c.
 */
#ifndef SHEAF_TESTS_CONFORMANCE_COLUMNS_H
#define SHEAF_TESTS_CONFORMANCE_COLUMNS_H

#include "tests/conformance/vector.h"

struct column {
    const char *how;    /* in the names of tests */
    const char *target; /* as compiled.h has them, or of CROSS_TARGETS */
    /* The test fails where an output is wrong.  False: nothing is known, the emulator is at fault.
     */
    bool (*run)(struct vector *v, const struct column *column);
};

/* In the order of tests/conformance/table: here, emulated by qemu, simulated by tests/sim. */
enum { FIRST_EMULATED = 2, FIRST_SIMULATED = 6, N_COLUMNS = 8 };
extern const struct column COLUMNS[N_COLUMNS];
/* What it needs and this machine lacks, or NULL. */
const char *column_missing(const struct column *column);

/* Not run, but written for a machine that has a GPU, into columns_cases(). */
extern const struct column COLUMN_OF_CASES;
const char *columns_cases(void); /* $SHEAF_CASES, or NULL */

#endif
