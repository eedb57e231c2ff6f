#include "ir/ops/reduce.h"

static struct reduce_spec spatial(const struct node *n)
{
    struct reduce_spec spec = {.keepdims = true};
    for (int d = 2; d < n->in[0]->shape.rank; d++)
        spec.axis[d] = true;
    return spec;
}

bool global_average_pool_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    if (n->in[0]->shape.rank < 2)
        return error_set(err, SHEAF_ERROR_SHAPE, "the input has %d dimensions, no channels",
                         n->in[0]->shape.rank);
    struct reduce_spec spec = spatial(n);
    return reduce_infer(n, &spec, TYPES_FLOAT, err);
}

void global_average_pool_lower(struct lower *l)
{
    struct reduce_spec spec = spatial(l->node);
    reduce_lower(l, &spec, REDUCE_MEAN);
}
