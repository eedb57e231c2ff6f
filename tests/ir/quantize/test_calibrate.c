/*
 * Calibration: KL thresholds against a second implementation that is written straight from the
 * formula, MSE thresholds against all thresholds with the error of each bin by the definition,
 * percentiles by hand; what must hold of every method.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/quantize/calibrate.h"
#include "tests/ir/quantize/random_values.h"
#include "tests/support/support.h"

enum { MAX_VALUES = 100000, SIDE = HISTOGRAM_SIDE, BINS = HISTOGRAM_BINS };

static float values[MAX_VALUES];

struct range {
    double min, max;
};

static struct range calibrated(const struct histogram *h, enum calibration method,
                               enum quant_schema schema)
{
    const struct calibration_options opt = {method, 99.99, schema, DTYPE_I8};
    struct range r = {NAN, NAN};
    calibrate(h, &opt, &r.min, &r.max);
    assert_true(r.min <= r.max && r.min >= fmin(h->min, 0) && r.max <= fmax(h->max, 0));
    return r;
}

static struct range cut(const struct histogram *h, int lo, int hi)
{
    double a = histogram_edge(h, (size_t)lo), b = histogram_edge(h, (size_t)hi);
    return (struct range){fmin(fmax((double)h->min, a), b), fmin(fmax((double)h->max, a), b)};
}

static bool symmetric(const struct histogram *h, enum quant_schema schema)
{
    return schema == SCHEMA_SYMMETRIC || schema == SCHEMA_SYMMETRIC_WITH_POWER2_SCALE ||
           (schema == SCHEMA_SYMMETRIC_WITH_UINT8 && h->min < 0);
}

static struct histogram of(const float *x, size_t n)
{
    struct histogram h;
    histogram_init(&h);
    assert_int_equal(histogram_add(&h, x, n), n);
    return h;
}

static struct histogram sample(uint64_t *seed, enum distribution d, size_t n)
{
    random_fill(seed, d, ldexp(1 + random_share(seed), random_below(seed, 20) - 10), values, n);
    return of(values, n);
}

/* Any counts below 2^bits, in bins from .. to - 1; one in `every` holds values. */
static struct histogram random_counts(uint64_t *seed, int from, int to, int every, int bits)
{
    struct histogram h;
    histogram_init(&h);
    h.exponent = random_below(seed, 20) - 10;
    for (int i = from; i < to; i++)
        if (random_below(seed, every) == 0)
            h.bin[i] = (uint64_t)random_next(seed) >> (31 - 1 - random_below(seed, bits));
    h.bin[from] += h.bin[to - 1] == 0;
    h.bin[to - 1] += h.bin[to - 1] == 0;
    for (int i = from; i < to; i++)
        h.count += h.bin[i];
    h.min = (float)histogram_edge(&h, (size_t)from);
    h.max = (float)(histogram_edge(&h, (size_t)to) - ldexp(0.25, h.exponent));
    return h;
}

/* Gives a histogram of positive values the same below 0. */
static void mirror(struct histogram *h)
{
    for (int i = 0; i < SIDE; i++)
        h->bin[i] = h->bin[BINS - 1 - i];
    h->min = -h->max;
    h->count *= 2;
}

/* ---- KL, from the formula ---- */

static double divergence(const double *count, int lo, int hi)
{
    static double p[BINS], q[BINS];
    int n = hi - lo;
    memset(p, 0, sizeof p);
    for (int i = 0; i < BINS; i++)
        p[i < lo ? 0 : i >= hi ? n - 1 : i - lo] += count[i];
    for (int i = 0, end; i < n; i = end) {
        double sum = 0, filled = 0;
        for (end = i; end < n && end * 255 / n == i * 255 / n; end++) {
            sum += count[lo + end];
            filled += count[lo + end] > 0;
        }
        for (int j = i; j < end; j++)
            q[j] = count[lo + j] > 0 ? sum / filled : 0;
    }
    double sum_p = 0, sum_q = 0, kl = 0;
    for (int i = 0; i < n; i++) {
        p[i] = p[i] > 0 ? p[i] : 1e-4;
        q[i] = q[i] > 0 ? q[i] : 1e-4;
        sum_p += p[i];
        sum_q += q[i];
    }
    for (int i = 0; i < n; i++)
        kl += p[i] / sum_p * log(p[i] / sum_p / (q[i] / sum_q));
    return kl;
}

struct kl_window {
    int lo, hi;
    double divergence;
};

