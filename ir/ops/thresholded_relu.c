#include "ir/ops/common.h"

bool thresholded_relu_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval thresholded_relu_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    const struct thresholded_relu_attrs *a = l->node->attrs;
    enum dtype type = kernel_inst(k, x)->type;
    kval is_above = kernel_compare(k, KOP_LT, kernel_const(k, type, a->alpha), x);
    return kernel_select(k, is_above, x, kernel_const(k, type, 0));
}

void thresholded_relu_lower(struct lower *l)
{
    ops_map_unary(l, thresholded_relu_of);
}
