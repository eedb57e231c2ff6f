/*
 * weights.c: the constant operands of contractions.
 *
 * Weights are symmetric, with one scale per output channel or one for all.  What is added to the
 * sums has their scale, the product of the operands' scales (docs/numerics.md, biases).  Where it
 * would not fit, because the weights of the channel are tiny beside its bias, the scale of the
 * weights is raised until it does.
 */
#include <math.h>
#include <string.h>

#include "ir/quantize/quantizer.h"

/* Half of what 32 bits hold, so that the products have room; sums of 16 bits have 64. */
static double most_addend(const struct quantizer *q)
{
    return q->opt->weights == DTYPE_I8 ? 0x1p30 : 0x1p31 - 1;
}

static bool is_symmetric_power2(const struct quantizer *q)
{
    return q->opt->calibration.schema == SCHEMA_SYMMETRIC_WITH_POWER2_SCALE;
}

static enum quant_schema schema_of_weights(const struct quantizer *q)
{
    return is_symmetric_power2(q) ? SCHEMA_SYMMETRIC_WITH_POWER2_SCALE : SCHEMA_SYMMETRIC;
}

/* ---- channels ---- */

/* Elements in a row that belong to one channel, where channels run along `axis`. */
static int64_t inner_of(const struct tensor *t, int axis)
{
    int64_t inner = 1;
    for (int d = axis + 1; d < t->rank; d++)
        inner *= t->dims[d];
    return inner;
}

static int64_t channel_of(const struct tensor *t, int axis, int64_t inner, int64_t i)
{
    return axis < 0 ? 0 : i / inner % t->dims[axis];
}

static int weight_axis(const struct quantizer *q, const struct node *n, size_t operand)
{
    int rank = n->in[operand]->shape.rank;
    if (n->op == OP_conv)
        return q->opt->per_channel ? 0 : -1;
    if (operand != 1 || !q->opt->per_row)
        return -1;
    if (n->op == OP_gemm)
        return ((const struct gemm_attrs *)n->attrs)->transB ? 0 : 1;
    return rank > 1 ? rank - 1 : -1;
}

/* Of the result. */
static int channel_axis(const struct node *n)
{
    return n->op == OP_conv ? 1 : n->out[0]->shape.rank - 1;
}

static double weight_factor(const struct node *n)
{
    return n->op == OP_gemm ? (double)((const struct gemm_attrs *)n->attrs)->alpha : 1;
}

static double bias_factor(const struct node *n)
{
    return n->op == OP_gemm ? (double)((const struct gemm_attrs *)n->attrs)->beta : 1;
}

/* ---- what is added to the sums ---- */

struct addend {
    const struct tensor *t;
    double factor;
    int axis; /* of t, along which the channels run; -1: it has none */
};

/* Axis of `t`, which broadcasts to `rank` dimensions, for dimension `axis` of these. */
static int axis_within(const struct tensor *t, int rank, int axis)
{
    int d = axis - (rank - t->rank);
    return d >= 0 && t->dims[d] > 1 ? d : -1;
}

static struct addend bias_of(const struct node *n)
{
    struct addend a = {.factor = bias_factor(n), .axis = -1};
    if (n->n_in < 3 || !n->in[2])
        return a;
    a.t = n->in[2]->constant;
    a.axis = axis_within(a.t, a.t->rank, a.t->rank - 1);
    return a;
}

/* The constant that the node behind the contraction adds, and which input it is. */
static struct addend added_constant(const struct quantizer *q, const struct node *contraction,
                                    const struct node *n, size_t *out_input)
{
    struct addend a = {.factor = 1, .axis = -1};
    for (size_t i = 0; i < n->n_in && n->op != OP_clip; i++) {
        if (!quantizer_is_data(n, i) || !quantizer_is_constant(n->in[i]))
            continue;
        a.t = n->in[i]->constant;
        a.axis = axis_within(a.t, n->out[0]->shape.rank, channel_axis(contraction));
        *out_input = i;
    }
    (void)q;
    return a;
}

/* To the nearest of the bias' own integers, where these are fewer than the sums'. */
static void round_addend(const struct quantizer *q, const struct addend *a, double *x)
{
    int64_t n = tensor_elems(a->t);
    double min = 0, max = 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = tensor_get(a->t, i) * a->factor;
        min = fmin(min, x[i]);
        max = fmax(max, x[i]);
    }
    if (q->opt->bias == DTYPE_I32)
        return;
    struct quant p = schema_params(schema_of_weights(q), q->opt->bias, min, max);
    for (int64_t i = 0; i < n; i++)
        x[i] = schema_dequantize(schema_quantize(x[i], &p, q->opt->bias), &p);
}

