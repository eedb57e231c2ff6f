#include "ir/ops/common.h"

bool hard_swish_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

/* x max(0, min(1, x / 6 + 1/2)); in this order of operands NaN stays NaN. */
static kval hard_swish_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    enum dtype type = kernel_inst(k, x)->type;
    kval gate = kernel_binary(k, KOP_MUL, kernel_const(k, type, 1.0 / 6), x);
    gate = kernel_binary(k, KOP_ADD, gate, kernel_const(k, type, 0.5));
    gate = kernel_binary(k, KOP_MIN, kernel_const(k, type, 1), gate);
    gate = kernel_binary(k, KOP_MAX, kernel_const(k, type, 0), gate);
    return kernel_binary(k, KOP_MUL, x, gate);
}

void hard_swish_lower(struct lower *l)
{
    ops_map_unary(l, hard_swish_of);
}
