/*
 * Fixed-point scaling as in TOSA 1.0's RESCALE, with 64-bit products.
 *
 *   up    y = (t + 2^(shift-1)) >> shift, t = (x - x_zero_point) * multiplier: floor(t / 2^shift +
 *         1/2)
 *   even  the same, but a t / 2^shift in the middle goes where y + y_zero_point is even
 *
 * Bounds of x give bounds of all that follows: they decide between 32-bit and 64-bit arithmetic,
 * show that nothing overflows, and which sides need saturation.
 */
#include <assert.h>
#include <string.h>

#include "ir/checked.h"
#include "ir/fixed_point.h"
#include "ir/ops/common.h"

#define TYPES_RESCALE (TYPES_SIGNED | TYPE(U8) | TYPE(U16))

enum { X, MULTIPLIER, SHIFT };

struct range {
    int64_t lo, hi;
};

struct plan {
    bool even;
    enum dtype to;
    struct range x;       /* of x - x_zero_point */
    struct range shifted; /* of t / 2^shift, rounded */
    struct range y;       /* of the result before saturation */
    bool narrow;          /* i32 holds every step up to the shift */
    bool some_shift_is_0;
};

static bool fits(struct range r, enum dtype t)
{
    return r.lo >= dtype_int_min(t) && r.hi <= dtype_int_max(t);
}

static void widen(struct range *r, int64_t v)
{
    r->lo = v < r->lo ? v : r->lo;
    r->hi = v > r->hi ? v : r->hi;
}

/* ---- infer ---- */

static bool check_factor(const struct node *n, size_t i, unsigned type, struct error *err)
{
    const struct rescale_attrs *a = n->attrs;
    const struct value *v = n->in[i];
    int axis;
    if (!ops_check_type(n, i, type, err))
        return false;
    if (!value_is_constant(v))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "input '%s' must be constant", v->name);
    if (!v->shape.rank)
        return true;
    if (!ops_check_rank(n, i, 1, err) || !ops_axis(a->axis, n->in[X]->shape.rank, &axis, err))
        return false;
    return ops_check_dims(n, i, 1, &n->in[X]->shape.dims[axis], err);
}

/* Element c of a factor that may have one only. */
static int64_t factor_at(const struct node *n, size_t i, int64_t c)
{
    const struct tensor *t = n->in[i]->constant;
    return tensor_get_int(t, t->rank ? c : 0);
}

/* The result's bounds before saturation under factor c; false where 64 bits do not hold a step.
   Every step is monotone, so the ends of x give the ends of y. */
static bool rescale_range(const struct node *n, int64_t c, struct plan *p)
{
    const struct rescale_attrs *a = n->attrs;
    int32_t m = (int32_t)factor_at(n, MULTIPLIER, c);
    int shift = (int)factor_at(n, SHIFT, c);
    int64_t half = ((int64_t)1 << shift) >> 1, odd = a->y_zero_point & 1;
    for (int i = 0; i < 2; i++) {
        int64_t x = i ? p->x.hi : p->x.lo, t, reach, y;
        if (!checked_mul(x, m, &t) || !checked_add(t, half, &reach))
            return false;
        y = p->even ? fixed_point_apply_even(x, m, shift, odd) - odd
                    : fixed_point_apply_up(x, m, shift, 0);
        widen(&p->shifted, y);
        if (!checked_add(y, a->y_zero_point, &y))
            return false;
        widen(&p->y, y);
        p->narrow = p->narrow && t >= INT32_MIN && reach <= INT32_MAX;
    }
    /* A half of 2^30 and more has no i32 of twice its size. */
    p->narrow = p->narrow && shift <= 30;
    p->some_shift_is_0 |= !shift;
    return true;
}

static struct range range_of_x(const struct node *n)
{
    const struct rescale_attrs *a = n->attrs;
    struct range r = {dtype_int_min(n->in[X]->dtype), dtype_int_max(n->in[X]->dtype)};
    /* Of i64 the difference may not fit; then the widest range stands for it, which no factor but
       0 and 1 survives. */
    if (__builtin_sub_overflow(r.lo, a->x_zero_point, &r.lo))
        r.lo = INT64_MIN;
    if (__builtin_sub_overflow(r.hi, a->x_zero_point, &r.hi))
        r.hi = INT64_MAX;
    if (a->bound && r.lo < -a->bound)
        r.lo = -a->bound;
    if (a->bound && r.hi > a->bound)
        r.hi = a->bound;
    return r;
}

