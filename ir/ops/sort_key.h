/*
 * sort_key.h: keys of elements, integers in the order that the elements are wanted in.
 */
#ifndef SHEAF_IR_OPS_SORT_KEY_H
#define SHEAF_IR_OPS_SORT_KEY_H

#include "ir/ops/common.h"

/* An i64: the less, the earlier.  Numbers that are equal have one key, and all NaN the same one,
   above all numbers. */
kval sort_key(struct kernel *k, kval x, bool largest);

/* How rows compare, -1, 0 or 1, by the first keys that differ: `so_far` where that is decided, else
   how key a compares to key b. */
kval sort_key_then(struct kernel *k, kval so_far, kval a, kval b);

#endif
