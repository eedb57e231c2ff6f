/*
 * Caffe2 operators on segments: rows that lie behind each other, as many for each segment as a
 * vector of lengths says, and tables that are read by indices.
 */
#include <string.h>

#include "loader/import/caffe2/caffe2.h"

/* ---- steps ---- */

static struct value *zeros(struct caffe2 *c, struct c2_op *op, enum dtype dtype, int rank,
                           const int64_t *dims)
{
    struct shape shape = shape_of_dims(rank, dims);
    return build_filled(&c->im, op->name, NULL, dtype, &shape, 0);
}

/* 0, 1, .. n - 1 */
static struct value *numbers(struct caffe2 *c, int64_t n)
{
    struct tensor *t = tensor_new(c->im.arena, DTYPE_I64, 1, &n);
    for (int64_t i = 0; i < n; i++)
        tensor_set_int(t, i, i);
    return graph_add_constant(c->im.g, NULL, t);
}

/* Sums along axis 0 up to each element, which counts itself or not. */
static struct value *running_sum(struct caffe2 *c, struct value *x, bool exclusive)
{
    int64_t axis = 0;
    struct value *in[] = {x, build_ints(&c->im, NULL, &axis, 1)};
    if (!x)
        return NULL;
    struct node *n = build_begin(&c->im, OP_cum_sum, NULL, in, 2, 1);
    ((struct cum_sum_attrs *)n->attrs)->exclusive = exclusive;
    return build_end1(&c->im, n, NULL);
}

/* `to` with rows stored, or with `add` added, at the indices [n] or index tuples [n, k]. */
static struct value *scattered(struct caffe2 *c, struct value *to, struct value *at,
                               struct value *rows, bool add)
{
    if (at && at->shape.rank == 1)
        at = c2_unsqueeze(c, at, 1);
    struct value *in[] = {to, at, rows};
    if (!to || !at || !rows)
        return NULL;
    struct node *n = build_begin(&c->im, OP_scatter_nd, NULL, in, 3, 1);
    ((struct scatter_nd_attrs *)n->attrs)->reduction = add ? "add" : "none";
    return build_end1(&c->im, n, NULL);
}

static struct value *as_indices(struct caffe2 *c, struct value *x)
{
    return build_cast(&c->im, NULL, x, DTYPE_I64, NULL);
}

static struct value *where(struct caffe2 *c, struct value *condition, struct value *a,
                           struct value *b)
{
    struct value *in[] = {condition, a, b};
    return condition && a && b ? build_op(&c->im, OP_where, NULL, in, 3, NULL) : NULL;
}

/* The segment of each of n elements; elements behind all segments have the number of these. */
static struct value *segment_of(struct caffe2 *c, struct c2_op *op, struct value *lengths,
                                int64_t n)
{
    int64_t room = n + 1;
    struct value *one = zeros(c, op, DTYPE_I64, 1, lengths->shape.dims);
    struct value *ends = running_sum(c, as_indices(c, lengths), false);
    ends = c2_number(c, OP_min, ends, (double)n);
    struct value *marks = zeros(c, op, DTYPE_I64, 1, &room);
    marks = scattered(c, marks, ends, c2_number(c, OP_add, one, 1), true);
    return c2_slice(c, running_sum(c, marks, false), 0, 0, n);
}

/* Sums of the rows of each segment. */
static struct value *segment_sums(struct caffe2 *c, struct c2_op *op, struct value *rows,
                                  struct value *lengths)
{
    if (!rows)
        return NULL;
    int64_t dims[MAX_RANK], n = lengths->shape.dims[0];
    memcpy(dims, rows->shape.dims, sizeof dims);
    dims[0] = n + 1;
    struct value *at = segment_of(c, op, lengths, rows->shape.dims[0]);
    struct value *sums = zeros(c, op, rows->dtype, rows->shape.rank, dims);
    return c2_slice(c, scattered(c, sums, at, rows, true), 0, 0, n);
}

/* Sums divided by the lengths; empty segments stay 0. */
static struct value *divided(struct caffe2 *c, struct c2_op *op, struct value *sums,
                             struct value *lengths)
{
    struct value *by = c2_number(c, OP_max, lengths, 1);
    by = sums ? build_cast(&c->im, NULL, by, sums->dtype, NULL) : NULL;
    by = by ? build_align(&c->im, op->name, by, sums->shape.rank, 0) : NULL;
    return build_binary(&c->im, OP_div, NULL, sums, by);
}

