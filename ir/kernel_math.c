/*
 * kernel_math.c: elementary functions made of the primitives, so that every target computes the
 * same bits.
 *
 * Each reduces its argument and evaluates a polynomial by Horner's rule, product and sum rounded
 * separately.  The coefficients are weighted minimax fits of our own (iteratively reweighted least
 * squares in 45 digits or more) over the ranges stated beside them.  Both sides of a case
 * distinction are computed and one selected: no branches, so that the code runs in vectors.  Those
 * of the other files are computed in f64, for types up to f32 with shorter polynomials, as pow is.
 *
 * f16 and bf16 are computed in f32 and rounded.  Error bounds in units in the last place of the
 * result, measured by tests/ir/test_functions.c (f32, all floats) and test_kernel_math.c (f64,
 * random arguments), subnormal results included; special values are those of C's Annex F:
 *
 *               f32   f64
 *     exp       1     1
 *     expm1     2     2
 *     log       1     1
 *     log1p     2     1
 *     tanh      1.5   2
 *     sigmoid   1.5   1.5
 *     erf       2     2
 *     pow       1     see kernel_pow
 *     sin       1     1      kernel_trig.c
 *     cos       1     1
 *     tan       1     2.5
 *     asin      1     1      kernel_arc.c
 *     acos      1     1.5
 *     atan      1     1.5
 *     sinh      1     2      kernel_hyperbolic.c
 *     cosh      1     2
 *     asinh     1     2.5
 *     acosh     1     3
 *     atanh     1     2
 *     swish     1     4      kernel_gate.c
 *     mish      1     4
 *     gelu      1     8 + x^2
 */
#include "ir/kernel_math.h"

#include <assert.h>
#include <math.h>

/* (e^r - 1 - r) / r^2 for |r| <= ln(2)/2 */
static const double exp_f32[] = {0.5, 0.166665733, 0.0416663662, 0.00836377591, 0.00139420677};
static const double exp_f64[] = {
    0x1.0000000000000p-1,  0x1.5555555555557p-3,  0x1.5555555555558p-5,  0x1.111111110ff87p-7,
    0x1.6c16c16c15072p-10, 0x1.a01a01aca037ep-13, 0x1.a01a01ad8c85ap-16, 0x1.71ddffef3adc0p-19,
    0x1.27e4cb6e1cb53p-22, 0x1.af529116e6e01p-26, 0x1.1f8d9ea21d1d2p-29};

/* The same to 28 bits of e^r */
static const double exp_narrow[] = {0x1.fffffb9481fcdp-2, 0x1.555490a12d0d5p-3,
                                    0x1.5558f4a85c51ep-5, 0x1.123a6aa7e0462p-7,
                                    0x1.6a2368fafe682p-10};

/* f32: (log(1+f) - f + f^2/2) / f^3 for sqrt(1/2) <= 1+f <= sqrt(2) */
static const double log_f32[] = {0.333333105,  -0.249999851, 0.200022742,
                                 -0.166693538, 0.142176941,  -0.123818457,
                                 0.118780926,  -0.118076608, 0.0692522153};
/* f64: (log((1+s)/(1-s)) - 2s) / s^3 as a function of s^2, the same range with s = f / (2+f) */
static const double log_f64[] = {0x1.5555555555555p-1, 0x1.9999999999e54p-2, 0x1.2492492424a97p-2,
                                 0x1.c71c7260b68a7p-3, 0x1.745cdbcd99a41p-3, 0x1.3b21148d174bfp-3,
                                 0x1.0f538d5566f62p-3, 0x1.0fb6ee418557cp-3};

/* (tanh(x)/x - 1) / x^2 as a function of x^2 for |x| <= 0.625 */
static const double tanh_f32[] = {-0.333332837, 0.133314833, -0.0537428446, 0.0206483752,
                                  -0.00571448496};
static const double tanh_f64[] = {
    -0x1.5555555555555p-2,  0x1.11111111110d3p-3,  -0x1.ba1ba1ba174fcp-5,  0x1.664f488189e40p-6,
    -0x1.226e352ab2685p-7,  0x1.d6d3c5ce27557p-9,  -0x1.7da296a4e98a6p-10, 0x1.354dba40f4c39p-11,
    -0x1.f4be3f8c0b860p-13, 0x1.91a13174a3ee1p-14, -0x1.334c52b599c54p-15, 0x1.8bf899c01ece6p-17,
    -0x1.313b7ee15cbccp-19};

