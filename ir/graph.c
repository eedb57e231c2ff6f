#include "ir/graph.h"

#include <assert.h>
#include <string.h>

#include "ir/hash.h"

/* Open addressing over the values' names.  A renamed value leaves its old slot behind, where its
   name no longer matches, so that no slot ever needs to be cleared. */
struct graph_names {
    struct value **slot;
    size_t n_used, n_slots; /* n_slots is a power of two */
};

static size_t names_hash(const char *s)
{
    return (size_t)hash_bytes(HASH_START, s, strlen(s));
}

static void names_insert(struct arena *a, struct graph_names *t, struct value *v)
{
    if (2 * (t->n_used + 1) > t->n_slots) {
        struct value **old = t->slot;
        size_t n_old = t->n_slots;
        t->n_slots = n_old ? 2 * n_old : 64;
        t->slot = arena_array(a, t->n_slots, sizeof(struct value *));
        t->n_used = 0;
        for (size_t i = 0; i < n_old; i++)
            if (old[i])
                names_insert(a, t, old[i]);
    }
    size_t i = names_hash(v->name) & (t->n_slots - 1);
    while (t->slot[i])
        i = (i + 1) & (t->n_slots - 1);
    t->slot[i] = v;
    t->n_used++;
}

struct value *graph_find_value(const struct graph *g, const char *name)
{
    const struct graph_names *t = g->names;
    if (!t->n_slots)
        return NULL;
    for (size_t i = names_hash(name) & (t->n_slots - 1); t->slot[i]; i = (i + 1) & (t->n_slots - 1))
        if (!strcmp(t->slot[i]->name, name))
            return t->slot[i];
    return NULL;
}

/* `name`, or where a value bears it already, `name` with the next free suffix. */
static const char *names_unique(struct graph *g, const char *name)
{
    struct value *holder = graph_find_value(g, name);
    if (!holder)
        return arena_strdup(g->arena, name);
    for (;;) {
        const char *s = arena_printf(g->arena, "%s_%u", name, ++holder->last_suffix);
        if (!graph_find_value(g, s))
            return s;
    }
}

struct graph *graph_create(struct arena *arena, const char *name)
{
    struct graph *g = arena_new(arena, struct graph);
    g->arena = arena;
    g->name = arena_strdup(arena, name ? name : "");
    g->source = "";
    g->names = arena_new(arena, struct graph_names);
    return g;
}

struct block *graph_add_block(struct graph *g)
{
    return arena_new(g->arena, struct block);
}

struct value *graph_add_value(struct graph *g, const char *name, enum value_role role)
{
    struct value *v = arena_new(g->arena, struct value);
    v->id = (uint32_t)g->n_values;
    v->role = role;
    if (!name || !*name)
        name = arena_printf(g->arena, "t%u", v->id);
    v->name = names_unique(g, name);
    ARENA_PUSH(g->arena, g->values, g->n_values, g->cap_values) = v;
    names_insert(g->arena, g->names, v);
    return v;
}

void graph_rename_value(struct graph *g, struct value *v, const char *name)
{
    if (!strcmp(v->name, name))
        return;
    struct value *holder = graph_find_value(g, name);
    if (holder) {
        holder->name = names_unique(g, name);
        names_insert(g->arena, g->names, holder);
    }
    v->name = arena_strdup(g->arena, name);
    names_insert(g->arena, g->names, v);
}

static struct value *graph_add_typed(struct graph *g, const char *name, enum value_role role,
                                     enum dtype dtype, int rank, const int64_t *dims)
{
    struct value *v = graph_add_value(g, name, role);
    v->dtype = dtype;
    v->shape = shape_of_dims(rank, dims);
    v->layout = layout_plain(rank);
    return v;
}

struct value *graph_add_input(struct graph *g, const char *name, enum dtype dtype, int rank,
                              const int64_t *dims)
{
    struct value *v = graph_add_typed(g, name, VALUE_INPUT, dtype, rank, dims);
    block_add_input(g, &g->body, v);
    return v;
}

