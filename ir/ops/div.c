#include "ir/ops/common.h"

bool div_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER, DTYPE_NONE, err);
}

static kval div_of(struct lower *l, kval a, kval b)
{
    return kernel_binary(l->kernel, KOP_DIV, a, b);
}

void div_lower(struct lower *l)
{
    ops_map_fold(l, div_of);
}
