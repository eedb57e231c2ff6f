/*
 * place_nodes: says which nodes of a device's network the host computes: those of operators that
 * stay there (OP_HOST), and those that the user named.  All that stands inside of an If or Loop
 * goes with it; what the runtime decides there it decides as ever.
 *
 * What quantizes the result of such a node for all its users, and what dequantizes its operands
 * alone, goes with it too: lower_quantized makes one integer node of these.
 *
 * Precondition: nothing is lowered yet, so that nodes have the model's names.
 */
#include "ir/node_set.h"
#include "ir/passes/passes.h"

struct placing {
    const struct node_set *named; /* NULL: none are */
    uint32_t *uses;               /* by value id: those by nodes on the host */
    bool changed;
};

static void place(struct placing *p, struct node *n)
{
    p->changed |= !n->on_host;
    n->on_host = true;
}

static void place_block(struct placing *p, struct block *b, bool all)
{
    for (size_t i = 0; i < b->n_nodes; i++) {
        struct node *n = b->nodes[i];
        bool stays =
            all || op_desc(n->op)->flags & OP_HOST || (p->named && node_set_has(p->named, n));
        if (stays)
            place(p, n);
        for (size_t k = 0; k < n->n_blocks; k++)
            place_block(p, n->blocks[k], stays);
    }
}

static void count_uses(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    const struct placing *p = arg;
    for (size_t i = 0; i < b->n_nodes; i++)
        for (size_t k = 0; b->nodes[i]->on_host && k < b->nodes[i]->n_in; k++)
            if (b->nodes[i]->in[k])
                p->uses[b->nodes[i]->in[k]->id]++;
}

static bool quantizes_host(const struct node *n)
{
    return n->op == OP_quantize_linear && n->in[0]->producer && n->in[0]->producer->on_host &&
           n->in[0]->n_uses == 1;
}

static bool dequantizes_for_host(const struct placing *p, const struct node *n)
{
    const struct value *v = n->op == OP_dequantize_linear ? n->out[0] : NULL;
    return v && v->n_uses && v->n_uses == p->uses[v->id];
}

static void place_around(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    struct placing *p = arg;
    for (size_t i = 0; i < b->n_nodes; i++) {
        struct node *n = b->nodes[i];
        if (quantizes_host(n) || dequantizes_for_host(p, n))
            place(p, n);
    }
}

bool pass_place_nodes(struct graph *g, const struct pass_options *opt, bool *out_changed,
                      struct error *err)
{
    (void)err;
    *out_changed = false;
    if (!opt->target || !opt->target->host)
        return true;
    struct arena scratch;
    arena_init(&scratch);
    graph_count_uses(g);
    struct placing p = {.named = opt->host_nodes,
                        .uses = arena_array(&scratch, g->n_values, sizeof(uint32_t))};
    place_block(&p, &g->body, false);
    graph_each_block(g, count_uses, &p);
    graph_each_block(g, place_around, &p);
    *out_changed = p.changed;
    arena_done(&scratch);
    return true;
}
