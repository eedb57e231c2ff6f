/*
 * sort_key.h: keys of elements, integers in the order that the elements are wanted in.
 */
#ifndef SHEAF_IR_OPS_SORT_KEY_H
#define SHEAF_IR_OPS_SORT_KEY_H

#include "ir/ops/common.h"

/* An i64: the less, the earlier.  Numbers that are equal have one key, and all NaN the same one,
   above all numbers. */
kval sort_key(struct kernel *k, kval x, bool largest);

#endif