/* Row i times weight i. */
static struct value *weighted(struct caffe2 *c, struct c2_op *op, struct value *rows,
                              struct value *weights)
{
    if (!rows)
        return NULL;
    weights = build_cast(&c->im, NULL, weights, rows->dtype, NULL);
    weights = weights ? build_align(&c->im, op->name, weights, rows->shape.rank, 0) : NULL;
    return build_binary(&c->im, OP_mul, NULL, rows, weights);
}

/* 16-bit floats are summed in f32, which the sums stay. */
static struct value *widened(struct caffe2 *c, struct value *x)
{
    return x && x->dtype == DTYPE_F16 ? build_cast(&c->im, NULL, x, DTYPE_F32, NULL) : x;
}

static bool need_vectors(struct caffe2 *c, struct c2_op *op, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        if (!c2_need_static(c, op, i, 1))
            return false;
    return true;
}

/* ---- sums of segments ---- */

/* LengthsSum and LengthsMean (data, lengths); LengthsWeightedSum (data, weights, lengths). */
struct value *c2_lengths_sum(struct caffe2 *c, struct c2_op *op)
{
    bool has_weights = strstr(op->type, "Weighted") != NULL;
    size_t last = has_weights ? 2 : 1;
    if (!c2_check_inputs(c, op, last + 1, last + 1) || !c2_need_static(c, op, 0, -1) ||
        !need_vectors(c, op, 1, last + 1))
        return NULL;
    struct value *rows = widened(c, op->in[0]), *lengths = op->in[last];
    if (has_weights)
        rows = weighted(c, op, rows, op->in[1]);
    struct value *y = segment_sums(c, op, rows, lengths);
    return c2_named(c, op, strstr(op->type, "Mean") ? divided(c, op, y, lengths) : y);
}

/* A table whose rows are quantized: codes, and per row what one counts and what 0 means. */
struct table {
    struct value *codes, *scale, *bias; /* scale NULL: codes are the values */
};

static double f16_at(const uint8_t *bytes)
{
    const struct tensor t = {DTYPE_F16, 1, {1}, bytes};
    return tensor_get(&t, 0);
}

static double f32_at(const uint8_t *bytes)
{
    uint32_t bits = 0;
    for (size_t k = 0; k < 4; k++)
        bits |= (uint32_t)bytes[k] << (8 * k);
    return (double)dtype_f32_of_bits(bits);
}

/* Rows of codes of 8 or 4 bits (the first in the lower half), then scale and bias as f32, of 4 bits
   as f16. */
static bool read_fused(struct caffe2 *c, struct c2_op *op, int bits, struct table *out)
{
    const int64_t tail = bits == 8 ? 8 : 4;
    const struct tensor *t = c2_need_constant(c, op, 0);
    if (!t)
        return false;
    if (t->dtype != DTYPE_U8 || t->rank != 2 || t->dims[1] < tail)
        return c2_error(c, op, SHEAF_ERROR_SHAPE,
                        "'%s' holds no rows of bytes with scale and bias behind", op->in[0]->name);
    int64_t n = t->dims[0], bytes = t->dims[1] - tail, dims[] = {n, bytes * 8 / bits};
    const int64_t column[] = {n, 1};
    struct tensor *codes = tensor_new(c->im.arena, DTYPE_U8, 2, dims);
    struct tensor *scale = tensor_new(c->im.arena, DTYPE_F32, 2, column);
    struct tensor *bias = tensor_new(c->im.arena, DTYPE_F32, 2, column);
    uint8_t *to = tensor_data(codes);
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *row = (const uint8_t *)t->data + i * t->dims[1], *end = row + bytes;
        tensor_set(scale, i, bits == 8 ? f32_at(end) : f16_at(end));
        tensor_set(bias, i, bits == 8 ? f32_at(end + 4) : f16_at(end + 2));
        for (int64_t j = 0; j < bytes; j++) {
            *to++ = bits == 8 ? row[j] : row[j] & 15;
            if (bits == 4)
                *to++ = (uint8_t)(row[j] >> 4);
        }
    }
    out->codes = graph_add_constant(c->im.g, NULL, codes);
    out->scale = graph_add_constant(c->im.g, NULL, scale);
    out->bias = graph_add_constant(c->im.g, NULL, bias);
    return true;
}

