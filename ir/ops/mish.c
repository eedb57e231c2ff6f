#include "ir/ops/common.h"

bool mish_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval mish_of(struct lower *l, kval x)
{
    return kernel_mish(l->kernel, x);
}

void mish_lower(struct lower *l)
{
    ops_map_unary(l, mish_of);
}
