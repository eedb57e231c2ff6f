/*
 * items.h: whether a network treats the items of its batch apart from each other, so that it can be
 * run item by item.
 */
#ifndef SHEAF_IR_PASSES_ITEMS_H
#define SHEAF_IR_PASSES_ITEMS_H

#include "ir/graph.h"

/*
 * `g` is clean and has n > 1 items: that is the first dimension of all its inputs and outputs.
 * Fails with one sentence that names the first node of which it is not certain that an item of its
 * results is made of the same item of its inputs alone.
 */
bool items_are_apart(const struct graph *g, int64_t n, struct error *err);

#endif
