#include "ir/ops/common.h"

bool sigmoid_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval sigmoid_of(struct lower *l, kval x)
{
    return kernel_sigmoid(l->kernel, x);
}

void sigmoid_lower(struct lower *l)
{
    ops_map_unary(l, sigmoid_of);
}
