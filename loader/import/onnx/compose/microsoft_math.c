/*
 * ONNX Runtime's arithmetic (domain com.microsoft), and operators of ONNX's first years that it
 * still knows.
 */
#include <math.h>
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

/* A name that the default domain has too, in an older form. */
bool onnx_adapt_as_default(struct onnx *o, struct draft *d)
{
    return onnx_adapt_plain(o, d) && onnx_adapt(o, d);
}

bool onnx_adapt_microsoft_grid_sample(struct onnx *o, struct draft *d)
{
    return onnx_adapt_plain(o, d) && onnx_adapt_grid_sample(o, d);
}

/* ---- functions of one tensor ---- */

/* alpha f(beta x) */
static bool scaled_function(struct onnx *o, struct draft *d, enum op op)
{
    float alpha, beta;
    if (!draft_need_inputs(o, d, 1) || !draft_take_float(o, d, "alpha", 1, &alpha) ||
        !draft_take_float(o, d, "beta", 1, &beta))
        return false;
    struct value *y = compose_number(o, OP_mul, d->in[0], (double)beta);
    y = compose_number(o, OP_mul, build_unary(&o->im, op, d->name, y), (double)alpha);
    return draft_finish(o, d, y);
}

bool onnx_compose_parametric_softplus(struct onnx *o, struct draft *d)
{
    return scaled_function(o, d, OP_softplus);
}

bool onnx_compose_scaled_tanh(struct onnx *o, struct draft *d)
{
    return scaled_function(o, d, OP_tanh);
}

/* alpha x + beta */
bool onnx_compose_affine(struct onnx *o, struct draft *d)
{
    float alpha, beta;
    if (!draft_need_inputs(o, d, 1) || !draft_take_float(o, d, "alpha", 1, &alpha) ||
        !draft_take_float(o, d, "beta", 0, &beta))
        return false;
    struct value *y = compose_number(o, OP_mul, d->in[0], (double)alpha);
    return draft_finish(o, d, compose_number(o, OP_add, y, (double)beta));
}

/* An image times `scale`, plus a bias for each channel. */
bool onnx_compose_image_scaler(struct onnx *o, struct draft *d)
{
    struct draft_attr *bias;
    float scale;
    if (!compose_need_static(o, d, 0, 4) || !draft_take_float(o, d, "scale", 1, &scale) ||
        !draft_take_kind(o, d, "bias", ATTR_KIND_FLOATS, &bias))
        return false;
    const int64_t dims[] = {bias ? (int64_t)bias->u.floats.n : 0, 1, 1};
    if (dims[0] != d->in[0]->shape.dims[1])
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%lld biases do not fit %lld channels",
                           (long long)dims[0], (long long)d->in[0]->shape.dims[1]);
    struct tensor *t = tensor_new(o->im.arena, d->in[0]->dtype, 3, dims);
    for (int64_t i = 0; i < dims[0]; i++)
        tensor_set(t, i, (double)bias->u.floats.v[i]);
    struct value *y = compose_number(o, OP_mul, d->in[0], (double)scale);
    y = compose_binary(o, OP_add, y, graph_add_constant(o->im.g, NULL, t), NULL);
    return draft_finish(o, d, y);
}

/* `border` (left, top, right, bottom) cut off, or with `scale` (height, width) so much from left
   and top on. */
bool onnx_compose_crop(struct onnx *o, struct draft *d)
{
    struct draft_attr *border, *scale;
    if (!compose_need_static(o, d, 0, 4) ||
        !draft_take_kind(o, d, "border", ATTR_KIND_INTS, &border) ||
        !draft_take_kind(o, d, "scale", ATTR_KIND_INTS, &scale))
        return false;
    if (!border || border->u.ints.n != 4 || (scale && scale->u.ints.n != 2))
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "Crop needs a border of 4 numbers, and a scale of 2");
    const int64_t *b = border->u.ints.v, *s = scale ? scale->u.ints.v : NULL;
    struct value *y = d->in[0];
    for (int axis = 2; axis < 4; axis++) {
        int64_t extent = y->shape.dims[axis], from = b[axis == 2], to = extent - b[5 - axis];
        if (s)
            to = s[axis - 2] > extent ? extent + 1 : from + s[axis - 2];
        if (from < 0 || to > extent || from > to)
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "the elements %lld to %lld do not lie in a dimension of %lld",
                               (long long)from, (long long)to, (long long)extent);
        y = compose_slice(o, y, axis, from, to, NULL);
        if (!y)
            return false;
    }
    return draft_finish(o, d, build_cast(&o->im, NULL, y, y->dtype, draft_output_name(d)));
}

