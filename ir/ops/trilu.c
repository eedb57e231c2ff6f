#include "ir/ops/common.h"

bool trilu_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    if (!ops_check_type(n, 1, TYPE(I64), err))
        return false;
    if (ops_has_input(n, 1) &&
        (!shape_is_static(&n->in[1]->shape) || shape_elems(&n->in[1]->shape) != 1))
        return error_set(err, SHEAF_ERROR_SHAPE, "the diagonal, input '%s', is not one number",
                         n->in[1]->name);
    if (n->in[0]->shape.rank < 2)
        return error_set(err, SHEAF_ERROR_SHAPE, "the input has %d dimensions, not 2 or more",
                         n->in[0]->shape.rank);
    return ops_infer_unary(n, TYPES_NUMBER | TYPE(BOOL), err);
}

void trilu_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct trilu_attrs *a = l->node->attrs;
    const struct kbuf x = k->bufs[l->in[0]];
    kval idx[MAX_RANK];
    kval first =
        ops_has_input(l->node, 1) ? ops_load_scalar(k, l->in[1]) : kernel_const_index(k, 0);
    ops_map_begin(k, l->out[0], idx);
    kval diagonal = kernel_binary(k, KOP_SUB, idx[x.rank - 1], idx[x.rank - 2]);
    kval keep = kernel_compare(k, KOP_LE, a->upper ? first : diagonal, a->upper ? diagonal : first);
    kval v = kernel_load(k, l->in[0], idx), zero = kernel_const(k, x.dtype, 0);
    kernel_store(k, l->out[0], idx, kernel_select(k, keep, v, zero));
    ops_map_end(k, l->out[0]);
}
