#include "ir/quantize/report.h"

#include <string.h>

#include "ir/quantize/forms.h"

struct quantize_note *quantize_report_add(struct arena *a, struct quantize_report *r,
                                          const struct node *n)
{
    struct quantize_note *note = &ARENA_PUSH(a, r->note, r->n, r->cap);
    *note = (struct quantize_note){.node = n->name, .op = n->op};
    return note;
}

size_t quantize_report_n_quantized(const struct quantize_report *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += r->note[i].quantized;
    return n;
}

struct quantize_note *quantize_report_find(const struct quantize_report *r, const struct node *n)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->note[i].op == n->op && strcmp(r->note[i].node, n->name) == 0)
            return &r->note[i];
    return NULL;
}

/* ---- a model that is quantized already ---- */

static bool is_quantized_data(const struct node *n)
{
    return n->op == OP_dequantize_linear && !value_is_constant(n->in[0]);
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

/* What moves or chooses values follows those around it. */
static bool computes(const struct node *n)
{
    return form_works_on_floats(n, false) && op_desc(n->op)->quant != QUANT_SAME;
}

bool quantize_report_survey(struct graph *g, struct quantize_report *out)
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
        if (!computes(n))
            continue;
        bool touches = to[n->out[0]->id];
        for (size_t j = 0; j < n->n_in; j++)
            touches |= n->in[j] && from[n->in[j]->id];
        if (touches)
            quantize_report_add(g->arena, out, n)->quantized = true;
    }
    arena_done(&scratch);
    return out->n > 0;
}
