/*
 * LpPool-22: (sum over each window of |x|^p)^(1/p); padding adds 0.
 */
#include "ir/ops/window.h"

static struct window_spec spec_of(const struct node *n)
{
    const struct lp_pool_attrs *a = n->attrs;
    return WINDOW_SPEC(a, a->ceil_mode != 0);
}

bool lp_pool_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct lp_pool_attrs *a = n->attrs;
    struct window_spec spec = spec_of(n);
    if (!(a->p > 0))
        return error_set(err, SHEAF_ERROR_SHAPE, "a norm with p = %g is not possible",
                         (double)a->p);
    return window_infer_pool(n, TYPES_FLOAT, &spec, err);
}

static kval power(struct kernel *k, kval v, kval with)
{
    return kernel_pow(k, kernel_unary(k, KOP_ABS, v), with);
}

void lp_pool_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    double p = (double)((const struct lp_pool_attrs *)l->node->attrs)->p;
    enum dtype stored = k->bufs[l->in[0]].dtype, type = ops_compute_type(stored);
    struct window_spec spec = spec_of(l->node);
    struct window w;
    window_compute(&spec, &l->node->in[0]->shape, NULL, &w, NULL);
    reduce_element *element = p == 1 ? reduce_abs : p == 2 ? reduce_square : power;

    kval out[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    kval start = kernel_const_float(k, type, 0), outside = kernel_const_float(k, stored, 0);
    kval with = kernel_const_float(k, type, p);
    kval sum = window_reduce(k, &w, l->in[0], out, KCOMBINE_ADD, start, outside, element, with);
    if (p == 2)
        sum = kernel_unary(k, KOP_SQRT, sum);
    else if (p != 1)
        sum = kernel_pow(k, sum, kernel_const_float(k, type, 1 / p));
    ops_store(k, l->out[0], out, sum);
    ops_map_end(k, l->out[0]);
}
