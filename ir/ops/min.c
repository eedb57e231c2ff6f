#include "ir/ops/common.h"

bool min_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER, DTYPE_NONE, err);
}

static kval min_of(struct lower *l, kval a, kval b)
{
    return ops_extreme(l->kernel, KOP_MIN, a, b);
}

void min_lower(struct lower *l)
{
    ops_map_fold(l, min_of);
}
