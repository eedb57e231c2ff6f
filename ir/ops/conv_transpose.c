/*
 * ConvTranspose-22: y[o] = sum over i, k with i * stride + k * dilation = o + pad of x[i] w[k], per
 * dimension.
 *
 * Outputs of one phase, o + pad = p modulo the stride, use the same taps: with g the greatest
 * common divisor of stride and dilation none where g does not divide p, else those with k = first
 * modulo stride / g, first = (p / g) / (dilation / g) in the ring modulo stride / g.  From tap to
 * tap i falls by dilation / g, from output to output of the phase it grows by 1: each phase is a
 * contraction.  Where there are very many phases (large strides) one contraction computes all
 * products of an element and a tap, and a map sums up those that meet in an output.
 */
#include "ir/checked.h"
#include "ir/ops/window.h"

/* Each is a contraction with code of its own. */
enum { MAX_PHASES = 64 };

struct geometry {
    struct window window;
    int64_t batch, groups, in_per_group, out_per_group;
    int64_t phases; /* at most MAX_PHASES + 1, which stands for more */
    /* per dimension, for the comment above */
    int64_t divisor[WINDOW_MAX_DIMS];  /* g */
    int64_t tap_step[WINDOW_MAX_DIMS]; /* stride / g */
    int64_t in_step[WINDOW_MAX_DIMS];  /* dilation / g */
    int64_t inverse[WINDOW_MAX_DIMS];  /* of in_step modulo tap_step */
};

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    return b ? greatest_divisor(b, a % b) : a;
}

/* x with a * x = 1 modulo m, by the extended Euclidean algorithm; a and m have no common divisor.
 */
static int64_t inverse_modulo(int64_t a, int64_t m)
{
    int64_t r0 = m, r1 = a % m, x0 = 0, x1 = 1;
    while (r1) {
        int64_t q = r0 / r1, r = r0 - q * r1, x = x0 - q * x1;
        r0 = r1;
        r1 = r;
        x0 = x1;
        x1 = x;
    }
    return ((x0 % m) + m) % m;
}

static int64_t count_phases(const struct window *w)
{
    int64_t phases = 1;
    for (int d = 0; d < w->n; d++) {
        if (w->stride[d] > MAX_PHASES || phases * w->stride[d] > MAX_PHASES)
            return MAX_PHASES + 1;
        phases *= w->stride[d];
    }
    return phases;
}

/* Products of all elements and taps have to fit. */
static bool check_products(const struct geometry *p, struct error *err)
{
    int64_t elems = p->batch * p->groups * p->out_per_group;
    for (int d = 0; d < p->window.n; d++)
        if (!checked_mul(elems, p->window.kernel[d], &elems) ||
            !checked_mul(elems, p->window.in[d], &elems) || elems > LIMIT_TENSOR_ELEMS)
            return error_set(err, SHEAF_ERROR_MEMORY, "there would be more than %lld products",
                             (long long)LIMIT_TENSOR_ELEMS);
    return true;
}

static bool plan(const struct node *n, struct geometry *out, struct error *err)
{
    const struct conv_transpose_attrs *a = n->attrs;
    if (!ops_check_static(n, 0, err) || !ops_check_static(n, 1, err))
        return false;
    const struct shape *xs = &n->in[0]->shape, *ws = &n->in[1]->shape;
    struct geometry p = {.batch = xs->rank ? xs->dims[0] : 0, .groups = a->group};
    if (ws->rank < 3)
        return error_set(err, SHEAF_ERROR_SHAPE, "weights '%s' have only %d dimensions",
                         n->in[1]->name, ws->rank);
    struct window_spec spec = WINDOW_SPEC(a, false);
    if (!ops_check_rank(n, 0, ws->rank, err) ||
        !window_compute_transposed(&spec, a->output_padding, a->output_shape, xs, ws->dims + 2,
                                   &p.window, err))
        return false;
    if (a->group < 1 || xs->dims[1] % a->group)
        return error_set(err, SHEAF_ERROR_SHAPE, "group %lld does not divide %lld input channels",
                         (long long)a->group, (long long)xs->dims[1]);
    if (ws->dims[0] != xs->dims[1])
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "the weights are for %lld input channels, the input has %lld",
                         (long long)ws->dims[0], (long long)xs->dims[1]);
    p.in_per_group = xs->dims[1] / a->group;
    p.out_per_group = ws->dims[1];
    int64_t channels;
    if (!checked_mul(p.groups, p.out_per_group, &channels) || channels > LIMIT_TENSOR_ELEMS ||
        !checked_mul(p.batch, channels, &channels) || channels > LIMIT_TENSOR_ELEMS)
        return error_set(err, SHEAF_ERROR_SHAPE, "%lld groups of %lld channels are too many",
                         (long long)p.groups, (long long)p.out_per_group);
    channels = p.groups * p.out_per_group;
    if (!ops_check_dims(n, 2, 1, &channels, err))
        return false;
    p.phases = count_phases(&p.window);
    if (p.phases > MAX_PHASES && !check_products(&p, err))
        return false;
    for (int d = 0; d < p.window.n; d++) {
        int64_t stride = p.window.stride[d], dilation = p.window.dilation[d];
        p.divisor[d] = greatest_divisor(stride, dilation);
        p.tap_step[d] = stride / p.divisor[d];
        p.in_step[d] = dilation / p.divisor[d];
        p.inverse[d] = inverse_modulo(p.in_step[d], p.tap_step[d]);
    }
    *out = p;
    return true;
}

