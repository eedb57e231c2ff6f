#include "ir/ops/common.h"

bool greater_or_equal_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER, DTYPE_BOOL, err);
}

static kval greater_or_equal_of(struct lower *l, kval a, kval b)
{
    return kernel_compare(l->kernel, KOP_LE, b, a);
}

void greater_or_equal_lower(struct lower *l)
{
    ops_map_fold(l, greater_or_equal_of);
}
