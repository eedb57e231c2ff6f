#include "ir/ops/common.h"

bool sum_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER, DTYPE_NONE, err);
}

static kval sum_of(struct lower *l, kval a, kval b)
{
    return kernel_binary(l->kernel, KOP_ADD, a, b);
}

void sum_lower(struct lower *l)
{
    ops_map_fold(l, sum_of);
}
