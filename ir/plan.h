/*
 * plan.h: packs buffers with lifetimes into one area.
 *
 * The bound is the largest sum of sizes alive at any one time; plan_pack reaches it on every
 * network at hand and every recorded trace (tests/ir/test_plan.c).
 */
#ifndef SHEAF_IR_PLAN_H
#define SHEAF_IR_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/arena.h"

struct plan_item {
    int64_t bytes;        /* > 0 */
    uint32_t first, last; /* alive during first..last inclusive */
    int64_t offset;       /* result, a multiple of the alignment */
    bool pinned;          /* it has its offset already, apart from others that have */
};

/* Sizes are rounded up to `align` first.  Returns the bytes of the area. */
int64_t plan_pack(struct arena *scratch, struct plan_item *items, size_t n, int64_t align);
int64_t plan_peak_live(const struct plan_item *items, size_t n, int64_t align);

#endif
