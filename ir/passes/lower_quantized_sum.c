/*
 * What a QuantizeLinear quantizes, computed in integers (lower_quantized_terms.c reads it).
 *
 * One term alone is rescaled to the output's type.  Several are brought to one fine unit first, the
 * output's scale / 2^shift, as 64-bit integers, or 32-bit ones where they are fine enough, added
 * there and scaled down once:
 *
 *     t = sum of rescale(x, multiplier)         multiplier = scale(x) * factor / unit, shift 0
 *     y = rescale(t, 1, shift)
 *
 * The shift is the largest with which no multiplier passes 31 bits and no sum passes the type.
 */
#include <math.h>
#include <string.h>

#include "ir/fixed_point.h"
#include "ir/passes/lower_quantized_terms.h"

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
};

static void measure(const struct expr *e, double visible, struct extent *out)
{
    double f = lq_factor_largest(&e->factor);
    if (e->kind == EXPR_LEAF || e->kind == EXPR_PRODUCT) {
        out->reach += f * (double)e->bound;
        out->multiplier = fmax(out->multiplier, f);
        out->steps += f > 0 ? fmin((double)e->bound, visible / f) : 0;
    } else if (e->kind == EXPR_CONSTANT) {
        double largest = 0;
        for (int64_t i = 0; i < tensor_elems(e->constant); i++)
            largest = fmax(largest, fabs(tensor_get(e->constant, i)));
        out->reach += f * largest;
    }
    for (size_t i = 0; i < e->n; i++)
        measure(e->term[i], visible, out);
    /* A bound on the other side of what is clipped takes its place. */
    if (e->kind == EXPR_CLIP)
        out->reach += fmax(0, fmax(e->lo, -e->hi));
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
    return choose_shift(&x, scale, DTYPE_I32, 1.0 / 256, out) ||
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

/* Where x is itself a sum with a constant of the shape of *steps, that constant joins *steps. */
static struct value *before_offset(struct lowering *l, struct value *x, const struct tensor **steps)
{
    const struct node *n = x->producer;
    const struct tensor *t = n && n->op == OP_add ? n->in[1]->constant : NULL;
    if (!t || t->rank != (*steps)->rank || tensor_elems(t) != tensor_elems(*steps) ||
        memcmp(t->dims, (*steps)->dims, (size_t)t->rank * sizeof *t->dims) != 0)
        return x;
    struct tensor *both = tensor_new(l->g->arena, t->dtype, t->rank, t->dims);
    for (int64_t i = 0; i < tensor_elems(t); i++) {
        /* In 32 bits modulo 2^32, as the sums. */
        int64_t v = tensor_get_int(t, i) + tensor_get_int(*steps, i);
        tensor_set_int(both, i, t->dtype == DTYPE_I32 ? (int32_t)(uint32_t)(uint64_t)v : v);
    }
    *steps = both;
    return n->in[0];
}

static struct value *integers_of(struct lowering *l, const struct expr *e)
{
    if (e->kind == EXPR_PRODUCT)
        return make_product(l, e);
    if (!e->steps)
        return e->x;
    const struct tensor *steps = e->steps;
    struct value *x = before_offset(l, e->x, &steps);
    struct value *in[2] = {x, lq_constant(l, lq_name(l, e->x, "steps"), steps)};
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

static struct value *write_expr(struct lowering *l, const struct expr *e, const struct unit *u)
{
    if (e->kind == EXPR_LEAF || e->kind == EXPR_PRODUCT)
        return write_leaf(l, e, u);
    if (e->kind == EXPR_CONSTANT)
        return write_constant(l, e, u);
    struct value *v = write_expr(l, e->term[0], u);
    if (e->kind == EXPR_CLIP) {
        struct value *in[3] = {v, clip_bound(l, e, e->lo, u), clip_bound(l, e, e->hi, u)};
        return in[1] || in[2] ? lq_op(l, OP_clip, 3, in, lq_name(l, e->of, "clipped")) : v;
    }
    for (size_t i = 1; i < e->n; i++) {
        struct value *in[2] = {v, NULL};
        in[1] = write_expr(l, e->term[i], u);
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
    struct value *v = write_expr(l, e, u);
    struct rescale_spec s = {.to = q->out[0]->dtype,
                             .multiplier = &one,
                             .shift = &u->shift,
                             .n = 1,
                             .n_shift = 1,
                             .y_zero = to->zero_point};
    /* A multiplier and a constant are rounded by half a unit for each step at most. */
    struct extent x = {0};
    measure(e, INFINITY, &x);
    s.bound = (int64_t)(reach_of(e) * u->per + x.steps) + LQ_MAX_TERMS;
    lq_become_rescale(l, q, v, &s);
}

/*
 * Whether products with these multipliers often lie in the middle of two steps: where they have few
 * binary places, as the mean of 4 has 2.  Halves then go to even, as the reference's do; else
 * upwards, which costs less.
 */
static bool halves_are_common(const int32_t *m, int64_t n, const int *shift, int64_t n_shift)
{
    enum { FEW_PLACES = 8 };
    int most = 0;
    for (int64_t i = 0; i < n; i++) {
        int places = shift[n_shift > 1 ? i : 0];
        for (int32_t odd = m[i]; places && !(odd & 1); odd /= 2)
            places--;
        most = places > most ? places : most;
    }
    return most > 0 && most <= FEW_PLACES;
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

/*
 * One shift for all, which is cheapest, unless it leaves the small factors so few bits that results
 * within the type are off by 1/16 of a step; then each has its own.  Returns the number of shifts.
 */
static int64_t choose_factors(const double *f, int64_t n, int64_t bound, enum dtype to,
                              int32_t *multiplier, int *shift)
{
    int bits = multiplier_bits(bound);
    bool fine = true;
    fixed_point_of(f, (size_t)n, bits, multiplier, shift);
    for (int64_t i = 0; i < n; i++) {
        double error = fabs(ldexp(multiplier[i], -*shift) - f[i]);
        double steps = fmin((double)bound, ldexp(1, (int)dtype_bits(to)) / f[i]);
        fine &= error * steps <= 1.0 / 16;
    }
    for (int64_t i = 0; !fine && i < n; i++)
        fixed_point_of(&f[i], 1, bits, &multiplier[i], &shift[i]);
    return fine ? 1 : n;
}

/* A factor of the output's unit. */
static double factor_in_steps(const struct expr *e, const struct quant *to, int64_t i)
{
    return fabs(e->factor.v[i]) / (double)to->scale;
}

static const char *rescale_obstacle(const struct expr *e, const struct quant *to)
{
    if (multiplier_bits(e->bound) < 16)
        return "its sums are too large to be scaled";
    for (int64_t i = 0; i < e->factor.n; i++)
        if (!(factor_in_steps(e, to, i) * (double)e->bound < 0x1p62))
            return "its sums are too large to be scaled";
    return NULL;
}

static void become_rescaled(struct lowering *l, struct node *q, const struct expr *e,
                            const struct quant *to)
{
    int64_t n = e->factor.n;
    double *f = arena_array(&l->scratch, (size_t)n, sizeof *f);
    int32_t *m = arena_array(&l->scratch, (size_t)n, sizeof *m);
    int *shift = arena_array(&l->scratch, (size_t)n, sizeof *shift);
    for (int64_t i = 0; i < n; i++)
        f[i] = factor_in_steps(e, to, i);
    int64_t n_shift = choose_factors(f, n, e->bound, q->out[0]->dtype, m, shift);
    for (int64_t i = 0; i < n; i++)
        m[i] = e->factor.v[i] < 0 ? -m[i] : m[i];
    struct value *x = integers_of(l, e);
    struct rescale_spec s = {.to = q->out[0]->dtype,
                             .multiplier = m,
                             .shift = shift,
                             .n = n,
                             .n_shift = n_shift,
                             .axis = x->shape.rank - 1 - e->factor.from_right,
                             .x_zero = e->zero,
                             .y_zero = to->zero_point,
                             .bound = e->bound,
                             .even = halves_are_common(m, n, shift, n_shift)};
    if (s.even && (to->zero_point & 1)) {
        /* The reference adds the zero point behind the rounding; rescale, before it. */
        s.to = DTYPE_I32;
        s.y_zero = 0;
        x = lq_rescale(l, x, &s, lq_name(l, q->out[0], "rounded"));
        double reach = (double)e->bound * lq_factor_largest(&e->factor) / (double)to->scale;
        /* Beyond that only the type bounds it, which has one negative value more. */
        lq_become_shifted(l, q, x, 0, to->zero_point,
                          reach < INT32_MAX - 1 ? (int64_t)reach + 1 : 0);
    } else {
        lq_become_rescale(l, q, x, &s);
    }
}

/* ---- what a QuantizeLinear quantizes ---- */

struct plan {
    struct quant to;
    struct expr *e;
    bool single;
    struct unit unit; /* of several */
};

static const char *plan_of(struct lowering *l, const struct node *q, struct plan *out)
{
    if (!lq_target(q, &out->to))
        return "the scale of its result is computed, not one number or extreme";
    double scale = (double)out->to.scale;
    const char *obstacle = lq_read_terms(l, q->in[0], scale, &out->e);
    if (obstacle)
        return obstacle;
    out->single = out->e->kind == EXPR_LEAF || out->e->kind == EXPR_PRODUCT;
    if (out->single)
        return rescale_obstacle(out->e, &out->to);
    return choose_unit(out->e, scale, q->out[0]->dtype, &out->unit)
               ? NULL
               : "factors of 31 bits are too coarse for its sums";
}

const char *lq_sum_obstacle(struct lowering *l, const struct node *q)
{
    struct plan p;
    return plan_of(l, q, &p);
}

bool lq_lower_sum(struct lowering *l, struct node *q)
{
    struct plan p;
    if (q->op != OP_quantize_linear || !lq_fused(l) || plan_of(l, q, &p))
        return false;
    if (p.single)
        become_rescaled(l, q, p.e, &p.to);
    else
        become_wide_sum(l, q, p.e, &p.unit, &p.to);
    lq_set_quant(l, q->out[0], &p.to);
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
        value_is_constant(x.stored) || from.scale < to.scale || from.scale > to.scale)
        return false;
    lq_set_quant(l, q->out[0], &to);
    if (x.stored->dtype == q->out[0]->dtype && from.zero_point == to.zero_point) {
        lq_set_quant(l, x.stored, &from);
        lq_take_name(l, x.stored, q->out[0]);
        lq_bypass(l, q, x.stored);
        return true;
    }
    lq_become_shifted(l, q, x.stored, from.zero_point, to.zero_point, 0);
    return true;
}
