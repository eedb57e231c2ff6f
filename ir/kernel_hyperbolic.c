/*
 * kernel_hyperbolic.c: hyperbolic functions, but for tanh, and their inverses.
 */
#include "ir/kernel_math.h"

#include <math.h>

/* (f(x)/x - 1) / x^2 as functions of x^2, to the precision of f64 and to 34 bits: sinh for |x| <=
   1, asinh and atanh for |x| <= 1/2 */
static const double sinh_wide[] = {
    0x1.5555555555556p-3,  0x1.11111111110a1p-7,  0x1.a01a01a029225p-13, 0x1.71de3a45f5663p-19,
    0x1.ae646767bf705p-26, 0x1.611a39b4e17d1p-33, 0x1.b4cf963788158p-41};
static const double sinh_narrow[] = {0x1.555555182b9b3p-3, 0x1.11113626247b2p-7,
                                     0x1.9ffe113316c18p-13, 0x1.7a2691c5a7bbep-19};
static const double asinh_wide[] = {
    -0x1.5555555555541p-3, 0x1.33333333307e2p-4, -0x1.6db6db6babb53p-5, 0x1.f1c71bab64232p-6,
    -0x1.6e8b8cce80452p-6, 0x1.1c4d31f682889p-6, -0x1.c97317b2d3be9p-7, 0x1.79430aea45517p-7,
    -0x1.386ef76000a0cp-7, 0x1.e95d8965ff5e0p-8, -0x1.374934f38405cp-8, 0x1.c2cb91d5e45b7p-10};
static const double asinh_narrow[] = {-0x1.5555537dfe386p-3, 0x1.33320c88374e7p-4,
                                      -0x1.6d79229da64a4p-5, 0x1.ebc164c5b7494p-6,
                                      -0x1.476fe816c7a79p-6, 0x1.2ca3a019be9c7p-7};
static const double atanh_wide[] = {
    0x1.555555555554cp-2,  0x1.999999999b417p-3, 0x1.24924923c3633p-3,  0x1.c71c722d1a6eap-4,
    0x1.745d086447b5fp-4,  0x1.3b15182266513p-4, 0x1.10fa13f285d2cp-4,  0x1.e3f22dd9aba45p-5,
    0x1.9e4b72f3484e7p-5,  0x1.e832619573a30p-5, -0x1.62eb8c323108cp-8, 0x1.668ec8b31d2d5p-3,
    -0x1.91e8bdc8f88b8p-3, 0x1.edeb72cd7d3c7p-3};
static const double atanh_narrow[] = {
    0x1.5555552de5c77p-2, 0x1.9999c06fa721ap-3, 0x1.248bc4aa39755p-3,   0x1.c829bf474c8c3p-4,
    0x1.6875bd7448dafp-4, 0x1.8825866444edfp-4, -0x1.6f983114c7b25p-10, 0x1.6e5ef50de6fa6p-3};

/* From here on x^2 + 1 is x^2 in f64. */
static const double huge = 0x1p28;
static const double ln2 = 0x1.62e42fefa39efp-1;

static kval root(const struct maths *m, kval x)
{
    return kernel_unary(m->k, KOP_SQRT, x);
}

/* a + a z P(z) with z = a^2 */
static kval odd_series(const struct maths *m, kval a, const double *c, int n)
{
    kval z = mul(m, a, a);
    return add(m, a, mul(m, a, mul(m, z, polynomial(m, z, c, n))));
}

/* (e^a - e^-a) / 2, of which the first term overflows no earlier than the result. */
static kval sinh_of(const struct maths *m, kval x, bool wide)
{
    kval a = kernel_unary(m->k, KOP_ABS, x);
    kval near = wide ? odd_series(m, a, sinh_wide, MATH_COUNT(sinh_wide))
                     : odd_series(m, a, sinh_narrow, MATH_COUNT(sinh_narrow));
    kval h = math_half_exp(m, a, wide);
    kval far = sub(m, h, divide(m, num(m, 0.25), h));
    return with_sign_of(m, choose(m, less(m, a, num(m, 1)), near, far), x);
}

static kval cosh_of(const struct maths *m, kval x, bool wide)
{
    kval h = math_half_exp(m, kernel_unary(m->k, KOP_ABS, x), wide);
    return add(m, h, divide(m, num(m, 0.25), h));
}

/* log(a + sqrt(a^2 + 1)), which is log(2 a) where a is huge. */
static kval asinh_of(const struct maths *m, kval x, bool wide)
{
    kval a = kernel_unary(m->k, KOP_ABS, x);
    kval near = wide ? odd_series(m, a, asinh_wide, MATH_COUNT(asinh_wide))
                     : odd_series(m, a, asinh_narrow, MATH_COUNT(asinh_narrow));
    kval is_huge = less(m, num(m, huge), a);
    kval sum = add(m, a, root(m, add(m, mul(m, a, a), num(m, 1))));
    kval far = math_log(m, choose(m, is_huge, a, sum));
    far = add(m, far, choose(m, is_huge, num(m, ln2), num(m, 0)));
    return with_sign_of(m, choose(m, less(m, a, num(m, 0.5)), near, far), x);
}

/* log(1 + u) with u = t + sqrt(t (t + 2)) and t = x - 1, as log1p_of does. */
static kval acosh_of(const struct maths *m, kval x, bool wide)
{
    (void)wide;
    kval one = num(m, 1);
    kval t = sub(m, x, one);
    kval u = add(m, t, root(m, mul(m, t, add(m, t, num(m, 2)))));
    kval w = add(m, one, u);
    kval lost = divide(m, sub(m, u, sub(m, w, one)), w);
    kval is_huge = less(m, num(m, huge), x);
    kval far = math_log(m, choose(m, is_huge, x, w));
    kval result = add(m, far, choose(m, is_huge, num(m, ln2), lost));
    return choose(m, less(m, x, one), num(m, NAN), result);
}

/* log((1 + a) / (1 - a)) / 2 */
static kval atanh_of(const struct maths *m, kval x, bool wide)
{
    kval a = kernel_unary(m->k, KOP_ABS, x), one = num(m, 1), half = num(m, 0.5);
    kval near = wide ? odd_series(m, a, atanh_wide, MATH_COUNT(atanh_wide))
                     : odd_series(m, a, atanh_narrow, MATH_COUNT(atanh_narrow));
    kval above = add(m, one, a), below = sub(m, one, a);
    kval far = mul(m, half, math_log(m, divide(m, above, below)));
    return with_sign_of(m, choose(m, less(m, a, half), near, far), x);
}

kval kernel_sinh(struct kernel *k, kval x)
{
    return math_apply_f64(k, sinh_of, x);
}

kval kernel_cosh(struct kernel *k, kval x)
{
    return math_apply_f64(k, cosh_of, x);
}

kval kernel_asinh(struct kernel *k, kval x)
{
    return math_apply_f64(k, asinh_of, x);
}

kval kernel_acosh(struct kernel *k, kval x)
{
    return math_apply_f64(k, acosh_of, x);
}

kval kernel_atanh(struct kernel *k, kval x)
{
    return math_apply_f64(k, atanh_of, x);
}
