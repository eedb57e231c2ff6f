#include "ir/ops/common.h"

bool mean_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_FLOAT, DTYPE_NONE, err);
}

void mean_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    int rank = k->bufs[l->out[0]].rank;
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval sum = ops_load_broadcast(k, l->in[0], rank, idx);
    for (size_t i = 1; i < l->node->n_in; i++)
        sum = kernel_binary(k, KOP_ADD, sum, ops_load_broadcast(k, l->in[i], rank, idx));
    kval n = kernel_const(k, kernel_inst(k, sum)->type, (double)l->node->n_in);
    ops_store(k, l->out[0], idx, kernel_binary(k, KOP_DIV, sum, n));
    ops_map_end(k, l->out[0]);
}
