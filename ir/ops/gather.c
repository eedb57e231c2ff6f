#include "ir/ops/common.h"

bool gather_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct gather_attrs *a = n->attrs;
    const struct shape *x = &n->in[0]->shape, *index = &n->in[1]->shape;
    int axis;
    if (!ops_check_type(n, 1, TYPES_INDEX, err) || !ops_axis(a->axis, x->rank, &axis, err))
        return false;
    int rank = x->rank - 1 + index->rank;
    if (rank > MAX_RANK)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the result would have %d dimensions", rank);
    if (x->dims[axis] == 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "axis %d has no elements", axis);
    struct shape y = {.rank = rank};
    for (int d = 0; d < rank; d++) {
        bool from_index = d >= axis && d < axis + index->rank;
        const struct shape *s = from_index ? index : x;
        int at = from_index ? d - axis : d < axis ? d : d - index->rank + 1;
        y.dims[d] = s->dims[at];
        y.extent[d] = s->extent[at];
    }
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void gather_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct gather_attrs *a = l->node->attrs;
    int x = l->in[0], x_rank = k->bufs[x].rank, index_rank = k->bufs[l->in[1]].rank, axis = 0;
    ops_axis(a->axis, x_rank, &axis, NULL);
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    kval extent = kernel_extent(k, x, axis);
    kval i = ops_load_index(k, l->in[1], out + axis, extent);
    for (int d = 0; d < x_rank; d++)
        in[d] = d < axis ? out[d] : d == axis ? i : out[d + index_rank - 1];
    /* An axis that turns out to be empty has no element that an index could be moved to. */
    bool is_open = k->bufs[x].extent_buf[axis] >= 0;
    kval v = is_open ? kernel_load_or(k, x, in, kernel_const(k, k->bufs[x].dtype, 0))
                     : kernel_load(k, x, in);
    kernel_store(k, l->out[0], out, v);
    ops_map_end(k, l->out[0]);
}
