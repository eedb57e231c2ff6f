#include "ir/passes/rewrite.h"

#include <assert.h>

struct output_search {
    const struct value *v;
    bool found;
};

static void search_outputs(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    struct output_search *s = arg;
    for (size_t i = 0; i < b->n_out; i++)
        s->found |= b->out[i] == s->v;
}

bool rewrite_is_block_output(struct graph *g, const struct value *v)
{
    struct output_search s = {v, false};
    graph_each_block(g, search_outputs, &s);
    return s.found;
}

static bool produced_in(const struct block *b, const struct value *v)
{
    for (size_t i = 0; i < b->n_nodes; i++)
        if (b->nodes[i] == v->producer)
            return v->producer != NULL;
    return false;
}

bool rewrite_replace(struct graph *g, const struct block *b, struct value *from, struct value *to)
{
    if (to->role == VALUE_STATE)
        return false;
    if (rewrite_is_block_output(g, from)) {
        if (!produced_in(b, to) || rewrite_is_block_output(g, to))
            return false;
        if (graph_is_output(g, from))
            graph_rename_value(g, to, from->name);
    }
    graph_replace_uses(g, from, to);
    return true;
}

bool rewrite_reads_state(const struct node *n)
{
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && n->in[i]->role == VALUE_STATE)
            return true;
    return false;
}

void rewrite_node(struct graph *g, struct node *n, enum op op, size_t n_in, struct value *const *in)
{
    struct block scratch = {0};
    struct node *made = graph_add_node(g, &scratch, op, n->name, n_in, 0);
    n->op = op;
    n->attrs = made->attrs;
    n->n_in = n_in;
    n->in = made->in;
    for (size_t i = 0; i < n_in; i++)
        n->in[i] = in[i];
}

void rewrite_as_reshape(struct graph *g, struct node *n, struct value *x)
{
    const struct shape *s = &n->out[0]->shape;
    assert(n->n_out == 1 && shape_is_static(s));
    const struct tensor *dims = tensor_from_ints(g->arena, s->dims, s->rank);
    const char *name = arena_printf(g->arena, "%s.shape", n->out[0]->name);
    struct value *in[2] = {x, graph_add_constant(g, name, dims)};
    rewrite_node(g, n, OP_reshape, 2, in);
    struct reshape_attrs *attrs = n->attrs;
    attrs->allowzero = shape_elems(s) == 0;
}
