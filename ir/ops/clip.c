#include "ir/ops/common.h"

bool clip_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    for (size_t i = 1; i < n->n_in; i++) {
        if (!ops_check_same_type(n, 0, i, err) || !ops_check_static(n, i, err))
            return false;
        if (n->in[i] && shape_elems(&n->in[i]->shape) != 1)
            return error_set(err, SHEAF_ERROR_SHAPE, "bound '%s' has %lld elements, not one",
                             n->in[i]->name, (long long)shape_elems(&n->in[i]->shape));
    }
    return ops_infer_unary(n, TYPES_NUMBER, err);
}

/* x is the second operand of both, so that NaN stays NaN; the upper bound wins over the lower. */
static kval clip_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    if (ops_has_input(l->node, 1))
        x = kernel_binary(k, KOP_MAX, ops_load_scalar(k, l->in[1]), x);
    if (ops_has_input(l->node, 2))
        x = kernel_binary(k, KOP_MIN, ops_load_scalar(k, l->in[2]), x);
    return x;
}

void clip_lower(struct lower *l)
{
    ops_map_unary(l, clip_of);
}
