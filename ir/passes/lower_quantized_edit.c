/*
 * Steps of rewriting.  Uses are counted along, so that a rule sees at once which values lost their
 * last user; nodes without users go at once.
 */
#include <assert.h>
#include <string.h>

#include "ir/passes/lower_quantized.h"
#include "ir/passes/rewrite.h"

static void use(const struct node *n)
{
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i])
            n->in[i]->n_uses++;
}

static bool is_used(const struct node *n)
{
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->n_uses)
            return true;
    return false;
}

static void release(struct lowering *l, struct value *v)
{
    assert(v->n_uses);
    v->n_uses--;
    if (!v->n_uses && v->role == VALUE_TEMP && v->producer)
        lq_kill(l, v->producer);
}

void lq_kill(struct lowering *l, struct node *n)
{
    if (n->op == OP_NONE || is_used(n) || (op_desc(n->op)->flags & (OP_STATE | OP_CONTROL)))
        return;
    n->op = OP_NONE;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i])
            release(l, n->in[i]);
}

static void infer(struct lowering *l, struct node *n)
{
    struct error fault;
    error_init(&fault);
    bool ok = graph_infer_node(l->g, n, &fault);
    assert(ok && "a rule made a node that its operator refuses");
    (void)ok;
}

/* ---- nodes ---- */

struct node *lq_insert(struct lowering *l, enum op op, const char *name, size_t n_in, size_t n_out)
{
    bool on_host = l->b->nodes[l->at]->on_host;
    struct node *n = graph_insert_node(l->g, l->b, l->at++, op, name, n_in, n_out);
    n->on_host = on_host;
    return n;
}

struct node *lq_begin(struct lowering *l, enum op op, const char *name, size_t n_in,
                      struct value *const *in)
{
    struct node *n = lq_insert(l, op, name, n_in, 1);
    for (size_t i = 0; i < n_in; i++)
        n->in[i] = in[i];
    use(n);
    return n;
}

struct value *lq_end(struct lowering *l, struct node *n, const char *out_name)
{
    struct value *v = graph_node_output(l->g, n, 0, out_name);
    infer(l, n);
    l->changed = true;
    return v;
}

struct value *lq_op(struct lowering *l, enum op op, size_t n_in, struct value *const *in,
                    const char *out_name)
{
    return lq_end(l, lq_begin(l, op, NULL, n_in, in), out_name);
}

void lq_become(struct lowering *l, struct node *n, enum op op, size_t n_in, struct value *const *in)
{
    struct value **old = n->in;
    size_t n_old = n->n_in;
    rewrite_node(l->g, n, op, n_in, in);
    use(n);
    for (size_t i = 0; i < n_old; i++)
        if (old[i])
            release(l, old[i]);
    l->changed = true;
}

void lq_became(struct lowering *l, struct node *n)
{
    infer(l, n);
}

bool lq_replace(struct lowering *l, struct value *from, struct value *to)
{
    if (!rewrite_replace(l->g, l->b, from, to))
        return false;
    to->n_uses += from->n_uses;
    from->n_uses = 0;
    l->changed = true;
    return true;
}

void lq_bypass(struct lowering *l, struct node *n, struct value *x)
{
    if (lq_replace(l, n->out[0], x)) {
        lq_kill(l, n);
        return;
    }
    lq_become(l, n, OP_identity, 1, &x);
    lq_became(l, n);
}

/* ---- values ---- */

struct value *lq_constant(struct lowering *l, const char *name, const struct tensor *t)
{
    return graph_add_constant(l->g, name, t);
}

struct value *lq_scalar(struct lowering *l, const char *name, enum dtype t, int64_t v)
{
    struct tensor *one = tensor_new(l->g->arena, t, 0, NULL);
    tensor_set_int(one, 0, v);
    return lq_constant(l, name, one);
}

const char *lq_name(struct lowering *l, const struct value *v, const char *suffix)
{
    return arena_printf(l->g->arena, "%s.%s", v->name, suffix);
}

void lq_take_name(struct lowering *l, struct value *v, const struct value *from)
{
    if (v->id >= l->n_given && from->id < l->n_given && !graph_is_output(l->g, v) &&
        !graph_is_output(l->g, from))
        graph_rename_value(l->g, v, from->name);
}

void lq_set_quant(struct lowering *l, struct value *v, const struct quant *q)
{
    if (value_is_constant(v) || !lq_is_narrow(v->dtype) ||
        (dtype_bits_of_f32(v->quant.scale) == dtype_bits_of_f32(q->scale) &&
         v->quant.zero_point == q->zero_point))
        return;
    v->quant = *q;
    l->changed = true;
}

void lq_set_bound(struct lowering *l, const struct value *v, int64_t bound)
{
    lq_known(l, v)->bound = bound;
}

/* ---- rescale ---- */

