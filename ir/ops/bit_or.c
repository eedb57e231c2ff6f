#include "ir/ops/common.h"

bool bit_or_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_INT, DTYPE_NONE, err);
}

static kval bit_or_of(struct lower *l, kval a, kval b)
{
    return kernel_binary(l->kernel, KOP_OR, a, b);
}

void bit_or_lower(struct lower *l)
{
    ops_map_fold(l, bit_or_of);
}
