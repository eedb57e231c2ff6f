/*
 * Checks every rule of graph.h.  It walks the blocks in order with the set of values that are
 * visible so far, and infers each node once more on copies of its outputs to see that types and
 * shapes still follow from the inputs.
 */
#include "ir/graph.h"

#include <stdlib.h>
#include <string.h>

#include "ir/checked.h"

struct validator {
    const struct graph *g;
    struct graph scratch; /* a copy of *g that inference may add to */
    struct arena arena;   /* of the scratch copy */
    struct error *err;
    bool *visible;         /* by value id: defined, and in scope */
    uint8_t *region_state; /* by region: 0 not met, 1 open, 2 closed */
};

static bool fail(struct validator *v, const char *what, const char *name, const char *fmt, ...)
    ERROR_PRINTF(4, 5);

static bool fail(struct validator *v, const char *what, const char *name, const char *fmt, ...)
{
    struct error fault;
    error_init(&fault);
    va_list args;
    va_start(args, fmt);
    error_setv(&fault, SHEAF_ERROR_SHAPE, fmt, args);
    va_end(args);
    return error_set(v->err, SHEAF_ERROR_SHAPE, "graph '%s': %s '%s': %s", v->g->name, what, name,
                     fault.text);
}

static bool in_graph(const struct validator *v, const struct value *x)
{
    return x->id < v->g->n_values && v->g->values[x->id] == x;
}

/* ---- values by themselves ---- */

static bool check_layout(struct validator *v, const struct value *x)
{
    const struct layout *l = &x->layout;
    unsigned seen = 0;
    if (l->rank != x->shape.rank)
        return fail(v, "value", x->name, "its layout has rank %d, its shape %d", l->rank,
                    x->shape.rank);
    for (int d = 0; d < l->rank; d++)
        seen |= l->order[d] < l->rank ? 1u << l->order[d] : 0;
    if (seen != (1u << l->rank) - 1)
        return fail(v, "value", x->name, "its layout does not name each dimension once");
    if (l->n_blocks > LAYOUT_MAX_BLOCKS)
        return fail(v, "value", x->name, "its layout has too many blocks");
    for (int k = 0; k < l->n_blocks; k++)
        if (l->block[k].dim >= l->rank || l->block[k].size < 2)
            return fail(v, "value", x->name, "block %d of its layout is malformed", k);
    if (layout_is_plain(l))
        return true;
    if (x->role != VALUE_TEMP)
        return fail(v, "value", x->name, "only what a node produces may have a layout");
    if (!shape_is_static(&x->shape))
        return fail(v, "value", x->name, "a shape known at run time needs the plain layout");
    return true;
}

static bool check_shape(struct validator *v, const struct value *x)
{
    int64_t elems = 1;
    if (x->dtype <= DTYPE_NONE || x->dtype >= DTYPE_COUNT)
        return fail(v, "value", x->name, "it has no type");
    if (x->shape.rank < 0 || x->shape.rank > MAX_RANK)
        return fail(v, "value", x->name, "its rank %d is not in 0..%d", x->shape.rank, MAX_RANK);
    for (int d = 0; d < x->shape.rank; d++)
        if (x->shape.dims[d] < 0 || !checked_mul(elems, x->shape.dims[d], &elems) ||
            elems > LIMIT_TENSOR_ELEMS)
            return fail(v, "value", x->name, "its dimension %d is negative or too large", d);
    return true;
}

static bool check_constant(struct validator *v, const struct value *x)
{
    const struct tensor *t = x->constant;
    if ((x->role == VALUE_CONST) != (t != NULL))
        return fail(v, "value", x->name, "content and the role of a constant do not come together");
    if (!t)
        return true;
    bool same = t->dtype == x->dtype && t->rank == x->shape.rank && shape_is_static(&x->shape);
    for (int d = 0; same && d < t->rank; d++)
        same = t->dims[d] == x->shape.dims[d];
    return same || fail(v, "value", x->name, "its content has another type or shape");
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const struct value *const *)a)->name, (*(const struct value *const *)b)->name);
}

