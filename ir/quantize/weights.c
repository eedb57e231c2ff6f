/*
 * weights.c: the constant operands of contractions.
 *
 * Weights are symmetric, -127 to 127, with one scale per output channel or one for all: what was
 * trained or quantized for the common runtimes lies on that grid.  A bias has the scale of
 * the sums, the product of the operands' scales (docs/numerics.md, biases).  Where it would not
 * fit, because the weights of the channel are tiny beside it, the scale of the weights is raised
 * until it does.
 */
#include <math.h>
#include <string.h>

#include "ir/ops/common.h"
#include "ir/quantize/quantizer.h"
#include "ir/quantize/round_weights.h"
#include "ir/quantize/weight_group.h"

/* Steps of a bias that stands alone: more than any result has, few enough for common factors. */
#define STEPS_OF_LONE_BIAS 0x1p24

/* Half of what 32 bits hold, so that the products have room; sums of 16 bits have 64. */
static double most_bias(const struct quantizer *q)
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

/* Along which the scales run. */
static int weight_axis(const struct quantizer *q, const struct node *n, size_t operand)
{
    if (n->op != OP_conv && operand != 1)
        return -1;
    return (n->op == OP_conv ? q->opt->per_channel : q->opt->per_row)
               ? quantizer_output_axis(n, operand)
               : -1;
}

static double weight_factor(const struct node *n)
{
    return n->op == OP_gemm ? (double)((const struct gemm_attrs *)n->attrs)->alpha : 1;
}

static double bias_factor(const struct node *n)
{
    return n->op == OP_gemm ? (double)((const struct gemm_attrs *)n->attrs)->beta : 1;
}

/* ---- biases ---- */

static double *alloc_doubles(const struct quantizer *q, const struct tensor *t)
{
    return arena_array(q->scratch, (size_t)tensor_elems(t), sizeof(double));
}

