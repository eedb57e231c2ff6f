/*
 * Windows of a histogram's bins: what the searches for thresholds start from, and what ranges they
 * mean.
 */
#include "ir/quantize/calibrate_search.h"

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
