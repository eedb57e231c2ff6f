/*
 * convert_io: inputs and outputs get the type and the order of dimensions that the client wants.
 *
 * The client's tensor takes the place and name of the model's, and nodes between the two convert:
 * Transpose, Cast, DequantizeLinear, QuantizeLinear.  Where the network quantizes the tensor anyway
 * with the same scale, these meet its own QuantizeLinear or DequantizeLinear, and lower_quantized
 * makes nothing of both.
 *
 * Precondition: inferred, not lowered yet, no regions.
 */
#include "ir/passes/interface.h"
#include "ir/passes/passes.h"

#include <string.h>

#include "ir/passes/lower_quantized.h"

struct convert {
    struct graph *g;
    const struct interface_change *change;
    size_t at; /* where the next node goes in the body */
    struct error *err;
};

static const char *named(const struct convert *c, const char *what)
{
    return arena_printf(c->g->arena, "%s.%s", c->change->name, what);
}

/* A node whose output is `out`, or a new value where that is NULL.  NULL where the types do not
   go together. */
static struct value *add_node(struct convert *c, enum op op, size_t n_in, struct value *const *in,
                              int64_t to, const struct attr_ints *perm)
{
    struct graph *g = c->g;
    const char *name = named(c, op_desc(op)->id);
    struct node *n = graph_insert_node(g, &g->body, c->at++, op, name, n_in, 1);
    memcpy(n->in, in, n_in * sizeof *in);
    if (op == OP_cast)
        ((struct cast_attrs *)n->attrs)->to = to;
    if (op == OP_transpose)
        ((struct transpose_attrs *)n->attrs)->perm = *perm;
    struct value *v = graph_node_output(g, n, 0, name);
    return graph_infer_node(g, n, c->err) ? v : NULL;
}

static struct value *cast(struct convert *c, struct value *v, enum dtype to)
{
    return !v || v->dtype == to ? v : add_node(c, OP_cast, 1, &v, dtype_code(to), NULL);
}

static void add_parameters(struct convert *c, enum dtype stored, const struct quant *q,
                           struct value *in[3])
{
    struct tensor *scale = tensor_new(c->g->arena, DTYPE_F32, 0, NULL);
    struct tensor *zero = tensor_new(c->g->arena, stored, 0, NULL);
    tensor_set(scale, 0, (double)q->scale);
    tensor_set_int(zero, 0, q->zero_point);
    in[1] = graph_add_constant(c->g, named(c, "scale"), scale);
    in[2] = graph_add_constant(c->g, named(c, "zero_point"), zero);
}

static struct value *dequantize(struct convert *c, struct value *v, const struct quant *q)
{
    struct value *in[3] = {v};
    add_parameters(c, v->dtype, q, in);
    return add_node(c, OP_dequantize_linear, 3, in, 0, NULL);
}

static struct value *quantize(struct convert *c, struct value *v, enum dtype to,
                              const struct quant *q)
{
    struct value *in[3] = {v};
    add_parameters(c, to, q, in);
    struct value *y = add_node(c, OP_quantize_linear, 3, in, 0, NULL);
    if (y)
        y->quant = *q;
    return y;
}

/* v, of which `q` tells what integers mean, in another type. */
static struct value *convert(struct convert *c, struct value *v, const struct quant *q,
                             enum dtype to, const struct quant *to_q)
{
    bool same = q->scale == to_q->scale && q->zero_point == to_q->zero_point;
    if (same)
        return cast(c, v, to);
    if (q->scale != 0)
        v = dequantize(c, v, q);
    if (v && to_q->scale != 0)
        return quantize(c, cast(c, v, DTYPE_F32), to, to_q);
    return cast(c, v, to);
}

/* ---- dimensions ---- */

/* The model has channels in dimension 1 and the client at the end, or the other way round; where
   there are three dimensions, in 0.  perm[d]: which dimension of the source is d of the result. */
static struct value *reorder(struct convert *c, struct value *v, bool to_last)
{
    int rank = v->shape.rank, channels = rank > 3 ? 1 : 0;
    int64_t *perm = arena_array(c->g->arena, (size_t)rank, sizeof *perm);
    int n = 0;
    for (int d = 0; d < channels; d++)
        perm[n++] = d;
    if (!to_last)
        perm[n++] = rank - 1;
    for (int d = channels + to_last; d < rank - !to_last; d++)
        perm[n++] = d;
    if (to_last)
        perm[n++] = channels;
    struct attr_ints a = {.v = perm, .n = (size_t)rank};
    return add_node(c, OP_transpose, 1, &v, 0, &a);
}

static struct shape client_shape(const struct shape *s, enum interface_order order)
{
    int channels = s->rank > 3 ? 1 : 0, last = s->rank - 1;
    struct shape r = *s;
    if (order == INTERFACE_CHANNELS_LAST) {
        for (int d = channels; d < last; d++)
            r.dims[d] = s->dims[d + 1];
        r.dims[last] = s->dims[channels];
    } else if (order == INTERFACE_CHANNELS_FIRST) {
        r.dims[channels] = s->dims[last];
        for (int d = channels; d < last; d++)
            r.dims[d + 1] = s->dims[d];
    }
    return r;
}

