#include "ir/ops/common.h"

bool gather_nd_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct gather_nd_attrs *a = n->attrs;
    const struct shape *x = &n->in[0]->shape, *index = &n->in[1]->shape;
    int last = index->rank - 1;
    if (!ops_check_type(n, 1, TYPES_INDEX, err))
        return false;
    if (last < 0 || a->batch_dims < 0 || a->batch_dims > last || a->batch_dims > x->rank)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "%lld common dimensions do not exist in %d dimensions of the input and %d "
                         "of the indices",
                         (long long)a->batch_dims, x->rank, index->rank);
    int batch = (int)a->batch_dims;
    int64_t length = index->dims[last];
    if (index->extent[last] || length < 1 || length > x->rank - batch)
        return error_set(err, SHEAF_ERROR_SHAPE, "tuples of %lld indices do not fit %d dimensions",
                         (long long)length, x->rank - batch);
    int slice = batch + (int)length; /* the first dimension that is taken whole */
    int rank = last + x->rank - slice;
    if (rank > MAX_RANK)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the result would have %d dimensions", rank);
    struct shape y = {.rank = rank};
    for (int d = 0; d < rank; d++) {
        const struct shape *s = d < last ? index : x;
        int at = d < last ? d : d - last + slice;
        y.dims[d] = s->dims[at];
        y.extent[d] = s->extent[at];
    }
    for (int d = 0; d < slice; d++)
        if (d < batch ? index->dims[d] > x->dims[d] : x->dims[d] == 0 && shape_elems(&y) > 0)
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "dimension %d of the input has too few elements, %lld", d,
                             (long long)x->dims[d]);
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void gather_nd_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct gather_nd_attrs *a = l->node->attrs;
    int x = l->in[0], index = l->in[1];
    int batch = (int)a->batch_dims, last = k->bufs[index].rank - 1;
    int slice = batch + (int)k->bufs[index].dims[last];
    kval out[MAX_RANK], in[MAX_RANK], at[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < last; d++)
        at[d] = out[d];
    for (int d = 0; d < k->bufs[x].rank; d++) {
        at[last] = kernel_const_index(k, d - batch);
        if (d < batch)
            in[d] = out[d];
        else if (d < slice)
            in[d] = ops_load_index(k, index, at, kernel_extent(k, x, d));
        else
            in[d] = out[last + d - slice];
    }
    kernel_store(k, l->out[0], out, kernel_load(k, x, in));
    ops_map_end(k, l->out[0]);
}
