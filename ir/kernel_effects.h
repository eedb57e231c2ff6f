/*
 * kernel_effects.h: which buffers an instruction, its blocks included, reads and writes.
 */
#ifndef SHEAF_IR_KERNEL_EFFECTS_H
#define SHEAF_IR_KERNEL_EFFECTS_H

#include "ir/kernel.h"

struct kernel_effects {
    bool *reads, *writes; /* by buffer */
};

/* In the arena.  An access to a buffer reads the buffers with its extents. */
struct kernel_effects kernel_effects_of(const struct kernel *k, kval v, struct arena *a);

/* Whether two instructions that stand in this order may run in the other one. */
bool kernel_effects_commute(const struct kernel *k, const struct kernel_effects *a,
                            const struct kernel_effects *b);

#endif
