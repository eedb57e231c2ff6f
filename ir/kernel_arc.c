/*
 * kernel_arc.c: inverse sine, cosine and tangent, in radians.
 */
#include "ir/kernel_math.h"

#include <math.h>

static const double half_pi = 0x1.921fb54442d18p+0, half_pi_low = 0x1.1a62633145c07p-54;

/* (asin(x)/x - 1) / x^2 as a function of x^2 for |x| <= 1/2, to the precision of f64 and to 34 bits
 */
static const double asin_wide[] = {
    0x1.5555555555578p-3, 0x1.333333332df85p-4, 0x1.6db6db72259dbp-5, 0x1.f1c71a8df47eap-6,
    0x1.6e8bdfa072b33p-6, 0x1.1c49e32daa9dcp-6, 0x1.ca20c2ef22f88p-7, 0x1.757bd774d456fp-7,
    0x1.6171df18ece64p-7, 0x1.e2de588d3ae8bp-9, 0x1.6488f29dd5d91p-6, -0x1.5946ae9f06e9fp-6,
    0x1.0bac0ef9111abp-5};
static const double asin_narrow[] = {
    0x1.5555560919358p-3, 0x1.3332a80a6ff4dp-4, 0x1.6ddb25f639a97p-5, 0x1.ed53a597b4571p-6,
    0x1.93583d8b1a6fap-6, 0x1.e987c84600095p-8, 0x1.1c33146686014p-5};

/* The same of atan for |x| <= tan(pi/8) */
static const double atan_wide[] = {
    -0x1.555555555553dp-2, 0x1.99999999958e2p-3, -0x1.24924922b0eb1p-3, 0x1.c71c70e78f401p-4,
    -0x1.745cf9091ffe8p-4, 0x1.3b111c4391224p-4, -0x1.10ebdc3c36a01p-4, 0x1.df115457c047ap-5,
    -0x1.9cdbd44b25a42p-5, 0x1.37ec76ac66f63p-5, -0x1.259b9f61ba3fcp-6};
static const double atan_narrow[] = {-0x1.555554c8558cdp-2, 0x1.99991a222e892p-3,
                                     -0x1.247f02d018857p-3, 0x1.c467b01868a5dp-4,
                                     -0x1.5b43c544f832fp-4, 0x1.84ef6874e2faep-5};

/* A number as a sum, the first of which is much the greater. */
struct sum {
    kval hi, lo;
};

/*
 * asin(|x|) up to 1/2; beyond, asin(t) with t = sqrt((1 - |x|) / 2), twice of which is acos(|x|).
 * Where that is `wide`, hi are the upper bits of t, whose square is exact, so that lo can make good
 * what the root has lost.
 */
static struct sum folded_asin(const struct maths *m, kval magnitude, kval is_near, bool wide)
{
    kval far = mul(m, num(m, 0.5), sub(m, num(m, 1), magnitude));
    kval z = choose(m, is_near, mul(m, magnitude, magnitude), far);
    kval t = choose(m, is_near, magnitude, kernel_unary(m->k, KOP_SQRT, z));
    kval series = wide ? polynomial(m, z, asin_wide, MATH_COUNT(asin_wide))
                       : polynomial(m, z, asin_narrow, MATH_COUNT(asin_narrow));
    kval rest = mul(m, t, mul(m, z, series));
    if (!wide)
        return (struct sum){t, rest};
    kval bits = kernel_bitcast(m->k, DTYPE_I64, t), mask = whole(m, ~INT64_C(0x7ffffff));
    kval upper = kernel_bitcast(m->k, DTYPE_F64, kernel_binary(m->k, KOP_AND, bits, mask));
    kval lost = sub(m, z, mul(m, upper, upper));
    kval twice = kernel_binary(m->k, KOP_MAX, num(m, m->f->min_normal), add(m, t, upper));
    lost = choose(m, is_near, num(m, 0), divide(m, lost, twice));
    kval hi = choose(m, is_near, t, upper);
    return (struct sum){hi, add(m, rest, lost)};
}

/* pi/2 times `halves`, less x. */
static kval pi_less(const struct maths *m, double halves, struct sum x)
{
    kval hi = sub(m, num(m, halves * half_pi), x.hi);
    return sub(m, hi, sub(m, x.lo, num(m, halves * half_pi_low)));
}

static struct sum twice_of(const struct maths *m, struct sum x)
{
    kval hi = add(m, x.hi, x.hi);
    return (struct sum){hi, add(m, x.lo, x.lo)};
}

static kval asin_of(const struct maths *m, kval x, bool wide)
{
    kval magnitude = kernel_unary(m->k, KOP_ABS, x);
    kval is_near = less(m, magnitude, num(m, 0.5));
    struct sum s = folded_asin(m, magnitude, is_near, wide);
    kval far = pi_less(m, 1, twice_of(m, s));
    return with_sign_of(m, choose(m, is_near, add(m, s.hi, s.lo), far), x);
}

static kval acos_of(const struct maths *m, kval x, bool wide)
{
    kval magnitude = kernel_unary(m->k, KOP_ABS, x);
    kval is_near = less(m, magnitude, num(m, 0.5));
    kval is_negative = less(m, x, num(m, 0));
    struct sum s = folded_asin(m, magnitude, is_near, wide), twice = twice_of(m, s);
    kval minus = kernel_unary(m->k, KOP_NEG, s.lo);
    kval signed_lo = choose(m, is_negative, minus, s.lo);
    kval near = pi_less(m, 1, (struct sum){x, signed_lo});
    kval above = add(m, twice.hi, twice.lo);
    kval far = choose(m, is_negative, pi_less(m, 2, twice), above);
    return choose(m, is_near, near, far);
}

/*
 * With a = |x|: beyond tan(3 pi/8) pi/2 + atan(-1 / a), beyond tan(pi/8) pi/4 + atan((a - 1) /
 * (a + 1)), else atan(a).
 */
static kval atan_of(const struct maths *m, kval x, bool wide)
{
    kval a = kernel_unary(m->k, KOP_ABS, x), one = num(m, 1), zero = num(m, 0);
    kval is_far = less(m, num(m, 2.4142135623730951), a);
    kval is_middle = less(m, num(m, 0.41421356237309503), a);
    kval above = choose(m, is_middle, sub(m, a, one), a);
    kval below = choose(m, is_middle, add(m, a, one), one);
    above = choose(m, is_far, num(m, -1), above);
    below = choose(m, is_far, a, below);
    kval t = divide(m, above, below);
    kval base = choose(m, is_middle, num(m, half_pi / 2), zero);
    kval base_low = choose(m, is_middle, num(m, half_pi_low / 2), zero);
    base = choose(m, is_far, num(m, half_pi), base);
    base_low = choose(m, is_far, num(m, half_pi_low), base_low);

    kval z = mul(m, t, t);
    kval series = wide ? polynomial(m, z, atan_wide, MATH_COUNT(atan_wide))
                       : polynomial(m, z, atan_narrow, MATH_COUNT(atan_narrow));
    kval tail = add(m, mul(m, t, mul(m, z, series)), base_low);
    return with_sign_of(m, add(m, base, add(m, t, tail)), x);
}

kval kernel_asin(struct kernel *k, kval x)
{
    return math_apply_f64(k, asin_of, x);
}

kval kernel_acos(struct kernel *k, kval x)
{
    return math_apply_f64(k, acos_of, x);
}

kval kernel_atan(struct kernel *k, kval x)
{
    return math_apply_f64(k, atan_of, x);
}
