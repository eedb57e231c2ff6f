/*
 * Operators that make constants: the contents of init_net.pb.
 */
#include <string.h>

#include "loader/import/caffe2/caffe2.h"

/* The numbers of Caffe2's TensorProto.DataType. */
enum dtype c2_dtype(int64_t code)
{
    static const enum dtype types[] = {
        [1] = DTYPE_F32,  [2] = DTYPE_I32,  [3] = DTYPE_U8,  [5] = DTYPE_BOOL,
        [6] = DTYPE_U8,   [7] = DTYPE_I8,   [8] = DTYPE_U16, [9] = DTYPE_I16,
        [10] = DTYPE_I64, [12] = DTYPE_F16, [13] = DTYPE_F64};
    return code > 0 && (size_t)code < sizeof types / sizeof types[0] ? types[code] : DTYPE_NONE;
}

bool c2_fill_shape(struct caffe2 *c, struct c2_op *op, struct shape *out_shape)
{
    struct attr_ints shape = c2_arg_ints(&c->im, &op->args, "shape");
    if (op->n_in || c2_arg_int(&op->args, "input_as_shape", 0) ||
        c2_arg_ints(&c->im, &op->args, "extra_shape").n)
        return c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                        "%s with a shape that is computed is not supported", op->type);
    if (shape.n > MAX_RANK)
        return c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                        "its shape has %zu dimensions, more than the %d that are supported",
                        shape.n, MAX_RANK);
    *out_shape = shape_of_dims((int)shape.n, shape.v);
    int bad = import_bad_dim(out_shape->rank, out_shape->dims);
    return bad < 0 || c2_error(c, op, SHEAF_ERROR_FORMAT,
                               "dimension %d of its shape is %lld, which is negative or too large",
                               bad, (long long)out_shape->dims[bad]);
}

static void store_floats(struct tensor *t, const float *v, size_t n)
{
    uint8_t *data = tensor_data(t);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        for (size_t k = 0; k < 4; k++)
            data[4 * i + k] = (uint8_t)(bits >> (8 * k));
    }
}

static enum dtype given_type(const char *type)
{
    if (!strcmp(type, "GivenTensorIntFill") || !strcmp(type, "Int8GivenIntTensorFill"))
        return DTYPE_I32;
    if (!strcmp(type, "GivenTensorInt64Fill"))
        return DTYPE_I64;
    if (!strcmp(type, "GivenTensorBoolFill"))
        return DTYPE_BOOL;
    if (!strcmp(type, "GivenTensorFp16Fill"))
        return DTYPE_F16;
    return DTYPE_F32;
}

/* The bytes of a text. */
struct value *c2_given_bytes_fill(struct caffe2 *c, struct c2_op *op)
{
    struct shape shape;
    const struct c2_arg *values = c2_arg_find(&op->args, "values");
    size_t n = values ? values->n_bytes : 0;
    if (!c2_fill_shape(c, op, &shape))
        return NULL;
    if ((uint64_t)shape_elems(&shape) != n) {
        c2_error(c, op, SHEAF_ERROR_FORMAT, "it has %zu bytes where its shape needs %lld", n,
                 (long long)shape_elems(&shape));
        return NULL;
    }
    struct tensor *t = tensor_new(c->im.arena, DTYPE_U8, shape.rank, shape.dims);
    if (n)
        memcpy(tensor_data(t), values->bytes, n);
    return graph_add_constant(c->im.g, op->out, t);
}

