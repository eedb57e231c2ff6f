#include "ir/ops/window.h"

static struct window_spec spec_of(const struct node *n)
{
    const struct max_pool_attrs *a = n->attrs;
    return WINDOW_SPEC(a, a->ceil_mode != 0);
}

bool max_pool_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct window_spec spec = spec_of(n);
    return window_infer_pool(n, TYPES_NUMBER, &spec, err);
}

void max_pool_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct window_spec spec = spec_of(l->node);
    struct window w;
    window_compute(&spec, &l->node->in[0]->shape, NULL, &w, NULL);

    kval out[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    enum dtype stored = k->bufs[l->in[0]].dtype;
    kval start = ops_lowest(k, ops_compute_type(stored)), outside = ops_lowest(k, stored);
    kval max = window_reduce(k, &w, l->in[0], out, KCOMBINE_MAX, start, outside, NULL, 0);
    ops_store(k, l->out[0], out, max);
    ops_map_end(k, l->out[0]);
}
