/*
 * What NegativeLogLikelihoodLoss-22 gives per target, without a reduction: -x[n, t, ..] * weight[t]
 * for the class t = target[n, ..], and as output 1 the weight itself; both are 0 where t is
 * `ignore_index`.  Other classes that do not exist are taken as the nearest that does.
 */
#include "ir/ops/common.h"

enum { X, TARGET, WEIGHT };
enum { LOSS, USED };

bool nll_loss_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct shape *x = &n->in[X]->shape;
    if (!ops_check_type(n, X, TYPES_FLOAT, err) || !ops_check_type(n, TARGET, TYPES_INDEX, err) ||
        !ops_check_static(n, X, err))
        return false;
    if (x->rank < 2 || x->dims[1] == 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "input '%s' has no classes", n->in[X]->name);
    struct shape y = {.rank = x->rank - 1};
    for (int d = 0; d < y.rank; d++)
        y.dims[d] = x->dims[d ? d + 1 : 0];
    return ops_check_dims(n, TARGET, y.rank, y.dims, err) &&
           ops_check_type(n, WEIGHT, TYPES_FLOAT, err) &&
           ops_check_dims(n, WEIGHT, 1, &x->dims[1], err) &&
           ops_set_output(n, LOSS, n->in[X]->dtype, &y, err) &&
           ops_set_output(n, USED, n->in[X]->dtype, &y, err);
}

void nll_loss_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct nll_loss_attrs *a = l->node->attrs;
    int x = l->in[X];
    enum dtype type = ops_compute_type(k->bufs[x].dtype);
    kval at[MAX_RANK], idx[MAX_RANK], zero = kernel_const(k, type, 0);
    ops_map_begin(k, l->in[TARGET], at);
    kval target = kernel_cast(k, DTYPE_I64, kernel_load(k, l->in[TARGET], at));
    kval ignored = kernel_compare(k, KOP_EQ, target, kernel_const_index(k, a->ignore_index));
    for (int d = 0; d < k->bufs[x].rank; d++)
        idx[d] = at[d > 1 ? d - 1 : 0];
    idx[1] = ops_clamp_index(k, target, kernel_extent(k, x, 1));
    kval weight = kernel_const(k, type, 1), loss = kernel_unary(k, KOP_NEG, ops_load(k, x, idx));
    if (ops_has_input(l->node, WEIGHT)) {
        weight = kernel_cast(k, type, ops_load(k, l->in[WEIGHT], &idx[1]));
        loss = kernel_binary(k, KOP_MUL, loss, weight);
    }
    ops_store(k, l->out[LOSS], at, kernel_select(k, ignored, zero, loss));
    if (ops_has_output(l->node, USED))
        ops_store(k, l->out[USED], at, kernel_select(k, ignored, zero, weight));
    ops_map_end(k, l->in[TARGET]);
}
