#include "ir/ops/common.h"

bool where_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct shape s = n->in[0]->shape;
    if (!ops_check_type(n, 0, TYPE(BOOL), err) || !ops_check_same_type(n, 1, 2, err) ||
        !ops_broadcast(&s, &n->in[1]->shape, err) || !ops_broadcast(&s, &n->in[2]->shape, err))
        return false;
    return ops_set_output(n, 0, n->in[1]->dtype, &s, err);
}

void where_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    int rank = k->bufs[l->out[0]].rank;
    kval idx[MAX_RANK], at[MAX_RANK], v[3];
    ops_map_begin(k, l->out[0], idx);
    for (int i = 0; i < 3; i++) {
        ops_broadcast_index(k, l->in[i], rank, idx, at);
        v[i] = kernel_load(k, l->in[i], at);
    }
    kernel_store(k, l->out[0], idx, kernel_select(k, v[0], v[1], v[2]));
    ops_map_end(k, l->out[0]);
}
