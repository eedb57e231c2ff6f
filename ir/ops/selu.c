#include "ir/ops/common.h"

bool selu_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

/* gamma alpha is one constant: a factor the less to round. */
static kval selu_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    const struct selu_attrs *a = l->node->attrs;
    enum dtype type = kernel_inst(k, x)->type;
    kval factor = kernel_const(k, type, (double)a->gamma * (double)a->alpha);
    kval below = kernel_binary(k, KOP_MUL, factor, kernel_expm1(k, x));
    kval above = kernel_binary(k, KOP_MUL, kernel_const(k, type, a->gamma), x);
    return kernel_select(k, kernel_compare(k, KOP_LT, x, kernel_const(k, type, 0)), below, above);
}

void selu_lower(struct lower *l)
{
    ops_map_unary(l, selu_of);
}
