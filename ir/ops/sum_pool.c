#include "ir/checked.h"
#include "ir/ops/window.h"

static struct window_spec spec_of(const struct node *n)
{
    const struct sum_pool_attrs *a = n->attrs;
    return WINDOW_SPEC(a, a->ceil_mode != 0);
}

static enum dtype sum_type(unsigned bits)
{
    return bits == 8 ? DTYPE_I32 : DTYPE_I64;
}

/* Positions of a window; false where sums of so many may not fit. */
static bool count_taps(const struct node *n, const struct window *w, int64_t *out)
{
    unsigned bits = dtype_bits(n->in[0]->dtype);
    int64_t taps = 1, sum;
    for (int d = 0; d < w->n; d++)
        if (!checked_mul(taps, w->kernel[d], &taps))
            return false;
    *out = taps;
    return checked_mul(taps, (int64_t)1 << bits, &sum) && sum <= dtype_int_max(sum_type(bits));
}

bool sum_pool_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct sum_pool_attrs *a = n->attrs;
    struct window_spec spec = spec_of(n);
    struct window w;
    int64_t taps;
    if (!window_infer_pool(n, TYPES_8 | TYPES_16, &spec, err))
        return false;
    enum dtype x = n->in[0]->dtype;
    window_compute(&spec, &n->in[0]->shape, NULL, &w, NULL);
    if (!count_taps(n, &w, &taps))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the window is too large for exact sums");
    if (a->zero_point < dtype_int_min(x) || a->zero_point > dtype_int_max(x))
        return error_set(err, SHEAF_ERROR_SHAPE, "zero_point %lld is no %s",
                         (long long)a->zero_point, dtype_name(x));
    n->out[0]->dtype = sum_type(dtype_bits(x));
    return true;
}

/* Padding holds the zero point, so that all zero points of a window go at once. */
void sum_pool_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct sum_pool_attrs *a = l->node->attrs;
    enum dtype x = k->bufs[l->in[0]].dtype, type = sum_type(dtype_bits(x));
    struct window_spec spec = spec_of(l->node);
    struct window w;
    int64_t taps = 0;
    window_compute(&spec, &l->node->in[0]->shape, NULL, &w, NULL);
    count_taps(l->node, &w, &taps);

    kval out[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    kval start = kernel_const_int(k, type, 0), outside = kernel_const_int(k, x, a->zero_point);
    kval sum = window_reduce(k, &w, l->in[0], out, KCOMBINE_ADD, start, outside, NULL, 0);
    kval zeros = kernel_const_int(k, type, taps * a->zero_point);
    kernel_store(k, l->out[0], out, kernel_binary(k, KOP_SUB, sum, zeros));
    ops_map_end(k, l->out[0]);
}
