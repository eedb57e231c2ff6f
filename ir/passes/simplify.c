/*
 * simplify: removes what computes nothing.
 *
 * Each node is tried against a few rules, in order, until no rule fits any more:
 *   - a node that gives its input back (identity, cast to the same type, a view or transpose that
 *     moves nothing, a join of one input) goes, and its users take the input;
 *   - a view of a view, or a transpose of a transpose, works on the first one's input;
 *   - a transpose that only moves dimensions of size 1 is a view, which costs nothing.
 * Then nodes and constants that no output depends on go.
 *
 * Precondition: the graph is inferred and all layouts are plain.
 *
 * Dead nodes are found by marking from the outputs rather than by counting uses, because a value
 * may be kept in use by its own producer: the extent of an output can be another output of it.
 */
#include "ir/passes/passes.h"

#include "ir/passes/rewrite.h"

static bool same_dims(const struct value *a, const struct value *b)
{
    return shape_equal(&a->shape, &b->shape);
}

static bool is_static(const struct value *v)
{
    return shape_is_static(&v->shape);
}

/* Dimension of the input that output dimension i of a transpose shows. */
static int64_t transpose_source(const struct node *n, int i)
{
    const struct transpose_attrs *a = n->attrs;
    return a->perm.v ? a->perm.v[i] : n->out[0]->shape.rank - 1 - i;
}

static bool transpose_moves_nothing(const struct node *n)
{
    for (int i = 0; i < n->out[0]->shape.rank; i++)
        if (transpose_source(n, i) != i)
            return false;
    return true;
}

/* Dimensions larger than 1 keep their order. */
static bool transpose_is_view(const struct node *n)
{
    int64_t last = -1;
    for (int i = 0; i < n->out[0]->shape.rank; i++) {
        int64_t d = transpose_source(n, i);
        if (n->out[0]->shape.dims[i] == 1)
            continue;
        if (d < last)
            return false;
        last = d;
    }
    return is_static(n->in[0]) && is_static(n->out[0]);
}

/* The node's output equals its input 0, type and shape included. */
static bool gives_input_back(const struct node *n)
{
    if (n->n_out != 1 || !n->n_in || !n->in[0] || n->in[0]->dtype != n->out[0]->dtype)
        return false;
    if (n->op == OP_transpose)
        return transpose_moves_nothing(n);
    if (!same_dims(n->in[0], n->out[0]))
        return false;
    switch (n->op) {
    case OP_cast:
    case OP_expand:
        return true;
    case OP_concat:
    case OP_sum:
    case OP_max:
    case OP_min:
        return n->n_in == 1;
    default:
        return op_desc(n->op)->flags & OP_VIEW;
    }
}

static bool join_views(struct graph *g, struct node *n)
{
    const struct node *m = n->in[0] ? n->in[0]->producer : NULL;
    if (!m || !(op_desc(n->op)->flags & OP_VIEW) || !(op_desc(m->op)->flags & OP_VIEW) ||
        m->op == OP_identity || n->op == OP_identity || rewrite_reads_state(m))
        return false;
    if (!is_static(n->out[0]) || !is_static(n->in[0]) || !is_static(m->in[0]))
        return false;
    rewrite_as_reshape(g, n, m->in[0]);
    return true;
}

static bool join_transposes(struct graph *g, struct node *n)
{
    const struct node *m = n->in[0]->producer;
    if (n->op != OP_transpose || !m || m->op != OP_transpose || rewrite_reads_state(m))
        return false;
    int rank = n->out[0]->shape.rank;
    int64_t *perm = arena_array(g->arena, (size_t)rank, sizeof *perm);
    for (int i = 0; i < rank; i++)
        perm[i] = transpose_source(m, (int)transpose_source(n, i));
    struct transpose_attrs *a = n->attrs;
    a->perm = (struct attr_ints){perm, (size_t)rank};
    n->in[0] = m->in[0];
    return true;
}

static bool simplify_node(struct graph *g, const struct block *b, struct node *n)
{
    if (n->op == OP_NONE || (op_desc(n->op)->flags & (OP_CONTROL | OP_STATE)))
        return false;
    if (gives_input_back(n) && rewrite_replace(g, b, n->out[0], n->in[0])) {
        n->op = OP_NONE;
        return true;
    }
    if (!n->n_in || !n->in[0])
        return false;
    if (join_views(g, n) || join_transposes(g, n))
        return true;
    if (n->op == OP_transpose && !transpose_moves_nothing(n) && transpose_is_view(n)) {
        rewrite_as_reshape(g, n, n->in[0]);
        return true;
    }
    return false;
}

static void simplify_block(struct graph *g, struct block *b, void *arg)
{
    bool *changed = arg;
    for (size_t i = 0; i < b->n_nodes; i++)
        while (simplify_node(g, b, b->nodes[i]))
            *changed = true;
}

/* ---- dead nodes and constants ---- */

static void mark_live(bool *live, const struct value *v)
{
    if (!v)
        return;
    live[v->id] = true;
    for (int d = 0; d < v->shape.rank; d++)
        if (v->shape.extent[d])
            live[v->shape.extent[d]->id] = true;
}

static bool has_effect(const struct node *n)
{
    if (n->op == OP_NONE)
        return false;
    if (op_desc(n->op)->flags & OP_STATE)
        return true;
    for (size_t i = 0; i < n->n_blocks; i++)
        for (size_t j = 0; j < n->blocks[i]->n_nodes; j++)
            if (has_effect(n->blocks[i]->nodes[j]))
                return true;
    return false;
}

/* From the last node to the first: whatever a node uses lies before it. */
static bool kill_dead_nodes(const struct block *b, bool *live)
{
    bool killed = false;
    for (size_t i = 0; i < b->n_in; i++)
        mark_live(live, b->in[i]);
    for (size_t i = 0; i < b->n_out; i++)
        mark_live(live, b->out[i]);
    for (size_t i = b->n_nodes; i-- > 0;) {
        struct node *n = b->nodes[i];
        if (n->op == OP_NONE)
            continue;
        bool needed = has_effect(n);
        for (size_t j = 0; j < n->n_out; j++)
            needed |= n->out[j] && live[n->out[j]->id];
        if (!needed) {
            n->op = OP_NONE;
            killed = true;
            continue;
        }
        for (size_t j = 0; j < n->n_out; j++)
            if (n->out[j] && live[n->out[j]->id])
                mark_live(live, n->out[j]);
        for (size_t j = 0; j < n->n_in; j++)
            mark_live(live, n->in[j]);
        for (size_t j = 0; j < n->n_blocks; j++)
            killed |= kill_dead_nodes(n->blocks[j], live);
    }
    return killed;
}

static bool drop_dead_constants(struct graph *g, const bool *live)
{
    bool dropped = false;
    for (size_t i = 0; i < g->n_values; i++) {
        struct value *v = g->values[i];
        if (!value_is_constant(v) || live[v->id])
            continue;
        graph_drop_value(g, v);
        dropped = true;
    }
    return dropped;
}

bool pass_simplify(struct graph *g, const struct pass_options *opt, bool *out_changed,
                   struct error *err)
{
    (void)opt;
    (void)err;
    bool changed = false;
    graph_each_block(g, simplify_block, &changed);
    struct arena scratch;
    arena_init(&scratch);
    bool *live = arena_array(&scratch, g->n_values, sizeof *live);
    changed |= kill_dead_nodes(&g->body, live);
    changed |= drop_dead_constants(g, live);
    arena_done(&scratch);
    graph_sweep(g);
    *out_changed = changed;
    return true;
}
