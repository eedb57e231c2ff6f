#include "ir/ops/window.h"

static bool geometry(const struct node *n, struct window *w, struct error *err)
{
    const struct max_pool_attrs *a = n->attrs;
    struct window_spec spec = WINDOW_SPEC(a, a->ceil_mode != 0);
    return window_compute(&spec, &n->in[0]->shape, NULL, w, err);
}

bool max_pool_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct window w;
    if (!ops_check_type(n, 0, TYPES_NUMBER, err) || !ops_check_static(n, 0, err) ||
        !geometry(n, &w, err))
        return false;
    struct shape y = window_output_shape(&w, &n->in[0]->shape);
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void max_pool_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    int x = l->in[0];
    enum dtype type = k->bufs[x].dtype;
    struct window w;
    geometry(l->node, &w, NULL);

    kval out[MAX_RANK], tap[WINDOW_MAX_DIMS], size[WINDOW_MAX_DIMS], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < w.n; d++)
        size[d] = kernel_const_index(k, w.kernel[d]);
    kval identity = ops_lowest(k, ops_compute_type(type)), max;
    kernel_reduce_begin(k, KCOMBINE_MAX, 1, w.n, size, 1, &identity, tap);
    in[0] = out[0];
    in[1] = out[1];
    for (int d = 0; d < w.n; d++)
        in[2 + d] = window_position(k, &w, d, out[2 + d], tap[d]);
    kval v = w.any_outside ? kernel_load_or(k, x, in, ops_lowest(k, type)) : kernel_load(k, x, in);
    v = kernel_cast(k, ops_compute_type(type), v);
    kernel_reduce_end(k, &v, &max);
    ops_store(k, l->out[0], out, max);
    ops_map_end(k, l->out[0]);
}
