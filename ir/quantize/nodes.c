/*
 * nodes.c: what the rules of the quantizer ask of nodes and values.
 */
#include <math.h>

#include "ir/ops/common.h"
#include "ir/quantize/quantizer.h"

bool quantizer_is_scalar(const struct value *v)
{
    return value_is_constant(v) && tensor_elems(v->constant) == 1;
}

bool quantizer_is_data(const struct node *n, size_t i)
{
    size_t n_data = form_data_inputs(n);
    return ops_has_input(n, i) && n->in[i]->dtype == DTYPE_F32 && (!n_data || i < n_data);
}

bool quantizer_varies(const struct node *n, size_t i)
{
    return quantizer_is_data(n, i) && !value_is_constant(n->in[i]);
}

size_t quantizer_n_varying(const struct node *n)
{
    size_t count = 0;
    for (size_t i = 0; i < n->n_in; i++)
        count += quantizer_varies(n, i);
    return count;
}

bool quantizer_has_inner(const struct quantizer *q, const struct node *n)
{
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && q->value[n->in[i]->id].inner)
            return true;
    return false;
}

bool quantizer_is_contraction(const struct node *n)
{
    return op_desc(n->op)->quant == QUANT_CONTRACT;
}

int quantizer_output_axis(const struct node *n, size_t operand)
{
    int rank = n->in[operand]->shape.rank;
    if (n->op == OP_conv)
        return 0;
    if (operand == 0)
        return rank - 2;
    if (n->op == OP_gemm)
        return ((const struct gemm_attrs *)n->attrs)->transB ? 0 : 1;
    return rank > 1 ? rank - 1 : -1;
}

bool quantizer_moves(const struct quantizer *q, size_t at)
{
    const struct node *n = q->nodes[at];
    return q->node[at].can && op_desc(n->op)->quant == QUANT_SAME &&
           !q->value[n->out[0]->id].inner && !quantizer_has_inner(q, n);
}

/* ---- ranges ---- */

static bool range_of_constant(const struct quantizer *q, const struct tensor *t, double *out_min,
                              double *out_max)
{
    double min = 0, max = 0;
    for (int64_t i = 0, n = tensor_elems(t); i < n; i++) {
        double x = tensor_get(t, i);
        if (!isfinite(x))
            return false;
        min = fmin(min, x);
        max = fmax(max, x);
    }
    *out_min = min;
    *out_max = max;
    if (q->opt->calibrate_constants) {
        struct histogram *h = arena_new(q->scratch, struct histogram);
        histogram_init(h);
        histogram_add(h, t->data, (size_t)tensor_elems(t));
        if (h->count)
            calibrate(h, &q->opt->calibration, out_min, out_max);
    }
    return true;
}

static bool range_of_inputs(const struct quantizer *q, const struct node *n, double *out_min,
                            double *out_max)
{
    double min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < n->n_in; i++) {
        double lo, hi;
        if (!quantizer_is_data(n, i))
            continue;
        if (!quantizer_range(q, n->in[i], &lo, &hi))
            return false;
        min = fmin(min, lo);
        max = fmax(max, hi);
    }
    *out_min = min;
    *out_max = max;
    return isfinite(min);
}

bool quantizer_range(const struct quantizer *q, const struct value *v, double *out_min,
                     double *out_max)
{
    if (value_is_constant(v))
        return range_of_constant(q, v->constant, out_min, out_max);
    const struct histogram *h = profile_find(q->profile, v->name);
    if (h && h->count) {
        calibrate(h, &q->opt->calibration, out_min, out_max);
        return true;
    }
    const struct node *p = v->producer;
    return p && op_desc(p->op)->quant == QUANT_SAME && range_of_inputs(q, p, out_min, out_max);
}
