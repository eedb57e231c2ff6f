/*
 * quantize.c: quantize_graph from end to end.
 */
#include "ir/quantize/quantize.h"

#include "ir/quantize/quantizer.h"

static void plan_begin(struct quantizer *q)
{
    struct graph *g = q->g;
    graph_count_uses(g);
    q->n_nodes = g->body.n_nodes;
    q->nodes = arena_copy(q->scratch, g->body.nodes, q->n_nodes * sizeof(struct node *));
    q->node = arena_array(q->scratch, q->n_nodes, sizeof *q->node);
    q->n_values = g->n_values;
    q->value = arena_array(q->scratch, q->n_values, sizeof *q->value);
    for (size_t i = 0; i < q->n_values; i++)
        q->value[i].maker = q->value[i].last_user = NO_POSITION;
    for (size_t at = 0; at < q->n_nodes; at++) {
        const struct node *n = q->nodes[at];
        for (size_t i = 0; i < n->n_in; i++)
            if (n->in[i])
                q->value[n->in[i]->id].last_user = at;
        for (size_t i = 0; i < n->n_out; i++)
            if (n->out[i])
                q->value[n->out[i]->id].maker = at;
    }
}

/* Blocks of If and Loop stay in float. */
static void note_blocks(struct quantizer *q, const struct node *holder, struct quantize_report *r)
{
    for (size_t b = 0; b < holder->n_blocks; b++) {
        const struct block *block = holder->blocks[b];
        for (size_t i = 0; i < block->n_nodes; i++) {
            const struct node *n = block->nodes[i];
            note_blocks(q, n, r);
            if (op_desc(n->op)->quant == QUANT_NONE || op_desc(n->op)->quant == QUANT_SAME)
                continue;
            quantize_report_add(q->g->arena, r, n)->reason = arena_printf(
                q->g->arena, "it lies inside of %s '%s'", op_desc(holder->op)->id, holder->name);
        }
    }
}

/* Reshape and the like, in float: nothing is computed there. */
static bool only_moves(const struct node *n)
{
    return op_desc(n->op)->quant == QUANT_SAME && n->op != OP_relu && n->op != OP_clip &&
           n->op != OP_max_pool && n->op != OP_reduce_max && n->op != OP_reduce_min;
}

static void report(struct quantizer *q, struct quantize_report *r)
{
    for (size_t at = 0; at < q->n_nodes; at++) {
        const struct node_plan *plan = &q->node[at];
        const struct node *n = q->nodes[at];
        note_blocks(q, n, r);
        if (!plan->relevant || (plan->can && !plan->quantized && !plan->reason && only_moves(n)))
            continue;
        struct quantize_note *note = quantize_report_add(q->g->arena, r, n);
        note->quantized = plan->quantized;
        note->chosen = plan->chosen || (plan->can && !plan->quantized && !plan->reason);
        if (!plan->quantized)
            note->reason = plan->reason ? plan->reason : "no node needs its result as integers";
    }
}

bool quantize_graph(struct graph *g, const struct profile *p, const struct quantize_options *opt,
                    struct quantize_report *out_report, struct error *err)
{
    (void)err;
    struct arena scratch;
    arena_init(&scratch);
    struct quantizer q = {.g = g, .profile = p, .opt = opt, .scratch = &scratch};
    struct quantize_report r = {0};
    plan_begin(&q);
    quantizer_judge(&q);
    quantizer_choose(&q);
    report(&q, &r);
    quantizer_insert(&q);
    graph_sweep(g);
    *out_report = r;
    arena_done(&scratch);
    return true;
}