/* Values are floats also where they are stored as 16-bit floats: an Argument has no such list. */
struct value *c2_given_tensor_fill(struct caffe2 *c, struct c2_op *op)
{
    enum dtype dtype = given_type(op->type);
    struct shape shape;
    const struct c2_arg *values = c2_arg_find(&op->args, "values");
    if (!c2_fill_shape(c, op, &shape))
        return NULL;
    int64_t elems = shape_elems(&shape);
    size_t n = !values ? 0 : dtype_is_float(dtype) ? values->floats.n : values->ints.n;
    if ((uint64_t)elems != n) {
        c2_error(c, op, SHEAF_ERROR_FORMAT, "it has %zu values where its shape needs %lld", n,
                 (long long)elems);
        return NULL;
    }
    struct tensor *t = tensor_new(c->im.arena, dtype, shape.rank, shape.dims);
    if (dtype == DTYPE_F32 && n)
        store_floats(t, values->floats.v, n);
    for (size_t i = 0; i < n && dtype == DTYPE_F16; i++)
        tensor_set(t, (int64_t)i, (double)values->floats.v[i]);
    for (size_t i = 0; i < n && !dtype_is_float(dtype); i++) {
        int64_t v = values->ints.v[i];
        if (dtype != DTYPE_BOOL && (v < dtype_int_min(dtype) || v > dtype_int_max(dtype))) {
            c2_error(c, op, SHEAF_ERROR_FORMAT, "it holds %lld, which is no %s", (long long)v,
                     dtype_name(dtype));
            return NULL;
        }
        tensor_set_int(t, (int64_t)i, dtype == DTYPE_BOOL ? v != 0 : v);
    }
    return graph_add_constant(c->im.g, op->out, t);
}

struct value *c2_constant_fill(struct caffe2 *c, struct c2_op *op)
{
    int64_t code = c2_arg_int(&op->args, "dtype", 1);
    const struct c2_arg *value = c2_arg_find(&op->args, "value");
    enum dtype dtype = c2_dtype(code);
    struct shape shape;
    if (dtype == DTYPE_NONE) {
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED, "elements of Caffe2's type %lld are not supported",
                 (long long)code);
        return NULL;
    }
    if (!c2_fill_shape(c, op, &shape))
        return NULL;
    double v = !value ? 0 : value->has_f ? (double)value->f : (double)value->i;
    if (dtype == DTYPE_BOOL)
        v = v != 0;
    return build_filled(&c->im, op->name, op->out, dtype, &shape, v);
}

/* Uniform numbers in [low, high), others in each run. */
static struct value *uniform(struct caffe2 *c, struct c2_op *op, const struct shape *shape,
                             float low, float high)
{
    int64_t words = 2;
    struct value *state = graph_add_state(c->im.g, arena_printf(c->im.arena, "%s_state", op->out),
                                          DTYPE_U64, 1, &words);
    struct node *n = build_begin(&c->im, OP_random_uniform, NULL, &state, 1, 1);
    struct random_uniform_attrs *a = n->attrs;
    a->low = low;
    a->high = high;
    a->shape.n = (size_t)shape->rank;
    a->shape.v = arena_copy(c->im.arena, shape->dims, a->shape.n * sizeof *shape->dims);
    return build_end1(&c->im, n, NULL);
}

/* sqrt(-2 log(1 - u)) cos(2 pi v) of uniform u and v (Box and Muller). */
static struct value *gaussian(struct caffe2 *c, struct c2_op *op, const struct shape *shape)
{
    double mean = (double)c2_arg_float(&op->args, "mean", 0);
    double std = (double)c2_arg_float(&op->args, "std", 1);
    struct value *rest = uniform(c, op, shape, -1, 0), *turn = uniform(c, op, shape, 0, 1);
    rest = build_unary(&c->im, OP_log, NULL, build_unary(&c->im, OP_neg, NULL, rest));
    rest = build_unary(&c->im, OP_sqrt, NULL, c2_number(c, OP_mul, rest, -2));
    turn = build_unary(&c->im, OP_cos, NULL, c2_number(c, OP_mul, turn, 6.283185307179586));
    struct value *y = build_binary(&c->im, OP_mul, NULL, rest, turn);
    return c2_number(c, OP_add, c2_number(c, OP_mul, y, std), mean);
}

/* UniformFill and GaussianFill of a network that draws; weights before training are refused. */
struct value *c2_random_fill(struct caffe2 *c, struct c2_op *op)
{
    bool is_uniform = !strcmp(op->type, "UniformFill");
    struct shape shape;
    if (c->in_weights || (!is_uniform && strcmp(op->type, "GaussianFill") != 0)) {
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                 "%s draws '%s' at random: these are the weights of a network before its training",
                 op->type, op->out);
        return NULL;
    }
    if (!c2_fill_shape(c, op, &shape))
        return NULL;
    float low = is_uniform ? c2_arg_float(&op->args, "min", 0) : 0;
    float high = is_uniform ? c2_arg_float(&op->args, "max", 1) : 0;
    return c2_named(c, op,
                    is_uniform ? uniform(c, op, &shape, low, high) : gaussian(c, op, &shape));
}
