/*
 * Sums of products of quantized values, in integers.
 *
 *     sum (x - zx) (w - zw) = sum x (w - zw) - zx sum (w - zw)
 *
 * With constant w the second part is a constant per output channel and joins the bias, which counts
 * in units of sx * sw.  The operator's own padding is filled with zx, so that the formula holds at
 * the borders too.  A zero point of w goes into the weights where their type holds the difference.
 *
 * A float contraction becomes these sums and their dequantization.  Where it is quantized again
 * behind that, lower_quantized_sum.c takes the floats away.
 */
#include <math.h>
#include <string.h>

#include "ir/checked.h"
#include "ir/ops/common.h"
#include "ir/ops/window.h"
#include "ir/passes/lower_quantized.h"

/* ---- constant weights ---- */

/* Rows of a convolution's [M,inner] are its output channels; those of a matrix product's
   [batch * K,N] have one element for each. */
struct lq_weights {
    const struct tensor *t;
    const struct operand *from;
    bool rows_are_channels;
    int64_t n_rows, row; /* row: elements of each */
    int64_t depth;       /* K of a matrix product, else 1 */
    int64_t n_channels;
    int64_t n_sums;            /* different sums over all weights of a result: M, or batch * N */
    const int64_t *zero;       /* per channel */
    int64_t *plain, *absolute; /* n_sums of each, of weights less their zero points */
};

static int64_t channel_of(const struct lq_weights *w, int64_t row, int64_t column)
{
    return w->rows_are_channels ? row : column;
}

/* A weight less its zero point. */
static int64_t weight_at(const struct lq_weights *w, int64_t row, int64_t column)
{
    int64_t at = row * w->row + column;
    int64_t stored =
        w->t->dtype == DTYPE_I8 ? ((const int8_t *)w->t->data)[at] : tensor_get_int(w->t, at);
    return stored - w->zero[channel_of(w, row, column)];
}

static struct tensor *transposed(struct arena *a, const struct tensor *t)
{
    int64_t dims[2] = {t->dims[1], t->dims[0]};
    struct tensor *r = tensor_new(a, t->dtype, 2, dims);
    for (int64_t i = 0; i < dims[0]; i++)
        for (int64_t j = 0; j < dims[1]; j++)
            tensor_set_int(r, i * dims[1] + j, tensor_get_int(t, j * dims[0] + i));
    return r;
}

static void sum_weights(struct lowering *l, struct lq_weights *w)
{
    w->plain = arena_array(&l->scratch, (size_t)w->n_sums, sizeof(int64_t));
    w->absolute = arena_array(&l->scratch, (size_t)w->n_sums, sizeof(int64_t));
    for (int64_t i = 0; i < w->n_rows; i++) {
        int64_t first = w->rows_are_channels ? i : i / w->depth * w->row;
        for (int64_t j = 0; j < w->row; j++) {
            int64_t v = weight_at(w, i, j), at = w->rows_are_channels ? first : first + j;
            w->plain[at] += v;
            w->absolute[at] += v < 0 ? -v : v;
        }
    }
}

static struct lq_weights *read_weights(struct lowering *l, const struct contraction *c)
{
    struct lq_weights *w = arena_new(&l->scratch, struct lq_weights);
    const struct tensor *t = c->w.stored->constant;
    w->t = c->transposed ? transposed(l->g->arena, t) : t;
    w->from = &c->w;
    w->rows_are_channels = c->op == OP_conv_integer;
    w->row = w->t->dims[w->t->rank - 1];
    w->depth = w->t->dims[w->t->rank - 2];
    w->n_channels = w->row;
    if (w->rows_are_channels) {
        w->depth = 1;
        w->n_channels = w->t->dims[0];
        w->row = tensor_elems(w->t) / w->n_channels;
    }
    w->n_rows = tensor_elems(w->t) / w->row;
    w->n_sums = w->rows_are_channels ? w->n_channels : w->n_rows / w->depth * w->row;
    int64_t *zero = arena_array(&l->scratch, (size_t)w->n_channels, sizeof *zero);
    for (int64_t i = 0; i < w->n_channels; i++)
        zero[i] = lq_zero(&c->w, i);
    w->zero = zero;
    sum_weights(l, w);
    return w;
}

static bool has_zero_points(const struct operand *o)
{
    for (int64_t i = 0; o->zero && i < tensor_elems(o->zero); i++)
        if (tensor_get_int(o->zero, i))
            return true;
    return false;
}

