/*
 * judge.c: which nodes of a float graph have an integer form, and why the others have none.
 *
 * Nodes are judged in their order.  A node that can be quantized looks at the only user of its
 * result: where that can go on with the unrounded sums, the value between them becomes inner.  The
 * user is judged later and may still fail; then the value is an ordinary one again.
 */
#include <math.h>

#include "ir/quantize/quantizer.h"

/* |u8 * i8| <= 2^15, and a bias takes at most half of what 32 bits hold. */
enum { MOST_PRODUCTS = 1 << 15 };

bool quantizer_is_constant(const struct value *v)
{
    return v && v->role == VALUE_CONST;
}

bool quantizer_is_data(const struct node *n, size_t i)
{
    if (!n->in[i] || n->in[i]->dtype != DTYPE_F32)
        return false;
    bool has_parameters = n->op == OP_clip || n->op == OP_pad;
    return !has_parameters || i == 0;
}

static bool is_scalar_constant(const struct value *v)
{
    return quantizer_is_constant(v) && tensor_elems(v->constant) == 1;
}

bool quantizer_is_function(const struct node *n)
{
    size_t n_varying = 0;
    for (size_t i = 0; i < n->n_in; i++) {
        if (!quantizer_is_data(n, i))
            continue;
        if (!quantizer_is_constant(n->in[i]))
            n_varying++;
        else if (!is_scalar_constant(n->in[i]))
            return false;
    }
    return n_varying == 1;
}

static bool is_activation(enum op op)
{
    return op == OP_relu || op == OP_clip;
}

static bool is_sum(enum op op)
{
    return op == OP_add || op == OP_sum;
}

bool quantizer_moves(const struct quantizer *q, size_t at)
{
    return q->node[at].can && q->node[at].chain == CHAIN_NONE &&
           op_desc(q->nodes[at]->op)->quant == QUANT_SAME;
}

/* ---- ranges ---- */

static bool range_of_constant(const struct tensor *t, double *out_min, double *out_max)
{
    double min = INFINITY, max = -INFINITY;
    for (int64_t i = 0, n = tensor_elems(t); i < n; i++) {
        double x = tensor_get(t, i);
        if (!isfinite(x))
            return false;
        min = fmin(min, x);
        max = fmax(max, x);
    }
    *out_min = fmin(min, max);
    *out_max = fmax(min, max);
    return isfinite(min);
}

static bool range_of_inputs(const struct quantizer *q, const struct node *n, double *out_min,
                            double *out_max)
{
    double min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < n->n_in; i++) {
        double lo, hi;
        if (!quantizer_is_data(n, i))
            continue;
        if (!quantizer_range(q, n->in[i], &lo, &hi))
            return false;
        min = fmin(min, lo);
        max = fmax(max, hi);
    }
    *out_min = min;
    *out_max = max;
    return isfinite(min);
}

bool quantizer_range(const struct quantizer *q, const struct value *v, double *out_min,
                     double *out_max)
{
    if (quantizer_is_constant(v)) {
        if (!range_of_constant(v->constant, out_min, out_max))
            return false;
        if (q->opt->calibrate_constants) {
            struct histogram *h = arena_new(q->scratch, struct histogram);
            histogram_init(h);
            histogram_add(h, v->constant->data, (size_t)tensor_elems(v->constant));
            calibrate(h, &q->opt->calibration, out_min, out_max);
        }
        return true;
    }
    const struct histogram *h = profile_find(q->profile, v->name);
    if (h && h->count) {
        calibrate(h, &q->opt->calibration, out_min, out_max);
        return true;
    }
    const struct node *p = v->producer;
    return p && op_desc(p->op)->quant == QUANT_SAME && range_of_inputs(q, p, out_min, out_max);
}

/* ---- reasons ---- */

static const char *refuse(struct quantizer *q, const char *fmt, const char *name)
{
    return arena_printf(q->g->arena, fmt, name);
}

/* Works on floats; what only makes them, or holds blocks, has nothing to quantize. */
static bool is_relevant(const struct node *n)
{
    if ((op_desc(n->op)->flags & OP_CONTROL) || n->op == OP_quantize_linear ||
        n->op == OP_dequantize_linear || n->op == OP_shape)
        return false;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && dtype_is_float(n->in[i]->dtype))
            return true;
    return false;
}

static const char *fault_of_types(struct quantizer *q, const struct node *n)
{
    for (size_t i = 0; i < n->n_in + n->n_out; i++) {
        const struct value *v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
        if (v && dtype_is_float(v->dtype) && v->dtype != DTYPE_F32)
            return refuse(q, "it computes in %s, only f32 is quantized", dtype_name(v->dtype));
    }
    return NULL;
}

static const char *fault_of_ranges(struct quantizer *q, const struct node *n)
{
    double min, max;
    for (size_t i = 0; i < n->n_in; i++) {
        const struct value *v = n->in[i];
        if (!quantizer_is_data(n, i) || q->value[v->id].inner)
            continue;
        if (!quantizer_range(q, v, &min, &max))
            return refuse(q,
                          quantizer_is_constant(v) ? "the constant '%s' is not finite"
                                                   : "tensor '%s' is not in the profile",
                          v->name);
    }
    return NULL;
}

static bool has_input(const struct node *n, size_t i)
{
    return i < n->n_in && n->in[i];
}

static int64_t n_products(const struct node *n)
{
    const struct shape *w = &n->in[1]->shape, *a = &n->in[0]->shape;
    if (n->op == OP_conv)
        return w->dims[0] ? shape_elems(w) / w->dims[0] : 0;
    if (n->op == OP_gemm)
        return a->dims[((const struct gemm_attrs *)n->attrs)->transA ? 0 : 1];
    return a->dims[a->rank - 1];
}

