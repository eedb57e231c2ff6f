/*
 * QuantizeLinear-28.  x / scale is rounded as the type of the division rounds: that of `precision`,
 * else f64 where x is i32, that of x and scale where they agree, and f32 where they do not (ONNX's
 * reference).
 */
#include "ir/ops/quantize.h"

enum { X, SCALE, ZERO };

static struct quantize_axis axis_of(const struct node *n)
{
    const struct quantize_linear_attrs *a = n->attrs;
    return (struct quantize_axis){a->axis, a->block_size};
}

static enum dtype division_type(enum dtype x, enum dtype scale)
{
    if (x == DTYPE_I32)
        return DTYPE_F64;
    return x == scale ? x : DTYPE_F32;
}

static bool types_of(const struct node *n, enum dtype *out_to, enum dtype *out_division,
                     struct error *err)
{
    const struct quantize_linear_attrs *a = n->attrs;
    enum dtype zero = ops_has_input(n, ZERO) ? n->in[ZERO]->dtype : DTYPE_NONE;
    if (!quantize_type(a->output_dtype, "output_dtype", TYPES_QUANTIZED,
                       zero != DTYPE_NONE ? zero : DTYPE_U8, out_to, err) ||
        !quantize_type(a->precision, "precision", TYPES_FLOAT,
                       division_type(n->in[X]->dtype, n->in[SCALE]->dtype), out_division, err))
        return false;
    if (zero == DTYPE_NONE || zero == *out_to)
        return true;
    return error_set(err, SHEAF_ERROR_SHAPE, "the zero point is %s where the result is to be %s",
                     dtype_name(zero), dtype_name(*out_to));
}

bool quantize_linear_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct quantize_axis axis = axis_of(n);
    enum dtype to, division;
    return ops_check_type(n, X, TYPES_MATH | TYPE(I32), err) &&
           ops_check_type(n, SCALE, TYPES_SCALE, err) &&
           ops_check_type(n, ZERO, TYPES_QUANTIZED, err) && quantize_check(n, &axis, err) &&
           types_of(n, &to, &division, err) && ops_set_output(n, 0, to, &n->in[X]->shape, err);
}

/* The quotient as an integer of type `to`; the conversion saturates. */
static kval to_integer(struct lower *l, enum dtype to, kval x, kval zero)
{
    struct kernel *k = l->kernel;
    x = kernel_unary(k, KOP_RINT, x);
    if (zero) {
        /* Exact where it matters: f32 has room for all sums that do not saturate. */
        x = kernel_cast(k, DTYPE_F32, x);
        x = kernel_binary(k, KOP_ADD, x, zero);
    }
    return kernel_cast(k, to, x);
}

/* The quotient as a coded float.  A zero point is 0 as a rule, and floats of 8 bits keep their -0
   then, as in ONNX's reference. */
static kval to_coded(struct lower *l, enum dtype to, kval x, kval zero)
{
    const struct quantize_linear_attrs *a = l->node->attrs;
    struct kernel *k = l->kernel;
    if (zero) {
        x = kernel_cast(k, DTYPE_F32, x);
        kval sum = kernel_binary(k, KOP_ADD, x, zero);
        kval none = kernel_compare(k, KOP_EQ, zero, kernel_const_float(k, DTYPE_F32, 0));
        x = to == DTYPE_F4E2M1 ? sum : kernel_select(k, none, x, sum);
    }
    return kernel_convert(k, to, x,
                          (struct kernel_encoding){a->saturate != 0, KERNEL_ROUND_NEAREST});
}

void quantize_linear_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct quantize_axis axis = axis_of(l->node);
    enum dtype to, division;
    types_of(l->node, &to, &division, NULL);
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval x = kernel_cast(k, division, kernel_load(k, l->in[X], idx));
    kval scale = quantize_parameter_as(l, SCALE, &axis, idx, division), zero = 0;
    x = kernel_binary(k, KOP_DIV, x, scale);
    if (ops_has_input(l->node, ZERO))
        zero = quantize_parameter_as(l, ZERO, &axis, idx, DTYPE_F32);
    x = dtype_is_coded(to) ? to_coded(l, to, x, zero) : to_integer(l, to, x, zero);
    kernel_store(k, l->out[0], idx, x);
    ops_map_end(k, l->out[0]);
}
