/*
 * Caffe2 operators other than fills, convolution and pooling.
 */
#include <string.h>

#include "loader/import/caffe2.h"

/* ---- shared by all converters ---- */

bool c2_error(struct caffe2 *c, const struct c2_op *op, enum sheaf_status status, const char *fmt,
              ...)
{
    va_list args;
    va_start(args, fmt);
    import_node_errorv(&c->im, op->name, status, fmt, args);
    va_end(args);
    return false;
}

bool c2_check_inputs(struct caffe2 *c, const struct c2_op *op, size_t min, size_t max)
{
    if (op->n_in >= min && op->n_in <= max)
        return true;
    return c2_error(c, op, SHEAF_ERROR_SHAPE, "%s has %zu inputs, takes %zu to %zu", op->type,
                    op->n_in, min, max);
}

struct node *c2_begin(struct caffe2 *c, struct c2_op *op, enum op kind, struct value *const *in,
                      size_t n_in)
{
    const char *name = op->proto->name;
    return build_begin(&c->im, kind, name, in, n_in, 1);
}

struct value *c2_to_nchw(struct caffe2 *c, const struct c2_op *op, struct value *x)
{
    int rank = x->shape.rank;
    if (!op->nhwc || rank < 3)
        return x;
    int64_t perm[MAX_RANK] = {0, rank - 1};
    for (int d = 2; d < rank; d++)
        perm[d] = d - 1;
    return build_transpose(&c->im, x, perm, NULL);
}

const char *c2_inner_name(const struct c2_op *op)
{
    return op->nhwc ? NULL : op->out;
}

static struct value *to_nhwc(struct caffe2 *c, struct value *x, const char *name)
{
    int rank = x->shape.rank;
    int64_t perm[MAX_RANK] = {0};
    for (int d = 1; d + 1 < rank; d++)
        perm[d] = d + 1;
    if (rank > 1)
        perm[rank - 1] = 1;
    return build_transpose(&c->im, x, perm, name);
}

struct value *c2_from_nchw(struct caffe2 *c, const struct c2_op *op, struct value *y)
{
    return op->nhwc && y ? to_nhwc(c, y, op->out) : y;
}

/* 0 <= axis <= rank; negative ones count from the end. */
static bool read_axis(struct caffe2 *c, struct c2_op *op, const char *name, int64_t otherwise,
                      int rank, int64_t *out)
{
    int64_t axis = c2_arg_int(&op->args, name, otherwise);
    if (axis < -rank || axis > rank)
        return c2_error(c, op, SHEAF_ERROR_SHAPE, "%s %lld does not exist in %d dimensions", name,
                        (long long)axis, rank);
    *out = axis < 0 ? axis + rank : axis;
    return true;
}

/* ---- element by element ---- */

static struct value *unary(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    return build_end1(&c->im, c2_begin(c, op, op_by_caffe2(op->type), op->in, 1), op->out);
}

static struct value *identity(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    return build_end1(&c->im, c2_begin(c, op, OP_identity, op->in, 1), op->out);
}

static struct value *dropout(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_arg_int(&op->args, "is_test", 0))
        import_note(&c->im, "%s: Dropout '%s' is meant for training; it is left out here",
                    c->im.path, op->name);
    c2_arg_find(&op->args, "ratio");
    return identity(c, op);
}

/* The position that an axis given by its letter has in the order. */
static int64_t axis_of_letter(struct caffe2 *c, struct c2_op *op, int64_t axis)
{
    const char *letter = c2_arg_string(&op->args, "axis_str", "");
    const char *order = op->nhwc ? "NHWC" : "NCHW";
    const char *at = strlen(letter) == 1 ? strchr(order, *letter) : NULL;
    if (*letter && !at)
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED, "the axis '%s' is not in %s", letter, order);
    return at ? at - order : axis;
}

/* `broadcast` gives b the dimensions of a from `axis` on; without it the shapes broadcast as in
   numpy. */
static struct value *binary(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 2, 2))
        return NULL;
    struct value *in[] = {op->in[0], op->in[1]};
    if (c2_arg_int(&op->args, "broadcast", 0)) {
        int64_t axis = axis_of_letter(c, op, c2_arg_int(&op->args, "axis", -1));
        in[1] = build_align(&c->im, op->name, in[1], in[0]->shape.rank, axis);
    }
    if (!in[1] || c->im.err->status)
        return NULL;
    return build_end1(&c->im, c2_begin(c, op, op_by_caffe2(op->type), in, 2), op->out);
}

static struct value *variadic(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, SIZE_MAX))
        return NULL;
    return build_end1(&c->im, c2_begin(c, op, op_by_caffe2(op->type), op->in, op->n_in), op->out);
}