/* ---- scales ---- */

static void raise_to(const struct quantizer *q, float *scale, double least)
{
    if ((double)*scale >= least)
        return;
    *scale = (float)(is_symmetric_power2(q) ? exp2(ceil(log2(least))) : least * (1 + 0x1p-20));
}

static void make_room(const struct quantizer *q, struct weight_plan *w, double x_scale,
                      const struct addend *a)
{
    if (!a->t)
        return;
    int64_t n = tensor_elems(a->t), inner = inner_of(a->t, a->axis);
    double *x = arena_array(q->scratch, (size_t)n, sizeof *x);
    round_addend(q, a, x);
    for (int64_t i = 0; i < n; i++) {
        double least = fabs(x[i]) / (x_scale * most_addend(q));
        int64_t only = a->axis < 0 || w->n == 1 ? -1 : channel_of(a->t, a->axis, inner, i);
        for (int64_t c = only < 0 ? 0 : only; c < (only < 0 ? w->n : only + 1); c++)
            raise_to(q, &w->scale[c], least);
    }
}

static void range_of_channel(const struct quantizer *q, const float *x, size_t n, double *out_min,
                             double *out_max)
{
    double min = 0, max = 0;
    for (size_t i = 0; i < n; i++) {
        min = fmin(min, (double)x[i]);
        max = fmax(max, (double)x[i]);
    }
    if (q->opt->calibrate_constants) {
        struct calibration_options opt = q->opt->calibration;
        struct histogram *h = arena_new(q->scratch, struct histogram);
        opt.schema = schema_of_weights(q);
        opt.type = q->opt->weights;
        histogram_init(h);
        histogram_add(h, x, n);
        calibrate(h, &opt, &min, &max);
    }
    *out_min = min;
    *out_max = max;
}

static void scale_weights(const struct quantizer *q, struct weight_plan *w, const struct tensor *t,
                          double factor)
{
    int64_t n = tensor_elems(t), inner = inner_of(t, w->axis), per_channel = w->n ? n / w->n : 0;
    float *x = arena_array(q->scratch, (size_t)n, sizeof *x);
    int64_t *filled = arena_array(q->scratch, (size_t)w->n, sizeof *filled);
    for (int64_t i = 0; i < n; i++) {
        int64_t c = channel_of(t, w->axis, inner, i);
        x[c * per_channel + filled[c]++] = (float)(tensor_get(t, i) * factor);
    }
    for (int64_t c = 0; c < w->n; c++) {
        double min, max;
        range_of_channel(q, x + c * per_channel, (size_t)per_channel, &min, &max);
        w->scale[c] = schema_params(schema_of_weights(q), q->opt->weights, min, max).scale;
    }
}

/* Scale of an operand that varies. */
static double operand_scale(const struct quantizer *q, const struct value *v)
{
    if (v->producer && v->producer->op == OP_dequantize_linear)
        return tensor_get(v->producer->in[1]->constant, 0);
    return (double)q->value[v->id].quant.scale;
}

static const struct node *next_in_chain(const struct quantizer *q, const struct node *n)
{
    const struct value_plan *plan = &q->value[n->out[0]->id];
    return plan->inner ? q->nodes[plan->last_user] : NULL;
}

void quantizer_plan_weights(struct quantizer *q, size_t at)
{
    const struct node *n = q->nodes[at];
    struct weight_plan *w = arena_new(q->scratch, struct weight_plan);
    q->node[at].weights = w;
    w->operand = quantizer_is_constant(n->in[1]) ? 1 : quantizer_is_constant(n->in[0]) ? 0 : 2;
    w->axis = w->operand < 2 ? weight_axis(q, n, w->operand) : -1;
    w->n = w->axis < 0 ? 1 : n->in[w->operand]->shape.dims[w->axis];
    w->scale = arena_array(q->scratch, (size_t)w->n, sizeof *w->scale);
    w->sum = arena_array(q->scratch, (size_t)w->n, sizeof *w->sum);
    double x_scale = operand_scale(q, n->in[w->operand == 0]);
    if (w->operand == 2) {
        w->scale[0] = (float)operand_scale(q, n->in[1]);
    } else {
        struct addend bias = bias_of(n), added = {0};
        size_t ignored;
        const struct node *next = next_in_chain(q, n);
        if (next)
            added = added_constant(q, n, next, &ignored);
        scale_weights(q, w, n->in[w->operand]->constant, weight_factor(n));
        make_room(q, w, x_scale, &bias);
        make_room(q, w, x_scale, &added);
    }
    for (int64_t c = 0; c < w->n; c++)
        w->sum[c] = (float)(x_scale * (double)w->scale[c]);
}

