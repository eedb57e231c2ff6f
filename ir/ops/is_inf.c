#include <math.h>

#include "ir/ops/common.h"

bool is_inf_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_FLOAT, DTYPE_BOOL, err);
}

static kval equals(struct kernel *k, kval x, double v)
{
    return kernel_compare(k, KOP_EQ, x, kernel_const(k, kernel_inst(k, x)->type, v));
}

static kval is_inf_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    const struct is_inf_attrs *a = l->node->attrs;
    kval negative = a->detect_negative ? equals(k, x, -INFINITY) : 0;
    kval positive = a->detect_positive ? equals(k, x, INFINITY) : 0;
    if (negative && positive)
        return kernel_binary(k, KOP_OR, negative, positive);
    if (negative || positive)
        return negative ? negative : positive;
    return kernel_const_int(k, DTYPE_BOOL, 0);
}

void is_inf_lower(struct lower *l)
{
    ops_map_unary(l, is_inf_of);
}
