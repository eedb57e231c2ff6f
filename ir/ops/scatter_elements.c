/*
 * ScatterElements-18.  Indices may repeat along the axis only within one line of it, so lines are
 * independent; each is walked in order.
 */
#include "ir/ops/scatter.h"

bool scatter_elements_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct scatter_elements_attrs *a = n->attrs;
    const struct shape *x = &n->in[SCATTER_X]->shape, *index = &n->in[SCATTER_INDICES]->shape;
    int axis;
    if (!ops_check_rank(n, SCATTER_INDICES, x->rank, err) ||
        !ops_axis(a->axis, x->rank, &axis, err))
        return false;
    if (!shape_equal(index, &n->in[SCATTER_UPDATES]->shape))
        return error_set(err, SHEAF_ERROR_SHAPE, "indices '%s' and updates '%s' differ in shape",
                         n->in[SCATTER_INDICES]->name, n->in[SCATTER_UPDATES]->name);
    for (int d = 0; d < x->rank; d++)
        if (d == axis ? x->dims[d] == 0 && index->dims[d] > 0 : index->dims[d] > x->dims[d])
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "%lld indices in dimension %d are too many for %lld elements",
                             (long long)index->dims[d], d, (long long)x->dims[d]);
    return scatter_infer(n, a->reduction, err);
}

void scatter_elements_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct scatter_elements_attrs *a = l->node->attrs;
    int index = l->in[SCATTER_INDICES], rank = k->bufs[index].rank, axis = 0, n = 0;
    ops_axis(a->axis, rank, &axis, NULL);
    ops_copy(l);

    kval extent[MAX_RANK], line[MAX_RANK], from[MAX_RANK], to[MAX_RANK], i;
    for (int d = 0; d < rank; d++)
        if (d != axis)
            extent[n++] = kernel_extent(k, index, d);
    if (n)
        kernel_map_begin(k, n, extent, line);
    kernel_loop_begin(k, kernel_extent(k, index, axis), 0, NULL, &i, NULL);
    for (int d = 0, next = 0; d < rank; d++)
        from[d] = to[d] = d == axis ? i : line[next++];
    to[axis] = ops_load_index(k, index, from, kernel_extent(k, l->out[0], axis));
    scatter_store(l, a->reduction, to, kernel_load(k, l->in[SCATTER_UPDATES], from));
    kernel_loop_end(k, NULL, NULL);
    if (n)
        kernel_map_end(k);
}
