#include "ir/ops/common.h"

bool softsign_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval softsign_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    kval one = kernel_const(k, kernel_inst(k, x)->type, 1);
    kval below = kernel_binary(k, KOP_ADD, one, kernel_unary(k, KOP_ABS, x));
    return kernel_binary(k, KOP_DIV, x, below);
}

void softsign_lower(struct lower *l)
{
    ops_map_unary(l, softsign_of);
}
