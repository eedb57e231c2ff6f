/*
 * fixed_point.h: real factors as a multiplier and a shift, the form in which integer kernels scale
 * (docs/numerics.md).
 *
 * factor ~= multiplier / 2^shift with |multiplier| < 2^31 and 0 <= shift <= 62.
 */
#ifndef SHEAF_IR_FIXED_POINT_H
#define SHEAF_IR_FIXED_POINT_H

#include <stddef.h>
#include <stdint.h>

enum { FIXED_POINT_MAX_BITS = 31, FIXED_POINT_MAX_SHIFT = 62 };

/*
 * n factors (finite, >= 0) under one shift: the largest gets a multiplier of `bits` significant
 * bits (1 .. 31), each is rounded to nearest, halves upwards.  There are fewer bits where the shift
 * would pass 62, and more where 2^bits is not enough for the factor.  A factor of 2^31 and more
 * becomes 2^31 - 1, shift 0; it saturates any result of 16 bits.
 */
void fixed_point_of(const double *factor, size_t n, int bits, int32_t *out_multiplier,
                    int *out_shift);

/* The factor (finite, >= 0) exactly, by its f32 significand: multiplier < 2^24 and the smallest
   shift; without one from 2^24 on, and 2^31 - 1 from 2^31 on.  A factor so small that the shift
   would pass 62 becomes 0: with it no i32 reaches a half. */
void fixed_point_exact(float factor, int32_t *out_multiplier, int *out_shift);

/* x * multiplier / 2^shift + zero_point, rounded as rescale's "up" and "even" say; not saturated.
   What the kernels compute, as plain C.  |x * multiplier| + 2^(shift-1) must be below 2^63. */
int64_t fixed_point_apply_up(int64_t x, int32_t multiplier, int shift, int64_t zero_point);
int64_t fixed_point_apply_even(int64_t x, int32_t multiplier, int shift, int64_t zero_point);

#endif
