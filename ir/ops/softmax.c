/*
 * Softmax-13, LogSoftmax-13.  exp is evaluated twice per element of softmax, for the sum and for
 * the result: cheaper than to write and read back a temporary of the output's size, and exact for
 * outputs of 16 bits.  The logarithm is taken of the sum alone: x - max - log(sum).
 */
#include "ir/ops/reduce.h"

static bool infer(struct node *n, int64_t stated, struct error *err)
{
    int axis;
    if (n->in[0]->shape.rank && !ops_axis(stated, n->in[0]->shape.rank, &axis, err))
        return false;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

bool softmax_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return infer(n, ((const struct softmax_attrs *)n->attrs)->axis, err);
}

bool log_softmax_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return infer(n, ((const struct log_softmax_attrs *)n->attrs)->axis, err);
}

static void lower(struct lower *l, int64_t stated, bool log)
{
    struct kernel *k = l->kernel;
    int x = l->in[0], y = l->out[0], rank = k->bufs[x].rank, axis = 0;
    enum dtype type = ops_compute_type(k->bufs[x].dtype);
    if (!rank) {
        ops_store(k, y, NULL, kernel_const(k, type, !log));
        return;
    }
    ops_axis(stated, rank, &axis, NULL);

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

    kval start = ops_lowest(k, type);
    kval max = reduce_over(k, KCOMBINE_MAX, x, &axis, 1, idx, start, NULL, 0);
    start = kernel_const(k, type, 0);
    kval sum = reduce_over(k, KCOMBINE_ADD, x, &axis, 1, idx, start, reduce_exp_from, max);
    if (log)
        sum = kernel_log(k, sum);

    kernel_map_begin(k, 1, &along, &idx[axis]);
    kval v = ops_load(k, x, idx);
    v = log ? kernel_binary(k, KOP_SUB, v, max) : reduce_exp_from(k, v, max);
    ops_store(k, y, idx, kernel_binary(k, log ? KOP_SUB : KOP_DIV, v, sum));
    kernel_map_end(k);
    if (rank > 1)
        kernel_map_end(k);
}

void softmax_lower(struct lower *l)
{
    lower(l, ((const struct softmax_attrs *)l->node->attrs)->axis, false);
}

void log_softmax_lower(struct lower *l)
{
    lower(l, ((const struct log_softmax_attrs *)l->node->attrs)->axis, true);
}
