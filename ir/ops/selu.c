#include "ir/ops/common.h"

bool selu_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval selu_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    const struct selu_attrs *a = l->node->attrs;
    enum dtype type = kernel_inst(k, x)->type;
    kval below = kernel_binary(k, KOP_MUL, kernel_const(k, type, a->alpha), kernel_expm1(k, x));
    kval is_below = kernel_compare(k, KOP_LT, x, kernel_const(k, type, 0));
    kval y = kernel_select(k, is_below, below, x);
    return kernel_binary(k, KOP_MUL, kernel_const(k, type, a->gamma), y);
}

void selu_lower(struct lower *l)
{
    ops_map_unary(l, selu_of);
}
