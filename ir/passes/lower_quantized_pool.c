/*
 * Means of quantized values: the integer sum, whose unit is scale / number of elements.  Where the
 * number of elements differs from window to window, the mean stays as it is.
 */
#include "ir/checked.h"
#include "ir/ops/reduce.h"
#include "ir/ops/window.h"
#include "ir/passes/lower_quantized.h"

struct mean {
    struct operand x;
    struct quant quant;
    int64_t n; /* elements of each mean */
    bool pool; /* over a window of spatial dimensions; else over `axis` */
    struct window_spec window;
    struct reduce_spec axes;
};

/* Every window has all its positions inside what counts. */
static bool window_count(const struct node *n, struct mean *m)
{
    const struct average_pool_attrs *a = n->attrs;
    struct window w;
    m->window = WINDOW_SPEC(a, a->ceil_mode != 0);
    if (!window_compute(&m->window, &n->in[0]->shape, NULL, &w, NULL))
        return false;
    m->n = 1;
    for (int d = 0; d < w.n; d++) {
        int64_t lo = a->count_include_pad ? -w.pad_begin[d] : 0;
        int64_t hi = w.in[d] + (a->count_include_pad ? w.pad_end[d] : 0);
        int64_t last =
            (w.out[d] - 1) * w.stride[d] - w.pad_begin[d] + (w.kernel[d] - 1) * w.dilation[d];
        if (-w.pad_begin[d] < lo || last >= hi || !checked_mul(m->n, w.kernel[d], &m->n))
            return false;
    }
    m->pool = true;
    return true;
}

/* All of the dimensions from 2 on: one window. */
static bool is_spatial(const struct reduce_spec *s, int rank)
{
    for (int d = 0; d < rank; d++)
        if (s->axis[d] != (d >= 2))
            return false;
    return rank > 2 && rank - 2 <= WINDOW_MAX_DIMS && s->keepdims;
}

static void use_one_window(struct lowering *l, const struct shape *x, struct mean *m)
{
    int64_t *kernel = arena_array(l->g->arena, (size_t)x->rank - 2, sizeof *kernel);
    for (int d = 2; d < x->rank; d++)
        kernel[d - 2] = x->dims[d];
    m->pool = true;
    m->window = (struct window_spec){.auto_pad = "NOTSET"};
    m->window.kernel_shape = (struct attr_ints){kernel, (size_t)x->rank - 2};
}

static bool axes_count(struct lowering *l, const struct node *n, struct mean *m)
{
    const struct shape *x = &n->in[0]->shape;
    if (n->op == OP_global_average_pool) {
        m->axes.keepdims = true;
        for (int d = 2; d < x->rank; d++)
            m->axes.axis[d] = true;
    } else {
        const struct reduce_mean_attrs *a = n->attrs;
        if (!reduce_axes(n, a->keepdims != 0, a->noop_with_empty_axes != 0, &m->axes, NULL))
            return false;
    }
    m->n = 1;
    for (int d = 0; d < x->rank; d++)
        if (m->axes.axis[d] && !checked_mul(m->n, x->dims[d], &m->n))
            return false;
    if (is_spatial(&m->axes, x->rank))
        use_one_window(l, x, m);
    /* Other sums need a copy of x in the sums' type, which does not pay between floats. */
    return m->n > 1 && (m->pool || lq_is_only_quantized(l, n->out[0]));
}

static bool mean_of(struct lowering *l, const struct node *n, struct mean *m)
{
    *m = (struct mean){.n = 0};
    if ((n->op != OP_average_pool && n->op != OP_global_average_pool && n->op != OP_reduce_mean) ||
        !lq_tensor_operand(n->in[0], &m->x, &m->quant) || lq_is_constant(m->x.stored) ||
        !lq_is_narrow(m->x.stored->dtype) || !shape_is_static(&n->in[0]->shape))
        return false;
    if (n->op == OP_average_pool ? !window_count(n, m) : !axes_count(l, n, m))
        return false;
    unsigned bits = dtype_bits(m->x.stored->dtype);
    return m->n <= (bits == 8 ? INT32_MAX : (int64_t)1 << 42) >> bits;
}

static struct value *pool_sums(struct lowering *l, const struct node *n, const struct mean *m)
{
    struct value *x = m->x.stored;
    struct node *s = lq_begin(l, OP_sum_pool, n->name, 1, &x);
    struct sum_pool_attrs *a = s->attrs;
    a->auto_pad = m->window.auto_pad;
    a->ceil_mode = m->window.ceil_mode;
    a->dilations = m->window.dilations;
    a->kernel_shape = m->window.kernel_shape;
    a->pads = m->window.pads;
    a->strides = m->window.strides;
    a->zero_point = m->quant.zero_point;
    return lq_end(l, s, lq_name(l, n->out[0], "sums"));
}

static struct value *axis_sums(struct lowering *l, const struct node *n, const struct mean *m)
{
    enum dtype type = dtype_bits(m->x.stored->dtype) == 8 ? DTYPE_I32 : DTYPE_I64;
    int64_t axes[MAX_RANK], n_axes = 0;
    for (int d = 0; d < n->in[0]->shape.rank; d++)
        if (m->axes.axis[d])
            axes[n_axes++] = d;
    struct value *in[2];
    in[0] = lq_shift_zero(l, m->x.stored, m->quant.zero_point, 0, type,
                          lq_name(l, m->x.stored, "wide"));
    in[1] =
        lq_constant(l, lq_name(l, n->out[0], "axes"), tensor_from_ints(l->g->arena, axes, n_axes));
    struct node *s = lq_begin(l, OP_reduce_sum, n->name, 2, in);
    struct reduce_sum_attrs *a = s->attrs;
    a->keepdims = m->axes.keepdims;
    a->noop_with_empty_axes = 1;
    return lq_end(l, s, lq_name(l, n->out[0], "sums"));
}

bool lq_lower_pool(struct lowering *l, struct node *n)
{
    struct mean m;
    if (!lq_fused(l) || !mean_of(l, n, &m))
        return false;
    struct value *sums = m.pool ? pool_sums(l, n, &m) : axis_sums(l, n, &m);
    lq_set_bound(l, sums, m.n * lq_reach(m.x.stored->dtype, m.quant.zero_point));
    double scale = (double)m.quant.scale / (double)m.n;
    lq_become_dequantized(l, n, &(struct sums){.v = sums, .scale = &scale, .n = 1});
    return true;
}