static bool check_values(struct validator *v)
{
    const struct graph *g = v->g;
    const struct value **sorted = arena_array(&v->arena, g->n_values, sizeof *sorted);
    for (size_t i = 0; i < g->n_values; i++) {
        const struct value *x = g->values[i];
        if (!x->name || !*x->name)
            return fail(v, "value", "", "it has no name");
        if (x->id != i)
            return fail(v, "value", x->name, "its number is %u at position %zu", (unsigned)x->id,
                        i);
        if ((x->role == VALUE_CONST || x->role == VALUE_STATE) &&
            (!check_shape(v, x) || !check_layout(v, x) || !check_constant(v, x)))
            return false;
        sorted[i] = x;
    }
    if (g->n_values)
        qsort(sorted, g->n_values, sizeof *sorted, compare_names);
    for (size_t i = 1; i < g->n_values; i++)
        if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
            return fail(v, "value", sorted[i]->name, "two values bear this name");
    return true;
}

static bool is_visible(const struct validator *v, const struct value *x)
{
    return in_graph(v, x) &&
           (v->visible[x->id] || x->role == VALUE_CONST || x->role == VALUE_STATE);
}

static bool check_extents(struct validator *v, const struct value *x)
{
    for (int d = 0; d < x->shape.rank; d++) {
        const struct value *e = x->shape.extent[d];
        if (!e)
            continue;
        if (!is_visible(v, e))
            return fail(v, "value", x->name, "the extent of dimension %d is not defined before it",
                        d);
        if (e->dtype != DTYPE_I64 || e->shape.rank != 0)
            return fail(v, "value", x->name, "the extent of dimension %d is not an i64 scalar", d);
    }
    return true;
}

/* A value that a block or a node brings into scope. */
static bool define(struct validator *v, const struct value *x, enum value_role role,
                   const struct node *producer)
{
    if (!in_graph(v, x))
        return error_set(v->err, SHEAF_ERROR_SHAPE, "graph '%s': a value used is not of the graph",
                         v->g->name);
    if (x->role != role)
        return fail(v, "value", x->name, "it is defined where its role does not allow it");
    if (x->producer != producer)
        return fail(v, "value", x->name, "its producer is not the node that gives it");
    if (v->visible[x->id])
        return fail(v, "value", x->name, "it is defined twice");
    if (!check_shape(v, x) || !check_layout(v, x) || !check_constant(v, x))
        return false;
    v->visible[x->id] = true;
    return true;
}

/* ---- nodes ---- */

static bool check_arity(struct validator *v, const struct node *n, const struct op_desc *d)
{
    if (n->n_in < (size_t)d->min_in || (d->max_in >= 0 && n->n_in > (size_t)d->max_in))
        return fail(v, "node", n->name, "%s does not take %zu inputs", d->id, n->n_in);
    if (n->n_out < (size_t)d->min_out || (d->max_out >= 0 && n->n_out > (size_t)d->max_out))
        return fail(v, "node", n->name, "%s does not give %zu outputs", d->id, n->n_out);
    for (size_t i = 0; i < (size_t)d->min_in; i++)
        if (!n->in[i])
            return fail(v, "node", n->name, "its input %zu is left out", i);
    for (size_t i = 0; i < (size_t)d->min_out; i++)
        if (!n->out[i])
            return fail(v, "node", n->name, "its output %zu is left out", i);
    return true;
}

/* Types and shapes must be what inference finds; copies of the outputs receive them. */
static bool check_inference(struct validator *v, const struct node *n)
{
    struct node copy = *n;
    struct value *out = arena_array(&v->arena, n->n_out, sizeof *out);
    copy.out = arena_array(&v->arena, n->n_out, sizeof(struct value *));
    for (size_t i = 0; i < n->n_out; i++) {
        if (!n->out[i])
            continue;
        out[i] = *n->out[i];
        out[i].producer = &copy;
        memset(&out[i].shape, 0, sizeof out[i].shape);
        out[i].dtype = DTYPE_NONE;
        copy.out[i] = &out[i];
    }
    struct error fault;
    error_init(&fault);
    if (!op_desc(n->op)->infer(&v->scratch, &copy, &fault))
        return fail(v, "node", n->name, "%s", fault.text);
    for (size_t i = 0; i < n->n_out; i++) {
        const struct value *x = n->out[i];
        if (!x)
            continue;
        bool same = out[i].dtype == x->dtype && out[i].shape.rank == x->shape.rank;
        for (int d = 0; same && d < x->shape.rank; d++)
            same = out[i].shape.dims[d] == x->shape.dims[d] &&
                   !out[i].shape.extent[d] == !x->shape.extent[d];
        if (!same)
            return fail(v, "node", n->name, "output '%s' is %s %s where %s %s follows", x->name,
                        dtype_name(x->dtype), shape_print(&x->shape, &v->arena),
                        dtype_name(out[i].dtype), shape_print(&out[i].shape, &v->arena));
    }
    return true;
}

