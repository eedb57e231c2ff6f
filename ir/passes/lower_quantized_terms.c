/*
 * From a QuantizeLinear backwards: the sum of what, as integers?
 *
 * The value before it is read as an expression of dequantized values, constants, sums, products
 * with constants, and clips.  One term alone is rescaled to the output's type.  Several are brought
 * to one fine unit first, the output's scale / 2^shift, as 64-bit integers (32-bit where all terms
 * have 8 bits), added there and scaled down once:
 *
 *     t = sum of rescale(x, multiplier)         multiplier = scale(x) * factor / unit, shift 0
 *     y = rescale(t, 1, shift)
 *
 * The shift is the largest with which no multiplier passes 31 bits and no sum passes the type.  A
 * constant that is added to sums joins them in their own unit, which is fine enough where it is at
 * most 1/32 of the output's scale.
 */
#include <assert.h>
#include <math.h>

#include "ir/ops/common.h"
#include "ir/passes/lower_quantized.h"
#include "ir/quantize/fixed_point.h"

enum { MAX_TERMS = 16 };

/* Scales one number, or one per index of the dimension that is `from_right` (0: the last). */
struct factor {
    const double *v;
    int64_t n;
    int from_right;
};

enum expr_kind { EXPR_LEAF, EXPR_PRODUCT, EXPR_CONSTANT, EXPR_SUM, EXPR_CLIP };

struct expr {
    enum expr_kind kind;
    struct value *x;               /* LEAF: integers */
    struct operand a, b;           /* PRODUCT of two */
    const struct tensor *constant; /* CONSTANT, real */
    struct factor factor;       /* LEAF, PRODUCT: real = (x - zero) * factor; CONSTANT: a scalar */
    int64_t zero, bound;        /* LEAF, PRODUCT: |x - zero| <= bound, steps included */
    const struct tensor *steps; /* LEAF: to be added to x; NULL: none */
    struct expr *term[MAX_TERMS]; /* SUM; CLIP has one */
    size_t n;
    double lo, hi; /* CLIP */
    const struct value *of;
};

struct reader {
    struct lowering *l;
    size_t n_leaves;
    double unit; /* the output's scale */
};

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
    for (int d = 0; d < t->rank; d++) {
        if (t->dims[d] == 1)
            continue;
        if (t->dims[d] != out->n)
            return false;
        out->from_right = t->rank - 1 - d;
    }
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

static double factor_largest(const struct factor *f)
{
    double largest = 0;
    for (int64_t i = 0; i < f->n; i++)
        largest = fmax(largest, fabs(f->v[i]));
    return largest;
}

/* ---- reading ---- */

static struct expr *read(struct reader *r, const struct value *v, const struct factor *f);

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
    if (lq_is_constant(o->stored) || !factor_of_operand(&r->l->scratch, o, &scale) ||
        !factor_times(&r->l->scratch, &scale, f, &e->factor))
        return NULL;
    e->x = o->stored;
    e->zero = lq_zero(o, 0);
    bool narrow = dtype_bits(e->x->dtype) <= 16;
    if (!narrow && e->zero)
        return NULL;
    e->bound = narrow ? lq_reach(e->x->dtype, e->zero) : lq_bound(r->l, e->x);
    return e->bound < INT64_MAX ? e : NULL;
}

static struct expr *read_product(struct reader *r, const struct value *v, const struct operand *a,
                                 const struct operand *b, const struct factor *f)
{
    struct expr *e = new_expr(r, EXPR_PRODUCT, v);
    double scale = lq_scale(a, 0) * lq_scale(b, 0);
    struct factor both;
    if (!lq_is_per_tensor(a) || !lq_is_per_tensor(b) || !lq_is_narrow(a->stored->dtype) ||
        !lq_is_narrow(b->stored->dtype) || !factor_of_number(&r->l->scratch, scale, &both) ||
        !factor_times(&r->l->scratch, &both, f, &e->factor))
        return NULL;
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
        return NULL;
    for (int64_t i = 0; i < tensor_elems(t); i++)
        if (!(fabs(tensor_get(t, i)) <= 0x1p120))
            return NULL;
    e->constant = t;
    e->factor = *f;
    return e;
}