struct value *graph_add_constant(struct graph *g, const char *name, const struct tensor *t)
{
    struct value *v = graph_add_typed(g, name, VALUE_CONST, t->dtype, t->rank, t->dims);
    v->constant = t;
    return v;
}

struct value *graph_add_state(struct graph *g, const char *name, enum dtype dtype, int rank,
                              const int64_t *dims)
{
    return graph_add_typed(g, name, VALUE_STATE, dtype, rank, dims);
}

void block_add_input(struct graph *g, struct block *b, struct value *v)
{
    ARENA_PUSH(g->arena, b->in, b->n_in, b->cap_in) = v;
}

void block_add_output(struct graph *g, struct block *b, struct value *v)
{
    ARENA_PUSH(g->arena, b->out, b->n_out, b->cap_out) = v;
}

static void graph_default_attrs(struct node *n, const struct op_desc *d)
{
    for (size_t i = 0; i < d->n_attrs; i++) {
        const struct attr_desc *a = &d->attrs[i];
        char *field = (char *)n->attrs + a->offset;
        if (a->kind == ATTR_KIND_INT)
            memcpy(field, &a->def_int, sizeof a->def_int);
        else if (a->kind == ATTR_KIND_FLOAT)
            memcpy(field, &a->def_float, sizeof a->def_float);
        else if (a->kind == ATTR_KIND_STRING)
            memcpy(field, &a->def_string, sizeof a->def_string);
    }
}

struct node *graph_insert_node(struct graph *g, struct block *b, size_t at, enum op op,
                               const char *name, size_t n_in, size_t n_out)
{
    assert(at <= b->n_nodes);
    const struct op_desc *d = op_desc(op);
    struct node *n = arena_new(g->arena, struct node);
    n->op = op;
    n->name = name && *name ? arena_strdup(g->arena, name) : NULL;
    n->n_in = n_in;
    n->n_out = n_out;
    n->in = arena_array(g->arena, n_in, sizeof(struct value *));
    n->out = arena_array(g->arena, n_out, sizeof(struct value *));
    n->attrs = arena_alloc(g->arena, d->attrs_size);
    graph_default_attrs(n, d);
    if (!n->name && n_out == 0)
        n->name = d->id;

    (void)ARENA_PUSH(g->arena, b->nodes, b->n_nodes, b->cap_nodes);
    memmove(b->nodes + at + 1, b->nodes + at, (b->n_nodes - 1 - at) * sizeof(struct node *));
    b->nodes[at] = n;
    return n;
}

struct node *graph_add_node(struct graph *g, struct block *b, enum op op, const char *name,
                            size_t n_in, size_t n_out)
{
    return graph_insert_node(g, b, b->n_nodes, op, name, n_in, n_out);
}

struct value *graph_node_output(struct graph *g, struct node *n, size_t i, const char *name)
{
    assert(i < n->n_out);
    struct value *v = graph_add_value(g, name, VALUE_TEMP);
    v->producer = n;
    n->out[i] = v;
    if (!n->name)
        n->name = v->name;
    return v;
}

/* ---- inference ---- */

static const char *count_phrase(struct graph *g, int min, int max)
{
    if (max < 0)
        return arena_printf(g->arena, "at least %d", min);
    if (min == max)
        return arena_printf(g->arena, "%d", min);
    return arena_printf(g->arena, "%d to %d", min, max);
}

static bool node_check_arity(struct graph *g, const struct node *n, struct error *err)
{
    const struct op_desc *d = op_desc(n->op);
    if (n->n_in < (size_t)d->min_in || (d->max_in >= 0 && n->n_in > (size_t)d->max_in))
        return error_set(err, SHEAF_ERROR_SHAPE, "%s has %zu inputs, takes %s", d->id, n->n_in,
                         count_phrase(g, d->min_in, d->max_in));
    if (n->n_out < (size_t)d->min_out || (d->max_out >= 0 && n->n_out > (size_t)d->max_out))
        return error_set(err, SHEAF_ERROR_SHAPE, "%s has %zu outputs, gives %s", d->id, n->n_out,
                         count_phrase(g, d->min_out, d->max_out));
    for (size_t i = 0; i < n->n_in; i++) {
        if (!n->in[i] && i < (size_t)d->min_in)
            return error_set(err, SHEAF_ERROR_SHAPE, "%s lacks its input %zu", d->id, i);
        if (n->in[i] && n->in[i]->dtype == DTYPE_NONE)
            return error_set(err, SHEAF_ERROR_SHAPE, "the type of input '%s' is not known",
                             n->in[i]->name);
    }
    for (size_t i = 0; i < n->n_out; i++)
        if (!n->out[i] && i < (size_t)d->min_out)
            return error_set(err, SHEAF_ERROR_SHAPE, "%s lacks its output %zu", d->id, i);
    return true;
}