static bool check_place(struct validator *v, const struct block *b, size_t i)
{
    const struct node *n = b->nodes[i];
    if (i && n->region && n->region == b->nodes[i - 1]->region &&
        n->on_host != b->nodes[i - 1]->on_host)
        return fail(v, "node", n->name, "region %u is on the device and on the host",
                    (unsigned)n->region);
    return true;
}

static bool check_region(struct validator *v, const struct node *n, uint32_t *open)
{
    if (n->region != *open && *open)
        v->region_state[*open] = 2;
    *open = n->region;
    if (!n->region)
        return true;
    if (n->region > v->g->n_regions)
        return fail(v, "node", n->name, "region %u is not counted", (unsigned)n->region);
    if (v->region_state[n->region] == 2)
        return fail(v, "node", n->name, "region %u does not lie side by side", (unsigned)n->region);
    if (op_desc(n->op)->flags & (OP_CONTROL | OP_STATE))
        return fail(v, "node", n->name, "%s cannot be in a region", op_desc(n->op)->id);
    v->region_state[n->region] = 1;
    return true;
}

static bool check_block(struct validator *v, const struct block *b, enum value_role role);

/* A control node may have outputs behind those of its blocks: extents known at run time. */
static bool check_control(struct validator *v, const struct node *n)
{
    bool control = op_desc(n->op)->flags & OP_CONTROL;
    if (control != (n->n_blocks != 0))
        return fail(v, "node", n->name, "%s has %zu blocks", op_desc(n->op)->id, n->n_blocks);
    for (size_t i = 0; i < n->n_blocks; i++)
        if (!check_block(v, n->blocks[i], VALUE_ARG))
            return false;
    if (n->op == OP_if) {
        if (n->n_blocks != 2)
            return fail(v, "node", n->name, "if has %zu blocks", n->n_blocks);
        for (size_t i = 0; i < 2; i++)
            if (n->blocks[i]->n_in != 0 || n->blocks[i]->n_out > n->n_out ||
                n->blocks[i]->n_out != n->blocks[0]->n_out)
                return fail(v, "node", n->name, "block %zu does not fit the outputs", i);
    } else if (n->op == OP_loop) {
        if (n->n_blocks != 1 || n->blocks[0]->n_in != n->n_in || n->blocks[0]->n_out == 0 ||
            n->blocks[0]->n_out - 1 > n->n_out)
            return fail(v, "node", n->name, "the block does not fit inputs and outputs");
    }
    return true;
}

static bool check_node(struct validator *v, const struct node *n, uint32_t *open_region)
{
    if (n->op <= OP_NONE || n->op >= OP_COUNT)
        return fail(v, "node", n->name ? n->name : "", "it has no operator");
    if (!n->name || !*n->name)
        return fail(v, "node", "", "a node (%s) has no name", op_desc(n->op)->id);
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && !is_visible(v, n->in[i]))
            return fail(v, "node", n->name, "its input %zu is not defined before it", i);
    if (!check_arity(v, n, op_desc(n->op)) || !check_region(v, n, open_region) ||
        !check_control(v, n))
        return false;
    if (op_desc(n->op)->flags & OP_STATE) {
        const struct value *last = n->n_in ? n->in[n->n_in - 1] : NULL;
        if (!last || last->role != VALUE_STATE)
            return fail(v, "node", n->name, "the last input of %s is not a state",
                        op_desc(n->op)->id);
    }
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i] && !define(v, n->out[i], VALUE_TEMP, n))
            return false;
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i] && !check_extents(v, n->out[i]))
            return false;
    /* Inference of a control node would change the blocks it holds. */
    return n->n_blocks || check_inference(v, n);
}

