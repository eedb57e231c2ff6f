#include "ir/ops/reduce.h"

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

/* The number of elements that one result sums, in the compute type. */
static kval count_elements(struct kernel *k, int x, const struct reduce_spec *spec, enum dtype type)
{
    kval count = kernel_const_index(k, 1);
    for (int d = 0; d < k->bufs[x].rank; d++)
        if (spec->axis[d])
            count = kernel_binary(k, KOP_MUL, count, kernel_extent(k, x, d));
    return kernel_cast(k, type, count);
}

/*
 * A long last dimension is combined in lanes by itself, within a plain reduction over the others:
 * it vectorizes in plain layouts, and sums round less.
 */
kval reduce_over(struct kernel *k, enum kcombine combine, int x, const int *dims, int n, kval *idx,
                 kval start)
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
    kval v;
    if (lanes > 1) {
        kval along = kernel_extent(k, x, dims[n - 1]);
        kernel_reduce_begin(k, combine, lanes, 1, &along, 1, &start, &idx[dims[n - 1]]);
        v = ops_load(k, x, idx);
        kernel_reduce_end(k, &v, &result);
        v = result;
    } else {
        v = ops_load(k, x, idx);
    }
    if (outer == 0)
        return v;
    kernel_reduce_end(k, &v, &result);
    return result;
}

void reduce_lower(struct lower *l, const struct reduce_spec *spec, bool mean)
{
    struct kernel *k = l->kernel;
    int x = l->in[0], rank = k->bufs[x].rank, dims[MAX_RANK], n = 0;
    enum dtype type = ops_compute_type(k->bufs[x].dtype);
    kval out[MAX_RANK], idx[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0, o = 0; d < rank; d++) {
        if (spec->axis[d])
            dims[n++] = d;
        else
            idx[d] = out[o];
        o += !spec->axis[d] || spec->keepdims;
    }
    kval v = reduce_over(k, KCOMBINE_ADD, x, dims, n, idx, kernel_const(k, type, 0));
    if (mean)
        v = kernel_binary(k, KOP_DIV, v, count_elements(k, x, spec, type));
    ops_store(k, l->out[0], out, v);
    ops_map_end(k, l->out[0]);
}
