/*
 * Reads backwards from a QuantizeLinear: dequantized values, constants, sums, products with
 * constants, clips.
 *
 * A constant that is added to sums joins them in their own unit, where that is fine enough: at most
 * 1/32 of the output's scale.
 */
#include "ir/passes/lower_quantized_terms.h"

#include <math.h>

#include "ir/ops/common.h"

/* A value that is used in several places is read there each time; that has to end. */
enum { MAX_READS = 64 };

struct reader {
    struct lowering *l;
    size_t n_reads;
    double unit;          /* the output's scale */
    const char *obstacle; /* the first */
};

static struct expr *refuse(struct reader *r, const char *obstacle)
{
    if (!r->obstacle)
        r->obstacle = obstacle;
    return NULL;
}

/* ---- factors ---- */

static bool factor_times(struct arena *a, const struct factor *x, const struct factor *y,
                         struct factor *out)
{
    if (x->n > 1 && y->n > 1 && (x->n != y->n || x->from_right != y->from_right))
        return false;
    const struct factor *longer = x->n > 1 ? x : y;
    double *v = arena_array(a, (size_t)longer->n, sizeof *v);
    for (int64_t i = 0; i < longer->n; i++) {
        v[i] = x->v[x->n > 1 ? i : 0] * y->v[y->n > 1 ? i : 0];
        if (!(fabs(v[i]) >= 0x1p-120 && fabs(v[i]) <= 0x1p120) && v[i] != 0)
            return false;
    }
    *out = (struct factor){v, longer->n, longer->from_right};
    return true;
}

static bool factor_of_number(struct arena *a, double v, struct factor *out)
{
    *out = (struct factor){arena_copy(a, &v, sizeof v), 1, 0};
    return isfinite(v);
}

/* A constant that varies along one dimension at most; `inverse` for a divisor. */
static bool factor_of_constant(struct arena *a, const struct tensor *t, bool inverse,
                               struct factor *out)
{
    *out = (struct factor){.n = tensor_elems(t)};
    if (!form_varies_along_one(t->rank, t->dims, &out->from_right))
        return false;
    double *v = arena_array(a, (size_t)out->n, sizeof *v);
    for (int64_t i = 0; i < out->n; i++) {
        v[i] = inverse ? 1 / tensor_get(t, i) : tensor_get(t, i);
        if (!isfinite(v[i]))
            return false;
    }
    out->v = v;
    return out->n > 0;
}

static bool factor_of_operand(struct arena *a, const struct operand *o, struct factor *out)
{
    int64_t n = tensor_elems(o->scale);
    double *v = arena_array(a, (size_t)n, sizeof *v);
    for (int64_t i = 0; i < n; i++)
        v[i] = lq_scale(o, i);
    *out = (struct factor){v, n, n > 1 ? o->stored->shape.rank - 1 - o->axis : 0};
    return !o->zero || tensor_elems(o->zero) == 1;
}

/* Where the value is repeated along the factor's dimension it has no place for each number. */
static bool factor_fits(const struct factor *f, const struct shape *s)
{
    return f->n == 1 || (f->from_right < s->rank && s->dims[s->rank - 1 - f->from_right] == f->n);
}

double lq_factor_largest(const struct factor *f)
{
    double largest = 0;
    for (int64_t i = 0; i < f->n; i++)
        largest = fmax(largest, fabs(f->v[i]));
    return largest;
}

/* ---- reading ---- */

static struct expr *read_expr(struct reader *r, const struct value *v, const struct factor *f);

static struct expr *new_expr(struct reader *r, enum expr_kind kind, const struct value *v)
{
    struct expr *e = arena_new(&r->l->scratch, struct expr);
    e->kind = kind;
    e->of = v;
    return e;
}

static struct expr *read_leaf(struct reader *r, const struct value *v, const struct operand *o,
                              const struct factor *f)
{
    struct expr *e = new_expr(r, EXPR_LEAF, v);
    struct factor scale;
    if (value_is_constant(o->stored) || !factor_of_operand(&r->l->scratch, o, &scale) ||
        !factor_times(&r->l->scratch, &scale, f, &e->factor) ||
        !factor_fits(&e->factor, &o->stored->shape))
        return refuse(r, "its factors vary along several dimensions or are extreme");
    e->x = o->stored;
    e->zero = lq_zero(o, 0);
    bool narrow = dtype_bits(e->x->dtype) <= 16;
    if (!narrow && e->zero)
        return refuse(r, "it reads sums with a zero point");
    e->bound = narrow ? lq_reach(e->x->dtype, e->zero) : lq_bound(r->l, e->x);
    return e->bound < INT64_MAX ? e : refuse(r, "it reads sums of any size");
}

