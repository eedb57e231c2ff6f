/*
 * A function of a quantized value as a table: index 0 is the value 0, and negative values follow
 * the positive ones (i8: -128 is index 128), as their bits read without sign.  A table of two
 * dimensions has a row for each index of an axis.
 */
#include "ir/ops/common.h"

bool lookup_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct lookup_attrs *a = n->attrs;
    if (!ops_check_type(n, 0, TYPES_8 | TYPES_16, err) || !ops_check_type(n, 1, TYPES_NUMBER, err))
        return false;
    const struct shape *x = &n->in[0]->shape, *table = &n->in[1]->shape;
    int64_t dims[2] = {0, (int64_t)1 << dtype_bits(n->in[0]->dtype)};
    int axis;
    if (!value_is_constant(n->in[1]))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the table '%s' must be constant",
                         n->in[1]->name);
    if (table->rank == 2) {
        if (!ops_axis(a->axis, x->rank, &axis, err))
            return false;
        dims[0] = x->dims[axis];
    }
    bool rows = table->rank == 2;
    return ops_check_dims(n, 1, rows ? 2 : 1, rows ? dims : dims + 1, err) &&
           ops_set_output(n, 0, n->in[1]->dtype, x, err);
}

void lookup_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    enum dtype bits = dtype_bits(k->bufs[l->in[0]].dtype) == 8 ? DTYPE_U8 : DTYPE_U16;
    const struct lookup_attrs *a = l->node->attrs;
    kval idx[MAX_RANK], at[2] = {0};
    int axis = 0;
    bool rows = k->bufs[l->in[1]].rank == 2;
    ops_map_begin(k, l->out[0], idx);
    kval x = kernel_bitcast(k, bits, kernel_load(k, l->in[0], idx));
    if (rows) {
        ops_axis(a->axis, k->bufs[l->in[0]].rank, &axis, NULL);
        at[0] = idx[axis];
    }
    at[rows] = kernel_cast(k, DTYPE_I64, x);
    kernel_store(k, l->out[0], idx, kernel_load(k, l->in[1], at));
    ops_map_end(k, l->out[0]);
}
