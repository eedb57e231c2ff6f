/*
 * choose_layout: how each value lies in memory.
 *
 * Every kernel reads and writes any layout correctly, so this is about speed alone.  In order of
 * the nodes:
 *   - what a contraction gives takes the layout that the target prefers for that kernel, which may
 *     look at the layouts of the inputs chosen before, and may prefer one for an input, which such
 *     an input takes as well where any layout does for the node that makes it;
 *   - other nodes hand the layout of their first input of the same rank on, where each dimension
 *     that is blocked keeps its meaning and its size, so that pools and additions between two
 *     convolutions run along the same blocks;
 *   - but where a user wants row-major order (a view, which is then free; a transpose, gather or
 *     softmax), they write it.
 * Where the client's order of dimensions is not the model's (fold_preprocessing, convert_io), a
 * Transpose of an input of bytes moves nothing: its result keeps their order, and who reads it does
 * not hand that on.
 * Inputs and outputs of blocks, constants, state, what control nodes and functions of the user's
 * touch, and shapes that are known only at run time stay plain.
 *
 * A search over all assignments would weigh conversions against each other; in the networks at
 * hand contractions decide nearly everything, and one pass in order finds the same.
 *
 * Precondition: regions are formed; all layouts are plain.
 */
#include "ir/passes/passes.h"

#include "ir/program.h"

struct chooser {
    struct graph *g;
    const struct target *target;
    bool *pinned;     /* by value id: must stay plain */
    bool *want_plain; /* by value id: a user gains from row-major order */
    bool relabels;    /* inputs are as the client wants them */
    bool changed;
};

/* Operators whose result is not laid out like their input, or that walk a dimension. */
static bool wants_plain(const struct node *n)
{
    switch (n->op) {
    case OP_transpose:
    case OP_gather:
    case OP_gather_elements:
    case OP_gather_nd:
    case OP_scatter_elements:
    case OP_scatter_nd:
    case OP_softmax:
    case OP_log_softmax:
    case OP_cum_sum:
    case OP_cum_prod:
    case OP_slice:
    case OP_expand:
    case OP_non_zero:
        return true;
    default:
        return op_desc(n->op)->flags & (OP_VIEW | OP_CONTROL | OP_STATE);
    }
}

static void survey_block(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    struct chooser *c = arg;
    for (size_t i = 0; i < b->n_in; i++)
        c->pinned[b->in[i]->id] = true;
    for (size_t i = 0; i < b->n_out; i++)
        c->pinned[b->out[i]->id] = true;
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        bool whole = op_desc(n->op)->flags & (OP_CONTROL | OP_EXTERN);
        for (size_t j = 0; j < n->n_in; j++)
            if (n->in[j]) {
                c->want_plain[n->in[j]->id] |= wants_plain(n);
                c->pinned[n->in[j]->id] |= whole;
            }
        for (size_t j = 0; j < n->n_out; j++)
            if (n->out[j])
                c->pinned[n->out[j]->id] |= whole;
    }
}

static bool may_change(const struct chooser *c, const struct value *v)
{
    return v->role == VALUE_TEMP && !c->pinned[v->id] && shape_is_static(&v->shape) &&
           v->shape.rank > 0;
}

static void set_layout(struct chooser *c, struct value *v, const struct layout *l)
{
    if (!layout_equal(&v->layout, l))
        c->changed = true;
    v->layout = *l;
}

/* ---- contractions: ask the target ---- */

static size_t find_buf(const struct kernel *k, const struct value *const *value_of,
                       const struct value *v)
{
    size_t i = 0;
    while (i < k->n_bufs && value_of[i] != v)
        i++;
    return i;
}

/* Made element by element or by a pool, so that any layout does for its producer. */
static bool follows_users(const struct chooser *c, const struct value *v)
{
    const struct node *n = v->producer;
    return n && may_change(c, v) && !c->want_plain[v->id] && !wants_plain(n) &&
           !(op_desc(n->op)->flags & (OP_CONTRACT | OP_STATE));
}

