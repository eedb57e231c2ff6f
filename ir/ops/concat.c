#include "ir/checked.h"
#include "ir/ops/common.h"

bool concat_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct concat_attrs *a = n->attrs;
    struct shape y = n->in[0]->shape;
    int axis;
    if (!ops_axis(a->axis, y.rank, &axis, err))
        return false;
    for (size_t i = 0; i < n->n_in; i++) {
        if (!n->in[i])
            return error_set(err, SHEAF_ERROR_SHAPE, "input %zu is left out", i);
        const struct shape *x = &n->in[i]->shape;
        if (!ops_check_same_type(n, 0, i, err) || !ops_check_rank(n, i, y.rank, err))
            return false;
        if (x->extent[axis])
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "the extent of '%s' along axis %d is known only at run time",
                             n->in[i]->name, axis);
        for (int d = 0; d < y.rank; d++)
            if (d != axis && (x->dims[d] != y.dims[d] || x->extent[d] != y.extent[d]))
                return error_set(err, SHEAF_ERROR_SHAPE,
                                 "dimension %d of '%s' is %lld, but that of '%s' is %lld", d,
                                 n->in[i]->name, (long long)x->dims[d], n->in[0]->name,
                                 (long long)y.dims[d]);
        if (i && !checked_add(y.dims[axis], x->dims[axis], &y.dims[axis]))
            return error_set(err, SHEAF_ERROR_MEMORY, "the result is too large");
    }
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void concat_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct concat_attrs *a = l->node->attrs;
    int rank = k->bufs[l->out[0]].rank, axis = 0;
    ops_axis(a->axis, rank, &axis, NULL);
    int64_t offset = 0;
    for (size_t i = 0; i < l->node->n_in; i++) {
        kval in[MAX_RANK], out[MAX_RANK];
        ops_map_begin(k, l->in[i], in);
        for (int d = 0; d < rank; d++)
            out[d] = d == axis ? ops_add_const(k, in[d], offset) : in[d];
        kernel_store(k, l->out[0], out, kernel_load(k, l->in[i], in));
        ops_map_end(k, l->in[i]);
        offset += k->bufs[l->in[i]].dims[axis];
    }
}
