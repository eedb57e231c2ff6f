#include "ir/ops/common.h"

bool or_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPE(BOOL), DTYPE_NONE, err);
}

static kval or_of(struct lower *l, kval a, kval b)
{
    return kernel_binary(l->kernel, KOP_OR, a, b);
}

void or_lower(struct lower *l)
{
    ops_map_fold(l, or_of);
}
