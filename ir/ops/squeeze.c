#include "ir/ops/common.h"

bool squeeze_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct shape *x = &n->in[0]->shape;
    int64_t axes[MAX_RANK];
    size_t n_axes = 0;
    bool drop[MAX_RANK] = {false};
    bool all = !ops_has_input(n, 1);
    if (!all && (!ops_const_ints(n, 1, "axes", MAX_RANK, axes, &n_axes, err) ||
                 !ops_axes(axes, n_axes, x->rank, drop, err)))
        return false;
    struct shape y = {.rank = 0};
    for (int d = 0; d < x->rank; d++) {
        bool one = x->dims[d] == 1 && !x->extent[d];
        if (drop[d] && !one)
            return error_set(err, SHEAF_ERROR_SHAPE, "dimension %d has extent %lld, not 1", d,
                             (long long)x->dims[d]);
        if (drop[d] || (all && one))
            continue;
        y.dims[y.rank] = x->dims[d];
        y.extent[y.rank++] = x->extent[d];
    }
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void squeeze_lower(struct lower *l)
{
    ops_copy_linear(l);
}
