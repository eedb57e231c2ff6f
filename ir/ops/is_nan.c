#include "ir/ops/common.h"

bool is_nan_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_FLOAT, DTYPE_BOOL, err);
}

static kval is_nan_of(struct lower *l, kval x)
{
    return ops_is_nan(l->kernel, x);
}

void is_nan_lower(struct lower *l)
{
    ops_map_unary(l, is_nan_of);
}