/* Scale and bias as the columns of the last input. */
static bool read_rowwise(struct caffe2 *c, struct c2_op *op, struct table *out)
{
    size_t last = op->n_in - 1;
    const struct shape *s = &op->in[last]->shape;
    if (!c2_need_static(c, op, last, 2))
        return false;
    if (s->dims[1] != 2)
        return c2_error(c, op, SHEAF_ERROR_SHAPE, "'%s' has %lld columns, not scale and bias",
                        op->in[last]->name, (long long)s->dims[1]);
    out->codes = op->in[0];
    out->scale = c2_slice(c, op->in[last], 1, 0, 1);
    out->bias = c2_slice(c, op->in[last], 1, 1, 2);
    return out->scale && out->bias;
}

/* Rows of the table at the indices. */
static struct value *read_rows(struct caffe2 *c, const struct table *t, struct value *at)
{
    struct value *rows = c2_gather(c, t->codes, at, 0);
    if (!t->scale)
        return widened(c, rows);
    rows = build_cast(&c->im, NULL, rows, DTYPE_F32, NULL);
    rows = build_binary(&c->im, OP_mul, NULL, rows, c2_gather(c, t->scale, at, 0));
    return build_binary(&c->im, OP_add, NULL, rows, c2_gather(c, t->bias, at, 0));
}

/* The SparseLengths family: data, weights where the name says so, indices, lengths, and scale and
   bias of bytes that are not fused with these. */
struct value *c2_sparse_lengths(struct caffe2 *c, struct c2_op *op)
{
    bool has_weights = strstr(op->type, "Weighted") != NULL;
    bool rowwise = strstr(op->type, "8BitsRowwise") != NULL;
    int fused = strstr(op->type, "Fused8Bit") ? 8 : strstr(op->type, "Fused4Bit") ? 4 : 0;
    size_t at = has_weights ? 2 : 1, n = at + 2 + rowwise;
    struct table t = {.codes = NULL};
    if (!c2_check_inputs(c, op, n, n) || !c2_need_static(c, op, 0, -1) ||
        !need_vectors(c, op, 1, at + 2))
        return NULL;
    t.codes = op->in[0];
    if ((fused && !read_fused(c, op, fused, &t)) || (rowwise && !read_rowwise(c, op, &t)))
        return NULL;
    struct value *rows = read_rows(c, &t, op->in[at]), *lengths = op->in[at + 1];
    if (has_weights)
        rows = weighted(c, op, rows, op->in[1]);
    struct value *y = segment_sums(c, op, rows, lengths);
    return c2_named(c, op, strstr(op->type, "Mean") ? divided(c, op, y, lengths) : y);
}

/* data, weights, indices, and where each segment begins, with hasEndOffset also where the last
   ends. */
struct value *c2_embedding_bag(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 4, 4) || !c2_need_static(c, op, 0, -1) ||
        !need_vectors(c, op, 1, 4))
        return NULL;
    struct value *starts = as_indices(c, op->in[3]), *ends = NULL;
    int64_t n = op->in[3]->shape.dims[0], all = op->in[2]->shape.dims[0];
    c2_arg_find(&op->args, "avgLength");
    bool has_end = c2_arg_int(&op->args, "hasEndOffset", 0) != 0;
    if (n < 1) {
        c2_error(c, op, SHEAF_ERROR_SHAPE, "'%s' is empty", op->in[3]->name);
        return NULL;
    }
    ends = c2_slice(c, starts, 0, 1, n);
    if (!has_end) {
        struct value *in[] = {ends, build_ints(&c->im, NULL, &all, 1)};
        ends = ends ? build_op(&c->im, OP_concat, NULL, in, 2, NULL) : NULL;
    } else {
        starts = c2_slice(c, starts, 0, 0, n - 1);
    }
    const struct table t = {.codes = op->in[0]};
    struct value *lengths = build_binary(&c->im, OP_sub, NULL, ends, starts);
    struct value *rows = weighted(c, op, read_rows(c, &t, op->in[2]), op->in[1]);
    return lengths ? c2_named(c, op, segment_sums(c, op, rows, lengths)) : NULL;
}