/* Every weight less its zero point; NULL where the type does not hold one. */
static struct tensor *without_zero_points(struct arena *a, const struct lq_weights *w,
                                          enum dtype to)
{
    struct tensor *t = tensor_new(a, to, w->t->rank, w->t->dims);
    int64_t lo = dtype_int_min(to), hi = dtype_int_max(to);
    for (int64_t i = 0; i < w->n_rows; i++)
        for (int64_t j = 0; j < w->row; j++) {
            int64_t v = weight_at(w, i, j);
            if (v < lo || v > hi)
                return NULL;
            tensor_set_int(t, i * w->row + j, v);
        }
    return t;
}

/* The weights without zero points, where that is possible: *out_zero tells whether they keep
   them. */
static struct value *plain_weights(struct lowering *l, const struct lq_weights *w, bool *out_zero)
{
    struct value *stored = w->from->stored;
    enum dtype to = dtype_bits(stored->dtype) == 16 ? DTYPE_I16 : DTYPE_I8;
    const struct tensor *t = w->t;
    *out_zero = has_zero_points(w->from);
    if (*out_zero || stored->dtype != to) {
        const struct tensor *plain = without_zero_points(l->g->arena, w, to);
        *out_zero = !plain;
        t = plain ? plain : t;
    }
    return t == stored->constant ? stored : lq_constant(l, stored->name, t);
}

/* The largest absolute sum without bias. */
static int64_t largest_sum(const struct lq_weights *w, int64_t reach)
{
    int64_t largest = 0;
    for (int64_t i = 0; i < w->n_sums; i++)
        largest = w->absolute[i] > largest ? w->absolute[i] : largest;
    return checked_mul(largest, reach, &largest) ? largest : INT64_MAX;
}

static bool is_wide(const struct contraction *c)
{
    return dtype_bits(c->x.stored->dtype) == 16 || dtype_bits(c->w.stored->dtype) == 16;
}

/* Sums stay where a rescale's products with 20 bits and more fit in 64. */
static int64_t sum_limit(const struct contraction *c)
{
    return is_wide(c) ? (int64_t)1 << 42 : INT32_MAX;
}

static int64_t x_reach(const struct contraction *c)
{
    return lq_reach(c->x.stored->dtype, lq_zero(&c->x, 0));
}

/* ---- bias ---- */

static double unit_of(const struct contraction *c, int64_t channel)
{
    return c->factor * lq_scale(&c->x, 0) * lq_scale(&c->w, channel);
}

static double bias_at(const struct contraction *c, int64_t channel)
{
    double b = tensor_get(c->bias, tensor_elems(c->bias) == 1 ? 0 : channel);
    return c->bias_is_sum ? b : rint(b * c->bias_factor / unit_of(c, channel));
}

/* Puts the bias into k, where that is given; false where a sum with it may not fit. */
static bool add_bias(const struct contraction *c, int64_t reach, double *k)
{
    const struct lq_weights *w = c->weights;
    double limit = (double)sum_limit(c);
    for (int64_t i = 0; c->bias && i < w->n_sums; i++) {
        double b = bias_at(c, i % w->n_channels);
        if (!(fabs(b) + (double)w->absolute[i] * (double)reach <= limit))
            return false;
        if (k)
            k[i] = b;
    }
    return true;
}

/* ---- what cannot be done ---- */

/* Constant weights as the second operand: their sums are known. */
static bool has_plain_weights(const struct contraction *c)
{
    return value_is_constant(c->w.stored) && c->x_in == 0;
}

static int64_t products_bound(const struct contraction *c)
{
    const struct shape *x = &c->x.stored->shape;
    int64_t depth = x->dims[c->x_in == 0 || x->rank < 2 ? x->rank - 1 : x->rank - 2], bound;
    int64_t reach = x_reach(c) * lq_reach(c->w.stored->dtype, lq_zero(&c->w, 0));
    return checked_mul(depth, reach, &bound) ? bound : INT64_MAX;
}

static bool bias_fits_shape(const struct contraction *c, int64_t n_channels)
{
    if (!c->bias || tensor_elems(c->bias) == 1)
        return true;
    return tensor_elems(c->bias) == n_channels && c->bias->dims[c->bias->rank - 1] == n_channels;
}

