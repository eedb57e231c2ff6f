/*
 * Why nodes stay in float.  This is found out behind all rules, while the bounds of sums are still
 * known: what a node has not become is what its rule refuses.
 */
#include "ir/passes/lower_quantized.h"
#include "ir/quantize/report.h"

/* So many values are looked at for what a node reads. */
enum { MAX_LOOKS = 64 };

static bool has_integer_form(const struct node *n)
{
    return op_desc(n->op)->quant != QUANT_NONE || (op_desc(n->op)->flags & OP_MAP);
}

/* It is lowered by itself, from quantized values to what may be quantized. */
static bool makes_sums(const struct node *n)
{
    return op_desc(n->op)->quant == QUANT_CONTRACT || form_is_mean(n);
}

/* Which of the floats that n reads is neither dequantized nor computed from such by nodes that
   could be lowered together with n; NULL: none. */
static const char *obstacle_of_inputs(struct lowering *l, const struct node *n, int *looks)
{
    for (size_t i = 0; i < n->n_in; i++) {
        const struct value *v = n->in[i];
        if (!v || !dtype_is_float(v->dtype) || lq_float_constant(l, v))
            continue;
        const char *obstacle = lq_operand_obstacle(v);
        const struct node *from = v->producer;
        if (obstacle && from && has_integer_form(from) && !makes_sums(from) && (*looks)-- > 0)
            obstacle = obstacle_of_inputs(l, from, looks);
        if (obstacle)
            return obstacle;
    }
    return NULL;
}

/* The QuantizeLinear that the result of the node in work ends in, as a float; NULL: there is
   none. */
static const struct node *quantized_behind(struct lowering *l)
{
    bool *from = arena_array(&l->scratch, l->g->n_values, sizeof *from);
    for (size_t i = l->at; i < l->b->n_nodes; i++) {
        const struct node *n = l->b->nodes[i];
        bool reads = i == l->at;
        for (size_t j = 0; n->op != OP_NONE && j < n->n_in; j++)
            reads |= n->in[j] && from[n->in[j]->id];
        if (!reads || (i > l->at && makes_sums(n)))
            continue;
        if (n->op == OP_quantize_linear)
            return n;
        for (size_t j = 0; j < n->n_out; j++)
            if (n->out[j])
                from[n->out[j]->id] = true;
    }
    return NULL;
}

static const char *reason_of(struct lowering *l, const struct node *n, const struct node *q)
{
    int looks = MAX_LOOKS;
    const char *reason;
    if (!has_integer_form(n))
        return arena_printf(l->g->arena, "%s has no integer form", op_desc(n->op)->id);
    if (op_desc(n->op)->quant == QUANT_CONTRACT)
        reason = lq_float_contraction_obstacle(l, n);
    else if (form_is_mean(n))
        reason = lq_mean_obstacle(l, n);
    else if ((reason = obstacle_of_inputs(l, n, &looks)) == NULL)
        reason = q ? lq_sum_obstacle(l, q) : "its result is not quantized";
    return reason ? reason : "its neighbours became integers too late for it";
}

static void settle(struct lowering *l, const struct node *n, struct quantize_note *note)
{
    const struct node *q = quantized_behind(l);
    /* What only moves floats is no loss. */
    if (op_desc(n->op)->quant == QUANT_SAME && !q)
        return;
    note->quantized = false;
    note->chosen = l->opt->qdq == QDQ_STRICT && has_integer_form(n);
    note->reason = note->chosen ? "its integer form does not give the bits that ONNX states"
                                : reason_of(l, n, q);
}

void lq_settle(struct lowering *l, struct quantize_report *r)
{
    l->b = &l->g->body;
    for (l->at = 0; l->at < l->b->n_nodes; l->at++) {
        const struct node *n = l->b->nodes[l->at];
        struct quantize_note *note =
            form_works_on_floats(n, false) ? quantize_report_find(r, n) : NULL;
        if (!note || !note->quantized)
            continue;
        arena_init(&l->scratch);
        settle(l, n, note);
        arena_done(&l->scratch);
    }
}
