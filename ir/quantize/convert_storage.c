/*
 * convert_storage.c: floats in 16 bits.
 *
 * Every f32 tensor and constant becomes f16 or bf16, and so do the types that attributes name.
 * Operators compute 16-bit floats in f32 and round what they store, so the arithmetic stays what it
 * was, but for values between nodes of one kernel that never reach memory.  Nodes that are kept, or
 * that do not take the type, get casts around them.
 *
 * f16 is narrow.  A finite constant beyond its largest number becomes that number, for -1e9 in a
 * mask means "never" and infinity would make NaN of it; one that is too small becomes the smallest
 * number instead of 0, for it is there to keep a divisor off 0.
 */
#include <math.h>
#include <string.h>

#include "ir/quantize/quantizer.h"

struct conversion {
    struct graph *g;
    enum dtype type;
    const struct quantize_keep *keep;
    struct error *err;
    struct value **narrow; /* by id of an f32 constant: the same in 16 bits; NULL: not made yet */
    size_t n_values;
    bool ok;
};

/* ---- constants and attributes ---- */

static const struct tensor *narrowed(struct arena *a, const struct tensor *t, enum dtype type)
{
    const double most = 65504, least = 0x1p-24; /* of f16 */
    struct tensor *r = tensor_new(a, type, t->rank, t->dims);
    for (int64_t i = 0, n = tensor_elems(t); i < n; i++) {
        double x = tensor_get(t, i);
        if (type == DTYPE_F16 && isfinite(x) && x != 0)
            x = copysign(fmax(fmin(fabs(x), most), least), x);
        tensor_set(r, i, x);
    }
    return r;
}

/* The value in 16 bits where it is an f32 constant, else itself. */
static struct value *narrow_constant(struct conversion *c, struct value *v)
{
    if (!value_is_constant(v) || v->dtype != DTYPE_F32 || v->id >= c->n_values)
        return v;
    if (!c->narrow[v->id]) {
        const char *name = arena_printf(c->g->arena, "%s.%s", v->name, dtype_name(c->type));
        c->narrow[v->id] =
            graph_add_constant(c->g, name, narrowed(c->g->arena, v->constant, c->type));
    }
    return c->narrow[v->id];
}

static void narrow_attributes(const struct conversion *c, struct node *n)
{
    if (n->op == OP_cast) {
        struct cast_attrs *a = n->attrs;
        if (a->to == (int64_t)dtype_code(DTYPE_F32))
            a->to = (int64_t)dtype_code(c->type);
    } else if (n->op == OP_random_uniform) {
        struct random_uniform_attrs *a = n->attrs;
        if (a->dtype == (int64_t)dtype_code(DTYPE_F32))
            a->dtype = (int64_t)dtype_code(c->type);
    } else if (n->op == OP_random_normal) {
        struct random_normal_attrs *a = n->attrs;
        if (a->dtype == (int64_t)dtype_code(DTYPE_F32))
            a->dtype = (int64_t)dtype_code(c->type);
    } else if (n->op == OP_constant_of_shape) {
        struct constant_of_shape_attrs *a = n->attrs;
        if (!a->value) { /* means 0 in f32 */
            const int64_t one = 1;
            a->value = tensor_new(c->g->arena, c->type, 1, &one);
        } else if (a->value->dtype == DTYPE_F32) {
            a->value = narrowed(c->g->arena, a->value, c->type);
        }
    }
}

/* ---- nodes ---- */

static struct value *insert_cast(struct conversion *c, struct block *b, size_t at, struct value *x,
                                 enum dtype to)
{
    struct node *n = graph_insert_node(c->g, b, at, OP_cast, "", 1, 1);
    ((struct cast_attrs *)n->attrs)->to = (int64_t)dtype_code(to);
    n->in[0] = x;
    struct value *y =
        graph_node_output(c->g, n, 0, arena_printf(c->g->arena, "%s.%s", x->name, dtype_name(to)));
    c->ok = c->ok && graph_infer_node(c->g, n, c->err);
    return y;
}

/* Whether the node takes its inputs in 16 bits; they are exchanged where it does. */
static bool narrow_node(struct conversion *c, struct node *n)
{
    struct value **wide = n->in;
    bool parameters = n->op == OP_quantize_linear || n->op == OP_dequantize_linear;
    if (parameters || quantize_kept_by(c->keep, n))
        return false;
    n->in = arena_array(c->g->arena, n->n_in, sizeof(struct value *));
    for (size_t i = 0; i < n->n_in; i++)
        n->in[i] = narrow_constant(c, wide[i]);
    struct error refused;
    error_init(&refused);
    if (graph_infer_node(c->g, n, &refused)) {
        narrow_attributes(c, n);
        return true;
    }
    n->in = wide;
    return false;
}

