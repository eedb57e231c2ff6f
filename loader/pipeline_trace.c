#include "loader/pipeline_trace.h"

static bool is_chosen(enum pipeline_shown shown, const struct value *v)
{
    if (shown == PIPELINE_SHOWS_FLOATS)
        return dtype_is_float(v->dtype);
    return shown == PIPELINE_SHOWS_INTEGERS && dtype_is_integer(v->dtype) &&
           dtype_bits(v->dtype) <= 16;
}

static void choose(struct pipeline_trace *t, enum pipeline_shown shown, const struct value *v)
{
    if (v && is_chosen(shown, v))
        ARENA_PUSH(t->arena, t->name, t->n, t->cap) = v->name;
}

void pipeline_trace_choose(struct pipeline_trace *t, const struct graph *g,
                           enum pipeline_shown shown)
{
    for (size_t i = 0; i < g->body.n_in; i++)
        choose(t, shown, g->body.in[i]);
    for (size_t i = 0; i < g->body.n_nodes; i++)
        for (size_t k = 0; k < g->body.nodes[i]->n_out; k++)
            choose(t, shown, g->body.nodes[i]->out[k]);
}

void pipeline_trace_hold(const struct pipeline_trace *t, struct graph *g)
{
    for (size_t i = 0; i < t->n; i++) {
        struct value *v = graph_find_value(g, t->name[i]);
        if (!v || v->role != VALUE_TEMP || graph_is_output(g, v))
            continue;
        v->layout = layout_plain(v->shape.rank);
        block_add_output(g, &g->body, v);
    }
}
