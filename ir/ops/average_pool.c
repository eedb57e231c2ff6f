/*
 * AveragePool-22: the divisor counts the window's positions inside the input or, with
 * count_include_pad, inside the input and its padding; what ceil_mode adds beyond never counts.
 */
#include "ir/ops/window.h"

static struct window_spec spec_of(const struct node *n)
{
    const struct average_pool_attrs *a = n->attrs;
    return WINDOW_SPEC(a, a->ceil_mode != 0);
}

bool average_pool_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct window_spec spec = spec_of(n);
    return window_infer_pool(n, TYPES_FLOAT, &spec, err);
}

/*
 * Positions of window o in dimension d that count: taps 0 <= t < kernel with
 * lo <= start + t * dilation < hi.  0 where all do.
 */
static kval count_positions(struct kernel *k, const struct window *w, int d, bool include_pad,
                            kval o)
{
    int64_t lo = include_pad ? -w->pad_begin[d] : 0;
    int64_t hi = w->in[d] + (include_pad ? w->pad_end[d] : 0);
    int64_t last =
        (w->out[d] - 1) * w->stride[d] - w->pad_begin[d] + (w->kernel[d] - 1) * w->dilation[d];
    if (-w->pad_begin[d] >= lo && last < hi)
        return 0;
    kval zero = kernel_const_index(k, 0), dilation = kernel_const_index(k, w->dilation[d]);
    kval start = ops_add_const(k, ops_mul_const(k, o, w->stride[d]), -w->pad_begin[d]);
    /* first = ceil((lo - start) / dilation), end = ceil((hi - start) / dilation), both from 0. */
    kval bound[2];
    for (int i = 0; i < 2; i++) {
        kval room = kernel_binary(k, KOP_SUB, kernel_const_index(k, i ? hi : lo), start);
        room = kernel_binary(k, KOP_MAX, room, zero);
        bound[i] = kernel_binary(k, KOP_DIV, ops_add_const(k, room, w->dilation[d] - 1), dilation);
    }
    kval end = kernel_binary(k, KOP_MIN, bound[1], kernel_const_index(k, w->kernel[d]));
    return kernel_binary(k, KOP_SUB, end, bound[0]);
}

static kval divisor(struct kernel *k, const struct window *w, bool include_pad, const kval *out,
                    enum dtype type)
{
    int64_t fixed = 1;
    kval varying = 0;
    for (int d = 0; d < w->n; d++) {
        kval count = count_positions(k, w, d, include_pad, out[2 + d]);
        if (!count)
            fixed *= w->kernel[d];
        else
            varying = varying ? kernel_binary(k, KOP_MUL, varying, count) : count;
    }
    if (!varying)
        return kernel_const(k, type, (double)fixed);
    return kernel_cast(k, type, ops_mul_const(k, varying, fixed));
}

void average_pool_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct average_pool_attrs *a = l->node->attrs;
    enum dtype stored = k->bufs[l->in[0]].dtype, type = ops_compute_type(stored);
    struct window_spec spec = spec_of(l->node);
    struct window w;
    window_compute(&spec, &l->node->in[0]->shape, NULL, &w, NULL);

    kval out[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    kval start = kernel_const_float(k, type, 0), outside = kernel_const_float(k, stored, 0);
    kval sum = window_reduce(k, &w, l->in[0], out, KCOMBINE_ADD, start, outside, NULL, 0);
    kval n = divisor(k, &w, a->count_include_pad != 0, out, type);
    ops_store(k, l->out[0], out, kernel_binary(k, KOP_DIV, sum, n));
    ops_map_end(k, l->out[0]);
}
