#include "ir/ops/common.h"

bool asinh_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval asinh_of(struct lower *l, kval x)
{
    return kernel_asinh(l->kernel, x);
}

void asinh_lower(struct lower *l)
{
    ops_map_unary(l, asinh_of);
}
