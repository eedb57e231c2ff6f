/*
 * reduce.h: reductions over the axes of a constant input 1 (ReduceSum, ReduceMean), and over all
 * spatial dimensions (GlobalAveragePool).
 */
#ifndef SHEAF_IR_OPS_REDUCE_H
#define SHEAF_IR_OPS_REDUCE_H

#include "ir/ops/common.h"

struct reduce_spec {
    bool axis[MAX_RANK]; /* dimensions of input 0 that are reduced */
    bool keepdims;
};

/* Without axes all dimensions are reduced, or none with noop_with_empty_axes. */
bool reduce_axes(const struct node *n, bool keepdims, bool noop_with_empty_axes,
                 struct reduce_spec *out, struct error *err);
bool reduce_infer(struct node *n, const struct reduce_spec *spec, unsigned types,
                  struct error *err);
/* Combines input buffer x over the n dimensions in `dims`, beginning with `start`, in the compute
   type; idx holds the other indices and receives these. */
kval reduce_over(struct kernel *k, enum kcombine combine, int x, const int *dims, int n, kval *idx,
                 kval start);
/* The sum or, with `mean`, the sum divided by the number of elements. */
void reduce_lower(struct lower *l, const struct reduce_spec *spec, bool mean);

#endif
