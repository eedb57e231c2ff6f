#include "ir/ops/common.h"

bool bit_and_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_INT, DTYPE_NONE, err);
}

static kval bit_and_of(struct lower *l, kval a, kval b)
{
    return kernel_binary(l->kernel, KOP_AND, a, b);
}

void bit_and_lower(struct lower *l)
{
    ops_map_fold(l, bit_and_of);
}
