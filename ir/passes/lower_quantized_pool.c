/*
 * Means of quantized values: the integer sum, whose unit is scale / number of elements.  Where the
 * number of elements differs from window to window, the mean stays as it is.
 */
#include "ir/passes/lower_quantized.h"

struct mean {
    struct operand x;
    struct quant quant;
    struct form_mean form;
};

/* All of the dimensions from 2 on: one window. */
static bool is_spatial(const struct reduce_spec *s, int rank)
{
    for (int d = 0; d < rank; d++)
        if (s->axis[d] != (d >= 2))
            return false;
    return rank > 2 && rank - 2 <= WINDOW_MAX_DIMS && s->keepdims;
}

static void use_one_window(struct lowering *l, const struct shape *x, struct form_mean *m)
{
    int64_t *kernel = arena_array(l->g->arena, (size_t)x->rank - 2, sizeof *kernel);
    for (int d = 2; d < x->rank; d++)
        kernel[d - 2] = x->dims[d];
    m->pool = true;
    m->window = (struct window_spec){.auto_pad = "NOTSET"};
    m->window.kernel_shape = (struct attr_ints){kernel, (size_t)x->rank - 2};
}

static const char *data_obstacle(const struct node *n, struct mean *m)
{
    const char *obstacle = lq_operand_obstacle(n->in[0]);
    if (obstacle)
        return obstacle;
    if (!lq_tensor_operand(n->in[0], &m->x, &m->quant))
        return "the data has more than one scale";
    if (value_is_constant(m->x.stored))
        return "the data is constant";
    return lq_is_narrow(m->x.stored->dtype) ? NULL : "the data has neither 8 nor 16 bits";
}

static const char *mean_obstacle(struct lowering *l, const struct node *n, struct mean *m)
{
    const char *obstacle = data_obstacle(n, m);
    if (!obstacle)
        obstacle = form_mean_obstacle(n, &m->form);
    if (obstacle)
        return obstacle;
    if (n->op != OP_average_pool && m->form.n <= 1)
        return "it takes the mean of one element";
    const struct shape *x = &n->in[0]->shape;
    if (!m->form.pool && is_spatial(&m->form.axes, x->rank))
        use_one_window(l, x, &m->form);
    /* Other sums need a copy of x in the sums' type, which does not pay between floats. */
    if (!m->form.pool && !lq_is_only_quantized(l, n->out[0]))
        return "its result is not quantized";
    unsigned bits = dtype_bits(m->x.stored->dtype);
    return m->form.n > (bits == 8 ? INT32_MAX : (int64_t)1 << 42) >> bits ? "sums may not fit"
                                                                          : NULL;
}

const char *lq_mean_obstacle(struct lowering *l, const struct node *n)
{
    struct mean m;
    return mean_obstacle(l, n, &m);
}

static struct value *pool_sums(struct lowering *l, const struct node *n, const struct mean *m)
{
    struct value *x = m->x.stored;
    struct node *s = lq_begin(l, OP_sum_pool, n->name, 1, &x);
    struct sum_pool_attrs *a = s->attrs;
    WINDOW_SET(a, &m->form.window);
    a->ceil_mode = m->form.window.ceil_mode;
    a->zero_point = m->quant.zero_point;
    return lq_end(l, s, lq_name(l, n->out[0], "sums"));
}

static struct value *axis_sums(struct lowering *l, const struct node *n, const struct mean *m)
{
    enum dtype type = dtype_bits(m->x.stored->dtype) == 8 ? DTYPE_I32 : DTYPE_I64;
    int64_t axes[MAX_RANK], n_axes = 0;
    for (int d = 0; d < n->in[0]->shape.rank; d++)
        if (m->form.axes.axis[d])
            axes[n_axes++] = d;
    struct value *in[2];
    in[0] = lq_shift_zero(l, m->x.stored, m->quant.zero_point, 0, type,
                          lq_name(l, m->x.stored, "wide"));
    in[1] =
        lq_constant(l, lq_name(l, n->out[0], "axes"), tensor_from_ints(l->g->arena, axes, n_axes));
    struct node *s = lq_begin(l, OP_reduce_sum, n->name, 2, in);
    struct reduce_sum_attrs *a = s->attrs;
    a->keepdims = m->form.axes.keepdims;
    a->noop_with_empty_axes = 1;
    return lq_end(l, s, lq_name(l, n->out[0], "sums"));
}

bool lq_lower_pool(struct lowering *l, struct node *n)
{
    struct mean m;
    if (!lq_fused(l) || !form_is_mean(n) || mean_obstacle(l, n, &m))
        return false;
    struct value *sums = m.form.pool ? pool_sums(l, n, &m) : axis_sums(l, n, &m);
    lq_set_bound(l, sums, m.form.n * lq_reach(m.x.stored->dtype, m.quant.zero_point));
    double scale = (double)m.quant.scale / (double)m.form.n;
    lq_become_dequantized(l, n, &(struct sums){.v = sums, .scale = &scale, .n = 1});
    return true;
}
