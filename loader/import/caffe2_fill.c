/*
 * Operators that make constants: the contents of init_net.pb.
 */
#include <string.h>

#include "loader/import/caffe2.h"

/* The numbers of Caffe2's TensorProto.DataType. */
static enum dtype dtype_from_caffe2(int64_t code)
{
    static const enum dtype types[] = {
        [1] = DTYPE_F32,  [2] = DTYPE_I32,  [3] = DTYPE_U8,  [5] = DTYPE_BOOL,
        [6] = DTYPE_U8,   [7] = DTYPE_I8,   [8] = DTYPE_U16, [9] = DTYPE_I16,
        [10] = DTYPE_I64, [12] = DTYPE_F16, [13] = DTYPE_F64};
    return code > 0 && (size_t)code < sizeof types / sizeof types[0] ? types[code] : DTYPE_NONE;
}

static bool fill_shape(struct caffe2 *c, struct c2_op *op, struct shape *out_shape)
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
    if (!strcmp(type, "GivenTensorIntFill"))
        return DTYPE_I32;
    if (!strcmp(type, "GivenTensorInt64Fill"))
        return DTYPE_I64;
    if (!strcmp(type, "GivenTensorBoolFill"))
        return DTYPE_BOOL;
    if (!strcmp(type, "GivenTensorFp16Fill"))
        return DTYPE_F16;
    return DTYPE_F32;
}

/* Values are floats also where they are stored as 16-bit floats: an Argument has no such list. */
struct value *c2_given_tensor_fill(struct caffe2 *c, struct c2_op *op)
{
    enum dtype dtype = given_type(op->type);
    struct shape shape;
    const struct c2_arg *values = c2_arg_find(&op->args, "values");
    if (!fill_shape(c, op, &shape))
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
    enum dtype dtype = dtype_from_caffe2(code);
    struct shape shape;
    if (dtype == DTYPE_NONE) {
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED, "elements of Caffe2's type %lld are not supported",
                 (long long)code);
        return NULL;
    }
    if (!fill_shape(c, op, &shape))
        return NULL;
    double v = !value ? 0 : value->has_f ? (double)value->f : (double)value->i;
    if (dtype == DTYPE_BOOL)
        v = v != 0;
    return build_filled(&c->im, op->name, op->out, dtype, &shape, v);
}

struct value *c2_random_fill(struct caffe2 *c, struct c2_op *op)
{
    c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
             "%s draws '%s' at random: these are the weights of a network before its training",
             op->type, op->out);
    return NULL;
}
