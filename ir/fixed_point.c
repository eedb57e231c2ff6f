#include "ir/fixed_point.h"

#include <assert.h>
#include <math.h>

#include "ir/checked.h"

/* x * 2^shift to the nearest integer, halves upwards.  x + 0.5 would round itself. */
static int64_t scaled(double x, int shift)
{
    double y = ldexp(x, shift), whole = floor(y);
    return (int64_t)whole + (y - whole >= 0.5);
}

static int clamped_shift(int shift)
{
    return shift < 0 ? 0 : shift > FIXED_POINT_MAX_SHIFT ? FIXED_POINT_MAX_SHIFT : shift;
}

void fixed_point_of(const double *factor, size_t n, int bits, int32_t *out_multiplier,
                    int *out_shift)
{
    assert(bits >= 1 && bits <= FIXED_POINT_MAX_BITS);
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        assert(isfinite(factor[i]) && factor[i] >= 0);
        largest = fmax(largest, factor[i]);
    }
    int exponent;
    frexp(largest, &exponent); /* largest < 2^exponent */
    int shift = clamped_shift(bits - exponent);
    /* Rounding may carry into one more bit. */
    if (shift && scaled(largest, shift) >> bits)
        shift--;
    for (size_t i = 0; i < n; i++) {
        bool fits = factor[i] < INT32_MAX;
        out_multiplier[i] = fits ? (int32_t)scaled(factor[i], shift) : INT32_MAX;
    }
    *out_shift = shift;
}

void fixed_point_exact(float factor, int32_t *out_multiplier, int *out_shift)
{
    assert(isfinite(factor) && factor >= 0);
    int exponent;
    int64_t significand = (int64_t)ldexp(frexp((double)factor, &exponent), 24);
    int shift = 24 - exponent;
    while (shift > 0 && significand && !(significand & 1)) {
        significand >>= 1;
        shift--;
    }
    if (!significand || shift > FIXED_POINT_MAX_SHIFT) {
        significand = 0;
        shift = 0;
    } else if (shift < -7) {
        significand = INT32_MAX;
        shift = 0;
    } else if (shift < 0) {
        significand <<= -shift;
        shift = 0;
    }
    *out_multiplier = (int32_t)significand;
    *out_shift = shift;
}

int64_t fixed_point_apply_up(int64_t x, int32_t multiplier, int shift, int64_t zero_point)
{
    int64_t half = ((int64_t)1 << shift) >> 1, t = 0;
    bool fits = checked_mul(x, multiplier, &t) && checked_add(t, half, &t);
    assert(fits && shift >= 0 && shift <= FIXED_POINT_MAX_SHIFT);
    (void)fits;
    return (t >> shift) + zero_point;
}

/* To the nearest: below the half nothing is added that carries, above it always; at the half only
   where the result would be odd. */
int64_t fixed_point_apply_even(int64_t x, int32_t multiplier, int shift, int64_t zero_point)
{
    int64_t half = ((int64_t)1 << shift) >> 1, t = 0;
    bool fits = checked_mul(x, multiplier, &t) && checked_add(t, half, &half);
    assert(fits && shift >= 0 && shift <= FIXED_POINT_MAX_SHIFT);
    (void)fits;
    if (!shift)
        return t + zero_point;
    int64_t odd = ((t >> shift) + zero_point) & 1;
    return ((half - 1 + odd) >> shift) + zero_point;
}