bool conv_transpose_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct geometry p;
    for (size_t i = 0; i < n->n_in; i++)
        if (!ops_check_type(n, i, TYPES_FLOAT, err) || !ops_check_same_type(n, 0, i, err))
            return false;
    if (!plan(n, &p, err))
        return false;
    struct shape y = {.rank = 2 + p.window.n};
    y.dims[0] = p.batch;
    y.dims[1] = p.groups * p.out_per_group;
    for (int d = 0; d < p.window.n; d++)
        y.dims[2 + d] = p.window.out[d];
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

/* ---- phases as contractions ---- */

/* One dimension of a phase. */
struct phase {
    int64_t first_out, outs; /* o = first_out + q * stride, 0 <= q < outs */
    int64_t last_tap, taps;  /* k = last_tap - j * tap_step, 0 <= j < taps */
    int64_t first_in;        /* i = first_in + q + j * in_step */
};

static struct phase phase_of(const struct geometry *p, int d, int64_t first_out)
{
    const struct window *w = &p->window;
    int64_t at = first_out + w->pad_begin[d], g = p->divisor[d];
    struct phase f = {.first_out = first_out};
    if (first_out < w->out[d])
        f.outs = (w->out[d] - first_out + w->stride[d] - 1) / w->stride[d];
    if (at % g)
        return f;
    int64_t first = at / g % p->tap_step[d] * p->inverse[d] % p->tap_step[d];
    if (first < w->kernel[d])
        f.taps = (w->kernel[d] - first + p->tap_step[d] - 1) / p->tap_step[d];
    f.last_tap = first + (f.taps - 1) * p->tap_step[d];
    f.first_in = (at - f.last_tap * w->dilation[d]) / w->stride[d];
    return f;
}

static kval add_bias(struct lower *l, kval channel, kval v)
{
    struct kernel *k = l->kernel;
    if (!ops_has_input(l->node, 2))
        return v;
    return kernel_binary(k, KOP_ADD, v, ops_load(k, l->in[2], &channel));
}

/* The output at q of the phase. */
static void store_phase(struct lower *l, const struct geometry *p, const struct phase *phase,
                        kval batch, kval channel, const kval *q, kval v)
{
    struct kernel *k = l->kernel;
    kval out[MAX_RANK] = {batch, channel};
    for (int d = 0; d < p->window.n; d++)
        out[2 + d] =
            ops_add_const(k, ops_mul_const(k, q[d], p->window.stride[d]), phase[d].first_out);
    ops_store(k, l->out[0], out, add_bias(l, channel, v));
}

/* A phase that no tap reaches. */
static void fill_phase(struct lower *l, const struct geometry *p, const struct phase *phase)
{
    struct kernel *k = l->kernel;
    kval extent[MAX_RANK], idx[MAX_RANK];
    extent[0] = kernel_const_index(k, p->batch);
    extent[1] = kernel_const_index(k, p->groups * p->out_per_group);
    for (int d = 0; d < p->window.n; d++)
        extent[2 + d] = kernel_const_index(k, phase[d].outs);
    kernel_map_begin(k, 2 + p->window.n, extent, idx);
    kval zero = kernel_const(k, ops_compute_type(k->bufs[l->out[0]].dtype), 0);
    store_phase(l, p, phase, idx[0], idx[1], idx + 2, zero);
    kernel_map_end(k);
}

