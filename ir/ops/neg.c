#include "ir/ops/common.h"

bool neg_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT | TYPES_SIGNED, err);
}

static kval neg_of(struct lower *l, kval x)
{
    return kernel_unary(l->kernel, KOP_NEG, x);
}

void neg_lower(struct lower *l)
{
    ops_map_unary(l, neg_of);
}