/* ---- insertion ---- */

static const struct tensor *quantized_weights(struct quantizer *q, const struct weight_plan *w,
                                              const struct tensor *t, double factor)
{
    struct tensor *r = tensor_new(q->g->arena, q->opt->weights, t->rank, t->dims);
    int64_t inner = inner_of(t, w->axis);
    for (int64_t i = 0, n = tensor_elems(t); i < n; i++) {
        struct quant p = {.scale = w->scale[channel_of(t, w->axis, inner, i)]};
        tensor_set_int(r, i, schema_quantize(tensor_get(t, i) * factor, &p, q->opt->weights));
    }
    return r;
}

/* i32 at the scale of the sums.  One that has no channels, beside sums that have, is repeated. */
static void set_addend(struct quantizer *q, struct node *n, size_t input, const struct addend *a,
                       const struct weight_plan *w, int channels_from_end)
{
    const struct tensor *t = a->t;
    int64_t n_from = tensor_elems(t), dims[MAX_RANK];
    double *x = arena_array(q->scratch, (size_t)n_from, sizeof *x);
    round_addend(q, a, x);
    bool repeated = w->n > 1 && a->axis < 0;
    int rank = repeated && t->rank < channels_from_end ? channels_from_end : t->rank;
    int axis = repeated ? rank - channels_from_end : a->axis;
    for (int d = 0; d < rank; d++)
        dims[d] = d < rank - t->rank ? 1 : t->dims[d - (rank - t->rank)];
    if (repeated)
        dims[axis] = w->n;
    struct tensor *r = tensor_new(q->g->arena, DTYPE_I32, rank, dims);
    int64_t inner = inner_of(r, axis);
    for (int64_t i = 0, n_to = tensor_elems(r); i < n_to; i++) {
        int64_t c = w->n > 1 ? channel_of(r, axis, inner, i) : 0;
        int64_t from = repeated ? i / (inner * w->n) * inner + i % inner : i;
        struct quant p = {.scale = w->sum[c]};
        tensor_set_int(r, i, schema_quantize(x[from], &p, DTYPE_I32));
    }
    quantizer_set_constant(
        q, n, input,
        &(struct integers){
            .stored = r, .scale = w->sum, .n_scales = w->n, .axis = w->n > 1 ? axis : -1});
}

static void insert_contraction(struct quantizer *q, size_t at)
{
    struct node *n = q->nodes[at];
    const struct weight_plan *w = q->node[at].weights;
    struct addend bias = bias_of(n);
    if (w->operand < 2)
        quantizer_set_constant(
            q, n, w->operand,
            &(struct integers){
                .stored = quantized_weights(q, w, n->in[w->operand]->constant, weight_factor(n)),
                .scale = w->scale,
                .n_scales = w->n,
                .axis = w->axis});
    if (bias.t)
        set_addend(q, n, 2, &bias, w, 1);
    if (n->op == OP_gemm) {
        struct gemm_attrs *attrs = n->attrs;
        attrs->alpha = attrs->beta = 1;
    }
}

void quantizer_insert_weights(struct quantizer *q, size_t at)
{
    struct node *n = q->nodes[at];
    if (op_desc(n->op)->quant == QUANT_CONTRACT) {
        insert_contraction(q, at);
        return;
    }
    for (size_t i = 0; i < n->n_in; i++) {
        const struct node *p = n->in[i] ? n->in[i]->producer : NULL;
        if (!p || !q->value[n->in[i]->id].inner || op_desc(p->op)->quant != QUANT_CONTRACT)
            continue;
        size_t input = 0;
        struct addend added = added_constant(q, p, n, &input);
        if (added.t)
            set_addend(q, n, input, &added, q->node[q->value[n->in[i]->id].maker].weights,
                       n->out[0]->shape.rank - channel_axis(p));
    }
}
