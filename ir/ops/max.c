#include "ir/ops/common.h"

bool max_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER, DTYPE_NONE, err);
}

/* The instruction gives b where either is NaN, so only a NaN in a needs a choice. */
static kval max_of(struct lower *l, kval a, kval b)
{
    struct kernel *k = l->kernel;
    kval r = kernel_binary(k, KOP_MAX, a, b);
    if (!dtype_is_float(kernel_inst(k, a)->type))
        return r;
    return kernel_select(k, ops_is_nan(k, a), a, r);
}

void max_lower(struct lower *l)
{
    ops_map_fold(l, max_of);
}
