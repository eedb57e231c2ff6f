/*
 * kernel_coded.c: floats of at most 8 bits from and to f32, by integer arithmetic on their bits and
 * exact operations of floats.
 */
#include "ir/kernel.h"

#include <math.h>

enum { F32_MANTISSA = 23, F32_BIAS = 127, F32_INFINITY = 0x7f800000, F32_NAN = 0x7fc00000 };

static kval number(struct kernel *k, int64_t v)
{
    return kernel_const_int(k, DTYPE_I32, v);
}

static kval with(struct kernel *k, enum kop op, kval a, int64_t c)
{
    return kernel_binary(k, op, a, number(k, c));
}

static kval is_equal(struct kernel *k, kval a, int64_t c)
{
    return kernel_compare(k, KOP_EQ, a, number(k, c));
}

static kval is_above(struct kernel *k, kval a, int64_t c)
{
    return kernel_compare(k, KOP_LT, number(k, c), a);
}

static kval otherwise(struct kernel *k, kval condition, int64_t then, kval v)
{
    return kernel_select(k, condition, number(k, then), v);
}

static kval scaled(struct kernel *k, kval x, int exponent)
{
    return kernel_binary(k, KOP_MUL, x, kernel_const_float(k, DTYPE_F32, ldexp(1, exponent)));
}

/* The type of as many bits that has arithmetic. */
static enum dtype bits_type(enum dtype coded)
{
    return dtype_bits(coded) == 8 ? DTYPE_U8 : DTYPE_U4;
}

/* ---- to f32 ---- */

/* The bits of the power of two; code 0 is subnormal in f32. */
static kval decode_power(struct kernel *k, kval code)
{
    kval bits = with(k, KOP_SHL, code, F32_MANTISSA);
    bits = otherwise(k, is_equal(k, code, 0), 1 << (F32_MANTISSA - 1), bits);
    return otherwise(k, is_equal(k, code, 0xff), F32_NAN, bits);
}

static kval decode_bits(struct kernel *k, enum dtype from, kval code)
{
    struct dtype_format f = dtype_format(from);
    int shift = F32_MANTISSA - f.mantissa;
    kval magnitude = with(k, KOP_AND, code, f.sign - 1);
    kval normal = with(k, KOP_SHL, magnitude, shift);
    normal = with(k, KOP_ADD, normal, (int64_t)(F32_BIAS - f.bias) << F32_MANTISSA);
    kval small = scaled(k, kernel_cast(k, DTYPE_F32, magnitude), 1 - f.bias - f.mantissa);
    kval is_small = kernel_compare(k, KOP_LT, magnitude, number(k, 1 << f.mantissa));
    kval bits = kernel_select(k, is_small, kernel_bitcast(k, DTYPE_I32, small), normal);
    if (f.largest < f.sign - 1)
        bits = otherwise(k, is_above(k, magnitude, f.largest), F32_NAN, bits);
    if (from == DTYPE_F8E5M2)
        bits = otherwise(k, is_equal(k, magnitude, f.beyond), F32_INFINITY, bits);
    if (!dtype_has_minus_zero(from))
        bits = otherwise(k, is_equal(k, code, f.sign), F32_NAN, bits);
    kval sign = with(k, KOP_AND, code, f.sign);
    return kernel_binary(k, KOP_OR, bits, with(k, KOP_SHL, sign, 32 - (int)dtype_bits(from)));
}

static kval decode(struct kernel *k, kval x)
{
    enum dtype from = kernel_inst(k, x)->type;
    kval code = kernel_cast(k, DTYPE_I32, kernel_bitcast(k, bits_type(from), x));
    kval bits = from == DTYPE_F8E8M0 ? decode_power(k, code) : decode_bits(k, from, code);
    return kernel_bitcast(k, DTYPE_F32, bits);
}

/* ---- from f32 ---- */

/* What rounding adds to the exponent of a number with these bits.  Below the smallest normal f32,
   whose exponent is 1, lies only its half, of code 0. */
static kval power_step(struct kernel *k, kval magnitude, enum kernel_round round)
{
    if (round == KERNEL_ROUND_DOWN)
        return number(k, 0);
    int64_t half = 1 << (F32_MANTISSA - 1);
    kval rest = with(k, KOP_AND, magnitude, 2 * half - 1);
    kval is_subnormal = kernel_compare(k, KOP_LT, magnitude, number(k, 2 * half));
    int64_t most = round == KERNEL_ROUND_UP ? 0 : half - 1, most_subnormal = half + most / 2;
    kval limit = otherwise(k, is_subnormal, most_subnormal, number(k, most));
    return kernel_cast(k, DTYPE_I32, kernel_compare(k, KOP_LT, limit, rest));
}