/* The end bin to drop: -1 the lower, 1 the upper. */
static int side_to_drop(const double *count, int lo, int hi)
{
    if (lo == SIDE || hi == SIDE)
        return lo == SIDE ? 1 : -1;
    if (count[lo] != count[hi - 1])
        return count[lo] < count[hi - 1] ? -1 : 1;
    return SIDE - lo > hi - SIDE ? -1 : 1;
}

/* All windows, the widest first. */
static int kl_windows(const struct histogram *h, bool mirrored, struct kl_window *out)
{
    double count[BINS];
    int lo = SIDE, hi = SIDE, n = 0;
    for (int i = 0; i < BINS; i++) {
        count[i] = (double)h->bin[i];
        if (count[i] > 0) {
            lo = i < lo ? i : lo;
            hi = i >= hi ? i + 1 : hi;
        }
    }
    count[SIDE] = fmin(count[SIDE], fmax(count[SIDE - 1], count[SIDE + 1]));
    if (mirrored) {
        int half = SIDE - lo > hi - SIDE ? SIDE - lo : hi - SIDE;
        lo = SIDE - half;
        hi = SIDE + half;
    }
    do {
        out[n++] = (struct kl_window){lo, hi, divergence(count, lo, hi)};
        int side = mirrored ? 0 : side_to_drop(count, lo, hi);
        lo += side <= 0;
        hi -= side >= 0;
    } while (hi - lo >= 255);
    return n;
}

/* What calibrate() chose is the first of the reference's best windows, up to rounding. */
static void check_kl(const struct histogram *h, enum quant_schema schema)
{
    static struct kl_window w[BINS];
    struct range got = calibrated(h, CALIBRATION_KL, schema);
    int n = kl_windows(h, symmetric(h, schema), w), chosen = -1;
    double least = INFINITY;
    for (int i = 0; i < n; i++)
        least = fmin(least, w[i].divergence);
    for (int i = 0; i < n && chosen < 0; i++) {
        struct range r = cut(h, w[i].lo, w[i].hi);
        if (r.min == got.min && r.max == got.max)
            chosen = i;
    }
    assert_true(chosen >= 0);
    assert_true(w[chosen].divergence <= least + 1e-9);
    for (int i = 0; i < chosen; i++)
        assert_true(w[i].divergence >= w[chosen].divergence - 1e-9);
}

static void check_kl_of_all_schemas(const struct histogram *h)
{
    check_kl(h, SCHEMA_ASYMMETRIC);
    check_kl(h, SCHEMA_SYMMETRIC);
    check_kl(h, SCHEMA_SYMMETRIC_WITH_UINT8);
}

static void test_kl_of_distributions(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int d = 0; d < N_DISTRIBUTIONS; d++) {
        struct histogram h = sample(&seed, (enum distribution)d, MAX_VALUES);
        check_kl_of_all_schemas(&h);
        h = sample(&seed, (enum distribution)d, 700);
        check_kl_of_all_schemas(&h);
    }
}

static void test_kl_of_random_counts(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int round = 0; round < (support_quick() ? 4 : 16); round++) {
        int from = round % 4 == 0 ? SIDE : random_below(&seed, SIDE);
        int to = round % 4 == 1 ? SIDE : BINS - random_below(&seed, 300);
        int every = 1 << random_below(&seed, 6), bits = 1 + random_below(&seed, 31);
        struct histogram h = random_counts(&seed, from, to, every, bits);
        if (round % 4 == 0) {
            check_kl_of_all_schemas(&h);
            mirror(&h);
        }
        check_kl_of_all_schemas(&h);
    }
}

static void test_kl_cuts_outliers_only(void **state)
{
    (void)state;
    uint64_t seed = 3;
    /* Every bin alike: whatever is cut off is lost. */
    random_fill(&seed, UNIFORM, 1, values, MAX_VALUES);
    struct histogram h = of(values, MAX_VALUES);
    struct range r = calibrated(&h, CALIBRATION_KL, SCHEMA_SYMMETRIC);
    assert_true(r.min == (double)h.min && r.max == (double)h.max);
    /* One value of 40 standard deviations. */
    random_fill(&seed, NORMAL, 1, values, MAX_VALUES);
    values[17] = 40;
    h = of(values, MAX_VALUES);
    r = calibrated(&h, CALIBRATION_KL, SCHEMA_ASYMMETRIC);
    assert_true(r.min < -3 && r.max > 3 && r.max < 20);
    /* Zeros behind a rectifier change nothing, however many. */
    random_fill(&seed, HALF_NORMAL, 1, values, MAX_VALUES);
    h = of(values, MAX_VALUES);
    r = calibrated(&h, CALIBRATION_KL, SCHEMA_ASYMMETRIC);
    h.bin[SIDE] += 1000000;
    h.count += 1000000;
    struct range more = calibrated(&h, CALIBRATION_KL, SCHEMA_ASYMMETRIC);
    assert_true(r.max > 3 && more.min == r.min && more.max == r.max);
}

