/*
 * TensorScatter-24.  Each element of the result asks whether the update covers it, so that nothing
 * is stored twice.
 */
#include <string.h>

#include "ir/ops/common.h"

enum { CACHE, UPDATE, WRITE_INDICES };

bool tensor_scatter_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct tensor_scatter_attrs *a = n->attrs;
    const struct shape *x = &n->in[CACHE]->shape, *update = &n->in[UPDATE]->shape;
    int axis;
    if (strcmp(a->mode, "linear") && strcmp(a->mode, "circular"))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "mode '%s' is not known", a->mode);
    if (!ops_axis(a->axis, x->rank, &axis, err) || !ops_check_same_type(n, CACHE, UPDATE, err) ||
        !ops_check_static(n, CACHE, err) || !ops_check_static(n, UPDATE, err) ||
        !ops_check_rank(n, UPDATE, x->rank, err) ||
        !ops_check_type(n, WRITE_INDICES, TYPES_INDEX, err) ||
        !ops_check_dims(n, WRITE_INDICES, 1, x->dims, err))
        return false;
    if (axis == 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "the axis is that of the batch");
    for (int d = 0; d < x->rank; d++)
        if (d == axis ? update->dims[d] > x->dims[d] : update->dims[d] != x->dims[d])
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "dimension %d of update '%s' is %lld, that of the cache %lld", d,
                             n->in[UPDATE]->name, (long long)update->dims[d],
                             (long long)x->dims[d]);
    return ops_set_output(n, 0, n->in[CACHE]->dtype, x, err);
}

void tensor_scatter_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct tensor_scatter_attrs *a = l->node->attrs;
    const struct kbuf x = k->bufs[l->in[CACHE]];
    int axis = 0;
    ops_axis(a->axis, x.rank, &axis, NULL);
    kval out[MAX_RANK], in[MAX_RANK], extent = kernel_const_index(k, x.dims[axis]);
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < x.rank; d++)
        in[d] = out[d];
    if (ops_has_input(l->node, WRITE_INDICES)) {
        kval zero = kernel_const_index(k, 0);
        kval start = kernel_cast(k, DTYPE_I64, kernel_load(k, l->in[WRITE_INDICES], &out[0]));
        bool circular = !strcmp(a->mode, "circular");
        if (circular)
            start = kernel_binary(k, KOP_REM, start, extent);
        in[axis] = kernel_binary(k, KOP_SUB, out[axis], start);
        if (circular) {
            kval wrapped = kernel_binary(k, KOP_ADD, in[axis], extent);
            kval before = kernel_compare(k, KOP_LT, in[axis], zero);
            in[axis] = kernel_select(k, before, wrapped, in[axis]);
        }
    }
    kval old = kernel_load(k, l->in[CACHE], out);
    kernel_store(k, l->out[0], out, kernel_load_or(k, l->in[UPDATE], in, old));
    ops_map_end(k, l->out[0]);
}
