#include "ir/ops/reduce.h"

static bool axes(const struct node *n, struct reduce_spec *out, struct error *err)
{
    const struct reduce_sum_attrs *a = n->attrs;
    return reduce_axes(n, a->keepdims != 0, a->noop_with_empty_axes != 0, out, err);
}

bool reduce_sum_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct reduce_spec spec;
    return axes(n, &spec, err) && reduce_infer(n, &spec, TYPES_NUMBER, err);
}

void reduce_sum_lower(struct lower *l)
{
    struct reduce_spec spec;
    axes(l->node, &spec, NULL);
    reduce_lower(l, &spec, false);
}
