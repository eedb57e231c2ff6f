/*
 * Operators that move or choose values work on integers as they do on floats:
 *
 *     op(dequantize(x)) = dequantize(op(x))     quantize(op(x)) = op(quantize(x))
 *
 * with one scale and zero point for all inputs and outputs.  This is exact: dequantizing and
 * quantizing are monotone, so that maxima and clips commute with them too.  Dequantizing moves
 * down, behind such operators, quantizing up, before them, until both meet at what computes.
 */
#include <math.h>
#include <string.h>

#include "ir/ops/common.h"
#include "ir/passes/evaluate.h"
#include "ir/passes/lower_quantized.h"

struct value *lq_like(struct lowering *l, const struct value *x, const char *what, int64_t v)
{
    return lq_scalar(l, lq_name(l, x, what), x->dtype, v);
}

/* A constant float that (k - zero_point) * scale gives for some k of the type. */
static bool exact_step(const struct tensor *t, const struct quant *q, enum dtype type,
                       int64_t *out_step)
{
    double v = tensor_elems(t) == 1 ? tensor_get(t, 0) : NAN;
    if (!(fabs(v) < 0x1p60))
        return false;
    *out_step = lq_quantize((float)v, q, type);
    return (double)((float)(*out_step - q->zero_point) * q->scale) == v;
}

const struct tensor *lq_pad_value(const struct node *n, bool *out_given)
{
    *out_given = ops_has_input(n, 2);
    return *out_given && value_is_constant(n->in[2]) ? n->in[2]->constant : NULL;
}

/* ---- down ---- */

static bool same_parameters(const struct quant *a, const struct quant *b)
{
    return !(a->scale < b->scale || a->scale > b->scale) && a->zero_point == b->zero_point;
}

/* The value is dequantized from 8 or 16 bits; sums are moved where that costs nothing. */
static bool movable_operand(const struct node *n, const struct value *x, struct operand *out,
                            struct quant *out_quant)
{
    bool view = op_desc(n->op)->flags & OP_VIEW;
    return lq_tensor_operand(x, out, out_quant) && x->producer->op == OP_dequantize_linear &&
           (lq_is_narrow(out->stored->dtype) || view);
}

/* All data inputs are dequantized alike. */
static bool common_operand(const struct node *n, struct operand *out, struct quant *out_quant)
{
    if (!form_data_inputs(n) || !movable_operand(n, n->in[0], out, out_quant))
        return false;
    for (size_t i = 1; i < form_data_inputs(n); i++) {
        struct operand o;
        struct quant q;
        if (!movable_operand(n, n->in[i], &o, &q) || o.stored->dtype != out->stored->dtype ||
            !same_parameters(&q, out_quant))
            return false;
    }
    return true;
}

/* Bounds as integers; false where they are none. */
static bool side_inputs(struct lowering *l, const struct node *n, const struct operand *o,
                        const struct quant *q, struct value **in)
{
    enum dtype t = o->stored->dtype;
    int64_t step = q->zero_point;
    bool given;
    if (n->op == OP_relu)
        in[1] = lq_like(l, o->stored, "zero", step);
    if (n->op == OP_pad) {
        const struct tensor *v = lq_pad_value(n, &given);
        if (given && (!v || !exact_step(v, q, t, &step)))
            return false;
        in[2] = lq_like(l, o->stored, "padding", step);
    }
    for (size_t i = 1; n->op == OP_clip && i < n->n_in; i++) {
        if (!n->in[i])
            continue;
        if (!value_is_constant(n->in[i]) || !exact_step(n->in[i]->constant, q, t, &step))
            return false;
        in[i] = lq_like(l, o->stored, "bound", step);
    }
    return true;
}

/* Takes the place of output i of n. */
static void dequantize_output(struct lowering *l, struct node *n, size_t i, struct value *stored,
                              const struct node *from)
{
    struct value *y = n->out[i];
    struct value *in[3] = {stored, from->in[1], ops_has_input(from, 2) ? from->in[2] : NULL};
    struct node *d = lq_begin(l, OP_dequantize_linear, y->name, in[2] ? 3 : 2, in);
    d->out[0] = y;
    y->producer = d;
    n->out[i] = NULL;
    lq_became(l, d);
}

