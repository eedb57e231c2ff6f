/*
 * GridSample-22.  A sample is a weighted sum along each dimension in turn, the last one first.
 */
#include <string.h>

#include "ir/ops/common.h"

enum { X, GRID };
enum { SPATIAL = 2, MAX_TAPS = 4 };

static int find(const char *name, const char *const *names)
{
    int i = 0;
    while (names[i] && strcmp(names[i], name))
        i++;
    return i;
}

enum sampling { NEAREST, LINEAR, CUBIC, N_SAMPLINGS };
enum padding { ZEROS, BORDER, REFLECTION, N_PADDINGS };

static enum sampling sampling_of(const struct grid_sample_attrs *a)
{
    static const char *const names[] = {"nearest", "linear", "cubic", NULL};
    return (enum sampling)find(a->mode, names);
}

static enum padding padding_of(const struct grid_sample_attrs *a)
{
    static const char *const names[] = {"zeros", "border", "reflection", NULL};
    return (enum padding)find(a->padding_mode, names);
}

bool grid_sample_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct grid_sample_attrs *a = n->attrs;
    const struct shape *x = &n->in[X]->shape, *grid = &n->in[GRID]->shape;
    if (sampling_of(a) == N_SAMPLINGS)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "mode '%s' is not known", a->mode);
    if (padding_of(a) == N_PADDINGS)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "padding_mode '%s' is not known",
                         a->padding_mode);
    if (!ops_check_type(n, X, TYPES_FLOAT, err) || !ops_check_type(n, GRID, TYPES_FLOAT, err) ||
        !ops_check_static(n, X, err) || !ops_check_static(n, GRID, err) ||
        !ops_check_rank(n, GRID, x->rank, err))
        return false;
    if (x->rank <= SPATIAL || grid->dims[0] != x->dims[0] ||
        grid->dims[x->rank - 1] != x->rank - SPATIAL)
        return error_set(err, SHEAF_ERROR_SHAPE, "the grid '%s' does not suit '%s'",
                         n->in[GRID]->name, n->in[X]->name);
    struct shape y = {.rank = x->rank, .dims = {x->dims[0], x->dims[1]}};
    for (int d = SPATIAL; d < y.rank; d++) {
        y.dims[d] = grid->dims[d - 1];
        if (x->dims[d] == 0)
            return error_set(err, SHEAF_ERROR_SHAPE, "dimension %d has no elements", d);
    }
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err);
}

struct sampler {
    struct kernel *k;
    int x, rank;
    enum sampling sampling;
    enum padding padding;
    bool align;
    enum dtype type; /* of coordinates and sums */
    int taps;
    kval place[MAX_RANK][MAX_TAPS], weight[MAX_RANK][MAX_TAPS];
};

static kval number(const struct sampler *s, double v)
{
    return kernel_const_float(s->k, s->type, v);
}

static kval op(const struct sampler *s, enum kop op, kval a, kval b)
{
    return kernel_binary(s->k, op, a, b);
}

/* Back and forth between the borders, which are the outermost elements or their outer edges. */
static kval reflect(const struct sampler *s, kval v, int64_t extent)
{
    struct kernel *k = s->k;
    if (s->align && extent == 1)
        return number(s, 0);
    kval low = number(s, s->align ? 0 : -0.5);
    kval high = number(s, (double)extent - (s->align ? 1 : 0.5));
    kval span = number(s, (double)extent - s->align);
    kval from = kernel_unary(k, KOP_ABS, op(s, KOP_SUB, v, low));
    kval turns = kernel_unary(k, KOP_TRUNC, op(s, KOP_DIV, from, span));
    kval rest = op(s, KOP_SUB, from, op(s, KOP_MUL, turns, span));
    kval odd =
        kernel_binary(k, KOP_AND, kernel_cast(k, DTYPE_I64, turns), kernel_const_index(k, 1));
    kval there = op(s, KOP_ADD, low, rest), back = op(s, KOP_SUB, high, rest);
    kval folded = kernel_select(k, kernel_cast(k, DTYPE_BOOL, odd), back, there);
    kval above = kernel_compare(k, KOP_LE, low, v), below = kernel_compare(k, KOP_LE, v, high);
    return kernel_select(k, ops_and(k, above, below), v, folded);
}

/* Where -1 to 1 lies in `extent` elements. */
static kval coordinate(const struct sampler *s, kval v, int64_t extent)
{
    kval up = op(s, KOP_ADD, v, number(s, 1)), half = number(s, 0.5);
    if (s->align) {
        v = op(s, KOP_MUL, op(s, KOP_MUL, up, half), number(s, (double)(extent - 1)));
    } else {
        v = op(s, KOP_SUB, op(s, KOP_MUL, up, number(s, (double)extent)), number(s, 1));
        v = op(s, KOP_MUL, v, half);
    }
    if (s->sampling == NEAREST)
        v = kernel_unary(s->k, KOP_RINT, v);
    if (s->padding == BORDER && s->sampling != CUBIC) { /* of whose taps each is clamped */
        v = op(s, KOP_MAX, v, number(s, 0));            /* NaN becomes 0 */
        v = op(s, KOP_MIN, number(s, (double)(extent - 1)), v);
    }
    return s->padding == REFLECTION ? reflect(s, v, extent) : v;
}

