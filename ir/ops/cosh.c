#include "ir/ops/common.h"

bool cosh_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval cosh_of(struct lower *l, kval x)
{
    return kernel_cosh(l->kernel, x);
}

void cosh_lower(struct lower *l)
{
    ops_map_unary(l, cosh_of);
}
