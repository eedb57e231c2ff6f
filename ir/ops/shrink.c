#include "ir/ops/common.h"

bool shrink_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_NUMBER, err);
}

/* Integers by way of f64: the attributes are floats. */
static kval shrink_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    const struct shrink_attrs *a = l->node->attrs;
    enum dtype type = kernel_inst(k, x)->type, in = dtype_is_float(type) ? type : DTYPE_F64;
    kval lambda = kernel_const(k, in, a->lambd), bias = kernel_const(k, in, a->bias);
    kval minus_lambda = kernel_const(k, in, -(double)a->lambd);
    kval v = kernel_cast(k, in, x);
    kval below = kernel_binary(k, KOP_ADD, v, bias), above = kernel_binary(k, KOP_SUB, v, bias);
    kval is_above = kernel_compare(k, KOP_LT, lambda, v);
    kval y = kernel_select(k, is_above, above, kernel_const(k, in, 0));
    y = kernel_select(k, kernel_compare(k, KOP_LT, v, minus_lambda), below, y);
    return kernel_cast(k, type, y);
}

void shrink_lower(struct lower *l)
{
    ops_map_unary(l, shrink_of);
}