static const char *fault_of_gemm(const struct node *n)
{
    const struct gemm_attrs *attrs = n->attrs;
    const struct value *c = has_input(n, 2) ? n->in[2] : NULL;
    if (!quantizer_is_constant(n->in[1]) && attrs->alpha != 1)
        return "both operands vary and its alpha is not 1";
    if (c && c->shape.rank == 2 && c->shape.dims[0] != 1)
        return "its addend varies from row to row";
    return NULL;
}

static const char *fault_of_contraction(struct quantizer *q, const struct node *n)
{
    if (n->op == OP_conv && !quantizer_is_constant(n->in[1]))
        return "its weights are not constant";
    if (has_input(n, 2) && !quantizer_is_constant(n->in[2]))
        return "its bias is not constant";
    if (q->opt->weights == DTYPE_I8 && n_products(n) > MOST_PRODUCTS)
        return arena_printf(q->g->arena, "its sums of %lld products may pass 32 bits",
                            (long long)n_products(n));
    return n->op == OP_gemm ? fault_of_gemm(n) : NULL;
}

static bool has_integer_form_of_two(enum op op)
{
    return op == OP_add || op == OP_sub || op == OP_sum || op == OP_mul || op == OP_max ||
           op == OP_min;
}

static const char *fault_of_elementwise(struct quantizer *q, const struct node *n)
{
    double min, max;
    if (!quantizer_range(q, n->out[0], &min, &max))
        return refuse(q, "tensor '%s' is not in the profile", n->out[0]->name);
    if (has_integer_form_of_two(n->op) || quantizer_is_function(n))
        return NULL;
    for (size_t i = 0; i < n->n_in; i++)
        if (quantizer_is_data(n, i) && quantizer_is_constant(n->in[i]))
            return "its constant is not a scalar";
    return "both operands vary";
}

static const char *fault_of_moving(const struct node *n)
{
    if (n->op == OP_clip)
        for (size_t i = 1; i < n->n_in; i++)
            if (n->in[i] && !quantizer_is_constant(n->in[i]))
                return "its bounds are not constant";
    if (n->op == OP_pad && has_input(n, 2) &&
        (!is_scalar_constant(n->in[2]) || tensor_get(n->in[2]->constant, 0) != 0))
        return "it pads with something other than 0";
    return NULL;
}

static bool continues_chain(const struct quantizer *q, const struct node *n)
{
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && q->value[n->in[i]->id].inner)
            return true;
    return false;
}

static const char *fault_of(struct quantizer *q, const struct node *n)
{
    const char *fault;
    switch (op_desc(n->op)->quant) {
    case QUANT_NONE:
        return refuse(q, "%s has no integer form", op_desc(n->op)->id);
    case QUANT_CONTRACT:
        fault = fault_of_contraction(q, n);
        break;
    case QUANT_ELEMENTWISE:
        fault = continues_chain(q, n) ? NULL : fault_of_elementwise(q, n);
        break;
    default:
        return fault_of_moving(n); /* ranges are those of its neighbours */
    }
    return fault ? fault : fault_of_ranges(q, n);
}

static void judge_node(struct quantizer *q, size_t at)
{
    const struct node *n = q->nodes[at];
    struct node_plan *plan = &q->node[at];
    plan->relevant = is_relevant(n);
    if (!plan->relevant)
        return;
    plan->chosen = quantize_is_kept(&q->opt->keep, n);
    if (plan->chosen)
        plan->reason = "kept by -keep-original-precision-for-nodes";
    else
        plan->reason = fault_of_types(q, n);
    if (!plan->reason)
        plan->reason = fault_of(q, n);
    plan->can = !plan->reason;
}

/* ---- chains ---- */

static enum chain chain_of(const struct quantizer *q, const struct node *n)
{
    if (op_desc(n->op)->quant == QUANT_CONTRACT)
        return CHAIN_SUM;
    if (is_sum(n->op))
        return CHAIN_ADDED;
    return is_activation(n->op) && continues_chain(q, n) ? CHAIN_ACTIVATED : CHAIN_NONE;
}

static bool same_dims(const struct value *a, const struct value *b)
{
    return shape_equal(&a->shape, &b->shape);
}

/* The only user of the node's result takes the unrounded sums. */
static void extend_chain(struct quantizer *q, size_t at)
{
    enum chain chain = q->node[at].chain;
    const struct value *v = q->nodes[at]->out[0];
    struct value_plan *plan = &q->value[v->id];
    if (chain == CHAIN_NONE || v->n_uses != 1 || plan->last_user == NO_POSITION)
        return;
    const struct node *user = q->nodes[plan->last_user];
    bool fits =
        is_sum(user->op) ? chain == CHAIN_SUM : is_activation(user->op) && chain != CHAIN_ACTIVATED;
    plan->inner = fits && quantizer_is_data(user, 0) && same_dims(v, user->out[0]) &&
                  !continues_chain(q, user);
}

void quantizer_judge(struct quantizer *q)
{
    for (size_t at = 0; at < q->n_nodes; at++) {
        const struct node *n = q->nodes[at];
        struct node_plan *plan = &q->node[at];
        judge_node(q, at);
        if (plan->can) {
            plan->chain = chain_of(q, n);
            extend_chain(q, at);
            continue;
        }
        for (size_t i = 0; i < n->n_in; i++)
            if (n->in[i])
                q->value[n->in[i]->id].inner = false;
    }
}
