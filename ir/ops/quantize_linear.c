#include "ir/ops/quantize.h"

bool quantize_linear_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct quantize_linear_attrs *a = n->attrs;
    if (!ops_check_type(n, 0, TYPES_MATH | TYPE(I32), err) ||
        !ops_check_type(n, 1, TYPES_MATH, err) || !ops_check_type(n, 2, TYPES_QUANTIZED, err) ||
        !quantize_check(n, a->axis, err))
        return false;
    enum dtype to = ops_has_input(n, 2) ? n->in[2]->dtype : DTYPE_U8;
    return ops_set_output(n, 0, to, &n->in[0]->shape, err);
}

/* The conversion to the output's type saturates. */
void quantize_linear_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct quantize_linear_attrs *a = l->node->attrs;
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval x = kernel_cast(k, DTYPE_F32, ops_load(k, l->in[0], idx));
    x = kernel_binary(k, KOP_DIV, x, quantize_parameter(l, 1, a->axis, idx));
    x = kernel_unary(k, KOP_RINT, x);
    if (ops_has_input(l->node, 2)) {
        kval zero = quantize_parameter(l, 2, a->axis, idx);
        x = kernel_binary(k, KOP_ADD, x, kernel_cast(k, DTYPE_F32, zero));
    }
    ops_store(k, l->out[0], idx, x);
    ops_map_end(k, l->out[0]);
}
