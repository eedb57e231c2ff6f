#include "ir/ops/common.h"

bool sin_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval sin_of(struct lower *l, kval x)
{
    return kernel_sin(l->kernel, x);
}

void sin_lower(struct lower *l)
{
    ops_map_unary(l, sin_of);
}
