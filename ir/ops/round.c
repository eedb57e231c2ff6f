#include "ir/ops/common.h"

bool round_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval round_of(struct lower *l, kval x)
{
    return kernel_unary(l->kernel, KOP_RINT, x);
}

void round_lower(struct lower *l)
{
    ops_map_unary(l, round_of);
}