static bool check_block(struct validator *v, const struct block *b, enum value_role role)
{
    for (size_t i = 0; i < b->n_in; i++)
        if (!define(v, b->in[i], role, NULL))
            return false;
    for (size_t i = 0; i < b->n_in; i++)
        if (!check_extents(v, b->in[i]))
            return false;
    uint32_t open_region = 0;
    for (size_t i = 0; i < b->n_nodes; i++)
        if (!check_place(v, b, i) || !check_node(v, b->nodes[i], &open_region))
            return false;
    if (open_region)
        v->region_state[open_region] = 2;
    for (size_t i = 0; i < b->n_out; i++) {
        if (!is_visible(v, b->out[i]))
            return error_set(v->err, SHEAF_ERROR_SHAPE,
                             "graph '%s': output %zu of a block is not defined in it", v->g->name,
                             i);
        if (!layout_is_plain(&b->out[i]->layout))
            return fail(v, "value", b->out[i]->name, "an output of a block has the plain layout");
    }
    /* What an inner block defines is not visible behind it. */
    for (size_t i = 0; role == VALUE_ARG && i < b->n_in; i++)
        v->visible[b->in[i]->id] = false;
    for (size_t i = 0; role == VALUE_ARG && i < b->n_nodes; i++)
        for (size_t j = 0; j < b->nodes[i]->n_out; j++)
            if (b->nodes[i]->out[j])
                v->visible[b->nodes[i]->out[j]->id] = false;
    return true;
}

/* A first dimension of 1 where there are items, and nothing that outlives one. */
static bool check_items(struct validator *v)
{
    const struct block *b = &v->g->body;
    for (size_t i = 0; v->g->max_items && i < b->n_in + b->n_out; i++) {
        const struct value *x = i < b->n_in ? b->in[i] : b->out[i - b->n_in];
        if (x->shape.rank < 1 || x->shape.dims[0] != 1 || !shape_is_static(&x->shape))
            return fail(v, "value", x->name, "its first dimension is not that of an item");
    }
    if (v->g->max_items && v->g->n_bindings)
        return error_set(v->err, SHEAF_ERROR_SHAPE, "graph '%s': items have no state", v->g->name);
    return true;
}

static bool check_bindings(struct validator *v)
{
    const struct graph *g = v->g;
    for (size_t i = 0; i < g->n_bindings; i++) {
        const struct graph_binding *b = &g->bindings[i];
        if (b->out >= g->body.n_out || b->in >= g->body.n_in)
            return error_set(v->err, SHEAF_ERROR_SHAPE,
                             "graph '%s': binding %zu is of no output or input", g->name, i);
        const struct value *out = g->body.out[b->out], *in = g->body.in[b->in];
        if (out->dtype != in->dtype || !shape_equal(&out->shape, &in->shape) ||
            !shape_is_static(&in->shape))
            return fail(v, "value", in->name, "it cannot be what output '%s' was", out->name);
        for (size_t k = 0; k < i; k++)
            if (g->bindings[k].in == b->in)
                return fail(v, "value", in->name, "it is bound twice");
    }
    return true;
}

bool graph_validate(const struct graph *g, struct error *err)
{
    struct validator v = {.g = g, .err = err};
    arena_init(&v.arena);
    v.visible = arena_array(&v.arena, g->n_values, sizeof *v.visible);
    v.region_state = arena_array(&v.arena, (size_t)g->n_regions + 1, sizeof *v.region_state);
    v.scratch = *g;
    v.scratch.arena = &v.arena;
    v.scratch.cap_values = g->n_values;
    v.scratch.values = arena_copy(&v.arena, g->values, g->n_values * sizeof *g->values);
    v.scratch.names = graph_create(&v.arena, "")->names;
    bool ok = check_values(&v) && check_block(&v, &g->body, VALUE_INPUT) && check_bindings(&v) &&
              check_items(&v);
    arena_done(&v.arena);
    return ok;
}
