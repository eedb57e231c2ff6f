/*
 * DeformConv-22: a convolution whose taps are displaced by `offset` and weighed by `mask`.
 *
 * The displaced elements, interpolated linearly between their neighbours (0 outside of x), are
 * written to a local buffer [batch, channels, kernel.., out..], which a contraction multiplies by
 * the weights.
 */
#include "ir/checked.h"
#include "ir/ops/window.h"

enum { X, W, OFFSET, BIAS, MASK };
enum { MAX_SPATIAL = (MAX_RANK - 2) / 2 }; /* the local buffer has two dimensions for each */

struct geometry {
    struct window window;
    int64_t batch, channels, groups, in_per_group, out_per_group;
    int64_t offset_groups, taps;
};

static bool check_channels(const struct node *n, struct geometry *p, struct error *err)
{
    const struct shape *xs = &n->in[X]->shape, *ws = &n->in[W]->shape;
    p->batch = xs->dims[0];
    p->channels = xs->dims[1];
    if (p->groups < 1 || p->channels % p->groups || ws->dims[0] % p->groups)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "group %lld does not divide %lld input and %lld output channels",
                         (long long)p->groups, (long long)p->channels, (long long)ws->dims[0]);
    if (p->offset_groups < 1 || p->channels % p->offset_groups)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "offset_group %lld does not divide %lld input channels",
                         (long long)p->offset_groups, (long long)p->channels);
    p->in_per_group = p->channels / p->groups;
    p->out_per_group = ws->dims[0] / p->groups;
    if (ws->dims[1] != p->in_per_group)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "the weights are for %lld input channels per group, the input has %lld",
                         (long long)ws->dims[1], (long long)p->in_per_group);
    return true;
}

static bool plan(const struct node *n, struct geometry *out, struct error *err)
{
    const struct deform_conv_attrs *a = n->attrs;
    struct window_spec spec = {"NOTSET", false, a->dilations, a->kernel_shape, a->pads, a->strides};
    struct geometry p = {.groups = a->group, .offset_groups = a->offset_group, .taps = 1};
    int rank = n->in[W]->shape.rank;
    if (rank < 3 || rank > 2 + MAX_SPATIAL)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "weights '%s' have %d dimensions where 3 to %d are "
                         "possible",
                         n->in[W]->name, rank, 2 + MAX_SPATIAL);
    if (!ops_check_rank(n, X, rank, err) || !check_channels(n, &p, err) ||
        !window_compute(&spec, &n->in[X]->shape, n->in[W]->shape.dims + 2, &p.window, err))
        return false;
    int64_t dims[MAX_RANK] = {p.batch}, elems = p.channels;
    for (int d = 0; d < p.window.n; d++) {
        p.taps *= p.window.kernel[d];
        dims[2 + d] = p.window.out[d];
        if (!checked_mul(elems, p.window.kernel[d], &elems) ||
            !checked_mul(elems, p.window.out[d], &elems) || elems > LIMIT_TENSOR_ELEMS)
            return error_set(err, SHEAF_ERROR_MEMORY, "there would be more than %lld taps",
                             (long long)LIMIT_TENSOR_ELEMS);
    }
    if (!checked_mul(elems, p.batch, &elems) || elems > LIMIT_TENSOR_ELEMS)
        return error_set(err, SHEAF_ERROR_MEMORY, "there would be more than %lld taps",
                         (long long)LIMIT_TENSOR_ELEMS);
    dims[1] = p.offset_groups * p.taps * p.window.n;
    if (!ops_check_dims(n, OFFSET, rank, dims, err) ||
        !ops_check_dims(n, BIAS, 1, n->in[W]->shape.dims, err))
        return false;
    dims[1] = p.offset_groups * p.taps;
    if (!ops_check_dims(n, MASK, rank, dims, err))
        return false;
    *out = p;
    return true;
}

bool deform_conv_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct geometry p;
    for (size_t i = 0; i < n->n_in; i++)
        if (!ops_check_type(n, i, TYPES_FLOAT, err) || !ops_check_same_type(n, X, i, err) ||
            !ops_check_static(n, i, err))
            return false;
    if (!plan(n, &p, err))
        return false;
    struct shape y = window_output_shape(&p.window, &n->in[X]->shape);
    y.dims[1] = n->in[W]->shape.dims[0];
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err);
}

/* ---- lower ---- */

/* idx: batch, channel, tap.., out..  The place of its row in `offset` (of dimension d) or `mask`.
 */
static void row_index(struct kernel *k, const struct geometry *p, const kval *idx, int d,
                      int per_tap, kval *out)
{
    const struct window *w = &p->window;
    kval group_size = kernel_const_index(k, p->channels / p->offset_groups);
    kval row = kernel_binary(k, KOP_DIV, idx[1], group_size);
    for (int i = 0; i < w->n; i++)
        row = kernel_binary(k, KOP_ADD, ops_mul_const(k, row, w->kernel[i]), idx[2 + i]);
    out[0] = idx[0];
    out[1] = ops_add_const(k, ops_mul_const(k, row, per_tap), d);
    for (int i = 0; i < w->n; i++)
        out[2 + i] = idx[2 + w->n + i];
}

