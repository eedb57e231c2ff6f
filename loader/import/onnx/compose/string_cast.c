/*
 * Cast to and from strings (onnx/string.c), as operators over bytes.  A text of digits becomes a
 * number by weights: each digit times the power of ten that the digits behind it tell.
 *
 * A float is its first 18 digits that count as an integer, times a power of ten, in f64: f32 and
 * f16 are what the text says but for ties that the second rounding moves; f64 is within 3 units of
 * the last place. A text that is no number gives any number.  ONNX does not say how many digits the
 * text of a float has, so that cast is refused.
 */
#include <math.h>
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

/* Operators of one output in a row; NULL after a fault. */
struct chars {
    struct onnx *o;
    const struct draft *d;
    struct value *c; /* bytes as i64, [.., W] */
};

static struct value *to_int(struct onnx *o, struct value *x)
{
    return build_cast(&o->im, NULL, x, DTYPE_I64, NULL);
}

/* 1 where the byte is one of these, else 0. */
static struct value *is_byte(const struct chars *s, char a, char b)
{
    struct value *y = compose_number(s->o, OP_equal, s->c, a);
    if (a != b)
        y = compose_binary(s->o, OP_or, y, compose_number(s->o, OP_equal, s->c, b), NULL);
    return to_int(s->o, y);
}

/* How many of x are up to each one, or behind it. */
static struct value *counted(struct onnx *o, struct value *x, bool behind)
{
    struct value *in[] = {x, compose_scalar(o, NULL, DTYPE_I64, -1)};
    if (!x)
        return NULL;
    struct node *n = build_begin(&o->im, OP_cum_sum, NULL, in, 2, 1);
    struct cum_sum_attrs *a = n->attrs;
    a->exclusive = a->reverse = behind;
    return build_end1(&o->im, n, NULL);
}

static struct value *reduced(struct onnx *o, enum op op, struct value *x, bool keep)
{
    static const int64_t last = -1;
    return build_reduce(&o->im, op, NULL, x, (struct attr_ints){&last, 1}, keep);
}

static struct value *product(struct onnx *o, struct value *a, struct value *b)
{
    return compose_binary(o, OP_mul, a, b, NULL);
}

static struct value *selected(struct onnx *o, struct value *when, struct value *a, struct value *b)
{
    struct value *in[] = {compose_number(o, OP_greater, when, 0), a, b};
    return in[0] && a && b ? build_op(&o->im, OP_where, NULL, in, 3, NULL) : NULL;
}

/* 10^i, i < n: as i64 (beyond 10^18 modulo 2^64) or f64. */
static struct value *powers(struct onnx *o, enum dtype dtype, int64_t n)
{
    struct tensor *t = tensor_new(o->im.arena, dtype, 1, &n);
    uint64_t p = 1;
    for (int64_t i = 0; i < n; i++, p *= 10) {
        if (dtype == DTYPE_F64)
            tensor_set(t, i, pow(10, (double)i));
        else
            tensor_set_int(t, i, (int64_t)p);
    }
    return graph_add_constant(o->im.g, NULL, t);
}

static struct value *power_at(struct onnx *o, struct value *table, struct value *at)
{
    return at && table ? build_binary(&o->im, OP_gather, NULL, table, at) : NULL;
}

/* The number that the digits in `mask` make; `skip`: so many at the end are left out (NULL: none).
 */
static struct value *digits(const struct chars *s, struct value *mask, struct value *skip)
{
    enum { PLACES = 20 };
    struct onnx *o = s->o;
    struct value *digit = compose_number(o, OP_sub, s->c, '0');
    struct value *place = counted(o, mask, true);
    struct value *used = product(o, digit, mask);
    if (skip) {
        place = compose_binary(o, OP_sub, place, skip, NULL);
        used = product(o, used, to_int(o, compose_number(o, OP_greater_or_equal, place, 0)));
    }
    place = place ? compose_binary(o, OP_max, place, build_number(&o->im, place, 0), NULL) : NULL;
    struct value *table = powers(o, DTYPE_I64, PLACES);
    return reduced(o, OP_reduce_sum, product(o, used, power_at(o, table, place)), false);
}

static struct value *with_sign(struct onnx *o, struct value *x, struct value *minus)
{
    return selected(o, reduced(o, OP_reduce_max, minus, false),
                    build_unary(&o->im, OP_neg, NULL, x), x);
}

