/*
 * params.c: which values of the graph become integers, and with which parameters.
 *
 * Backwards: contractions and means want what they read as integers, and so does what makes
 * something that is wanted.  Other arithmetic, behind the last contraction, is left in float: what
 * it reads goes there straight from the sums, which is more exact and costs nothing.  Forwards:
 * what comes as integers is moved as integers.
 *
 * Values that are moved share the parameters of the value that they come from; and what exists only
 * to be joined takes the parameters of the whole, so that joining is copying.
 */
#include "ir/quantize/quantizer.h"

static struct value_plan *plan_of(const struct quantizer *q, const struct value *v)
{
    return &q->value[v->id];
}

/* ---- which ---- */

static bool is_wanted_result(const struct quantizer *q, const struct node *n)
{
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i] && plan_of(q, n->out[i])->wanted)
            return true;
    return false;
}

static void want_inputs(struct quantizer *q, const struct node *n)
{
    for (size_t i = 0; i < n->n_in; i++)
        if (quantizer_varies(n, i))
            plan_of(q, n->in[i])->wanted = !plan_of(q, n->in[i])->inner;
}

/* What a node that can be quantized makes, or what is moved of it. */
static bool has_integer_origin(const struct quantizer *q, const struct value *v)
{
    size_t at = plan_of(q, v)->maker;
    while (at != NO_POSITION && quantizer_moves(q, at)) {
        v = q->nodes[at]->in[0];
        at = plan_of(q, v)->maker;
    }
    return at == NO_POSITION ? v->role == VALUE_INPUT : q->node[at].can;
}

static void want_outputs(struct quantizer *q)
{
    for (size_t i = 0; i < q->g->body.n_out; i++) {
        const struct value *v = q->g->body.out[i];
        if (v->dtype == DTYPE_F32 && has_integer_origin(q, v))
            plan_of(q, v)->wanted = true;
    }
}

/* Somebody works on the node's result as integers, or on what it is before rounding. */
static bool is_needed(const struct quantizer *q, size_t at)
{
    const struct node *n = q->nodes[at];
    const struct value_plan *result = plan_of(q, n->out[0]);
    if (result->inner && q->node[result->last_user].quantized)
        return true;
    return is_wanted_result(q, n);
}

static void want_backwards(struct quantizer *q)
{
    if (q->opt->quantize_io)
        want_outputs(q);
    for (size_t at = q->n_nodes; at-- > 0;) {
        struct node_plan *plan = &q->node[at];
        if (!plan->can || (!quantizer_makes_sums(q->nodes[at]) && !is_needed(q, at)))
            continue;
        plan->quantized = true;
        want_inputs(q, q->nodes[at]);
    }
}

static bool is_integer(const struct quantizer *q, const struct value *v)
{
    return plan_of(q, v)->integer || value_is_constant(v) ||
           (v->producer && v->producer->op == OP_dequantize_linear);
}

static bool comes_as_integers(const struct quantizer *q, const struct node *n)
{
    for (size_t i = 0; i < n->n_in; i++)
        if (quantizer_is_data(n, i) && !is_integer(q, n->in[i]))
            return false;
    return true;
}

static void decide_forwards(struct quantizer *q)
{
    double min, max;
    for (size_t i = 0; i < q->g->body.n_in; i++) {
        struct value *v = q->g->body.in[i];
        plan_of(q, v)->integer = v->dtype == DTYPE_F32 && plan_of(q, v)->wanted;
    }
    for (size_t at = 0; at < q->n_nodes; at++) {
        const struct node *n = q->nodes[at];
        struct node_plan *plan = &q->node[at];
        if (quantizer_moves(q, at)) {
            bool was_wanted = plan->quantized;
            plan->quantized = comes_as_integers(q, n);
            if (plan->quantized)
                want_inputs(q, n);
            else if (was_wanted)
                plan->reason = quantizer_fault_of_inputs(q, n);
        }
        bool lazy = !plan->quantized || quantizer_makes_sums(n);
        for (size_t i = 0; i < n->n_out; i++) {
            const struct value *v = n->out[i];
            if (v && v->dtype == DTYPE_F32 && n->op != OP_dequantize_linear &&
                !plan_of(q, v)->inner && (!lazy || plan_of(q, v)->wanted))
                plan_of(q, v)->integer = quantizer_range(q, v, &min, &max);
        }
    }
}

/* ---- with which parameters ---- */

static const struct value *source_of(const struct quantizer *q, const struct value *v)
{
    while (plan_of(q, v)->like)
        v = plan_of(q, v)->like;
    return v;
}

static bool is_moved(const struct quantizer *q, const struct value *v)
{
    size_t at = plan_of(q, v)->maker;
    return at != NO_POSITION && q->node[at].quantized && quantizer_moves(q, at);
}

/* The value, and whatever it is moved from, is there for one user alone. */
static bool has_single_way(const struct quantizer *q, const struct value *v)
{
    for (;; v = v->producer->in[0]) {
        if (v->n_uses != 1 || value_is_constant(v))
            return false;
        if (!is_moved(q, v) || v->producer->op == OP_concat)
            return true;
    }
}

static void share_moved(struct quantizer *q)
{
    for (size_t at = 0; at < q->n_nodes; at++) {
        const struct node *n = q->nodes[at];
        if (!q->node[at].quantized || !quantizer_moves(q, at) || n->op == OP_concat)
            continue;
        for (size_t i = 0; i < n->n_out; i++)
            if (n->out[i])
                plan_of(q, n->out[i])->like = n->in[0];
    }
}

/* From the last to the first, so that what is joined and joined again fits the last. */
static void share_joined(struct quantizer *q)
{
    for (size_t at = q->n_nodes; at-- > 0;) {
        const struct node *n = q->nodes[at];
        if (!q->node[at].quantized || !quantizer_moves(q, at) || n->op != OP_concat)
            continue;
        for (size_t i = 0; i < n->n_in; i++) {
            const struct value *from = source_of(q, n->in[i]), *to = source_of(q, n->out[0]);
            if (from != to && has_single_way(q, n->in[i]))
                plan_of(q, from)->like = to;
        }
    }
}

/*
 * 16 bits have steps to spare: four times the range costs two of them, and what the samples of the
 * profile did not reach is not cut off.  Not where the range was chosen to cut something off.
 */
static double headroom(const struct calibration_options *opt)
{
    bool whole = opt->method == CALIBRATION_NONE || opt->method == CALIBRATION_KL;
    return opt->type == DTYPE_I16 && whole ? 4 : 1;
}

static void set_params(struct quantizer *q)
{
    const struct calibration_options *opt = &q->opt->calibration;
    double wider = headroom(opt);
    for (size_t i = 0; i < q->n_values; i++) {
        double min, max;
        if (q->value[i].integer && quantizer_range(q, source_of(q, q->g->values[i]), &min, &max))
            q->value[i].quant = schema_params(opt->schema, opt->type, wider * min, wider * max);
    }
}

void quantizer_choose(struct quantizer *q)
{
    want_backwards(q);
    decide_forwards(q);
    share_moved(q);
    share_joined(q);
    set_params(q);
    for (size_t at = 0; at < q->n_nodes; at++)
        if (q->node[at].quantized && quantizer_is_contraction(q->nodes[at]))
            quantizer_plan_weights(q, at);
}
