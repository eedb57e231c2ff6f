#include "ir/quantize/calibrate.h"

#include <assert.h>

#include "ir/quantize/calibrate_search.h"

bool calibrate_symmetric(const struct histogram *h, enum quant_schema schema)
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

struct window calibrate_window(const struct histogram *h, bool symmetric)
{
    struct window w = {0, HISTOGRAM_BINS};
    while (w.lo < HISTOGRAM_SIDE && !h->bin[w.lo])
        w.lo++;
    while (w.hi > HISTOGRAM_SIDE && !h->bin[w.hi - 1])
        w.hi--;
    if (symmetric && HISTOGRAM_BINS - w.hi < w.lo)
        w.lo = HISTOGRAM_BINS - w.hi;
    else if (symmetric)
        w.hi = HISTOGRAM_BINS - w.lo;
    return w;
}

static double between(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

void calibrate_cut(const struct histogram *h, struct window w, double *out_min, double *out_max)
{
    double lo = histogram_edge(h, (size_t)w.lo), hi = histogram_edge(h, (size_t)w.hi);
    *out_min = between((double)h->min, lo, hi);
    *out_max = between((double)h->max, lo, hi);
}

/*
 * The smallest window that holds `need` values.  Windows that are mirrored at 0 grow on both sides
 * at once; else, for each lower end, the upper end is where it has to be, and moves up only.
 */
static uint64_t values_between(const uint64_t *below, struct window w)
{
    return below[w.hi] - below[w.lo];
}

struct window calibrate_percentile(const struct histogram *h, double percentile, bool symmetric)
{
    assert(percentile > 0 && percentile <= 100);
    uint64_t below[HISTOGRAM_BINS + 1] = {0};
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        below[i + 1] = below[i] + h->bin[i];
    double need = (double)h->count * percentile / 100;
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
    bool symmetric = calibrate_symmetric(h, opt->schema);
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