/* erf(x)/x - 1 as a function of x^2 for |x| <= 1 */
static const double erf_f32[] = {0.128379166,   -0.37612626,     0.112835996,   -0.0268544015,
                                 0.00518944114, -0.000801991904, 7.88576654e-05};
static const double erf_f64[] = {
    0x1.06eba8214db69p-3,  -0x1.812746b0379e6p-2,  0x1.ce2f21a042b32p-4,  -0x1.b82ce31284e99p-6,
    0x1.565bcd0dbbfa1p-8,  -0x1.c02db3dafcbaep-11, 0x1.f9a321db9952bp-14, -0x1.f4d1e37e85037p-17,
    0x1.b9df26e656877p-20, -0x1.5f1eee1509f25p-23, 0x1.f7b6063c8dfc6p-27, -0x1.38a0b82ad6e2ep-30,
    0x1.0607a664c66fdp-34};

/* log(erfc(x)) for 1 <= x <= erfc_max, the error weighted by erfc(x) */
static const double log_erfc_f32[] = {0.000187947764, -1.12957799,    -0.633220613,
                                      -0.108417876,   0.025207866,    -0.00420443574,
                                      0.000441314682, -2.16853205e-05};
static const double log_erfc_f64[] = {
    -0x1.8c56a0b5dad25p-23, -0x1.20dd555defe1fp+0,  -0x1.45f432d2b7cecp-1,  -0x1.a4d9a37d87470p-4,
    0x1.388e599902617p-6,   0x1.28031d8616650p-12,  -0x1.d0422071a643dp-10, 0x1.511109b6de11fp-11,
    -0x1.81e96b0671072p-15, -0x1.247159af33c12p-14, 0x1.777577ff9c3f2p-15,  -0x1.13700ca3c394dp-16,
    0x1.209c6358a77e8p-18,  -0x1.c5a0689c68312p-21, 0x1.0bfbff61ed887p-23,  -0x1.d07306bb2bae6p-27,
    0x1.1772dbbe537b7p-30,  -0x1.a1c5d66a9701fp-35, 0x1.2451684bc6355p-40};

static const struct format f32_format = {
    .type = DTYPE_F32,
    .bits = DTYPE_I32,
    .mantissa = 23,
    .bias = 127,
    .ln2_hi = 0x1.62e4p-1,
    .ln2_lo = 1.42860682e-06,
    .shifter = 0x1.8p23,
    .exp_min = -104,
    .exp_max = 89,
    .min_normal = 0x1p-126,
    .rescale = 0x1p23,
    .sqrt_half = 0x3f3504f3,
    .exp = exp_f32,
    .n_exp = MATH_COUNT(exp_f32),
    .log = log_f32,
    .n_log = MATH_COUNT(log_f32),
    .tanh = tanh_f32,
    .n_tanh = MATH_COUNT(tanh_f32),
    .erf = erf_f32,
    .n_erf = MATH_COUNT(erf_f32),
    .log_erfc = log_erfc_f32,
    .n_log_erfc = MATH_COUNT(log_erfc_f32),
    .tanh_split = 0.625,
    .erfc_max = 4,
};

static const struct format f64_format = {
    .type = DTYPE_F64,
    .bits = DTYPE_I64,
    .mantissa = 52,
    .bias = 1023,
    .ln2_hi = 0x1.62e42feep-1,
    .ln2_lo = 1.90821492927058770002e-10,
    .shifter = 0x1.8p52,
    .exp_min = -746,
    .exp_max = 710,
    .min_normal = 0x1p-1022,
    .rescale = 0x1p52,
    .sqrt_half = 0x3fe6a09e667f3bcd,
    .exp = exp_f64,
    .n_exp = MATH_COUNT(exp_f64),
    .log = log_f64,
    .n_log = MATH_COUNT(log_f64),
    .tanh = tanh_f64,
    .n_tanh = MATH_COUNT(tanh_f64),
    .erf = erf_f64,
    .n_erf = MATH_COUNT(erf_f64),
    .log_erfc = log_erfc_f64,
    .n_log_erfc = MATH_COUNT(log_erfc_f64),
    .tanh_split = 0.625,
    .erfc_max = 6,
};

