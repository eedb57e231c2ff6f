#include "ir/ops/common.h"

bool hard_sigmoid_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

/* The variable is the second operand of min and max, so NaN stays NaN. */
static kval hard_sigmoid_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    const struct hard_sigmoid_attrs *a = l->node->attrs;
    enum dtype type = kernel_inst(k, x)->type;
    x = kernel_binary(k, KOP_MUL, kernel_const(k, type, a->alpha), x);
    x = kernel_binary(k, KOP_ADD, x, kernel_const(k, type, a->beta));
    x = kernel_binary(k, KOP_MIN, kernel_const(k, type, 1), x);
    return kernel_binary(k, KOP_MAX, kernel_const(k, type, 0), x);
}

void hard_sigmoid_lower(struct lower *l)
{
    ops_map_unary(l, hard_sigmoid_of);
}
