/*
 * kernel_gate.c: x times a gate between 0 and 1: swish, mish and the two forms of gelu.
 *
 * A product of x and a gate that is rounded to f32 first would be off by more than two units in the
 * last place, and by far more where the gate is a subnormal number or the difference of two: so all
 * is computed in f64, for f32 with polynomials of 28 bits.  At minus infinity they give NaN, as the
 * product 0 times infinity does.
 */
#include "ir/kernel_math.h"

#include <math.h>

/* erfc(a / sqrt(2)) e^(a^2 / 2) / 2 as a function of (a - 4) / (a + 4), for 0 <= a <= 39 and
   <= 14.5: beyond, e^(-a^2 / 2) is 0 in f64 and in f32 */
static const double tail_wide[] = {
    0x1.82b4bb8c94dcdp-4,   -0x1.5cf97b0ae8820p-3,  0x1.fd751a1fba4d4p-4,  -0x1.25b6aa9658c8ep-4,
    0x1.f9b05f0ef1a7cp-6,   -0x1.1644dc2ecc7f5p-7,  0x1.0a1bd42e20a2fp-11, 0x1.4eec244b7ab48p-11,
    -0x1.888dccb442974p-13, -0x1.7e24248088f14p-15, 0x1.e0a41ddfa290ep-16, 0x1.36c86578ac21ep-18,
    -0x1.20d3f899f7cf6p-18, -0x1.bc7241d72f116p-21, 0x1.63853390cc000p-21, 0x1.b4004553d9031p-23,
    -0x1.991d0127990d7p-24, -0x1.a6774c94d0ea9p-25, 0x1.68778ccb534acp-27, 0x1.3b77c28ba9524p-27,
    -0x1.2d826255aee4dp-31, -0x1.ed240384ec6eep-31};
static const double tail_narrow[] = {
    0x1.82b4bba6a3e5cp-4,   -0x1.5cf97b55b944fp-3,  0x1.fd750f7dbdbd4p-4,  -0x1.25b68d64b6f38p-4,
    0x1.f9b33a8b71e72p-6,   -0x1.164e8583c36cfp-7,  0x1.07c017bdab10dp-11, 0x1.50f3e235e5b5dp-11,
    -0x1.6bde4ceddeb34p-13, -0x1.93b90508ad4fcp-15, 0x1.7e34318923849p-17};

static kval exponential(const struct maths *m, kval x, bool wide)
{
    return wide ? math_exp(m, x) : math_exp_narrow(m, x);
}

/* x / (1 + e^-u), or where u is negative x e^u / (1 + e^u), which does not overflow. */
static kval gated(const struct maths *m, kval x, kval u, bool wide)
{
    kval minus = kernel_unary(m->k, KOP_NEG, kernel_unary(m->k, KOP_ABS, u));
    kval e = exponential(m, minus, wide);
    kval below = add(m, num(m, 1), e), is_negative = less(m, u, num(m, 0));
    return divide(m, choose(m, is_negative, mul(m, x, e), x), below);
}

/* Of a >= 0, the share of the normal distribution beyond a. */
static kval tail_of_normal(const struct maths *m, kval a, bool wide)
{
    kval four = num(m, 4);
    a = kernel_binary(m->k, KOP_MIN, num(m, 40), a);
    kval below = add(m, a, four);
    kval t = divide(m, sub(m, a, four), below);
    kval e = exponential(m, mul(m, num(m, -0.5), mul(m, a, a)), wide);
    kval series = wide ? polynomial(m, t, tail_wide, MATH_COUNT(tail_wide))
                       : polynomial(m, t, tail_narrow, MATH_COUNT(tail_narrow));
    return mul(m, e, series);
}

static kval gelu_of(const struct maths *m, kval x, bool wide)
{
    kval tail = tail_of_normal(m, kernel_unary(m->k, KOP_ABS, x), wide);
    kval rest = sub(m, num(m, 1), tail);
    return mul(m, x, choose(m, less(m, x, num(m, 0)), tail, rest));
}

/* x (1 + tanh(u)) / 2 is x / (1 + e^-2u). */
static kval gelu_tanh_of(const struct maths *m, kval x, bool wide)
{
    kval slope = add(m, mul(m, mul(m, x, x), num(m, 0.044715)), num(m, 1));
    kval twice_root = num(m, 1.5957691216057308); /* 2 sqrt(2 / pi) */
    return gated(m, x, mul(m, mul(m, twice_root, x), slope), wide);
}

/*
 * With e = e^x, tanh(log(1 + e)) is e (e + 2) / (e (e + 2) + 2).  From x = 20 on that is 1 in all
 * types, so a greater x must not overflow.
 */
static kval mish_of(const struct maths *m, kval x, bool wide)
{
    kval e = exponential(m, kernel_binary(m->k, KOP_MIN, num(m, 20), x), wide);
    kval above = mul(m, e, add(m, e, num(m, 2)));
    kval below = add(m, above, num(m, 2));
    return mul(m, x, divide(m, above, below));
}

kval kernel_gelu(struct kernel *k, kval x)
{
    return math_apply_f64(k, gelu_of, x);
}

kval kernel_gelu_tanh(struct kernel *k, kval x)
{
    return math_apply_f64(k, gelu_tanh_of, x);
}

kval kernel_mish(struct kernel *k, kval x)
{
    return math_apply_f64(k, mish_of, x);
}

kval kernel_swish(struct kernel *k, kval x, double alpha)
{
    struct maths m = math_in_f64(k);
    enum dtype type = kernel_inst(k, x)->type;
    kval wide_x = kernel_cast(k, DTYPE_F64, x);
    kval u = alpha == 1 ? wide_x : mul(&m, num(&m, alpha), wide_x);
    return kernel_cast(k, type, gated(&m, wide_x, u, type == DTYPE_F64));
}
