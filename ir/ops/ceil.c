#include "ir/ops/common.h"

bool ceil_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval ceil_of(struct lower *l, kval x)
{
    return kernel_unary(l->kernel, KOP_CEIL, x);
}

void ceil_lower(struct lower *l)
{
    ops_map_unary(l, ceil_of);
}
