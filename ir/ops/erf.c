#include "ir/ops/common.h"

bool erf_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_MATH, err);
}

static kval erf_of(struct lower *l, kval x)
{
    return kernel_erf(l->kernel, x);
}

void erf_lower(struct lower *l)
{
    ops_map_unary(l, erf_of);
}