/* The element that stands for place i; with zeros around it may lie outside. */
static kval element_at(const struct sampler *s, kval i, int64_t extent)
{
    struct kernel *k = s->k;
    if (s->padding == ZEROS)
        return i;
    if (s->padding == REFLECTION && extent > 1) {
        /* Mirrored at -0.5 or 0; a tap is no further outside than that. */
        kval below = kernel_compare(k, KOP_LT, i, kernel_const_index(k, 0));
        kval last = kernel_const_index(k, extent - 1);
        kval beyond = kernel_compare(k, KOP_LT, last, i);
        kval low = ops_add_const(k, kernel_unary(k, KOP_NEG, i), s->align ? 0 : -1);
        kval high = kernel_const_index(k, 2 * extent - (s->align ? 2 : 1));
        high = kernel_binary(k, KOP_SUB, high, i);
        i = kernel_select(k, below, low, kernel_select(k, beyond, high, i));
    }
    return ops_clamp_index(k, i, kernel_const_index(k, extent));
}

/* The cubic convolution kernel with a = -3/4 (Keys 1981), for 0 <= x <= 1 and for 1 <= x <= 2. */
static kval cubic_near(const struct sampler *s, kval x)
{
    kval v = op(s, KOP_SUB, op(s, KOP_MUL, number(s, 1.25), x), number(s, 2.25));
    return op(s, KOP_ADD, op(s, KOP_MUL, op(s, KOP_MUL, v, x), x), number(s, 1));
}

static kval cubic_far(const struct sampler *s, kval x)
{
    kval v = op(s, KOP_ADD, op(s, KOP_MUL, number(s, -0.75), x), number(s, 3.75));
    v = op(s, KOP_SUB, op(s, KOP_MUL, v, x), number(s, 6));
    return op(s, KOP_ADD, op(s, KOP_MUL, v, x), number(s, 3));
}

static void plan_taps(struct sampler *s, int d, kval v, int64_t extent)
{
    struct kernel *k = s->k;
    kval base = s->sampling == NEAREST ? v : kernel_unary(k, KOP_FLOOR, v);
    kval first = kernel_cast(k, DTYPE_I64, base);
    for (int t = 0; t < s->taps; t++) {
        kval at = ops_add_const(k, first, s->sampling == CUBIC ? t - 1 : t);
        s->place[d][t] = element_at(s, at, extent);
    }
    if (s->sampling == NEAREST)
        return;
    kval x = op(s, KOP_SUB, v, base), rest = op(s, KOP_SUB, number(s, 1), x);
    if (s->sampling == LINEAR) {
        s->weight[d][0] = rest;
        s->weight[d][1] = x;
        return;
    }
    s->weight[d][0] = cubic_far(s, op(s, KOP_ADD, x, number(s, 1)));
    s->weight[d][1] = cubic_near(s, x);
    s->weight[d][2] = cubic_near(s, rest);
    s->weight[d][3] = cubic_far(s, op(s, KOP_ADD, rest, number(s, 1)));
}

static kval sum_taps(const struct sampler *s, int d, kval *at)
{
    struct kernel *k = s->k;
    enum dtype stored = k->bufs[s->x].dtype;
    if (d == s->rank) {
        kval v = s->padding == ZEROS ? kernel_load_or(k, s->x, at, kernel_const(k, stored, 0))
                                     : kernel_load(k, s->x, at);
        return s->sampling == NEAREST ? v : kernel_cast(k, s->type, v);
    }
    kval sum = 0;
    for (int t = 0; t < s->taps; t++) {
        at[d] = s->place[d][t];
        kval v = sum_taps(s, d + 1, at);
        if (s->sampling == NEAREST)
            return v;
        kval term = op(s, KOP_MUL, s->weight[d][t], v);
        sum = t ? op(s, KOP_ADD, sum, term) : term;
    }
    return sum;
}

void grid_sample_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct grid_sample_attrs *a = l->node->attrs;
    const struct kbuf x = k->bufs[l->in[X]];
    struct sampler s = {.k = k,
                        .x = l->in[X],
                        .rank = x.rank,
                        .sampling = sampling_of(a),
                        .padding = padding_of(a),
                        .align = a->align_corners != 0};
    bool wide = x.dtype == DTYPE_F64 || k->bufs[l->in[GRID]].dtype == DTYPE_F64;
    s.type = wide ? DTYPE_F64 : DTYPE_F32;
    s.taps = s.sampling == NEAREST ? 1 : s.sampling == LINEAR ? 2 : MAX_TAPS;
    kval out[MAX_RANK], at[MAX_RANK], from[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    from[0] = out[0];
    for (int d = SPATIAL; d < x.rank; d++)
        from[d - 1] = out[d];
    for (int d = SPATIAL; d < x.rank; d++) {
        from[x.rank - 1] = kernel_const_index(k, x.rank - 1 - d);
        kval v = kernel_cast(k, s.type, kernel_load(k, l->in[GRID], from));
        plan_taps(&s, d, coordinate(&s, v, x.dims[d]), x.dims[d]);
    }
    at[0] = out[0];
    at[1] = out[1];
    ops_store(k, l->out[0], out, sum_taps(&s, SPATIAL, at));
    ops_map_end(k, l->out[0]);
}
