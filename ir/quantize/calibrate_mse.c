/*
 * calibrate_mse: thresholds by the expected squared error of rounding and clipping.
 *
 * Values are taken as spread evenly over their bin.  For thresholds, schema_params gives the steps;
 * with u = x / scale and n the step that u is stored as (rounded, then clipped), the integral of
 * the squared error from 0 to u is
 *
 *     G(u) = n / 12 + (u - n)^3 / 3        in units of scale^3
 *
 * since every whole step adds 1/12, and beyond the last one n stays and the error grows.  A bin
 * costs its count times the difference of G over its edges; the sum over bins is taken as one over
 * edges, G times how much the count drops there.
 *
 * With one threshold to choose (symmetric schemas, values on one side of 0) all bin edges are
 * tried. With two, each in turn is, while that helps: not all pairs, of which there may be a
 * million.
 */
#include <math.h>

#include "ir/quantize/calibrate_search.h"

/* Sums are taken in lanes, which compilers vectorize and which fix their order. */
enum { LANES = 4 };

struct mse {
    const struct histogram *h;
    const struct calibration_options *opt;
    /* Edges where the count changes, in bins from 0, and how far it drops there; up to whole LANES,
       with drops of 0 at the end. */
    int n_edges;
    double edge[HISTOGRAM_BINS + LANES], drop[HISTOGRAM_BINS + LANES];
};

/* To the nearest integer, |x| < 2^51: added to this, a double has no room for fractions. */
static inline double to_integer(double x)
{
    const double big = 0x1.8p52;
    return (x + big) - big;
}

static double expected_error(const struct mse *m, struct window w)
{
    double min, max;
    calibrate_cut(m->h, w, &min, &max);
    struct quant q = schema_params(m->opt->schema, m->opt->type, min, max);
    double lo = (double)(dtype_int_min(m->opt->type) - q.zero_point);
    double hi = (double)(dtype_int_max(m->opt->type) - q.zero_point);
    double scale = (double)q.scale, steps_per_bin = ldexp(1, m->h->exponent) / scale;
    double lane[LANES] = {0}, sum = 0;
    for (int first = 0; first < m->n_edges; first += LANES)
        for (int i = 0; i < LANES; i++) {
            double u = m->edge[first + i] * steps_per_bin;
            double n = to_integer(u);
            n = n < lo ? lo : n;
            n = n > hi ? hi : n;
            double r = u - n;
            lane[i] += m->drop[first + i] * (n * (1.0 / 12) + r * r * r * (1.0 / 3));
        }
    for (int i = 0; i < LANES; i++)
        sum += lane[i];
    return sum * scale * scale * scale;
}

enum ends { LOW = 1, HIGH = 2 };

static bool inside(struct window w, struct window of)
{
    return w.lo >= of.lo && w.hi <= of.hi;
}

/* Tries positions of the given ends (of both: mirrored at 0), the widest first. */
static void scan(const struct mse *m, struct window widest, enum ends ends, struct window *best,
                 double *least)
{
    struct window w = *best;
    for (int k = 0; k <= HISTOGRAM_SIDE; k++) {
        if (ends & LOW)
            w.lo = widest.lo + k;
        if (ends & HIGH)
            w.hi = widest.hi - k;
        if (w.lo > HISTOGRAM_SIDE || w.hi < HISTOGRAM_SIDE || w.lo == w.hi)
            break;
        double error = expected_error(m, w);
        if (error < *least) {
            *least = error;
            *best = w;
        }
        /* Rounding costs no more than in the best window, which is wider, so clipping alone costs
           more than that does, and will from here on.  Twice would do if zero points were exact. */
        if (error > 4 * *least && inside(w, *best))
            break;
    }
}

static void find_edges(struct mse *m)
{
    const uint64_t *bin = m->h->bin;
    for (int i = 0; i <= HISTOGRAM_BINS; i++) {
        uint64_t below = i > 0 ? bin[i - 1] : 0, above = i < HISTOGRAM_BINS ? bin[i] : 0;
        if (below == above)
            continue;
        m->edge[m->n_edges] = i - HISTOGRAM_SIDE;
        m->drop[m->n_edges++] = (double)below - (double)above;
    }
}

struct window calibrate_mse(const struct histogram *h, const struct calibration_options *opt,
                            bool symmetric)
{
    struct mse m = {.h = h, .opt = opt};
    find_edges(&m);
    struct window widest = calibrate_window(h, symmetric), best = widest;
    if (h->min >= h->max)
        return widest;
    double least = expected_error(&m, best), before;
    if (symmetric) {
        scan(&m, widest, LOW | HIGH, &best, &least);
        return best;
    }
    do {
        before = least;
        if (widest.hi > HISTOGRAM_SIDE)
            scan(&m, widest, HIGH, &best, &least);
        if (widest.lo < HISTOGRAM_SIDE)
            scan(&m, widest, LOW, &best, &least);
    } while (least < before && widest.lo < HISTOGRAM_SIDE && widest.hi > HISTOGRAM_SIDE);
    return best;
}
