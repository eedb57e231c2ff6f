/*
 * ONNX Runtime's quantized operators (domain com.microsoft), which its tool quantize_static writes
 * in QOperator format.  Each becomes what it stands for: DequantizeLinear of its inputs, the
 * float operator, QuantizeLinear of the result.  The passes make integers of that, as of any model
 * in QDQ form.
 */
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

/* ONNX Runtime's QuantizeLinear and DequantizeLinear have more types in older opsets and are the
   same otherwise. */
bool onnx_adapt_plain(struct onnx *o, struct draft *d)
{
    (void)o;
    d->op_type += strlen(ONNX_MICROSOFT);
    d->op = op_by_onnx(d->op_type);
    return true;
}

/* ---- steps ---- */

static struct value *need(struct onnx *o, const struct draft *d, size_t i)
{
    struct value *v = draft_input(d, i);
    if (!v)
        draft_error(o, d, SHEAF_ERROR_SHAPE, "%s lacks its input %zu", d->op_type, i);
    return v;
}

/* Inputs i, i + 1 and i + 2 are a tensor, its scale and its zero point, which may be left out.  One
   scale per index of `axis`, where there are several. */
static struct value *dequantized(struct onnx *o, struct draft *d, size_t i, int64_t axis)
{
    struct value *in[3] = {need(o, d, i), NULL, draft_input(d, i + 2)};
    in[1] = in[0] ? need(o, d, i + 1) : NULL;
    if (!in[1])
        return NULL;
    struct node *n = build_begin(&o->im, OP_dequantize_linear, in[0]->name, in, in[2] ? 3 : 2, 1);
    struct dequantize_linear_attrs *a = n->attrs;
    a->axis = in[1]->shape.rank && in[1]->shape.dims[0] != 1 ? axis : a->axis;
    return build_end1(&o->im, n, NULL);
}

/* Output 0: x in the scale and zero point of inputs i and i + 1.  Without a zero point it is 0 in
   the type of `like`. */
static bool finish_quantized(struct onnx *o, struct draft *d, struct value *x, size_t i,
                             const struct value *like)
{
    struct value *scale = x ? need(o, d, i) : NULL, *zero = draft_input(d, i + 1);
    if (!scale)
        return false;
    if (!zero)
        zero = build_filled(&o->im, d->name, NULL, like->dtype, &scale->shape, 0);
    struct value *in[3] = {x, scale, zero};
    struct value *y =
        zero ? build_op(&o->im, OP_quantize_linear, d->name, in, 3, d->n_out ? d->out[0] : "")
             : NULL;
    if (!y)
        return false;
    draft_bind(o, d, 0, y);
    d->done = true;
    return true;
}

/* ---- operators ---- */

/* QLinearAdd and QLinearMul: two quantized inputs, then the parameters of the result. */
bool onnx_adapt_qlinear_binary(struct onnx *o, struct draft *d)
{
    enum op op = strstr(d->op_type, "Mul") ? OP_mul : OP_add;
    struct value *in[2];
    in[0] = dequantized(o, d, 0, 0);
    in[1] = in[0] ? dequantized(o, d, 3, 0) : NULL;
    return in[1] && finish_quantized(o, d, build_op(&o->im, op, d->name, in, 2, NULL), 6, d->in[0]);
}

/* The parameters of the result, then three inputs for each tensor. */
bool onnx_adapt_qlinear_concat(struct onnx *o, struct draft *d)
{
    int64_t axis;
    if (d->n_in < 5 || !draft_take_int(o, d, "axis", 0, &axis))
        return d->n_in < 5 && need(o, d, d->n_in);
    size_t n = (d->n_in - 2 + 2) / 3;
    struct value **in = arena_array(o->im.arena, n, sizeof(struct value *));
    for (size_t i = 0; i < n; i++) {
        in[i] = dequantized(o, d, 2 + 3 * i, 0);
        if (!in[i])
            return false;
    }
    struct node *concat = build_begin(&o->im, OP_concat, d->name, in, n, 1);
    ((struct concat_attrs *)concat->attrs)->axis = axis;
    return finish_quantized(o, d, build_end1(&o->im, concat, NULL), 0, d->in[2]);
}

