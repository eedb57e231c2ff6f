/*
 * tables.h: constant tables of indices along axes, which the importers make for operators that
 * place their results by arithmetic on constants (Resize).
 */
#ifndef SHEAF_IR_OPS_TABLES_H
#define SHEAF_IR_OPS_TABLES_H

#include "ir/ops/common.h"

/* `axes` suits `per_axis` inputs each behind input 0.  Fills the axes, counted from 0. */
bool tables_axes(const struct node *n, const struct attr_ints *axes, size_t per_axis, int *out_axis,
                 struct error *err);
/* Input i is a constant table of `rank` dimensions with indices from `least` to extent - 1. */
bool tables_check(const struct node *n, size_t i, int rank, int64_t least, int64_t extent,
                  struct error *err);

#endif
