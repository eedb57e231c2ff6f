#include "ir/ops/quantize.h"

bool dequantize_linear_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct dequantize_linear_attrs *a = n->attrs;
    if (!ops_check_type(n, 0, TYPES_QUANTIZED | TYPE(I32), err) ||
        !ops_check_type(n, 1, TYPES_MATH, err) || !ops_check_same_type(n, 0, 2, err) ||
        !quantize_check(n, a->axis, err))
        return false;
    return ops_set_output(n, 0, n->in[1]->dtype, &n->in[0]->shape, err);
}

void dequantize_linear_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct dequantize_linear_attrs *a = l->node->attrs;
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval x = kernel_cast(k, DTYPE_I32, kernel_load(k, l->in[0], idx));
    if (ops_has_input(l->node, 2)) {
        kval zero = quantize_parameter(l, 2, a->axis, idx);
        x = kernel_binary(k, KOP_SUB, x, kernel_cast(k, DTYPE_I32, zero));
    }
    kval scale = quantize_parameter(l, 1, a->axis, idx);
    kval y = kernel_binary(k, KOP_MUL, kernel_cast(k, DTYPE_F32, x), scale);
    ops_store(k, l->out[0], idx, y);
    ops_map_end(k, l->out[0]);
}
