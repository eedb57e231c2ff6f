#include "ir/ops/reduce.h"

#include <math.h>

bool reduce_axes(const struct node *n, bool keepdims, bool noop_with_empty_axes,
                 struct reduce_spec *out, struct error *err)
{
    int rank = n->in[0]->shape.rank;
    struct reduce_spec spec = {.keepdims = keepdims};
    int64_t axes[MAX_RANK];
    size_t n_axes = 0;
    if (ops_has_input(n, 1) && !ops_const_ints(n, 1, "axes", MAX_RANK, axes, &n_axes, err))
        return false;
    if (!ops_axes(axes, n_axes, rank, spec.axis, err))
        return false;
    for (int d = 0; !n_axes && d < rank; d++)
        spec.axis[d] = !noop_with_empty_axes;
    *out = spec;
    return true;
}

bool reduce_infer(struct node *n, const struct reduce_spec *spec, unsigned types, struct error *err)
{
    const struct shape *x = &n->in[0]->shape;
    struct shape y = {.rank = 0};
    for (int d = 0; d < x->rank; d++) {
        if (spec->axis[d] && !spec->keepdims)
            continue;
        y.dims[y.rank] = spec->axis[d] ? 1 : x->dims[d];
        y.extent[y.rank++] = spec->axis[d] ? NULL : x->extent[d];
    }
    return ops_check_type(n, 0, types, err) && ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

kval reduce_count(struct kernel *k, int x, const int *dims, int n, enum dtype type)
{
    kval count = kernel_const_index(k, 1);
    for (int i = 0; i < n; i++)
        count = kernel_binary(k, KOP_MUL, count, kernel_extent(k, x, dims[i]));
    return kernel_cast(k, type, count);
}

/* ---- what is combined ---- */

kval reduce_abs(struct kernel *k, kval v, kval with)
{
    (void)with;
    return kernel_unary(k, KOP_ABS, v);
}

kval reduce_square(struct kernel *k, kval v, kval with)
{
    (void)with;
    return kernel_binary(k, KOP_MUL, v, v);
}

kval reduce_square_from(struct kernel *k, kval v, kval with)
{
    return reduce_square(k, kernel_binary(k, KOP_SUB, v, with), 0);
}

kval reduce_exp_from(struct kernel *k, kval v, kval with)
{
    v = kernel_cast(k, kernel_inst(k, with)->type, v);
    return kernel_exp(k, kernel_binary(k, KOP_SUB, v, with));
}

/*
 * A long last dimension is combined in lanes by itself, within a plain reduction over the others:
 * it vectorizes in plain layouts, and sums round less.
 */
kval reduce_over(struct kernel *k, enum kcombine combine, int x, const int *dims, int n, kval *idx,
                 kval start, reduce_element *element, kval with)
{
    kval extent[MAX_RANK], at[MAX_RANK], result;
    int lanes = n ? ops_reduce_lanes(&k->bufs[x], dims[n - 1]) : 1;
    int outer = lanes > 1 ? n - 1 : n;
    if (outer > 0) {
        for (int i = 0; i < outer; i++)
            extent[i] = kernel_extent(k, x, dims[i]);
        kernel_reduce_begin(k, combine, 1, outer, extent, 1, &start, at);
        for (int i = 0; i < outer; i++)
            idx[dims[i]] = at[i];
    }
    if (lanes > 1) {
        kval along = kernel_extent(k, x, dims[n - 1]);
        kernel_reduce_begin(k, combine, lanes, 1, &along, 1, &start, &idx[dims[n - 1]]);
    }
    kval v = ops_load(k, x, idx);
    if (element)
        v = element(k, v, with);
    if (lanes > 1) {
        kernel_reduce_end(k, &v, &result);
        v = result;
    }
    if (outer == 0)
        return v;
    kernel_reduce_end(k, &v, &result);
    return result;
}

/* ---- the largest and the smallest element ---- */

/*
 * Floats are compared as integers of their order, in which -0 lies below 0, and a NaN, with either
 * sign, beyond the numbers on the side that wins: so what comes out does not depend on which
 * elements meet first, and a NaN among them is the result.
 */
static kval order_of(struct kernel *k, kval v, bool max)
{
    bool wide = kernel_inst(k, v)->type == DTYPE_F64;
    enum dtype type = wide ? DTYPE_I64 : DTYPE_I32;
    int64_t most = wide ? INT64_MAX : INT32_MAX;
    kval nan = ops_is_nan(k, v);
    kval bits = kernel_bitcast(k, type, v);
    kval sign = kernel_binary(k, KOP_SHR, bits, kernel_const_int(k, type, wide ? 63 : 31));
    sign = kernel_binary(k, KOP_AND, sign, kernel_const_int(k, type, most));
    return kernel_select(k, nan, kernel_const_int(k, type, max ? most : -most - 1),
                         kernel_binary(k, KOP_XOR, bits, sign));
}

/* The inverse; of the NaNs' places it makes NaNs. */
static kval of_order(struct kernel *k, kval order, enum dtype type)
{
    bool wide = type == DTYPE_F64;
    enum dtype bits = wide ? DTYPE_I64 : DTYPE_I32;
    kval sign = kernel_binary(k, KOP_SHR, order, kernel_const_int(k, bits, wide ? 63 : 31));
    sign = kernel_binary(k, KOP_AND, sign, kernel_const_int(k, bits, wide ? INT64_MAX : INT32_MAX));
    return kernel_bitcast(k, type, kernel_binary(k, KOP_XOR, order, sign));
}

static kval order_for_max(struct kernel *k, kval v, kval with)
{
    (void)with;
    return order_of(k, v, true);
}

static kval order_for_min(struct kernel *k, kval v, kval with)
{
    (void)with;
    return order_of(k, v, false);
}

static kval extreme(struct kernel *k, int x, const int *dims, int n, kval *idx, bool max)
{
    enum dtype type = ops_compute_type(k->bufs[x].dtype);
    enum kcombine combine = max ? KCOMBINE_MAX : KCOMBINE_MIN;
    if (type == DTYPE_BOOL)
        combine = max ? KCOMBINE_OR : KCOMBINE_AND;
    reduce_element *element = NULL;
    kval start = max ? ops_lowest(k, type) : ops_highest(k, type);
    if (dtype_is_float(type)) {
        element = max ? order_for_max : order_for_min;
        start = order_of(k, start, max);
    }
    kval v = reduce_over(k, combine, x, dims, n, idx, start, element, 0);
    return dtype_is_float(type) ? of_order(k, v, type) : v;
}

/* ---- one result ---- */

/* log and sqrt of integers are those of f64, cut. */
static kval in_floats(struct kernel *k, kval v, bool log)
{
    enum dtype type = kernel_inst(k, v)->type;
    kval f = dtype_is_float(type) ? v : kernel_cast(k, DTYPE_F64, v);
    f = log ? kernel_log(k, f) : kernel_unary(k, KOP_SQRT, f);
    return kernel_cast(k, type, f);
}

/* Elements are taken relative to the largest, or to 0 where that is infinite, so that no power
   overflows. */
static kval log_sum_exp(struct kernel *k, int x, const int *dims, int n, kval *idx)
{
    enum dtype type = ops_compute_type(k->bufs[x].dtype);
    enum dtype in = dtype_is_float(type) ? type : DTYPE_F64;
    kval max = kernel_cast(k, in, extreme(k, x, dims, n, idx, true));
    kval zero = kernel_const_float(k, in, 0), infinite = kernel_const_float(k, in, INFINITY);
    infinite = kernel_compare(k, KOP_EQ, kernel_unary(k, KOP_ABS, max), infinite);
    max = kernel_select(k, infinite, zero, max);
    kval sum = reduce_over(k, KCOMBINE_ADD, x, dims, n, idx, zero, reduce_exp_from, max);
    return kernel_cast(k, type, kernel_binary(k, KOP_ADD, kernel_log(k, sum), max));
}

static kval reduced(struct kernel *k, int x, const int *dims, int n, kval *idx,
                    enum reduce_kind kind)
{
    enum dtype type = ops_compute_type(k->bufs[x].dtype);
    kval zero = kernel_const(k, type, 0), v;
    switch (kind) {
    case REDUCE_MAX:
    case REDUCE_MIN:
        return extreme(k, x, dims, n, idx, kind == REDUCE_MAX);
    case REDUCE_LOG_SUM_EXP:
        return log_sum_exp(k, x, dims, n, idx);
    case REDUCE_PROD:
        return reduce_over(k, KCOMBINE_MUL, x, dims, n, idx, kernel_const(k, type, 1), NULL, 0);
    case REDUCE_L1:
        return reduce_over(k, KCOMBINE_ADD, x, dims, n, idx, zero, reduce_abs, 0);
    case REDUCE_SUM_SQUARE:
        return reduce_over(k, KCOMBINE_ADD, x, dims, n, idx, zero, reduce_square, 0);
    case REDUCE_L2:
        v = reduce_over(k, KCOMBINE_ADD, x, dims, n, idx, zero, reduce_square, 0);
        return in_floats(k, v, false);
    case REDUCE_LOG_SUM:
        v = reduce_over(k, KCOMBINE_ADD, x, dims, n, idx, zero, NULL, 0);
        return in_floats(k, v, true);
    case REDUCE_MEAN:
        v = reduce_over(k, KCOMBINE_ADD, x, dims, n, idx, zero, NULL, 0);
        return kernel_binary(k, KOP_DIV, v, reduce_count(k, x, dims, n, type));
    case REDUCE_SUM:
        break;
    }
    return reduce_over(k, KCOMBINE_ADD, x, dims, n, idx, zero, NULL, 0);
}

void reduce_lower(struct lower *l, const struct reduce_spec *spec, enum reduce_kind kind)
{
    struct kernel *k = l->kernel;
    int x = l->in[0], dims[MAX_RANK], n = 0;
    kval out[MAX_RANK], idx[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0, o = 0; d < k->bufs[x].rank; d++) {
        if (spec->axis[d])
            dims[n++] = d;
        else
            idx[d] = out[o];
        o += !spec->axis[d] || spec->keepdims;
    }
    ops_store(k, l->out[0], out, reduced(k, x, dims, n, idx, kind));
    ops_map_end(k, l->out[0]);
}
