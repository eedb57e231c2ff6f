/*
 * CumSum-14, CumProd-26: sums and products of the elements up to each one along an axis, in the
 * order of the elements; backwards with `reverse`.
 */
#include "ir/ops/common.h"

struct spec {
    bool exclusive, reverse;
    enum kcombine combine;
};

static struct spec sum_of(const struct node *n)
{
    const struct cum_sum_attrs *a = n->attrs;
    return (struct spec){a->exclusive != 0, a->reverse != 0, KCOMBINE_ADD};
}

static struct spec prod_of(const struct node *n)
{
    const struct cum_prod_attrs *a = n->attrs;
    return (struct spec){a->exclusive != 0, a->reverse != 0, KCOMBINE_MUL};
}

static bool axis_of(const struct node *n, int *out_axis, struct error *err)
{
    int64_t axis = 0;
    size_t count;
    if (!ops_const_ints(n, 1, "axis", 1, &axis, &count, err))
        return false;
    if (count != 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "the axis, input '%s', has no element",
                         n->in[1]->name);
    return ops_axis(axis, n->in[0]->shape.rank, out_axis, err);
}

static bool infer(struct node *n, struct error *err)
{
    int axis;
    return axis_of(n, &axis, err) && ops_infer_unary(n, TYPES_NUMBER, err);
}

bool cum_sum_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return infer(n, err);
}

bool cum_prod_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return infer(n, err);
}

static void lower(struct lower *l, struct spec spec)
{
    struct kernel *k = l->kernel;
    int x = l->in[0], rank = k->bufs[x].rank, axis = 0;
    enum dtype type = ops_compute_type(k->bufs[x].dtype);
    kval idx[MAX_RANK], outer[MAX_RANK], extent[MAX_RANK], at, v, prefix;
    axis_of(l->node, &axis, NULL);
    kval along = kernel_extent(k, x, axis);
    for (int d = 0, n = 0; d < rank; d++)
        if (d != axis)
            extent[n++] = kernel_extent(k, x, d);
    if (rank > 1)
        kernel_map_begin(k, rank - 1, extent, outer);
    for (int d = 0, n = 0; d < rank; d++)
        if (d != axis)
            idx[d] = outer[n++];

    kval start = kernel_const(k, type, spec.combine == KCOMBINE_MUL);
    kval last = ops_add_const(k, along, -1);
    kernel_scan_begin(k, spec.combine, along, 1, &start, &at);
    idx[axis] = spec.reverse ? kernel_binary(k, KOP_SUB, last, at) : at;
    v = ops_load(k, x, idx);
    kernel_scan_emit(k, &v, &prefix);
    idx[axis] = spec.reverse ? kernel_binary(k, KOP_SUB, last, at) : at;
    v = prefix;
    if (!spec.exclusive)
        v = kernel_binary(k, spec.combine == KCOMBINE_MUL ? KOP_MUL : KOP_ADD, prefix,
                          ops_load(k, x, idx));
    ops_store(k, l->out[0], idx, v);
    kernel_scan_end(k, &v);
    if (rank > 1)
        kernel_map_end(k);
}

void cum_sum_lower(struct lower *l)
{
    lower(l, sum_of(l->node));
}

void cum_prod_lower(struct lower *l)
{
    lower(l, prod_of(l->node));
}
