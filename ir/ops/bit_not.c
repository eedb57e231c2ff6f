#include "ir/ops/common.h"

bool bit_not_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_INT, err);
}

static kval bit_not_of(struct lower *l, kval x)
{
    return kernel_unary(l->kernel, KOP_NOT, x);
}

void bit_not_lower(struct lower *l)
{
    ops_map_unary(l, bit_not_of);
}
