#include "ir/ops/common.h"

bool sqrt_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval sqrt_of(struct lower *l, kval x)
{
    return kernel_unary(l->kernel, KOP_SQRT, x);
}

void sqrt_lower(struct lower *l)
{
    ops_map_unary(l, sqrt_of);
}
