/* DequantizeLinear-28: the product is rounded to f32, then to the result's type. */
#include "ir/ops/quantize.h"

enum { X, SCALE, ZERO };

static struct quantize_axis axis_of(const struct node *n)
{
    const struct dequantize_linear_attrs *a = n->attrs;
    return (struct quantize_axis){a->axis, a->block_size};
}

bool dequantize_linear_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct dequantize_linear_attrs *a = n->attrs;
    struct quantize_axis axis = axis_of(n);
    enum dtype to;
    return ops_check_type(n, X, TYPES_QUANTIZED | TYPE(I32), err) &&
           ops_check_type(n, SCALE, TYPES_SCALE, err) && ops_check_same_type(n, X, ZERO, err) &&
           quantize_check(n, &axis, err) &&
           quantize_type(a->output_dtype, "output_dtype", TYPES_MATH, n->in[SCALE]->dtype, &to,
                         err) &&
           ops_set_output(n, 0, to, &n->in[X]->shape, err);
}

/* In which x - zero_point is exact; the difference of two i32 has one bit more. */
static enum dtype difference_type(enum dtype x)
{
    if (dtype_is_coded(x))
        return DTYPE_F32;
    return x == DTYPE_I32 ? DTYPE_I64 : DTYPE_I32;
}

void dequantize_linear_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct quantize_axis axis = axis_of(l->node);
    enum dtype from = l->node->in[X]->dtype, type = difference_type(from);
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval x = kernel_load(k, l->in[X], idx);
    if (dtype_is_coded(from))
        x = kernel_convert(k, type, x, (struct kernel_encoding){0});
    if (ops_has_input(l->node, ZERO)) {
        kval zero = quantize_parameter_as(l, ZERO, &axis, idx, type);
        x = kernel_cast(k, type, x);
        x = kernel_binary(k, KOP_SUB, x, zero);
    }
    kval scale = quantize_parameter_as(l, SCALE, &axis, idx, DTYPE_F32);
    kval y = kernel_binary(k, KOP_MUL, kernel_cast(k, DTYPE_F32, x), scale);
    ops_store(k, l->out[0], idx, y);
    ops_map_end(k, l->out[0]);
}
