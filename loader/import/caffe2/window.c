/*
 * Convolution and pooling: the many spellings of kernel, stride, dilation and padding, and the
 * padding rules of old nets (argument legacy_pad).
 */
#include <string.h>

#include "loader/import/caffe2/caffe2.h"

enum { WINDOW_MAX = MAX_RANK - 2 };

enum legacy_pad { PAD_NOT_SET, PAD_VALID, PAD_SAME, PAD_CAFFE_POOLING };

struct window {
    size_t n; /* spatial dimensions */
    int64_t kernel[WINDOW_MAX], stride[WINDOW_MAX], dilation[WINDOW_MAX];
    int64_t head[WINDOW_MAX], tail[WINDOW_MAX]; /* padding before and behind */
};

/* One number per dimension from the argument `many`, from `one` for all, or from `one`_h and
   `one`_w; as it was where none of them is given. */
static bool read_dims(struct caffe2 *c, struct c2_op *op, const char *many, const char *one,
                      size_t n, int64_t *dims)
{
    static const char *const suffix[] = {"h", "w"};
    struct attr_ints list = c2_arg_ints(&c->im, &op->args, many);
    if (!list.n)
        list = c2_arg_ints(&c->im, &op->args, one);
    if (list.n && list.n != n && list.n != 1)
        return c2_error(c, op, SHEAF_ERROR_SHAPE,
                        "argument '%s' has %zu numbers for %zu dimensions", many, list.n, n);
    for (size_t i = 0; i < n && list.n; i++)
        dims[i] = list.v[list.n == 1 ? 0 : i];
    for (size_t i = 0; i < n && n == 2; i++)
        dims[i] =
            c2_arg_int(&op->args, arena_printf(c->im.arena, "%s_%s", one, suffix[i]), dims[i]);
    return true;
}

static bool read_pads(struct caffe2 *c, struct c2_op *op, struct window *w)
{
    static const char *const head[] = {"pad_t", "pad_l"}, *const tail[] = {"pad_b", "pad_r"};
    struct attr_ints list = c2_arg_ints(&c->im, &op->args, "pads");
    int64_t all = c2_arg_int(&op->args, "pad", 0);
    if (list.n && list.n != 2 * w->n && list.n != 1)
        return c2_error(c, op, SHEAF_ERROR_SHAPE,
                        "argument 'pads' has %zu numbers for %zu dimensions", list.n, w->n);
    for (size_t i = 0; i < w->n; i++) {
        w->head[i] = !list.n ? all : list.n == 1 ? list.v[0] : list.v[i];
        w->tail[i] = !list.n ? all : list.n == 1 ? list.v[0] : list.v[w->n + i];
        if (w->n == 2) {
            w->head[i] = c2_arg_int(&op->args, head[i], w->head[i]);
            w->tail[i] = c2_arg_int(&op->args, tail[i], w->tail[i]);
        }
    }
    return true;
}

/* Numbers that the arithmetic below can take. */
static bool check_window(struct caffe2 *c, const struct c2_op *op, const struct window *w)
{
    const int64_t limit = INT32_MAX;
    for (size_t i = 0; i < w->n; i++) {
        if (w->kernel[i] < 1 || w->kernel[i] > limit)
            return c2_error(c, op, SHEAF_ERROR_SHAPE, "its kernel of %lld is not possible",
                            (long long)w->kernel[i]);
        if (w->stride[i] < 1 || w->stride[i] > limit || w->dilation[i] < 1 ||
            w->dilation[i] > limit)
            return c2_error(c, op, SHEAF_ERROR_SHAPE,
                            "its stride of %lld or dilation of %lld is not possible",
                            (long long)w->stride[i], (long long)w->dilation[i]);
        if (w->head[i] < 0 || w->head[i] > limit || w->tail[i] < 0 || w->tail[i] > limit)
            return c2_error(c, op, SHEAF_ERROR_SHAPE,
                            "its padding of %lld and %lld is not possible", (long long)w->head[i],
                            (long long)w->tail[i]);
    }
    return true;
}

