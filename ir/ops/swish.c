#include "ir/ops/common.h"

bool swish_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval swish_of(struct lower *l, kval x)
{
    const struct swish_attrs *a = l->node->attrs;
    return kernel_swish(l->kernel, x, (double)a->alpha);
}

void swish_lower(struct lower *l)
{
    ops_map_unary(l, swish_of);
}
