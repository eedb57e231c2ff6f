#include "ir/ops/common.h"

bool softplus_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which does not overflow. */
static kval softplus_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    kval minus = kernel_unary(k, KOP_NEG, kernel_unary(k, KOP_ABS, x));
    kval tail = kernel_log1p(k, kernel_exp(k, minus));
    kval zero = kernel_const(k, kernel_inst(k, x)->type, 0);
    kval above = kernel_binary(k, KOP_MAX, zero, x);
    return kernel_binary(k, KOP_ADD, above, tail);
}

void softplus_lower(struct lower *l)
{
    ops_map_unary(l, softplus_of);
}