/* A relu whose zero is the least value of the type changes nothing. */
static bool drop_relu(struct lowering *l, struct node *n, const struct operand *o,
                      const struct quant *q)
{
    if (n->op != OP_relu || q->zero_point != dtype_int_min(o->stored->dtype))
        return false;
    lq_bypass(l, n, n->in[0]);
    return true;
}

/* The inputs of the operator on integers; NULL where a bound or padding has none. */
static struct value **integer_inputs(struct lowering *l, const struct node *n,
                                     const struct operand *o, const struct quant *q, size_t *out_n)
{
    size_t least = n->op == OP_pad ? 3 : n->op == OP_relu ? 2 : 0;
    *out_n = n->n_in > least ? n->n_in : least;
    struct value **in = arena_array(&l->scratch, *out_n, sizeof(struct value *));
    memcpy(in, n->in, n->n_in * sizeof *in);
    for (size_t i = 0; i < form_data_inputs(n); i++) {
        struct operand each;
        lq_operand(n->in[i], &each);
        in[i] = each.stored;
    }
    return side_inputs(l, n, o, q, in) ? in : NULL;
}

/* n on integers, before it. */
static struct node *insert_integer(struct lowering *l, const struct node *n, size_t n_in,
                                   struct value *const *in)
{
    enum op op = n->op == OP_relu ? OP_clip : n->op;
    struct node *m = lq_insert(l, op, n->name, n_in, n->n_out);
    for (size_t i = 0; i < n_in; i++) {
        m->in[i] = in[i];
        if (in[i])
            in[i]->n_uses++;
    }
    if (op == n->op)
        m->attrs = n->attrs;
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            graph_node_output(l->g, m, i, lq_name(l, n->out[i], "q"));
    lq_became(l, m);
    return m;
}

bool lq_move_dequantize_down(struct lowering *l, struct node *n)
{
    struct operand o;
    struct quant q;
    if (!common_operand(n, &o, &q) || value_is_constant(o.stored))
        return false;
    if (drop_relu(l, n, &o, &q))
        return true;
    size_t n_in;
    struct value **in = integer_inputs(l, n, &o, &q, &n_in);
    if (!in)
        return false;
    const struct node *from = n->in[0]->producer;
    struct node *m = insert_integer(l, n, n_in, in);
    for (size_t i = 0; i < n->n_out; i++) {
        if (!n->out[i])
            continue;
        lq_set_quant(l, m->out[i], &q);
        lq_set_bound(l, m->out[i], lq_bound(l, o.stored));
        dequantize_output(l, n, i, m->out[i], from);
    }
    lq_kill(l, n);
    l->changed = true;
    return true;
}

/* ---- weights ---- */

/* Dimension of the result that shows dimension `axis` of the input. */
static int transposed_axis(const struct node *n, int axis)
{
    const struct transpose_attrs *a = n->attrs;
    int rank = n->out[0]->shape.rank;
    for (int i = 0; a->perm.v && i < rank; i++)
        if (a->perm.v[i] == axis)
            return i;
    return rank - 1 - axis;
}

/* What a transpose or view makes of constants; with one scale per channel only a transpose. */
bool lq_move_weights(struct lowering *l, struct node *n)
{
    struct operand o;
    bool view = op_desc(n->op)->flags & OP_VIEW;
    if ((n->op != OP_transpose && !view) || n->n_out != 1 || !lq_operand(n->in[0], &o) ||
        !value_is_constant(o.stored) || (view && !lq_is_per_tensor(&o)) ||
        n->in[0]->producer->op != OP_dequantize_linear)
        return false;
    const struct node *from = n->in[0]->producer;
    struct node moved = *n;
    struct value out = *n->out[0], *in[2] = {o.stored, n->n_in > 1 ? n->in[1] : NULL};
    struct value *outs[1] = {&out};
    const struct tensor *t;
    out.dtype = o.stored->dtype;
    moved.in = in;
    moved.out = outs;
    if (n->n_in > 2 || !evaluate_node(l->g->arena, &moved, &t))
        return false;
    struct value *with[3] = {lq_constant(l, o.stored->name, t), from->in[1],
                             ops_has_input(from, 2) ? from->in[2] : NULL};
    lq_become(l, n, OP_dequantize_linear, with[2] ? 3 : 2, with);
    struct dequantize_linear_attrs *a = n->attrs;
    if (!lq_is_per_tensor(&o))
        a->axis = transposed_axis(&moved, o.axis);
    lq_became(l, n);
    return true;
}