/* product of v's inputs, one of them constant, or both quantized. */
static struct expr *read_mul(struct reader *r, const struct value *v, const struct factor *f)
{
    const struct node *n = v->producer;
    struct operand a, b;
    if (lq_operand(n->in[0], &a) && lq_operand(n->in[1], &b) && !lq_is_constant(a.stored) &&
        !lq_is_constant(b.stored))
        return read_product(r, v, &a, &b, f);
    for (size_t i = n->op == OP_div; i < 2; i++) {
        const struct tensor *t = lq_float_constant(r->l, n->in[i]);
        struct factor by, both;
        if (t && factor_of_constant(&r->l->scratch, t, n->op == OP_div, &by) &&
            factor_times(&r->l->scratch, &by, f, &both) && t->rank <= n->in[1 - i]->shape.rank)
            return read(r, n->in[1 - i], &both);
    }
    return NULL;
}

static struct expr *read_clip(struct reader *r, const struct value *v, const struct factor *f)
{
    const struct node *n = v->producer;
    struct expr *e = new_expr(r, EXPR_CLIP, v);
    e->lo = n->op == OP_relu ? 0 : -INFINITY;
    e->hi = INFINITY;
    if (f->n > 1 || !(f->v[0] > 0))
        return NULL;
    for (size_t i = 1; i < 3 && n->op == OP_clip; i++) {
        const struct tensor *t = ops_has_input(n, i) ? lq_float_constant(r->l, n->in[i]) : NULL;
        if (ops_has_input(n, i) && (!t || isnan(tensor_get(t, 0))))
            return NULL;
        if (t)
            *(i == 1 ? &e->lo : &e->hi) = tensor_get(t, 0) * f->v[0];
    }
    e->term[0] = read(r, n->in[0], f);
    e->n = 1;
    return e->term[0] && e->lo <= e->hi ? e : NULL;
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
    if (!is_sum_type(leaf) || leaf->steps || factor_largest(&leaf->factor) > r->unit / 32 ||
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
    if (n->n_in > MAX_TERMS)
        return NULL;
    for (size_t i = 0; i < n->n_in; i++) {
        struct factor sign, both;
        factor_of_number(&r->l->scratch, n->op == OP_sub && i ? -1 : 1, &sign);
        factor_times(&r->l->scratch, &sign, f, &both);
        e->term[e->n++] = read(r, n->in[i], &both);
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
    switch (n->op) {
    case OP_add:
    case OP_sub:
    case OP_sum:
        return read_sum(r, v, f);
    case OP_mul:
    case OP_div:
        return read_mul(r, v, f);
    case OP_relu:
    case OP_clip:
        return read_clip(r, v, f);
    case OP_identity:
        return read(r, n->in[0], f);
    case OP_neg:
        factor_of_number(&r->l->scratch, -1, &minus);
        factor_times(&r->l->scratch, &minus, f, &both);
        return read(r, n->in[0], &both);
    default:
        return NULL;
    }
}

static struct expr *read(struct reader *r, const struct value *v, const struct factor *f)
{
    struct operand o;
    if (v->dtype != DTYPE_F32 || r->n_leaves++ >= 4 * MAX_TERMS)
        return NULL;
    const struct tensor *t = lq_float_constant(r->l, v);
    if (t)
        return read_constant(r, v, t, f);
    if (lq_operand(v, &o))
        return read_leaf(r, v, &o, f);
    return v->producer ? read_node(r, v, f) : NULL;
}

/* ---- the unit of a sum ---- */

struct unit {
    enum dtype type; /* i32 or i64 */
    int shift;
    double per; /* 2^shift / the output's scale */
};

struct extent {
    double reach;      /* largest absolute real value on the way */
    double multiplier; /* largest real value of one step */
    double steps;      /* of all leaves together, as far as the output's type can show them */
    bool wide;         /* some leaf has more than 8 bits */
};

static void measure(const struct expr *e, double visible, struct extent *out)
{
    double f = factor_largest(&e->factor);
    if (e->kind == EXPR_LEAF || e->kind == EXPR_PRODUCT) {
        out->reach += f * (double)e->bound;
        out->multiplier = fmax(out->multiplier, f);
        out->steps += f > 0 ? fmin((double)e->bound, visible / f) : 0;
        out->wide |= e->kind == EXPR_PRODUCT || dtype_bits(e->x->dtype) > 8;
    } else if (e->kind == EXPR_CONSTANT) {
        double largest = 0;
        for (int64_t i = 0; i < tensor_elems(e->constant); i++)
            largest = fmax(largest, fabs(tensor_get(e->constant, i)));
        out->reach += f * largest;
    }
    for (size_t i = 0; i < e->n; i++)
        measure(e->term[i], visible, out);
}

/* The finest unit; false where it is so coarse that rounded multipliers show: each is wrong by half
   a unit at most for each step. */
static bool choose_shift(const struct extent *x, double scale, enum dtype type, double error,
                         struct unit *out)
{
    bool narrow = type == DTYPE_I32;
    double limit = narrow ? 0x1p30 : 0x1p61;
    for (int shift = narrow ? 30 : FIXED_POINT_MAX_SHIFT - 1; shift >= 0; shift--) {
        double per = ldexp(1, shift) / scale;
        if (x->multiplier * per < 0x1.fffffcp30 && x->reach * per < limit) {
            *out = (struct unit){type, shift, per};
            return x->steps / 2 <= error * ldexp(1, shift);
        }
    }
    return false;
}

static bool choose_unit(const struct expr *e, double scale, enum dtype to, struct unit *out)
{
    struct extent x = {0};
    measure(e, 4 * ldexp(scale, (int)dtype_bits(to)), &x);
    return (!x.wide && choose_shift(&x, scale, DTYPE_I32, 1.0 / 256, out)) ||
           choose_shift(&x, scale, DTYPE_I64, 1.0 / 8, out);
}

/* ---- writing ---- */

static struct value *make_product(struct lowering *l, const struct expr *e)
{
    enum dtype type = e->bound <= INT32_MAX ? DTYPE_I32 : DTYPE_I64;
    struct value *in[2];
    in[0] =
        lq_shift_zero(l, e->a.stored, lq_zero(&e->a, 0), 0, type, lq_name(l, e->a.stored, "wide"));
    in[1] =
        lq_shift_zero(l, e->b.stored, lq_zero(&e->b, 0), 0, type, lq_name(l, e->b.stored, "wide"));
    struct value *v = lq_op(l, OP_mul, 2, in, lq_name(l, e->of, "product"));
    lq_set_bound(l, v, e->bound);
    return v;
}

static struct value *integers_of(struct lowering *l, const struct expr *e)
{
    if (e->kind == EXPR_PRODUCT)
        return make_product(l, e);
    if (!e->steps)
        return e->x;
    struct value *in[2] = {e->x, lq_constant(l, lq_name(l, e->x, "steps"), e->steps)};
    struct value *v = lq_op(l, OP_add, 2, in, lq_name(l, e->x, "plus"));
    lq_set_bound(l, v, e->bound);
    return v;
}

static struct value *write_leaf(struct lowering *l, const struct expr *e, const struct unit *u)
{
    static const int none = 0;
    int32_t *m = arena_array(&l->scratch, (size_t)e->factor.n, sizeof *m);
    for (int64_t i = 0; i < e->factor.n; i++)
        m[i] = (int32_t)rint(e->factor.v[i] * u->per);
    struct value *x = integers_of(l, e);
    struct rescale_spec s = {.to = u->type,
                             .multiplier = m,
                             .shift = &none,
                             .n = e->factor.n,
                             .n_shift = 1,
                             .axis = x->shape.rank - 1 - e->factor.from_right,
                             .x_zero = e->zero,
                             .bound = e->bound};
    return lq_rescale(l, x, &s, lq_name(l, e->of, "scaled"));
}

static struct value *write_constant(struct lowering *l, const struct expr *e, const struct unit *u)
{
    struct tensor *t = tensor_new(l->g->arena, u->type, e->constant->rank, e->constant->dims);
    for (int64_t i = 0; i < tensor_elems(t); i++) {
        double real = tensor_get(e->constant, i) * e->factor.v[0];
        tensor_set_int(t, i, (int64_t)rint(real * u->per));
    }
    return lq_constant(l, lq_name(l, e->of, "scaled"), t);
}

/* A bound that no value of the sum reaches is left out. */
static struct value *clip_bound(struct lowering *l, const struct expr *e, double real,
                                const struct unit *u)
{
    double y = rint(real * u->per), limit = u->type == DTYPE_I32 ? 0x1p31 : 0x1p62;
    if (!(fabs(y) < limit))
        return NULL;
    return lq_scalar(l, lq_name(l, e->of, "bound"), u->type, (int64_t)y);
}

static struct value *write(struct lowering *l, const struct expr *e, const struct unit *u)
{
    if (e->kind == EXPR_LEAF || e->kind == EXPR_PRODUCT)
        return write_leaf(l, e, u);
    if (e->kind == EXPR_CONSTANT)
        return write_constant(l, e, u);
    struct value *v = write(l, e->term[0], u);
    if (e->kind == EXPR_CLIP) {
        struct value *in[3] = {v, clip_bound(l, e, e->lo, u), clip_bound(l, e, e->hi, u)};
        return in[1] || in[2] ? lq_op(l, OP_clip, 3, in, lq_name(l, e->of, "clipped")) : v;
    }
    for (size_t i = 1; i < e->n; i++) {
        struct value *in[2] = {v, NULL};
        in[1] = write(l, e->term[i], u);
        v = lq_op(l, OP_add, 2, in, lq_name(l, e->of, "sum"));
    }
    return v;
}

static double reach_of(const struct expr *e)
{
    struct extent x = {0};
    measure(e, 0, &x);
    return x.reach;
}

static void become_wide_sum(struct lowering *l, struct node *q, const struct expr *e,
                            const struct unit *u, const struct quant *to)
{
    static const int32_t one = 1;
    struct value *v = write(l, e, u);
    struct rescale_spec s = {.to = q->out[0]->dtype,
                             .multiplier = &one,
                             .shift = &u->shift,
                             .n = 1,
                             .n_shift = 1,
                             .y_zero = to->zero_point};
    /* A multiplier and a constant are rounded by half a unit for each step at most. */
    struct extent x = {0};
    measure(e, INFINITY, &x);
    s.bound = (int64_t)(reach_of(e) * u->per + x.steps) + MAX_TERMS;
    lq_become_rescale(l, q, v, &s);
}

/*
 * Whether products with these multipliers often lie in the middle of two steps: where they have few
 * binary places, as the mean of 4 has 2.  Halves then go to even, as the reference's do, if the
 * output's zero point is even too; else upwards, which costs less.
 */
static bool halves_are_common(const int32_t *m, int64_t n, int shift, const struct quant *to)
{
    enum { FEW_PLACES = 8 };
    int most = 0;
    for (int64_t i = 0; i < n; i++) {
        int places = shift;
        for (int32_t odd = m[i]; places && !(odd & 1); odd /= 2)
            places--;
        most = places > most ? places : most;
    }
    return most > 0 && most <= FEW_PLACES && !(to->zero_point & 1);
}

/* Multipliers of so many bits that products fit: in 32 bits where 20 do, else in 64. */
static int multiplier_bits(int64_t bound)
{
    int bits = 0;
    while (bound >> bits)
        bits++;
    if (bits <= 10)
        return 30 - bits;
    return bits <= 31 ? 31 : 62 - bits;
}

static bool become_rescaled(struct lowering *l, struct node *q, const struct expr *e,
                            const struct quant *to)
{
    int64_t n = e->factor.n;
    int bits = multiplier_bits(e->bound), shift;
    if (bits < 16)
        return false;
    double *f = arena_array(&l->scratch, (size_t)n, sizeof *f);
    int32_t *m = arena_array(&l->scratch, (size_t)n, sizeof *m);
    for (int64_t i = 0; i < n; i++) {
        f[i] = fabs(e->factor.v[i]) / (double)to->scale;
        if (!(f[i] * (double)e->bound < 0x1p62))
            return false;
    }
    fixed_point_of(f, (size_t)n, bits, m, &shift);
    for (int64_t i = 0; i < n; i++)
        m[i] = e->factor.v[i] < 0 ? -m[i] : m[i];
    struct value *x = integers_of(l, e);
    struct rescale_spec s = {.to = q->out[0]->dtype,
                             .multiplier = m,
                             .shift = &shift,
                             .n = n,
                             .n_shift = 1,
                             .axis = x->shape.rank - 1 - e->factor.from_right,
                             .x_zero = e->zero,
                             .y_zero = to->zero_point,
                             .bound = e->bound,
                             .even = halves_are_common(m, n, shift, to)};
    lq_become_rescale(l, q, x, &s);
    return true;
}

static bool has_leaf(const struct expr *e)
{
    bool found = e->kind == EXPR_LEAF || e->kind == EXPR_PRODUCT;
    for (size_t i = 0; i < e->n; i++)
        found |= has_leaf(e->term[i]);
    return found;
}

bool lq_lower_sum(struct lowering *l, struct node *q)
{
    struct quant to;
    struct factor one;
    struct unit u;
    if (q->op != OP_quantize_linear || !lq_fused(l) || !lq_target(q, &to))
        return false;
    struct reader r = {.l = l, .unit = (double)to.scale};
    factor_of_number(&l->scratch, 1, &one);
    struct expr *e = read(&r, q->in[0], &one);
    if (!e || !has_leaf(e))
        return false;
    bool single = e->kind == EXPR_LEAF || e->kind == EXPR_PRODUCT;
    if (single ? !become_rescaled(l, q, e, &to) : !choose_unit(e, r.unit, q->out[0]->dtype, &u))
        return false;
    if (!single)
        become_wide_sum(l, q, e, &u, &to);
    lq_set_quant(l, q->out[0], &to);
    return true;
}

/* ---- from one quantization to another ---- */

/* Quantizing what was dequantized: with one scale an exact shift of the zero point, or nothing. */
bool lq_lower_requantize(struct lowering *l, struct node *q)
{
    struct operand x;
    struct quant from, to;
    if (q->op != OP_quantize_linear || !lq_target(q, &to) ||
        !lq_tensor_operand(q->in[0], &x, &from) || !lq_is_narrow(x.stored->dtype) ||
        lq_is_constant(x.stored) || from.scale < to.scale || from.scale > to.scale)
        return false;
    lq_set_quant(l, q->out[0], &to);
    if (x.stored->dtype == q->out[0]->dtype && from.zero_point == to.zero_point) {
        lq_set_quant(l, x.stored, &from);
        lq_take_name(l, x.stored, q->out[0]);
        lq_bypass(l, q, x.stored);
        return true;
    }
    static const int32_t one = 1;
    static const int none = 0;
    struct rescale_spec s = {.to = q->out[0]->dtype,
                             .multiplier = &one,
                             .shift = &none,
                             .n = 1,
                             .n_shift = 1,
                             .x_zero = from.zero_point,
                             .y_zero = to.zero_point};
    lq_become_rescale(l, q, x.stored, &s);
    return true;
}