/* x between its elements, at a position per dimension. */
static kval interpolate(struct lower *l, const struct geometry *p, const kval *idx,
                        const kval *position)
{
    struct kernel *k = l->kernel;
    int n = p->window.n;
    enum dtype type = k->bufs[l->in[X]].dtype, acc = ops_compute_type(type);
    kval first[MAX_SPATIAL], weight[MAX_SPATIAL][2], sum = 0;
    for (int d = 0; d < n; d++) {
        kval below = kernel_unary(k, KOP_FLOOR, position[d]);
        first[d] = kernel_cast(k, DTYPE_I64, below);
        weight[d][1] = kernel_binary(k, KOP_SUB, position[d], below);
        weight[d][0] = kernel_binary(k, KOP_SUB, kernel_const(k, acc, 1), weight[d][1]);
    }
    for (int corner = 0; corner < 1 << n; corner++) {
        kval at[MAX_RANK] = {idx[0], idx[1]}, share = 0;
        for (int d = 0; d < n; d++) {
            int far = corner >> (n - 1 - d) & 1;
            at[2 + d] = ops_add_const(k, first[d], far);
            share = share ? kernel_binary(k, KOP_MUL, share, weight[d][far]) : weight[d][far];
        }
        kval v = kernel_cast(k, acc, kernel_load_or(k, l->in[X], at, kernel_const(k, type, 0)));
        v = kernel_binary(k, KOP_MUL, v, share);
        sum = sum ? kernel_binary(k, KOP_ADD, sum, v) : v;
    }
    return sum;
}

/* Returns the local buffer. */
static int sample(struct lower *l, const struct geometry *p)
{
    struct kernel *k = l->kernel;
    const struct window *w = &p->window;
    enum dtype acc = ops_compute_type(k->bufs[l->in[X]].dtype);
    int64_t dims[MAX_RANK] = {p->batch, p->channels};
    for (int d = 0; d < w->n; d++) {
        dims[2 + d] = w->kernel[d];
        dims[2 + w->n + d] = w->out[d];
    }
    int buf = kernel_add_buf(k, "taps", acc, KBUF_LOCAL, 2 + 2 * w->n, dims);
    kval idx[MAX_RANK], row[MAX_RANK], position[MAX_SPATIAL];
    ops_map_begin(k, buf, idx);
    for (int d = 0; d < w->n; d++) {
        row_index(k, p, idx, d, w->n, row);
        kval at = window_position(k, w, d, idx[2 + w->n + d], idx[2 + d]);
        kval offset = ops_load(k, l->in[OFFSET], row);
        position[d] = kernel_binary(k, KOP_ADD, kernel_cast(k, acc, at), offset);
    }
    kval v = interpolate(l, p, idx, position);
    if (ops_has_input(l->node, MASK)) {
        row_index(k, p, idx, 0, 1, row);
        v = kernel_binary(k, KOP_MUL, v, ops_load(k, l->in[MASK], row));
    }
    kernel_store(k, buf, idx, v);
    ops_map_end(k, buf);
    return buf;
}

void deform_conv_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct geometry p;
    plan(l->node, &p, NULL);
    const struct window *w = &p.window;
    int taps = sample(l, &p), n = 0;
    int64_t extent[KREGION_MAX_DIMS];
    enum kiter kind[KREGION_MAX_DIMS];
    kval idx[KREGION_MAX_DIMS];
#define ITER(size, k) (extent[n] = (size), kind[n] = (k), n++)
    ITER(p.batch, KITER_M);
    ITER(p.groups, KITER_BATCH);
    ITER(p.out_per_group, KITER_N);
    for (int d = 0; d < w->n; d++)
        ITER(w->out[d], KITER_M);
    ITER(p.in_per_group, KITER_K);
    for (int d = 0; d < w->n; d++)
        ITER(w->kernel[d], KITER_K);
#undef ITER
    enum dtype acc = k->bufs[taps].dtype;
    struct kcontract *c = kernel_contract_begin(k, acc, n, extent, kind, idx);
    const kval *out = idx + 3, *channel = out + w->n, *tap = channel + 1;
    c->a.buf = taps;
    c->a.dim[0] = kaffine_var(idx[0], 1, 0);
    c->a.dim[1] = kaffine_var(*channel, 1, 0);
    kaffine_add(&c->a.dim[1], idx[1], p.in_per_group);
    c->b.buf = l->in[W];
    c->b.dim[0] = kaffine_var(idx[2], 1, 0);
    kaffine_add(&c->b.dim[0], idx[1], p.out_per_group);
    c->b.dim[1] = kaffine_var(*channel, 1, 0);
    for (int d = 0; d < w->n; d++) {
        c->a.dim[2 + d] = c->b.dim[2 + d] = kaffine_var(tap[d], 1, 0);
        c->a.dim[2 + w->n + d] = kaffine_var(out[d], 1, 0);
    }
    kval v = kernel_contract_epilogue(k);
    kval at[MAX_RANK] = {
        idx[0], kernel_binary(k, KOP_ADD, ops_mul_const(k, idx[1], p.out_per_group), idx[2])};
    for (int d = 0; d < w->n; d++)
        at[2 + d] = out[d];
    if (ops_has_input(l->node, BIAS))
        v = kernel_binary(k, KOP_ADD, v, ops_load(k, l->in[BIAS], &at[1]));
    ops_store(k, l->out[0], at, v);
    kernel_contract_end(k);
}