/* To the nearest of the bias' own integers, where these are fewer than the sums'. */
static void round_bias(const struct quantizer *q, const struct tensor *t, double factor, double *x)
{
    int64_t n = tensor_elems(t);
    double min = 0, max = 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = tensor_get(t, i) * factor;
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
                      const struct node *n)
{
    if (!ops_has_input(n, 2))
        return;
    const struct tensor *t = n->in[2]->constant;
    int64_t n_bias = tensor_elems(t), count = n_bias > w->n ? n_bias : w->n;
    double *x = alloc_doubles(q, t);
    round_bias(q, t, bias_factor(n), x);
    for (int64_t i = 0; i < count; i++) {
        float *scale = &w->scale[w->n == 1 ? 0 : i];
        double steps = *scale > 0 ? most_bias(q) : STEPS_OF_LONE_BIAS;
        raise_to(q, scale, fabs(x[n_bias == 1 ? 0 : i]) / (x_scale * steps));
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
    *out_max = fmax(-min, max);
    *out_min = -*out_max;
}

/* 0 where all weights become 0: the bias may choose. */
static void scale_weights(const struct quantizer *q, struct weight_plan *w, const struct tensor *t,
                          double factor)
{
    struct weight_group group = weight_group_of(t, w->axis, 0);
    size_t n = weight_group_elems(&group);
    double *x = arena_array(q->scratch, n, sizeof *x);
    float *narrow = arena_array(q->scratch, n, sizeof *narrow);
    for (int64_t c = 0; c < w->n; c++) {
        double min, max;
        group = weight_group_of(t, w->axis, c);
        weight_group_read(t, &group, x);
        for (size_t i = 0; i < n; i++)
            narrow[i] = (float)(x[i] * factor);
        range_of_channel(q, narrow, n, &min, &max);
        float scale = schema_params(schema_of_weights(q), q->opt->weights, min, max).scale;
        w->scale[c] = max < (double)scale / 2 ? 0 : scale;
    }
}

/* Channels that are 0 altogether. */
static void scale_zeros(const struct quantizer *q, struct weight_plan *w)
{
    float scale = schema_params(schema_of_weights(q), q->opt->weights, 0, 0).scale;
    for (int64_t c = 0; c < w->n; c++)
        w->scale[c] = w->scale[c] > 0 ? w->scale[c] : scale;
}

/* Scale of an operand that varies. */
static double operand_scale(const struct quantizer *q, const struct value *v)
{
    if (v->producer && v->producer->op == OP_dequantize_linear)
        return tensor_get(v->producer->in[1]->constant, 0);
    return (double)q->value[v->id].quant.scale;
}

void quantizer_plan_weights(struct quantizer *q, size_t at)
{
    const struct node *n = q->nodes[at];
    struct weight_plan *w = arena_new(q->scratch, struct weight_plan);
    q->node[at].weights = w;
    w->operand = value_is_constant(n->in[1]) ? 1 : value_is_constant(n->in[0]) ? 0 : 2;
    w->axis = w->operand < 2 ? weight_axis(q, n, w->operand) : -1;
    w->n = w->axis < 0 ? 1 : n->in[w->operand]->shape.dims[w->axis];
    w->scale = arena_array(q->scratch, (size_t)w->n, sizeof *w->scale);
    w->sum = arena_array(q->scratch, (size_t)w->n, sizeof *w->sum);
    double x_scale = operand_scale(q, n->in[w->operand == 0]);
    if (w->operand == 2) {
        w->scale[0] = (float)operand_scale(q, n->in[1]);
    } else {
        scale_weights(q, w, n->in[w->operand]->constant, weight_factor(n));
        make_room(q, w, x_scale, n);
        scale_zeros(q, w);
    }
    for (int64_t c = 0; c < w->n; c++)
        w->sum[c] = (float)(x_scale * (double)w->scale[c]);
}

/* ---- insertion ---- */

static const struct tensor *quantized_weights(struct quantizer *q, const struct weight_plan *w,
                                              const struct node *n)
{
    const struct tensor *t = n->in[w->operand]->constant;
    struct tensor *r = tensor_new(q->g->arena, q->opt->weights, t->rank, t->dims);
    double lo = (double)dtype_int_min(r->dtype), hi = (double)dtype_int_max(r->dtype);
    int axis = quantizer_output_axis(n, w->operand);
    int64_t n_outputs = axis < 0 ? 1 : t->dims[axis];
    struct weight_group group = weight_group_of(t, axis, 0);
    size_t n_elems = weight_group_elems(&group);
    double *x = arena_array(q->scratch, n_elems, sizeof *x);
    double *rounded = arena_array(q->scratch, n_elems, sizeof *rounded);
    for (int64_t c = 0; c < n_outputs; c++) {
        group = weight_group_of(t, axis, c);
        weight_group_read(t, &group, x);
        for (size_t i = 0; i < n_elems; i++)
            x[i] = x[i] * weight_factor(n) / (double)w->scale[w->n == 1 ? 0 : c];
        round_weights(x, n_elems, lo, hi, rounded);
        weight_group_write(r, &group, rounded);
    }
    return r;
}

/* i32 at the scale of the sums, one for each of them. */
static const struct tensor *quantized_bias(struct quantizer *q, const struct weight_plan *w,
                                           const struct tensor *t, double factor)
{
    int64_t n_bias = tensor_elems(t), n = n_bias > w->n ? n_bias : w->n;
    struct tensor *r = tensor_new(q->g->arena, DTYPE_I32, 1, &n);
    double *x = alloc_doubles(q, t);
    round_bias(q, t, factor, x);
    for (int64_t i = 0; i < n; i++) {
        struct quant p = {.scale = w->sum[w->n == 1 ? 0 : i]};
        tensor_set_int(r, i, schema_quantize(x[n_bias == 1 ? 0 : i], &p, DTYPE_I32));
    }
    return r;
}

void quantizer_insert_weights(struct quantizer *q, size_t at)
{
    struct node *n = q->nodes[at];
    const struct weight_plan *w = q->node[at].weights;
    if (w->operand < 2) {
        struct integers weights = {quantized_weights(q, w, n), w->scale, w->n, w->axis};
        quantizer_set_constant(q, n, w->operand, &weights);
    }
    if (ops_has_input(n, 2)) {
        struct integers bias = {quantized_bias(q, w, n->in[2]->constant, bias_factor(n)), w->sum,
                                w->n, w->n > 1 ? 0 : -1};
        quantizer_set_constant(q, n, 2, &bias);
    }
    if (n->op == OP_gemm) {
        struct gemm_attrs *attrs = n->attrs;
        attrs->alpha = attrs->beta = 1;
    }
}
