/*
 * ve_lanes.h: what the values in ve_decode.def are written with.
 *
 * In a register a word is its lower half and a float its upper half.  Loops over elements are meant
 * to become the host's vector code: nothing here branches where it need not.
 */
#ifndef SHEAF_TESTS_SIM_VE_LANES_H
#define SHEAF_TESTS_SIM_VE_LANES_H

#include <math.h>
#include <stdint.h>

#include "ir/dtype.h"

static inline double f64(uint64_t u)
{
    return dtype_f64_of_bits(u);
}

static inline uint64_t bits64(double x)
{
    return dtype_bits_of_f64(x);
}

static inline float f32_up(uint64_t u)
{
    return dtype_f32_of_bits((uint32_t)(u >> 32));
}

static inline uint64_t bits32_up(float x)
{
    return (uint64_t)dtype_bits_of_f32(x) << 32;
}

static inline int32_t word(uint64_t u)
{
    return (int32_t)(uint32_t)u;
}

static inline uint64_t sign32(uint32_t u)
{
    return (uint64_t)(int64_t)(int32_t)u;
}

static inline uint64_t order(int greater, int less)
{
    return (uint64_t)(int64_t)(greater - less);
}

static inline int32_t sum32(int32_t y, int32_t z)
{
    return (int32_t)((uint32_t)y + (uint32_t)z);
}

static inline int32_t difference32(int32_t y, int32_t z)
{
    return (int32_t)((uint32_t)y - (uint32_t)z);
}

static inline int32_t product32(int32_t y, int32_t z)
{
    return (int32_t)((uint32_t)y * (uint32_t)z);
}

/* Wraps where the host would trap; by 0 nothing is said. */
static inline int64_t divide(int64_t y, int64_t z)
{
    return z == 0 ? 0 : z == -1 ? (int64_t)(0 - (uint64_t)y) : y / z;
}

static inline uint64_t leading_zeros(uint64_t z)
{
    return z ? (uint64_t)__builtin_clzll(z) : 64;
}

static inline uint64_t ones(uint64_t z)
{
    return (uint64_t)__builtin_popcountll(z);
}

static inline uint64_t reversed(uint64_t z)
{
    uint64_t r = 0;
    for (int i = 0; i < 64; i++)
        r |= (z >> i & 1) << (63 - i);
    return r;
}

static inline uint64_t swapped32(uint64_t z)
{
    return __builtin_bswap32((uint32_t)z);
}

static inline double compare_f64(double y, double z)
{
    return y > z ? 1.0 : y < z ? -1.0 : y == z ? 0.0 : (double)NAN;
}

static inline float compare_f32(float y, float z)
{
    return y > z ? 1.0F : y < z ? -1.0F : y == z ? 0.0F : NAN;
}

/* A number wins over NaN, as LLVM has it, which maps llvm.maxnum to these. */
static inline double max_f64(double y, double z)
{
    return y > z || z != z ? y : z;
}

static inline double min_f64(double y, double z)
{
    return y < z || z != z ? y : z;
}

static inline float max_f32(float y, float z)
{
    return y > z || z != z ? y : z;
}

static inline float min_f32(float y, float z)
{
    return y < z || z != z ? y : z;
}

/* The first 14 bits of the fraction; infinities and NaN stay what they are. */
static inline double rough_f64(double x)
{
    return f64(bits64(x) & ~((UINT64_C(1) << 38) - 1));
}

static inline float rough_f32(float x)
{
    return dtype_f32_of_bits(dtype_bits_of_f32(x) & ~((UINT32_C(1) << 9) - 1));
}

/* Section 5.4: ways to round.  0 is that of the program's mode, which nothing here changes: to
   nearest, ties to even. */
enum { VE_TO_ZERO = 8, VE_UP = 9, VE_DOWN = 10, VE_NEAREST = 11, VE_AWAY = 12 };

static inline double round_as(double x, unsigned mode)
{
    switch (mode) {
    case VE_TO_ZERO:
        return trunc(x);
    case VE_UP:
        return ceil(x);
    case VE_DOWN:
        return floor(x);
    case VE_AWAY:
        return round(x);
    default:
        return nearbyint(x);
    }
}

/* What does not fit becomes the nearest number that does, and NaN the least: an assumption. */
static inline int32_t to_i32(double x, unsigned mode)
{
    double r = round_as(x, mode);
    return r >= 2147483647.0 ? INT32_MAX : r >= -2147483648.0 ? (int32_t)r : INT32_MIN;
}

static inline int64_t to_i64(double x, unsigned mode)
{
    double r = round_as(x, mode);
    return r >= 9223372036854775808.0    ? INT64_MAX
           : r >= -9223372036854775808.0 ? (int64_t)r
                                         : INT64_MIN;
}

#endif
