#include "ir/ops/common.h"

bool sign_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_NUMBER, err);
}

/* Zeros and NaN are what they were. */
static kval sign_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    enum dtype type = kernel_inst(k, x)->type;
    kval zero = kernel_const(k, type, 0), one = kernel_const(k, type, 1);
    kval otherwise = x;
    if (dtype_kind(type) != DTYPE_KIND_UINT) {
        kval is_below = kernel_compare(k, KOP_LT, x, zero);
        otherwise = kernel_select(k, is_below, kernel_const(k, type, -1), x);
    }
    return kernel_select(k, kernel_compare(k, KOP_LT, zero, x), one, otherwise);
}

void sign_lower(struct lower *l)
{
    ops_map_unary(l, sign_of);
}
