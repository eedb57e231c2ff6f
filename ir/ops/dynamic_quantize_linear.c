/*
 * DynamicQuantizeLinear-11: scale = (max(x, 0) - min(x, 0)) / 255, 1 / 255 where x is all 0;
 * zero point = rint(saturate(-min(x, 0) / scale)).
 */
#include "ir/ops/common.h"

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

/* The extreme of x and 0. */
static kval extreme_of(struct kernel *k, int x, enum kcombine combine)
{
    int rank = k->bufs[x].rank;
    kval zero = kernel_const_float(k, DTYPE_F32, 0), extent[MAX_RANK], idx[MAX_RANK], result;
    if (!rank)
        return kernel_binary(k, combine == KCOMBINE_MIN ? KOP_MIN : KOP_MAX, zero,
                             ops_load_scalar(k, x));
    for (int d = 0; d < rank; d++)
        extent[d] = kernel_extent(k, x, d);
    kernel_reduce_begin(k, combine, 1, rank, extent, 1, &zero, idx);
    kval v = kernel_load(k, x, idx);
    kernel_reduce_end(k, &v, &result);
    return result;
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
    kval max = extreme_of(k, x, KCOMBINE_MAX);
    kval min = extreme_of(k, x, KCOMBINE_MIN);
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