static void contract_phase(struct lower *l, const struct geometry *p, const struct phase *phase)
{
    struct kernel *k = l->kernel;
    const struct window *w = &p->window;
    int64_t extent[KREGION_MAX_DIMS];
    enum kiter kind[KREGION_MAX_DIMS];
    bool grouped = p->groups > 1, outside = false;
    int n = 0;
#define ITER(size, k) (extent[n] = (size), kind[n] = (k), n++)
    ITER(p->batch, KITER_M);
    if (grouped)
        ITER(p->groups, KITER_BATCH);
    ITER(p->out_per_group, KITER_N);
    for (int d = 0; d < w->n; d++)
        ITER(phase[d].outs, KITER_M);
    ITER(p->in_per_group, KITER_K);
    for (int d = 0; d < w->n; d++)
        ITER(phase[d].taps, KITER_K);
#undef ITER
    kval idx[KREGION_MAX_DIMS];
    enum dtype type = k->bufs[l->in[0]].dtype;
    for (int d = 0; d < w->n; d++) {
        int64_t most = phase[d].first_in + phase[d].outs - 1 + (phase[d].taps - 1) * p->in_step[d];
        outside |= phase[d].first_in < 0 || most >= w->in[d];
    }
    kval pad = outside ? kernel_const(k, type, 0) : 0;
    struct kcontract *c = kernel_contract_begin(k, ops_compute_type(type), n, extent, kind, idx);
    const kval *at = idx;
    kval batch = *at++, group = grouped ? *at++ : 0, channel = *at++;
    const kval *q = at, *in_channel = at + w->n, *j = in_channel + 1;
    c->a.buf = l->in[0];
    c->a.padded = outside;
    c->a.pad = pad;
    c->a.dim[0] = kaffine_var(batch, 1, 0);
    c->a.dim[1] = kaffine_var(*in_channel, 1, 0);
    c->b.buf = l->in[1];
    c->b.dim[0] = kaffine_var(*in_channel, 1, 0);
    c->b.dim[1] = kaffine_var(channel, 1, 0);
    if (grouped) {
        kaffine_add(&c->a.dim[1], group, p->in_per_group);
        kaffine_add(&c->b.dim[0], group, p->in_per_group);
    }
    for (int d = 0; d < w->n; d++) {
        c->a.dim[2 + d] = kaffine_var(q[d], 1, phase[d].first_in);
        kaffine_add(&c->a.dim[2 + d], j[d], p->in_step[d]);
        c->b.dim[2 + d] = kaffine_var(j[d], -p->tap_step[d], phase[d].last_tap);
    }
    kval v = kernel_contract_epilogue(k);
    if (grouped)
        channel = kernel_binary(k, KOP_ADD, ops_mul_const(k, group, p->out_per_group), channel);
    store_phase(l, p, phase, batch, channel, q, v);
    kernel_contract_end(k);
}

/* ---- all of them at once ---- */

static kval index_of(struct kernel *k, int64_t i)
{
    return kernel_const_index(k, i);
}

/* The place of taps [kernel..] in one dimension. */
static kval linear_tap(struct kernel *k, const struct window *w, const kval *tap)
{
    kval linear = tap[0];
    for (int d = 1; d < w->n; d++)
        linear = kernel_binary(k, KOP_ADD, ops_mul_const(k, linear, w->kernel[d]), tap[d]);
    return linear;
}

/* Sums over the input channels for each element of x and each tap: a local buffer [batch, channels,
   taps, in..].  Returns it. */
static int contract_taps(struct lower *l, const struct geometry *p)
{
    struct kernel *k = l->kernel;
    const struct window *w = &p->window;
    int64_t extent[KREGION_MAX_DIMS], dims[MAX_RANK] = {p->batch, p->groups * p->out_per_group, 1};
    enum kiter kind[KREGION_MAX_DIMS];
    kval idx[KREGION_MAX_DIMS];
    int n = 0;
#define ITER(size, k) (extent[n] = (size), kind[n] = (k), n++)
    ITER(p->batch, KITER_M);
    ITER(p->groups, KITER_BATCH);
    ITER(p->out_per_group, KITER_N);
    for (int d = 0; d < w->n; d++)
        ITER(w->kernel[d], KITER_N);
    for (int d = 0; d < w->n; d++)
        ITER(w->in[d], KITER_M);
    ITER(p->in_per_group, KITER_K);
#undef ITER
    for (int d = 0; d < w->n; d++) {
        dims[2] *= w->kernel[d];
        dims[3 + d] = w->in[d];
    }
    enum dtype acc = ops_compute_type(k->bufs[l->in[0]].dtype);
    int buf = kernel_add_buf(k, "taps", acc, KBUF_LOCAL, 3 + w->n, dims);
    struct kcontract *c = kernel_contract_begin(k, acc, n, extent, kind, idx);
    const kval *tap = idx + 3, *in = tap + w->n, *channel = in + w->n;
    c->a.buf = l->in[0];
    c->b.buf = l->in[1];
    c->a.dim[0] = kaffine_var(idx[0], 1, 0);
    c->a.dim[1] = c->b.dim[0] = kaffine_var(*channel, 1, 0);
    kaffine_add(&c->a.dim[1], idx[1], p->in_per_group);
    kaffine_add(&c->b.dim[0], idx[1], p->in_per_group);
    c->b.dim[1] = kaffine_var(idx[2], 1, 0);
    for (int d = 0; d < w->n; d++) {
        c->a.dim[2 + d] = kaffine_var(in[d], 1, 0);
        c->b.dim[2 + d] = kaffine_var(tap[d], 1, 0);
    }
    kval v = kernel_contract_epilogue(k);
    kval first = ops_mul_const(k, idx[1], p->out_per_group);
    kval out[MAX_RANK] = {idx[0], kernel_binary(k, KOP_ADD, first, idx[2])};
    out[2] = linear_tap(k, w, tap);
    for (int d = 0; d < w->n; d++)
        out[3 + d] = in[d];
    kernel_store(k, buf, out, v);
    kernel_contract_end(k);
    return buf;
}

