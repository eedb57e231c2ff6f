#include "ir/ops/common.h"

bool asin_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval asin_of(struct lower *l, kval x)
{
    return kernel_asin(l->kernel, x);
}

void asin_lower(struct lower *l)
{
    ops_map_unary(l, asin_of);
}
