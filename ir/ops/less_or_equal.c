#include "ir/ops/common.h"

bool less_or_equal_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER, DTYPE_BOOL, err);
}

static kval less_or_equal_of(struct lower *l, kval a, kval b)
{
    return kernel_compare(l->kernel, KOP_LE, a, b);
}

void less_or_equal_lower(struct lower *l)
{
    ops_map_fold(l, less_or_equal_of);
}
