#include "ir/ops/common.h"

bool exp_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval exp_of(struct lower *l, kval x)
{
    return kernel_exp(l->kernel, x);
}

void exp_lower(struct lower *l)
{
    ops_map_unary(l, exp_of);
}
