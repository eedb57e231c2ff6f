#include "ir/ops/common.h"

bool bit_xor_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_INT, DTYPE_NONE, err);
}

static kval bit_xor_of(struct lower *l, kval a, kval b)
{
    return kernel_binary(l->kernel, KOP_XOR, a, b);
}

void bit_xor_lower(struct lower *l)
{
    ops_map_fold(l, bit_xor_of);
}
