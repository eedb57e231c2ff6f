/*
 * Sums of weighted elements along several axes.  The weights of an element are products of one per
 * axis, so the sum can be made axis by axis; axes with few taps are done together, which needs no
 * intermediate result.  Integers are rounded to the nearest, ties to even, and saturate.
 */
#include "ir/ops/tables.h"

enum { MAX_TAPS = 8 }; /* of the axes done together, multiplied */

/* The axes first .. first + n - 1 of the operator's, from one buffer into the next. */
struct pass {
    struct lower *l;
    int from, to;
    size_t first, n;
    enum dtype acc;
    const int *axis;
    kval place[MAX_RANK][MAX_TAPS], weight[MAX_RANK][MAX_TAPS];
};

static int64_t taps_of(const struct node *n, size_t i)
{
    return n->in[1 + 2 * i]->shape.dims[1];
}

bool resample_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct resample_attrs *a = n->attrs;
    struct shape y = n->in[0]->shape;
    enum dtype acc = n->in[0]->dtype == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
    int axis[MAX_RANK];
    if (!ops_check_type(n, 0, TYPES_NUMBER, err) || !ops_check_static(n, 0, err) ||
        !tables_axes(n, &a->axes, 2, axis, err))
        return false;
    for (size_t i = 0; i < a->axes.n; i++) {
        size_t table = 1 + 2 * i;
        if (!ops_has_input(n, table + 1))
            return error_set(err, SHEAF_ERROR_SHAPE, "table %zu is left out", table + 1);
        if (!tables_check(n, table, 2, -1, y.dims[axis[i]], err) ||
            !ops_check_dims(n, table + 1, 2, n->in[table]->shape.dims, err) ||
            !ops_check_type(n, table + 1, 1u << acc, err))
            return false;
        if (taps_of(n, i) < 1)
            return error_set(err, SHEAF_ERROR_SHAPE, "table '%s' has no taps", n->in[table]->name);
        y.dims[axis[i]] = n->in[table]->shape.dims[0];
    }
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

/* Whether table i has a -1. */
static bool has_outside(const struct node *n, size_t i)
{
    const struct tensor *t = n->in[i]->constant;
    for (int64_t e = 0; e < tensor_elems(t); e++)
        if (tensor_get_int(t, e) < 0)
            return true;
    return false;
}

static kval load_tap(const struct pass *p, size_t table, int axis, const kval *out, kval tap)
{
    kval at[2] = {out[axis], tap};
    return kernel_load(p->l->kernel, p->l->in[table], at);
}

static kval load_place(const struct pass *p, size_t i, const kval *out, kval tap)
{
    return kernel_cast(p->l->kernel, DTYPE_I64, load_tap(p, 1 + 2 * i, p->axis[i], out, tap));
}

static kval load_element(const struct pass *p, const kval *in)
{
    struct kernel *k = p->l->kernel;
    const struct resample_attrs *a = p->l->node->attrs;
    bool leaves = false;
    for (size_t i = 0; i < p->n; i++)
        leaves |= has_outside(p->l->node, 1 + 2 * (p->first + i));
    kval outside = kernel_const(k, k->bufs[p->from].dtype, (double)a->outside);
    kval v = leaves ? kernel_load_or(k, p->from, in, outside) : kernel_load(k, p->from, in);
    return kernel_cast(k, p->acc, v);
}

/* The sum over the taps of the axes from `i` of the pass on. */
static kval sum_taps(const struct pass *p, size_t i, kval *in)
{
    struct kernel *k = p->l->kernel;
    if (i == p->n)
        return load_element(p, in);
    int axis = p->axis[p->first + i];
    kval sum = kernel_const(k, p->acc, 0);
    for (int64_t t = 0; t < taps_of(p->l->node, p->first + i); t++) {
        in[axis] = p->place[i][t];
        kval term = kernel_binary(k, KOP_MUL, p->weight[i][t], sum_taps(p, i + 1, in));
        sum = t ? kernel_binary(k, KOP_ADD, sum, term) : term;
    }
    return sum;
}

/* One axis with many taps. */
static kval reduce_taps(const struct pass *p, const kval *out, kval *in)
{
    struct kernel *k = p->l->kernel;
    kval taps = kernel_const_index(k, taps_of(p->l->node, p->first));
    kval zero = kernel_const(k, p->acc, 0), t, sum;
    int axis = p->axis[p->first];
    kernel_reduce_begin(k, KCOMBINE_ADD, 1, 1, &taps, 1, &zero, &t);
    in[axis] = load_place(p, p->first, out, t);
    kval weight = load_tap(p, 2 + 2 * p->first, axis, out, t);
    kval term = kernel_binary(k, KOP_MUL, weight, load_element(p, in));
    kernel_reduce_end(k, &term, &sum);
    return sum;
}

static void lower_pass(struct pass *p)
{
    struct kernel *k = p->l->kernel;
    kval out[MAX_RANK], in[MAX_RANK], v;
    ops_map_begin(k, p->to, out);
    for (int d = 0; d < k->bufs[p->to].rank; d++)
        in[d] = out[d];
    if (taps_of(p->l->node, p->first) > MAX_TAPS) {
        v = reduce_taps(p, out, in);
    } else {
        for (size_t i = 0; i < p->n; i++)
            for (int64_t t = 0; t < taps_of(p->l->node, p->first + i); t++) {
                kval tap = kernel_const_index(k, t);
                size_t weights = 2 + 2 * (p->first + i);
                p->place[i][t] = load_place(p, p->first + i, out, tap);
                p->weight[i][t] = load_tap(p, weights, p->axis[p->first + i], out, tap);
            }
        v = sum_taps(p, 0, in);
    }
    if (!dtype_is_float(k->bufs[p->to].dtype))
        v = kernel_unary(k, KOP_RINT, v);
    ops_store(k, p->to, out, v);
    ops_map_end(k, p->to);
}

void resample_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct resample_attrs *a = l->node->attrs;
    const struct kbuf x = k->bufs[l->in[0]];
    int axis[MAX_RANK];
    tables_axes(l->node, &a->axes, 2, axis, NULL);
    struct pass p = {.l = l, .from = l->in[0], .axis = axis};
    p.acc = x.dtype == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
    int64_t dims[MAX_RANK];
    for (int d = 0; d < x.rank; d++)
        dims[d] = x.dims[d];
    for (; p.first < a->axes.n; p.first += p.n) {
        int64_t taps = 1;
        p.n = 0;
        do {
            taps *= taps_of(l->node, p.first + p.n);
            dims[axis[p.first + p.n]] = l->node->in[1 + 2 * (p.first + p.n)]->shape.dims[0];
            p.n++;
        } while (p.first + p.n < a->axes.n && taps * taps_of(l->node, p.first + p.n) <= MAX_TAPS);
        bool last = p.first + p.n == a->axes.n;
        p.to = last ? l->out[0] : kernel_add_buf(k, "part", p.acc, KBUF_LOCAL, x.rank, dims);
        lower_pass(&p);
        p.from = p.to;
    }
    if (a->axes.n == 0)
        ops_copy(l);
}
