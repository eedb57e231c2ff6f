#include "ir/quantize/round_weights.h"

#include <math.h>

enum { BINS = 256 };

/* How near x is to the integer beyond its own, in direction `sign`: BINS - 1 in the middle between
   the two; -1 where it lies on the other side or there is no such integer. */
static int nearness(double x, double rounded, double sign, double lo, double hi)
{
    double error = sign * (x - rounded), other = rounded + sign;
    if (!(error > 0) || other < lo || other > hi)
        return -1;
    return (int)fmin(error * 2 * BINS, BINS - 1);
}

void round_weights(const double *x, size_t n, double lo, double hi, double *out)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        out[i] = fmin(fmax(rint(x[i]), lo), hi);
        sum += x[i] - out[i];
    }
    double wanted = fmin(fabs(rint(sum)), (double)n), sign = sum < 0 ? -1 : 1;
    if (!isfinite(sum) || wanted == 0)
        return;
    size_t count[BINS] = {0}, all = (size_t)wanted, left;
    for (size_t i = 0; i < n; i++) {
        int bin = nearness(x[i], out[i], sign, lo, hi);
        if (bin >= 0)
            count[bin]++;
    }
    /* Bins from `from` on change wholly, of that before it the first `left`. */
    int from = BINS;
    for (left = all; from > 0 && count[from - 1] <= left; left -= count[from])
        from--;
    for (size_t i = 0; i < n; i++) {
        int bin = nearness(x[i], out[i], sign, lo, hi);
        if (bin < 0 || bin < from - 1 || (bin == from - 1 && left == 0))
            continue;
        left -= bin == from - 1;
        out[i] += sign;
    }
}
