/*
 * Concat-13; and join, the same where an extent along the axis is known only at run time.
 */
#include "ir/checked.h"
#include "ir/ops/common.h"

/* The inputs from `first` on, of which *out_shape becomes the shape of the result; its extent along
   the axis is left to the caller. */
static bool join_shapes(const struct node *n, size_t first, int64_t along, struct shape *out_shape,
                        int *out_axis, struct error *err)
{
    int axis;
    if (!n->in[first])
        return error_set(err, SHEAF_ERROR_SHAPE, "input %zu is left out", first);
    struct shape y = n->in[first]->shape;
    if (!ops_axis(along, y.rank, &axis, err))
        return false;
    for (size_t i = first; i < n->n_in; i++) {
        if (!n->in[i])
            return error_set(err, SHEAF_ERROR_SHAPE, "input %zu is left out", i);
        const struct shape *x = &n->in[i]->shape;
        if (!ops_check_same_type(n, first, i, err) || !ops_check_rank(n, i, y.rank, err))
            return false;
        for (int d = 0; d < y.rank; d++)
            if (d != axis && (x->dims[d] != y.dims[d] || x->extent[d] != y.extent[d]))
                return error_set(err, SHEAF_ERROR_SHAPE,
                                 "dimension %d of '%s' is %lld, but that of '%s' is %lld", d,
                                 n->in[i]->name, (long long)x->dims[d], n->in[first]->name,
                                 (long long)y.dims[d]);
        if (i > first && !checked_add(y.dims[axis], x->dims[axis], &y.dims[axis]))
            return error_set(err, SHEAF_ERROR_MEMORY, "the result is too large");
    }
    *out_shape = y;
    *out_axis = axis;
    return true;
}

bool concat_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct concat_attrs *a = n->attrs;
    struct shape y;
    int axis;
    if (!join_shapes(n, 0, a->axis, &y, &axis, err))
        return false;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->n_in > 1 && n->in[i]->shape.extent[axis])
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "the extent of '%s' along axis %d is known only at run time",
                             n->in[i]->name, axis);
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

bool join_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct join_attrs *a = n->attrs;
    struct shape y;
    int axis;
    if (!ops_check_extent(n, 0, err) || !join_shapes(n, 1, a->axis, &y, &axis, err))
        return false;
    bool open = false;
    for (size_t i = 1; i < n->n_in; i++)
        open |= n->in[i]->shape.extent[axis] != NULL;
    if (!value_is_constant(n->in[0]))
        y.extent[axis] = n->in[0];
    else if (open || tensor_get_int(n->in[0]->constant, 0) != y.dims[axis])
        return error_set(err, SHEAF_ERROR_SHAPE, "'%s' is not the sum of the extents",
                         n->in[0]->name);
    return ops_set_output(n, 0, n->in[1]->dtype, &y, err);
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

void join_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct join_attrs *a = l->node->attrs;
    int rank = k->bufs[l->out[0]].rank, axis = 0;
    ops_axis(a->axis, rank, &axis, NULL);
    kval offset = kernel_const_index(k, 0);
    for (size_t i = 1; i < l->node->n_in; i++) {
        kval in[MAX_RANK], out[MAX_RANK];
        kval extent = kernel_extent(k, l->in[i], axis);
        ops_map_begin(k, l->in[i], in);
        for (int d = 0; d < rank; d++)
            out[d] = d == axis ? kernel_binary(k, KOP_ADD, in[d], offset) : in[d];
        kernel_store(k, l->out[0], out, kernel_load(k, l->in[i], in));
        ops_map_end(k, l->in[i]);
        offset = kernel_binary(k, KOP_ADD, offset, extent);
    }
}
