#include "ir/ops/common.h"

bool add_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER, DTYPE_NONE, err);
}

static kval add_of(struct lower *l, kval a, kval b)
{
    return kernel_binary(l->kernel, KOP_ADD, a, b);
}

void add_lower(struct lower *l)
{
    ops_map_fold(l, add_of);
}
