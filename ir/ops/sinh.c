#include "ir/ops/common.h"

bool sinh_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval sinh_of(struct lower *l, kval x)
{
    return kernel_sinh(l->kernel, x);
}

void sinh_lower(struct lower *l)
{
    ops_map_unary(l, sinh_of);
}