/* ---- ranges ---- */

/* How many elements all segments have together: an argument's bound, else constant lengths tell. */
static bool total_of(struct caffe2 *c, struct c2_op *op, const struct value *lengths, int64_t *out)
{
    *out = c2_arg_int(&op->args, "maxOutputSize", -1);
    if (*out >= 0 && *out <= INT32_MAX)
        return true;
    if (!value_is_constant(lengths))
        return c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                        "%s of lengths that are computed needs the argument 'maxOutputSize'",
                        op->type);
    *out = 0;
    for (int64_t i = 0; i < tensor_elems(lengths->constant); i++) {
        int64_t n = tensor_get_int(lengths->constant, i);
        if (n < 0 || n > INT32_MAX - *out)
            return c2_error(c, op, SHEAF_ERROR_SHAPE, "a length of %lld is not possible",
                            (long long)n);
        *out += n;
    }
    return true;
}

/* For each of n elements its place in its segment; *inside: whether it lies in one; *segment:
   which, 0 where none. */
static struct value *places(struct caffe2 *c, struct c2_op *op, struct value *lengths, int64_t n,
                            struct value **inside, struct value **segment)
{
    int64_t count = lengths->shape.dims[0];
    struct value *of = segment_of(c, op, lengths, n);
    struct value *starts = running_sum(c, as_indices(c, lengths), true);
    *inside = c2_number(c, OP_less, of, (double)count);
    *segment = where(c, *inside, of, build_number(&c->im, of, 0));
    return build_binary(&c->im, OP_sub, NULL, numbers(c, n), c2_gather(c, starts, *segment, 0));
}

/* 0, 1, .. length - 1 of each segment; 0 behind all. */
struct value *c2_lengths_range_fill(struct caffe2 *c, struct c2_op *op)
{
    int64_t n;
    struct value *inside, *segment;
    if (!c2_check_inputs(c, op, 1, 1) || !need_vectors(c, op, 0, 1) ||
        !total_of(c, op, op->in[0], &n))
        return NULL;
    struct value *place = places(c, op, op->in[0], n, &inside, &segment);
    place = where(c, inside, place, build_number(&c->im, place, 0));
    return c2_named(c, op, build_cast(&c->im, NULL, place, DTYPE_I32, NULL));
}

/* Where each segment begins, and its length. */
struct value *c2_lengths_to_ranges(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1) || !need_vectors(c, op, 0, 1))
        return NULL;
    struct value *lengths = op->in[0], *starts = running_sum(c, lengths, true);
    struct value *in[] = {c2_unsqueeze(c, starts, 1), NULL};
    in[1] = c2_unsqueeze(c, lengths, 1);
    if (!in[0] || !in[1])
        return NULL;
    struct node *n = c2_begin(c, op, OP_concat, in, 2);
    ((struct concat_attrs *)n->attrs)->axis = 1;
    return build_end1(&c->im, n, op->out);
}

/* Elements of the data [k] in the ranges [n, m, 2] of start and length, behind each other; output
   1: how many they are of each n. */
struct value *c2_gather_ranges(struct caffe2 *c, struct c2_op *op)
{
    static const int64_t flat = -1;
    int64_t n;
    struct value *inside, *segment;
    if (!c2_check_inputs(c, op, 2, 2) || !c2_need_static(c, op, 0, 1) ||
        !c2_need_static(c, op, 1, 3))
        return NULL;
    struct value *to = build_ints(&c->im, NULL, &flat, 1);
    struct value *at[2], *part[2];
    for (int i = 0; i < 2; i++) {
        part[i] = c2_slice(c, op->in[1], 2, i, i + 1);
        struct value *in[] = {part[i], to};
        at[i] = part[i] ? build_op(&c->im, OP_reshape, NULL, in, 2, NULL) : NULL;
    }
    if (!at[0] || !at[1] || !total_of(c, op, at[1], &n))
        return NULL;
    struct value *place = places(c, op, at[1], n, &inside, &segment);
    struct value *start = c2_gather(c, as_indices(c, at[0]), segment, 0);
    place = build_binary(&c->im, OP_add, NULL, place, start);
    place = where(c, inside, place, build_number(&c->im, place, 0));
    struct value *y = c2_gather(c, op->in[0], place, 0);
    y = where(c, inside, y, build_number(&c->im, y, 0));
    struct value *counts = c2_reduce(c, OP_reduce_sum, part[1], -1);
    counts = counts ? c2_reduce(c, OP_reduce_sum, counts, -1) : NULL;
    return c2_bind(c, op, 1, counts) ? c2_named(c, op, y) : NULL;
}

