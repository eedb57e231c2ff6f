#include <assert.h>
#include <math.h>

#include "ir/ops/common.h"

enum dtype ops_compute_type(enum dtype t)
{
    return t == DTYPE_F16 || t == DTYPE_BF16 ? DTYPE_F32 : t;
}

kval ops_load(struct kernel *k, int buf, const kval *idx)
{
    enum dtype t = k->bufs[buf].dtype;
    return kernel_cast(k, ops_compute_type(t), kernel_load(k, buf, idx));
}

void ops_store(struct kernel *k, int buf, const kval *idx, kval v)
{
    kernel_store(k, buf, idx, kernel_cast(k, k->bufs[buf].dtype, v));
}

kval ops_load_scalar(struct kernel *k, int buf)
{
    kval idx[MAX_RANK];
    for (int d = 0; d < k->bufs[buf].rank; d++)
        idx[d] = kernel_const_index(k, 0);
    return ops_load(k, buf, idx);
}

void ops_broadcast_index(struct kernel *k, int buf, int rank, const kval *idx, kval *out)
{
    int own = k->bufs[buf].rank;
    for (int d = 0; d < own; d++) {
        bool one = k->bufs[buf].dims[d] == 1 && k->bufs[buf].extent_buf[d] < 0;
        out[d] = one ? kernel_const_index(k, 0) : idx[rank - own + d];
    }
}

kval ops_load_broadcast(struct kernel *k, int buf, int rank, const kval *idx)
{
    kval at[MAX_RANK];
    ops_broadcast_index(k, buf, rank, idx, at);
    return ops_load(k, buf, at);
}

void ops_map_begin(struct kernel *k, int buf, kval *out_index)
{
    int rank = k->bufs[buf].rank;
    if (!rank)
        return;
    kval extent[MAX_RANK];
    for (int d = 0; d < rank; d++)
        extent[d] = kernel_extent(k, buf, d);
    kernel_map_begin(k, rank, extent, out_index);
}

void ops_map_end(struct kernel *k, int buf)
{
    if (k->bufs[buf].rank)
        kernel_map_end(k);
}

void ops_map_unary(struct lower *l, kval (*fn)(struct lower *, kval x))
{
    kval idx[MAX_RANK];
    ops_map_begin(l->kernel, l->out[0], idx);
    ops_store(l->kernel, l->out[0], idx, fn(l, ops_load(l->kernel, l->in[0], idx)));
    ops_map_end(l->kernel, l->out[0]);
}

void ops_map_fold(struct lower *l, kval (*fn)(struct lower *, kval a, kval b))
{
    struct kernel *k = l->kernel;
    int rank = k->bufs[l->out[0]].rank;
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval acc = ops_load_broadcast(k, l->in[0], rank, idx);
    for (size_t i = 1; i < l->node->n_in; i++)
        acc = fn(l, acc, ops_load_broadcast(k, l->in[i], rank, idx));
    ops_store(k, l->out[0], idx, acc);
    ops_map_end(k, l->out[0]);
}

kval ops_add_const(struct kernel *k, kval a, int64_t c)
{
    return c ? kernel_binary(k, KOP_ADD, a, kernel_const_index(k, c)) : a;
}

kval ops_mul_const(struct kernel *k, kval a, int64_t c)
{
    return c != 1 ? kernel_binary(k, KOP_MUL, a, kernel_const_index(k, c)) : a;
}

kval ops_and(struct kernel *k, kval a, kval b)
{
    if (!a || !b)
        return a ? a : b;
    return kernel_binary(k, KOP_AND, a, b);
}

void ops_unflatten(struct kernel *k, kval linear, int rank, const int64_t *dims, kval *out)
{
    for (int d = rank - 1; d > 0; d--) {
        kval n = kernel_const_index(k, dims[d]);
        out[d] = dims[d] == 1 ? kernel_const_index(k, 0) : kernel_binary(k, KOP_REM, linear, n);
        linear = dims[d] == 1 ? linear : kernel_binary(k, KOP_DIV, linear, n);
    }
    if (rank)
        out[0] = linear;
}

