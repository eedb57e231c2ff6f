#include "ir/ops/common.h"

bool flatten_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct flatten_attrs *a = n->attrs;
    const struct shape *x = &n->in[0]->shape;
    if (!ops_check_static(n, 0, err))
        return false;
    if (a->axis < -x->rank || a->axis > x->rank)
        return error_set(err, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %d dimensions",
                         (long long)a->axis, x->rank);
    int64_t axis = a->axis < 0 ? a->axis + x->rank : a->axis;
    int64_t dims[2] = {1, 1};
    for (int d = 0; d < x->rank; d++)
        dims[d >= axis] *= x->dims[d];
    struct shape y = shape_of_dims(2, dims);
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void flatten_lower(struct lower *l)
{
    ops_copy_linear(l);
}
