/*
 * judge.c: which nodes of a float graph have an integer form, and why the others have none.
 *
 * Nodes are judged in their order.  One that can be quantized may leave its result unrounded for
 * its only user (expressions.c).  The user is judged later and may still fail; then the value
 * between them is an ordinary one again.
 */
#include <float.h>
#include <math.h>

#include "ir/ops/common.h"
#include "ir/quantize/quantizer.h"

static const char *fault_of_types(struct quantizer *q, const struct node *n)
{
    for (size_t i = 0; i < n->n_in + n->n_out; i++) {
        const struct value *v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
        if (v && dtype_is_float(v->dtype) && v->dtype != DTYPE_F32)
            return arena_printf(q->g->arena, "it computes in %s, and only f32 is quantized",
                                dtype_name(v->dtype));
    }
    return NULL;
}

static const char *fault_of_range(struct quantizer *q, const struct value *v)
{
    double min, max;
    if (quantizer_range(q, v, &min, &max))
        return NULL;
    if (value_is_constant(v))
        return arena_printf(q->g->arena, "the constant '%s' is not finite", v->name);
    return arena_printf(q->g->arena, "tensor '%s' is not in the profile", v->name);
}

const char *quantizer_fault_of_inputs(struct quantizer *q, const struct node *n)
{
    const char *fault = NULL;
    for (size_t i = 0; !fault && i < n->n_in; i++)
        if (quantizer_is_data(n, i) && !q->value[n->in[i]->id].inner)
            fault = fault_of_range(q, n->in[i]);
    return fault;
}

/* ---- contractions ---- */

/* Factors of Gemm go into its constants, which then must still be numbers. */
static bool stays_finite(struct quantizer *q, const struct value *v, float factor)
{
    double min, max;
    return !value_is_constant(v) || !quantizer_range(q, v, &min, &max) ||
           fmax(fabs(min), fabs(max)) * fabs((double)factor) <= FLT_MAX;
}

static const char *fault_of_gemm(struct quantizer *q, const struct node *n)
{
    const struct gemm_attrs *attrs = n->attrs;
    bool constant = value_is_constant(n->in[1]);
    const struct value *c = ops_has_input(n, 2) ? n->in[2] : NULL;
    if (attrs->transA || value_is_constant(n->in[0]))
        return "its first operand is constant or transposed";
    if (!constant && (attrs->transB || attrs->alpha != 1 || c))
        return "both operands vary and it does more than multiply them";
    if (c && c->shape.rank == 2 && c->shape.dims[0] != 1)
        return "its addend varies from row to row";
    if (!stays_finite(q, n->in[1], attrs->alpha) || !stays_finite(q, c, attrs->beta))
        return "its factors make its constants infinite";
    return NULL;
}

static const char *fault_of_contraction(struct quantizer *q, const struct node *n)
{
    if (n->op == OP_conv && !value_is_constant(n->in[1]))
        return "its weights are not constant";
    if (ops_has_input(n, 2) && !value_is_constant(n->in[2]))
        return "its bias is not constant";
    if (n->op != OP_conv && (n->in[0]->shape.rank < 2 || n->in[1]->shape.rank < 2))
        return "an operand is a vector";
    return n->op == OP_gemm ? fault_of_gemm(q, n) : NULL;
}

/* ---- arithmetic ---- */

static const char *fault_of_arithmetic(struct quantizer *q, const struct node *n,
                                       const struct expression *e)
{
    const char *fault = fault_of_range(q, n->out[0]);
    struct form_mean mean;
    if (fault || form_data_inputs(n))
        return fault;
    if (form_is_mean(n))
        return form_mean_obstacle(n, &mean);
    if (e->terms || e->leaf)
        return NULL;
    return quantizer_n_varying(n) > 1 ? "both operands vary"
                                      : "its constant varies along several dimensions";
}

static const char *fault_of_moving(const struct node *n)
{
    for (size_t i = 1; n->op == OP_clip && i < n->n_in; i++)
        if (n->in[i] && !value_is_constant(n->in[i]))
            return "its bounds are not constant";
    if (n->op == OP_pad && ops_has_input(n, 2) &&
        (!quantizer_is_scalar(n->in[2]) || tensor_get(n->in[2]->constant, 0) != 0))
        return "it pads with something other than 0";
    return NULL; /* ranges are those of its neighbours */
}

/* ---- all ---- */

static const char *fault_of(struct quantizer *q, const struct node *n, const struct expression *e)
{
    const char *fault;
    switch (op_desc(n->op)->quant) {
    case QUANT_NONE:
        return arena_printf(q->g->arena, "%s has no integer form", op_desc(n->op)->id);
    case QUANT_CONTRACT:
        fault = fault_of_contraction(q, n);
        break;
    case QUANT_ELEMENTWISE:
        fault = fault_of_arithmetic(q, n, e);
        break;
    default:
        return fault_of_moving(n);
    }
    return fault ? fault : quantizer_fault_of_inputs(q, n);
}

static void judge_node(struct quantizer *q, size_t at)
{
    const struct node *n = q->nodes[at];
    struct node_plan *plan = &q->node[at];
    plan->relevant = form_works_on_floats(n, true);
    if (!plan->relevant)
        return;
    plan->expression = quantizer_expression(q, n);
    plan->reason = quantize_kept_by(&q->opt->keep, n);
    plan->chosen = plan->reason != NULL;
    if (!plan->reason)
        plan->reason = fault_of_types(q, n);
    if (!plan->reason)
        plan->reason = fault_of(q, n, &plan->expression);
    plan->can = !plan->reason;
}

void quantizer_judge(struct quantizer *q)
{
    for (size_t at = 0; at < q->n_nodes; at++) {
        const struct node *n = q->nodes[at];
        judge_node(q, at);
        if (q->node[at].can) {
            quantizer_pass_on(q, at);
            continue;
        }
        for (size_t i = 0; i < n->n_in; i++)
            if (n->in[i])
                q->value[n->in[i]->id].inner = false;
    }
}