static void test_kl_needs_more_bins_than_steps(void **state)
{
    (void)state;
    uint64_t seed = 4;
    struct histogram h = sample(&seed, LAPLACE, 10000);
    const struct calibration_options opt = {CALIBRATION_KL, 0, SCHEMA_ASYMMETRIC, DTYPE_I16};
    struct range r;
    calibrate(&h, &opt, &r.min, &r.max);
    assert_true(r.min == (double)h.min && r.max == (double)h.max);
    histogram_widen(&h, h.exponent + 4); /* 128 bins are left */
    r = calibrated(&h, CALIBRATION_KL, SCHEMA_SYMMETRIC);
    assert_true(r.min == (double)h.min && r.max == (double)h.max);
}

/* ---- MSE, by the definition ---- */

/* The integral of (x - v)^2 over that part of from .. to where every x is stored as v. */
static double part_error(double from, double to, double v, double lo, double hi)
{
    double a = fmax(from, lo), b = fmin(to, hi);
    return a < b ? ((b - v) * (b - v) * (b - v) - (a - v) * (a - v) * (a - v)) / 3 : 0;
}

static double bin_error(double from, double to, const struct quant *q)
{
    double sum = 0, scale = (double)q->scale;
    int64_t first = schema_quantize(from - scale, q, DTYPE_I8);
    int64_t last = schema_quantize(to + scale, q, DTYPE_I8);
    for (int64_t stored = first; stored <= last; stored++) {
        double v = schema_dequantize(stored, q);
        sum += part_error(from, to, v, stored == -128 ? -INFINITY : v - scale / 2,
                          stored == 127 ? INFINITY : v + scale / 2);
    }
    return sum;
}

/* Of values that are spread evenly over their bins; per value. */
static double expected_error(const struct histogram *h, enum quant_schema schema, struct range r)
{
    struct quant q = schema_params(schema, DTYPE_I8, r.min, r.max);
    double sum = 0, width = ldexp(1, h->exponent);
    for (size_t i = 0; i < BINS; i++)
        if (h->bin[i]) {
            double from = histogram_edge(h, i);
            sum += (double)h->bin[i] * bin_error(from, from + width, &q) / width;
        }
    return sum / (double)h->count;
}

/* One threshold: no other is better. */
static void check_mse_one(const struct histogram *h, enum quant_schema schema)
{
    struct range got = calibrated(h, CALIBRATION_MSE, schema);
    double error = expected_error(h, schema, got), least = INFINITY;
    for (int k = 1; k <= SIDE; k++) {
        struct range r = cut(h, SIDE - k, SIDE + k);
        least = fmin(least, expected_error(h, schema, r));
    }
    assert_true(error <= least * (1 + 1e-9));
}

static void test_mse_with_one_threshold(void **state)
{
    (void)state;
    static const enum distribution all[] = {NORMAL, LAPLACE,      UNIFORM,       HALF_NORMAL,
                                            SWISH,  HEAVY_TAILED, FAR_FROM_ZERO, SPIKES};
    static const enum distribution one_sided[] = {HALF_NORMAL, NEGATIVE, CLIPPED, FAR_FROM_ZERO};
    uint64_t seed = 5;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i += support_quick() ? 3 : 1) {
        struct histogram h = sample(&seed, all[i], 20000);
        check_mse_one(&h, SCHEMA_SYMMETRIC);
        check_mse_one(&h, SCHEMA_SYMMETRIC_WITH_POWER2_SCALE);
    }
    for (size_t i = 0; i < sizeof one_sided / sizeof one_sided[0]; i++) {
        struct histogram h = sample(&seed, one_sided[i], 20000);
        check_mse_one(&h, SCHEMA_ASYMMETRIC);
        if (h.min >= 0)
            check_mse_one(&h, SCHEMA_SYMMETRIC_WITH_UINT8);
    }
}

/* Two thresholds: moving either alone is no better, and all pairs are hardly so. */
static void check_mse_two(const struct histogram *h, int reach)
{
    struct range got = calibrated(h, CALIBRATION_MSE, SCHEMA_ASYMMETRIC);
    double error = expected_error(h, SCHEMA_ASYMMETRIC, got), least = INFINITY;
    for (int lo = SIDE - reach; lo <= SIDE; lo++)
        for (int hi = SIDE + (lo == SIDE); hi <= SIDE + reach; hi++) {
            struct range r = cut(h, lo, hi);
            double e = expected_error(h, SCHEMA_ASYMMETRIC, r);
            least = fmin(least, e);
            if (r.min == got.min || r.max == got.max)
                assert_true(error <= e * (1 + 1e-9));
        }
    if (error > least * 1.1)
        fail_msg("error %g, least %g", error, least);
}

