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

/* One factor is constant and does not vary much; or the divisor. */
static bool scales_by_constant(const struct node *n)
{
    int from_right;
    for (size_t i = n->op == OP_div; i < 2; i++) {
        const struct value *v = n->in[i];
        if (value_is_constant(v) &&
            form_varies_along_one(v->shape.rank, v->shape.dims, &from_right))
            return true;
    }
    return false;
}

static bool is_term(const struct node *n)
{
    switch (form_term_of(n)) {
    case FORM_NO_TERM:
        return quantizer_makes_sums(n);
    case FORM_PRODUCT:
        return quantizer_n_varying(n) == 2 || scales_by_constant(n);
    case FORM_QUOTIENT:
        return scales_by_constant(n);
    default:
        return true;
    }
}

/* A table of what it reads as floats. */
static bool is_pointwise(const struct node *n)
{
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && !value_is_constant(n->in[i]) && n->in[i]->dtype != DTYPE_F32)
            return false;
    return form_is_pointwise(n);
}

static bool is_clip(const struct node *n)
{
    return form_term_of(n) == FORM_CLIP;
}

bool quantizer_makes_sums(const struct node *n)
{
    return quantizer_is_contraction(n) || form_is_mean(n);
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
