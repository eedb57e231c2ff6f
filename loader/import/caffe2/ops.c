/*
 * Caffe2 operators other than fills, convolution and pooling.
 */
#include <string.h>

#include "loader/import/caffe2/caffe2.h"

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

bool c2_read_axis(struct caffe2 *c, struct c2_op *op, const char *name, int64_t otherwise, int rank,
                  int64_t *out)
{
    int64_t axis = c2_arg_int(&op->args, name, otherwise);
    if (axis < -rank || axis > rank)
        return c2_error(c, op, SHEAF_ERROR_SHAPE, "%s %lld does not exist in %d dimensions", name,
                        (long long)axis, rank);
    *out = axis < 0 ? axis + rank : axis;
    return true;
}

bool c2_need_static(struct caffe2 *c, const struct c2_op *op, size_t i, int rank)
{
    const struct value *v = op->in[i];
    if (!shape_is_static(&v->shape))
        return c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                        "the shape of '%s' is known only at run time", v->name);
    return rank < 0 || v->shape.rank == rank ||
           c2_error(c, op, SHEAF_ERROR_SHAPE, "'%s' has %d dimensions where %d are needed", v->name,
                    v->shape.rank, rank);
}

const struct tensor *c2_need_constant(struct caffe2 *c, const struct c2_op *op, size_t i)
{
    if (value_is_constant(op->in[i]))
        return op->in[i]->constant;
    c2_error(c, op, SHEAF_ERROR_UNSUPPORTED, "%s is supported only where '%s' is constant",
             op->type, op->in[i]->name);
    return NULL;
}

/* ---- outputs ---- */

/* v under this name; another blob's value goes through an Identity. */
static struct value *named(struct caffe2 *c, const struct c2_op *op, struct value *v,
                           const char *name)
{
    const struct value *holder = v ? graph_find_value(c->im.g, name) : NULL;
    bool own = v && v->role != VALUE_INPUT && (!holder || holder == v);
    for (size_t i = 0; v && i < op->n_in; i++)
        own &= v != op->in[i];
    if (!v || !own)
        return v ? build_op(&c->im, OP_identity, NULL, &v, 1, name) : NULL;
    graph_rename_value(c->im.g, v, name);
    return v;
}

struct value *c2_named(struct caffe2 *c, const struct c2_op *op, struct value *v)
{
    return op->out ? named(c, op, v, op->out) : v;
}

bool c2_output_wanted(const struct c2_op *op, size_t i)
{
    return i < op->proto->n_output;
}

bool c2_bind(struct caffe2 *c, struct c2_op *op, size_t i, struct value *v)
{
    if (!v || !c2_output_wanted(op, i))
        return v != NULL;
    const char *name = op->proto->output[i];
    build_free_name(&c->im, name);
    op->more[i] = named(c, op, v, name);
    return op->more[i] != NULL;
}

/* ---- steps ---- */

struct value *c2_number(struct caffe2 *c, enum op op, struct value *x, double number)
{
    return build_binary(&c->im, op, NULL, x, build_number(&c->im, x, number));
}

struct value *c2_slice(struct caffe2 *c, struct value *x, int64_t axis, int64_t start, int64_t end)
{
    struct value *in[4] = {x};
    in[1] = build_ints(&c->im, NULL, &start, 1);
    in[2] = build_ints(&c->im, NULL, &end, 1);
    in[3] = build_ints(&c->im, NULL, &axis, 1);
    return x ? build_op(&c->im, OP_slice, NULL, in, 4, NULL) : NULL;
}

struct value *c2_gather(struct caffe2 *c, struct value *x, struct value *at, int64_t axis)
{
    struct value *in[] = {x, at};
    if (!x || !at)
        return NULL;
    struct node *n = build_begin(&c->im, OP_gather, NULL, in, 2, 1);
    ((struct gather_attrs *)n->attrs)->axis = axis;
    return build_end1(&c->im, n, NULL);
}

struct value *c2_unsqueeze(struct caffe2 *c, struct value *x, int64_t axis)
{
    struct value *in[] = {x, build_ints(&c->im, NULL, &axis, 1)};
    return x ? build_op(&c->im, OP_unsqueeze, NULL, in, 2, NULL) : NULL;
}

