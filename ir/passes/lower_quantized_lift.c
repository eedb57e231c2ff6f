/*
 * QuantizeLinear moves up before operators that move or choose values (lower_quantized_move.c says
 * why).  It does so only where nobody else needs the floats, or where computing them twice costs
 * nothing.
 */
#include <math.h>
#include <string.h>

#include "ir/ops/common.h"
#include "ir/passes/lower_quantized.h"

static bool clips(const struct node *n)
{
    return n->op == OP_relu || n->op == OP_clip;
}

/* Whether the values of n may be quantized before it: nobody else needs them as floats, or it costs
   nothing to compute them twice. */
static bool may_lift(const struct lowering *l, const struct node *n)
{
    return form_data_inputs(n) && n->n_out == 1 && n->op != OP_split && n->op != OP_identity &&
           (clips(n) || n->out[0]->n_uses == 1) && lq_position(l, n->out[0]) != SIZE_MAX;
}

static bool has_integer_sides(const struct node *n)
{
    bool given;
    if (n->op == OP_pad) {
        const struct tensor *v = lq_pad_value(n, &given);
        return v ? !isnan(tensor_get(v, 0)) : !given;
    }
    for (size_t i = 1; n->op == OP_clip && i < n->n_in; i++)
        if (n->in[i] && (!value_is_constant(n->in[i]) || isnan(tensor_get(n->in[i]->constant, 0))))
            return false;
    return true;
}

static struct value *quantized_bound(struct lowering *l, const struct node *n, size_t i,
                                     const struct node *q, const struct quant *to)
{
    enum dtype t = q->out[0]->dtype;
    float v = (float)tensor_get(n->in[i]->constant, 0);
    int64_t bound = lq_quantize(v, to, t);
    if (bound == (i == 1 ? dtype_int_min(t) : dtype_int_max(t)))
        return NULL;
    return lq_like(l, q->out[0], "bound", bound);
}

/* The bounds of a relu or clip in steps; none where the type has them anyway. */
static void lift_bounds(struct lowering *l, const struct node *n, const struct node *q,
                        const struct quant *to, struct value **in)
{
    enum dtype t = q->out[0]->dtype;
    in[1] = in[2] = NULL;
    if (n->op == OP_relu && to->zero_point != dtype_int_min(t))
        in[1] = lq_like(l, q->out[0], "bound", to->zero_point);
    for (size_t i = 1; n->op == OP_clip && i < n->n_in; i++)
        if (n->in[i])
            in[i] = quantized_bound(l, n, i, q, to);
}

/* Quantizes x as q does its input. */
static struct value *quantize_as(struct lowering *l, const struct node *q, struct value *x)
{
    struct value *in[3] = {x, q->in[1], ops_has_input(q, 2) ? q->in[2] : NULL};
    struct node *m = lq_begin(l, OP_quantize_linear, NULL, in[2] ? 3 : 2, in);
    m->attrs = q->attrs;
    return lq_end(l, m, lq_name(l, x, "q"));
}

/* n computes nothing that quantizing does not do too: q reads what n reads. */
static void read_through(struct lowering *l, struct node *q, const struct node *n)
{
    struct value *in[3] = {n->in[0], q->in[1], ops_has_input(q, 2) ? q->in[2] : NULL};
    void *attrs = q->attrs;
    lq_become(l, q, OP_quantize_linear, in[2] ? 3 : 2, in);
    q->attrs = attrs;
    lq_became(l, q);
}

static struct value *quantized_padding(struct lowering *l, const struct node *n,
                                       const struct node *q, const struct quant *to)
{
    bool given;
    const struct tensor *v = lq_pad_value(n, &given);
    enum dtype t = q->out[0]->dtype;
    int64_t step = v ? lq_quantize((float)tensor_get(v, 0), to, t) : to->zero_point;
    return lq_like(l, q->out[0], "padding", step);
}

/* q becomes n on integers. */
static void become_integer(struct lowering *l, struct node *q, const struct node *n, size_t n_in,
                           struct value *const *in)
{
    /* n may be gone when q no longer uses it. */
    bool is_clip = clips(n);
    const char *name = n->name;
    void *attrs = n->attrs;
    lq_become(l, q, is_clip ? OP_clip : n->op, n_in, in);
    q->name = name;
    if (!is_clip)
        q->attrs = attrs;
    lq_became(l, q);
}

bool lq_move_quantize_up(struct lowering *l, struct node *q)
{
    struct quant to;
    if (q->op != OP_quantize_linear || !lq_target(q, &to) || !q->in[0]->producer)
        return false;
    const struct node *n = q->in[0]->producer;
    if (!may_lift(l, n) || !has_integer_sides(n))
        return false;
    size_t least = clips(n) || n->op == OP_pad ? 3 : 0;
    size_t n_in = n->n_in > least ? n->n_in : least;
    struct value **in = arena_array(&l->scratch, n_in, sizeof(struct value *));
    memcpy(in, n->in, n->n_in * sizeof *in);
    if (clips(n))
        lift_bounds(l, n, q, &to, in);
    if (clips(n) && !in[1] && !in[2]) {
        read_through(l, q, n);
        return true;
    }
    if (n->op == OP_pad)
        in[2] = quantized_padding(l, n, q, &to);
    for (size_t i = 0; i < form_data_inputs(n); i++)
        in[i] = quantize_as(l, q, n->in[i]);
    become_integer(l, q, n, n_in, in);
    lq_set_quant(l, q->out[0], &to);
    return true;
}
