#include "ir/ops/common.h"

bool swish_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval swish_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    const struct swish_attrs *a = l->node->attrs;
    kval alpha = kernel_const(k, kernel_inst(k, x)->type, a->alpha);
    kval scaled = a->alpha == 1 ? x : kernel_binary(k, KOP_MUL, alpha, x);
    return kernel_binary(k, KOP_MUL, x, kernel_sigmoid(k, scaled));
}

void swish_lower(struct lower *l)
{
    ops_map_unary(l, swish_of);
}
