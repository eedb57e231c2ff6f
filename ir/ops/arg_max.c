/*
 * ArgMax-13, ArgMin-13.  The reduction carries (value, index).  The combination is a total order:
 * greater (lesser) value, NaN above all, then the index on the wanted side; so it does not depend
 * on the order in which elements meet.
 */
#include "ir/ops/arg.h"

struct arg_spec {
    int64_t axis;
    bool keepdims, last, least;
};

static struct arg_spec max_of(const struct node *n)
{
    const struct arg_max_attrs *a = n->attrs;
    return (struct arg_spec){a->axis, a->keepdims != 0, a->select_last_index != 0, false};
}

static struct arg_spec min_of(const struct node *n)
{
    const struct arg_min_attrs *a = n->attrs;
    return (struct arg_spec){a->axis, a->keepdims != 0, a->select_last_index != 0, true};
}

static bool infer(struct node *n, struct arg_spec a, struct error *err)
{
    const struct shape *x = &n->in[0]->shape;
    int axis;
    if (!ops_check_type(n, 0, TYPES_NUMBER, err) || !ops_axis(a.axis, x->rank, &axis, err))
        return false;
    if (x->dims[axis] == 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "axis %d has no elements", axis);
    struct shape y = {.rank = 0};
    for (int d = 0; d < x->rank; d++) {
        if (d == axis && !a.keepdims)
            continue;
        y.dims[y.rank] = d == axis ? 1 : x->dims[d];
        y.extent[y.rank++] = d == axis ? NULL : x->extent[d];
    }
    return ops_set_output(n, 0, DTYPE_I64, &y, err);
}

bool arg_max_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return infer(n, max_of(n), err);
}

bool arg_min_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return infer(n, min_of(n), err);
}

kval arg_beats(struct kernel *k, const kval *a, const kval *b, bool least, bool last)
{
    kval greater =
        least ? kernel_compare(k, KOP_LT, a[0], b[0]) : kernel_compare(k, KOP_LT, b[0], a[0]);
    kval equal = kernel_compare(k, KOP_EQ, a[0], b[0]);
    if (dtype_is_float(kernel_inst(k, a[0])->type)) {
        kval a_nan = ops_is_nan(k, a[0]), b_nan = ops_is_nan(k, b[0]);
        kval only_a = ops_and(k, a_nan, kernel_unary(k, KOP_NOT, b_nan));
        greater = kernel_binary(k, KOP_OR, greater, only_a);
        equal = kernel_binary(k, KOP_OR, equal, ops_and(k, a_nan, b_nan));
    }
    kval nearer =
        last ? kernel_compare(k, KOP_LT, b[1], a[1]) : kernel_compare(k, KOP_LT, a[1], b[1]);
    return kernel_binary(k, KOP_OR, greater, ops_and(k, equal, nearer));
}

static void lower(struct lower *l, struct arg_spec a)
{
    struct kernel *k = l->kernel;
    int x = l->in[0], rank = k->bufs[x].rank, axis = 0;
    enum dtype type = ops_compute_type(k->bufs[x].dtype);
    ops_axis(a.axis, rank, &axis, NULL);

    kval out[MAX_RANK], idx[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0, o = 0; d < rank; d++) {
        if (d != axis)
            idx[d] = out[o];
        o += d != axis || a.keepdims;
    }
    kval along = kernel_extent(k, x, axis);
    kval identity[2], element[2], so_far[2], next[2], best[2];
    identity[0] = a.least ? ops_highest(k, type) : ops_lowest(k, type);
    identity[1] = kernel_const_index(k, a.last ? -1 : INT64_MAX);
    kernel_reduce_begin(k, KCOMBINE_BLOCK, ops_reduce_lanes(&k->bufs[x], axis), 1, &along, 2,
                        identity, &idx[axis]);
    kernel_reduce_unordered(k);
    element[0] = ops_load(k, x, idx);
    element[1] = idx[axis];
    kernel_reduce_combine(k, element, so_far, next);
    kval take = arg_beats(k, next, so_far, a.least, a.last);
    for (int i = 0; i < 2; i++)
        best[i] = kernel_select(k, take, next[i], so_far[i]);
    kernel_reduce_end(k, best, element);
    ops_store(k, l->out[0], out, element[1]);
    ops_map_end(k, l->out[0]);
}

void arg_max_lower(struct lower *l)
{
    lower(l, max_of(l->node));
}

void arg_min_lower(struct lower *l)
{
    lower(l, min_of(l->node));
}
