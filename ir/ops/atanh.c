#include "ir/ops/common.h"

bool atanh_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval atanh_of(struct lower *l, kval x)
{
    return kernel_atanh(l->kernel, x);
}

void atanh_lower(struct lower *l)
{
    ops_map_unary(l, atanh_of);
}