static struct value *leaky_relu(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct node *n = c2_begin(c, op, OP_leaky_relu, op->in, 1);
    ((struct leaky_relu_attrs *)n->attrs)->alpha = c2_arg_float(&op->args, "alpha", 0.01f);
    return build_end1(&c->im, n, op->out);
}

static struct value *gelu(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct node *n = c2_begin(c, op, OP_gelu, op->in, 1);
    if (c2_arg_int(&op->args, "fast_gelu", 0))
        ((struct gelu_attrs *)n->attrs)->approximate = "tanh";
    return build_end1(&c->im, n, op->out);
}

static struct value *prelu(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 2, 2))
        return NULL;
    struct value *in[] = {op->in[0], op->in[1]};
    if (!op->nhwc && in[1]->shape.rank == 1 && in[1]->shape.dims[0] != 1 && in[0]->shape.rank > 1)
        in[1] = build_align(&c->im, op->name, in[1], in[0]->shape.rank, 1);
    return in[1] ? build_end1(&c->im, c2_begin(c, op, OP_prelu, in, 2), op->out) : NULL;
}

static struct value *clip(struct caffe2 *c, struct c2_op *op)
{
    static const char *const names[] = {"min", "max"};
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct value *in[3] = {op->in[0], NULL, NULL};
    for (size_t i = 0; i < 2; i++)
        if (c2_arg_find(&op->args, names[i]))
            in[1 + i] = build_float(&c->im, NULL, in[0]->dtype,
                                    (double)c2_arg_float(&op->args, names[i], 0));
    return build_end1(&c->im, c2_begin(c, op, OP_clip, in, 3), op->out);
}

static struct value *cast_to(struct caffe2 *c, struct c2_op *op, enum sheaf_dtype to)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct node *n = c2_begin(c, op, OP_cast, op->in, 1);
    ((struct cast_attrs *)n->attrs)->to = to;
    return build_end1(&c->im, n, op->out);
}

static struct value *half_to_float(struct caffe2 *c, struct c2_op *op)
{
    return cast_to(c, op, SHEAF_FLOAT32);
}

static struct value *float_to_half(struct caffe2 *c, struct c2_op *op)
{
    return cast_to(c, op, SHEAF_FLOAT16);
}

static struct value *softmax(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    return build_flat_softmax(&c->im, op->name, op->in[0], c2_arg_int(&op->args, "axis", 1),
                              op->out);
}

/* ---- layers ---- */

static struct value *fully_connected(struct caffe2 *c, struct c2_op *op, bool transposed)
{
    int64_t axis = 1, axis_w = 1;
    if (!c2_check_inputs(c, op, 2, 3))
        return NULL;
    struct value *x = op->in[0], *w = op->in[1];
    if (!read_axis(c, op, "axis", 1, x->shape.rank, &axis) ||
        !read_axis(c, op, "axis_w", 1, w->shape.rank, &axis_w))
        return NULL;
    struct value *in[3] = {build_flatten(&c->im, x, axis, NULL), NULL,
                           op->n_in > 2 ? op->in[2] : NULL};
    in[1] = in[0] ? build_flatten(&c->im, w, axis_w, NULL) : NULL;
    if (!in[1])
        return NULL;
    struct node *n = c2_begin(c, op, OP_gemm, in, in[2] ? 3 : 2);
    ((struct gemm_attrs *)n->attrs)->transB = !transposed;
    if (axis == 1)
        return build_end1(&c->im, n, op->out);
    struct value *y = build_end1(&c->im, n, NULL);
    if (!y)
        return NULL;
    if (axis + 1 > MAX_RANK || !shape_is_static(&x->shape)) {
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                 "FC with axis %lld is not supported for this input", (long long)axis);
        return NULL;
    }
    int64_t dims[MAX_RANK];
    memcpy(dims, x->shape.dims, (size_t)axis * sizeof *dims);
    dims[axis] = y->shape.dims[1];
    return build_reshape(&c->im, y, (int)axis + 1, dims, op->out);
}

static struct value *fc(struct caffe2 *c, struct c2_op *op)
{
    return fully_connected(c, op, false);
}

static struct value *fc_transposed(struct caffe2 *c, struct c2_op *op)
{
    return fully_connected(c, op, true);
}

