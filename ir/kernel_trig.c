/*
 * kernel_trig.c: sine, cosine and tangent of any argument, in radians.
 *
 * The argument is reduced to |r| <= pi/4 and a quadrant by an exact product in integers (Payne and
 * Hanek): of x = m 2^e, a whole m, only those bits of 2/pi count that m 2^e neither makes multiples
 * of four quadrants nor leaves below the precision.  They are moved out of a table by selects, bit
 * by bit of their place, so that all arguments take one way.
 */
#include "ir/kernel_math.h"

#include <math.h>

/* 2/pi behind the binary point, 64 bits each, after as many zeros for arguments around 1. */
static const uint64_t two_over_pi[] = {
    0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041,
    0xfe5163abdebbc561, 0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e,
    0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b,
    0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab,
    0xf0cfbc209af4361d,
};
enum { TABLE_WORDS = MATH_COUNT(two_over_pi), MAX_WINDOW = 3 };

static const double half_pi = 0x1.921fb54442d18p+0, half_pi_low = 0x1.1a62633145c07p-54;
static const double half_pi_26_bits = 0x1.921fb50000000p+0, half_pi_rest = 0x1.110b460000000p-26;

/* (sin(r)/r - 1) / r^2 and (cos(r) - 1 + r^2/2) / r^4 as functions of r^2 for |r| <= pi/4, to the
   precision of f64 and to 34 bits */
static const double sin_wide[] = {-0x1.5555555555549p-3,  0x1.111111110f86dp-7,
                                  -0x1.a01a019c1039fp-13, 0x1.71de3576a7855p-19,
                                  -0x1.ae5e6578981b1p-26, 0x1.5d92cca33d05fp-33};
static const double sin_narrow[] = {-0x1.5555554cb79c5p-3, 0x1.11110894ca538p-7,
                                    -0x1.a00f9c82e3c16p-13, 0x1.6cd8158aeca9dp-19};
static const double cos_wide[] = {0x1.555555555554cp-5,  -0x1.6c16c16c15176p-10,
                                  0x1.a01a019cb10a4p-16, -0x1.27e4f809761d0p-22,
                                  0x1.1ee9eb9980296p-29, -0x1.8fae74a26745bp-37};
static const double cos_narrow[] = {0x1.5555554f4c87fp-5, -0x1.6c16b8970ad84p-10,
                                    0x1.a0111f0d4161ap-16, -0x1.242a9dc7061edp-22};

/* x without its sign as quadrant + r, where |r| <= pi/4 and r = hi + lo. */
struct reduced {
    kval quadrant; /* u64, modulo 4 */
    kval hi, lo;   /* lo 0: none, where less than f64's precision is wanted */
};

/* ---- u64 ---- */

static kval u64(const struct maths *m, uint64_t v)
{
    return kernel_const_int(m->k, DTYPE_U64, (int64_t)v);
}

static kval shl(const struct maths *m, kval a, uint64_t by)
{
    return kernel_binary(m->k, KOP_SHL, a, u64(m, by));
}

static kval shr(const struct maths *m, kval a, uint64_t by)
{
    return kernel_binary(m->k, KOP_SHR, a, u64(m, by));
}

static kval both(const struct maths *m, kval a, kval b)
{
    return kernel_binary(m->k, KOP_AND, a, b);
}

static kval either(const struct maths *m, kval a, kval b)
{
    return kernel_binary(m->k, KOP_OR, a, b);
}

/* The upper half of the 128 bits of a * b. */
static kval mul_high(const struct maths *m, kval a, kval b)
{
    kval low = u64(m, UINT32_MAX);
    kval al = both(m, a, low), ah = shr(m, a, 32), bl = both(m, b, low), bh = shr(m, b, 32);
    kval middle = shr(m, mul(m, al, bl), 32);
    middle = add(m, middle, mul(m, ah, bl));
    kval other = both(m, middle, low);
    other = shr(m, add(m, other, mul(m, al, bh)), 32);
    kval high = add(m, other, shr(m, middle, 32));
    return add(m, high, mul(m, ah, bh));
}

/* ---- reduction ---- */

/* `n` words of 2/pi from bit `at` on, which is less than 64 << `bits`. */
static void window_at(const struct maths *m, kval at, int bits, int n, kval *out)
{
    kval word[TABLE_WORDS];
    int count = n + (1 << bits);
    count = count < TABLE_WORDS ? count : TABLE_WORDS;
    for (int i = 0; i < count; i++)
        word[i] = u64(m, two_over_pi[i]);
    for (int bit = bits - 1; bit >= 0; bit--) {
        int step = 1 << bit, left = n + step;
        kval is_set = both(m, at, u64(m, UINT64_C(64) << bit));
        is_set = kernel_compare(m->k, KOP_NE, is_set, u64(m, 0));
        for (int i = 0; i < left && i + step < count; i++)
            word[i] = choose(m, is_set, word[i + step], word[i]);
        count = left < count ? left : count;
    }
    kval by = both(m, at, u64(m, 63));
    kval rest = sub(m, u64(m, 63), by);
    for (int i = 0; i < n; i++) {
        kval high = kernel_binary(m->k, KOP_SHL, word[i], by);
        kval low = kernel_binary(m->k, KOP_SHR, shr(m, word[i + 1], 1), rest);
        out[i] = either(m, high, low);
    }
}