static const char *weights_obstacle(struct lowering *l, struct contraction *c)
{
    const struct tensor *t = c->w.stored->constant;
    bool conv = c->op == OP_conv_integer;
    int axis = conv || c->transposed ? 0 : t->rank - 1;
    if (!tensor_elems(t) || t->rank < 2)
        return "the weights are no matrix";
    if (dtype_bits(t->dtype) > 16)
        return "the weights have more than 16 bits";
    if (!lq_is_per_tensor(&c->w) && c->w.axis != axis)
        return "the weights' scales do not belong to output channels";
    c->weights = read_weights(l, c);
    if (!bias_fits_shape(c, c->weights->n_channels))
        return "the bias is not one number per output channel";
    if (largest_sum(c->weights, x_reach(c)) > sum_limit(c) ||
        (c->bias_is_sum && !add_bias(c, x_reach(c), NULL)))
        return "sums may not fit in 32 bits";
    return NULL;
}

const char *lq_contraction_obstacle(struct lowering *l, const struct node *n, struct contraction *c)
{
    if (!lq_is_per_tensor(&c->x))
        return "the data has more than one scale";
    if (!lq_is_narrow(c->x.stored->dtype))
        return "the data has neither 8 nor 16 bits";
    if (n->out[0]->dtype == DTYPE_F16 || n->out[0]->dtype == DTYPE_BF16)
        return "the result is a 16-bit float";
    if (has_plain_weights(c))
        return weights_obstacle(l, c);
    if (c->op == OP_conv_integer)
        return "the weights are not constant";
    if (!lq_is_per_tensor(&c->w) || !lq_is_narrow(c->w.stored->dtype) || c->bias)
        return "the second operand has more than one scale";
    return products_bound(c) > sum_limit(c) ? "sums may not fit in 32 bits" : NULL;
}

/* ---- sums with constant weights on the right ---- */

static struct value *sums_node(struct lowering *l, const struct node *n,
                               const struct contraction *c, int64_t pad_value,
                               struct value *const *in, size_t n_in)
{
    struct node *m = lq_begin(l, c->op, n->name, n_in, in);
    if (c->op == OP_conv_integer) {
        const struct conv_attrs *conv = n->attrs;
        const struct qlinear_conv_attrs *qlinear = n->attrs;
        bool is_float = n->op == OP_conv;
        struct window_spec window =
            is_float ? WINDOW_SPEC(conv, false) : WINDOW_SPEC(qlinear, false);
        struct conv_integer_attrs *a = m->attrs;
        WINDOW_SET(a, &window);
        a->group = is_float ? conv->group : qlinear->group;
        a->pad_value = pad_value;
    }
    return lq_end(l, m, lq_name(l, n->out[0], "sums"));
}

/* One per output channel, in a shape that broadcasts to the sums. */
static struct value *offsets(struct lowering *l, const struct contraction *c,
                             const struct lq_weights *w, const double *k, const struct value *sums)
{
    int64_t dims[MAX_RANK] = {0};
    int rank = 0;
    if (c->op == OP_conv_integer) {
        rank = sums->shape.rank - 1;
        for (int d = 1; d < rank; d++)
            dims[d] = 1;
        dims[0] = w->n_channels;
    } else {
        /* A single row has no dimension of rows. */
        bool rows = c->x.stored->shape.rank > 1;
        for (int d = w->t->rank > 2 ? 0 : 1; d < w->t->rank; d++)
            if (rows || d != w->t->rank - 2)
                dims[rank++] = d == w->t->rank - 2 ? 1 : w->t->dims[d];
    }
    struct tensor *t = tensor_new(l->g->arena, sums->dtype, rank, dims);
    for (int64_t i = 0; i < w->n_sums; i++) {
        /* In 32 bits everything is meant modulo 2^32; the sum with it fits again. */
        int64_t v = (int64_t)k[i];
        tensor_set_int(t, i, sums->dtype == DTYPE_I32 ? (int32_t)(uint32_t)(uint64_t)v : v);
    }
    return lq_constant(l, lq_name(l, sums, "offset"), t);
}

static struct value *add_offsets(struct lowering *l, const struct contraction *c,
                                 const struct lq_weights *w, const double *k, struct value *sums,
                                 const struct value *y)
{
    bool any = false;
    for (int64_t i = 0; i < w->n_sums; i++)
        any |= k[i] != 0;
    if (!any)
        return sums;
    struct value *in[2] = {sums, offsets(l, c, w, k, sums)};
    return lq_op(l, OP_add, 2, in, lq_name(l, y, "total"));
}