/* ---- sparse to dense ---- */

/* values[i] added to row indices[i]; the third input has as many rows as the result. */
struct value *c2_sparse_to_dense(struct caffe2 *c, struct c2_op *op)
{
    int64_t dims[MAX_RANK];
    if (!c2_check_inputs(c, op, 2, 3) || !need_vectors(c, op, 0, 1) ||
        !c2_need_static(c, op, 1, -1) || (op->n_in > 2 && !c2_need_static(c, op, 2, -1)))
        return NULL;
    struct value *at = op->in[0], *rows = op->in[1];
    const struct tensor *known = op->n_in > 2 ? NULL : c2_need_constant(c, op, 0);
    if ((op->n_in == 2 && !known) || !rows->shape.rank)
        return NULL;
    memcpy(dims, rows->shape.dims, sizeof dims);
    dims[0] = known || !op->in[2]->shape.rank ? 0 : op->in[2]->shape.dims[0];
    for (int64_t i = 0; known && i < tensor_elems(known); i++)
        if (tensor_get_int(known, i) >= dims[0])
            dims[0] = tensor_get_int(known, i) + 1;
    struct value *to = zeros(c, op, rows->dtype, rows->shape.rank, dims);
    return c2_named(c, op, scattered(c, to, as_indices(c, at), rows, true));
}

/* lengths, indices, values: for each segment a row with its values at its indices. */
struct value *c2_batch_sparse_to_dense(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 3, 4) || !need_vectors(c, op, 0, 3))
        return NULL;
    int64_t width = c2_arg_int(&op->args, "dense_last_dim", -1);
    float otherwise = c2_arg_float(&op->args, "default_value", 0);
    int64_t n = op->in[0]->shape.dims[0], k = op->in[1]->shape.dims[0];
    if (op->n_in > 3 && c2_need_static(c, op, 3, 2))
        width = op->in[3]->shape.dims[1];
    if (width < 1) {
        c2_error(c, op, SHEAF_ERROR_FORMAT, "it lacks the argument 'dense_last_dim'");
        return NULL;
    }
    const int64_t dims[] = {n + 1, width};
    struct shape shape = shape_of_dims(2, dims);
    struct value *to =
        build_filled(&c->im, op->name, NULL, op->in[2]->dtype, &shape, (double)otherwise);
    struct value *in[] = {c2_unsqueeze(c, segment_of(c, op, op->in[0], k), 1), NULL};
    in[1] = c2_unsqueeze(c, as_indices(c, op->in[1]), 1);
    if (!in[0] || !in[1])
        return NULL;
    struct node *tuples = build_begin(&c->im, OP_concat, NULL, in, 2, 1);
    ((struct concat_attrs *)tuples->attrs)->axis = 1;
    struct value *at = build_end1(&c->im, tuples, NULL);
    return c2_named(c, op, c2_slice(c, scattered(c, to, at, op->in[2], false), 0, 0, n));
}

/* indices, values, the default, lengths: of each segment the values of the indices that the
   argument `mask` lists, in its order. */