static struct value *multipliers(struct lowering *l, const struct rescale_spec *s, const char *name)
{
    struct tensor *t = tensor_new(l->g->arena, DTYPE_I32, s->n > 1, &s->n);
    for (int64_t i = 0; i < s->n; i++)
        tensor_set_int(t, i, s->multiplier[i]);
    return lq_constant(l, arena_printf(l->g->arena, "%s.multiplier", name), t);
}

static struct value *shifts(struct lowering *l, const struct rescale_spec *s, const char *name)
{
    struct tensor *t = tensor_new(l->g->arena, DTYPE_I8, s->n_shift > 1, &s->n_shift);
    for (int64_t i = 0; i < s->n_shift; i++)
        tensor_set_int(t, i, s->shift[i]);
    return lq_constant(l, arena_printf(l->g->arena, "%s.shift", name), t);
}

static void set_rescale(const struct rescale_spec *s, struct node *n)
{
    struct rescale_attrs *a = n->attrs;
    a->axis = s->n > 1 || s->n_shift > 1 ? s->axis : a->axis;
    a->bound = s->bound;
    a->rounding = s->even ? "even" : "up";
    a->to = dtype_code(s->to);
    a->x_zero_point = s->x_zero;
    a->y_zero_point = s->y_zero;
}

struct value *lq_rescale(struct lowering *l, struct value *x, const struct rescale_spec *s,
                         const char *out_name)
{
    struct value *in[3] = {x, multipliers(l, s, out_name), shifts(l, s, out_name)};
    struct node *n = lq_begin(l, OP_rescale, NULL, 3, in);
    set_rescale(s, n);
    return lq_end(l, n, out_name);
}

void lq_become_rescale(struct lowering *l, struct node *n, struct value *x,
                       const struct rescale_spec *s)
{
    const char *name = n->out[0]->name;
    struct value *in[3] = {x, multipliers(l, s, name), shifts(l, s, name)};
    lq_become(l, n, OP_rescale, 3, in);
    set_rescale(s, n);
    lq_became(l, n);
}

/* x - x_zero + y_zero. */
static struct rescale_spec shifted(int64_t x_zero, int64_t y_zero, enum dtype to)
{
    static const int32_t one = 1;
    static const int none = 0;
    return (struct rescale_spec){.to = to,
                                 .multiplier = &one,
                                 .shift = &none,
                                 .n = 1,
                                 .n_shift = 1,
                                 .x_zero = x_zero,
                                 .y_zero = y_zero};
}

struct value *lq_shift_zero(struct lowering *l, struct value *x, int64_t x_zero, int64_t y_zero,
                            enum dtype to, const char *out_name)
{
    struct rescale_spec s = shifted(x_zero, y_zero, to);
    return lq_rescale(l, x, &s, out_name);
}

void lq_become_shifted(struct lowering *l, struct node *n, struct value *x, int64_t x_zero,
                       int64_t y_zero, int64_t bound)
{
    struct rescale_spec s = shifted(x_zero, y_zero, n->out[0]->dtype);
    s.bound = bound;
    lq_become_rescale(l, n, x, &s);
}

/* ---- sums as floats ---- */

static struct value *scales(struct lowering *l, const char *name, const double *scale, int64_t n,
                            int rank_behind)
{
    int64_t dims[MAX_RANK] = {n};
    for (int d = 1; d <= rank_behind; d++)
        dims[d] = 1;
    struct tensor *t = tensor_new(l->g->arena, DTYPE_F32, n > 1 ? 1 + rank_behind : 0, dims);
    for (int64_t i = 0; i < n; i++)
        tensor_set(t, i, scale[i]);
    return lq_constant(l, arena_printf(l->g->arena, "%s.scale", name), t);
}

/* The operator that makes floats of the sums, and its inputs; the float is called `name`. */
static enum op dequantizing(struct lowering *l, const struct sums *s, const char *name,
                            struct value **in)
{
    if (s->v->dtype == DTYPE_I32) {
        in[0] = s->v;
        in[1] = scales(l, name, s->scale, s->n, 0);
        return OP_dequantize_linear;
    }
    in[0] = lq_op(l, OP_cast, 1, &s->v, arena_printf(l->g->arena, "%s.float", name));
    in[1] = scales(l, name, s->scale, s->n, s->v->shape.rank - 1 - s->axis);
    return OP_mul;
}

static void set_axis(const struct sums *s, struct node *n)
{
    if (n->op == OP_dequantize_linear && s->n > 1)
        ((struct dequantize_linear_attrs *)n->attrs)->axis = s->axis;
}

struct value *lq_dequantized(struct lowering *l, const struct sums *s, const char *out_name)
{
    struct value *in[2];
    enum op op = dequantizing(l, s, out_name, in);
    struct node *n = lq_begin(l, op, NULL, 2, in);
    set_axis(s, n);
    return lq_end(l, n, out_name);
}

void lq_become_dequantized(struct lowering *l, struct node *n, const struct sums *s)
{
    struct value *in[2];
    enum op op = dequantizing(l, s, n->out[0]->name, in);
    lq_become(l, n, op, 2, in);
    n->name = n->out[0]->name;
    set_axis(s, n);
    lq_became(l, n);
}
