#include "ir/ops/common.h"

bool not_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPE(BOOL), err);
}

static kval not_of(struct lower *l, kval x)
{
    return kernel_unary(l->kernel, KOP_NOT, x);
}

void not_lower(struct lower *l)
{
    ops_map_unary(l, not_of);
}