/*
 * The top 128 bits of m W, where W are 192 bits of 2/pi of which the first counts two quadrants.
 * What lies below is less than 2^-137 quadrants; no float is as near to a multiple of pi/2 as
 * 2^-62.
 */
static void product_wide(const struct maths *m, kval mantissa, kval exponent, kval *out)
{
    kval w[MAX_WINDOW];
    window_at(m, sub(m, exponent, u64(m, 1013)), 5, 3, w);
    kval low = mul(m, mantissa, w[1]), carried = mul_high(m, mantissa, w[2]);
    out[1] = add(m, low, carried);
    kval carry = choose(m, less(m, out[1], carried), u64(m, 1), u64(m, 0));
    kval high = add(m, carry, mul(m, mantissa, w[0]));
    out[0] = add(m, high, mul_high(m, mantissa, w[1]));
}

/* The top 64 bits of m W for a mantissa of 24 bits and 128 bits of 2/pi. */
static kval product_narrow(const struct maths *m, kval mantissa, kval exponent)
{
    kval w[MAX_WINDOW];
    window_at(m, sub(m, exponent, u64(m, 1013 - 29)), 2, 2, w);
    kval short_mantissa = shr(m, mantissa, 29);
    kval low = shr(m, mul(m, short_mantissa, shr(m, w[1], 32)), 32);
    return add(m, mul(m, short_mantissa, w[0]), low);
}

/* Fraction * pi/2 * 2^-64, where the fraction are 128 bits with a sign. */
static void scale_wide(const struct maths *m, kval high, kval low, struct reduced *out)
{
    kval split = u64(m, 0x7ff); /* conversions of what lies above and below are exact */
    kval above = sub(m, high, both(m, high, split));
    kval f = kernel_cast(m->k, DTYPE_F64, kernel_cast(m->k, DTYPE_I64, above));
    kval part = mul(m, kernel_cast(m->k, DTYPE_F64, low), num(m, 0x1p-64));
    kval below = add(m, kernel_cast(m->k, DTYPE_F64, both(m, high, split)), part);
    kval sum = add(m, f, below);
    kval lost = sub(m, below, sub(m, sum, f));

    /* sum * half_pi = p + error, by Dekker's split into factors of 26 bits or so */
    kval upper = both(m, kernel_bitcast(m->k, DTYPE_U64, sum), u64(m, ~UINT64_C(0x7ffffff)));
    upper = kernel_bitcast(m->k, DTYPE_F64, upper);
    kval lower = sub(m, sum, upper);
    kval first = num(m, half_pi_26_bits), rest = num(m, half_pi_rest);
    kval p = mul(m, sum, num(m, half_pi));
    kval error = sub(m, mul(m, upper, first), p);
    error = add(m, error, mul(m, upper, rest));
    error = add(m, error, mul(m, lower, first));
    error = add(m, error, mul(m, lower, rest));
    error = add(m, error, mul(m, sum, num(m, half_pi_low)));
    error = add(m, error, mul(m, lost, num(m, half_pi)));
    kval hi = add(m, p, error);
    out->lo = mul(m, sub(m, error, sub(m, hi, p)), num(m, 0x1p-64));
    out->hi = mul(m, hi, num(m, 0x1p-64));
}

static struct reduced reduced_of(const struct maths *m, kval magnitude, bool wide)
{
    kval bits = kernel_bitcast(m->k, DTYPE_U64, magnitude);
    kval exponent = shr(m, bits, 52);
    kval mantissa = both(m, bits, u64(m, (UINT64_C(1) << 52) - 1));
    mantissa = either(m, mantissa, u64(m, UINT64_C(1) << 52));
    kval top, product[2];
    struct reduced r = {0};
    if (wide) {
        product_wide(m, mantissa, exponent, product);
        top = product[0];
        kval high = shl(m, top, 2), low = shl(m, product[1], 2);
        high = either(m, high, shr(m, product[1], 62));
        scale_wide(m, high, low, &r);
    } else {
        top = product_narrow(m, mantissa, exponent);
        kval fraction = kernel_cast(m->k, DTYPE_I64, shl(m, top, 2));
        fraction = kernel_cast(m->k, DTYPE_F64, fraction);
        r.hi = mul(m, fraction, num(m, half_pi * 0x1p-64));
    }
    r.quadrant = shr(m, add(m, top, u64(m, UINT64_C(1) << 61)), 62);

