/*
 * random_layout.h: layouts in any order and with any blocks, for tests of layouts and tensors.
 */
#ifndef SHEAF_TESTS_IR_RANDOM_LAYOUT_H
#define SHEAF_TESTS_IR_RANDOM_LAYOUT_H

#include "ir/layout.h"
#include "tests/support/random.h"

static inline struct layout random_layout(uint64_t *seed, int rank)
{
    int order[MAX_RANK] = {0};
    for (int i = 0; i < rank; i++) {
        int j = random_below(seed, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    struct layout l = layout_permuted(rank, order);
    for (int k = random_below(seed, LAYOUT_MAX_BLOCKS + 1); rank && k > 0; k--) {
        int dim = random_below(seed, rank);
        l = layout_blocked(l, dim, 2 + random_below(seed, 4));
    }
    return l;
}

#endif
