#include "ir/ops/common.h"

bool celu_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval celu_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    const struct celu_attrs *a = l->node->attrs;
    enum dtype type = kernel_inst(k, x)->type;
    kval alpha = kernel_const(k, type, a->alpha);
    kval grown = kernel_expm1(k, kernel_binary(k, KOP_DIV, x, alpha));
    kval below = kernel_binary(k, KOP_MUL, alpha, grown);
    return kernel_select(k, kernel_compare(k, KOP_LT, x, kernel_const(k, type, 0)), below, x);
}

void celu_lower(struct lower *l)
{
    ops_map_unary(l, celu_of);
}