kval ops_clamp_index(struct kernel *k, kval i, kval extent)
{
    kval zero = kernel_const_index(k, 0), last = ops_add_const(k, extent, -1);
    return kernel_binary(k, KOP_MAX, zero, kernel_binary(k, KOP_MIN, i, last));
}

kval ops_load_index(struct kernel *k, int buf, const kval *idx, kval extent)
{
    kval i = kernel_cast(k, DTYPE_I64, kernel_load(k, buf, idx));
    kval negative = kernel_compare(k, KOP_LT, i, kernel_const_index(k, 0));
    i = kernel_select(k, negative, kernel_binary(k, KOP_ADD, i, extent), i);
    return ops_clamp_index(k, i, extent);
}

int ops_add_zeros(struct kernel *k, const char *name, int rank, const int64_t *dims)
{
    int buf = kernel_add_buf(k, name, DTYPE_I64, KBUF_LOCAL, rank, dims);
    kval idx[MAX_RANK];
    ops_map_begin(k, buf, idx);
    kernel_store(k, buf, idx, kernel_const_index(k, 0));
    ops_map_end(k, buf);
    return buf;
}

void ops_copy(struct lower *l)
{
    struct kernel *k = l->kernel;
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kernel_store(k, l->out[0], idx, kernel_load(k, l->in[0], idx));
    ops_map_end(k, l->out[0]);
}

kval ops_lowest(struct kernel *k, enum dtype t)
{
    return dtype_is_float(t) ? kernel_const_float(k, t, -INFINITY)
                             : kernel_const_int(k, t, dtype_int_min(t));
}

kval ops_highest(struct kernel *k, enum dtype t)
{
    if (dtype_is_float(t))
        return kernel_const_float(k, t, INFINITY);
    return kernel_const_int(k, t, t == DTYPE_U64 ? -1 : dtype_int_max(t));
}

kval ops_is_nan(struct kernel *k, kval x)
{
    return kernel_compare(k, KOP_NE, x, x);
}

kval ops_extreme(struct kernel *k, enum kop op, kval a, kval b)
{
    kval r = kernel_binary(k, op, a, b);
    if (!dtype_is_float(kernel_inst(k, a)->type))
        return r;
    /* The instruction gives b where either is NaN, so only a NaN in a needs a choice. */
    return kernel_select(k, ops_is_nan(k, a), a, r);
}

int ops_reduce_lanes(const struct kbuf *buf, int axis)
{
    return axis == buf->rank - 1 && buf->dims[axis] >= 32 ? 16 : 1;
}

/* ---- the same elements in another shape ---- */

static bool is_dynamic(const struct kbuf *b)
{
    for (int d = 0; d < b->rank; d++)
        if (b->extent_buf[d] >= 0)
            return true;
    return false;
}

static bool is_unit(const struct kbuf *b, int d)
{
    return b->dims[d] == 1 && b->extent_buf[d] < 0;
}

void ops_unflatten_in(struct kernel *k, kval linear, int buf, kval *out)
{
    const struct kbuf b = k->bufs[buf];
    for (int d = b.rank - 1; d > 0; d--) {
        if (is_unit(&b, d)) {
            out[d] = kernel_const_index(k, 0);
            continue;
        }
        kval n = kernel_extent(k, buf, d);
        out[d] = kernel_binary(k, KOP_REM, linear, n);
        linear = kernel_binary(k, KOP_DIV, linear, n);
    }
    if (b.rank)
        out[0] = linear;
}

kval ops_elems(struct kernel *k, int buf)
{
    kval elems = kernel_const_index(k, 1);
    for (int d = 0; d < k->bufs[buf].rank; d++) {
        kval extent = kernel_extent(k, buf, d);
        elems = kernel_binary(k, KOP_MUL, elems, extent);
    }
    return elems;
}

/* Extents that do not fit together, which are the caller's fault, read inside of the input. */
void ops_copy_flat(struct lower *l)
{
    struct kernel *k = l->kernel;
    if (!is_dynamic(&k->bufs[l->in[0]]) && !is_dynamic(&k->bufs[l->out[0]])) {
        ops_copy_linear(l);
        return;
    }
    kval out[MAX_RANK], in[MAX_RANK], linear = kernel_const_index(k, 0);
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < k->bufs[l->out[0]].rank; d++) {
        kval extent = kernel_extent(k, l->out[0], d);
        linear = d ? kernel_binary(k, KOP_MUL, linear, extent) : linear;
        linear = kernel_binary(k, KOP_ADD, linear, out[d]);
    }
    kval elems = ops_elems(k, l->in[0]);
    linear = ops_clamp_index(k, linear, elems);
    ops_unflatten_in(k, linear, l->in[0], in);
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[0], in));
    ops_map_end(k, l->out[0]);
}