/* The padding of one dimension under the old rules. */
static bool legacy_dim(struct caffe2 *c, const struct c2_op *op, enum legacy_pad rule,
                       struct window *w, size_t i, int64_t extent)
{
    int64_t kernel = w->kernel[i], stride = w->stride[i], head = w->head[i];
    if (rule == PAD_VALID) {
        w->head[i] = w->tail[i] = 0;
        return true;
    }
    if (w->dilation[i] != 1)
        return c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                        "legacy_pad=%d with a dilation is not supported", (int)rule);
    if (rule == PAD_SAME) {
        /* As many outputs as strides fit; the odd element of padding goes behind. */
        int64_t total = ((extent + stride - 1) / stride - 1) * stride + kernel - extent;
        total = total < 0 ? 0 : total;
        w->head[i] = total / 2;
        w->tail[i] = total - total / 2;
        return true;
    }
    /* Caffe: the number of windows is rounded up, but the last starts inside the padded image;
       `head` stands on both sides.  The padding behind grows by what the further window needs. */
    int64_t room = extent + 2 * head - kernel;
    if (room < 0)
        return c2_error(c, op, SHEAF_ERROR_SHAPE,
                        "its kernel of %lld is larger than the padded image of %lld",
                        (long long)kernel, (long long)(extent + 2 * head));
    int64_t floor_windows = room / stride + 1, windows = (room + stride - 1) / stride + 1;
    if (head > 0 && (windows - 1) * stride >= extent + head)
        windows--;
    w->tail[i] = head + (windows - floor_windows) * stride;
    return true;
}

/* x is NCHW here. */
static bool read_window(struct caffe2 *c, struct c2_op *op, const struct value *x, struct window *w)
{
    if (x->shape.rank < 3)
        return c2_error(c, op, SHEAF_ERROR_SHAPE,
                        "its input '%s' has %d dimensions, it needs at least 3", x->name,
                        x->shape.rank);
    w->n = (size_t)x->shape.rank - 2;
    for (size_t i = 0; i < w->n; i++)
        w->stride[i] = w->dilation[i] = 1;
    bool global = c2_arg_int(&op->args, "global_pooling", 0);
    int64_t rule = c2_arg_int(&op->args, "legacy_pad", PAD_NOT_SET);
    if (!read_dims(c, op, "kernels", "kernel", w->n, w->kernel) ||
        !read_dims(c, op, "strides", "stride", w->n, w->stride) ||
        !read_dims(c, op, "dilations", "dilation", w->n, w->dilation) || !read_pads(c, op, w))
        return false;
    if (rule < PAD_NOT_SET || rule > PAD_CAFFE_POOLING)
        return c2_error(c, op, SHEAF_ERROR_UNSUPPORTED, "legacy_pad=%lld is not known",
                        (long long)rule);
    for (size_t i = 0; i < w->n && global; i++) {
        w->kernel[i] = x->shape.dims[2 + i];
        w->stride[i] = w->dilation[i] = 1;
        w->head[i] = w->tail[i] = 0;
    }
    if (!check_window(c, op, w))
        return false;
    for (size_t i = 0; i < w->n && rule != PAD_NOT_SET && !global; i++)
        if (!legacy_dim(c, op, (enum legacy_pad)rule, w, i, x->shape.dims[2 + i]))
            return false;
    return true;
}

static struct attr_ints ints(struct caffe2 *c, const int64_t *v, size_t n)
{
    struct attr_ints list = {arena_copy(c->im.arena, v, n * sizeof *v), n};
    return list;
}

static struct attr_ints pads(struct caffe2 *c, const struct window *w)
{
    int64_t list[2 * WINDOW_MAX];
    memcpy(list, w->head, w->n * sizeof *list);
    memcpy(list + w->n, w->tail, w->n * sizeof *list);
    return ints(c, list, 2 * w->n);
}

/* Convolution and both poolings have these attributes, each in its own struct. */
#define SET_WINDOW(c, attrs, w)                                                                    \
    do {                                                                                           \
        (attrs)->kernel_shape = ints((c), (w)->kernel, (w)->n);                                    \
        (attrs)->strides = ints((c), (w)->stride, (w)->n);                                         \
        (attrs)->dilations = ints((c), (w)->dilation, (w)->n);                                     \
        (attrs)->pads = pads((c), (w));                                                            \
    } while (0)

