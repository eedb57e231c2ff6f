#include "ir/ops/common.h"

bool gather_elements_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct gather_elements_attrs *a = n->attrs;
    const struct shape *x = &n->in[0]->shape, *index = &n->in[1]->shape;
    int axis;
    if (!ops_check_type(n, 1, TYPES_INDEX, err) || !ops_check_rank(n, 1, x->rank, err) ||
        !ops_axis(a->axis, x->rank, &axis, err))
        return false;
    for (int d = 0; d < x->rank; d++)
        if (d == axis ? x->dims[d] == 0 && index->dims[d] > 0 : index->dims[d] > x->dims[d])
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "%lld indices in dimension %d are too many for %lld elements",
                             (long long)index->dims[d], d, (long long)x->dims[d]);
    return ops_set_output(n, 0, n->in[0]->dtype, index, err);
}

void gather_elements_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct gather_elements_attrs *a = l->node->attrs;
    int rank = k->bufs[l->in[0]].rank, axis = 0;
    ops_axis(a->axis, rank, &axis, NULL);
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < rank; d++)
        in[d] = out[d];
    in[axis] = ops_load_index(k, l->in[1], out, kernel_extent(k, l->in[0], axis));
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[0], in));
    ops_map_end(k, l->out[0]);
}