/* One dimension of an output: the last tap that reaches it and the element of x that this is of;
   an element outside of x where there is none. */
static void find_tap(struct kernel *k, const struct geometry *p, int d, kval out, kval *tap,
                     kval *in)
{
    const struct window *w = &p->window;
    kval g = index_of(k, p->divisor[d]), steps = index_of(k, p->tap_step[d]);
    int64_t taps = (w->kernel[d] + p->tap_step[d] - 1) / p->tap_step[d];
    kval at = ops_add_const(k, out, w->pad_begin[d]);
    kval ring = kernel_binary(k, KOP_REM, kernel_binary(k, KOP_DIV, at, g), steps);
    kval first = kernel_binary(k, KOP_REM, ops_mul_const(k, ring, p->inverse[d]), steps);
    *tap = ops_add_const(k, first, (taps - 1) * p->tap_step[d]);
    kval from = kernel_binary(k, KOP_SUB, at, ops_mul_const(k, first, w->dilation[d]));
    /* The distance is a multiple of the stride, so that only the sign of `from` matters. */
    kval stride = index_of(k, w->stride[d]);
    kval of_first = kernel_binary(k, KOP_DIV, from, stride);
    *in = ops_add_const(k, of_first, -(taps - 1) * p->in_step[d]);
    if (p->divisor[d] == 1)
        return;
    kval rest = kernel_binary(k, KOP_REM, at, g);
    kval reached = kernel_compare(k, KOP_EQ, rest, index_of(k, 0));
    *in = kernel_select(k, reached, *in, index_of(k, w->in[d]));
}

/* Each output is the sum of the taps that reach it. */
static void sum_taps(struct lower *l, const struct geometry *p, int buf)
{
    struct kernel *k = l->kernel;
    const struct window *w = &p->window;
    enum dtype acc = k->bufs[buf].dtype;
    kval out[MAX_RANK], idx[MAX_RANK], n[WINDOW_MAX_DIMS], j[WINDOW_MAX_DIMS];
    kval last[WINDOW_MAX_DIMS], in[WINDOW_MAX_DIMS], tap[WINDOW_MAX_DIMS], sum;
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < w->n; d++) {
        find_tap(k, p, d, out[2 + d], &last[d], &in[d]);
        n[d] = index_of(k, (w->kernel[d] + p->tap_step[d] - 1) / p->tap_step[d]);
    }
    kval zero = kernel_const(k, acc, 0), outside = index_of(k, -1);
    kernel_reduce_begin(k, KCOMBINE_ADD, 1, w->n, n, 1, &zero, j);
    idx[0] = out[0];
    idx[1] = out[1];
    for (int d = 0; d < w->n; d++) {
        tap[d] = kernel_binary(k, KOP_SUB, last[d], ops_mul_const(k, j[d], p->tap_step[d]));
        kval at = kernel_binary(k, KOP_ADD, in[d], ops_mul_const(k, j[d], p->in_step[d]));
        kval exists = kernel_compare(k, KOP_LT, tap[d], index_of(k, w->kernel[d]));
        idx[3 + d] = kernel_select(k, exists, at, outside);
    }
    idx[2] = linear_tap(k, w, tap);
    kval v = kernel_load_or(k, buf, idx, zero);
    kernel_reduce_end(k, &v, &sum);
    ops_store(k, l->out[0], out, add_bias(l, out[1], sum));
    ops_map_end(k, l->out[0]);
}

void conv_transpose_lower(struct lower *l)
{
    struct geometry p;
    plan(l->node, &p, NULL);
    const struct window *w = &p.window;
    if (p.phases > MAX_PHASES) {
        sum_taps(l, &p, contract_taps(l, &p));
        return;
    }
    for (int64_t i = 0; i < p.phases; i++) {
        struct phase phase[WINDOW_MAX_DIMS];
        int64_t rest = i;
        bool empty = false, reached = true;
        for (int d = w->n - 1; d >= 0; d--) {
            phase[d] = phase_of(&p, d, rest % w->stride[d]);
            empty |= phase[d].outs == 0;
            reached &= phase[d].taps > 0;
            rest /= w->stride[d];
        }
        if (!empty && reached)
            contract_phase(l, &p, phase);
        else if (!empty)
            fill_phase(l, &p, phase);
    }
}
