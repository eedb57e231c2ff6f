/*
 * calibrate_search.h: the searches for thresholds behind calibrate().  Each gets a histogram with
 * values in it.
 */
#ifndef SHEAF_IR_QUANTIZE_CALIBRATE_SEARCH_H
#define SHEAF_IR_QUANTIZE_CALIBRATE_SEARCH_H

#include "ir/quantize/calibrate.h"

/* A window of bins: the positions lo .. hi - 1 of histogram.bin, with the edge 0 in or at it:
   lo <= HISTOGRAM_SIDE <= hi. */
struct window {
    int lo, hi;
};

/* ---- calibrate_window.c ---- */

/* The smallest window with all values; mirrored at 0 where `symmetric`. */
struct window calibrate_window(const struct histogram *h, bool symmetric);
/* The values' range, cut to the window. */
void calibrate_cut(const struct histogram *h, struct window w, double *out_min, double *out_max);

/* ---- searches ---- */

struct window calibrate_kl(const struct histogram *h, bool symmetric);
struct window calibrate_percentile(const struct histogram *h, double percentile, bool symmetric);
struct window calibrate_mse(const struct histogram *h, const struct calibration_options *opt,
                            bool symmetric);

#endif
