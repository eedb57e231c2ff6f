#include "ir/ops/common.h"

bool xor_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPE(BOOL), DTYPE_NONE, err);
}

static kval xor_of(struct lower *l, kval a, kval b)
{
    return kernel_binary(l->kernel, KOP_XOR, a, b);
}

void xor_lower(struct lower *l)
{
    ops_map_fold(l, xor_of);
}
