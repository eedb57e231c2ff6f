#include "ir/ops/common.h"

bool acosh_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval acosh_of(struct lower *l, kval x)
{
    return kernel_acosh(l->kernel, x);
}

void acosh_lower(struct lower *l)
{
    ops_map_unary(l, acosh_of);
}
