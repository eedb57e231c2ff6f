#include "ir/quantize/histogram.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "ir/dtype.h"

/*
 * Values are taken in blocks that stay in the first-level cache: one pass finds the range, and with
 * it the exponent, a second one the bins, both as loops that compilers vectorize; then the bins are
 * counted.  Counting goes to several tables in turn: behind a rectifier most values are 0, and an
 * increment has to wait for the one before where it changes the same counter.
 */
enum { BLOCK = 512, N_TABLES = 4, RUN = 1 << 24 };

struct counts {
    uint32_t table[N_TABLES][HISTOGRAM_BINS]; /* a run is short enough for 32 bits */
};

void histogram_init(struct histogram *h)
{
    memset(h, 0, sizeof *h);
    h->exponent = HISTOGRAM_MIN_EXPONENT;
}

double histogram_edge(const struct histogram *h, size_t i)
{
    return ldexp((double)i - HISTOGRAM_SIDE, h->exponent);
}

/* ---- exponents ---- */

/* The smallest exponent whose bins hold both. */
static int exponent_of(float min, float max)
{
    int e = HISTOGRAM_MIN_EXPONENT, side;
    if (max > 0) { /* max < 2^side */
        (void)frexpf(max, &side);
        e = side - 10 > e ? side - 10 : e;
    }
    if (min < 0) { /* -min <= 2^side: the lowest bin holds its lower edge */
        float m = frexpf(-min, &side);
        side -= m == 0.5f;
        e = side - 10 > e ? side - 10 : e;
    }
    return e;
}

_Static_assert(HISTOGRAM_SIDE == 1 << 10, "exponent_of knows the number of bins");

/* Adds bins of a width that is 2^-shift of the histogram's. */
static void add_bins(struct histogram *h, const uint64_t *bin, int shift)
{
    if (shift > 10)
        shift = 10; /* only the sign is left */
    for (int i = 0; i < HISTOGRAM_SIDE; i++) {
        /* Bin i and its mirror image -1 - i stay mirror images. */
        int to = i >> shift;
        h->bin[HISTOGRAM_SIDE + to] += bin[HISTOGRAM_SIDE + i];
        h->bin[HISTOGRAM_SIDE - 1 - to] += bin[HISTOGRAM_SIDE - 1 - i];
    }
}

void histogram_widen(struct histogram *h, int exponent)
{
    assert(exponent >= h->exponent);
    if (exponent == h->exponent)
        return;
    uint64_t old[HISTOGRAM_BINS];
    memcpy(old, h->bin, sizeof old);
    memset(h->bin, 0, sizeof h->bin);
    add_bins(h, old, exponent - h->exponent);
    h->exponent = exponent;
}

static void widen_range(struct histogram *h, float min, float max)
{
    h->min = !h->count || min < h->min ? min : h->min;
    h->max = !h->count || max > h->max ? max : h->max;
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
    if (from->exponent > h->exponent)
        histogram_widen(h, from->exponent);
    add_bins(h, from->bin, h->exponent - from->exponent);
    if (from->count)
        widen_range(h, from->min, from->max);
    h->count += from->count;
}

/* ---- adding values ---- */

/*
 * Integers in the order of the floats: -NaN, -inf, .., -0, 0, .., inf, NaN.  Their minimum and
 * maximum may be taken in any order, which lets compilers vectorize.  The map is its own inverse.
 */
static inline int32_t key_of(int32_t bits)
{
    int32_t sign = bits >> 31;
    return bits ^ (sign & INT32_MAX);
}

static inline float float_of_key(int32_t key)
{
    return dtype_f32_of_bits((uint32_t)key_of(key));
}

static inline void find_keys(const float *x, size_t n, int32_t *out_min, int32_t *out_max)
{
    int32_t min = INT32_MAX, max = INT32_MIN;
    for (size_t i = 0; i < n; i++) {
        int32_t key = key_of((int32_t)dtype_bits_of_f32(x[i]));
        min = key < min ? key : min;
        max = key > max ? key : max;
    }
    *out_min = min;
    *out_max = max;
}

