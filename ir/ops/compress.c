/*
 * Compress-11.  Where the condition is computed, the number of elements is known only at run time:
 * output 1, which models do not name, holds it.
 */
#include "ir/ops/common.h"

enum { X, CONDITION };

static int64_t candidates(const struct node *n, int axis)
{
    int64_t x = n->in[X]->shape.dims[axis], c = n->in[CONDITION]->shape.dims[0];
    return x < c ? x : c;
}

bool compress_infer(struct graph *g, struct node *n, struct error *err)
{
    const struct compress_attrs *a = n->attrs;
    struct shape y = n->in[X]->shape;
    int axis;
    if (!ops_axis(a->axis, y.rank, &axis, err) || !ops_check_type(n, CONDITION, TYPE(BOOL), err) ||
        !ops_check_rank(n, CONDITION, 1, err))
        return false;
    y.dims[axis] = candidates(n, axis);
    const struct tensor *t = n->in[CONDITION]->constant;
    if (t && !y.extent[axis]) {
        int64_t count = 0;
        for (int64_t i = 0; i < y.dims[axis]; i++)
            count += tensor_get_int(t, i) != 0;
        y.dims[axis] = count;
    } else {
        y.extent[axis] = ops_hidden_scalar(g, n, 1, "count");
    }
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err);
}

/* The place of each element goes to `from`; returns the buffer. */
static int place_elements(struct lower *l, int64_t n, int axis)
{
    struct kernel *k = l->kernel;
    int from = ops_add_zeros(k, "from", 1, &n);
    kval along = kernel_extent(k, l->in[X], axis);
    kval conditions = kernel_extent(k, l->in[CONDITION], 0);
    kval extent = kernel_binary(k, KOP_MIN, along, conditions), zero = kernel_const_index(k, 0), i,
         v, at, count;
    kernel_scan_begin(k, KCOMBINE_ADD, extent, 1, &zero, &i);
    v = kernel_cast(k, DTYPE_I64, kernel_load(k, l->in[CONDITION], &i));
    kernel_scan_emit(k, &v, &at);
    kernel_if_begin(k, kernel_load(k, l->in[CONDITION], &i));
    kernel_store(k, from, &at, i);
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
    kernel_scan_end(k, &count);
    if (ops_has_output(l->node, 1))
        kernel_store(k, l->out[1], NULL, count);
    return from;
}

void compress_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct compress_attrs *a = l->node->attrs;
    int rank = k->bufs[l->in[X]].rank, axis = 0;
    ops_axis(a->axis, rank, &axis, NULL);
    int from = place_elements(l, candidates(l->node, axis), axis);
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < rank; d++)
        in[d] = out[d];
    in[axis] = kernel_load(k, from, &out[axis]);
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[X], in));
    ops_map_end(k, l->out[0]);
}
