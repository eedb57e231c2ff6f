/*
 * Reading what a graph says about quantized values.
 */
#include <assert.h>
#include <math.h>

#include "ir/ops/common.h"
#include "ir/passes/evaluate.h"
#include "ir/passes/lower_quantized.h"

bool lq_is_narrow(enum dtype t)
{
    return t == DTYPE_I8 || t == DTYPE_U8 || t == DTYPE_I16 || t == DTYPE_U16;
}

static bool is_quantized_type(enum dtype t)
{
    return lq_is_narrow(t) || (dtype_is_integer(t) && dtype_bits(t) < 8) || t == DTYPE_I32;
}

/* Far from where floats lose digits, so that x / s * s and the like mean what they say. */
static bool scales_are_sound(const struct tensor *t)
{
    for (int64_t i = 0; i < tensor_elems(t); i++) {
        double s = tensor_get(t, i);
        if (!(s >= 0x1p-100 && s <= 0x1p100))
            return false;
    }
    return tensor_elems(t) > 0;
}

/* ---- dequantized values ---- */

static bool operand_of_dequantize(const struct node *n, struct operand *out)
{
    const struct dequantize_linear_attrs *a = n->attrs;
    const struct value *scale = n->in[1], *zero = ops_has_input(n, 2) ? n->in[2] : NULL;
    if (!value_is_constant(scale) || (zero && !value_is_constant(zero)) || a->block_size ||
        scale->shape.rank > 1 || !is_quantized_type(n->in[0]->dtype) ||
        n->out[0]->dtype != DTYPE_F32 || !scales_are_sound(scale->constant))
        return false;
    *out = (struct operand){n->in[0], scale->constant, zero ? zero->constant : NULL, 0};
    return lq_is_per_tensor(out) || ops_axis(a->axis, n->in[0]->shape.rank, &out->axis, NULL);
}

/* 64-bit sums: a cast times constant scales, as lq_become_dequantized writes it.  The scales have
   one element, or a dimension for the axis and dimensions of 1 behind it. */
static bool operand_of_product(const struct node *n, struct operand *out)
{
    const struct node *cast = n->in[0]->producer;
    if (!cast || cast->op != OP_cast || cast->in[0]->dtype != DTYPE_I64 ||
        !value_is_constant(n->in[1]) || n->out[0]->dtype != DTYPE_F32 ||
        !scales_are_sound(n->in[1]->constant))
        return false;
    const struct tensor *scale = n->in[1]->constant;
    for (int d = 1; d < scale->rank; d++)
        if (scale->dims[d] != 1)
            return false;
    *out = (struct operand){cast->in[0], scale, NULL, n->out[0]->shape.rank - scale->rank};
    return shape_equal(&cast->in[0]->shape, &n->out[0]->shape);
}

bool lq_operand(const struct value *v, struct operand *out)
{
    const struct node *n = v ? v->producer : NULL;
    if (!n)
        return false;
    if (n->op == OP_dequantize_linear)
        return operand_of_dequantize(n, out);
    return n->op == OP_mul && operand_of_product(n, out);
}

const char *lq_operand_obstacle(const struct value *v)
{
    struct operand o;
    if (lq_operand(v, &o))
        return NULL;
    if (v->producer && v->producer->op == OP_dequantize_linear)
        return "the scales of what it reads are computed, in blocks or extreme";
    return "not all that it reads is quantized";
}

bool lq_is_per_tensor(const struct operand *o)
{
    return tensor_elems(o->scale) == 1 && (!o->zero || tensor_elems(o->zero) == 1);
}

double lq_scale(const struct operand *o, int64_t channel)
{
    return tensor_get(o->scale, tensor_elems(o->scale) == 1 ? 0 : channel);
}

int64_t lq_zero(const struct operand *o, int64_t channel)
{
    return o->zero ? tensor_get_int(o->zero, tensor_elems(o->zero) == 1 ? 0 : channel) : 0;
}

bool lq_tensor_operand(const struct value *v, struct operand *out, struct quant *out_quant)
{
    if (!lq_operand(v, out) || !lq_is_per_tensor(out))
        return false;
    *out_quant = (struct quant){(float)lq_scale(out, 0), (int32_t)lq_zero(out, 0)};
    return true;
}

/* ---- what is known of values ---- */

