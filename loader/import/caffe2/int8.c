/*
 * Caffe2's 8-bit operators.  A blob of theirs holds the quantized numbers, and beside them stands
 * what these mean.  An operator is what it stands for: DequantizeLinear of its inputs, the float
 * operator, QuantizeLinear of the result; the passes make integers of that.
 */
#include <float.h>
#include <string.h>

#include "loader/import/caffe2/caffe2.h"

/* The float operator behind each, and whether a Relu follows. */
static const struct {
    const char *type, *inner;
    bool relu;
} kinds[] = {
    {"Int8Add", "Sum", false},
    {"Int8AddRelu", "Sum", true},
    {"Int8AveragePoolRelu", "AveragePool", true},
    {"Int8ConvRelu", "Conv", true},
    {"Int8FCRelu", "FC", true},
    {"Int8MaxPoolRelu", "MaxPool", true},
    {"Int8SumRelu", "Sum", true},
};

/* Y_scale and Y_zero_point, with zero points of the type; false where there is no scale, after a
   sentence where it is impossible. */
static bool read_parameters(struct caffe2 *c, struct c2_op *op, enum dtype dtype)
{
    const struct c2_arg *given = c2_arg_find(&op->args, "Y_scale");
    if (!given)
        return false;
    float scale = c2_arg_float(&op->args, "Y_scale", 0);
    int64_t zero = c2_arg_int(&op->args, "Y_zero_point", 0);
    struct tensor *t = tensor_new(c->im.arena, dtype, 0, NULL);
    if (!(scale > 0) || !(scale <= FLT_MAX))
        return c2_error(c, op, SHEAF_ERROR_FORMAT, "its scale of %g is not possible",
                        (double)scale);
    if (zero < dtype_int_min(dtype) || zero > dtype_int_max(dtype))
        return c2_error(c, op, SHEAF_ERROR_FORMAT, "its zero point of %lld is no %s",
                        (long long)zero, dtype_name(dtype));
    tensor_set_int(t, 0, zero);
    op->scale = build_float(&c->im, NULL, DTYPE_F32, (double)scale);
    op->zero = graph_add_constant(c->im.g, NULL, t);
    return true;
}

static bool need_parameters(struct caffe2 *c, struct c2_op *op, enum dtype dtype)
{
    return read_parameters(c, op, dtype) ||
           (!c->im.err->status &&
            c2_error(c, op, SHEAF_ERROR_FORMAT, "it lacks the argument 'Y_scale'"));
}

/* Bytes from a text, or 32-bit numbers. */
struct value *c2_int8_given_fill(struct caffe2 *c, struct c2_op *op)
{
    bool bytes = !strcmp(op->type, "Int8GivenTensorFill");
    if (!need_parameters(c, op, bytes ? DTYPE_U8 : DTYPE_I32))
        return NULL;
    return bytes ? c2_given_bytes_fill(c, op) : c2_given_tensor_fill(c, op);
}

/* The numbers that input i stands for; of an input that is not quantized the input itself. */
static struct value *meaning(struct caffe2 *c, const struct c2_op *op, size_t i, const char *name)
{
    const struct c2_blob *b = op->blob[i];
    struct value *in[] = {b->value, b->scale, b->zero};
    return b->scale ? build_op(&c->im, OP_dequantize_linear, NULL, in, 3, name) : b->value;
}

static struct value *quantized(struct caffe2 *c, const struct c2_op *op, struct value *x)
{
    struct value *in[] = {x, op->scale, op->zero};
    return x ? build_op(&c->im, OP_quantize_linear, NULL, in, 3, op->out) : NULL;
}

struct value *c2_int8_quantize(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1) || !need_parameters(c, op, DTYPE_U8))
        return NULL;
    return quantized(c, op, op->in[0]);
}

struct value *c2_int8_dequantize(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    if (op->blob[0]->scale)
        return meaning(c, op, 0, op->out);
    c2_error(c, op, SHEAF_ERROR_FORMAT, "'%s' is not quantized", op->in[0]->name);
    return NULL;
}

/* Without parameters of its own the result has those of the first input. */
static bool set_parameters(struct caffe2 *c, struct c2_op *op)
{
    if (read_parameters(c, op, DTYPE_U8) || c->im.err->status)
        return !c->im.err->status;
    op->scale = op->n_in ? op->blob[0]->scale : NULL;
    op->zero = op->n_in ? op->blob[0]->zero : NULL;
    return op->scale || c2_error(c, op, SHEAF_ERROR_FORMAT, "it lacks the argument 'Y_scale'");
}

struct value *c2_int8(struct caffe2 *c, struct c2_op *op)
{
    struct c2_op inner = *op;
    bool relu = false;
    inner.type = op->type + strlen("Int8");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(kinds[i].type, op->type)) {
            inner.type = kinds[i].inner;
            relu = kinds[i].relu;
        }
    if (!set_parameters(c, op))
        return NULL;
    inner.out = NULL;
    inner.in = arena_array(c->im.arena, op->n_in, sizeof(struct value *));
    for (size_t i = 0; i < op->n_in; i++) {
        inner.in[i] = meaning(c, op, i, NULL);
        if (!inner.in[i])
            return NULL;
    }
    struct value *y = c2_converter(inner.type)(c, &inner);
    if (relu)
        y = build_unary(&c->im, OP_relu, NULL, y);
    return quantized(c, op, y);
}
