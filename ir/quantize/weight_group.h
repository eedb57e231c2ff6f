/*
 * weight_group.h: the part of a tensor of weights that is rounded together.
 */
#ifndef SHEAF_IR_QUANTIZE_WEIGHT_GROUP_H
#define SHEAF_IR_QUANTIZE_WEIGHT_GROUP_H

#include "ir/tensor.h"

/* Elements that one output sums or one scale belongs to: n_outer rows of n_inner, `stride` apart.
 */
struct weight_group {
    int64_t first, n_outer, stride, n_inner;
};

/* Those with index c along `axis`; of a negative axis, all. */
struct weight_group weight_group_of(const struct tensor *t, int axis, int64_t c);
size_t weight_group_elems(const struct weight_group *g);
void weight_group_read(const struct tensor *t, const struct weight_group *g, double *out);
void weight_group_write(struct tensor *t, const struct weight_group *g, const double *x);

#endif
