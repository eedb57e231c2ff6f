/*
 * DynamicQuantizeLinear-11: scale = (max(x, 0) - min(x, 0)) / 255, 1 / 255 where x is all 0;
 * zero point = rint(saturate(-min(x, 0) / scale)).
 */
#include "ir/ops/reduce.h"

enum { Y, SCALE, ZERO };

bool dynamic_quantize_linear_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct shape scalar = shape_of_dims(0, NULL);
    return ops_check_type(n, 0, TYPE(F32), err) &&
           ops_set_output(n, Y, DTYPE_U8, &n->in[0]->shape, err) &&
           ops_set_output(n, SCALE, DTYPE_F32, &scalar, err) &&
           ops_set_output(n, ZERO, DTYPE_U8, &scalar, err);
}

/* The extreme of x and 0: KOP_MIN or KOP_MAX. */
static kval extreme_of(struct kernel *k, int x, enum kop op)
{
    kval zero = kernel_const_float(k, DTYPE_F32, 0), idx[MAX_RANK];
    int dims[MAX_RANK], rank = k->bufs[x].rank;
    for (int d = 0; d < rank; d++)
        dims[d] = d;
    enum kcombine combine = op == KOP_MIN ? KCOMBINE_MIN : KCOMBINE_MAX;
    kval v = reduce_over(k, combine, x, dims, rank, idx, zero, NULL, 0);
    return kernel_binary(k, op, zero, v);
}

static kval scale_of(struct kernel *k, kval min, kval max)
{
    kval range = kernel_binary(k, KOP_SUB, max, min);
    kval empty = kernel_compare(k, KOP_EQ, max, min);
    range = kernel_select(k, empty, kernel_const_float(k, DTYPE_F32, 1), range);
    return kernel_binary(k, KOP_DIV, range, kernel_const_float(k, DTYPE_F32, 255));
}

/* A whole number within 0 and 255, as a float. */
static kval zero_of(struct kernel *k, kval min, kval scale)
{
    kval zero = kernel_binary(k, KOP_DIV, kernel_unary(k, KOP_NEG, min), scale);
    zero = kernel_binary(k, KOP_MAX, zero, kernel_const_float(k, DTYPE_F32, 0));
    zero = kernel_binary(k, KOP_MIN, zero, kernel_const_float(k, DTYPE_F32, 255));
    return kernel_unary(k, KOP_RINT, zero);
}

void dynamic_quantize_linear_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    int x = l->in[0];
    kval max = extreme_of(k, x, KOP_MAX);
    kval min = extreme_of(k, x, KOP_MIN);
    kval scale = scale_of(k, min, max);
    kval zero = zero_of(k, min, scale);
    if (ops_has_output(l->node, SCALE))
        ops_store(k, l->out[SCALE], NULL, scale);
    if (ops_has_output(l->node, ZERO))
        ops_store(k, l->out[ZERO], NULL, zero);
    if (!ops_has_output(l->node, Y))
        return;
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[Y], idx);
    kval y = kernel_binary(k, KOP_DIV, kernel_load(k, x, idx), scale);
    y = kernel_binary(k, KOP_ADD, kernel_unary(k, KOP_RINT, y), zero);
    ops_store(k, l->out[Y], idx, y);
    ops_map_end(k, l->out[Y]);
}
