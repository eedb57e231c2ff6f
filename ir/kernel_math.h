/*
 * kernel_math.h: what the files of elementary functions share (kernel_math.c, kernel_arc.c,
 * kernel_gate.c, kernel_hyperbolic.c, kernel_trig.c); nobody else includes it.
 */
#ifndef SHEAF_IR_KERNEL_MATH_H
#define SHEAF_IR_KERNEL_MATH_H

#include "ir/kernel.h"

/* ln 2 in two parts: the first has so few bits that its product with any exponent is exact. */
struct format {
    enum dtype type, bits; /* bits: the signed integer of the same width */
    int mantissa;          /* stored bits */
    int64_t bias;
    double ln2_hi, ln2_lo;
    double shifter;             /* 1.5 * 2^mantissa: adding it rounds to an integer */
    double exp_min, exp_max;    /* beyond, exp is 0 and infinite */
    double min_normal, rescale; /* rescale: 2^mantissa */
    int64_t sqrt_half;          /* bits of sqrt(1/2) */
    const double *exp, *log, *tanh, *erf, *log_erfc;
    int n_exp, n_log, n_tanh, n_erf, n_log_erfc;
    double tanh_split, erfc_max;
};

/* ---- short names for what formulas are made of ---- */

struct maths {
    struct kernel *k;
    const struct format *f;
};

static inline kval num(const struct maths *m, double v)
{
    return kernel_const_float(m->k, m->f->type, v);
}

static inline kval whole(const struct maths *m, int64_t v)
{
    return kernel_const_int(m->k, m->f->bits, v);
}

static inline kval add(const struct maths *m, kval a, kval b)
{
    return kernel_binary(m->k, KOP_ADD, a, b);
}

static inline kval sub(const struct maths *m, kval a, kval b)
{
    return kernel_binary(m->k, KOP_SUB, a, b);
}

static inline kval mul(const struct maths *m, kval a, kval b)
{
    return kernel_binary(m->k, KOP_MUL, a, b);
}

static inline kval divide(const struct maths *m, kval a, kval b)
{
    return kernel_binary(m->k, KOP_DIV, a, b);
}

static inline kval less(const struct maths *m, kval a, kval b)
{
    return kernel_compare(m->k, KOP_LT, a, b);
}

static inline kval choose(const struct maths *m, kval c, kval a, kval b)
{
    return kernel_select(m->k, c, a, b);
}

#define MATH_COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

/* Coefficients: the constant one first. */
static inline kval polynomial(const struct maths *m, kval x, const double *c, int n)
{
    kval p = num(m, c[n - 1]);
    for (int i = n - 2; i >= 0; i--)
        p = add(m, mul(m, p, x), num(m, c[i]));
    return p;
}

/* magnitude (which is not negative) with the sign of x, zeros included. */
static inline kval with_sign_of(const struct maths *m, kval magnitude, kval x)
{
    enum dtype bits = m->f->bits;
    kval mask = kernel_const_int(m->k, bits, dtype_int_min(bits));
    kval sign = kernel_binary(m->k, KOP_AND, kernel_bitcast(m->k, bits, x), mask);
    kval all = kernel_binary(m->k, KOP_OR, kernel_bitcast(m->k, bits, magnitude), sign);
    return kernel_bitcast(m->k, m->f->type, all);
}

/* 2^n for an integer n of a normal result. */
static inline kval power_of_two(const struct maths *m, kval n)
{
    kval biased = kernel_binary(m->k, KOP_ADD, n, whole(m, m->f->bias));
    kval bits = kernel_binary(m->k, KOP_SHL, biased, whole(m, m->f->mantissa));
    return kernel_bitcast(m->k, m->f->type, bits);
}

/* ---- kernel_math.c ---- */

/* e^x / 2, which overflows later than e^x does.  `wide`: to the type's own precision and range,
   else within e^+-700. */
kval math_half_exp(const struct maths *m, kval x, bool wide);
kval math_exp(const struct maths *m, kval x);
/* In f64, to 28 bits; below its normal numbers 0. */
kval math_exp_narrow(const struct maths *m, kval x);
kval math_log(const struct maths *m, kval x);

/*
 * fn of x in f64, whatever float x is: the result of a lesser type is then off by hardly more than
 * its rounding.  Where x is of f64 itself fn gets `wide`, and owes f64's precision; else 32 bits
 * will do.
 */
typedef kval math_fn(const struct maths *m, kval x, bool wide);
kval math_apply_f64(struct kernel *k, math_fn *fn, kval x);
struct maths math_in_f64(struct kernel *k);

#endif
