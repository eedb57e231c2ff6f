/*
 * form_regions: groups a producer and the elementwise nodes behind it, so that they become one
 * kernel and the values between them never reach memory.
 *
 * A region starts at a contraction (first round) or at an elementwise node (second round) and grows
 * along its users, all of one shape.  It may stop only where a single value is used outside: the
 * output of its last node.  Growth looks a few nodes ahead for such a point, so that
 * x * sigmoid(x), whose x has two users, is found as one.  Contractions come first, because an
 * addition of two convolutions can belong to one of them only, and a chain that is built before
 * them would hold it; the earlier convolution gets it.
 *
 * A contraction also takes in what dequantizes its weights: the kernel then reads them quantized.
 * So does an elementwise node with what only unpacks a quantized operand for it (the residual input
 * of an addition, rescaled to 64 bits): memory then holds the narrow form alone.  A region may grow
 * beyond such a node, but does not end with it; nor does it grow there where a wide value from
 * another region would have to meet it in memory.
 *
 * The nodes of a region are then moved down to the place of its last node.  That is always legal:
 * nobody outside uses the values between them, and what they need lies before them anyway.
 *
 * Nodes that stay on the host of a device share no region with others.
 *
 * Precondition: inferred; layouts are chosen later.
 */
#include "ir/passes/passes.h"

#include <string.h>

#include "ir/passes/rewrite.h"

enum {
    REGION_MAX_NODES = 32,
    REGION_LOOK_AHEAD = 8 /* nodes that may be added before one value is left again */
};

/* What a block's nodes use; node numbers are positions in the block. */
struct uses {
    const struct block *b;
    size_t *first; /* by value id: where its users start in `user`; one entry per use */
    size_t *user;
    size_t n_values;
};

static struct uses uses_of_block(struct arena *a, const struct graph *g, const struct block *b)
{
    struct uses u = {b, arena_array(a, g->n_values + 2, sizeof(size_t)), NULL, g->n_values};
    size_t total = 0;
    for (size_t i = 0; i < b->n_nodes; i++)
        for (size_t j = 0; j < b->nodes[i]->n_in; j++)
            if (b->nodes[i]->in[j]) {
                u.first[b->nodes[i]->in[j]->id + 2]++;
                total++;
            }
    for (size_t v = 2; v < g->n_values + 2; v++)
        u.first[v] += u.first[v - 1];
    u.user = arena_array(a, total, sizeof *u.user);
    for (size_t i = 0; i < b->n_nodes; i++)
        for (size_t j = 0; j < b->nodes[i]->n_in; j++)
            if (b->nodes[i]->in[j])
                u.user[u.first[b->nodes[i]->in[j]->id + 1]++] = i;
    return u;
}

static const struct value *only_output(const struct node *n)
{
    const struct value *v = n->n_out == 1 ? n->out[0] : NULL;
    return v && shape_is_static(&v->shape) ? v : NULL;
}

static bool is_elementwise(const struct node *n)
{
    unsigned flags = op_desc(n->op)->flags;
    return (flags & OP_MAP) && !(flags & (OP_VIEW | OP_STATE | OP_CONTROL)) && only_output(n) &&
           !rewrite_reads_state(n);
}

static bool is_contraction(const struct node *n)
{
    unsigned flags = op_desc(n->op)->flags;
    return (flags & OP_CONTRACT) && !(flags & OP_STATE) && only_output(n) &&
           !rewrite_reads_state(n);
}

struct region {
    size_t node[REGION_MAX_NODES + REGION_LOOK_AHEAD]; /* ascending */
    size_t n;
};

static bool in_region(const struct region *r, size_t node)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->node[i] == node)
            return true;
    return false;
}

static bool same_dims(const struct value *a, const struct value *b)
{
    return shape_equal(&a->shape, &b->shape);
}

/*
 * The first node behind the region that uses one of its values, b->n_nodes where there is none;
 * *out_open counts the values used outside.  `closed` values, with users that are no nodes of the
 * block (an inner block, the block's outputs), cannot become internal.
 */
static size_t next_user(const struct uses *u, const struct region *r, size_t *out_open,
                        bool *out_closed)
{
    size_t next = u->b->n_nodes;
    *out_open = 0;
    *out_closed = false;
    for (size_t i = 0; i < r->n; i++) {
        const struct value *v = u->b->nodes[r->node[i]]->out[0];
        size_t begin = u->first[v->id], end = u->first[v->id + 1];
        bool open = end - begin < v->n_uses;
        *out_closed |= open;
        for (size_t k = begin; k < end; k++) {
            if (in_region(r, u->user[k]))
                continue;
            open = true;
            if (u->user[k] < next)
                next = u->user[k];
        }
        *out_open += open;
    }
    return next;
}

/* The only user of the node's only output, NULL where there is none in the block or another too. */
static struct node *only_user(const struct uses *u, const struct node *n)
{
    const struct value *v = only_output(n);
    if (!v || v->n_uses != 1 || u->first[v->id] == u->first[v->id + 1])
        return NULL;
    return u->b->nodes[u->user[u->first[v->id]]];
}

/* Whether a node does nothing but make what is stored in 8 or 16 bits wider for one elementwise
   user of its shape. */
