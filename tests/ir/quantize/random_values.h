/*
 * random_values.h: values as tensors of networks hold them, for tests of histograms and
 * calibration.
 */
#ifndef SHEAF_TESTS_IR_QUANTIZE_RANDOM_VALUES_H
#define SHEAF_TESTS_IR_QUANTIZE_RANDOM_VALUES_H

#include <math.h>
#include <stddef.h>

#include "tests/support/random.h"

enum distribution {
    NORMAL,
    LAPLACE,
    UNIFORM,
    HALF_NORMAL,  /* behind a rectifier: half of the values are 0 */
    NEGATIVE,     /* the same below 0 */
    CLIPPED,      /* relu6: many values at both ends */
    SWISH,        /* x * sigmoid(x): a short side and a long one */
    HEAVY_TAILED, /* normal, of a size that varies by powers */
    FAR_FROM_ZERO,
    SPIKES, /* few values, many times each */
    N_DISTRIBUTIONS
};

/* Inside 0 .. 1, never at the ends. */
static inline double random_share(uint64_t *seed)
{
    return (random_next(seed) + 0.5) / 2147483648.0;
}

static inline double random_normal(uint64_t *seed)
{
    double radius = sqrt(-2 * log(random_share(seed)));
    return radius * cos(6.283185307179586 * random_share(seed));
}

static inline double random_of(uint64_t *seed, enum distribution d)
{
    static const double spike[] = {-3, -0.5, 0, 0.01, 1, 7.25};
    double x = random_normal(seed);
    switch (d) {
    case NORMAL:
        return x;
    case LAPLACE:
        return copysign(-log(random_share(seed)), x);
    case UNIFORM:
        return 2 * random_share(seed) - 1;
    case HALF_NORMAL:
        return x > 0 ? x : 0;
    case NEGATIVE:
        return x > 0 ? 0 : x;
    case CLIPPED:
        return fmin(fmax(4 * x, 0), 6);
    case SWISH:
        return 3 * x / (1 + exp(-3 * x));
    case HEAVY_TAILED:
        return x * exp2(2 * random_normal(seed));
    case FAR_FROM_ZERO:
        return 100 + x;
    case SPIKES:
        return spike[random_below(seed, 6)];
    case N_DISTRIBUTIONS:
        break;
    }
    return 0;
}

static inline void random_fill(uint64_t *seed, enum distribution d, double scale, float *out,
                               size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(scale * random_of(seed, d));
}

#endif
