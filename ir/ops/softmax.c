/*
 * Softmax-13.  exp is evaluated twice per element, for the sum and for the result: cheaper than to
 * write and read back a temporary of the output's size, and exact for outputs of 16 bits.
 */
#include "ir/ops/common.h"

bool softmax_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct softmax_attrs *a = n->attrs;
    int axis;
    if (n->in[0]->shape.rank && !ops_axis(a->axis, n->in[0]->shape.rank, &axis, err))
        return false;
    return ops_infer_unary(n, TYPES_MATH, err);
}

/* exp(x - max) at idx. */
static kval shifted_exp(struct kernel *k, int x, const kval *idx, kval max)
{
    return kernel_exp(k, kernel_binary(k, KOP_SUB, ops_load(k, x, idx), max));
}

void softmax_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct softmax_attrs *a = l->node->attrs;
    int x = l->in[0], y = l->out[0], rank = k->bufs[x].rank, axis = 0;
    if (!rank) {
        ops_store(k, y, NULL, kernel_const(k, DTYPE_F32, 1));
        return;
    }
    ops_axis(a->axis, rank, &axis, NULL);

    kval outer[MAX_RANK], idx[MAX_RANK], along = kernel_extent(k, x, axis);
    for (int d = 0, n = 0; d < rank; d++)
        if (d != axis)
            outer[n++] = kernel_extent(k, x, d);
    kval outer_idx[MAX_RANK];
    if (rank > 1)
        kernel_map_begin(k, rank - 1, outer, outer_idx);
    for (int d = 0, n = 0; d < rank; d++)
        if (d != axis)
            idx[d] = outer_idx[n++];

    int lanes = ops_reduce_lanes(&k->bufs[x], axis);
    kval identity = ops_lowest(k, DTYPE_F32), max, sum;
    kernel_reduce_begin(k, KCOMBINE_MAX, lanes, 1, &along, 1, &identity, &idx[axis]);
    kval v = ops_load(k, x, idx);
    kernel_reduce_end(k, &v, &max);

    identity = kernel_const(k, DTYPE_F32, 0);
    kernel_reduce_begin(k, KCOMBINE_ADD, lanes, 1, &along, 1, &identity, &idx[axis]);
    v = shifted_exp(k, x, idx, max);
    kernel_reduce_end(k, &v, &sum);

    kernel_map_begin(k, 1, &along, &idx[axis]);
    ops_store(k, y, idx, kernel_binary(k, KOP_DIV, shifted_exp(k, x, idx, max), sum));
    kernel_map_end(k);
    if (rank > 1)
        kernel_map_end(k);
}