struct value *c2_sparse_to_dense_mask(struct caffe2 *c, struct c2_op *op)
{
    struct attr_ints mask = c2_arg_ints(&c->im, &op->args, "mask");
    c2_arg_find(&op->args, "max_skipped_indices");
    if (!c2_check_inputs(c, op, 3, 4) || !need_vectors(c, op, 0, 1) ||
        !c2_need_static(c, op, 1, -1) || (op->n_in > 3 && !need_vectors(c, op, 3, 4)))
        return NULL;
    if (c2_arg_int(&op->args, "return_presence_mask", 0) || c2_output_wanted(op, 1)) {
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED, "%s with return_presence_mask is not supported",
                 op->type);
        return NULL;
    }
    struct value *rows = op->in[1];
    int64_t k = op->in[0]->shape.dims[0], n = op->n_in > 3 ? op->in[3]->shape.dims[0] : 1;
    int64_t m = (int64_t)mask.n;
    int rank = rows->shape.rank;
    if (m < 1 || rank < 1 || rank + 1 > MAX_RANK || n > INT32_MAX / m) {
        c2_error(c, op, SHEAF_ERROR_SHAPE, "its mask or values have a wrong size");
        return NULL;
    }
    struct value *listed = build_ints(&c->im, NULL, mask.v, mask.n);
    struct value *is =
        build_binary(&c->im, OP_equal, NULL, c2_unsqueeze(c, as_indices(c, op->in[0]), 1), listed);
    is = as_indices(c, is);
    struct value *found = c2_reduce(c, OP_reduce_max, is, 1);
    struct value *place = build_binary(&c->im, OP_mul, NULL, is, numbers(c, m));
    place = c2_reduce(c, OP_reduce_max, place, 1);
    if (op->n_in > 3)
        place = build_binary(&c->im, OP_add, NULL, place,
                             c2_number(c, OP_mul, segment_of(c, op, op->in[3], k), (double)m));
    struct value *nowhere = place ? build_number(&c->im, place, (double)(n * m)) : NULL;
    place = where(c, build_cast(&c->im, NULL, found, DTYPE_BOOL, NULL), place, nowhere);
    int64_t dims[MAX_RANK] = {n * m + 1}, to_dims[MAX_RANK] = {n, m};
    for (int d = 1; d < rank; d++)
        dims[d] = to_dims[d + 1] = rows->shape.dims[d];
    struct value *in[] = {op->in[2], build_ints(&c->im, NULL, dims, (size_t)rank)};
    struct value *to = build_op(&c->im, OP_expand, NULL, in, 2, NULL);
    struct value *y = c2_slice(c, scattered(c, to, place, rows, false), 0, 0, n * m);
    if (!y || op->n_in == 3)
        return c2_named(c, op, y);
    return c2_named(c, op, build_reshape(&c->im, y, rank + 1, to_dims, NULL));
}

/* ---- SparseLabelSplit ---- */

static struct value *compressed(struct caffe2 *c, struct value *x, struct value *which)
{
    struct value *in[] = {x, which};
    if (!x || !which)
        return NULL;
    struct node *n = build_begin(&c->im, OP_compress, NULL, in, 2, 1);
    const char *names[] = {NULL};
    return build_end(&c->im, n, names) ? n->out[0] : NULL;
}

/* lengths, labels, values: for each label its values, then for each the segments that these came
   from, then where each value went. */
struct value *c2_sparse_label_split(struct caffe2 *c, struct c2_op *op)
{
    int64_t labels = c2_arg_int(&op->args, "num_labels", 0);
    if (!c2_check_inputs(c, op, 3, 3) || !need_vectors(c, op, 0, 3))
        return NULL;
    if (labels < 1 || (uint64_t)labels > op->proto->n_output / 2) {
        c2_error(c, op, SHEAF_ERROR_FORMAT, "%zu outputs do not suit num_labels=%lld",
                 op->proto->n_output, (long long)labels);
        return NULL;
    }
    struct value *of = build_cast(
        &c->im, NULL, segment_of(c, op, op->in[0], op->in[1]->shape.dims[0]), DTYPE_I32, NULL);
    struct value *first = NULL, *places = NULL;
    for (int64_t l = 0; l < labels; l++) {
        struct value *is = c2_number(c, OP_equal, op->in[1], (double)l);
        struct value *part = compressed(c, op->in[2], is), *example = compressed(c, of, is);
        struct value *one = build_cast(&c->im, NULL, is, DTYPE_I32, NULL);
        struct value *place = build_binary(&c->im, OP_mul, NULL, running_sum(c, one, true), one);
        places = l ? build_binary(&c->im, OP_add, NULL, places, place) : place;
        if (l == 0)
            first = c2_named(c, op, part);
        else if (!c2_bind(c, op, (size_t)l, part))
            return NULL;
        if (!c2_bind(c, op, (size_t)(labels + l), example))
            return NULL;
    }
    return places && c2_bind(c, op, (size_t)(2 * labels), places) ? first : NULL;
}
