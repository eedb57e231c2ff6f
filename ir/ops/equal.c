#include "ir/ops/common.h"

bool equal_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER | TYPE(BOOL), DTYPE_BOOL, err);
}

static kval equal_of(struct lower *l, kval a, kval b)
{
    return kernel_compare(l->kernel, KOP_EQ, a, b);
}

void equal_lower(struct lower *l)
{
    ops_map_fold(l, equal_of);
}