/* The sign is dropped: f8e8m0 has none. */
static kval encode_power(struct kernel *k, kval magnitude, struct kernel_encoding how)
{
    struct dtype_format f = dtype_format(DTYPE_F8E8M0);
    kval code = with(k, KOP_SHR, magnitude, F32_MANTISSA);
    code = kernel_binary(k, KOP_ADD, code, power_step(k, magnitude, how.round));
    code = otherwise(k, is_above(k, code, f.largest), how.saturate ? f.largest : f.beyond, code);
    if (!how.saturate) { /* below the smallest number, 2^-127 */
        kval too_small = kernel_compare(k, KOP_LT, magnitude, number(k, 1 << (F32_MANTISSA - 1)));
        code = otherwise(k, too_small, f.nan, code);
    }
    return code;
}

static kval encode_magnitude(struct kernel *k, enum dtype to, kval magnitude, bool saturate)
{
    struct dtype_format f = dtype_format(to);
    int shift = F32_MANTISSA - f.mantissa;
    /* To nearest even; a carry into the exponent is right. */
    kval odd = with(k, KOP_AND, with(k, KOP_SHR, magnitude, shift), 1);
    kval normal = with(k, KOP_ADD, magnitude, (1 << (shift - 1)) - 1);
    normal = with(k, KOP_SHR, kernel_binary(k, KOP_ADD, normal, odd), shift);
    normal = with(k, KOP_SUB, normal, (int64_t)(F32_BIAS - f.bias) << f.mantissa);
    kval small = scaled(k, kernel_bitcast(k, DTYPE_F32, magnitude), f.bias + f.mantissa - 1);
    small = kernel_cast(k, DTYPE_I32, kernel_unary(k, KOP_RINT, small));
    int64_t least_normal = (int64_t)(F32_BIAS + 1 - f.bias) << F32_MANTISSA;
    kval is_small = kernel_compare(k, KOP_LT, magnitude, number(k, least_normal));
    kval code = kernel_select(k, is_small, small, normal);
    return otherwise(k, is_above(k, code, f.largest), saturate ? f.largest : f.beyond, code);
}

static kval encode(struct kernel *k, enum dtype to, kval x, struct kernel_encoding how)
{
    struct dtype_format f = dtype_format(to);
    kval bits = kernel_bitcast(k, DTYPE_I32, x);
    kval magnitude = with(k, KOP_AND, bits, INT32_MAX);
    kval code = to == DTYPE_F8E8M0 ? encode_power(k, magnitude, how)
                                   : encode_magnitude(k, to, magnitude, how.saturate);
    code = otherwise(k, is_above(k, magnitude, F32_INFINITY), f.nan, code);
    if (f.sign) {
        kval sign = with(k, KOP_SHR, bits, 32 - (int)dtype_bits(to));
        sign = with(k, KOP_AND, sign, f.sign);
        if (!dtype_has_minus_zero(to))
            sign = otherwise(k, is_equal(k, code, 0), 0, sign);
        code = kernel_binary(k, KOP_OR, code, sign);
    }
    return kernel_bitcast(k, to, kernel_cast(k, bits_type(to), code));
}

/*
 * An f64 as the f32 next to it that is odd in its last bit, unless it is an f32: rounding that once
 * more gives what rounding the f64 directly would.
 */
static kval round_to_odd(struct kernel *k, kval x)
{
    kval f = kernel_cast(k, DTYPE_F32, x), back = kernel_cast(k, DTYPE_F64, f);
    kval bits = kernel_bitcast(k, DTYPE_I32, f);
    kval magnitude = with(k, KOP_AND, bits, INT32_MAX);
    kval wanted = kernel_compare(k, KOP_NE, back, x);
    wanted = kernel_binary(k, KOP_AND, wanted, is_equal(k, with(k, KOP_AND, bits, 1), 0));
    /* Infinity is beyond all types, and a NaN stays one. */
    kval is_finite = kernel_compare(k, KOP_LT, magnitude, number(k, F32_INFINITY));
    wanted = kernel_binary(k, KOP_AND, wanted, is_finite);
    kval back_size = kernel_unary(k, KOP_ABS, back), size = kernel_unary(k, KOP_ABS, x);
    kval is_away = kernel_compare(k, KOP_LT, size, back_size);
    kval step = otherwise(k, is_away, -1, number(k, 1));
    kval odd = kernel_binary(k, KOP_ADD, bits, step);
    return kernel_bitcast(k, DTYPE_F32, kernel_select(k, wanted, odd, bits));
}

kval kernel_convert(struct kernel *k, enum dtype to, kval x, struct kernel_encoding how)
{
    if (kernel_inst(k, x)->type == to)
        return x;
    if (dtype_is_coded(kernel_inst(k, x)->type))
        x = decode(k, x);
    if (!dtype_is_coded(to))
        return kernel_cast(k, to, x);
    bool wide = kernel_inst(k, x)->type == DTYPE_F64;
    return encode(k, to, wide ? round_to_odd(k, x) : kernel_cast(k, DTYPE_F32, x), how);
}
