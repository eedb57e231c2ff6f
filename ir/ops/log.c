#include "ir/ops/common.h"

bool log_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval log_of(struct lower *l, kval x)
{
    return kernel_log(l->kernel, x);
}

void log_lower(struct lower *l)
{
    ops_map_unary(l, log_of);
}
