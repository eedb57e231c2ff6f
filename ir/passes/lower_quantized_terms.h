/*
 * lower_quantized_terms.h: what a QuantizeLinear quantizes, as an expression of integers.
 */
#ifndef SHEAF_IR_PASSES_LOWER_QUANTIZED_TERMS_H
#define SHEAF_IR_PASSES_LOWER_QUANTIZED_TERMS_H

#include "ir/passes/lower_quantized.h"

enum { LQ_MAX_TERMS = 16 };

/* Scales one number, or one per index of the dimension that is `from_right` (0: the last). */
struct factor {
    const double *v;
    int64_t n;
    int from_right;
};

enum expr_kind { EXPR_LEAF, EXPR_PRODUCT, EXPR_CONSTANT, EXPR_SUM, EXPR_CLIP };

struct expr {
    enum expr_kind kind;
    struct value *x;               /* LEAF: integers */
    struct operand a, b;           /* PRODUCT of two */
    const struct tensor *constant; /* CONSTANT, real */
    struct factor factor;       /* LEAF, PRODUCT: real = (x - zero) * factor; CONSTANT: a scalar */
    int64_t zero, bound;        /* LEAF, PRODUCT: |x - zero| <= bound, steps included */
    const struct tensor *steps; /* LEAF: to be added to x; NULL: none */
    struct expr *term[LQ_MAX_TERMS]; /* SUM; CLIP has one */
    size_t n;
    double lo, hi; /* CLIP */
    const struct value *of;
};

/* The largest absolute factor. */
double lq_factor_largest(const struct factor *f);

/* The value as an expression with integers in it.  Returns why it is none, else NULL.  `unit` is
   the scale that it is quantized with. */
const char *lq_read_terms(struct lowering *l, const struct value *v, double unit,
                          struct expr **out);

#endif
