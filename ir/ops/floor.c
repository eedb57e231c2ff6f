#include "ir/ops/common.h"

bool floor_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval floor_of(struct lower *l, kval x)
{
    return kernel_unary(l->kernel, KOP_FLOOR, x);
}

void floor_lower(struct lower *l)
{
    ops_map_unary(l, floor_of);
}
