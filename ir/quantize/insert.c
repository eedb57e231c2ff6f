/*
 * insert.c: Q and DQ nodes for what was decided.
 *
 * Nodes are taken from the last to the first, so that the positions of those before hold.
 */
#include <assert.h>

#include "ir/quantize/quantizer.h"

static struct value *add_scale(struct quantizer *q, const char *name, const float *scale, int64_t n,
                               int axis)
{
    struct tensor *t = tensor_new(q->g->arena, DTYPE_F32, axis >= 0, &n);
    for (int64_t i = 0; i < n; i++)
        tensor_set(t, i, (double)scale[i]);
    return graph_add_constant(q->g, arena_printf(q->g->arena, "%s.scale", name), t);
}

/* A node before position `at` of the body. */
static struct value *add_node(struct quantizer *q, size_t at, enum op op, const char *name,
                              struct value *const in[3], int axis)
{
    struct graph *g = q->g;
    struct node *n = graph_insert_node(g, &g->body, at, op, name, in[2] ? 3 : 2, 1);
    for (size_t i = 0; i < n->n_in; i++)
        n->in[i] = in[i];
    if (axis >= 0 && op == OP_dequantize_linear)
        ((struct dequantize_linear_attrs *)n->attrs)->axis = axis;
    struct value *v = graph_node_output(g, n, 0, name);
    struct error err;
    error_init(&err);
    bool ok = graph_infer_node(g, n, &err);
    assert(ok);
    (void)ok;
    return v;
}

static const char *named(struct quantizer *q, const char *name, const char *what)
{
    return arena_printf(q->g->arena, "%s.%s", name, what);
}

static size_t position_of(const struct quantizer *q, const struct node *n)
{
    size_t at = 0;
    while (q->g->body.nodes[at] != n)
        at++;
    return at;
}

void quantizer_set_constant(struct quantizer *q, struct node *n, size_t i,
                            const struct integers *integers)
{
    struct graph *g = q->g;
    struct value *was = n->in[i];
    const char *name = was->name;
    struct value *stored = graph_add_constant(g, named(q, name, "quantized"), integers->stored);
    if (--was->n_uses == 0) {
        graph_drop_value(g, was);
        graph_rename_value(g, stored, name);
    }
    if (integers->axis < 0)
        stored->quant = (struct quant){integers->scale[0], 0};
    struct value *in[3] = {stored};
    in[1] = add_scale(q, name, integers->scale, integers->n_scales, integers->axis);
    n->in[i] = add_node(q, position_of(q, n), OP_dequantize_linear, named(q, name, "dequantized"),
                        in, integers->axis);
}

/* ---- values ---- */

/* The parameters of v's integers as inputs 1 and 2 of Q and DQ. */
static void add_params(struct quantizer *q, const char *name, const struct quant *p,
                       struct value *in[3])
{
    struct tensor *zero = tensor_new(q->g->arena, q->opt->calibration.type, 0, NULL);
    tensor_set_int(zero, 0, p->zero_point);
    in[1] = add_scale(q, name, &p->scale, 1, -1);
    in[2] = graph_add_constant(q->g, named(q, name, "zero_point"), zero);
}

/* Everybody who reads v, but for the node `to`, reads `real`. */
static void redirect(struct graph *g, struct value *v, struct node *to, struct value *real)
{
    graph_replace_uses(g, v, real);
    to->in[0] = v;
}

/* Q and DQ before position `at`.  The model's name goes to what users and client see: the integers,
   or the DQ where it is an output. */
static void insert_pair(struct quantizer *q, size_t at, struct value *v)
{
    struct graph *g = q->g;
    const char *name = v->name;
    struct quant p = q->value[v->id].quant;
    struct value *in[3] = {v};
    add_params(q, name, &p, in);
    struct value *stored = add_node(q, at, OP_quantize_linear, named(q, name, "quantized"), in, -1);
    stored->quant = p;
    in[0] = stored;
    struct value *real =
        add_node(q, at + 1, OP_dequantize_linear, named(q, name, "dequantized"), in, -1);
    bool output = graph_is_output(g, v);
    redirect(g, v, stored->producer, real);
    if (v->role == VALUE_INPUT)
        return;
    graph_rename_value(g, v, named(q, name, "float"));
    graph_rename_value(g, output ? real : stored, name);
}

/* The client brings the integers. */
static void convert_input(struct quantizer *q, struct value *v)
{
    struct value *in[3] = {v};
    v->dtype = q->opt->calibration.type;
    v->quant = q->value[v->id].quant;
    add_params(q, v->name, &v->quant, in);
    struct value *real =
        add_node(q, 0, OP_dequantize_linear, named(q, v->name, "dequantized"), in, -1);
    redirect(q->g, v, real->producer, real);
}

/* The client gets what the DQ that is output i reads. */
static void convert_output(struct quantizer *q, size_t i)
{
    struct value *real = q->g->body.out[i], *stored = real->producer->in[0];
    const char *name = real->name;
    if (graph_is_output(q->g, stored) || stored->role == VALUE_INPUT)
        return; /* an output is a tensor of its own */
    q->g->body.out[i] = stored;
    graph_rename_value(q->g, real, named(q, name, "dequantized"));
    graph_rename_value(q->g, stored, name);
}

void quantizer_insert(struct quantizer *q)
{
    struct block *body = &q->g->body;
    bool *converted = arena_array(q->scratch, body->n_out, sizeof *converted);
    for (size_t i = 0; i < body->n_out; i++)
        converted[i] = q->opt->quantize_io && q->value[body->out[i]->id].integer;
    for (size_t at = q->n_nodes; at-- > 0;) {
        const struct node *n = q->nodes[at];
        for (size_t i = 0; i < n->n_out; i++)
            if (n->out[i] && q->value[n->out[i]->id].integer)
                insert_pair(q, at + 1, n->out[i]);
        if (q->node[at].weights)
            quantizer_insert_weights(q, at);
    }
    for (size_t i = 0; i < body->n_in; i++) {
        if (!q->value[body->in[i]->id].integer)
            continue;
        if (q->opt->quantize_io)
            convert_input(q, body->in[i]);
        else
            insert_pair(q, 0, body->in[i]);
    }
    for (size_t i = 0; i < body->n_out; i++)
        if (converted[i])
            convert_output(q, i);
}
