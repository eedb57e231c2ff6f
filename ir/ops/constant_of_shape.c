#include "ir/ops/common.h"

bool constant_of_shape_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct constant_of_shape_attrs *a = n->attrs;
    int64_t dims[MAX_RANK];
    size_t rank;
    struct shape y;
    if (!ops_const_ints(n, 0, "shape", MAX_RANK, dims, &rank, err) ||
        !ops_stated_shape(rank, dims, &y, err) || !ops_given_extents(n, 1, &y, err))
        return false;
    if (a->value && tensor_elems(a->value) != 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "the value has %lld elements, not one",
                         (long long)tensor_elems(a->value));
    return ops_set_output(n, 0, a->value ? a->value->dtype : DTYPE_F32, &y, err);
}

void constant_of_shape_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct constant_of_shape_attrs *a = l->node->attrs;
    enum dtype type = k->bufs[l->out[0]].dtype;
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval v = !a->value              ? kernel_const(k, type, 0)
             : dtype_is_float(type) ? kernel_const_float(k, type, tensor_get(a->value, 0))
                                    : kernel_const_int(k, type, tensor_get_int(a->value, 0));
    kernel_store(k, l->out[0], idx, v);
    ops_map_end(k, l->out[0]);
}
