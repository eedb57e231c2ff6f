/*
 * cross.h: code for other processors, run by qemu.  clang builds the few lines that call it
 * (tests/cross/start.c), lld links them: no C library for the processor is needed.
 */
#ifndef SHEAF_TESTS_CROSS_H
#define SHEAF_TESTS_CROSS_H

#include "cpu_runtime/codegen/cpu_target.h"
#include "tests/support/compiled.h"

struct cross_target {
    struct cpu_target_options opt;
    const char *clang; /* options for the same */
    const char *qemu;
    const char *script; /* for the linker, in tests/cross, or NULL */
};

enum { N_CROSS_TARGETS = 13 };
extern const struct cross_target CROSS_TARGETS[N_CROSS_TARGETS];

/* A program that a test of the target needs and that is not there, or NULL. */
const char *cross_missing(const struct cross_target *t);
/* The kernel compiled for the target; c->run runs it under qemu.  compiled_close is due in any
   case. */
bool cross_open_kernel(struct compiled *c, const char *kernel_text, const struct cross_target *t,
                       struct error *err);

#endif
