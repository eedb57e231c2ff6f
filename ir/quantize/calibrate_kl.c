/*
 * calibrate_kl: thresholds by information lost (Migacz, "8-bit inference with TensorRT", 2017).
 *
 * A window of n bins is compared with what 255 steps keep of it.  P is the counts in the window,
 * with all that lies outside added to the bins at its ends; Q is the counts in the window alone,
 * cut into 255 groups, bin j in group floor(j * 255 / n), each spread evenly over those bins of its
 * group that hold values.  A bin of P or Q without values counts KL_EPSILON values.  The window
 * with the least KL(P | Q) = sum p log(p / q), both divided by their sums, wins.
 *
 * Windows shrink from that of all values down to 255 bins: at both ends where the schema is
 * symmetric, else by the end bin that holds less (of equals the one farther from 0, then the upper
 * one), never past 0, which is representable always.
 *
 * The bin above 0 counts no more than the larger of its neighbours.  What it holds beyond is the
 * exact zeros behind a rectifier; every range represents those, and spread over a group they would
 * make the narrowest window win.
 *
 * With sums over prefixes a window costs 255 steps instead of n, which makes the whole O(bins *
 * 255): sum p log p is known but for the ends, and q is the same over a group.
 */
#include <math.h>

#include "ir/quantize/calibrate_search.h"

enum { KL_STEPS = 255 };
#define KL_EPSILON 1e-4
/* Divergences that differ by less are equal; the wider window is taken. */
#define KL_NOISE 1e-10

/* Of the bins below i: */
struct prefixes {
    double count[HISTOGRAM_BINS];
    double sum[HISTOGRAM_BINS + 1];
    double entropy[HISTOGRAM_BINS + 1]; /* sum of c log c */
    int filled[HISTOGRAM_BINS + 1];     /* bins with values */
};

static double x_log_x(double x)
{
    return x > 0 ? x * log(x) : 0;
}

static void make_prefixes(const struct histogram *h, struct prefixes *out)
{
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        out->count[i] = (double)h->bin[i];
    double *zero = &out->count[HISTOGRAM_SIDE];
    zero[0] = fmin(zero[0], fmax(zero[-1], zero[1]));
    out->sum[0] = out->entropy[0] = 0;
    out->filled[0] = 0;
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        double c = out->count[i];
        out->sum[i + 1] = out->sum[i] + c;
        out->entropy[i + 1] = out->entropy[i] + x_log_x(c);
        out->filled[i + 1] = out->filled[i] + (c > 0);
    }
}

/* log of Q in the group of bins first .. end - 1. */
static double log_of_group(const struct prefixes *p, int first, int end)
{
    return log((p->sum[end] - p->sum[first]) / (p->filled[end] - p->filled[first]));
}

/* Sum of count * log q over the window. */
static double sum_log_q(const struct prefixes *p, struct window w)
{
    int n = w.hi - w.lo;
    double sum = 0;
    for (int g = 0, first = w.lo; g < KL_STEPS; g++) {
        int end = w.lo + ((g + 1) * n + KL_STEPS - 1) / KL_STEPS;
        int filled = p->filled[end] - p->filled[first];
        if (filled == 1)
            sum += p->entropy[end] - p->entropy[first];
        else if (filled > 1)
            sum += (p->sum[end] - p->sum[first]) * log_of_group(p, first, end);
        first = end;
    }
    return sum;
}

/* What moving `outside` values into the end bin `at` adds to sum p log p - sum p log q; the bin's
   group is first .. end - 1. */
static double divergence_of_end(const struct prefixes *p, int at, double outside, int first,
                                int end)
{
    if (outside <= 0)
        return 0;
    double c = p->count[at];
    double log_q = c > 0 ? log_of_group(p, first, end) : log(KL_EPSILON);
    return x_log_x(c + outside) - x_log_x(c) - outside * log_q;
}

static double divergence(const struct prefixes *p, struct window w)
{
    int n = w.hi - w.lo, group = (n + KL_STEPS - 1) / KL_STEPS;
    int last_group = w.lo + ((KL_STEPS - 1) * n + KL_STEPS - 1) / KL_STEPS;
    double below = p->sum[w.lo], above = p->sum[HISTOGRAM_BINS] - p->sum[w.hi];
    double sum = p->entropy[w.hi] - p->entropy[w.lo] - sum_log_q(p, w);
    sum += divergence_of_end(p, w.lo, below, w.lo, w.lo + group);
    sum += divergence_of_end(p, w.hi - 1, above, last_group, w.hi);

    int empty_q = n - (p->filled[w.hi] - p->filled[w.lo]), empty_p = empty_q;
    empty_p -= p->count[w.lo] <= 0 && below > 0;
    empty_p -= p->count[w.hi - 1] <= 0 && above > 0;
    double sum_p = p->sum[HISTOGRAM_BINS] + empty_p * KL_EPSILON;
    double sum_q = p->sum[w.hi] - p->sum[w.lo] + empty_q * KL_EPSILON;
    return sum / sum_p + log(sum_q / sum_p);
}

static bool shrink(const struct prefixes *p, bool symmetric, struct window *w)
{
    if (w->hi - w->lo - (symmetric ? 2 : 1) < KL_STEPS)
        return false;
    int left = HISTOGRAM_SIDE - w->lo, right = w->hi - HISTOGRAM_SIDE;
    double low = p->count[w->lo], high = p->count[w->hi - 1];
    if (symmetric || right == 0 || (left > 0 && (low < high || (low == high && left > right)))) {
        w->lo++;
        w->hi -= symmetric;
    } else {
        w->hi--;
    }
    return true;
}

struct window calibrate_kl(const struct histogram *h, bool symmetric)
{
    struct prefixes p;
    make_prefixes(h, &p);
    struct window w = calibrate_window(h, symmetric), best = w;
    if (w.hi - w.lo < KL_STEPS || p.sum[HISTOGRAM_BINS] <= 0)
        return w;
    double least = divergence(&p, w);
    while (shrink(&p, symmetric, &w)) {
        double d = divergence(&p, w);
        if (d < least - KL_NOISE) {
            least = d;
            best = w;
        }
    }
    return best;
}
