#include "ir/ops/tables.h"

bool pick_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct pick_attrs *a = n->attrs;
    struct shape y = n->in[0]->shape;
    int axis[MAX_RANK];
    if (!ops_check_type(n, 0, TYPES_NUMBER | TYPE(BOOL), err) ||
        !tables_axes(n, &a->axes, 1, axis, err))
        return false;
    for (size_t i = 0; i < a->axes.n; i++) {
        if (y.extent[axis[i]])
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "the extent along axis %d is known only at run time", axis[i]);
        if (!tables_check(n, 1 + i, 1, 0, y.dims[axis[i]], err))
            return false;
        y.dims[axis[i]] = n->in[1 + i]->shape.dims[0];
    }
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void pick_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct pick_attrs *a = l->node->attrs;
    int rank = k->bufs[l->in[0]].rank, axis[MAX_RANK];
    tables_axes(l->node, &a->axes, 1, axis, NULL);
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < rank; d++)
        in[d] = out[d];
    for (size_t i = 0; i < a->axes.n; i++)
        in[axis[i]] = kernel_cast(k, DTYPE_I64, kernel_load(k, l->in[1 + i], &out[axis[i]]));
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[0], in));
    ops_map_end(k, l->out[0]);
}
