#include "ir/ops/common.h"

bool tan_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval tan_of(struct lower *l, kval x)
{
    return kernel_tan(l->kernel, x);
}

void tan_lower(struct lower *l)
{
    ops_map_unary(l, tan_of);
}