static bool is_unpacking(const struct uses *u, const struct node *n)
{
    if (!is_elementwise(n) || !n->in[0])
        return false;
    const struct node *user = only_user(u, n);
    unsigned from = dtype_bits(n->in[0]->dtype), to = dtype_bits(n->out[0]->dtype);
    return from <= 16 && from < to && user && user->on_host == n->on_host && is_elementwise(user) &&
           same_dims(n->in[0], n->out[0]) && same_dims(n->out[0], user->out[0]);
}

/* Whether the user of an unpacking node also takes a wide value that another region makes: then the
   user belongs there, for the wide value would have to go through memory. */
static bool meets_wide_value(const struct uses *u, const struct node *n)
{
    const struct node *user = only_user(u, n);
    for (size_t i = 0; i < user->n_in; i++) {
        const struct value *v = user->in[i];
        if (v && v != n->out[0] && v->producer && dtype_bits(v->dtype) > 16 &&
            !is_unpacking(u, v->producer))
            return true;
    }
    return false;
}

/* The largest region that starts at `anchor` and leaves one value to the outside. */
static struct region grow(const struct uses *u, size_t anchor)
{
    struct region r = {{anchor}, 1}, best = r;
    const struct value *shape = u->b->nodes[anchor]->out[0];
    while (r.n < best.n + REGION_LOOK_AHEAD && r.n < REGION_MAX_NODES) {
        size_t open;
        bool closed;
        size_t next = next_user(u, &r, &open, &closed);
        if (closed || next == u->b->n_nodes || next < r.node[r.n - 1])
            break;
        const struct node *m = u->b->nodes[next];
        if (m->region || m->on_host != u->b->nodes[anchor]->on_host || !is_elementwise(m) ||
            !same_dims(m->out[0], shape) || (is_unpacking(u, m) && meets_wide_value(u, m)))
            break;
        r.node[r.n++] = next;
        next_user(u, &r, &open, &closed);
        if (open == 1 && m->out[0]->n_uses && !is_unpacking(u, m))
            best = r;
    }
    return best;
}

static bool form(struct graph *g, const struct uses *u, bool (*is_anchor)(const struct node *))
{
    bool changed = false;
    for (size_t i = 0; i < u->b->n_nodes; i++) {
        if (u->b->nodes[i]->region || !is_anchor(u->b->nodes[i]))
            continue;
        struct region r = grow(u, i);
        if (r.n < 2)
            continue;
        g->n_regions++;
        for (size_t k = 0; k < r.n; k++)
            u->b->nodes[r.node[k]]->region = g->n_regions;
        changed = true;
    }
    return changed;
}

/* Whether a node turns quantized constants into floats. */
static bool is_dequantized_constant(const struct node *n)
{
    return n->op == OP_dequantize_linear && node_reads_constants(n);
}

/* Nodes that prepare an operand join their only user: the quantized weights of a contraction, the
   quantized operand of an elementwise node that is in a region. */
static bool join_operands(struct graph *g, const struct uses *u)
{
    bool changed = false;
    for (size_t i = 0; i < u->b->n_nodes; i++) {
        struct node *n = u->b->nodes[i], *user = n->region ? NULL : only_user(u, n);
        if (!user || n->on_host != user->on_host)
            continue;
        bool weights = is_dequantized_constant(n) && is_contraction(user);
        if (!weights && !(user->region && is_unpacking(u, n)))
            continue;
        if (!user->region)
            user->region = ++g->n_regions;
        n->region = user->region;
        changed = true;
    }
    return changed;
}

/* Every node of a region moves down to the last one. */
static void gather_regions(struct arena *a, const struct graph *g, struct block *b)
{
    size_t *last = arena_array(a, (size_t)g->n_regions + 1, sizeof *last);
    struct node **old = arena_copy(a, b->nodes, b->n_nodes * sizeof *old);
    for (size_t i = 0; i < b->n_nodes; i++)
        last[old[i]->region] = i;
    size_t n = 0;
    for (size_t i = 0; i < b->n_nodes; i++) {
        uint32_t region = old[i]->region;
        if (!region)
            b->nodes[n++] = old[i];
        for (size_t k = 0; region && i == last[region] && k <= i; k++)
            if (old[k]->region == region)
                b->nodes[n++] = old[k];
    }
}

static void form_in_block(struct graph *g, struct block *b, void *arg)
{
    bool *changed = arg;
    struct arena scratch;
    arena_init(&scratch);
    struct uses u = uses_of_block(&scratch, g, b);
    bool formed = form(g, &u, is_contraction);
    formed |= join_operands(g, &u);
    formed |= form(g, &u, is_elementwise);
    formed |= join_operands(g, &u);
    if (formed)
        gather_regions(&scratch, g, b);
    *changed |= formed;
    arena_done(&scratch);
}

bool pass_form_regions(struct graph *g, const struct pass_options *opt, bool *out_changed,
                       struct error *err)
{
    (void)opt;
    (void)err;
    bool changed = false;
    graph_count_uses(g);
    graph_each_block(g, form_in_block, &changed);
    *out_changed = changed;
    return true;
}
