/*
 * run_cases.h: the kinds of cases that a device runs.
 *
 * Each function takes the record that ends a case's description, and returns 1 where the device
 * gives what is wanted, else 0 and a sentence.
 */
#ifndef SHEAF_TESTS_DEVICE_RUN_CASES_H
#define SHEAF_TESTS_DEVICE_RUN_CASES_H

#include "gpu_runtime/driver.h"
#include "tests/device/cases.h"

enum { MAX_RECORDS = 64, MAX_SENTENCE = 700 };

/* The records of one case: the first says what it is. */
struct device_case {
    struct case_record records[MAX_RECORDS];
    size_t n;
    char name[200], why[MAX_SENTENCE];
};

/*
 * `network NAME`, then `in TENSOR` with its bytes for each input, and for each output
 * `out TENSOR DTYPE ABSOLUTE RELATIVE RANK DIMS...` with what is wanted.  DTYPE is enum
 * sheaf_dtype; floats may differ by the tolerances, all else is equal.  The bundle is
 * FOLDER/NAME.so and FOLDER/NAME.weights, of the entry `net`.
 */
int network_case_run(struct device_case *c, const char *folder);

/*
 * `kernel GRID BLOCK SHARED COOPERATIVE N IN_BYTES DIFFERENCE NAME` with PTX whose kernel `k` takes
 * two pointers and N, then `in` and `out`: bytes before and after.  The memory of `in` has
 * IN_BYTES. Where DIFFERENCE is not 0, the low words of each 8 bytes are floats that may differ by
 * that much.
 */
int kernel_case_run(struct device_case *c, const struct driver *d);

#endif
