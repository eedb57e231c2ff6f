#include "ir/ops/common.h"

bool less_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER, DTYPE_BOOL, err);
}

static kval less_of(struct lower *l, kval a, kval b)
{
    return kernel_compare(l->kernel, KOP_LT, a, b);
}

void less_lower(struct lower *l)
{
    ops_map_fold(l, less_of);
}