/* e^x as 2^n (1 + s), with |s| <= sqrt(2) - 1. */
struct exponential {
    kval n, s;
};

/*
 * e^x = 2^n e^r with |r| <= ln(2)/2.  Adding the shifter rounds x / ln 2 to n and leaves n in the
 * low bits.
 */
static struct exponential exponential_of(const struct maths *m, kval x)
{
    const struct format *f = m->f;
    kval shifted = add(m, mul(m, x, num(m, 1.4426950408889634)), num(m, f->shifter));
    kval zero_bits = kernel_bitcast(m->k, f->bits, num(m, f->shifter));
    kval n = kernel_binary(m->k, KOP_SUB, kernel_bitcast(m->k, f->bits, shifted), zero_bits);
    kval nf = sub(m, shifted, num(m, f->shifter));
    kval hi = sub(m, x, mul(m, nf, num(m, f->ln2_hi))); /* exact */
    kval lo = mul(m, nf, num(m, f->ln2_lo));
    kval r = sub(m, hi, lo);
    kval lost = sub(m, sub(m, hi, r), lo); /* hi - lo = r + lost */
    kval series = polynomial(m, r, f->exp, f->n_exp);
    kval q = mul(m, mul(m, r, r), series);
    return (struct exponential){n, add(m, r, add(m, q, lost))};
}

/* 2^(n + shift) (1 + s) in two steps, so that results from overflow down to gradual underflow round
   once. */
static kval exp_joined(const struct maths *m, struct exponential e, int64_t shift)
{
    kval p = add(m, e.s, num(m, 1));
    kval n = shift ? kernel_binary(m->k, KOP_ADD, e.n, whole(m, shift)) : e.n;
    kval half = kernel_binary(m->k, KOP_SHR, n, whole(m, 1));
    kval rest = kernel_binary(m->k, KOP_SUB, n, half);
    kval second = power_of_two(m, rest);
    return mul(m, mul(m, p, power_of_two(m, half)), second);
}

/* With `wide` for any result; without it 2^n must be normal. */
static kval exp_reduced(const struct maths *m, kval x, bool wide)
{
    struct exponential e = exponential_of(m, x);
    if (wide)
        return exp_joined(m, e, 0);
    kval p = add(m, e.s, num(m, 1));
    return mul(m, p, power_of_two(m, e.n));
}

/* x between two bounds; NaN stays NaN because min and max give their second operand then. */
static kval clamp(const struct maths *m, kval x, double lo, double hi)
{
    kval above = kernel_binary(m->k, KOP_MAX, num(m, lo), x);
    return kernel_binary(m->k, KOP_MIN, num(m, hi), above);
}

kval math_exp(const struct maths *m, kval x)
{
    return exp_reduced(m, clamp(m, x, m->f->exp_min, m->f->exp_max), true);
}

/* 2^-1023 and 2^1024 have the bits of 0 and infinity. */
kval math_exp_narrow(const struct maths *m, kval x)
{
    struct format narrow = *m->f;
    struct maths in = {m->k, &narrow};
    narrow.exp = exp_narrow;
    narrow.n_exp = MATH_COUNT(exp_narrow);
    return exp_reduced(&in, clamp(m, x, -1023 * 0.69314718055994531, 1024 * 0.69314718055994531),
                       false);
}

kval math_half_exp(const struct maths *m, kval x, bool wide)
{
    if (!wide)
        return mul(m, num(m, 0.5), exp_reduced(m, clamp(m, x, -700, 700), false));
    kval limited = clamp(m, x, m->f->exp_min, m->f->exp_max + 1);
    return exp_joined(m, exponential_of(m, limited), -1);
}

/*
 * e^x - 1 = 2 (h s + (h - 1/2)) with h = 2^(n-1): exact but for s where n is 0, and h is finite
 * even where 2^n is not.  At -40 the result is -1 in all types.
 */
