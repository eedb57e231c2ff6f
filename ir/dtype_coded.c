/*
 * dtype_coded.c: floats of at most 8 bits: what each code stands for.  The formats with "fn" have
 * no infinities, those with "uz" also no -0, whose code is their NaN; e5m2 is like the types of
 * IEEE 754; e8m0 has powers of two alone (Open Compute Project: OFP8, MX; Graphcore's for "uz").
 */
#include <assert.h>
#include <math.h>

#include "ir/dtype.h"

struct dtype_format dtype_format(enum dtype t)
{
    static const struct dtype_format formats[DTYPE_COUNT] = {
        [DTYPE_F8E4M3FN] = {0x80, 0x7e, 0x7f, 0x7f, 3, 7},
        [DTYPE_F8E4M3FNUZ] = {0x80, 0x7f, 0x80, 0x80, 3, 8},
        [DTYPE_F8E5M2] = {0x80, 0x7b, 0x7c, 0x7e, 2, 15},
        [DTYPE_F8E5M2FNUZ] = {0x80, 0x7f, 0x80, 0x80, 2, 16},
        [DTYPE_F8E8M0] = {0, 0xfe, 0xff, 0xff, 0, 127},
        [DTYPE_F4E2M1] = {0x8, 0x7, 0x7, 0x8, 1, 1},
    };
    assert(dtype_is_coded(t));
    return formats[t];
}

bool dtype_has_minus_zero(enum dtype t)
{
    return t == DTYPE_F8E4M3FN || t == DTYPE_F8E5M2 || t == DTYPE_F4E2M1;
}

double dtype_decode(enum dtype t, unsigned code)
{
    struct dtype_format f = dtype_format(t);
    unsigned magnitude = code & ~f.sign;
    double v;
    if (magnitude > f.largest || (code == f.nan && !dtype_has_minus_zero(t)))
        v = t == DTYPE_F8E5M2 && magnitude == f.beyond ? (double)INFINITY : (double)NAN;
    else if (t == DTYPE_F8E8M0)
        v = ldexp(1, (int)code - f.bias);
    else if (magnitude >> f.mantissa == 0)
        v = ldexp(magnitude, 1 - f.bias - f.mantissa);
    else
        v = ldexp((magnitude & ((1u << f.mantissa) - 1)) + (1u << f.mantissa),
                  (int)(magnitude >> f.mantissa) - f.bias - f.mantissa);
    return code & f.sign ? -v : v;
}

unsigned dtype_encode(enum dtype t, double value)
{
    struct dtype_format f = dtype_format(t);
    if (isnan(value))
        return f.nan;
    /* The first code that is as near as any; the second of two in the middle where it is even. */
    double v = fabs(value), least = (double)INFINITY;
    unsigned nearest = v > dtype_decode(t, f.largest) ? f.largest : 0;
    for (unsigned code = 0; code <= f.largest && nearest != f.largest; code++) {
        double distance = fabs(dtype_decode(t, code) - v);
        if (distance > least)
            break;
        if (distance < least || !(code & 1))
            nearest = code;
        least = distance;
    }
    bool negative = signbit(value) && (nearest || dtype_has_minus_zero(t));
    return negative ? nearest | f.sign : nearest;
}
