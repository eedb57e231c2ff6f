#include "ir/ops/common.h"

bool elu_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval elu_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    const struct elu_attrs *a = l->node->attrs;
    enum dtype type = kernel_inst(k, x)->type;
    kval below = kernel_binary(k, KOP_MUL, kernel_const(k, type, a->alpha), kernel_expm1(k, x));
    return kernel_select(k, kernel_compare(k, KOP_LT, x, kernel_const(k, type, 0)), below, x);
}

void elu_lower(struct lower *l)
{
    ops_map_unary(l, elu_of);
}
