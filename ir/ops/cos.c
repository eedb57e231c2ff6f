#include "ir/ops/common.h"

bool cos_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval cos_of(struct lower *l, kval x)
{
    return kernel_cos(l->kernel, x);
}

void cos_lower(struct lower *l)
{
    ops_map_unary(l, cos_of);
}
