#include "ir/ops/common.h"

bool leaky_relu_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval leaky_relu_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    const struct leaky_relu_attrs *a = l->node->attrs;
    enum dtype type = kernel_inst(k, x)->type;
    kval scaled = kernel_binary(k, KOP_MUL, x, kernel_const(k, type, a->alpha));
    return kernel_select(k, kernel_compare(k, KOP_LT, x, kernel_const(k, type, 0)), scaled, x);
}

void leaky_relu_lower(struct lower *l)
{
    ops_map_unary(l, leaky_relu_of);
}