static struct value *is_digit(const struct chars *s)
{
    struct value *low = compose_number(s->o, OP_greater_or_equal, s->c, '0');
    struct value *high = compose_number(s->o, OP_less_or_equal, s->c, '9');
    return to_int(s->o, compose_binary(s->o, OP_and, low, high, NULL));
}

static struct value *negated(struct onnx *o, struct value *flag)
{
    return to_int(o, compose_number(o, OP_equal, flag, 0));
}

/* An integer ends at its point, if it has one. */
static struct value *integer_of(const struct chars *s)
{
    struct value *before = negated(s->o, counted(s->o, is_byte(s, '.', '.'), false));
    struct value *mask = product(s->o, is_digit(s), before);
    return with_sign(s->o, digits(s, mask, NULL), is_byte(s, '-', '-'));
}

/* x 10^n; n is within -650 .. 650. */
static struct value *scaled(struct onnx *o, struct value *x, struct value *n)
{
    enum { MOST = 308 };
    struct value *table = powers(o, DTYPE_F64, MOST + 1);
    for (int sign = 1; n && sign >= -1; sign -= 2) {
        struct value *rest = sign > 0 ? n : build_unary(&o->im, OP_neg, NULL, n);
        for (int part = 0; rest && part < 2; part++) {
            struct value *at = compose_binary(o, OP_max, rest, build_number(&o->im, rest, 0), NULL);
            at = at ? compose_binary(o, OP_min, at, build_number(&o->im, at, MOST), NULL) : NULL;
            x = compose_binary(o, sign > 0 ? OP_mul : OP_div, x, power_at(o, table, at), NULL);
            rest = compose_number(o, OP_sub, rest, MOST);
        }
    }
    return n ? x : NULL;
}

static struct value *special(struct onnx *o, double v)
{
    return build_float(&o->im, NULL, DTYPE_F64, v);
}

static struct value *float_of(const struct chars *s)
{
    enum { EXACT = 18 };
    struct onnx *o = s->o;
    struct value *behind_e = counted(o, is_byte(s, 'e', 'E'), false);
    struct value *before_e = negated(o, behind_e);
    struct value *minus = is_byte(s, '-', '-');
    struct value *mantissa = product(o, is_digit(s), before_e);
    struct value *places = product(o, mantissa, counted(o, is_byte(s, '.', '.'), false));
    /* Zeros in front do not count. */
    struct value *above = product(o, mantissa, to_int(o, compose_number(o, OP_greater, s->c, '0')));
    above = to_int(o, compose_number(o, OP_greater, counted(o, above, false), 0));
    struct value *used = product(o, mantissa, above);
    struct value *more = compose_number(o, OP_sub, reduced(o, OP_reduce_sum, used, true), EXACT);
    more = more ? compose_binary(o, OP_max, more, build_number(&o->im, more, 0), NULL) : NULL;
    struct value *x = digits(s, used, more);
    struct value *exponent = digits(s, product(o, is_digit(s), behind_e), NULL);
    exponent = with_sign(o, exponent, product(o, minus, behind_e));
    exponent = compose_binary(o, OP_sub, exponent, reduced(o, OP_reduce_sum, places, false), NULL);
    more = reduced(o, OP_reduce_max, more, false);
    exponent = compose_binary(o, OP_add, exponent, more, NULL);
    x = scaled(o, build_cast(&o->im, NULL, x, DTYPE_F64, NULL), exponent);
    /* Of all numbers only "inf" has an i, and of the rest only "nan" an a. */
    struct value *inf = reduced(o, OP_reduce_max, is_byte(s, 'i', 'I'), false);
    struct value *nan = reduced(o, OP_reduce_max, is_byte(s, 'a', 'A'), false);
    x = selected(o, inf, special(o, HUGE_VAL), x);
    x = selected(o, nan, special(o, (double)NAN), x);
    return with_sign(o, x, product(o, minus, before_e));
}

static bool from_string(struct onnx *o, struct draft *d, enum dtype to)
{
    struct chars s = {o, d, to_int(o, d->in[0])};
    bool is_int = dtype_is_integer(to);
    if (!is_int && !dtype_is_float(to))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "Cast of strings to %s is not supported",
                           dtype_name(to));
    return onnx_finish_as(o, d, is_int ? integer_of(&s) : float_of(&s), to);
}

/* ---- to strings ---- */