/* Every user of v, a result of the node at `at`, gets it in 16 bits. */
static void narrow_result(struct conversion *c, struct block *b, size_t at, struct value *v)
{
    struct value *y = insert_cast(c, b, at + 1, v, c->type);
    graph_replace_uses(c->g, v, y);
    y->producer->in[0] = v;
}

static size_t convert_node(struct conversion *c, struct block *b, size_t at);

static void convert_block(struct conversion *c, struct block *b)
{
    for (size_t i = 0; i < b->n_in; i++)
        if (b->in[i]->role == VALUE_ARG && b->in[i]->dtype == DTYPE_F32)
            b->in[i]->dtype = c->type;
    for (size_t at = 0; c->ok && at < b->n_nodes;)
        at += convert_node(c, b, at);
    for (size_t i = 0; i < b->n_out; i++)
        b->out[i] = narrow_constant(c, b->out[i]);
}

/* Converts the node at `at`; returns how many nodes are there in its place. */
static size_t convert_node(struct conversion *c, struct block *b, size_t at)
{
    struct node *n = b->nodes[at];
    size_t n_before = 0, n_after = 0;
    for (size_t i = 0; i < n->n_blocks; i++)
        convert_block(c, n->blocks[i]);
    if (!narrow_node(c, n))
        for (size_t i = 0; i < n->n_in; i++)
            if (n->in[i] && n->in[i]->dtype == c->type && n->in[i]->role != VALUE_STATE)
                n->in[i] = insert_cast(c, b, at + n_before++, n->in[i], DTYPE_F32);
    c->ok = c->ok && graph_infer_node(c->g, n, c->err);
    for (size_t i = 0; c->ok && i < n->n_out; i++)
        if (n->out[i] && n->out[i]->dtype == DTYPE_F32) {
            narrow_result(c, b, at + n_before, n->out[i]);
            n_after++;
        }
    return n_before + 1 + n_after;
}

/* ---- inputs and outputs ---- */

static void convert_inputs(struct conversion *c, bool io)
{
    struct block *body = &c->g->body;
    for (size_t i = 0; i < body->n_in; i++) {
        struct value *v = body->in[i];
        if (v->dtype != DTYPE_F32)
            continue;
        if (io) {
            v->dtype = c->type;
            continue;
        }
        struct value *y = insert_cast(c, body, 0, v, c->type);
        graph_replace_uses(c->g, v, y);
        y->producer->in[0] = v;
    }
}

/* What a node in f32 gives goes out as it is. */
static struct value *in_f32(struct conversion *c, struct value *v)
{
    struct block *body = &c->g->body;
    const struct node *p = v->producer;
    if (p && p->op == OP_cast && p->in[0]->dtype == DTYPE_F32 && p->in[0]->role == VALUE_TEMP)
        return p->in[0];
    return insert_cast(c, body, body->n_nodes, v, DTYPE_F32);
}

static void convert_outputs(struct conversion *c, const enum dtype *was)
{
    struct block *body = &c->g->body;
    for (size_t i = 0; c->ok && i < body->n_out; i++)
        if (was[i] == DTYPE_F32 && body->out[i]->dtype == c->type)
            body->out[i] = in_f32(c, body->out[i]);
}

bool convert_storage(struct graph *g, enum dtype type, bool io, const struct quantize_keep *keep,
                     struct error *err)
{
    struct arena scratch;
    arena_init(&scratch);
    struct conversion c = {.g = g, .type = type, .keep = keep, .err = err, .ok = true};
    c.n_values = g->n_values;
    c.narrow = arena_array(&scratch, g->n_values, sizeof *c.narrow);
    enum dtype *was = arena_array(&scratch, g->body.n_out, sizeof *was);
    const char **name = arena_array(&scratch, g->body.n_out, sizeof *name);
    for (size_t i = 0; i < g->body.n_out; i++) {
        was[i] = g->body.out[i]->dtype;
        name[i] = g->body.out[i]->name;
    }
    convert_inputs(&c, io);
    convert_block(&c, &g->body);
    if (!io)
        convert_outputs(&c, was);
    for (size_t i = 0; c.ok && i < g->body.n_out; i++)
        graph_rename_value(g, g->body.out[i], name[i]);
    arena_done(&scratch);
    return c.ok;
}