static struct expr *read_product(struct reader *r, const struct value *v, const struct operand *a,
                                 const struct operand *b, const struct factor *f)
{
    struct expr *e = new_expr(r, EXPR_PRODUCT, v);
    double scale = lq_scale(a, 0) * lq_scale(b, 0);
    struct factor both;
    if (!lq_is_per_tensor(a) || !lq_is_per_tensor(b) || !lq_is_narrow(a->stored->dtype) ||
        !lq_is_narrow(b->stored->dtype) || !factor_of_number(&r->l->scratch, scale, &both) ||
        !factor_times(&r->l->scratch, &both, f, &e->factor) || !factor_fits(&e->factor, &v->shape))
        return refuse(r, "the operands of a product have more than one scale, or many bits");
    e->a = *a;
    e->b = *b;
    e->bound =
        lq_reach(a->stored->dtype, lq_zero(a, 0)) * lq_reach(b->stored->dtype, lq_zero(b, 0));
    return e;
}

static struct expr *read_constant(struct reader *r, const struct value *v, const struct tensor *t,
                                  const struct factor *f)
{
    struct expr *e = new_expr(r, EXPR_CONSTANT, v);
    if (f->n > 1)
        return refuse(r, "a constant among its terms is scaled by channel");
    for (int64_t i = 0; i < tensor_elems(t); i++)
        if (!(fabs(tensor_get(t, i)) <= 0x1p120))
            return refuse(r, "a constant among its terms is extreme");
    e->constant = t;
    e->factor = *f;
    return e;
}

/* product of v's inputs, one of them constant, or both quantized. */
static struct expr *read_mul(struct reader *r, const struct value *v, const struct factor *f)
{
    const struct node *n = v->producer;
    struct operand a, b;
    bool divides = form_term_of(n) == FORM_QUOTIENT, some_constant = false;
    if (!divides && lq_operand(n->in[0], &a) && lq_operand(n->in[1], &b) &&
        !value_is_constant(a.stored) && !value_is_constant(b.stored))
        return read_product(r, v, &a, &b, f);
    for (size_t i = divides; i < 2; i++) {
        const struct tensor *t = lq_float_constant(r->l, n->in[i]);
        struct factor by, both;
        some_constant |= t != NULL;
        if (t && factor_of_constant(&r->l->scratch, t, divides, &by) &&
            factor_times(&r->l->scratch, &by, f, &both) && t->rank <= n->in[1 - i]->shape.rank)
            return read_expr(r, n->in[1 - i], &both);
    }
    return refuse(r, some_constant ? "its constant varies along several dimensions or is extreme"
                                   : "both operands vary");
}

static struct expr *read_clip(struct reader *r, const struct value *v, const struct factor *f)
{
    const struct node *n = v->producer;
    struct expr *e = new_expr(r, EXPR_CLIP, v);
    e->lo = n->op == OP_relu ? 0 : -INFINITY;
    e->hi = INFINITY;
    if (f->n > 1 || !(f->v[0] > 0))
        return refuse(r, "what it clips is scaled by channel or by a negative number");
    for (size_t i = 1; i < 3 && n->op == OP_clip; i++) {
        const struct tensor *t = ops_has_input(n, i) ? lq_float_constant(r->l, n->in[i]) : NULL;
        if (ops_has_input(n, i) && (!t || isnan(tensor_get(t, 0))))
            return refuse(r, "its bounds are not constant");
        if (t)
            *(i == 1 ? &e->lo : &e->hi) = tensor_get(t, 0) * f->v[0];
    }
    e->term[0] = read_expr(r, n->in[0], f);
    e->n = 1;
    if (!(e->lo <= e->hi))
        return refuse(r, "its bounds cross");
    return e->term[0] ? e : NULL;
}

static bool is_sum_type(const struct expr *e)
{
    return e->kind == EXPR_LEAF && dtype_bits(e->x->dtype) >= 32;
}

/* Whether the constant has one element, or one per factor of the leaf, whose shape it keeps. */
static bool is_along(const struct expr *leaf, const struct tensor *t, const struct factor *by)
{
    if (t->rank > leaf->x->shape.rank)
        return false;
    return by->n == 1 ||
           (leaf->factor.n == 1 &&
            leaf->x->shape.dims[leaf->x->shape.rank - 1 - by->from_right] == by->n) ||
           (by->n == leaf->factor.n && by->from_right == leaf->factor.from_right);
}