/* The decimal digits of |x|, from the first one, [.., places]. */
static struct value *decimal(struct onnx *o, struct value *x, int64_t places)
{
    struct tensor *t = tensor_new(o->im.arena, DTYPE_U64, 1, &places);
    uint64_t p = 1;
    for (int64_t i = places; i--; p *= 10)
        tensor_set_int(t, i, (int64_t)p);
    struct value *weight = graph_add_constant(o->im.g, NULL, t);
    struct value *digit = compose_with_axis(o, OP_unsqueeze, x, -1);
    digit = compose_binary(o, OP_div, digit, weight, NULL);
    return compose_number(o, OP_mod, digit, 10);
}

/* Of [sign and digits] those from the first that counts; 0 behind the last. */
static bool to_string(struct onnx *o, struct draft *d)
{
    enum { PLACES = 20 };
    struct value *x = d->in[0];
    if (!dtype_is_integer(x->dtype) || !shape_is_static(&x->shape) || x->shape.rank >= MAX_RANK)
        return draft_error(
            o, d, SHEAF_ERROR_UNSUPPORTED,
            "Cast of %s %s to strings is not supported, only of integers whose shape "
            "is known",
            dtype_name(x->dtype), shape_print(&x->shape, o->im.arena));
    bool is_signed = x->dtype != DTYPE_U64;
    struct value *wide = is_signed ? to_int(o, x) : x;
    struct value *size = is_signed ? build_unary(&o->im, OP_abs, NULL, wide) : x;
    struct value *digit = decimal(o, build_cast(&o->im, NULL, size, DTYPE_U64, NULL), PLACES);
    digit = to_int(o, digit);
    struct value *counts = counted(o, to_int(o, compose_number(o, OP_greater, digit, 0)), false);
    counts = to_int(o, compose_number(o, OP_greater, counts, 0));
    struct value *n = reduced(o, OP_reduce_sum, counts, true);
    n = n ? compose_binary(o, OP_max, n, build_number(&o->im, n, 1), NULL) : NULL; /* "0" */
    struct value *text = compose_number(o, OP_add, digit, '0');
    struct value *minus = to_int(o, is_signed ? compose_number(o, OP_less, wide, 0)
                                              : compose_number(o, OP_less, n, 0));
    if (is_signed && minus)
        minus = compose_with_axis(o, OP_unsqueeze, minus, -1);
    /* Byte k is digit k + PLACES - n, or where there is a sign the one before. */
    struct value *at = compose_range(o, d, DTYPE_I64, PLACES + 1);
    at = compose_binary(o, OP_sub, at, minus, NULL);
    struct value *from = compose_number(o, OP_add, compose_binary(o, OP_sub, at, n, NULL), PLACES);
    struct value *is_sign = to_int(o, compose_number(o, OP_less, at, 0));
    struct value *is_end = to_int(o, compose_number(o, OP_greater_or_equal, from, PLACES));
    from = from ? compose_binary(o, OP_max, from, build_number(&o->im, from, 0), NULL) : NULL;
    from =
        from ? compose_binary(o, OP_min, from, build_number(&o->im, from, PLACES - 1), NULL) : NULL;
    struct value *in[] = {text, from};
    if (!text || !from)
        return false;
    struct node *node = build_begin(&o->im, OP_gather_elements, d->name, in, 2, 1);
    ((struct gather_elements_attrs *)node->attrs)->axis = -1;
    struct value *y = build_end1(&o->im, node, NULL);
    y = selected(o, is_end, compose_scalar(o, NULL, DTYPE_I64, 0), y);
    y = selected(o, is_sign, compose_scalar(o, NULL, DTYPE_I64, '-'), y);
    return draft_finish(o, d, onnx_string(o, build_cast(&o->im, NULL, y, DTYPE_U8, NULL)));
}

bool onnx_adapt_string_cast(struct onnx *o, struct draft *d)
{
    struct draft_attr *a;
    if (!draft_need_inputs(o, d, 1) || !draft_take_kind(o, d, "to", ATTR_KIND_INT, &a))
        return false;
    int64_t to = a ? a->u.i : 0;
    bool strings = onnx_is_string(o, d->in[0]);
    if (strings && to == ONNX_STRING)
        return draft_finish(o, d, d->in[0]);
    if (to == ONNX_STRING)
        return to_string(o, d);
    if (!strings) {
        if (a)
            a->used = false;
        return true;
    }
    draft_take(d, "saturate");
    draft_take(d, "round_mode");
    if (dtype_from_code((int)to) == DTYPE_NONE)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "Cast of strings to %s is not supported",
                           onnx_type_name(o, to));
    return from_string(o, d, dtype_from_code((int)to));
}