static kval expm1_of(const struct maths *m, kval x)
{
    struct exponential e = exponential_of(m, clamp(m, x, -40, m->f->exp_max));
    kval h = power_of_two(m, kernel_binary(m->k, KOP_SUB, e.n, whole(m, 1)));
    kval rest = sub(m, h, num(m, 0.5));
    kval half = add(m, mul(m, h, e.s), rest);
    kval is_tiny = less(m, kernel_unary(m->k, KOP_ABS, x), num(m, 0.5 / m->f->rescale));
    return choose(m, is_tiny, x, add(m, half, half));
}

/* log(1 + f) + e ln 2, the small terms first. */
static kval log_sum(const struct maths *m, kval f, kval e)
{
    const struct format *t = m->f;
    kval hi = mul(m, e, num(m, t->ln2_hi)), lo = mul(m, e, num(m, t->ln2_lo));
    kval half_square = mul(m, num(m, 0.5), mul(m, f, f));
    if (t->type == DTYPE_F32) {
        kval cube = mul(m, mul(m, f, f), f);
        kval tail = add(m, mul(m, cube, polynomial(m, f, t->log, t->n_log)), lo);
        return add(m, hi, add(m, f, sub(m, tail, half_square)));
    }
    /* log(1+f) = f - (f^2/2 - s (f^2/2 + R)) with R = (log(1+f) - 2s) / s */
    kval s = divide(m, f, add(m, num(m, 2), f));
    kval z = mul(m, s, s);
    kval r = mul(m, z, polynomial(m, z, t->log, t->n_log));
    kval tail = add(m, mul(m, s, add(m, half_square, r)), lo);
    return sub(m, hi, sub(m, sub(m, half_square, tail), f));
}

kval math_log(const struct maths *m, kval x)
{
    const struct format *t = m->f;
    kval small = less(m, x, num(m, t->min_normal));
    kval scaled = choose(m, small, mul(m, x, num(m, t->rescale)), x);
    kval bits = kernel_bitcast(m->k, t->bits, scaled);
    kval mantissa = whole(m, t->mantissa);
    kval above = kernel_binary(m->k, KOP_SUB, bits, whole(m, t->sqrt_half));
    kval e = kernel_binary(m->k, KOP_SHR, above, mantissa);
    kval reduced = kernel_binary(m->k, KOP_SUB, bits, kernel_binary(m->k, KOP_SHL, e, mantissa));
    kval f = sub(m, kernel_bitcast(m->k, t->type, reduced), num(m, 1));
    kval ef = kernel_cast(m->k, t->type, e);
    ef = choose(m, small, sub(m, ef, num(m, t->mantissa)), ef);
    kval result = log_sum(m, f, ef);
    kval zero = num(m, 0), infinity = num(m, INFINITY);
    kval not_positive =
        choose(m, kernel_compare(m->k, KOP_EQ, x, zero), num(m, -INFINITY), num(m, NAN));
    result = choose(m, less(m, zero, x), result, not_positive);
    return choose(m, kernel_compare(m->k, KOP_EQ, x, infinity), x, result);
}

/* log(w) with w = 1 + x, and what the rounding of w has lost: (x - (w - 1)) / w. */
static kval log1p_of(const struct maths *m, kval x)
{
    kval one = num(m, 1);
    kval w = add(m, one, x);
    kval result = math_log(m, w);
    kval lost = divide(m, sub(m, x, sub(m, w, one)), w);
    kval above = less(m, num(m, 0), w), below = less(m, w, num(m, INFINITY));
    kval is_finite = kernel_binary(m->k, KOP_AND, above, below);
    result = choose(m, is_finite, add(m, result, lost), result);
    return choose(m, kernel_compare(m->k, KOP_EQ, w, one), x, result);
}

/* x + x^3 P(x^2) near 0, else 1 - 2 / (e^2x + 1). */
static kval tanh_of(const struct maths *m, kval x)
{
    const struct format *t = m->f;
    kval a = kernel_unary(m->k, KOP_ABS, x);
    kval z = mul(m, a, a);
    kval near = add(m, a, mul(m, a, mul(m, z, polynomial(m, z, t->tanh, t->n_tanh))));
    kval e = math_exp(m, add(m, a, a));
    kval far = sub(m, num(m, 1), divide(m, num(m, 2), add(m, e, num(m, 1))));
    return with_sign_of(m, choose(m, less(m, a, num(m, t->tanh_split)), near, far), x);
}

