#include "ir/ops/common.h"

bool prelu_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct shape s = n->in[0]->shape;
    if (!ops_check_same_type(n, 0, 1, err) || !ops_broadcast(&s, &n->in[1]->shape, err))
        return false;
    if (!shape_equal(&s, &n->in[0]->shape))
        return error_set(err, SHEAF_ERROR_SHAPE, "slope '%s' does not broadcast to the input",
                         n->in[1]->name);
    return ops_infer_unary(n, TYPES_NUMBER, err);
}

static kval prelu_of(struct lower *l, kval x, kval slope)
{
    struct kernel *k = l->kernel;
    kval zero = kernel_const(k, kernel_inst(k, x)->type, 0);
    kval scaled = kernel_binary(k, KOP_MUL, x, slope);
    return kernel_select(k, kernel_compare(k, KOP_LT, x, zero), scaled, x);
}

void prelu_lower(struct lower *l)
{
    ops_map_fold(l, prelu_of);
}
