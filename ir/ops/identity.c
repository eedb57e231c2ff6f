#include "ir/ops/common.h"

bool identity_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_ANY, err);
}

void identity_lower(struct lower *l)
{
    kval idx[MAX_RANK];
    ops_map_begin(l->kernel, l->out[0], idx);
    kernel_store(l->kernel, l->out[0], idx, kernel_load(l->kernel, l->in[0], idx));
    ops_map_end(l->kernel, l->out[0]);
}
