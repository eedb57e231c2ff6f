/*
 * merge_equal: common subexpressions: of nodes with the same operator, attributes and inputs in one
 * block the first computes for all, and equal small constants become one.
 *
 * Constants are merged first, since nodes are equal only if they have the very same inputs.  A hash
 * table holds the nodes seen so far; nodes with state or blocks are left alone.  Large constants
 * are not compared: exporters do not repeat weights, and hashing them all costs time.
 *
 * Precondition: no regions yet.
 */
#include "ir/passes/passes.h"

#include <string.h>

#include "ir/hash.h"
#include "ir/passes/rewrite.h"

enum { MERGE_MAX_CONSTANT_BYTES = 1024 };

/* ---- attributes ---- */

static bool tensors_equal(const struct tensor *a, const struct tensor *b)
{
    if (!a || !b)
        return a == b;
    return a->dtype == b->dtype && a->rank == b->rank &&
           !memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) &&
           !memcmp(a->data, b->data, (size_t)tensor_bytes(a));
}

static bool strings_equal(const struct attr_strings *a, const struct attr_strings *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i], b->v[i]) != 0)
            return false;
    return true;
}

/* The same elements; an empty list that was given differs from one that was not. */
static bool lists_equal(const void *a, size_t n_a, const void *b, size_t n_b, size_t elem)
{
    return n_a == n_b && !a == !b && (!n_a || !memcmp(a, b, n_a * elem));
}

static bool attr_equal(enum attr_kind kind, const void *a, const void *b)
{
    switch (kind) {
    case ATTR_KIND_INT:
        return !memcmp(a, b, sizeof(int64_t));
    case ATTR_KIND_FLOAT:
        return !memcmp(a, b, sizeof(float));
    case ATTR_KIND_STRING:
        return !strcmp(*(const char *const *)a, *(const char *const *)b);
    case ATTR_KIND_INTS: {
        const struct attr_ints *x = a, *y = b;
        return lists_equal(x->v, x->n, y->v, y->n, sizeof *x->v);
    }
    case ATTR_KIND_FLOATS: {
        const struct attr_floats *x = a, *y = b;
        return lists_equal(x->v, x->n, y->v, y->n, sizeof *x->v);
    }
    case ATTR_KIND_STRINGS:
        return strings_equal(a, b);
    case ATTR_KIND_TENSOR:
        return tensors_equal(*(const struct tensor *const *)a, *(const struct tensor *const *)b);
    }
    return false;
}

/* ---- nodes ---- */

bool rewrite_nodes_equal(const struct node *a, const struct node *b)
{
    const struct op_desc *d = op_desc(a->op);
    if (a->op != b->op || a->on_host != b->on_host || a->n_in != b->n_in || a->n_out != b->n_out ||
        (a->n_in && memcmp(a->in, b->in, a->n_in * sizeof(struct value *)) != 0))
        return false;
    for (size_t i = 0; i < d->n_attrs; i++)
        if (!attr_equal(d->attrs[i].kind, (const char *)a->attrs + d->attrs[i].offset,
                        (const char *)b->attrs + d->attrs[i].offset))
            return false;
    for (size_t i = 0; i < a->n_out; i++)
        if (!a->out[i] != !b->out[i])
            return false;
    return true;
}

static uint64_t node_hash(const struct node *n)
{
    uint64_t h = hash_bytes(HASH_START, &n->op, sizeof n->op);
    for (size_t i = 0; i < n->n_in; i++) {
        uint32_t id = n->in[i] ? n->in[i]->id : UINT32_MAX;
        h = hash_bytes(h, &id, sizeof id);
    }
    return h;
}

struct table {
    void **slot;
    size_t mask;
};

static struct table table_of(struct arena *a, size_t n)
{
    struct table t = {NULL, 15};
    while (t.mask < 2 * n)
        t.mask = 2 * t.mask + 1;
    t.slot = arena_array(a, t.mask + 1, sizeof *t.slot);
    return t;
}

/* Every output of n gives way to the one of `first`, or none where one of them cannot. */
static bool replace_node(struct graph *g, const struct block *b, struct node *n,
                         const struct node *first)
{
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i] && rewrite_is_block_output(g, n->out[i]) &&
            rewrite_is_block_output(g, first->out[i]))
            return false;
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i] && !rewrite_replace(g, b, n->out[i], first->out[i]))
            return false;
    n->op = OP_NONE;
    return true;
}

static void merge_nodes(struct graph *g, struct block *b, void *arg)
{
    bool *changed = arg;
    struct arena scratch;
    arena_init(&scratch);
    struct table t = table_of(&scratch, b->n_nodes);
    for (size_t i = 0; i < b->n_nodes; i++) {
        struct node *n = b->nodes[i];
        if ((op_desc(n->op)->flags & OP_CONTROL) || rewrite_reads_state(n))
            continue;
        size_t at = (size_t)node_hash(n) & t.mask;
        while (t.slot[at] && !rewrite_nodes_equal(t.slot[at], n))
            at = (at + 1) & t.mask;
        if (!t.slot[at])
            t.slot[at] = n;
        else
            *changed |= replace_node(g, b, n, t.slot[at]);
    }
    arena_done(&scratch);
}

/* ---- constants ---- */

static bool merge_constants(struct graph *g)
{
    bool changed = false;
    struct arena scratch;
    arena_init(&scratch);
    struct table t = table_of(&scratch, g->n_values);
    for (size_t i = 0; i < g->n_values; i++) {
        struct value *v = g->values[i];
        if (!value_is_constant(v) || tensor_bytes(v->constant) > MERGE_MAX_CONSTANT_BYTES ||
            v->quant.scale != 0 || rewrite_is_block_output(g, v))
            continue;
        const struct tensor *c = v->constant;
        uint64_t h = hash_bytes(HASH_START, &c->dtype, sizeof c->dtype);
        size_t at = (size_t)hash_bytes(h, c->data, (size_t)tensor_bytes(c)) & t.mask;
        while (t.slot[at] && !tensors_equal(((struct value *)t.slot[at])->constant, c))
            at = (at + 1) & t.mask;
        if (!t.slot[at]) {
            t.slot[at] = v;
            continue;
        }
        graph_replace_uses(g, v, t.slot[at]);
        graph_drop_value(g, v);
        changed = true;
    }
    arena_done(&scratch);
    return changed;
}

bool pass_merge_equal(struct graph *g, const struct pass_options *opt, bool *out_changed,
                      struct error *err)
{
    (void)opt;
    (void)err;
    bool changed = merge_constants(g);
    graph_each_block(g, merge_nodes, &changed);
    graph_sweep(g);
    *out_changed = changed;
    return true;
}
