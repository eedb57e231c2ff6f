#include "ir/ops/common.h"

bool acos_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval acos_of(struct lower *l, kval x)
{
    return kernel_acos(l->kernel, x);
}

void acos_lower(struct lower *l)
{
    ops_map_unary(l, acos_of);
}