/* One quantized input, the parameters of the result, and the float operator's own attributes. */
static bool adapt_unary(struct onnx *o, struct draft *d, struct node *n)
{
    return finish_quantized(o, d, build_end1(&o->im, n, NULL), 3, d->in[0]);
}

bool onnx_adapt_qlinear_sigmoid(struct onnx *o, struct draft *d)
{
    struct value *x = dequantized(o, d, 0, 0);
    return x && adapt_unary(o, d, build_begin(&o->im, OP_sigmoid, d->name, &x, 1, 1));
}

bool onnx_adapt_qlinear_leaky_relu(struct onnx *o, struct draft *d)
{
    float alpha;
    if (!draft_take_float(o, d, "alpha", 0.01f, &alpha))
        return false;
    struct value *x = dequantized(o, d, 0, 0);
    if (!x)
        return false;
    struct node *n = build_begin(&o->im, OP_leaky_relu, d->name, &x, 1, 1);
    ((struct leaky_relu_attrs *)n->attrs)->alpha = alpha;
    return adapt_unary(o, d, n);
}

/* The axis counts as the opset says that the model's maker meant: before 13 the dimensions from
   there on are one. */
bool onnx_adapt_qlinear_softmax(struct onnx *o, struct draft *d)
{
    int64_t opset, axis;
    if (!draft_take_int(o, d, "opset", o->opset, &opset) ||
        !draft_take_int(o, d, "axis", opset < 13 ? 1 : -1, &axis))
        return false;
    struct value *x = dequantized(o, d, 0, 0);
    if (!x)
        return false;
    if (opset < 13)
        return finish_quantized(o, d, build_flat_softmax(&o->im, d->name, x, axis, NULL), 3,
                                d->in[0]);
    struct node *n = build_begin(&o->im, OP_softmax, d->name, &x, 1, 1);
    ((struct softmax_attrs *)n->attrs)->axis = axis;
    return adapt_unary(o, d, n);
}

/* A pool of input 0, whose channels may be last; `attrs`: NULL where it has none. */
static bool adapt_pool(struct onnx *o, struct draft *d, enum op op,
                       const struct average_pool_attrs *attrs)
{
    int64_t last;
    if (!draft_take_int(o, d, "channels_last", 0, &last))
        return false;
    struct value *x = dequantized(o, d, 0, 0);
    if (last)
        x = compose_channels_first(o, x);
    if (!x)
        return false;
    struct node *n = build_begin(&o->im, op, d->name, &x, 1, 1);
    if (attrs)
        *(struct average_pool_attrs *)n->attrs = *attrs;
    if (!last)
        return adapt_unary(o, d, n);
    struct value *y = build_end1(&o->im, n, NULL);
    return finish_quantized(o, d, compose_channels_last(o, y, NULL), 3, d->in[0]);
}

bool onnx_adapt_qlinear_global_pool(struct onnx *o, struct draft *d)
{
    return adapt_pool(o, d, OP_global_average_pool, NULL);
}

static bool take_ints(struct onnx *o, struct draft *d, const char *name, struct attr_ints *out)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, name, ATTR_KIND_INTS, &a))
        return false;
    if (a)
        *out = a->u.ints;
    return true;
}

bool onnx_adapt_qlinear_average_pool(struct onnx *o, struct draft *d)
{
    struct average_pool_attrs a = {0};
    struct draft_attr *auto_pad;
    if (!draft_take_kind(o, d, "auto_pad", ATTR_KIND_STRING, &auto_pad) ||
        !draft_take_int(o, d, "ceil_mode", 0, &a.ceil_mode) ||
        !draft_take_int(o, d, "count_include_pad", 0, &a.count_include_pad) ||
        !take_ints(o, d, "dilations", &a.dilations) ||
        !take_ints(o, d, "kernel_shape", &a.kernel_shape) || !take_ints(o, d, "pads", &a.pads) ||
        !take_ints(o, d, "strides", &a.strides))
        return false;
    a.auto_pad = auto_pad ? auto_pad->u.s : "NOTSET";
    return adapt_pool(o, d, OP_average_pool, &a);
}

