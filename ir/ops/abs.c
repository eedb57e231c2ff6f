#include "ir/ops/common.h"

bool abs_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_NUMBER, err);
}

static kval abs_of(struct lower *l, kval x)
{
    enum dtype type = kernel_inst(l->kernel, x)->type;
    return dtype_kind(type) == DTYPE_KIND_UINT ? x : kernel_unary(l->kernel, KOP_ABS, x);
}

void abs_lower(struct lower *l)
{
    ops_map_unary(l, abs_of);
}
