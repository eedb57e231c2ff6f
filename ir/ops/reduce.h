/*
 * reduce.h: reductions over the axes of a constant input 1 (ReduceSum and its kin), and over all
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
/* What is combined: a function of an element in its compute type, and of a value `with` that is
   fixed for the reduction.  NULL: the element itself. */
typedef kval reduce_element(struct kernel *k, kval v, kval with);
reduce_element reduce_abs, reduce_square;
/* (v - with)^2; exp(v - with), of integers in f64 */
reduce_element reduce_square_from, reduce_exp_from;

/* Combines input buffer x over the n dimensions in `dims`, beginning with `start`, whose type is
   that of the elements; idx holds the other indices and receives these. */
kval reduce_over(struct kernel *k, enum kcombine combine, int x, const int *dims, int n, kval *idx,
                 kval start, reduce_element *element, kval with);
/* The number of elements over these dimensions of x, in the type. */
kval reduce_count(struct kernel *k, int x, const int *dims, int n, enum dtype type);

enum reduce_kind {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_PROD,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_L1,          /* sum |x| */
    REDUCE_L2,          /* sqrt(sum x^2) */
    REDUCE_SUM_SQUARE,  /* sum x^2 */
    REDUCE_LOG_SUM,     /* log(sum x) */
    REDUCE_LOG_SUM_EXP, /* log(sum exp(x)) */
};

void reduce_lower(struct lower *l, const struct reduce_spec *spec, enum reduce_kind kind);

#endif
