#include "ir/dtype.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    enum sheaf_dtype code;
    unsigned bits;
    enum dtype_kind kind;
} dtype_table[DTYPE_COUNT] = {
#define DTYPE(id, text, code, bits, kind) [DTYPE_##id] = {text, code, bits, DTYPE_KIND_##kind},
#include "ir/dtype.def"
#undef DTYPE
};

const char *dtype_name(enum dtype t)
{
    assert(t < DTYPE_COUNT);
    return t == DTYPE_NONE ? "none" : dtype_table[t].name;
}

enum dtype dtype_parse(const char *text)
{
    for (int t = DTYPE_NONE + 1; t < DTYPE_COUNT; t++)
        if (!strcmp(dtype_table[t].name, text))
            return (enum dtype)t;
    return DTYPE_NONE;
}

enum dtype dtype_from_code(int64_t code)
{
    for (int t = DTYPE_NONE + 1; t < DTYPE_COUNT; t++)
        if ((int64_t)dtype_table[t].code == code)
            return (enum dtype)t;
    return DTYPE_NONE;
}

enum sheaf_dtype dtype_code(enum dtype t)
{
    assert(t != DTYPE_NONE && t < DTYPE_COUNT);
    return dtype_table[t].code;
}

unsigned dtype_bits(enum dtype t)
{
    assert(t != DTYPE_NONE && t < DTYPE_COUNT);
    return dtype_table[t].bits;
}

enum dtype_kind dtype_kind(enum dtype t)
{
    assert(t != DTYPE_NONE && t < DTYPE_COUNT);
    return dtype_table[t].kind;
}

bool dtype_is_float(enum dtype t)
{
    return dtype_kind(t) == DTYPE_KIND_FLOAT;
}

bool dtype_is_integer(enum dtype t)
{
    return dtype_kind(t) == DTYPE_KIND_INT || dtype_kind(t) == DTYPE_KIND_UINT;
}

bool dtype_is_coded(enum dtype t)
{
    return dtype_kind(t) == DTYPE_KIND_CODED;
}

int64_t dtype_bytes(enum dtype t, int64_t elems)
{
    unsigned bits = dtype_bits(t);
    assert(elems >= 0);
    return bits >= 8 ? elems * (int64_t)(bits / 8) : (elems * (int64_t)bits + 7) / 8;
}

int64_t dtype_int_min(enum dtype t)
{
    if (dtype_kind(t) != DTYPE_KIND_INT)
        return 0;
    return dtype_bits(t) == 64 ? INT64_MIN : -((int64_t)1 << (dtype_bits(t) - 1));
}

int64_t dtype_int_max(enum dtype t)
{
    if (dtype_kind(t) == DTYPE_KIND_BOOL)
        return 1;
    unsigned value_bits = dtype_bits(t) - (dtype_kind(t) == DTYPE_KIND_INT ? 1 : 0);
    return value_bits >= 63 ? INT64_MAX : ((int64_t)1 << value_bits) - 1;
}

/* v >> shift, rounded to nearest, ties to even; 1 <= shift <= 31. */
static uint32_t dtype_shift_round(uint32_t v, unsigned shift)
{
    uint32_t kept = v >> shift;
    uint32_t rest = v & (((uint32_t)1 << shift) - 1);
    uint32_t half = (uint32_t)1 << (shift - 1);
    return kept + (rest > half || (rest == half && (kept & 1)));
}

float dtype_f16_to_f32(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t exponent = (bits >> 10) & 0x1fu;
    uint32_t fraction = bits & 0x3ffu;
    if (exponent == 0x1f)
        return dtype_f32_of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent)
        return dtype_f32_of_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
    if (!fraction)
        return dtype_f32_of_bits(sign);
    /* A subnormal f16 is a normal f32: move the leading one to its implicit place. */
    exponent = 127 - 14;
    while (!(fraction & 0x400u)) {
        fraction <<= 1;
        exponent--;
    }
    return dtype_f32_of_bits(sign | exponent << 23 | (fraction & 0x3ffu) << 13);
}

uint16_t dtype_f32_to_f16(float value)
{
    uint32_t u = dtype_bits_of_f32(value);
    uint16_t sign = (uint16_t)(u >> 16 & 0x8000u);
    uint32_t magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) /* NaN: quiet, upper payload bits kept */
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    if (magnitude >= 0x47800000u) /* 2^16 and above, infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude >= 0x38800000u) /* normal in f16; a carry into the exponent is right, to infinity
                                     included */
        return (uint16_t)(sign | dtype_shift_round(magnitude - 0x38000000u, 13));
    if (magnitude < 0x33000000u) /* below half of the smallest subnormal, 2^-24 */
        return sign;
    unsigned shift = 126u - (magnitude >> 23);
    return (uint16_t)(sign | dtype_shift_round((magnitude & 0x7fffffu) | 0x800000u, shift));
}

float dtype_bf16_to_f32(uint16_t bits)
{
    return dtype_f32_of_bits((uint32_t)bits << 16);
}

uint16_t dtype_f32_to_bf16(float value)
{
    uint32_t u = dtype_bits_of_f32(value);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40u);
    return (uint16_t)dtype_shift_round(u, 16);
}

/*
 * The float next to v that is odd in its last bit, unless v is a float: rounding that once more to
 * a type of at most 22 bits of precision gives what rounding v directly would.
 */
static float dtype_round_to_odd(double v)
{
    float f = (float)v;
    if (isnan(v) || isinf(f) || (double)f == v) /* infinity: beyond every narrower type as well */
        return f;
    uint32_t u = dtype_bits_of_f32(f);
    if (u & 1)
        return f;
    /* The other neighbour of v is odd.  f and v have the same sign, also where f is zero. */
    return dtype_f32_of_bits(fabs((double)f) > fabs(v) ? u - 1 : u + 1);
}

uint16_t dtype_f64_to_f16(double value)
{
    return dtype_f32_to_f16(dtype_round_to_odd(value));
}

uint16_t dtype_f64_to_bf16(double value)
{
    return dtype_f32_to_bf16(dtype_round_to_odd(value));
}