bool onnx_adapt_qlinear_reduce_mean(struct onnx *o, struct draft *d)
{
    struct attr_ints axes = {0};
    int64_t keepdims;
    if (!take_ints(o, d, "axes", &axes) || !draft_take_int(o, d, "keepdims", 1, &keepdims))
        return false;
    struct value *in[2] = {dequantized(o, d, 0, 0), NULL};
    if (!in[0])
        return false;
    if (axes.n)
        in[1] = build_ints(&o->im, NULL, axes.v, axes.n);
    struct node *n = build_begin(&o->im, OP_reduce_mean, d->name, in, axes.n ? 2 : 1, 1);
    ((struct reduce_mean_attrs *)n->attrs)->keepdims = keepdims;
    return adapt_unary(o, d, n);
}

/* Condition, then both tensors with their parameters, then those of the result. */
bool onnx_adapt_qlinear_where(struct onnx *o, struct draft *d)
{
    struct value *in[3] = {need(o, d, 0), NULL, NULL};
    in[1] = in[0] ? dequantized(o, d, 1, 0) : NULL;
    in[2] = in[1] ? dequantized(o, d, 4, 0) : NULL;
    return in[2] &&
           finish_quantized(o, d, build_op(&o->im, OP_where, d->name, in, 3, NULL), 7, d->in[1]);
}

/* The bias of a QGemm: i32 in units of alpha * a_scale * b_scale. */
static struct value *gemm_bias(struct onnx *o, struct draft *d, float alpha)
{
    struct value *by[2] = {need(o, d, 1), need(o, d, 4)};
    if (!by[0] || !by[1])
        return NULL;
    by[0] = build_op(&o->im, OP_mul, d->name, by, 2, NULL);
    by[1] = build_float(&o->im, NULL, DTYPE_F32, (double)alpha);
    struct value *scale = by[0] ? build_op(&o->im, OP_mul, d->name, by, 2, NULL) : NULL;
    if (!scale)
        return NULL;
    struct value *in[2] = {draft_input(d, 6), scale};
    struct node *n = build_begin(&o->im, OP_dequantize_linear, in[0]->name, in, 2, 1);
    struct dequantize_linear_attrs *a = n->attrs;
    a->axis = in[0]->shape.rank - 1;
    return build_end1(&o->im, n, NULL);
}

/* Without a scale of the result that is float. */
bool onnx_adapt_qgemm(struct onnx *o, struct draft *d)
{
    float alpha;
    int64_t trans_a, trans_b;
    if (!draft_take_float(o, d, "alpha", 1, &alpha) ||
        !draft_take_int(o, d, "transA", 0, &trans_a) ||
        !draft_take_int(o, d, "transB", 0, &trans_b))
        return false;
    struct value *in[3] = {dequantized(o, d, 0, 0), NULL, NULL};
    in[1] = in[0] ? dequantized(o, d, 3, trans_b ? 0 : 1) : NULL;
    bool biased = draft_input(d, 6) != NULL;
    in[2] = in[1] && biased ? gemm_bias(o, d, alpha) : NULL;
    if (!in[1] || (biased && !in[2]))
        return false;
    struct node *n = build_begin(&o->im, OP_gemm, d->name, in, biased ? 3 : 2, 1);
    struct gemm_attrs *a = n->attrs;
    a->alpha = alpha;
    a->transA = trans_a;
    a->transB = trans_b;
    if (draft_input(d, 7))
        return finish_quantized(o, d, build_end1(&o->im, n, NULL), 7, d->in[0]);
    struct value *y = build_end1(&o->im, n, d->n_out ? d->out[0] : "");
    if (!y)
        return false;
    draft_bind(o, d, 0, y);
    d->done = true;
    return true;
}