static void test_mse_with_two_thresholds(void **state)
{
    (void)state;
    static const enum distribution d[] = {NORMAL, LAPLACE, UNIFORM, SWISH, HEAVY_TAILED, SPIKES};
    uint64_t seed = 6;
    enum { REACH = 32 };
    for (size_t i = 0; i < sizeof d / sizeof d[0]; i += support_quick() ? 2 : 1) {
        struct histogram h = sample(&seed, d[i], 20000);
        histogram_widen(&h, h.exponent + 5);
        check_mse_two(&h, REACH);
        h = random_counts(&seed, SIDE - 1 - random_below(&seed, REACH), SIDE + REACH, 1 + (int)i,
                          31);
        check_mse_two(&h, REACH);
    }
}

/* One value far out on each side: thresholds have to come a long way, each after the other. */
static void test_mse_with_two_far_thresholds(void **state)
{
    (void)state;
    uint64_t seed = 9;
    enum { N = 20000 };
    for (int round = 0; round < 4; round++) {
        random_fill(&seed, NORMAL, 1, values, N);
        values[0] = (float)(-20 - 20 * random_share(&seed));
        values[1] = (float)(20 + 20 * random_share(&seed));
        struct histogram h = of(values, N);
        for (int i = 0; i < BINS; i++) /* so many of the others that it is worth while */
            h.bin[i] *= fabs(histogram_edge(&h, (size_t)i)) < 10 ? (uint64_t)100 << round : 1;
        h.count = (N - 2) * ((uint64_t)100 << round) + 2;
        struct range got = calibrated(&h, CALIBRATION_MSE, SCHEMA_ASYMMETRIC);
        assert_true(got.max - got.min < 30);
        double error = expected_error(&h, SCHEMA_ASYMMETRIC, got);
        for (int k = 1; k <= SIDE; k += k < 200 ? 1 : 8) {
            struct range r = cut(&h, SIDE - k, SIDE + k);
            double low = expected_error(&h, SCHEMA_ASYMMETRIC, (struct range){r.min, got.max});
            double high = expected_error(&h, SCHEMA_ASYMMETRIC, (struct range){got.min, r.max});
            assert_true(error <= fmin(low, high) * (1 + 1e-9));
        }
    }
}

static void test_mse_of_values_is_no_worse(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int d = 0; d < N_DISTRIBUTIONS; d++) {
        struct histogram h = sample(&seed, (enum distribution)d, 20000);
        double error[2] = {0, 0};
        for (int with = 0; with < 2; with++) {
            struct range r =
                calibrated(&h, with ? CALIBRATION_MSE : CALIBRATION_NONE, SCHEMA_SYMMETRIC);
            struct quant q = schema_params(SCHEMA_SYMMETRIC, DTYPE_I8, r.min, r.max);
            for (int i = 0; i < 20000; i++) {
                double x = (double)values[i];
                double back = schema_dequantize(schema_quantize(x, &q, DTYPE_I8), &q);
                error[with] += (x - back) * (x - back);
            }
        }
        /* Few values are not spread evenly over their bins. */
        if (d != SPIKES)
            assert_true(error[1] <= 1.01 * error[0]);
    }
}

/* ---- percentile ---- */

static struct range percentile(const struct histogram *h, double percent, enum quant_schema schema)
{
    const struct calibration_options opt = {CALIBRATION_PERCENTILE, percent, schema, DTYPE_I16};
    struct range r;
    calibrate(h, &opt, &r.min, &r.max);
    return r;
}

#define EXPECT(h, percent, schema, lo, hi)                                                         \
    do {                                                                                           \
        struct range r = percentile((h), (percent), (schema));                                     \
        assert_true(r.min == (lo) && r.max == (hi));                                               \
    } while (0)