bool graph_infer_node(struct graph *g, struct node *n, struct error *err)
{
    if (!n->name)
        n->name = n->n_out && n->out[0] ? n->out[0]->name : op_desc(n->op)->id;
    struct error fault;
    error_init(&fault);
    if (!node_check_arity(g, n, &fault) || !op_desc(n->op)->infer(g, n, &fault))
        return error_set(err, fault.status, "%s%snode '%s': %s", g->source, *g->source ? ": " : "",
                         n->name, fault.text);
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->layout.rank != n->out[i]->shape.rank)
            n->out[i]->layout = layout_plain(n->out[i]->shape.rank);
    return true;
}

bool graph_infer_block(struct graph *g, struct block *b, struct error *err)
{
    for (size_t i = 0; i < b->n_nodes; i++)
        if (b->nodes[i]->op != OP_NONE && !graph_infer_node(g, b->nodes[i], err))
            return false;
    return true;
}

bool graph_infer(struct graph *g, struct error *err)
{
    return graph_infer_block(g, &g->body, err);
}

/* ---- constants and views ---- */

bool value_is_constant(const struct value *v)
{
    return v && v->role == VALUE_CONST;
}

void value_become_constant(struct value *v, const struct tensor *t)
{
    v->role = VALUE_CONST;
    v->constant = t;
    v->producer = NULL;
    v->shape = shape_of_dims(t->rank, t->dims);
    v->layout = layout_plain(t->rank);
}

const struct value *value_behind_views(const struct value *v)
{
    while (v->producer && (op_desc(v->producer->op)->flags & OP_VIEW))
        v = v->producer->in[0];
    return v;
}

bool value_is_true(const struct value *v)
{
    v = value_behind_views(v);
    return value_is_constant(v) && tensor_get_int(v->constant, 0) != 0;
}

bool node_reads_constants(const struct node *n)
{
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && !value_is_constant(n->in[i]))
            return false;
    return true;
}

/* ---- uses and removal ---- */

static void each_block(struct graph *g, struct block *b,
                       void (*fn)(struct graph *, struct block *, void *), void *arg)
{
    fn(g, b, arg);
    for (size_t i = 0; i < b->n_nodes; i++)
        for (size_t j = 0; j < b->nodes[i]->n_blocks; j++)
            each_block(g, b->nodes[i]->blocks[j], fn, arg);
}

void graph_each_block(struct graph *g, void (*fn)(struct graph *, struct block *, void *),
                      void *arg)
{
    each_block(g, &g->body, fn, arg);
}

bool graph_is_output(const struct graph *g, const struct value *v)
{
    for (size_t i = 0; i < g->body.n_out; i++)
        if (g->body.out[i] == v)
            return true;
    return false;
}

bool graph_is_bound_input(const struct graph *g, size_t i)
{
    for (size_t k = 0; k < g->n_bindings; k++)
        if (g->bindings[k].in == i)
            return true;
    return false;
}

bool graph_is_bound_output(const struct graph *g, size_t i)
{
    for (size_t k = 0; k < g->n_bindings; k++)
        if (g->bindings[k].out == i)
            return true;
    return false;
}

struct replacement {
    struct value *from, *to;
};

static void replace_in_block(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    const struct replacement *r = arg;
    for (size_t i = 0; i < b->n_nodes; i++)
        for (size_t j = 0; j < b->nodes[i]->n_in; j++)
            if (b->nodes[i]->in[j] == r->from)
                b->nodes[i]->in[j] = r->to;
    for (size_t i = 0; i < b->n_out; i++)
        if (b->out[i] == r->from)
            b->out[i] = r->to;
}