/*
 * 1 / (1 + e), or e / (1 + e), with e = e^-|x|: neither overflows, small results keep their
 * precision.  What the roundings of e and of 1 + e have lost is made good: with the quotient q =
 * a/w of the rounded ones it is (a_lost - q w_lost) / w.
 */
static kval sigmoid_of(const struct maths *m, kval x)
{
    const struct format *f = m->f;
    kval zero = num(m, 0), one = num(m, 1);
    kval minus = kernel_unary(m->k, KOP_NEG, kernel_unary(m->k, KOP_ABS, x));
    struct exponential r = exponential_of(m, clamp(m, minus, f->exp_min, f->exp_max));
    kval p = add(m, one, r.s);
    kval half = kernel_binary(m->k, KOP_SHR, r.n, whole(m, 1));
    kval first = power_of_two(m, half);
    kval second = power_of_two(m, kernel_binary(m->k, KOP_SUB, r.n, half));
    kval e = mul(m, mul(m, p, first), second);
    kval e_lost = mul(m, mul(m, sub(m, r.s, sub(m, p, one)), first), second);
    kval w = add(m, one, e);
    kval w_lost = add(m, sub(m, e, sub(m, w, one)), e_lost);
    kval is_below = less(m, x, zero);
    kval q = divide(m, choose(m, is_below, e, one), w);
    kval inverse = choose(m, is_below, sub(m, one, q), q); /* 1 / w */
    kval lost = choose(m, is_below, e_lost, zero);
    kval rest = sub(m, lost, mul(m, q, w_lost));
    return add(m, q, mul(m, rest, inverse));
}

static kval erf_of(const struct maths *m, kval x)
{
    const struct format *t = m->f;
    kval a = kernel_unary(m->k, KOP_ABS, x);
    kval near = add(m, a, mul(m, a, polynomial(m, mul(m, a, a), t->erf, t->n_erf)));
    /* Beyond erfc_max the result is 1; 1 <= a is not needed for a result that is not chosen. */
    kval limited = kernel_binary(m->k, KOP_MIN, num(m, t->erfc_max), a);
    kval erfc = exp_reduced(m, polynomial(m, limited, t->log_erfc, t->n_log_erfc), false);
    kval far = sub(m, num(m, 1), erfc);
    return with_sign_of(m, choose(m, less(m, a, num(m, 1)), near, far), x);
}

/* ---- the interface: f16 and bf16 by way of f32 ---- */

static kval apply(struct kernel *k, kval (*fn)(const struct maths *, kval), kval x)
{
    enum dtype type = kernel_inst(k, x)->type;
    assert(dtype_is_float(type));
    struct maths m = {k, type == DTYPE_F64 ? &f64_format : &f32_format};
    return kernel_cast(k, type, fn(&m, kernel_cast(k, m.f->type, x)));
}

struct maths math_in_f64(struct kernel *k)
{
    return (struct maths){k, &f64_format};
}

kval math_apply_f64(struct kernel *k, math_fn *fn, kval x)
{
    enum dtype type = kernel_inst(k, x)->type;
    assert(dtype_is_float(type));
    struct maths m = math_in_f64(k);
    return kernel_cast(k, type, fn(&m, kernel_cast(k, DTYPE_F64, x), type == DTYPE_F64));
}

kval kernel_exp(struct kernel *k, kval x)
{
    return apply(k, math_exp, x);
}

kval kernel_expm1(struct kernel *k, kval x)
{
    return apply(k, expm1_of, x);
}

kval kernel_log(struct kernel *k, kval x)
{
    return apply(k, math_log, x);
}

kval kernel_log1p(struct kernel *k, kval x)
{
    return apply(k, log1p_of, x);
}

kval kernel_tanh(struct kernel *k, kval x)
{
    return apply(k, tanh_of, x);
}

kval kernel_sigmoid(struct kernel *k, kval x)
{
    return apply(k, sigmoid_of, x);
}

kval kernel_erf(struct kernel *k, kval x)
{
    return apply(k, erf_of, x);
}

/* ---- powers ---- */

