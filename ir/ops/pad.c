/*
 * Pad-25: constant (with an optional value), edge, reflect, wrap.  Negative pads cut off.  In
 * reflect mode a pad may be longer than the dimension: the reflection goes back and forth.
 */
#include <string.h>

#include "ir/checked.h"
#include "ir/ops/common.h"

enum { X, PADS, VALUE, AXES, BOUNDS, EXTENTS };
enum pad_mode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP };

struct pad_plan {
    enum pad_mode mode;
    int64_t before[MAX_RANK], after[MAX_RANK];
};

static bool pad_mode_of(const struct node *n, enum pad_mode *out, struct error *err)
{
    static const char *const names[] = {"constant", "edge", "reflect", "wrap"};
    const struct pad_attrs *a = n->attrs;
    int mode = 0;
    while (mode < 4 && strcmp(a->mode, names[mode]))
        mode++;
    if (mode == 4)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "mode '%s' is not known", a->mode);
    *out = (enum pad_mode)mode;
    return true;
}

static bool plan_pad(const struct node *n, struct pad_plan *out, struct error *err)
{
    const struct shape *x = &n->in[X]->shape;
    struct pad_plan p = {.mode = PAD_CONSTANT};
    if (!pad_mode_of(n, &p.mode, err))
        return false;
    int64_t pads[2 * MAX_RANK], axes[MAX_RANK];
    size_t n_pads, n_axes = (size_t)x->rank;
    for (int d = 0; d < x->rank; d++)
        axes[d] = d;
    bool seen[MAX_RANK];
    if (ops_has_input(n, AXES) && !ops_const_ints(n, AXES, "axes", MAX_RANK, axes, &n_axes, err))
        return false;
    if (!ops_axes(axes, n_axes, x->rank, seen, err) ||
        !ops_const_ints(n, PADS, "pads", 2 * MAX_RANK, pads, &n_pads, err))
        return false;
    if (n_pads != 2 * n_axes)
        return error_set(err, SHEAF_ERROR_SHAPE, "%zu pads for %zu dimensions", n_pads, n_axes);
    for (size_t i = 0; i < n_axes; i++) {
        int d;
        ops_axis(axes[i], x->rank, &d, NULL);
        p.before[d] = pads[i];
        p.after[d] = pads[n_axes + i];
    }
    *out = p;
    return true;
}

static bool infer_given(struct node *n, struct error *err)
{
    int64_t bounds[MAX_RANK];
    const struct shape *x = &n->in[X]->shape, *pads = &n->in[PADS]->shape;
    size_t rank;
    struct shape y;
    enum pad_mode mode;
    if (!pad_mode_of(n, &mode, err) ||
        !ops_const_ints(n, BOUNDS, "bounds", MAX_RANK, bounds, &rank, err) ||
        !ops_check_rank(n, X, (int)rank, err) || !ops_stated_shape(rank, bounds, &y, err) ||
        !ops_check_type(n, PADS, TYPE(I64), err) || !ops_check_rank(n, PADS, 1, err) ||
        !ops_given_extents(n, EXTENTS, &y, err))
        return false;
    if (pads->extent[0] || pads->dims[0] != y.rank || ops_has_input(n, AXES))
        return error_set(err, SHEAF_ERROR_SHAPE, "'%s' is no pad before each dimension",
                         n->in[PADS]->name);
    if (mode != PAD_CONSTANT && shape_elems(x) == 0 && shape_elems(&y) > 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "there is no element to repeat");
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err);
}

bool pad_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct pad_plan p;
    if (!ops_check_same_type(n, X, VALUE, err))
        return false;
    if (ops_has_input(n, VALUE) && shape_elems(&n->in[VALUE]->shape) != 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "the padding value '%s' has %lld elements",
                         n->in[VALUE]->name, (long long)shape_elems(&n->in[VALUE]->shape));
    if (n->n_in > BOUNDS)
        return infer_given(n, err);
    if (!ops_check_static(n, X, err) || !plan_pad(n, &p, err))
        return false;
    struct shape y = n->in[X]->shape;
    for (int d = 0; d < y.rank; d++) {
        int64_t extent = y.dims[d];
        if (!checked_add(y.dims[d], p.before[d], &y.dims[d]) ||
            !checked_add(y.dims[d], p.after[d], &y.dims[d]) || y.dims[d] < 0 ||
            p.before[d] > LIMIT_TENSOR_ELEMS || p.before[d] < -LIMIT_TENSOR_ELEMS)
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "pads %lld and %lld do not suit %lld elements in dimension %d",
                             (long long)p.before[d], (long long)p.after[d], (long long)extent, d);
        if (p.mode != PAD_CONSTANT && extent == 0 && y.dims[d] > 0)
            return error_set(err, SHEAF_ERROR_SHAPE, "dimension %d has no element to repeat", d);
    }
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err);
}

