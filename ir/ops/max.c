#include "ir/ops/common.h"

bool max_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER, DTYPE_NONE, err);
}

static kval max_of(struct lower *l, kval a, kval b)
{
    return ops_extreme(l->kernel, KOP_MAX, a, b);
}

void max_lower(struct lower *l)
{
    ops_map_fold(l, max_of);
}
