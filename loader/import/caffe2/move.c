/*
 * Caffe2 operators that move elements: gathers, cuts, repetitions and conversions.
 */
#include <string.h>
#include <strings.h>

#include "loader/import/caffe2/caffe2.h"

/* ---- gathers ---- */

struct value *c2_gather_op(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 2, 2))
        return NULL;
    c2_arg_find(&op->args, "match_outer");
    return c2_named(c, op, c2_gather(c, op->in[0], op->in[1], c2_arg_int(&op->args, "axis", 0)));
}

struct value *c2_batch_gather(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 2, 2))
        return NULL;
    return c2_named(c, op, c2_gather(c, op->in[0], op->in[1], 1));
}

struct value *c2_gather_nd(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 2, 2))
        return NULL;
    struct node *n = c2_begin(c, op, OP_gather_nd, op->in, 2);
    ((struct gather_nd_attrs *)n->attrs)->batch_dims = c2_arg_int(&op->args, "batch_dims", 0);
    return build_end1(&c->im, n, op->out);
}

/* Rows of the weights (input 0); those of the index padIdx are 0. */
struct value *c2_embedding(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 2, 2))
        return NULL;
    struct value *at = op->in[1], *y = c2_gather(c, op->in[0], at, 0);
    int64_t pad = c2_arg_int(&op->args, "padIdx", -1);
    c2_arg_find(&op->args, "scale"); /* of gradients, as the next */
    c2_arg_find(&op->args, "sparse");
    if (pad < 0 || !y)
        return c2_named(c, op, y);
    struct value *in[3];
    in[0] = build_binary(&c->im, OP_equal, NULL, at, build_number(&c->im, at, (double)pad));
    in[0] = c2_unsqueeze(c, in[0], -1);
    in[1] = build_number(&c->im, y, 0);
    in[2] = y;
    return in[0] && in[1] ? c2_named(c, op, build_op(&c->im, OP_where, NULL, in, 3, NULL)) : NULL;
}

/* Rows of the data where the indicator is true, in order, and zeros elsewhere. */
struct value *c2_fill_examples(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 2, 2) || !c2_need_static(c, op, 1, 1))
        return NULL;
    struct importer *im = &c->im;
    struct value *data = op->in[0], *there = build_cast(im, NULL, op->in[1], DTYPE_BOOL, NULL);
    struct value *ones = build_cast(im, NULL, there, DTYPE_I64, NULL), *in[3] = {there};
    int64_t axis = 0;
    struct value *count = build_binary(im, OP_cum_sum, NULL, ones, build_ints(im, NULL, &axis, 1));
    struct value *at = c2_number(c, OP_max, c2_number(c, OP_sub, count, 1), 0);
    in[1] = c2_gather(c, data, at, 0);
    in[0] = build_align(im, op->name, there, data->shape.rank, 0);
    in[2] = build_number(im, data, 0);
    return in[0] && in[1] ? c2_named(c, op, build_op(im, OP_where, NULL, in, 3, NULL)) : NULL;
}

/* For each column of the data, which of that column's values (as many as `lengths` says) it is. */
struct value *c2_batch_one_hot(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 3, 3) || !c2_need_static(c, op, 0, 2) ||
        !c2_need_static(c, op, 1, 1) || !c2_need_static(c, op, 2, 1))
        return NULL;
    const struct tensor *lengths = c2_need_constant(c, op, 1);
    int64_t n = op->in[2]->shape.dims[0], at = 0;
    if (!lengths)
        return NULL;
    struct tensor *column = tensor_new(c->im.arena, DTYPE_I64, 1, &n);
    for (int64_t d = 0; d < tensor_elems(lengths); d++)
        for (int64_t k = 0; k < tensor_get_int(lengths, d) && at < n; k++)
            tensor_set_int(column, at++, d);
    if (at != n || tensor_elems(lengths) != op->in[0]->shape.dims[1]) {
        c2_error(c, op, SHEAF_ERROR_SHAPE, "the lengths '%s' do not suit its other inputs",
                 op->in[1]->name);
        return NULL;
    }
    struct value *x = c2_gather(c, op->in[0], graph_add_constant(c->im.g, NULL, column), 1);
    struct value *y = build_binary(&c->im, OP_equal, NULL, x, op->in[2]);
    return c2_named(c, op, build_cast(&c->im, NULL, y, op->in[0]->dtype, NULL));
}

/* Rows of the data at the indices become those of input 2. */
struct value *c2_scatter_assign(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 3, 3))
        return NULL;
    struct value *in[] = {op->in[0], c2_unsqueeze(c, op->in[1], 1), op->in[2]};
    if (in[1])
        in[1] = build_cast(&c->im, NULL, in[1], DTYPE_I64, NULL);
    return in[1] ? build_end1(&c->im, c2_begin(c, op, OP_scatter_nd, in, 3), op->out) : NULL;
}

/* ---- images ---- */

