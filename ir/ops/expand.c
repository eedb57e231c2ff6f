#include "ir/ops/common.h"

bool expand_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    int64_t dims[MAX_RANK];
    size_t rank;
    struct shape y;
    if (!ops_const_ints(n, 1, "shape", MAX_RANK, dims, &rank, err) ||
        !ops_stated_shape(rank, dims, &y, err))
        return false;
    return ops_broadcast(&y, &n->in[0]->shape, err) &&
           ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void expand_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    ops_broadcast_index(k, l->in[0], k->bufs[l->out[0]].rank, out, in);
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[0], in));
    ops_map_end(k, l->out[0]);
}