/* ---- shapes ---- */

/* The position of the new axis is an input. */
bool onnx_compose_expand_dims(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 2))
        return false;
    const struct value *v = d->in[1];
    if (!value_is_constant(v) || tensor_elems(v->constant) != 1)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "ExpandDims needs one constant axis");
    return draft_finish(
        o, d, compose_with_axis(o, OP_unsqueeze, d->in[0], tensor_get_int(v->constant, 0)));
}

/* Windows of `size` elements along an axis, `step` apart; a window's elements come last. */
bool onnx_compose_unfold(struct onnx *o, struct draft *d)
{
    int64_t axis, size, step, perm[MAX_RANK];
    if (!compose_need_static(o, d, 0, -1) || !draft_take_int(o, d, "dim", -1, &axis) ||
        !draft_take_int(o, d, "size", 0, &size) || !draft_take_int(o, d, "step", 1, &step))
        return false;
    int rank = d->in[0]->shape.rank;
    if (axis < 0)
        axis += rank;
    if (axis < 0 || axis >= rank || rank == MAX_RANK || size < 1 || step < 1 ||
        size > d->in[0]->shape.dims[axis])
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "windows of %lld along axis %lld, %lld apart, do not fit %s",
                           (long long)size, (long long)axis, (long long)step,
                           shape_print(&d->in[0]->shape, o->im.arena));
    const int64_t dims[] = {(d->in[0]->shape.dims[axis] - size) / step + 1, size};
    if (!compose_reserve(o, d, dims[0] * dims[1] * 8))
        return false;
    struct tensor *t = tensor_new(o->im.arena, DTYPE_I64, 2, dims);
    for (int64_t i = 0; i < tensor_elems(t); i++)
        tensor_set_int(t, i, i / size * step + i % size);
    struct value *in[] = {d->in[0], graph_add_constant(o->im.g, NULL, t)};
    struct node *n = build_begin(&o->im, OP_gather, d->name, in, 2, 1);
    ((struct gather_attrs *)n->attrs)->axis = axis;
    struct value *y = build_end1(&o->im, n, NULL);
    for (int i = 0; i <= rank; i++)
        perm[i] = i <= axis ? i : i < rank ? i + 1 : axis + 1;
    return draft_finish(o, d, compose_transpose(o, y, perm, draft_output_name(d)));
}

/* Values in the order in which they first occur, where the first of each is, and how often it is
   there: outputs 0, 1 (of each element, which value it is) and 2. */
bool onnx_compose_microsoft_unique(struct onnx *o, struct draft *d)
{
    static const char *const names[4] = {"", "", "", ""};
    if (!compose_need_static(o, d, 0, 1))
        return false;
    struct node *n = build_begin(&o->im, OP_unique, d->name, d->in, 1, 4);
    ((struct unique_attrs *)n->attrs)->sorted = 0;
    for (size_t i = 0; i < 4; i++)
        graph_node_output(o->im.g, n, i, NULL);
    if (!build_end(&o->im, n, names))
        return false;
    draft_bind(o, d, 1, n->out[2]);
    draft_bind(o, d, 2, n->out[3]);
    return draft_finish(o, d, n->out[0]);
}

/* ---- products ---- */

/* (a - its zero point) (b - its zero point) */
bool onnx_compose_mul_integer(struct onnx *o, struct draft *d)
{
    struct value *x[2];
    if (!draft_need_inputs(o, d, 1) || !draft_input(d, 2))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "MulInteger lacks a factor");
    for (size_t i = 0; i < 2; i++) {
        x[i] = build_cast(&o->im, NULL, d->in[2 * i], DTYPE_I32, NULL);
        struct value *zero = draft_input(d, 2 * i + 1);
        if (zero)
            x[i] = compose_binary(o, OP_sub, x[i], build_cast(&o->im, NULL, zero, DTYPE_I32, NULL),
                                  NULL);
    }
    return draft_finish(o, d, compose_binary(o, OP_mul, x[0], x[1], draft_output_name(d)));
}

static struct value *half(struct onnx *o, struct value *x, int64_t which)
{
    return x ? compose_slice(o, x, x->shape.rank - 1, which, which + 1, NULL) : NULL;
}