/* Element i of the result lies at floor(i / scale). */
static struct value *stretched(struct caffe2 *c, struct c2_op *op, struct value *x, int axis,
                               float scale)
{
    int64_t extent = x->shape.dims[axis];
    double to = (double)extent * (double)scale;
    if (!(scale > 0) || to > (double)INT32_MAX || to < 1) {
        c2_error(c, op, SHEAF_ERROR_SHAPE, "a scale of %g is not possible", (double)scale);
        return NULL;
    }
    int64_t n = (int64_t)((float)extent * scale);
    struct tensor *at = tensor_new(c->im.arena, DTYPE_I64, 1, &n);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = (int64_t)((float)i / scale);
        tensor_set_int(at, i, from < extent ? from : extent - 1);
    }
    return scale == 1 ? x : c2_gather(c, x, graph_add_constant(c->im.g, NULL, at), axis);
}

struct value *c2_resize_nearest(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1) || !c2_need_static(c, op, 0, 4))
        return NULL;
    int row = op->nhwc ? 1 : 2;
    struct value *y = stretched(c, op, op->in[0], row, c2_arg_float(&op->args, "height_scale", 1));
    if (y)
        y = stretched(c, op, y, row + 1, c2_arg_float(&op->args, "width_scale", 1));
    return c2_named(c, op, y);
}

/* ---- cuts ---- */

/* Bounds from an argument, else from an input; false after a sentence. */
static bool read_bounds(struct caffe2 *c, struct c2_op *op, const char *name, size_t input,
                        struct attr_ints *out)
{
    *out = c2_arg_ints(&c->im, &op->args, name);
    if (op->n_in > input) {
        const struct tensor *t = c2_need_constant(c, op, input);
        if (!t)
            return false;
        size_t n = (size_t)tensor_elems(t);
        int64_t *v = arena_array(c->im.arena, n, sizeof *v);
        for (size_t i = 0; i < n; i++)
            v[i] = tensor_get_int(t, (int64_t)i);
        *out = (struct attr_ints){v, n};
    }
    return out->n <= (size_t)op->in[0]->shape.rank ||
           c2_error(c, op, SHEAF_ERROR_SHAPE, "it has %zu %s for %d dimensions", out->n, name,
                    op->in[0]->shape.rank);
}

/* A negative bound counts from one behind the end. */
static int64_t bound_in(int64_t bound, int64_t extent)
{
    int64_t b = bound < 0 ? extent + 1 + bound : bound;
    return b < 0 ? 0 : b > extent ? extent : b;
}

struct value *c2_slice_op(struct caffe2 *c, struct c2_op *op)
{
    struct attr_ints starts, ends;
    if (!c2_check_inputs(c, op, 1, 3) || !c2_need_static(c, op, 0, -1) ||
        !read_bounds(c, op, "starts", 1, &starts) || !read_bounds(c, op, "ends", 2, &ends))
        return NULL;
    int64_t from[MAX_RANK], to[MAX_RANK], axes[MAX_RANK];
    const int64_t *dims = op->in[0]->shape.dims;
    if (starts.n != ends.n) {
        c2_error(c, op, SHEAF_ERROR_SHAPE, "it has %zu starts and %zu ends", starts.n, ends.n);
        return NULL;
    }
    for (size_t i = 0; i < starts.n; i++) {
        from[i] = bound_in(starts.v[i], dims[i]);
        to[i] = bound_in(ends.v[i], dims[i]);
        axes[i] = (int64_t)i;
    }
    struct value *in[4] = {op->in[0]};
    in[1] = build_ints(&c->im, NULL, from, starts.n);
    in[2] = build_ints(&c->im, NULL, to, starts.n);
    in[3] = build_ints(&c->im, NULL, axes, starts.n);
    return build_end1(&c->im, c2_begin(c, op, OP_slice, in, 4), op->out);
}

static bool split_sizes(struct caffe2 *c, struct c2_op *op, int64_t extent, struct attr_ints *sizes)
{
    size_t n = op->proto->n_output;
    *sizes = c2_arg_ints(&c->im, &op->args, "split");
    if (op->n_in > 1 && !read_bounds(c, op, "split", 1, sizes))
        return false;
    int64_t *equal = arena_array(c->im.arena, n, sizeof *equal), sum = 0;
    for (size_t i = 0; i < n; i++)
        equal[i] = extent / (int64_t)n;
    if (!sizes->n)
        *sizes = (struct attr_ints){equal, n};
    for (size_t i = 0; i < sizes->n; i++) {
        if (sizes->v[i] < 0 || sizes->v[i] > extent - sum)
            break;
        sum += sizes->v[i];
    }
    return (sizes->n == n && sum == extent) ||
           c2_error(c, op, SHEAF_ERROR_SHAPE,
                    "an extent of %lld is not cut into %zu outputs by its sizes", (long long)extent,
                    n);
}

