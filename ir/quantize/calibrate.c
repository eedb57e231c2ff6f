#include "ir/quantize/calibrate.h"

#include <assert.h>
#include <math.h>

#include "ir/quantize/calibrate_search.h"

/* Whether both thresholds have to be the same number. */
static bool is_symmetric(const struct histogram *h, enum quant_schema schema)
{
    switch (schema) {
    case SCHEMA_ASYMMETRIC:
        return false;
    case SCHEMA_SYMMETRIC_WITH_UINT8:
        return h->min < 0;
    case SCHEMA_SYMMETRIC:
    case SCHEMA_SYMMETRIC_WITH_POWER2_SCALE:
        break;
    }
    return true;
}

static uint64_t values_between(const uint64_t *below, struct window w)
{
    return below[w.hi] - below[w.lo];
}

/*
 * The smallest window that holds so many of the values.  Windows that are mirrored at 0 grow on
 * both sides at once; else, for each lower end, the upper end is where it has to be, and moves up
 * only.
 */
struct window calibrate_percentile(const struct histogram *h, double percentile, bool symmetric)
{
    assert(percentile > 0 && percentile <= 100);
    uint64_t below[HISTOGRAM_BINS + 1] = {0};
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        below[i + 1] = below[i] + h->bin[i];
    /* 100 percent may be rounded to more than there are. */
    double need = fmin((double)h->count * percentile / 100, (double)h->count);
    struct window w = {HISTOGRAM_SIDE, HISTOGRAM_SIDE};
    if (symmetric) {
        while ((double)values_between(below, w) < need)
            w = (struct window){w.lo - 1, w.hi + 1};
        return w;
    }
    struct window best = {0, HISTOGRAM_BINS};
    for (w.lo = 0; w.lo <= HISTOGRAM_SIDE; w.lo++) {
        while (w.hi < HISTOGRAM_BINS && (double)values_between(below, w) < need)
            w.hi++;
        if ((double)values_between(below, w) >= need && w.hi - w.lo < best.hi - best.lo)
            best = w;
    }
    return best;
}

void calibrate(const struct histogram *h, const struct calibration_options *opt, double *out_min,
               double *out_max)
{
    bool symmetric = is_symmetric(h, opt->schema);
    *out_min = (double)h->min;
    *out_max = (double)h->max;
    if (!h->count)
        return;
    struct window w = {0, HISTOGRAM_BINS};
    switch (opt->method) {
    case CALIBRATION_NONE:
        return;
    case CALIBRATION_KL:
        if (opt->type != DTYPE_I8)
            return;
        w = calibrate_kl(h, symmetric);
        break;
    case CALIBRATION_PERCENTILE:
        w = calibrate_percentile(h, opt->percentile, symmetric);
        break;
    case CALIBRATION_MSE:
        w = calibrate_mse(h, opt, symmetric);
        break;
    }
    calibrate_cut(h, w, out_min, out_max);
}
