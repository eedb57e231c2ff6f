#include "ir/ops/common.h"

bool and_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPE(BOOL), DTYPE_NONE, err);
}

static kval and_of(struct lower *l, kval a, kval b)
{
    return kernel_binary(l->kernel, KOP_AND, a, b);
}

void and_lower(struct lower *l)
{
    ops_map_fold(l, and_of);
}
