#include "ir/ops/common.h"

bool mish_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

/*
 * With e = e^x, tanh(log(1 + e)) is e (e + 2) / (e (e + 2) + 2).  From x = 20 on that is 1 in all
 * types, so a greater x must not overflow.
 */
static kval mish_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    enum dtype type = kernel_inst(k, x)->type;
    kval two = kernel_const(k, type, 2);
    kval e = kernel_exp(k, kernel_binary(k, KOP_MIN, kernel_const(k, type, 20), x));
    kval above = kernel_binary(k, KOP_MUL, e, kernel_binary(k, KOP_ADD, e, two));
    kval below = kernel_binary(k, KOP_ADD, above, two);
    return kernel_binary(k, KOP_MUL, x, kernel_binary(k, KOP_DIV, above, below));
}

void mish_lower(struct lower *l)
{
    ops_map_unary(l, mish_of);
}