/* Where the processor's dot product takes u8, data of 8 bits is that. */
static void use_unsigned_bytes(struct lowering *l, struct operand *x)
{
    const struct target *t = l->opt->target;
    if (!t || !t->unsigned_bytes || x->stored->dtype != DTYPE_I8 || value_is_constant(x->stored))
        return;
    struct tensor *zero = tensor_new(&l->scratch, DTYPE_I32, 0, NULL);
    tensor_set_int(zero, 0, lq_zero(x, 0) + 128);
    x->stored = lq_shift_zero(l, x->stored, 0, 128, DTYPE_U8, lq_name(l, x->stored, "u8"));
    x->zero = zero;
}

static struct value *zero_points(struct lowering *l, const struct operand *o)
{
    if (!has_zero_points(o))
        return NULL;
    int64_t n = tensor_elems(o->zero);
    struct tensor *t = tensor_new(l->g->arena, o->stored->dtype, n > 1, &n);
    for (int64_t i = 0; i < n; i++)
        tensor_set_int(t, i, tensor_get_int(o->zero, i));
    return lq_constant(l, lq_name(l, o->stored, "zero_point"), t);
}

static const double *units(struct lowering *l, const struct contraction *c, int64_t n)
{
    double *u = arena_array(&l->scratch, (size_t)n, sizeof *u);
    for (int64_t i = 0; i < n; i++)
        u[i] = unit_of(c, i);
    return u;
}

static int64_t bound_with(const struct lq_weights *w, int64_t reach, const double *bias)
{
    int64_t bound = 1;
    for (int64_t i = 0; i < w->n_sums; i++) {
        int64_t b = w->absolute[i] * reach + (int64_t)fabs(bias[i]);
        bound = b > bound ? b : bound;
    }
    return bound;
}

static struct sums sums_of_weights(struct lowering *l, const struct node *n,
                                   const struct contraction *given)
{
    struct contraction c = *given;
    int64_t reach = x_reach(&c);
    const struct lq_weights *w = c.weights;
    double *k = arena_array(&l->scratch, (size_t)w->n_sums, sizeof *k);
    bool late = !add_bias(&c, reach, k);
    for (int64_t i = 0; late && i < w->n_sums; i++)
        k[i] = 0;
    int64_t bound = bound_with(w, reach, k);

    use_unsigned_bytes(l, &c.x);
    int64_t zx = lq_zero(&c.x, 0);
    for (int64_t i = 0; i < w->n_sums; i++)
        k[i] -= (double)zx * (double)w->plain[i];
    bool keeps_zero;
    struct value *in[4] = {c.x.stored, plain_weights(l, w, &keeps_zero), NULL, NULL};
    if (keeps_zero)
        in[3] = zero_points(l, &c.w);
    struct value *sums = sums_node(l, n, &c, zx, in, in[3] ? 4 : 2);
    sums = add_offsets(l, &c, w, k, sums, n->out[0]);
    lq_set_bound(l, sums, bound);

    struct sums r = {.v = sums, .n = lq_is_per_tensor(&c.w) ? 1 : w->n_channels};
    r.scale = units(l, &c, r.n);
    r.axis = c.op == OP_conv_integer ? 1 : sums->shape.rank - 1;
    r.late_bias = late ? c.bias : NULL;
    return r;
}

/* ---- sums of two operands that are both computed, or with weights on the left ---- */

static struct sums sums_of_products(struct lowering *l, const struct node *n,
                                    const struct contraction *c)
{
    struct value *in[4];
    in[c->x_in] = c->x.stored;
    in[c->w_in] = c->w.stored;
    in[2 + c->x_in] = zero_points(l, &c->x);
    in[2 + c->w_in] = zero_points(l, &c->w);
    size_t n_in = in[3] ? 4 : in[2] ? 3 : 2;
    struct sums r = {.v = sums_node(l, n, c, 0, in, n_in), .n = 1, .scale = units(l, c, 1)};
    r.axis = r.v->shape.rank - 1;
    lq_set_bound(l, r.v, products_bound(c));
    return r;
}

struct sums lq_make_sums(struct lowering *l, const struct node *n, const struct contraction *c)
{
    if (has_plain_weights(c))
        return sums_of_weights(l, n, c);
    return sums_of_products(l, n, c);
}
