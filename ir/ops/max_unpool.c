/*
 * MaxUnpool-22 without output_shape: zeros, and the elements of x at the places that the indices
 * give in the result, taken as one row of elements.  Planes (the spatial dimensions of one channel)
 * are filled at once; the elements of one follow each other, since of two for the same place the
 * later one stays.  An index outside of its element's own plane stores nothing.
 */
#include "ir/ops/common.h"

/* The spatial extents of the result. */
static bool extents_of(const struct node *n, struct shape *out, struct error *err)
{
    const struct max_unpool_attrs *a = n->attrs;
    const struct shape *x = &n->in[0]->shape;
    size_t dims = x->rank > 2 ? (size_t)x->rank - 2 : 0;
    if (!dims || a->kernel_shape.n != dims || (a->strides.n && a->strides.n != dims) ||
        (a->pads.n && a->pads.n != 2 * dims))
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "%d dimensions do not fit to %zu of kernel_shape, %zu of strides and %zu "
                         "pads",
                         x->rank, a->kernel_shape.n, a->strides.n, a->pads.n);
    *out = *x;
    for (size_t d = 0; d < dims; d++) {
        int64_t stride = a->strides.n ? a->strides.v[d] : 1, kernel = a->kernel_shape.v[d];
        int64_t begin = a->pads.n ? a->pads.v[d] : 0, end = a->pads.n ? a->pads.v[dims + d] : 0;
        const int64_t most = (int64_t)1 << 30; /* so that nothing overflows */
        if (stride < 1 || kernel < 1 || begin < 0 || end < 0 || stride > most || kernel > most ||
            begin > most || end > most || x->dims[2 + d] > most)
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "kernel_shape, strides or pads of spatial dimension %zu are not "
                             "possible",
                             d);
        int64_t extent = (x->dims[2 + d] - 1) * stride - begin - end + kernel;
        out->dims[2 + d] = extent > 0 ? extent : 0;
    }
    return true;
}

bool max_unpool_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct shape y;
    return ops_check_type(n, 0, TYPES_NUMBER, err) && ops_check_type(n, 1, TYPE(I64), err) &&
           ops_check_static(n, 0, err) &&
           ops_check_dims(n, 1, n->in[0]->shape.rank, n->in[0]->shape.dims, err) &&
           extents_of(n, &y, err) && ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

/* The element of x in the plane at `idx`, to its place among the `elems` of the result's plane,
   which is the one of number `plane`. */
static void store_element(struct lower *l, kval *idx, kval element, kval plane, int64_t elems)
{
    struct kernel *k = l->kernel;
    int y = l->out[0], rank = k->bufs[y].rank;
    int64_t in_dims[MAX_RANK], out_dims[MAX_RANK];
    for (int d = 2; d < rank; d++) {
        in_dims[d - 2] = k->bufs[l->in[0]].dims[d];
        out_dims[d - 2] = k->bufs[y].dims[d];
    }
    ops_unflatten(k, element, rank - 2, in_dims, &idx[2]);
    kval v = kernel_load(k, l->in[0], idx), place = kernel_load(k, l->in[1], idx);
    place = kernel_binary(k, KOP_SUB, place, ops_mul_const(k, plane, elems));
    kval inside = kernel_compare(k, KOP_LE, kernel_const_index(k, 0), place);
    inside = ops_and(k, inside, kernel_compare(k, KOP_LT, place, kernel_const_index(k, elems)));
    kernel_if_begin(k, inside);
    ops_unflatten(k, place, rank - 2, out_dims, &idx[2]);
    kernel_store(k, y, idx, v);
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
}

void max_unpool_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    int x = l->in[0], y = l->out[0], rank = k->bufs[y].rank;
    kval extent[MAX_RANK], idx[MAX_RANK], element;
    int64_t in_elems = 1, out_elems = 1;
    for (int d = 0; d < rank; d++)
        extent[d] = kernel_extent(k, y, d);
    for (int d = 2; d < rank; d++) {
        in_elems *= k->bufs[x].dims[d];
        out_elems *= k->bufs[y].dims[d];
    }
    kernel_map_begin(k, 2, extent, idx);
    kval plane = kernel_binary(k, KOP_ADD, ops_mul_const(k, idx[0], k->bufs[x].dims[1]), idx[1]);
    kernel_map_begin(k, rank - 2, &extent[2], &idx[2]);
    kernel_store(k, y, idx, kernel_const(k, k->bufs[y].dtype, 0));
    kernel_map_end(k);
    kernel_loop_begin(k, kernel_const_index(k, in_elems), 0, NULL, &element, NULL);
    store_element(l, idx, element, plane, out_elems);
    kernel_loop_end(k, NULL, NULL);
    kernel_map_end(k);
}
