/*
 * Pad-25: constant (with an optional value), edge, reflect, wrap.  Negative pads cut off.  In
 * reflect mode a pad may be longer than the dimension: the reflection goes back and forth.
 */
#include <string.h>

#include "ir/checked.h"
#include "ir/ops/common.h"

enum { X, PADS, VALUE, AXES };
enum pad_mode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP };

struct pad_plan {
    enum pad_mode mode;
    int64_t before[MAX_RANK], after[MAX_RANK];
};

static bool plan_pad(const struct node *n, struct pad_plan *out, struct error *err)
{
    static const char *const names[] = {"constant", "edge", "reflect", "wrap"};
    const struct pad_attrs *a = n->attrs;
    const struct shape *x = &n->in[X]->shape;
    struct pad_plan p = {.mode = PAD_CONSTANT};
    int mode = 0;
    while (mode < 4 && strcmp(a->mode, names[mode]))
        mode++;
    if (mode == 4)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "mode '%s' is not known", a->mode);
    p.mode = (enum pad_mode)mode;

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

bool pad_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct pad_plan p;
    if (!ops_check_static(n, X, err) || !plan_pad(n, &p, err) ||
        !ops_check_same_type(n, X, VALUE, err))
        return false;
    if (ops_has_input(n, VALUE) && shape_elems(&n->in[VALUE]->shape) != 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "the padding value '%s' has %lld elements",
                         n->in[VALUE]->name, (long long)shape_elems(&n->in[VALUE]->shape));
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
static kval positive_rem(struct kernel *k, kval i, int64_t period)
{
    kval p = kernel_const_index(k, period);
    kval r = kernel_binary(k, KOP_ADD, kernel_binary(k, KOP_REM, i, p), p);
    return kernel_binary(k, KOP_REM, r, p);
}

/* Where position i of a dimension with `extent` elements takes its value. */
static kval source_index(struct kernel *k, enum pad_mode mode, kval i, int64_t extent)
{
    if (mode == PAD_EDGE || extent == 1)
        return ops_clamp_index(k, i, kernel_const_index(k, extent));
    if (mode == PAD_WRAP)
        return positive_rem(k, i, extent);
    kval r = positive_rem(k, i, 2 * (extent - 1));
    kval mirrored = kernel_binary(k, KOP_SUB, kernel_const_index(k, 2 * (extent - 1)), r);
    return kernel_binary(k, KOP_MIN, r, mirrored);
}

void pad_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct kbuf x = k->bufs[l->in[X]];
    struct pad_plan p;
    plan_pad(l->node, &p, NULL);
    kval out[MAX_RANK], in[MAX_RANK], zero[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < x.rank; d++) {
        in[d] = ops_add_const(k, out[d], -p.before[d]);
        if (p.mode != PAD_CONSTANT && (p.before[d] > 0 || p.after[d] > 0))
            in[d] = source_index(k, p.mode, in[d], x.dims[d]);
    }
    kval v;
    if (p.mode != PAD_CONSTANT) {
        v = kernel_load(k, l->in[X], in);
    } else {
        kval value = kernel_const(k, x.dtype, 0);
        for (int d = 0; d < MAX_RANK; d++)
            zero[d] = kernel_const_index(k, 0);
        if (ops_has_input(l->node, VALUE))
            value = kernel_load(k, l->in[VALUE], zero);
        v = kernel_load_or(k, l->in[X], in, value);
    }
    kernel_store(k, l->out[0], out, v);
    ops_map_end(k, l->out[0]);
}