    kval is_small = less(m, magnitude, num(m, half_pi / 2));
    r.quadrant = choose(m, is_small, u64(m, 0), r.quadrant);
    r.hi = choose(m, is_small, magnitude, r.hi);
    r.lo = wide ? choose(m, is_small, num(m, 0), r.lo) : 0;
    return r;
}

/* ---- the functions ---- */

static kval sine(const struct maths *m, const struct reduced *r)
{
    kval z = mul(m, r->hi, r->hi), cube = mul(m, z, r->hi);
    if (!r->lo)
        return add(m, r->hi, mul(m, cube, polynomial(m, z, sin_narrow, MATH_COUNT(sin_narrow))));
    /* r^3 P(r^2) with its first term apart, and lo (1 - r^2/2) */
    kval rest = polynomial(m, z, sin_wide + 1, MATH_COUNT(sin_wide) - 1);
    kval half_lo = mul(m, num(m, 0.5), r->lo);
    kval small = sub(m, mul(m, z, sub(m, half_lo, mul(m, cube, rest))), r->lo);
    return sub(m, r->hi, sub(m, small, mul(m, cube, num(m, sin_wide[0]))));
}

static kval cosine(const struct maths *m, const struct reduced *r)
{
    kval z = mul(m, r->hi, r->hi), half = mul(m, num(m, 0.5), z), one = num(m, 1);
    kval w = sub(m, one, half), square = mul(m, z, z);
    if (!r->lo)
        return add(m, w, mul(m, square, polynomial(m, z, cos_narrow, MATH_COUNT(cos_narrow))));
    kval lost = sub(m, sub(m, one, w), half);
    kval tail = mul(m, square, polynomial(m, z, cos_wide, MATH_COUNT(cos_wide)));
    tail = sub(m, tail, mul(m, r->hi, r->lo));
    return add(m, w, add(m, lost, tail));
}

static kval is_odd(const struct maths *m, kval quadrant)
{
    return kernel_compare(m->k, KOP_NE, both(m, quadrant, u64(m, 1)), u64(m, 0));
}

/* magnitude with its sign turned where bit 63 of `sign` is set; NaN where x is not finite. */
static kval finish(const struct maths *m, kval value, kval sign, kval magnitude)
{
    kval bits = kernel_bitcast(m->k, DTYPE_U64, value);
    sign = both(m, sign, u64(m, UINT64_C(1) << 63));
    value = kernel_bitcast(m->k, DTYPE_F64, kernel_binary(m->k, KOP_XOR, bits, sign));
    return choose(m, less(m, magnitude, num(m, INFINITY)), value, num(m, NAN));
}

/* The sine of a number that is `more` quadrants greater than |x|, with the sign of x where that is
   none. */
static kval wave_of(const struct maths *m, kval x, bool wide, uint64_t more)
{
    kval magnitude = kernel_unary(m->k, KOP_ABS, x);
    struct reduced r = reduced_of(m, magnitude, wide);
    kval quadrant = more ? add(m, r.quadrant, u64(m, more)) : r.quadrant;
    kval s = sine(m, &r), c = cosine(m, &r);
    kval sign = shl(m, quadrant, 62);
    if (!more)
        sign = kernel_binary(m->k, KOP_XOR, sign, kernel_bitcast(m->k, DTYPE_U64, x));
    return finish(m, choose(m, is_odd(m, quadrant), c, s), sign, magnitude);
}

static kval sin_of(const struct maths *m, kval x, bool wide)
{
    return wave_of(m, x, wide, 0);
}

static kval cos_of(const struct maths *m, kval x, bool wide)
{
    return wave_of(m, x, wide, 1);
}

/* sin/cos, or in odd quadrants -cos/sin. */
static kval tan_of(const struct maths *m, kval x, bool wide)
{
    kval magnitude = kernel_unary(m->k, KOP_ABS, x);
    struct reduced r = reduced_of(m, magnitude, wide);
    kval s = sine(m, &r), c = cosine(m, &r), odd = is_odd(m, r.quadrant);
    kval above = choose(m, odd, c, s), below = choose(m, odd, s, c);
    kval sign = kernel_bitcast(m->k, DTYPE_U64, x);
    sign = kernel_binary(m->k, KOP_XOR, sign, shl(m, r.quadrant, 63));
    return finish(m, divide(m, above, below), sign, magnitude);
}

kval kernel_sin(struct kernel *k, kval x)
{
    return math_apply_f64(k, sin_of, x);
}

kval kernel_cos(struct kernel *k, kval x)
{
    return math_apply_f64(k, cos_of, x);
}

kval kernel_tan(struct kernel *k, kval x)
{
    return math_apply_f64(k, tan_of, x);
}