static bool plan_of(const struct node *n, struct plan *out, struct error *err)
{
    const struct rescale_attrs *a = n->attrs;
    static const struct range none = {INT64_MAX, INT64_MIN};
    struct plan p = {.even = !strcmp(a->rounding, "even"),
                     .to = dtype_from_code(a->to),
                     .x = range_of_x(n),
                     .shifted = none,
                     .y = none};
    p.narrow = fits(p.x, DTYPE_I32);
    int64_t n_factors = 1;
    for (size_t i = MULTIPLIER; i <= SHIFT; i++)
        if (n->in[i]->shape.rank)
            n_factors = n->in[i]->shape.dims[0];
    for (int64_t c = 0; c < n_factors; c++)
        if (!rescale_range(n, c, &p))
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "products with '%s' may pass 64 bits; the input needs a bound",
                             n->in[MULTIPLIER]->name);
    *out = p;
    return true;
}

static bool check_attrs(const struct node *n, struct error *err)
{
    const struct rescale_attrs *a = n->attrs;
    enum dtype from = n->in[X]->dtype, to = dtype_from_code(a->to);
    if (!((1u << to) & TYPES_RESCALE))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "rescale to ONNX type %lld is not known",
                         (long long)a->to);
    if (strcmp(a->rounding, "up") && strcmp(a->rounding, "even"))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "rounding '%s' is not known", a->rounding);
    if (a->bound < 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "bound %lld is negative", (long long)a->bound);
    if (a->x_zero_point < dtype_int_min(from) || a->x_zero_point > dtype_int_max(from))
        return error_set(err, SHEAF_ERROR_SHAPE, "x_zero_point %lld is no %s",
                         (long long)a->x_zero_point, dtype_name(from));
    if (a->y_zero_point < dtype_int_min(to) || a->y_zero_point > dtype_int_max(to))
        return error_set(err, SHEAF_ERROR_SHAPE, "y_zero_point %lld is no %s",
                         (long long)a->y_zero_point, dtype_name(to));
    return true;
}

bool rescale_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct rescale_attrs *a = n->attrs;
    if (!ops_check_type(n, X, TYPES_RESCALE, err) || !check_factor(n, MULTIPLIER, TYPE(I32), err) ||
        !check_factor(n, SHIFT, TYPE(I8), err) || !check_attrs(n, err))
        return false;
    const struct tensor *shift = n->in[SHIFT]->constant;
    for (int64_t i = 0; i < tensor_elems(shift); i++) {
        int64_t s = tensor_get_int(shift, i);
        if (s < 0 || s > FIXED_POINT_MAX_SHIFT)
            return error_set(err, SHEAF_ERROR_SHAPE, "shift %lld is not within 0 and %d",
                             (long long)s, FIXED_POINT_MAX_SHIFT);
    }
    struct plan p;
    if (!plan_of(n, &p, err))
        return false;
    return ops_set_output(n, 0, dtype_from_code(a->to), &n->in[X]->shape, err);
}

/* ---- lower ---- */

/* A factor in type t: a literal where there is one only. */
static kval load_factor(struct lower *l, size_t i, enum dtype t, const kval *idx)
{
    const struct rescale_attrs *a = l->node->attrs;
    struct kernel *k = l->kernel;
    int axis = 0;
    if (!k->bufs[l->in[i]].rank)
        return kernel_const_int(k, t, factor_at(l->node, i, 0));
    ops_axis(a->axis, l->node->in[X]->shape.rank, &axis, NULL);
    return kernel_cast(k, t, kernel_load(k, l->in[i], &idx[axis]));
}

/* t / 2^shift, rounded.  Where the even form adds one unit less than the half, only what lies above
   the middle is rounded up; at the middle itself the unit comes back where the result, with the
   zero point, would be odd. */
