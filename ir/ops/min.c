#include "ir/ops/common.h"

bool min_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER, DTYPE_NONE, err);
}

/* The instruction gives b where either is NaN, so only a NaN in a needs a choice. */
static kval min_of(struct lower *l, kval a, kval b)
{
    struct kernel *k = l->kernel;
    kval r = kernel_binary(k, KOP_MIN, a, b);
    if (!dtype_is_float(kernel_inst(k, a)->type))
        return r;
    return kernel_select(k, ops_is_nan(k, a), a, r);
}

void min_lower(struct lower *l)
{
    ops_map_fold(l, min_of);
}
