/*
 * kernel_run.h: reads and runs kernels; for the tests of the evaluator only.
 */
#ifndef SHEAF_TESTS_IR_KERNEL_RUN_H
#define SHEAF_TESTS_IR_KERNEL_RUN_H

#include "ir/eval.h"
#include "tests/support/fixture.h"

static inline struct kernel *parse(const char *text)
{
    struct kernel *k = kernel_parse(&arena, text, &err);
    if (!k)
        fail_msg("%s", err.text);
    return k;
}

static inline void run(const struct kernel *k, void *const *data, bool blas)
{
    struct eval_options opt = {.blas = blas};
    if (!kernel_validate(k, &err))
        fail_msg("%s", err.text);
    eval_kernel(k, data, &arena, &opt);
}

#endif