void graph_replace_uses(struct graph *g, struct value *from, struct value *to)
{
    struct replacement r = {from, to};
    graph_each_block(g, replace_in_block, &r);
    for (size_t i = 0; i < g->n_values; i++)
        for (int d = 0; d < g->values[i]->shape.rank; d++)
            if (g->values[i]->shape.extent[d] == from)
                g->values[i]->shape.extent[d] = to;
}

static void count_extents(const struct value *v)
{
    for (int d = 0; d < v->shape.rank; d++)
        if (v->shape.extent[d])
            v->shape.extent[d]->n_uses++;
}

static void count_in_block(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    (void)arg;
    for (size_t i = 0; i < b->n_in; i++)
        count_extents(b->in[i]);
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        for (size_t j = 0; j < n->n_in; j++)
            if (n->in[j])
                n->in[j]->n_uses++;
        for (size_t j = 0; j < n->n_out; j++)
            if (n->out[j])
                count_extents(n->out[j]);
    }
    for (size_t i = 0; i < b->n_out; i++)
        b->out[i]->n_uses++;
}

void graph_count_uses(struct graph *g)
{
    for (size_t i = 0; i < g->n_values; i++)
        g->values[i]->n_uses = 0;
    graph_each_block(g, count_in_block, NULL);
}

static void sweep_block(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    bool *present = arg;
    size_t kept = 0;
    for (size_t i = 0; i < b->n_nodes; i++) {
        struct node *n = b->nodes[i];
        if (n->op == OP_NONE)
            continue;
        b->nodes[kept++] = n;
        for (size_t j = 0; j < n->n_out; j++)
            if (n->out[j])
                present[n->out[j]->id] = true;
    }
    b->n_nodes = kept;
    for (size_t i = 0; i < b->n_in; i++)
        present[b->in[i]->id] = true;
}

void graph_sweep(struct graph *g)
{
    struct arena scratch;
    arena_init(&scratch);
    bool *present = arena_array(&scratch, g->n_values, sizeof *present);
    graph_each_block(g, sweep_block, present);
    size_t kept = 0;
    for (size_t i = 0; i < g->n_values; i++) {
        struct value *v = g->values[i];
        bool gone =
            v->dropped ||
            (!present[i] && (v->role == VALUE_ARG || (v->role == VALUE_TEMP && v->producer)));
        v->id = gone ? UINT32_MAX : (uint32_t)kept;
        if (!gone)
            g->values[kept++] = v;
    }
    if (kept != g->n_values) {
        g->n_values = kept;
        g->names->n_slots = g->names->n_used = 0;
        g->names->slot = NULL;
        for (size_t i = 0; i < kept; i++)
            names_insert(g->arena, g->names, g->values[i]);
    }
    arena_done(&scratch);
}

void graph_drop_value(struct graph *g, struct value *v)
{
    assert(g->values[v->id] == v);
    v->dropped = true;
}

/* ---- shapes ---- */

int64_t shape_elems(const struct shape *s)
{
    return dims_elems(s->rank, s->dims);
}

bool shape_is_static(const struct shape *s)
{
    for (int d = 0; d < s->rank; d++)
        if (s->extent[d])
            return false;
    return true;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dims[d] != b->dims[d] || a->extent[d] != b->extent[d])
            return false;
    return true;
}

struct shape shape_of_dims(int rank, const int64_t *dims)
{
    assert(rank >= 0 && rank <= MAX_RANK);
    struct shape s = {.rank = rank};
    for (int d = 0; d < rank; d++)
        s.dims[d] = dims[d];
    return s;
}

const char *shape_print(const struct shape *s, struct arena *a)
{
    struct strbuf b;
    strbuf_init(&b, a);
    strbuf_add(&b, "[");
    for (int d = 0; d < s->rank; d++)
        strbuf_printf(&b, "%s%s%lld", d ? "," : "", s->extent[d] ? "<=" : "",
                      (long long)s->dims[d]);
    strbuf_add(&b, "]");
    return strbuf_text(&b);
}
