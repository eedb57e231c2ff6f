#include "ir/ops/common.h"

bool tanh_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval tanh_of(struct lower *l, kval x)
{
    return kernel_tanh(l->kernel, x);
}

void tanh_lower(struct lower *l)
{
    ops_map_unary(l, tanh_of);
}