static kval round_shift(struct lower *l, const struct plan *p, kval t, const kval *idx)
{
    const struct rescale_attrs *a = l->node->attrs;
    struct kernel *k = l->kernel;
    enum dtype type = kernel_inst(k, t)->type;
    kval shift = load_factor(l, SHIFT, type, idx), one = kernel_const_int(k, type, 1);
    int64_t literal;
    if (kernel_is_const_int(k, shift, &literal) && !literal)
        return t;
    kval half = kernel_binary(k, KOP_SHL, one, shift);
    half = kernel_binary(k, KOP_SHR, half, one);
    if (p->even) {
        kval odd = kernel_binary(k, KOP_SHR, t, shift);
        odd = kernel_binary(k, KOP_XOR, odd, kernel_const_int(k, type, a->y_zero_point & 1));
        odd = kernel_binary(k, KOP_AND, odd, one);
        half = kernel_binary(k, KOP_ADD, kernel_binary(k, KOP_SUB, half, one), odd);
        if (p->some_shift_is_0)
            half = kernel_binary(k, KOP_MAX, half, kernel_const_int(k, type, 0));
    }
    return kernel_binary(k, KOP_SHR, kernel_binary(k, KOP_ADD, t, half), shift);
}

static kval saturate(struct kernel *k, const struct plan *p, kval y)
{
    enum dtype type = kernel_inst(k, y)->type;
    int64_t lo = dtype_int_min(p->to), hi = dtype_int_max(p->to);
    if (p->y.lo < lo)
        y = kernel_binary(k, KOP_MAX, y, kernel_const_int(k, type, lo));
    if (p->y.hi > hi)
        y = kernel_binary(k, KOP_MIN, y, kernel_const_int(k, type, hi));
    return kernel_cast(k, p->to, y);
}

/* Whether the numbers stay, in another type perhaps. */
static bool scales_nothing(const struct node *n)
{
    const struct rescale_attrs *a = n->attrs;
    return !n->in[MULTIPLIER]->shape.rank && factor_at(n, MULTIPLIER, 0) == 1 &&
           !n->in[SHIFT]->shape.rank && factor_at(n, SHIFT, 0) == 0 &&
           a->x_zero_point == a->y_zero_point;
}

/* A 64-bit product of 32-bit values is written as the product of two extended values, for which
   processors have instructions. */
static kval rescale_of(struct lower *l, const struct plan *p, kval x, const kval *idx)
{
    const struct rescale_attrs *a = l->node->attrs;
    struct kernel *k = l->kernel;
    enum dtype type = p->narrow ? DTYPE_I32 : DTYPE_I64;
    if (scales_nothing(l->node))
        return saturate(k, p, x);
    if (fits(p->x, DTYPE_I32)) {
        x = kernel_cast(k, DTYPE_I32, x);
        x = kernel_binary(k, KOP_SUB, x, kernel_const_int(k, DTYPE_I32, a->x_zero_point));
        x = kernel_cast(k, type, x);
    } else {
        x = kernel_cast(k, DTYPE_I64, x);
        x = kernel_binary(k, KOP_SUB, x, kernel_const_int(k, DTYPE_I64, a->x_zero_point));
    }
    x = kernel_binary(k, KOP_MUL, x, load_factor(l, MULTIPLIER, type, idx));
    x = round_shift(l, p, x, idx);
    bool small = fits(p->y, DTYPE_I32) && fits(p->shifted, DTYPE_I32);
    x = kernel_cast(k, small ? DTYPE_I32 : DTYPE_I64, x);
    type = kernel_inst(k, x)->type;
    x = kernel_binary(k, KOP_ADD, x, kernel_const_int(k, type, a->y_zero_point));
    return saturate(k, p, x);
}

void rescale_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct plan p;
    bool ok = plan_of(l->node, &p, NULL);
    assert(ok && "infer refuses what may overflow");
    (void)ok;
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval x = kernel_load(k, l->in[X], idx);
    kernel_store(k, l->out[0], idx, rescale_of(l, &p, x, idx));
    ops_map_end(k, l->out[0]);
}
