#include "ir/ops/common.h"

bool unsqueeze_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct shape *x = &n->in[0]->shape;
    int64_t axes[MAX_RANK];
    size_t n_axes = 0;
    bool inserted[MAX_RANK] = {false};
    if (!ops_const_ints(n, 1, "axes", MAX_RANK, axes, &n_axes, err))
        return false;
    struct shape y = {.rank = x->rank + (int)n_axes};
    if (y.rank > MAX_RANK)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the result would have %d dimensions",
                         y.rank);
    if (!ops_axes(axes, n_axes, y.rank, inserted, err))
        return false;
    for (int d = 0, from = 0; d < y.rank; d++) {
        y.dims[d] = inserted[d] ? 1 : x->dims[from];
        y.extent[d] = inserted[d] ? NULL : x->extent[from];
        from += !inserted[d];
    }
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void unsqueeze_lower(struct lower *l)
{
    ops_copy_linear(l);
}