static void test_percentile_by_hand(void **state)
{
    (void)state;
    /* 1 .. 100; 100 < 2^7, so bins are 2^-3 wide and i lies in i .. i + 1/8. */
    for (int i = 0; i < 100; i++)
        values[i] = (float)(i + 1);
    struct histogram h = of(values, 100);
    EXPECT(&h, 95, SCHEMA_ASYMMETRIC, 1, 95.125);
    EXPECT(&h, 95, SCHEMA_SYMMETRIC, 1, 95.125);
    EXPECT(&h, 94.5, SCHEMA_SYMMETRIC_WITH_UINT8, 1, 95.125);
    EXPECT(&h, 100, SCHEMA_ASYMMETRIC, 1, 100);

    /* -10 .. -1 and 1 .. 90: it does not matter at which end five are left out; the lowest range.
     */
    for (int i = 0; i < 100; i++)
        values[i] = (float)(i < 10 ? i - 10 : i - 9);
    h = of(values, 100);
    EXPECT(&h, 95, SCHEMA_ASYMMETRIC, -10, 85.125);

    /* -10 .. -1 ten times each and 1 .. 90: of 190 values 180.5 must stay.  Nine fewer are cheapest
       above: 81 .. 90 but the lowest. */
    for (int i = 0; i < 100; i++)
        values[i] = (float)(i % 10 - 10);
    for (int i = 0; i < 90; i++)
        values[100 + i] = (float)(i + 1);
    h = of(values, 190);
    EXPECT(&h, 95, SCHEMA_ASYMMETRIC, -10, 81.125);
    EXPECT(&h, 95, SCHEMA_SYMMETRIC, -10, 81.125);
    /* 42% are 79.8 of 190: eight of the ten low values, those nearest 0; the others are thinner. */
    EXPECT(&h, 42, SCHEMA_ASYMMETRIC, -8, 0);

    /* Mirrored thresholds: -100 is the value farthest from 0. */
    values[0] = -100;
    for (int i = 1; i < 100; i++)
        values[i] = (float)i;
    h = of(values, 100);
    EXPECT(&h, 99, SCHEMA_SYMMETRIC, -99.125, 99);
    EXPECT(&h, 99, SCHEMA_ASYMMETRIC, 0, 99);
}

/* So many values that 100 percent of them, as a double, is more than all. */
static void test_percentile_of_all(void **state)
{
    (void)state;
    values[0] = -1;
    values[1] = 1;
    struct histogram h = of(values, 2);
    h.count = 3966506714338334275u;
    assert_true((double)h.count * 100 / 100 > (double)h.count);
    uint64_t half = h.count / 2;
    for (int i = 0; i < BINS; i++)
        if (h.bin[i])
            h.bin[i] = i < SIDE ? half : h.count - half;
    EXPECT(&h, 100, SCHEMA_SYMMETRIC, -1, 1);
    EXPECT(&h, 100, SCHEMA_ASYMMETRIC, -1, 1);
}

/* ---- all ---- */

static void test_degenerate(void **state)
{
    (void)state;
    static const float constant[] = {2.5f, 2.5f, 2.5f}, zeros[] = {0, 0}, low[] = {-3};
    struct histogram none, h;
    histogram_init(&none);
    for (int m = CALIBRATION_NONE; m <= CALIBRATION_MSE; m++)
        for (int s = SCHEMA_ASYMMETRIC; s <= SCHEMA_SYMMETRIC_WITH_POWER2_SCALE; s++) {
            enum calibration method = (enum calibration)m;
            enum quant_schema schema = (enum quant_schema)s;
            struct range r = calibrated(&none, method, schema);
            assert_true(r.min == 0 && r.max == 0);
            h = of(zeros, 2);
            r = calibrated(&h, method, schema);
            assert_true(r.min == 0 && r.max == 0);
            h = of(constant, 3);
            r = calibrated(&h, method, schema);
            assert_true(r.min == 2.5 && r.max == 2.5);
            h = of(low, 1);
            r = calibrated(&h, method, schema);
            assert_true(r.min == -3 && r.max == -3);
        }
}

static void test_none_keeps_the_range(void **state)
{
    (void)state;
    uint64_t seed = 8;
    for (int d = 0; d < N_DISTRIBUTIONS; d++) {
        struct histogram h = sample(&seed, (enum distribution)d, 1000);
        struct range r = calibrated(&h, CALIBRATION_NONE, SCHEMA_SYMMETRIC);
        assert_true(r.min == (double)h.min && r.max == (double)h.max);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kl_of_distributions),
        cmocka_unit_test(test_kl_of_random_counts),
        cmocka_unit_test(test_kl_cuts_outliers_only),
        cmocka_unit_test(test_kl_needs_more_bins_than_steps),
        cmocka_unit_test(test_mse_with_one_threshold),
        cmocka_unit_test(test_mse_with_two_thresholds),
        cmocka_unit_test(test_mse_with_two_far_thresholds),
        cmocka_unit_test(test_mse_of_values_is_no_worse),
        cmocka_unit_test(test_percentile_by_hand),
        cmocka_unit_test(test_percentile_of_all),
        cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_none_keeps_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
