/*
 * OneHot-11.  Negative indices count from the end; one outside selects nothing.
 */
#include "ir/ops/common.h"

enum { INDICES, DEPTH, VALUES, EXTENT };

bool one_hot_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct one_hot_attrs *a = n->attrs;
    const struct shape *x = &n->in[INDICES]->shape;
    static const int64_t two = 2;
    int axis;
    if (x->rank == MAX_RANK)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the result would have %d dimensions",
                         MAX_RANK + 1);
    if (!ops_check_type(n, INDICES, TYPES_NUMBER, err) ||
        !ops_check_type(n, VALUES, TYPES_NUMBER | TYPE(BOOL), err) ||
        !ops_check_dims(n, VALUES, 1, &two, err) || !ops_axis(a->axis, x->rank + 1, &axis, err))
        return false;
    const struct value *depth = n->in[DEPTH];
    if (!value_is_constant(depth))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "the depth, input '%s', must be constant, but is computed at run time",
                         depth->name);
    if (tensor_elems(depth->constant) != 1 || tensor_get_int(depth->constant, 0) < 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "the depth, input '%s', is no extent",
                         depth->name);
    struct shape y = {.rank = x->rank + 1};
    for (int d = 0, from = 0; d < y.rank; d++) {
        y.dims[d] = d == axis ? tensor_get_int(depth->constant, 0) : x->dims[from];
        y.extent[d] = d == axis ? NULL : x->extent[from];
        from += d != axis;
    }
    if (ops_has_input(n, EXTENT)) {
        struct shape along = shape_of_dims(1, &y.dims[axis]);
        if (!ops_given_extents(n, EXTENT, &along, err))
            return false;
        y.dims[axis] = along.dims[0];
        y.extent[axis] = along.extent[0];
    }
    return ops_set_output(n, 0, n->in[VALUES]->dtype, &y, err);
}

void one_hot_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct one_hot_attrs *a = l->node->attrs;
    int rank = k->bufs[l->out[0]].rank, axis = 0;
    ops_axis(a->axis, rank, &axis, NULL);
    kval depth = kernel_extent(k, l->out[0], axis);
    kval at[2] = {kernel_const_index(k, 0), kernel_const_index(k, 1)};
    kval off = kernel_load(k, l->in[VALUES], &at[0]), on = kernel_load(k, l->in[VALUES], &at[1]);
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0, to = 0; d < rank; d++)
        if (d != axis)
            in[to++] = out[d];
    kval i = kernel_cast(k, DTYPE_I64, ops_load(k, l->in[INDICES], in));
    kval negative = kernel_compare(k, KOP_LT, i, at[0]);
    i = kernel_select(k, negative, kernel_binary(k, KOP_ADD, i, depth), i);
    kval hit = kernel_compare(k, KOP_EQ, i, out[axis]);
    kernel_store(k, l->out[0], out, kernel_select(k, hit, on, off));
    ops_map_end(k, l->out[0]);
}
