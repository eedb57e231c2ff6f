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

static struct value *add_zero_point(struct quantizer *q, const char *name, enum dtype type,
                                    int32_t zero_point)
{
    struct tensor *t = tensor_new(q->g->arena, type, 0, NULL);
    tensor_set_int(t, 0, zero_point);
    return graph_add_constant(q->g, arena_printf(q->g->arena, "%s.zero_point", name), t);
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
        stored->quant = (struct quant){integers->scale[0], integers->zero_point};
    struct value *in[3] = {stored};
    in[1] = add_scale(q, name, integers->scale, integers->n_scales, integers->axis);
    if (integers->zero_point)
        in[2] = add_zero_point(q, name, integers->stored->dtype, integers->zero_point);
    n->in[i] = add_node(q, position_of(q, n), OP_dequantize_linear, named(q, name, "dequantized"),
                        in, integers->axis);
}

/* ---- values ---- */

/* Q and DQ of v before position `at`; everybody reads the DQ.  Returns it. */
static struct value *insert_pair(struct quantizer *q, size_t at, struct value *v, enum dtype type,
                                 struct quant p)
{
    struct graph *g = q->g;
    struct value *in[3] = {v, add_scale(q, v->name, &p.scale, 1, -1),
                           add_zero_point(q, v->name, type, p.zero_point)};
    struct value *stored =
        add_node(q, at, OP_quantize_linear, named(q, v->name, "quantized"), in, -1);
    stored->quant = p;
    struct value *again[3] = {stored, in[1], in[2]};
    struct value *real =
        add_node(q, at + 1, OP_dequantize_linear, named(q, v->name, "dequantized"), again, -1);
    bool is_output = false;
    for (size_t i = 0; i < g->body.n_out; i++)
        is_output |= g->body.out[i] == v;
    graph_replace_uses(g, v, real);
    stored->producer->in[0] = v;
    /* The model's name goes to what reaches memory. */
    const char *name = v->name;
    if (v->role == VALUE_INPUT)
        return real;
    graph_rename_value(g, v, named(q, name, "float"));
    graph_rename_value(g, is_output ? real : stored, name);
    return real;
}

/* The parameters that integers outside of the network have: of the schema's own type. */
static struct quant outer_params(const struct quantizer *q, struct quant p, enum dtype type)
{
    if (type != q->opt->calibration.type)
        p.zero_point -= 128;
    return p;
}

static void insert_input(struct quantizer *q, struct value *v)
{
    enum dtype type = quantizer_type(q, v), outer = q->opt->calibration.type;
    struct quant p = q->value[v->id].quant, o = outer_params(q, p, type);
    if (!q->opt->quantize_io) {
        insert_pair(q, 0, v, type, p);
        return;
    }
    v->dtype = outer;
    v->quant = o;
    struct value *in[3] = {v, add_scale(q, v->name, &o.scale, 1, -1),
                           add_zero_point(q, v->name, outer, o.zero_point)};
    struct value *real =
        add_node(q, 0, OP_dequantize_linear, named(q, v->name, "dequantized"), in, -1);
    graph_replace_uses(q->g, v, real);
    real->producer->in[0] = v;
    if (type != outer)
        insert_pair(q, 1, real, type, p);
}

/* An output of the network that is a DQ becomes the integers. */
static void convert_output(struct quantizer *q, size_t i, struct quant p, enum dtype type)
{
    struct graph *g = q->g;
    struct value *real = g->body.out[i], *stored = real->producer->in[0];
    enum dtype outer = q->opt->calibration.type;
    const char *name = real->name;
    if (type != outer) {
        struct quant o = outer_params(q, p, type);
        struct value *in[3] = {real, add_scale(q, name, &o.scale, 1, -1),
                               add_zero_point(q, name, outer, o.zero_point)};
        stored =
            add_node(q, g->body.n_nodes, OP_quantize_linear, named(q, name, "quantized"), in, -1);
        stored->quant = o;
    }
    g->body.out[i] = stored;
    graph_rename_value(g, stored, name);
}

static void insert_constants(struct quantizer *q, size_t at)
{
    struct node *n = q->nodes[at];
    if (quantizer_is_function(n))
        return;
    for (size_t i = 0; i < n->n_in; i++) {
        if (!quantizer_is_data(n, i) || !quantizer_is_constant(n->in[i]))
            continue;
        const struct value *like = n->op == OP_concat ? n->out[0] : n->in[i];
        const struct tensor *t = n->in[i]->constant;
        struct quant p = q->value[like->id].quant;
        struct tensor *r = tensor_new(q->g->arena, quantizer_type(q, like), t->rank, t->dims);
        for (int64_t k = 0, count = tensor_elems(t); k < count; k++)
            tensor_set_int(r, k, schema_quantize(tensor_get(t, k), &p, r->dtype));
        quantizer_set_constant(q, n, i, &(struct integers){r, &p.scale, 1, -1, p.zero_point});
    }
}

void quantizer_insert(struct quantizer *q)
{
    struct block *body = &q->g->body;
    struct value **was_out = arena_copy(q->scratch, body->out, body->n_out * sizeof *was_out);
    for (size_t at = q->n_nodes; at-- > 0;) {
        const struct node *n = q->nodes[at];
        for (size_t i = 0; i < n->n_out; i++)
            if (n->out[i] && q->value[n->out[i]->id].integer)
                insert_pair(q, at + 1, n->out[i], quantizer_type(q, n->out[i]),
                            q->value[n->out[i]->id].quant);
        if (!q->node[at].quantized)
            continue;
        quantizer_insert_weights(q, at);
        if (op_desc(n->op)->quant != QUANT_CONTRACT)
            insert_constants(q, at);
    }
    for (size_t i = 0; i < body->n_in; i++)
        if (q->value[body->in[i]->id].integer)
            insert_input(q, body->in[i]);
    for (size_t i = 0; i < body->n_out && q->opt->quantize_io; i++)
        if (q->value[was_out[i]->id].integer)
            convert_output(q, i, q->value[was_out[i]->id].quant, quantizer_type(q, was_out[i]));
}