/* ---- what integers mean ---- */

/* Parameters that the network itself has for a tensor, and their type. */
static bool network_quant(const struct convert *c, const struct value *v, struct quant *out,
                          enum dtype *out_dtype)
{
    struct operand o;
    if (v->quant.scale != 0) {
        *out = v->quant;
        *out_dtype = v->dtype;
        return true;
    }
    if (lq_tensor_operand(v, &o, out)) {
        *out_dtype = o.stored->dtype;
        return true;
    }
    const struct block *b = &c->g->body;
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        if (n->op == OP_quantize_linear && n->in[0] == v && lq_target(n, out)) {
            *out_dtype = n->out[0]->dtype;
            return true;
        }
    }
    return false;
}

static bool choose_quant(const struct convert *c, const struct value *v, struct quant *out)
{
    const struct interface_change *change = c->change;
    const char *option = change->is_output ? "output-type" : "input-type";
    enum dtype dtype;
    *out = change->quant;
    if (!change->quantized || change->quant.scale != 0)
        return true;
    if (!network_quant(c, v, out, &dtype))
        return error_set(c->err, SHEAF_ERROR_ARGUMENT,
                         "option -%s: the network does not quantize '%s': scale and offset are "
                         "needed, as in %s,int8q,0.5,0",
                         option, change->name, change->name);
    if (dtype_bits(dtype) != dtype_bits(change->dtype))
        return error_set(c->err, SHEAF_ERROR_ARGUMENT,
                         "option -%s: the network has '%s' in %u bits: another type needs scale "
                         "and offset",
                         option, change->name, dtype_bits(dtype));
    out->zero_point += (int32_t)(dtype_int_min(change->dtype) - dtype_int_min(dtype));
    return true;
}

/* ---- the pass ---- */

static bool convert_input(struct convert *c, size_t i)
{
    struct graph *g = c->g;
    const struct interface_change *change = c->change;
    struct value *x = g->body.in[i], *v = graph_add_value(g, NULL, VALUE_INPUT);
    v->dtype = change->dtype == DTYPE_NONE ? x->dtype : change->dtype;
    v->shape = client_shape(&x->shape, change->order);
    v->layout = layout_plain(v->shape.rank);
    v->quant = x->quant;
    if (change->dtype != DTYPE_NONE && !choose_quant(c, x, &v->quant))
        return false;
    g->body.in[i] = v;
    graph_rename_value(g, v, change->name);
    c->at = 0;
    struct value *y = v;
    if (change->order != INTERFACE_AS_IS)
        y = reorder(c, y, change->order == INTERFACE_CHANNELS_FIRST);
    y = y ? convert(c, y, &v->quant, x->dtype, &x->quant) : NULL;
    if (!y)
        return false;
    y->quant = x->quant;
    graph_replace_uses(g, x, y);
    graph_drop_value(g, x);
    return true;
}

static bool convert_output(struct convert *c, size_t i)
{
    struct graph *g = c->g;
    const struct interface_change *change = c->change;
    struct value *x = g->body.out[i], *y = x;
    struct quant q = x->quant;
    if (change->dtype != DTYPE_NONE && !choose_quant(c, x, &q))
        return false;
    c->at = g->body.n_nodes;
    if (change->dtype != DTYPE_NONE)
        y = convert(c, y, &x->quant, change->dtype, &q);
    if (y && change->order != INTERFACE_AS_IS)
        y = reorder(c, y, change->order == INTERFACE_CHANNELS_LAST);
    if (!y)
        return false;
    y->quant = q;
    if (y == x)
        return true;
    g->body.out[i] = y;
    graph_rename_value(g, y, change->name);
    return true;
}

static bool is_changed(const struct value *v, const struct interface_change *change)
{
    return change->order != INTERFACE_AS_IS || v->dtype != change->dtype ||
           (change->quant.scale != 0 && (v->quant.scale != change->quant.scale ||
                                         v->quant.zero_point != change->quant.zero_point));
}

bool pass_convert_io(struct graph *g, const struct pass_options *opt, bool *out_changed,
                     struct error *err)
{
    const struct interface *in = opt->interface;
    *out_changed = false;
    for (size_t i = 0; in && i < in->n_changes; i++) {
        struct convert c = {.g = g, .change = &in->changes[i], .err = err};
        size_t n = c.change->is_output ? g->body.n_out : g->body.n_in;
        for (size_t k = 0; k < n; k++) {
            const struct value *v = c.change->is_output ? g->body.out[k] : g->body.in[k];
            if (strcmp(v->name, c.change->name) != 0)
                continue;
            if (is_changed(v, c.change)) {
                if (!(c.change->is_output ? convert_output(&c, k) : convert_input(&c, k)))
                    return false;
                *out_changed = true;
            }
            break;
        }
    }
    graph_sweep(g);
    return true;
}
