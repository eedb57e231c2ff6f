#include "ir/ops/common.h"

bool relu_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_NUMBER, err);
}

/* In this order of operands NaN stays NaN and -0 stays -0. */
static kval relu_of(struct lower *l, kval x)
{
    kval zero = kernel_const(l->kernel, kernel_inst(l->kernel, x)->type, 0);
    return kernel_binary(l->kernel, KOP_MAX, zero, x);
}

void relu_lower(struct lower *l)
{
    ops_map_unary(l, relu_of);
}