struct value *c2_split(struct caffe2 *c, struct c2_op *op)
{
    int64_t axis, at = 0;
    struct attr_ints sizes;
    if (!c2_check_inputs(c, op, 1, 2) || !c2_need_static(c, op, 0, -1) ||
        !c2_read_axis(c, op, "axis", op->nhwc ? 3 : 1, op->in[0]->shape.rank - 1, &axis))
        return NULL;
    bool add_axis = c2_arg_int(&op->args, "add_axis", 0) != 0;
    if (!split_sizes(c, op, op->in[0]->shape.dims[axis], &sizes))
        return NULL;
    struct value *first = NULL;
    for (size_t i = 0; i < sizes.n; i++) {
        struct value *part = c2_slice(c, op->in[0], axis, at, at + sizes.v[i]);
        struct value *in[] = {part, build_ints(&c->im, NULL, &axis, 1)};
        if (add_axis)
            part = part ? build_op(&c->im, OP_squeeze, NULL, in, 2, NULL) : NULL;
        at += sizes.v[i];
        if (i == 0)
            first = c2_named(c, op, part);
        if (!part || (i > 0 && !c2_bind(c, op, i, part)))
            return NULL;
    }
    return first;
}

/* ---- conversions and the rest ---- */

struct value *c2_cast(struct caffe2 *c, struct c2_op *op)
{
    static const struct {
        const char *name;
        int64_t code;
    } names[] = {{"FLOAT", 1},  {"INT32", 2},    {"BYTE", 3},   {"BOOL", 5},
                 {"UINT8", 6},  {"INT8", 7},     {"UINT16", 8}, {"INT16", 9},
                 {"INT64", 10}, {"FLOAT16", 12}, {"DOUBLE", 13}};
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    const struct c2_arg *to = c2_arg_find(&op->args, "to");
    int64_t code = to && to->has_i ? to->i : 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (to && to->has_s && !strcasecmp(to->s, names[i].name))
            code = names[i].code;
    enum dtype dtype = c2_dtype(code);
    c2_arg_find(&op->args, "from_type");
    if (dtype == DTYPE_NONE) {
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                 "a conversion to Caffe2's type %s is not supported",
                 to && to->has_s ? to->s : arena_printf(c->im.arena, "%lld", (long long)code));
        return NULL;
    }
    struct node *n = c2_begin(c, op, OP_cast, op->in, 1);
    ((struct cast_attrs *)n->attrs)->to = dtype_code(dtype);
    return build_end1(&c->im, n, op->out);
}

struct value *c2_shape(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct attr_ints axes = c2_arg_ints(&c->im, &op->args, "axes");
    struct value *y = build_unary(&c->im, OP_shape, NULL, op->in[0]);
    if (axes.n)
        y = c2_gather(c, y, build_ints(&c->im, NULL, axes.v, axes.n), 0);
    return c2_named(c, op, y);
}

/* A number from an argument, or else from a constant input. */
static bool read_number(struct caffe2 *c, struct c2_op *op, const char *name, size_t input,
                        int64_t *out)
{
    *out = c2_arg_int(&op->args, name, *out);
    if (op->n_in <= input)
        return true;
    const struct tensor *t = c2_need_constant(c, op, input);
    if (t && tensor_elems(t) == 1)
        *out = tensor_get_int(t, 0);
    return t != NULL;
}

struct value *c2_tile(struct caffe2 *c, struct c2_op *op)
{
    int64_t tiles = 1, axis = 0, repeats[MAX_RANK];
    if (!c2_check_inputs(c, op, 1, 3) || !read_number(c, op, "tiles", 1, &tiles) ||
        !read_number(c, op, "axis", 2, &axis))
        return NULL;
    int rank = op->in[0]->shape.rank;
    if (axis < -rank || axis >= rank || tiles < 0) {
        c2_error(c, op, SHEAF_ERROR_SHAPE, "%lld tiles along axis %lld of %d are not possible",
                 (long long)tiles, (long long)axis, rank);
        return NULL;
    }
    for (int d = 0; d < rank; d++)
        repeats[d] = d == (axis < 0 ? axis + rank : axis) ? tiles : 1;
    struct value *in[] = {op->in[0], build_ints(&c->im, NULL, repeats, (size_t)rank)};
    return build_end1(&c->im, c2_begin(c, op, OP_tile, in, 2), op->out);
}

/* Outputs: the values, their indices along the axis, and those in the whole tensor. */
struct value *c2_top_k(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    int64_t k = c2_arg_int(&op->args, "k", 1);
    if (c2_output_wanted(op, 2)) {
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED, "output 2 of TopK is not supported");
        return NULL;
    }
    struct value *in[] = {op->in[0], build_ints(&c->im, NULL, &k, 1)};
    struct node *n = build_begin(&c->im, OP_top_k, op->proto->name, in, 2, 2);
    ((struct top_k_attrs *)n->attrs)->axis = c2_arg_int(&op->args, "axis", -1);
    const char *names[] = {op->out, NULL};
    if (!build_end(&c->im, n, names))
        return NULL;
    struct value *y = n->out[0];
    return !c2_output_wanted(op, 1) || c2_bind(c, op, 1, n->out[1]) ? y : NULL;
}