/* x^n for |n| < 64 by squaring: exact wherever the products are. */
static kval integer_power(const struct maths *m, kval x, kval y)
{
    enum { BITS = 6 };
    struct kernel *k = m->k;
    kval n = kernel_cast(k, DTYPE_I64, kernel_unary(k, KOP_ABS, y));
    kval power = num(m, 1), square = x;
    for (int bit = 0; bit < BITS; bit++) {
        kval set = kernel_binary(k, KOP_AND, n, kernel_const_index(k, 1 << bit));
        kval is_set = kernel_compare(k, KOP_NE, set, kernel_const_index(k, 0));
        power = choose(m, is_set, mul(m, power, square), power);
        if (bit + 1 < BITS)
            square = mul(m, square, square);
    }
    kval inverse = divide(m, num(m, 1), power);
    return choose(m, less(m, y, num(m, 0)), inverse, power);
}

/* |x|^y with its sign and the cases of Annex F, in f64. */
static kval pow_of(const struct maths *m, kval x, kval y, bool wide)
{
    struct kernel *k = m->k;
    kval zero = num(m, 0), one = num(m, 1), infinity = num(m, INFINITY);
    kval a = kernel_unary(k, KOP_ABS, x);
    kval t = mul(m, y, math_log(m, a));
    /* e^+-700 is far beyond what f32 holds, and needs no second step. */
    kval r = wide ? math_exp(m, t) : exp_reduced(m, clamp(m, t, -700, 700), false);

    kval half = mul(m, y, num(m, 0.5));
    kval is_whole = kernel_compare(k, KOP_EQ, kernel_unary(k, KOP_TRUNC, y), y);
    kval is_odd = kernel_compare(k, KOP_NE, kernel_unary(k, KOP_TRUNC, half), half);
    is_odd = kernel_binary(k, KOP_AND, is_whole, is_odd);
    r = with_sign_of(m, r, choose(m, is_odd, x, one));
    kval is_finite = less(m, a, infinity);
    kval root_of_negative = kernel_binary(k, KOP_AND, less(m, x, zero), is_finite);
    root_of_negative =
        kernel_binary(k, KOP_AND, root_of_negative, kernel_unary(k, KOP_NOT, is_whole));
    r = choose(m, root_of_negative, num(m, NAN), r);
    if (wide) {
        kval is_small = less(m, kernel_unary(k, KOP_ABS, y), num(m, 64));
        is_small = kernel_binary(k, KOP_AND, is_whole, is_small);
        r = choose(m, is_small, integer_power(m, x, y), r);
    }
    /* 1 to any power, any number to the power 0, and -1 to an infinite one are 1. */
    kval is_one = kernel_compare(k, KOP_EQ, x, one);
    is_one = kernel_binary(k, KOP_OR, is_one, kernel_compare(k, KOP_EQ, y, zero));
    kval endless = kernel_compare(k, KOP_EQ, kernel_unary(k, KOP_ABS, y), infinity);
    endless = kernel_binary(k, KOP_AND, endless, kernel_compare(k, KOP_EQ, a, one));
    return choose(m, kernel_binary(k, KOP_OR, is_one, endless), one, r);
}

/*
 * For types up to f32 by way of f64, so that the result is off by hardly more than its rounding.
 * In f64 itself integer powers below 64 are products, and others are off by up to 1 + |y log x|
 * units in the last place.
 */
kval kernel_pow(struct kernel *k, kval x, kval y)
{
    enum dtype type = kernel_inst(k, x)->type;
    assert(dtype_is_float(type) && kernel_inst(k, y)->type == type);
    const struct kinst *i = kernel_inst(k, y);
    if (i->op == KOP_CONST && i->imm.f == 1)
        return x;
    if (i->op == KOP_CONST && i->imm.f == 2)
        return kernel_binary(k, KOP_MUL, x, x);
    if (i->op == KOP_CONST && i->imm.f == -1)
        return kernel_binary(k, KOP_DIV, kernel_const_float(k, type, 1), x);
    struct maths m = {k, &f64_format};
    y = kernel_cast(k, DTYPE_F64, y);
    kval r = pow_of(&m, kernel_cast(k, DTYPE_F64, x), y, type == DTYPE_F64);
    return kernel_cast(k, type, r);
}