int64_t lq_reach(enum dtype t, int64_t zero_point)
{
    int64_t below = zero_point - dtype_int_min(t), above = dtype_int_max(t) - zero_point;
    return below > above ? below : above;
}

struct known *lq_known(struct lowering *l, const struct value *v)
{
    while (l->n_known <= v->id)
        ARENA_PUSH(l->g->arena, l->known, l->n_known, l->cap_known) = (struct known){0};
    return &l->known[v->id];
}

int64_t lq_bound(const struct lowering *l, const struct value *v)
{
    if (v->id < l->n_known && l->known[v->id].bound)
        return l->known[v->id].bound;
    return v->dtype == DTYPE_I64 ? INT64_MAX : lq_reach(v->dtype, 0);
}

/* ---- what a QuantizeLinear wants ---- */

bool lq_target(const struct node *q, struct quant *out)
{
    const struct quantize_linear_attrs *a = q->attrs;
    const struct value *scale = q->in[1], *zero = ops_has_input(q, 2) ? q->in[2] : NULL;
    if (q->in[0]->dtype != DTYPE_F32 || !lq_is_narrow(q->out[0]->dtype) || a->block_size ||
        !value_is_constant(scale) || (zero && !value_is_constant(zero)) ||
        shape_elems(&scale->shape) != 1 || (zero && shape_elems(&zero->shape) != 1) ||
        !scales_are_sound(scale->constant))
        return false;
    out->scale = (float)tensor_get(scale->constant, 0);
    out->zero_point = zero ? (int32_t)tensor_get_int(zero->constant, 0) : 0;
    return true;
}

int64_t lq_quantize(float x, const struct quant *q, enum dtype t)
{
    double y = (double)rintf(x / q->scale) + (double)q->zero_point;
    double lo = (double)dtype_int_min(t), hi = (double)dtype_int_max(t);
    assert(!isnan(y));
    return (int64_t)(y < lo ? lo : y > hi ? hi : y);
}

/* ---- places ---- */

size_t lq_position(const struct lowering *l, const struct value *v)
{
    if (!v->producer || v->id >= l->n_known)
        return SIZE_MAX;
    /* Of another block, or not done with, it is no position of this block's. */
    size_t at = l->known[v->id].position;
    return at < l->at && l->b->nodes[at] == v->producer ? at : SIZE_MAX;
}

void lq_set_position(struct lowering *l, size_t at)
{
    const struct node *n = l->b->nodes[at];
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            lq_known(l, n->out[i])->position = at;
}

bool lq_is_only_quantized(const struct lowering *l, const struct value *v)
{
    uint32_t n = 0;
    for (size_t i = l->at; n < v->n_uses && i < l->b->n_nodes; i++)
        n += l->b->nodes[i]->op == OP_quantize_linear && l->b->nodes[i]->in[0] == v;
    return n && n == v->n_uses;
}

/* ---- constants ---- */

/* So long a chain of nodes is followed back. */
enum { MAX_CHAIN = 4 };

static bool is_computed_from_constants(const struct value *v, int left)
{
    const struct node *n = v->producer;
    if (value_is_constant(v))
        return true;
    if (!n || !left || n->n_out != 1 ||
        (op_desc(n->op)->flags & (OP_STATE | OP_CONTROL | OP_EXTERN)))
        return false;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && !is_computed_from_constants(n->in[i], left - 1))
            return false;
    return n->n_in > 0;
}

static const struct tensor *compute(struct lowering *l, const struct value *v)
{
    if (value_is_constant(v))
        return v->constant;
    struct node n = *v->producer;
    struct value **in = arena_array(&l->scratch, n.n_in, sizeof *in);
    for (size_t i = 0; i < n.n_in; i++) {
        const struct tensor *t = n.in[i] ? compute(l, n.in[i]) : NULL;
        if (!t)
            continue;
        in[i] = arena_copy(&l->scratch, n.in[i], sizeof *in[i]);
        value_become_constant(in[i], t);
    }
    n.in = in;
    const struct tensor *t;
    return node_reads_constants(&n) && evaluate_node(&l->scratch, &n, &t) ? t : NULL;
}

const struct tensor *lq_float_constant(struct lowering *l, const struct value *v)
{
    if (!v || v->dtype != DTYPE_F32 || !is_computed_from_constants(v, MAX_CHAIN))
        return NULL;
    return compute(l, v);
}
