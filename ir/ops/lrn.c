/*
 * LRN-13: x / (bias + alpha / size * s) ^ beta, where s sums the squares of the channels
 * c - floor((size - 1) / 2) .. c + ceil((size - 1) / 2) that exist.
 */
#include "ir/ops/common.h"

bool lrn_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct lrn_attrs *a = n->attrs;
    if (n->in[0]->shape.rank < 2)
        return error_set(err, SHEAF_ERROR_SHAPE, "the input has %d dimensions, no channels",
                         n->in[0]->shape.rank);
    if (a->size < 1 || a->size > INT32_MAX)
        return error_set(err, SHEAF_ERROR_SHAPE, "size %lld is not possible", (long long)a->size);
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

/* x ^ y; the exponent 3/4 of the classic networks by square roots. */
static kval lrn_pow(struct kernel *k, kval x, float y)
{
    if (y != 0.75f)
        return kernel_pow(k, x, kernel_const_float(k, kernel_inst(k, x)->type, (double)y));
    kval root = kernel_unary(k, KOP_SQRT, x);
    return kernel_binary(k, KOP_MUL, root, kernel_unary(k, KOP_SQRT, root));
}

void lrn_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct lrn_attrs *a = l->node->attrs;
    int x = l->in[0];
    enum dtype type = k->bufs[x].dtype, in = type == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
    kval idx[MAX_RANK], at[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);

    kval size = kernel_const_index(k, a->size), zero = kernel_const(k, in, 0), tap, sum;
    kernel_reduce_begin(k, KCOMBINE_ADD, 1, 1, &size, 1, &zero, &tap);
    for (int d = 0; d < k->bufs[x].rank; d++)
        at[d] = idx[d];
    at[1] = kernel_binary(k, KOP_ADD, idx[1], ops_add_const(k, tap, -((a->size - 1) / 2)));
    kval v = kernel_cast(k, in, kernel_load_or(k, x, at, kernel_const(k, type, 0)));
    kval square = kernel_binary(k, KOP_MUL, v, v);
    kernel_reduce_end(k, &square, &sum);

    double share =
        in == DTYPE_F64 ? (double)a->alpha / (double)a->size : (double)(a->alpha / (float)a->size);
    kval factor = kernel_const(k, in, share);
    sum = kernel_binary(k, KOP_ADD, kernel_const(k, in, (double)a->bias),
                        kernel_binary(k, KOP_MUL, factor, sum));
    kval divisor = lrn_pow(k, sum, a->beta);
    kval y = kernel_binary(k, KOP_DIV, ops_load(k, x, idx), divisor);
    ops_store(k, l->out[0], idx, y);
    ops_map_end(k, l->out[0]);
}