/* Dimensions of the input that have as many elements as those of the output. */
struct copy_group {
    int in_first, in_n, out_first, out_n;
    bool by_in; /* the input's dimensions give the loops, else the output's */
};

/*
 * Cuts both shapes into groups of dimensions with equal numbers of elements, as small as possible;
 * dimensions of extent 1 belong to no group.
 */
static int copy_groups(const struct kbuf *in, const struct kbuf *out, struct copy_group *group)
{
    int n = 0, i = 0, o = 0, loops = 0;
    for (;;) {
        while (i < in->rank && is_unit(in, i))
            i++;
        while (o < out->rank && is_unit(out, o))
            o++;
        if (i == in->rank || o == out->rank)
            return n;
        struct copy_group g = {.in_first = i, .out_first = o};
        int64_t in_elems = in->dims[i++], out_elems = out->dims[o++];
        while (in_elems != out_elems) {
            if (in_elems < out_elems)
                in_elems *= in->dims[i++];
            else
                out_elems *= out->dims[o++];
        }
        g.in_n = i - g.in_first;
        g.out_n = o - g.out_first;
        g.by_in = g.out_n == 1 && loops + g.in_n + (out->rank - o) <= KREGION_MAX_DIMS;
        loops += g.by_in ? g.in_n : g.out_n;
        group[n++] = g;
    }
}

static kval join_linear(struct kernel *k, const struct kbuf *b, int first, int n, const kval *idx)
{
    kval linear = idx[first];
    for (int d = first + 1; d < first + n; d++)
        linear = kernel_binary(k, KOP_ADD, ops_mul_const(k, linear, b->dims[d]), idx[d]);
    return linear;
}

/*
 * In each group the side with more dimensions gives the loops, so that the other side's index is an
 * affine function of them; only a regrouping of several dimensions into several others divides.
 */
void ops_copy_linear(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct kbuf in = k->bufs[l->in[0]], out = k->bufs[l->out[0]];
    kval zero = kernel_const_index(k, 0);
    kval in_idx[MAX_RANK], out_idx[MAX_RANK];
    for (int d = 0; d < in.rank; d++) {
        if (in.dims[d] == 0)
            return;
        in_idx[d] = zero;
    }
    for (int d = 0; d < out.rank; d++)
        out_idx[d] = zero;

    struct copy_group group[MAX_RANK];
    int n_groups = copy_groups(&in, &out, group);
    kval extent[KREGION_MAX_DIMS], idx[KREGION_MAX_DIMS];
    int n = 0;
    for (int i = 0; i < n_groups; i++) {
        const struct copy_group *g = &group[i];
        for (int d = 0; d < (g->by_in ? g->in_n : g->out_n); d++)
            extent[n++] = g->by_in ? kernel_extent(k, l->in[0], g->in_first + d)
                                   : kernel_extent(k, l->out[0], g->out_first + d);
    }
    if (n)
        kernel_map_begin(k, n, extent, idx);
    int next = 0;
    for (int i = 0; i < n_groups; i++) {
        const struct copy_group *g = &group[i];
        if (g->by_in) {
            for (int d = 0; d < g->in_n; d++)
                in_idx[g->in_first + d] = idx[next++];
            out_idx[g->out_first] = join_linear(k, &in, g->in_first, g->in_n, in_idx);
            continue;
        }
        for (int d = 0; d < g->out_n; d++)
            out_idx[g->out_first + d] = idx[next++];
        kval linear = join_linear(k, &out, g->out_first, g->out_n, out_idx);
        ops_unflatten(k, linear, g->in_n, in.dims + g->in_first, in_idx + g->in_first);
    }
    kernel_store(k, l->out[0], out_idx, kernel_load(k, l->in[0], in_idx));
    if (n)
        kernel_map_end(k);
}