/* Adds a constant to sums in their own unit; false where that is too coarse or does not fit. */
static bool absorb(struct reader *r, struct expr *leaf, const struct expr *c)
{
    struct lowering *l = r->l;
    struct factor by;
    if (!is_sum_type(leaf) || leaf->steps || lq_factor_largest(&leaf->factor) > r->unit / 32 ||
        !factor_of_constant(&l->scratch, c->constant, false, &by) ||
        !is_along(leaf, c->constant, &by))
        return false;
    int64_t n = by.n > leaf->factor.n ? by.n : leaf->factor.n, dims[MAX_RANK] = {n};
    int rank = n == 1 ? 0 : 1 + (by.n > 1 ? by.from_right : leaf->factor.from_right);
    for (int d = 1; d < rank; d++)
        dims[d] = 1;
    struct tensor *t = tensor_new(l->g->arena, leaf->x->dtype, rank, dims);
    int64_t limit = leaf->x->dtype == DTYPE_I32 ? INT32_MAX : (int64_t)1 << 42, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        double unit = leaf->factor.v[leaf->factor.n > 1 ? i : 0];
        double k = unit == 0 ? NAN : rint(by.v[by.n > 1 ? i : 0] * c->factor.v[0] / unit);
        if (!(fabs(k) + (double)leaf->bound <= (double)limit))
            return false;
        tensor_set_int(t, i, (int64_t)k);
        largest = (int64_t)fabs(k) > largest ? (int64_t)fabs(k) : largest;
    }
    leaf->steps = t;
    leaf->bound += largest;
    return true;
}

static void absorb_constants(struct reader *r, struct expr *sum)
{
    for (size_t i = 0; i < sum->n; i++)
        for (size_t j = 0; j < sum->n && sum->term[i]->kind == EXPR_CONSTANT; j++)
            if (absorb(r, sum->term[j], sum->term[i])) {
                sum->term[i] = sum->term[--sum->n];
                i--;
                break;
            }
}

static struct expr *read_sum(struct reader *r, const struct value *v, const struct factor *f)
{
    const struct node *n = v->producer;
    struct expr *e = new_expr(r, EXPR_SUM, v);
    if (n->n_in > LQ_MAX_TERMS)
        return refuse(r, "it has too many terms");
    for (size_t i = 0; i < n->n_in; i++) {
        struct factor sign, both;
        factor_of_number(&r->l->scratch, n->op == OP_sub && i ? -1 : 1, &sign);
        factor_times(&r->l->scratch, &sign, f, &both);
        e->term[e->n++] = read_expr(r, n->in[i], &both);
        if (!e->term[i])
            return NULL;
    }
    absorb_constants(r, e);
    return e->n == 1 ? e->term[0] : e;
}

static struct expr *read_node(struct reader *r, const struct value *v, const struct factor *f)
{
    const struct node *n = v->producer;
    struct factor minus, both;
    switch (form_term_of(n)) {
    case FORM_SUM:
        return read_sum(r, v, f);
    case FORM_PRODUCT:
    case FORM_QUOTIENT:
        return read_mul(r, v, f);
    case FORM_CLIP:
        return read_clip(r, v, f);
    case FORM_NEGATION:
        factor_of_number(&r->l->scratch, -1, &minus);
        factor_times(&r->l->scratch, &minus, f, &both);
        return read_expr(r, n->in[0], &both);
    case FORM_NO_TERM:
        break;
    }
    if (n->op == OP_identity)
        return read_expr(r, n->in[0], f);
    return refuse(r, arena_printf(r->l->g->arena,
                                  "%s '%s' is no sum, product or clip, and it is part of no "
                                  "function of one tensor",
                                  op_desc(n->op)->id, n->name));
}

static struct expr *read_expr(struct reader *r, const struct value *v, const struct factor *f)
{
    struct operand o;
    if (v->dtype != DTYPE_F32)
        return refuse(r,
                      arena_printf(r->l->g->arena, "it computes in %s, and only f32 is quantized",
                                   dtype_name(v->dtype)));
    if (r->n_reads++ >= MAX_READS)
        return refuse(r, "it has too many terms");
    const struct tensor *t = lq_float_constant(r->l, v);
    if (t)
        return read_constant(r, v, t, f);
    if (lq_operand(v, &o))
        return read_leaf(r, v, &o, f);
    if (!v->producer || v->producer->op == OP_dequantize_linear)
        return refuse(r, lq_operand_obstacle(v));
    return read_node(r, v, f);
}

static bool has_integers(const struct expr *e)
{
    bool found = e->kind == EXPR_LEAF || e->kind == EXPR_PRODUCT;
    for (size_t i = 0; i < e->n; i++)
        found |= has_integers(e->term[i]);
    return found;
}

const char *lq_read_terms(struct lowering *l, const struct value *v, double unit, struct expr **out)
{
    struct reader r = {.l = l, .unit = unit};
    struct factor one;
    factor_of_number(&l->scratch, 1, &one);
    *out = read_expr(&r, v, &one);
    if (!*out)
        return r.obstacle;
    return has_integers(*out) ? NULL : "it reads constants alone";
}
