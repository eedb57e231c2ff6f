#include "ir/ops/common.h"

bool reciprocal_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval reciprocal_of(struct lower *l, kval x)
{
    kval one = kernel_const(l->kernel, kernel_inst(l->kernel, x)->type, 1);
    return kernel_binary(l->kernel, KOP_DIV, one, x);
}

void reciprocal_lower(struct lower *l)
{
    ops_map_unary(l, reciprocal_of);
}