static void ask_target(struct chooser *c, struct node *const *nodes, size_t n)
{
    struct arena scratch;
    arena_init(&scratch);
    const struct value **value_of;
    struct kernel *k = program_lower_region(&scratch, c->g, nodes, n, &value_of);
    struct layout *layouts = arena_array(&scratch, k->n_bufs, sizeof *layouts);
    for (size_t i = 0; i < k->n_bufs; i++)
        layouts[i] = layout_plain(k->bufs[i].rank);
    bool preferred = c->target->prefer_layouts(c->target, k, layouts);
    for (size_t i = 0; preferred && i < n; i++) {
        for (size_t j = 0; j < nodes[i]->n_in; j++) {
            struct value *v = nodes[i]->in[j];
            size_t buf = v ? find_buf(k, value_of, v) : k->n_bufs;
            if (buf < k->n_bufs && !layout_is_plain(&layouts[buf]) && follows_users(c, v))
                set_layout(c, v, &layouts[buf]);
        }
        for (size_t j = 0; j < nodes[i]->n_out; j++) {
            struct value *v = nodes[i]->out[j];
            size_t buf = v ? find_buf(k, value_of, v) : k->n_bufs;
            if (buf < k->n_bufs && may_change(c, v))
                set_layout(c, v, &layouts[buf]);
        }
    }
    arena_done(&scratch);
}

/* ---- all else: hand the input's layout on ---- */

/* Blocks of a joined dimension keep their meaning if every part is made of whole blocks. */
static bool joins_whole_blocks(const struct node *n, int dim, int64_t block)
{
    if (n->op != OP_concat)
        return false;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && n->in[i]->shape.dims[dim] % block != 0)
            return false;
    return true;
}

static bool fits(const struct node *n, const struct value *from, const struct value *to)
{
    const struct layout *l = &from->layout;
    if (layout_is_plain(l) || l->rank != to->shape.rank || l->n_blocks == 0)
        return false;
    for (int k = 0; k < l->n_blocks; k++) {
        int d = l->block[k].dim;
        if (from->shape.dims[d] != to->shape.dims[d] &&
            !joins_whole_blocks(n, d, layout_block_size(l, d)))
            return false;
    }
    return true;
}

static void adopt(struct chooser *c, const struct node *n, struct value *v)
{
    if (!may_change(c, v) || c->want_plain[v->id] || wants_plain(n))
        return;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && fits(n, n->in[i], v)) {
            set_layout(c, v, &n->in[i]->layout);
            return;
        }
}

/* ---- another order than the model's ---- */

static bool only_relabels(const struct chooser *c, const struct node *n)
{
    return c->relabels && n->op == OP_transpose && n->in[0]->role == VALUE_INPUT &&
           dtype_bits(n->in[0]->dtype) == 8 && may_change(c, n->out[0]);
}

static void relabel(struct chooser *c, const struct node *n)
{
    const struct transpose_attrs *a = n->attrs;
    int order[MAX_RANK], rank = n->out[0]->shape.rank;
    for (int d = 0; d < rank; d++)
        order[a->perm.n ? a->perm.v[d] : rank - 1 - d] = d;
    struct layout l = layout_permuted(rank, order);
    set_layout(c, n->out[0], &l);
}

/* ---- the pass ---- */

static bool has_contraction(struct node *const *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (op_desc(nodes[i]->op)->flags & OP_CONTRACT)
            return true;
    return false;
}

static void choose_in_block(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    struct chooser *c = arg;
    for (size_t i = 0, n; i < b->n_nodes; i += n) {
        struct node *const *nodes = b->nodes + i;
        for (n = 1; nodes[0]->region && i + n < b->n_nodes; n++)
            if (nodes[n]->region != nodes[0]->region)
                break;
        if (has_contraction(nodes, n)) {
            ask_target(c, nodes, n);
            continue;
        }
        if (only_relabels(c, nodes[0])) {
            relabel(c, nodes[0]);
            continue;
        }
        /* Inside a region of elementwise nodes the layout passes from node to node. */
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < nodes[k]->n_out; j++)
                if (nodes[k]->out[j])
                    adopt(c, nodes[k], nodes[k]->out[j]);
    }
}

bool pass_choose_layout(struct graph *g, const struct pass_options *opt, bool *out_changed,
                        struct error *err)
{
    (void)err;
    *out_changed = false;
    if (!opt->target || !opt->target->prefer_layouts)
        return true;
    struct arena scratch;
    arena_init(&scratch);
    struct chooser c = {.g = g, .target = opt->target};
    c.relabels = opt->interface != NULL;
    c.pinned = arena_array(&scratch, g->n_values, sizeof *c.pinned);
    c.want_plain = arena_array(&scratch, g->n_values, sizeof *c.want_plain);
    graph_each_block(g, survey_block, &c);
    graph_each_block(g, choose_in_block, &c);
    *out_changed = c.changed;
    arena_done(&scratch);
    return true;
}