static struct value *spatial_bn(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 5, 5))
        return NULL;
    c2_arg_find(&op->args, "momentum");
    if (!c2_arg_int(&op->args, "is_test", 0)) {
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED, "SpatialBN in training mode is not supported");
        return NULL;
    }
    struct value *in[5];
    memcpy(in, op->in, sizeof in);
    in[0] = c2_to_nchw(c, op, in[0]);
    if (!in[0])
        return NULL;
    struct node *n = c2_begin(c, op, OP_batch_norm, in, 5);
    ((struct batch_norm_attrs *)n->attrs)->epsilon = c2_arg_float(&op->args, "epsilon", 1e-5f);
    return c2_from_nchw(c, op, build_end1(&c->im, n, c2_inner_name(op)));
}

static struct value *lrn(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    int64_t size = c2_arg_int(&op->args, "size", 0);
    if (size < 1) {
        c2_error(c, op, SHEAF_ERROR_SHAPE, "its size of %lld is not possible", (long long)size);
        return NULL;
    }
    struct value *x = c2_to_nchw(c, op, op->in[0]);
    if (!x)
        return NULL;
    struct node *n = c2_begin(c, op, OP_lrn, &x, 1);
    struct lrn_attrs *a = n->attrs;
    a->size = size;
    a->alpha = c2_arg_float(&op->args, "alpha", 0);
    a->beta = c2_arg_float(&op->args, "beta", 0);
    a->bias = c2_arg_float(&op->args, "bias", 1);
    return c2_from_nchw(c, op, build_end1(&c->im, n, c2_inner_name(op)));
}

/* ---- movement ---- */

static struct value *unsqueeze(struct caffe2 *c, struct value *x, struct attr_ints dims,
                               const char *name)
{
    struct value *in[] = {x, build_ints(&c->im, NULL, dims.v, dims.n)};
    return build_op(&c->im, OP_unsqueeze, NULL, in, 2, name);
}

static struct value *concat(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, SIZE_MAX))
        return NULL;
    bool add_axis = c2_arg_int(&op->args, "add_axis", 0);
    int64_t axis = c2_arg_int(&op->args, "axis", op->nhwc && !add_axis ? 3 : 1);
    struct value **in = arena_array(c->im.arena, op->n_in, sizeof *in);
    struct attr_ints added = {&axis, 1};
    for (size_t i = 0; i < op->n_in; i++) {
        in[i] = add_axis ? unsqueeze(c, op->in[i], added, NULL) : op->in[i];
        if (!in[i])
            return NULL;
    }
    struct node *n = c2_begin(c, op, OP_concat, in, op->n_in);
    ((struct concat_attrs *)n->attrs)->axis = axis;
    return build_end1(&c->im, n, op->out);
}

static struct value *reshape(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 2))
        return NULL;
    struct attr_ints shape = c2_arg_ints(&c->im, &op->args, "shape");
    struct value *in[] = {op->in[0], op->n_in > 1 ? op->in[1] : NULL};
    if (!in[1])
        in[1] = build_ints(&c->im, NULL, shape.v, shape.n);
    return build_end1(&c->im, c2_begin(c, op, OP_reshape, in, 2), op->out);
}

static struct value *flatten(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    return build_flatten(&c->im, op->in[0], c2_arg_int(&op->args, "axis", 1), op->out);
}

static struct value *flatten_to_vec(struct caffe2 *c, struct c2_op *op)
{
    int64_t all = -1;
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct value *in[] = {op->in[0], build_ints(&c->im, NULL, &all, 1)};
    return build_end1(&c->im, c2_begin(c, op, OP_reshape, in, 2), op->out);
}

static struct value *transpose(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct node *n = c2_begin(c, op, OP_transpose, op->in, 1);
    struct attr_ints axes = c2_arg_ints(&c->im, &op->args, "axes");
    if (axes.n)
        ((struct transpose_attrs *)n->attrs)->perm = axes;
    return build_end1(&c->im, n, op->out);
}

static struct value *nchw_to_nhwc(struct caffe2 *c, struct c2_op *op)
{
    return c2_check_inputs(c, op, 1, 1) ? to_nhwc(c, op->in[0], op->out) : NULL;
}

static struct value *nhwc_to_nchw(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    int rank = op->in[0]->shape.rank;
    int64_t perm[MAX_RANK] = {0};
    for (int d = 1; d < rank; d++)
        perm[d] = d == 1 ? rank - 1 : d - 1;
    return build_transpose(&c->im, op->in[0], perm, op->out);
}

static struct value *squeeze(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct attr_ints dims = c2_arg_ints(&c->im, &op->args, "dims");
    struct value *in[] = {op->in[0], build_ints(&c->im, NULL, dims.v, dims.n)};
    return build_end1(&c->im, c2_begin(c, op, OP_squeeze, in, 2), op->out);
}

static struct value *expand_dims(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    return unsqueeze(c, op->in[0], c2_arg_ints(&c->im, &op->args, "dims"), op->out);
}