/* The remainder of i by `period` that is not negative. */
static kval positive_rem(struct kernel *k, kval i, kval period)
{
    kval r = kernel_binary(k, KOP_ADD, kernel_binary(k, KOP_REM, i, period), period);
    return kernel_binary(k, KOP_REM, r, period);
}

/* Where position i of a dimension with `extent` elements takes its value. */
static kval source_index(struct kernel *k, enum pad_mode mode, kval i, kval extent)
{
    if (mode == PAD_EDGE)
        return ops_clamp_index(k, i, extent);
    kval one = kernel_const_index(k, 1), twice = ops_add_const(k, extent, -1);
    twice = ops_mul_const(k, twice, 2);
    kval period = mode == PAD_WRAP ? extent : twice;
    period = kernel_binary(k, KOP_MAX, period, one);
    kval r = positive_rem(k, i, period);
    if (mode == PAD_WRAP)
        return r;
    kval mirrored = kernel_binary(k, KOP_SUB, twice, r);
    return kernel_binary(k, KOP_MIN, r, mirrored);
}

static kval surrounding(struct lower *l)
{
    struct kernel *k = l->kernel;
    kval zero[MAX_RANK];
    for (int d = 0; d < MAX_RANK; d++)
        zero[d] = kernel_const_index(k, 0);
    return ops_has_input(l->node, VALUE) ? kernel_load(k, l->in[VALUE], zero)
                                         : kernel_const(k, k->bufs[l->in[X]].dtype, 0);
}

/* What is taken at `in`: an element of x, or the value that surrounds it. */
static void store_at(struct lower *l, enum pad_mode mode, const kval *in, const kval *out)
{
    struct kernel *k = l->kernel;
    kval v = mode != PAD_CONSTANT ? kernel_load(k, l->in[X], in) : surrounding(l);
    if (mode == PAD_CONSTANT)
        v = kernel_load_or(k, l->in[X], in, v);
    kernel_store(k, l->out[0], out, v);
}

/* The same for x that may have no element at all, so that none can be read in vain. */
static void store_inside(struct lower *l, const kval *in, const kval *out)
{
    struct kernel *k = l->kernel;
    kval zero = kernel_const_index(k, 0), inside = 0, v = surrounding(l);
    for (int d = 0; d < k->bufs[l->in[X]].rank; d++) {
        kval extent = kernel_extent(k, l->in[X], d);
        inside = ops_and(k, inside, kernel_compare(k, KOP_LE, zero, in[d]));
        inside = ops_and(k, inside, kernel_compare(k, KOP_LT, in[d], extent));
    }
    kernel_if_begin(k, inside);
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[X], in));
    kernel_if_else(k, 0, NULL);
    kernel_store(k, l->out[0], out, v);
    kernel_if_end(k, 0, NULL, NULL);
}

static void lower_given(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct value *pads = l->node->in[PADS];
    enum pad_mode mode = PAD_CONSTANT;
    int rank = k->bufs[l->in[X]].rank;
    kval before[MAX_RANK], out[MAX_RANK], in[MAX_RANK];
    pad_mode_of(l->node, &mode, NULL);
    for (int d = 0; d < rank; d++) {
        kval at = kernel_const_index(k, d);
        before[d] = value_is_constant(pads)
                        ? kernel_const_index(k, tensor_get_int(pads->constant, d))
                        : kernel_load(k, l->in[PADS], &at);
    }
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < rank; d++) {
        in[d] = kernel_binary(k, KOP_SUB, out[d], before[d]);
        kval extent = kernel_extent(k, l->in[X], d);
        if (mode != PAD_CONSTANT)
            in[d] = source_index(k, mode, in[d], extent);
    }
    if (mode == PAD_CONSTANT && !shape_is_static(&l->node->in[X]->shape))
        store_inside(l, in, out);
    else
        store_at(l, mode, in, out);
    ops_map_end(k, l->out[0]);
}

void pad_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct kbuf x = k->bufs[l->in[X]];
    struct pad_plan p;
    if (l->node->n_in > BOUNDS) {
        lower_given(l);
        return;
    }
    plan_pad(l->node, &p, NULL);
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < x.rank; d++) {
        in[d] = ops_add_const(k, out[d], -p.before[d]);
        kval extent = kernel_const_index(k, x.dims[d]);
        if (p.mode != PAD_CONSTANT && (p.before[d] > 0 || p.after[d] > 0))
            in[d] = source_index(k, p.mode, in[d], extent);
    }
    store_at(l, p.mode, in, out);
    ops_map_end(k, l->out[0]);
}
