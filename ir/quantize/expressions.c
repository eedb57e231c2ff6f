/*
 * expressions.c: which results nobody needs rounded.
 *
 * Nodes are taken in their order.  The result of a node becomes inner where its only user can work
 * on it as it is: as terms of one sum, which is rescaled once (a contraction, a residual addition
 * and a rectifier), or as one table (x * sigmoid(x)).  Sums of 32 bits are let in once per
 * expression: of two convolutions that are added, the second is read as 8 bits.
 */
#include "ir/quantize/quantizer.h"

enum { MOST_LEAVES = 8 };

/* ---- what operators can be ---- */

/* At most one dimension is larger than 1. */
static bool varies_along_one(const struct value *v)
{
    int n = 0;
    for (int d = 0; d < v->shape.rank; d++)
        n += v->shape.dims[d] > 1;
    return n <= 1;
}

/* One factor is constant and does not vary much; or the divisor. */
static bool scales_by_constant(const struct node *n)
{
    for (size_t i = n->op == OP_div; i < 2; i++)
        if (quantizer_is_constant(n->in[i]) && varies_along_one(n->in[i]))
            return true;
    return false;
}

static bool is_term(const struct node *n)
{
    switch (n->op) {
    case OP_add:
    case OP_sub:
    case OP_sum:
    case OP_neg:
    case OP_relu:
    case OP_clip:
    case OP_average_pool:
    case OP_global_average_pool:
    case OP_reduce_mean:
        return true;
    case OP_mul:
        return quantizer_n_varying(n) == 2 || scales_by_constant(n);
    case OP_div:
        return scales_by_constant(n);
    default:
        return quantizer_is_contraction(n);
    }
}

static bool is_pointwise(const struct node *n)
{
    unsigned flags = op_desc(n->op)->flags;
    if (!(flags & OP_MAP) || (flags & (OP_STATE | OP_CONTRACT)) || n->op == OP_batch_norm ||
        n->n_out != 1)
        return false;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && !quantizer_is_scalar(n->in[i]) &&
            !(n->in[i]->dtype == DTYPE_F32 && shape_equal(&n->in[i]->shape, &n->out[0]->shape)))
            return false;
    return true;
}

static bool is_clip(const struct node *n)
{
    return n->op == OP_relu || n->op == OP_clip;
}

bool quantizer_makes_sums(const struct node *n)
{
    return quantizer_is_contraction(n) || n->op == OP_average_pool ||
           n->op == OP_global_average_pool || n->op == OP_reduce_mean;
}

/* ---- what results are ---- */

static struct expression of_input(const struct quantizer *q, const struct value *v)
{
    const struct value_plan *plan = &q->value[v->id];
    if (plan->inner)
        return q->node[plan->maker].expression;
    return (struct expression){.terms = true, .n_leaves = 1, .leaf = v};
}

struct expression quantizer_expression(const struct quantizer *q, const struct node *n)
{
    struct expression e = {
        .terms = is_term(n), .sums = quantizer_makes_sums(n), .clips = is_clip(n)};
    bool table = is_pointwise(n);
    for (size_t i = 0; i < n->n_in; i++) {
        if (!quantizer_varies(n, i))
            continue;
        struct expression in = of_input(q, n->in[i]);
        e.terms &= in.terms;
        e.sums |= in.sums;
        e.clips |= in.clips;
        table &= in.leaf && (!e.leaf || e.leaf == in.leaf);
        e.leaf = in.leaf;
        e.n_leaves += in.n_leaves;
    }
    if (!table)
        e.leaf = NULL;
    return e;
}

/* ---- what becomes inner ---- */

/* A clip may only be added to, or clipped again: its bounds have no scale per channel. */
static bool keeps_scale(const struct node *n, const struct value *v)
{
    return n->op == OP_add || n->op == OP_sum || is_clip(n) || (n->op == OP_sub && n->in[0] == v);
}

static bool takes_terms(const struct quantizer *q, const struct node *user, const struct value *v,
                        const struct expression *e)
{
    if (!e->terms || quantizer_makes_sums(user) || !is_term(user) ||
        (user->op == OP_mul && quantizer_n_varying(user) == 2) ||
        (e->clips && !keeps_scale(user, v)))
        return false;
    int n_leaves = e->n_leaves;
    for (size_t i = 0; i < user->n_in; i++) {
        if (!quantizer_varies(user, i) || user->in[i] == v)
            continue;
        struct expression other = of_input(q, user->in[i]);
        if ((e->sums && other.sums) || !other.terms)
            return false;
        n_leaves += other.n_leaves;
    }
    return n_leaves <= MOST_LEAVES;
}

static bool takes_table(const struct quantizer *q, const struct node *user, const struct value *v,
                        const struct expression *e)
{
    if (!e->leaf || !is_pointwise(user))
        return false;
    for (size_t i = 0; i < user->n_in; i++)
        if (quantizer_varies(user, i) && user->in[i] != v &&
            of_input(q, user->in[i]).leaf != e->leaf)
            return false;
    return true;
}

void quantizer_pass_on(struct quantizer *q, size_t at)
{
    const struct node *n = q->nodes[at];
    const struct expression *e = &q->node[at].expression;
    const struct value *v = n->out[0];
    struct value_plan *plan = &q->value[v->id];
    if (v->n_uses != 1 || plan->last_user == NO_POSITION || n->n_out != 1 ||
        (op_desc(n->op)->quant == QUANT_SAME && !is_clip(n)))
        return;
    const struct node *user = q->nodes[plan->last_user];
    plan->inner = user->n_out == 1 && shape_equal(&v->shape, &user->out[0]->shape) &&
                  (takes_terms(q, user, v, e) || takes_table(q, user, v, e));
}