/* Channels as a matrix of `group` rows, transposed. */
static struct value *channel_shuffle(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    const struct value *x = op->in[0];
    int rank = x->shape.rank, at = op->nhwc ? rank - 1 : 1;
    int64_t group = c2_arg_int(&op->args, "group", 1), dims[MAX_RANK + 1], perm[MAX_RANK + 1];
    c2_arg_find(&op->args, "kernel");
    if (rank < 2 || rank + 1 > MAX_RANK || !shape_is_static(&x->shape) || group < 1 ||
        x->shape.dims[at] % group) {
        c2_error(c, op, SHEAF_ERROR_SHAPE, "%lld groups do not divide the channels of %s",
                 (long long)group, shape_print(&x->shape, c->im.arena));
        return NULL;
    }
    for (int d = 0; d < rank + 1; d++) {
        dims[d] = d <= at ? x->shape.dims[d] : x->shape.dims[d - 1];
        perm[d] = d == at ? at + 1 : d == at + 1 ? at : d;
    }
    dims[at] = group;
    dims[at + 1] = x->shape.dims[at] / group;
    struct value *y = build_reshape(&c->im, op->in[0], rank + 1, dims, NULL);
    y = y ? build_transpose(&c->im, y, perm, NULL) : NULL;
    return y ? build_reshape(&c->im, y, rank, x->shape.dims, op->out) : NULL;
}

/* ---- the table ---- */

static const struct {
    const char *type;
    c2_convert_fn *convert;
} converters[] = {
    {"Abs", unary},
    {"Acos", unary},
    {"Add", binary},
    {"Alias", identity},
    {"And", binary},
    {"Asin", unary},
    {"Atan", unary},
    {"AveragePool", c2_average_pool},
    {"Ceil", unary},
    {"ChannelShuffle", channel_shuffle},
    {"Clip", clip},
    {"Concat", concat},
    {"ConstantFill", c2_constant_fill},
    {"Conv", c2_conv},
    {"Copy", identity},
    {"CopyCPUToMKL", identity},
    {"CopyMKLToCPU", identity},
    {"Cos", unary},
    {"Cosh", unary},
    {"Div", binary},
    {"Dropout", dropout},
    {"EQ", binary},
    {"EnsureCPUOutput", identity},
    {"EnsureDense", identity},
    {"Exp", unary},
    {"ExpandDims", expand_dims},
    {"FC", fc},
    {"FCTransposed", fc_transposed},
    {"Flatten", flatten},
    {"FlattenToVec", flatten_to_vec},
    {"FloatToHalf", float_to_half},
    {"Floor", unary},
    {"GE", binary},
    {"GT", binary},
    {"GaussianFill", c2_random_fill},
    {"Gelu", gelu},
    {"GivenTensorBoolFill", c2_given_tensor_fill},
    {"GivenTensorFill", c2_given_tensor_fill},
    {"GivenTensorFp16Fill", c2_given_tensor_fill},
    {"GivenTensorInt64Fill", c2_given_tensor_fill},
    {"GivenTensorIntFill", c2_given_tensor_fill},
    {"HalfToFloat", half_to_float},
    {"LE", binary},
    {"LRN", lrn},
    {"LT", binary},
    {"LeakyRelu", leaky_relu},
    {"Log", unary},
    {"MSRAFill", c2_random_fill},
    {"Max", variadic},
    {"MaxPool", c2_max_pool},
    {"Mean", variadic},
    {"Min", variadic},
    {"Mul", binary},
    {"NCHW2NHWC", nchw_to_nhwc},
    {"NHWC2NCHW", nhwc_to_nchw},
    {"Negative", unary},
    {"Not", unary},
    {"Or", binary},
    {"PRelu", prelu},
    {"Reciprocal", unary},
    {"Relu", unary},
    {"Reshape", reshape},
    {"Sigmoid", unary},
    {"Sign", unary},
    {"Sin", unary},
    {"Sinh", unary},
    {"Softmax", softmax},
    {"Softplus", unary},
    {"Softsign", unary},
    {"SpatialBN", spatial_bn},
    {"Sqrt", unary},
    {"Squeeze", squeeze},
    {"StopGradient", identity},
    {"Sub", binary},
    {"Sum", variadic},
    {"Swish", unary},
    {"Tan", unary},
    {"Tanh", unary},
    {"Transpose", transpose},
    {"UniformFill", c2_random_fill},
    {"XavierFill", c2_random_fill},
    {"Xor", binary},
};

c2_convert_fn *c2_converter(const char *type)
{
    for (size_t i = 0; i < sizeof converters / sizeof converters[0]; i++)
        if (!strcmp(converters[i].type, type))
            return converters[i].convert;
    return NULL;
}
