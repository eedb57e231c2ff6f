/*
 * ptx_float.h: formats of 16 bits and tf32, as bits; NaN, minimum and maximum as the PTX ISA has
 * them.  Without branches where they stand in loops over lanes, so that compilers make vectors.
 */
#ifndef SHEAF_TESTS_SIM_PTX_FLOAT_H
#define SHEAF_TESTS_SIM_PTX_FLOAT_H

#include <math.h>
#include <stdint.h>

#include "ir/dtype.h"

/* The product scales the exponent, subnormal numbers included; 0x77800000 is 2^112. */
static inline float ptx_from_f16(uint16_t h)
{
    uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
    uint32_t u = dtype_bits_of_f32(dtype_f32_of_bits(magnitude) * dtype_f32_of_bits(0x77800000));
    u = magnitude >= 0x0f800000 ? magnitude | 0x7f800000 : u;
    return dtype_f32_of_bits(u | (uint32_t)(h & 0x8000) << 16);
}

/* To nearest, ties to even. */
static inline uint16_t ptx_to_f16(float x)
{
    uint32_t u = dtype_bits_of_f32(x), magnitude = u & 0x7fffffff;
    uint32_t normal = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
    /* Below 2^-14 the sum with 0.5 rounds at the last bit that f16 has there. */
    uint32_t small = dtype_bits_of_f32(dtype_f32_of_bits(magnitude) + 0.5f) - 0x3f000000;
    uint32_t r = magnitude < 0x38800000 ? small : normal;
    r = magnitude >= 0x477ff000 ? 0x7c00 : r;
    r = magnitude > 0x7f800000 ? 0x7fff : r;
    return (uint16_t)(r | (u >> 16 & 0x8000));
}

static inline float ptx_from_bf16(uint16_t h)
{
    return dtype_f32_of_bits((uint32_t)h << 16);
}

static inline uint16_t ptx_to_bf16(float x)
{
    uint32_t u = dtype_bits_of_f32(x);
    uint32_t r = (u + 0x7fff + (u >> 16 & 1)) >> 16;
    return (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? 0x7fff : r);
}

/* To nearest, ties away from zero: the only way that sm_80 has. */
static inline uint32_t ptx_to_tf32(float x)
{
    uint32_t u = dtype_bits_of_f32(x);
    uint32_t r = (u + 0x1000) & 0xffffe000;
    return (u & 0x7fffffff) > 0x7f800000 ? 0x7fffffff : (u & 0x7f800000) == 0x7f800000 ? u : r;
}

/* Rounded to odd, so that a further rounding to fewer bits is right. */
static inline float ptx_round_odd(double x)
{
    float f = (float)x;
    uint32_t u = dtype_bits_of_f32(f);
    if (f != f || (double)f == x)
        return f;
    if (fabs((double)f) > fabs(x))
        u--;
    return dtype_f32_of_bits(u | 1);
}

/* The lesser, -0 being less than 0; the other one where one is NaN. */
static inline float ptx_min_f32(float a, float b)
{
    float least = a < b   ? a
                  : a > b ? b
                          : dtype_f32_of_bits(dtype_bits_of_f32(a) | dtype_bits_of_f32(b));
    least = a != a ? b : b != b ? a : least;
    return a != a && b != b ? dtype_f32_of_bits(0x7fffffff) : least;
}

static inline float ptx_max_f32(float a, float b)
{
    float most = a > b   ? a
                 : a < b ? b
                         : dtype_f32_of_bits(dtype_bits_of_f32(a) & dtype_bits_of_f32(b));
    most = a != a ? b : b != b ? a : most;
    return a != a && b != b ? dtype_f32_of_bits(0x7fffffff) : most;
}

static inline double ptx_min_f64(double a, double b)
{
    double least = a < b   ? a
                   : a > b ? b
                           : dtype_f64_of_bits(dtype_bits_of_f64(a) | dtype_bits_of_f64(b));
    return a != a ? b : b != b ? a : least;
}

static inline double ptx_max_f64(double a, double b)
{
    double most = a > b   ? a
                  : a < b ? b
                          : dtype_f64_of_bits(dtype_bits_of_f64(a) & dtype_bits_of_f64(b));
    return a != a ? b : b != b ? a : most;
}

#endif