/* The last dimension holds real and imaginary part; ComplexMulConj takes the conjugate of b. */
bool onnx_compose_complex_mul(struct onnx *o, struct draft *d)
{
    bool conjugate = strstr(d->op_type, "Conj") != NULL;
    if (!compose_need_static(o, d, 0, -1) || !compose_need_static(o, d, 1, -1))
        return false;
    struct value *part[2][2];
    for (int i = 0; i < 2; i++) {
        int rank = d->in[i]->shape.rank;
        if (!rank || d->in[i]->shape.dims[rank - 1] != 2)
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "'%s' has no last dimension of real and imaginary part",
                               d->in[i]->name);
        for (int k = 0; k < 2; k++)
            part[i][k] = half(o, d->in[i], k);
    }
    struct value *rr = compose_binary(o, OP_mul, part[0][0], part[1][0], NULL);
    struct value *ii = compose_binary(o, OP_mul, part[0][1], part[1][1], NULL);
    struct value *ri = compose_binary(o, OP_mul, part[0][0], part[1][1], NULL);
    struct value *ir = compose_binary(o, OP_mul, part[0][1], part[1][0], NULL);
    struct value *re = compose_binary(o, conjugate ? OP_add : OP_sub, rr, ii, NULL);
    struct value *im = compose_binary(o, conjugate ? OP_sub : OP_add, ir, ri, NULL);
    return re && im &&
           draft_finish(o, d, compose_concat(o, re, im, re->shape.rank - 1, draft_output_name(d)));
}

/* Distances of all rows of a and b. */
bool onnx_compose_cdist(struct onnx *o, struct draft *d)
{
    static const int64_t last = -1;
    struct draft_attr *a;
    if (!compose_need_static(o, d, 0, 2) || !compose_need_static(o, d, 1, 2) ||
        !draft_take_kind(o, d, "metric", ATTR_KIND_STRING, &a))
        return false;
    const char *metric = a ? a->u.s : "sqeuclidean";
    bool squared = !strcmp(metric, "sqeuclidean");
    if (!squared && strcmp(metric, "euclidean"))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the metric '%s' is not known", metric);
    struct value *x = compose_with_axis(o, OP_unsqueeze, d->in[0], 1);
    struct value *far = compose_binary(o, OP_sub, x, d->in[1], NULL);
    far = build_reduce(&o->im, OP_reduce_sum_square, d->name, far, (struct attr_ints){&last, 1},
                       false);
    return draft_finish(o, d, squared ? far : build_unary(&o->im, OP_sqrt, d->name, far));
}

/* ---- Inverse ---- */

enum { MAX_ORDER = 64 };

static struct value *outer(struct onnx *o, struct value *column, struct value *row)
{
    return compose_binary(o, OP_mul, column, row, NULL);
}

/* Row k of the unit matrix as [n, 1]. */
static struct value *unit(struct onnx *o, enum dtype dtype, int64_t n, int64_t k)
{
    const int64_t dims[] = {n, 1};
    struct tensor *t = tensor_new(o->im.arena, dtype, 2, dims);
    tensor_set(t, k, 1);
    return graph_add_constant(o->im.g, NULL, t);
}

static struct value *sum_rows(struct onnx *o, struct value *x)
{
    static const int64_t rows = -2;
    return build_reduce(&o->im, OP_reduce_sum, NULL, x, (struct attr_ints){&rows, 1}, true);
}

/* Which row at k or below has the largest number in column k, [.., n, 1] of one 1. */
static struct value *pivot_row(struct onnx *o, struct value *column, int64_t n, int64_t k)
{
    const int64_t dims[] = {n, 1};
    struct tensor *low = tensor_new(o->im.arena, column->dtype, 2, dims);
    for (int64_t i = 0; i < n; i++)
        tensor_set(low, i, i < k ? -1 : 0);
    struct value *size = build_unary(&o->im, OP_abs, NULL, column);
    struct value *above = graph_add_constant(o->im.g, NULL, low);
    /* Rows above are taken below all others: -1 - |x|. */
    struct value *sign = compose_number(o, OP_add, compose_number(o, OP_mul, above, 2), 1);
    size = compose_binary(o, OP_add, compose_binary(o, OP_mul, size, sign, NULL), above, NULL);
    if (!size)
        return NULL;
    struct node *node = build_begin(&o->im, OP_arg_max, NULL, &size, 1, 1);
    ((struct arg_max_attrs *)node->attrs)->axis = -2;
    struct value *at = build_end1(&o->im, node, NULL);
    struct tensor *t = tensor_new(o->im.arena, DTYPE_I64, 2, dims);
    for (int64_t i = 0; i < n; i++)
        tensor_set_int(t, i, i);
    struct value *is = compose_binary(o, OP_equal, at, graph_add_constant(o->im.g, NULL, t), NULL);
    return build_cast(&o->im, NULL, is, column->dtype, NULL);
}

