#include "ir/ops/common.h"

bool atan_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval atan_of(struct lower *l, kval x)
{
    return kernel_atan(l->kernel, x);
}

void atan_lower(struct lower *l)
{
    ops_map_unary(l, atan_of);
}