/* Input, weights and, where it is given, bias of a convolution in NCHW, and its window. */
static bool convolved(struct caffe2 *c, struct c2_op *op, struct value *in[3], struct window *w)
{
    *w = (struct window){0};
    if (!c2_check_inputs(c, op, 2, 3))
        return false;
    in[0] = c2_to_nchw(c, op, op->in[0]);
    in[1] = in[0] ? c2_to_nchw(c, op, op->in[1]) : NULL;
    in[2] = op->n_in > 2 ? op->in[2] : NULL;
    if (!in[1])
        return false;
    /* Without an argument the weights tell the kernel. */
    for (int d = 2; d < in[1]->shape.rank && d < in[0]->shape.rank; d++)
        w->kernel[d - 2] = in[1]->shape.dims[d];
    return read_window(c, op, in[0], w);
}

struct value *c2_conv(struct caffe2 *c, struct c2_op *op)
{
    struct value *in[3];
    struct window w;
    if (!convolved(c, op, in, &w))
        return NULL;
    struct node *n = c2_begin(c, op, OP_conv, in, in[2] ? 3 : 2);
    struct conv_attrs *a = n->attrs;
    SET_WINDOW(c, a, &w);
    a->group = c2_arg_int(&op->args, "group", 1);
    return c2_from_nchw(c, op, build_end1(&c->im, n, c2_inner_name(op)));
}

struct value *c2_conv_relu(struct caffe2 *c, struct c2_op *op)
{
    struct c2_op conv = *op;
    conv.out = NULL;
    struct value *y = c2_conv(c, &conv);
    return y ? build_op(&c->im, OP_relu, NULL, &y, 1, op->out) : NULL;
}

/* Weights are [in, out / group, kernel..], of order NHWC [in, kernel.., out / group]; `adj` are
   further rows and columns at the end. */
struct value *c2_conv_transpose(struct caffe2 *c, struct c2_op *op)
{
    struct value *in[3];
    struct window w;
    int64_t further[WINDOW_MAX] = {0};
    if (!convolved(c, op, in, &w) || !read_dims(c, op, "adjs", "adj", w.n, further))
        return NULL;
    struct node *n = c2_begin(c, op, OP_conv_transpose, in, in[2] ? 3 : 2);
    struct conv_transpose_attrs *a = n->attrs;
    SET_WINDOW(c, a, &w);
    a->group = c2_arg_int(&op->args, "group", 1);
    a->output_padding = ints(c, further, w.n);
    return c2_from_nchw(c, op, build_end1(&c->im, n, c2_inner_name(op)));
}

/* A pooling of the only input in NCHW; NULL after a fault. */
static struct node *begin_pool(struct caffe2 *c, struct c2_op *op, enum op kind, struct window *w)
{
    *w = (struct window){0};
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct value *x = c2_to_nchw(c, op, op->in[0]);
    if (!x || !read_window(c, op, x, w))
        return NULL;
    return c2_begin(c, op, kind, &x, 1);
}

struct value *c2_max_pool(struct caffe2 *c, struct c2_op *op)
{
    struct window w;
    struct node *n = begin_pool(c, op, OP_max_pool, &w);
    if (!n)
        return NULL;
    struct max_pool_attrs *a = n->attrs;
    SET_WINDOW(c, a, &w);
    return c2_from_nchw(c, op, build_end1(&c->im, n, c2_inner_name(op)));
}

struct value *c2_average_pool(struct caffe2 *c, struct c2_op *op)
{
    struct window w;
    struct node *n = begin_pool(c, op, OP_average_pool, &w);
    if (!n)
        return NULL;
    struct average_pool_attrs *a = n->attrs;
    SET_WINDOW(c, a, &w);
    a->count_include_pad = c2_arg_int(&op->args, "count_include_pad", 0);
    return c2_from_nchw(c, op, build_end1(&c->im, n, c2_inner_name(op)));
}