/* One step of Gauss and Jordan on [matrix | result]: the pivot's row goes to place k, is divided by
   the pivot and subtracted from all others so that column k becomes that of the unit matrix. */
static struct value *eliminated(struct onnx *o, struct value *m, int64_t n, int64_t k)
{
    int last = m->shape.rank - 1;
    struct value *e = unit(o, m->dtype, n, k);
    struct value *p = pivot_row(o, compose_slice(o, m, last, k, k + 1, NULL), n, k);
    struct value *row_k = sum_rows(o, compose_binary(o, OP_mul, m, e, NULL));
    struct value *row_p = sum_rows(o, compose_binary(o, OP_mul, m, p, NULL));
    struct value *move = compose_binary(o, OP_sub, e, p, NULL);
    struct value *change = outer(o, move, compose_binary(o, OP_sub, row_p, row_k, NULL));
    m = compose_binary(o, OP_add, m, change, NULL);
    struct value *pivot = row_p ? compose_slice(o, row_p, last, k, k + 1, NULL) : NULL;
    struct value *row = compose_binary(o, OP_div, row_p, pivot, NULL);
    struct value *column = m ? compose_slice(o, m, last, k, k + 1, NULL) : NULL;
    column = compose_binary(o, OP_sub, column, e, NULL);
    return compose_binary(o, OP_sub, m, outer(o, column, row), NULL);
}

bool onnx_compose_inverse(struct onnx *o, struct draft *d)
{
    if (!compose_need_static(o, d, 0, -1))
        return false;
    const struct shape *s = &d->in[0]->shape;
    int64_t n = s->rank < 2 ? 0 : s->dims[s->rank - 1];
    if (n < 1 || s->dims[s->rank - 2] != n || n > MAX_ORDER)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "%s are no square matrices of at most %d rows",
                           shape_print(s, o->im.arena), MAX_ORDER);
    struct value *x = onnx_widened(o, d->in[0]);
    struct tensor *t = tensor_new(o->im.arena, x->dtype, s->rank, s->dims);
    for (int64_t i = 0; i < tensor_elems(t); i++)
        tensor_set(t, i, i / n % n == i % n);
    struct value *m = compose_concat(o, x, graph_add_constant(o->im.g, NULL, t), s->rank - 1, NULL);
    for (int64_t k = 0; m && k < n; k++)
        m = eliminated(o, m, n, k);
    return onnx_finish_as(o, d, m ? compose_slice(o, m, s->rank - 1, n, 2 * n, NULL) : NULL,
                          d->in[0]->dtype);
}

/* ---- texts that repeat ---- */

/* Scores of words that would end a run of `ngram_size` words which is there already become minus
   infinity. */
bool onnx_compose_ngram_repeat_block(struct onnx *o, struct draft *d)
{
    int64_t n;
    if (!compose_need_static(o, d, 0, 2) || !compose_need_static(o, d, 1, 2) ||
        !draft_take_int(o, d, "ngram_size", 0, &n))
        return false;
    int64_t length = d->in[0]->shape.dims[1], runs = length - n + 1;
    if (n < 1)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "ngram_size is %lld", (long long)n);
    if (runs < 1)
        return draft_finish(o, d, d->in[1]);
    struct value *words = d->in[0], *same = NULL;
    for (int64_t i = 0; i + 1 < n; i++) {
        struct value *there = compose_slice(o, words, 1, i, i + runs, NULL);
        int64_t end = length - n + 1 + i;
        struct value *here = compose_slice(o, words, 1, end, end + 1, NULL);
        struct value *is = compose_binary(o, OP_equal, there, here, NULL);
        same = same ? compose_binary(o, OP_and, same, is, NULL) : is;
    }
    const struct shape all = {.rank = 2, .dims = {d->in[0]->shape.dims[0], runs}};
    struct value *none = build_filled(&o->im, d->name, NULL, d->in[1]->dtype, &all, HUGE_VAL);
    struct value *never = build_filled(&o->im, d->name, NULL, d->in[1]->dtype, &all, -HUGE_VAL);
    struct value *choice[] = {same, never, none};
    struct value *in[] = {d->in[1], compose_slice(o, words, 1, n - 1, length, NULL), never};
    if (same && never && none)
        in[2] = build_op(&o->im, OP_where, d->name, choice, 3, NULL);
    if (!in[1] || !in[2])
        return false;
    struct node *node = build_begin(&o->im, OP_scatter_elements, d->name, in, 3, 1);
    struct scatter_elements_attrs *a = node->attrs;
    a->axis = 1;
    a->reduction = "min";
    return draft_finish(o, d, build_end1(&o->im, node, draft_output_name(d)));
}
