#include "ir/passes/quantized_report.h"

#include "ir/passes/lower_quantized.h"

/* ---- before ---- */

/* A node that computes; what moves or chooses values follows those around it. */
static bool computes(const struct node *n)
{
    unsigned flags = op_desc(n->op)->flags;
    if (n->op == OP_quantize_linear || n->op == OP_dequantize_linear || n->op == OP_shape ||
        (flags & OP_CONTROL) || op_desc(n->op)->quant == QUANT_SAME || !n->n_out || !n->out[0])
        return false;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && dtype_is_float(n->in[i]->dtype) && !lq_is_constant(n->in[i]))
            return true;
    return false;
}

static bool is_quantized_data(const struct node *n)
{
    return n->op == OP_dequantize_linear && !lq_is_constant(n->in[0]);
}

/* Marks values that are computed from dequantized ones, then those that end in quantized ones. */
static void mark_from(const struct block *b, bool *marked)
{
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        bool from = is_quantized_data(n);
        for (size_t j = 0; j < n->n_in && n->op != OP_quantize_linear; j++)
            from |= n->in[j] && marked[n->in[j]->id];
        for (size_t j = 0; j < n->n_out; j++)
            if (n->out[j])
                marked[n->out[j]->id] |= from;
    }
}

static void mark_to(const struct block *b, bool *marked)
{
    for (size_t i = b->n_nodes; i-- > 0;) {
        const struct node *n = b->nodes[i];
        bool to = n->op == OP_quantize_linear;
        for (size_t j = 0; j < n->n_out && n->op != OP_dequantize_linear; j++)
            to |= n->out[j] && marked[n->out[j]->id];
        for (size_t j = 0; j < n->n_in; j++)
            if (n->in[j])
                marked[n->in[j]->id] |= to;
    }
}

bool quantized_survey(struct graph *g, struct quantize_report *out)
{
    struct arena scratch;
    arena_init(&scratch);
    bool *from = arena_array(&scratch, g->n_values, sizeof *from);
    bool *to = arena_array(&scratch, g->n_values, sizeof *to);
    mark_from(&g->body, from);
    mark_to(&g->body, to);
    *out = (struct quantize_report){0};
    for (size_t i = 0; i < g->body.n_nodes; i++) {
        const struct node *n = g->body.nodes[i];
        bool touches = to[n->out[0] ? n->out[0]->id : 0];
        for (size_t j = 0; j < n->n_in; j++)
            touches |= n->in[j] && from[n->in[j]->id];
        if (touches && computes(n))
            ARENA_PUSH(g->arena, out->note, out->n, out->cap) =
                (struct quantize_note){.node = n->name, .op = n->op, .quantized = true};
    }
    arena_done(&scratch);
    return out->n > 0;
}

/* ---- behind ---- */

static bool has_integer_form(const struct node *n)
{
    unsigned flags = op_desc(n->op)->flags;
    return op_desc(n->op)->quant != QUANT_NONE || (flags & OP_MAP) || n->op == OP_reduce_mean;
}

static bool reads_only_quantized(const struct node *n)
{
    for (size_t i = 0; i < n->n_in; i++) {
        struct operand o;
        if (n->in[i] && dtype_is_float(n->in[i]->dtype) && !lq_is_constant(n->in[i]) &&
            !lq_operand(n->in[i], &o))
            return false;
    }
    return true;
}

static bool is_quantized_behind(const struct graph *g, const struct value *v)
{
    for (size_t i = 0; i < g->body.n_nodes; i++)
        if (g->body.nodes[i]->op == OP_quantize_linear && g->body.nodes[i]->in[0] == v)
            return true;
    return false;
}

static const char *reason_of(struct lowering *l, const struct node *n)
{
    if (!has_integer_form(n))
        return arena_printf(l->g->arena, "%s has no integer form", op_desc(n->op)->id);
    if (!reads_only_quantized(n))
        return "not all that it reads is quantized";
    if (op_desc(n->op)->quant == QUANT_CONTRACT)
        return lq_contraction_reason(l, n);
    if (n->op == OP_average_pool)
        return "windows at the border count fewer elements";
    if (!is_quantized_behind(l->g, n->out[0]))
        return "its result is not quantized";
    return "there is no integer form for these scales";
}

void quantized_settle(struct quantize_report *r, struct graph *lowered,
                      const struct pass_options *opt)
{
    struct lowering l = {.g = lowered, .b = &lowered->body, .opt = opt};
    arena_init(&l.scratch);
    for (size_t i = 0; i < lowered->body.n_nodes; i++) {
        const struct node *n = lowered->body.nodes[i];
        struct quantize_note *note = computes(n) ? quantize_report_find(r, n) : NULL;
        if (!note)
            continue;
        note->quantized = false;
        note->chosen = opt->qdq == QDQ_STRICT && has_integer_form(n);
        note->reason = note->chosen ? "its integer form does not give the bits that ONNX states"
                                    : reason_of(&l, n);
    }
    arena_done(&l.scratch);
}