/* Range of x[0 .. n-1]; false where a value is not finite. */
static bool find_range(const float *x, size_t n, float *out_min, float *out_max)
{
    int32_t min, max;
    if (n == BLOCK)
        find_keys(x, BLOCK, &min, &max); /* inlined with a constant length, it is vectorized */
    else
        find_keys(x, n, &min, &max);
    *out_min = float_of_key(min) + 0.0f; /* -0 becomes 0 */
    *out_max = float_of_key(max) + 0.0f;
    return isfinite(*out_min) && isfinite(*out_max);
}

/*
 * floor(x / width), as a position in `bin`.  1 / width may be too large for a float, so it comes as
 * two factors.  The product may only be inexact far below 1, where a comparison with the edge
 * decides; that, and the edge, are exact.
 */
static inline void find_bins(const float *x, size_t n, int exponent, int32_t *out_bin)
{
    float width = ldexpf(1, exponent);
    float factor0 = ldexpf(1, -(exponent / 2)), factor1 = ldexpf(1, -(exponent - exponent / 2));
    for (size_t i = 0; i < n; i++) {
        int32_t bin = (int32_t)(x[i] * factor0 * factor1);
        out_bin[i] = bin - (x[i] < (float)bin * width) + HISTOGRAM_SIDE;
    }
}

static void flush(struct histogram *h, struct counts *c)
{
    for (size_t t = 0; t < N_TABLES; t++)
        for (size_t i = 0; i < HISTOGRAM_BINS; i++)
            h->bin[i] += c->table[t][i];
    memset(c, 0, sizeof *c);
}

static void count_block(struct histogram *h, const float *x, struct counts *c)
{
    int32_t bin[BLOCK];
    find_bins(x, BLOCK, h->exponent, bin);
    for (size_t i = 0; i < BLOCK; i += N_TABLES)
        for (size_t t = 0; t < N_TABLES; t++)
            c->table[t][bin[i + t]]++;
}

static void count_few(struct histogram *h, const float *x, size_t n)
{
    int32_t bin[BLOCK];
    find_bins(x, n, h->exponent, bin);
    for (size_t i = 0; i < n; i++)
        h->bin[bin[i]]++;
}

/* Adds up to BLOCK values; how many, up to the first that is not finite.  c: NULL where no whole
   block comes. */
static size_t add_block(struct histogram *h, const float *x, size_t n, struct counts *c)
{
    float min, max;
    if (!find_range(x, n, &min, &max)) {
        n = 0;
        while (isfinite(x[n]))
            n++;
        if (!n)
            return 0;
        find_range(x, n, &min, &max);
    }
    int exponent = exponent_of(min, max);
    if (exponent > h->exponent) {
        if (c)
            flush(h, c);
        histogram_widen(h, exponent);
    }
    widen_range(h, min, max);
    h->count += n;
    if (n == BLOCK)
        count_block(h, x, c);
    else
        count_few(h, x, n);
    return n;
}

static size_t add_run(struct histogram *h, const float *x, size_t n)
{
    struct counts c;
    memset(&c, 0, sizeof c);
    size_t done = 0;
    while (done < n) {
        size_t part = n - done < BLOCK ? n - done : BLOCK;
        size_t added = add_block(h, x + done, part, &c);
        done += added;
        if (added < part)
            break;
    }
    flush(h, &c);
    return done;
}

size_t histogram_add(struct histogram *h, const float *x, size_t n)
{
    if (n < BLOCK)
        return n ? add_block(h, x, n, NULL) : 0;
    size_t done = 0;
    while (done < n) {
        size_t part = n - done < RUN ? n - done : RUN;
        size_t added = add_run(h, x + done, part);
        done += added;
        if (added < part)
            break;
    }
    return done;
}
