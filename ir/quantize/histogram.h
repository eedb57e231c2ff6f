/*
 * histogram.h: what a profile holds of one tensor: its range and how often values fall where.
 *
 * Bins have the width 2^exponent and are aligned to it: bin i counts lo <= x < hi with
 * lo = i * 2^exponent, hi = (i + 1) * 2^exponent, for i = -HISTOGRAM_SIDE .. HISTOGRAM_SIDE - 1.
 * A value outside makes the exponent grow, which joins bins pairwise, exactly.  The exponent is
 * therefore decided by the largest value alone, and the content does not depend on the order of the
 * values, nor on how they were spread over histograms that are merged.
 */
#ifndef SHEAF_IR_QUANTIZE_HISTOGRAM_H
#define SHEAF_IR_QUANTIZE_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_SIDE = 1024, /* bins on each side of zero */
    HISTOGRAM_BINS = 2 * HISTOGRAM_SIDE,
    HISTOGRAM_MIN_EXPONENT = -149 /* of the smallest f32 */
};

struct histogram {
    uint64_t count; /* values added; the sum of all bins */
    float min, max; /* of them; 0 where count is 0 */
    int exponent;   /* the smallest that holds all values; HISTOGRAM_MIN_EXPONENT where all are 0 */
    uint64_t bin[HISTOGRAM_BINS]; /* bin[i + HISTOGRAM_SIDE] is bin i */
};

void histogram_init(struct histogram *h);
/* Adds n values.  Returns the position of the first that is not finite, or n; that value and those
   after it are not added. */
size_t histogram_add(struct histogram *h, const float *x, size_t n);
/* Adds what `from` counted. */
void histogram_merge(struct histogram *h, const struct histogram *from);
/* Widens the bins to 2^exponent; not below h->exponent. */
void histogram_widen(struct histogram *h, int exponent);
/* Lower edge of bin[i]. */
double histogram_edge(const struct histogram *h, size_t i);

#endif
