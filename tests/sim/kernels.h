/*
 * kernels.h: small kernels, written in a test, for the simulator without a driver.
 *
 * The body stands in a kernel `k` with three parameters: `in` and `out`, in the device's memory,
 * and `n`, a u32.  It finds the registers %p<10>, %h<20> (16 bits), %r<40>, %f<40>, %d<40> (64
 * bits) and %e<10> (f64), with %d20 and %d21 holding the addresses of in and out, %r20 the number
 * of the thread in its block, and %r21 that of the block.
 *
 * Where $SHEAF_CASES names a folder, every kernel that ran is written there with what came out, so
 * that a device can be compared with the simulator (tests/device).
 */
#ifndef SHEAF_TESTS_SIM_KERNELS_H
#define SHEAF_TESTS_SIM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/sim/ptx.h"
#include "tests/sim/ptx_memory.h"

struct kernel_case {
    const char *module; /* what stands before the kernel, or NULL */
    const char *body;
    unsigned grid, block; /* 0: 1 */
    unsigned dynamic_shared;
    bool cooperative;
    const void *in;
    size_t in_bytes; /* what `in` is longer by is not written */
    size_t in_more;
    void *out;
    size_t out_bytes;
    unsigned n;
    bool out_is_written; /* with zeros, before the launch */
    const char *name;    /* for a device's results, or NULL */
    double difference;   /* how far floats of a device may be off; 0: not at all */
};

/* Runs it.  Returns NULL, or the sentence of its failure, which is valid until the next call. */
const char *kernel_run(const struct kernel_case *c);
/* The same without a test's failure: what there is to say of the text alone. */
const char *kernel_loads(const char *module, const char *body);
/* Instructions of warps of the last run. */
unsigned long long kernel_n_insns(void);

#endif