struct value *c2_reduce(struct caffe2 *c, enum op op, struct value *x, int64_t axis)
{
    return build_reduce(&c->im, op, NULL, x, (struct attr_ints){&axis, 1}, false);
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

static struct value *negative(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    return build_end1(&c->im, c2_begin(c, op, OP_neg, op->in, 1), op->out);
}

/* `scale` is of its gradient. */
static struct value *scale_gradient(struct caffe2 *c, struct c2_op *op)
{
    c2_arg_find(&op->args, "scale");
    return identity(c, op);
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
    if (!c2_read_axis(c, op, "axis", 1, x->shape.rank, &axis) ||
        !c2_read_axis(c, op, "axis_w", 1, w->shape.rank, &axis_w))
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
    {"ArgMax", c2_arg_max},
    {"ArgMin", c2_arg_max},
    {"Asin", unary},
    {"Atan", unary},
    {"AveragePool", c2_average_pool},
    {"AveragedLoss", c2_averaged_loss},
    {"BatchBoxCox", c2_batch_box_cox},
    {"BatchGather", c2_batch_gather},
    {"BatchMatMul", c2_batch_matmul},
    {"BatchOneHot", c2_batch_one_hot},
    {"BatchSparseToDense", c2_batch_sparse_to_dense},
    {"Bucketize", c2_bucketize},
    {"Cast", c2_cast},
    {"Ceil", unary},
    {"ChannelShuffle", channel_shuffle},
    {"Clip", clip},
    {"Concat", concat},
    {"ConstantFill", c2_constant_fill},
    {"Conv", c2_conv},
    {"ConvRelu", c2_conv_relu},
    {"ConvTranspose", c2_conv_transpose},
    {"Copy", identity},
    {"CopyCPUToMKL", identity},
    {"CopyMKLToCPU", identity},
    {"Cos", unary},
    {"Cosh", unary},
    {"Div", binary},
    {"DotProduct", c2_dot_product},
    {"Dropout", dropout},
    {"EQ", binary},
    {"ElementwiseLinear", c2_elementwise_linear},
    {"Embedding", c2_embedding},
    {"EmbeddingBag", c2_embedding_bag},
    {"EnsureCPUOutput", identity},
    {"EnsureDense", identity},
    {"Exp", unary},
    {"ExpandDims", expand_dims},
    {"FC", fc},
    {"FCTransposed", fc_transposed},
    {"FbFCPacked", fc},
    {"FbGemmPack", identity},
    {"FillExamplesWithIndicator", c2_fill_examples},
    {"Flatten", flatten},
    {"FlattenToVec", flatten_to_vec},
    {"FloatToHalf", float_to_half},
    {"Floor", unary},
    {"Free", identity},
    {"GE", binary},
    {"GT", binary},
    {"Gather", c2_gather_op},
    {"GatherND", c2_gather_nd},
    {"GatherRanges", c2_gather_ranges},
    {"GaussianFill", c2_random_fill},
    {"Gelu", gelu},
    {"GivenTensorBoolFill", c2_given_tensor_fill},
    {"GivenTensorByteStringToUInt8Fill", c2_given_bytes_fill},
    {"GivenTensorFill", c2_given_tensor_fill},
    {"GivenTensorFp16Fill", c2_given_tensor_fill},
    {"GivenTensorInt64Fill", c2_given_tensor_fill},
    {"GivenTensorIntFill", c2_given_tensor_fill},
    {"HalfToFloat", half_to_float},
    {"Identity", identity},
    {"Int8Add", c2_int8},
    {"Int8AddRelu", c2_int8},
    {"Int8AveragePool", c2_int8},
    {"Int8AveragePoolRelu", c2_int8},
    {"Int8ChannelShuffle", c2_int8},
    {"Int8Concat", c2_int8},
    {"Int8Conv", c2_int8},
    {"Int8ConvRelu", c2_int8},
    {"Int8ConvTranspose", c2_int8},
    {"Int8Dequantize", c2_int8_dequantize},
    {"Int8FC", c2_int8},
    {"Int8FCRelu", c2_int8},
    {"Int8Flatten", c2_int8},
    {"Int8GivenIntTensorFill", c2_int8_given_fill},
    {"Int8GivenTensorFill", c2_int8_given_fill},
    {"Int8LeakyRelu", c2_int8},
    {"Int8MaxPool", c2_int8},
    {"Int8MaxPoolRelu", c2_int8},
    {"Int8Quantize", c2_int8_quantize},
    {"Int8Relu", c2_int8},
    {"Int8Reshape", c2_int8},
    {"Int8ResizeNearest", c2_int8},
    {"Int8Sigmoid", c2_int8},
    {"Int8Slice", c2_int8},
    {"Int8Softmax", c2_int8},
    {"Int8Sum", c2_int8},
    {"Int8SumRelu", c2_int8},
    {"Int8Transpose", c2_int8},
    {"LE", binary},
    {"LRN", lrn},
    {"LT", binary},
    {"LayerNorm", c2_layer_norm},
    {"LeakyRelu", leaky_relu},
    {"LengthsMean", c2_lengths_sum},
    {"LengthsRangeFill", c2_lengths_range_fill},
    {"LengthsSum", c2_lengths_sum},
    {"LengthsToRanges", c2_lengths_to_ranges},
    {"LengthsWeightedSum", c2_lengths_sum},
    {"Log", unary},
    {"Log1p", c2_log1p},
    {"Logit", c2_logit},
    {"LpNorm", c2_lp_norm},
    {"MSRAFill", c2_random_fill},
    {"MatMul", c2_matmul},
    {"Max", variadic},
    {"MaxPool", c2_max_pool},
    {"Mean", variadic},
    {"Min", variadic},
    {"Mod", c2_mod},
    {"Mul", binary},
    {"NCHW2NHWC", nchw_to_nhwc},
    {"NHWC2NCHW", nhwc_to_nchw},
    {"Neg", negative},
    {"Negative", unary},
    {"Not", unary},
    {"Or", binary},
    {"PRelu", prelu},
    {"Pow", c2_pow},
    {"RMSNorm", c2_rms_norm},
    {"Reciprocal", unary},
    {"ReduceBackMean", c2_reduce_back},
    {"ReduceBackSum", c2_reduce_back},
    {"Relu", unary},
    {"ReplaceNaN", c2_replace_nan},
    {"Reshape", reshape},
    {"ResizeNearest", c2_resize_nearest},
    {"Scale", c2_scale},
    {"ScaleGradient", scale_gradient},
    {"ScatterAssign", c2_scatter_assign},
    {"Shape", c2_shape},
    {"Sigmoid", unary},
    {"SigmoidCrossEntropyWithLogits", c2_sigmoid_cross_entropy},
    {"Sign", unary},
    {"Sin", unary},
    {"Sinh", unary},
    {"Slice", c2_slice_op},
    {"Softmax", softmax},
    {"Softplus", unary},
    {"Softsign", unary},
    {"SparseLabelSplit", c2_sparse_label_split},
    {"SparseLengthsMean", c2_sparse_lengths},
    {"SparseLengthsMean8BitsRowwise", c2_sparse_lengths},
    {"SparseLengthsMeanFused4BitRowwise", c2_sparse_lengths},
    {"SparseLengthsMeanFused8BitRowwise", c2_sparse_lengths},
    {"SparseLengthsSum", c2_sparse_lengths},
    {"SparseLengthsSum8BitsRowwise", c2_sparse_lengths},
    {"SparseLengthsSumFused4BitRowwise", c2_sparse_lengths},
    {"SparseLengthsSumFused8BitRowwise", c2_sparse_lengths},
    {"SparseLengthsWeightedMean8BitsRowwise", c2_sparse_lengths},
    {"SparseLengthsWeightedMeanFused4BitRowwise", c2_sparse_lengths},
    {"SparseLengthsWeightedMeanFused8BitRowwise", c2_sparse_lengths},
    {"SparseLengthsWeightedSum", c2_sparse_lengths},
    {"SparseLengthsWeightedSum8BitsRowwise", c2_sparse_lengths},
    {"SparseLengthsWeightedSumFused4BitRowwise", c2_sparse_lengths},
    {"SparseLengthsWeightedSumFused8BitRowwise", c2_sparse_lengths},
    {"SparseToDense", c2_sparse_to_dense},
    {"SparseToDenseMask", c2_sparse_to_dense_mask},
    {"SpatialBN", spatial_bn},
    {"Split", c2_split},
    {"Sqr", c2_sqr},
    {"Sqrt", unary},
    {"Squeeze", squeeze},
    {"StopGradient", identity},
    {"Sub", binary},
    {"Sum", variadic},
    {"Swish", unary},
    {"Tan", unary},
    {"Tanh", unary},
    {"Tile", c2_tile},
    {"TopK", c2_top_k},
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
