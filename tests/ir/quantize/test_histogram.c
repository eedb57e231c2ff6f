/*
 * Histograms: bins against floor(x / width) in exact arithmetic; the same content whatever the
 * order of the values and however they were spread over merged histograms; widening; values that
 * are not finite.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ir/dtype.h"
#include "ir/quantize/histogram.h"
#include "tests/ir/quantize/random_values.h"

enum { MAX_VALUES = 5000 };

static void assert_same(const struct histogram *a, const struct histogram *b)
{
    assert_true(a->count == b->count);
    assert_int_equal(dtype_bits_of_f32(a->min), dtype_bits_of_f32(b->min));
    assert_int_equal(dtype_bits_of_f32(a->max), dtype_bits_of_f32(b->max));
    assert_int_equal(a->exponent, b->exponent);
    assert_memory_equal(a->bin, b->bin, sizeof a->bin);
}

/* floor(x / 2^exponent): both steps are exact in double. */
static double bin_of(float x, int exponent)
{
    return floor(ldexp((double)x, -exponent));
}

static bool fits(const float *x, size_t n, int exponent)
{
    for (size_t i = 0; i < n; i++)
        if (fabs(bin_of(x[i], exponent) + 0.5) > HISTOGRAM_SIDE)
            return false;
    return true;
}

/* By definition, one value after the other; `exponent` or more. */
static struct histogram reference(const float *x, size_t n, int exponent)
{
    struct histogram h = {.count = n, .exponent = exponent};
    while (!fits(x, n, h.exponent))
        h.exponent++;
    for (size_t i = 0; i < n; i++) {
        h.min = i == 0 || x[i] < h.min ? x[i] : h.min;
        h.max = i == 0 || x[i] > h.max ? x[i] : h.max;
        h.bin[(int)bin_of(x[i], h.exponent) + HISTOGRAM_SIDE]++;
    }
    h.min = h.min == 0 ? 0 : h.min; /* not -0 */
    h.max = h.max == 0 ? 0 : h.max;
    return h;
}

static struct histogram of(const float *x, size_t n)
{
    struct histogram h;
    histogram_init(&h);
    assert_int_equal(histogram_add(&h, x, n), n);
    return h;
}

/* Any finite float; where `narrow`, of few magnitudes, and often at or beside an edge. */
static float random_float(uint64_t *seed, bool narrow)
{
    uint32_t bits = random_next(seed) << 1 ^ random_next(seed);
    int exponent = narrow ? 120 + random_below(seed, 10) : random_below(seed, 255);
    bits = (bits & 0x807fffffu) | (uint32_t)exponent << 23;
    if (random_below(seed, 3) == 0)
        bits = (bits & 0xff800000u) + (uint32_t)random_below(seed, 3) - 1;
    float x = dtype_f32_of_bits(bits);
    return isfinite(x) ? x : 0;
}

static void test_by_hand(void **state)
{
    (void)state;
    /* 1 < 2^1 = 1024 * 2^-9, and 1 = 512 * 2^-9; -0.001 * 2^9 = -0.512 lies in bin -1. */
    struct histogram h = of((const float[]){1, -1, 0.001f, -0.001f, 0}, 5);
    assert_int_equal(h.exponent, -9);
    assert_true(h.min == -1 && h.max == 1 && h.count == 5);
    assert_true(h.bin[1024 + 512] == 1 && h.bin[1024 - 512] == 1);
    assert_true(h.bin[1024] == 2 && h.bin[1024 - 1] == 1);
    assert_true(histogram_edge(&h, 1024 + 512) == 1 && histogram_edge(&h, 0) == -2);
    /* -1 is the lower edge of the lowest bin, so half the width will do. */
    h = of((const float[]){-1}, 1);
    assert_int_equal(h.exponent, -10);
    assert_true(h.bin[0] == 1 && histogram_edge(&h, 0) == -1);
}

static void test_nothing_and_zeros(void **state)
{
    (void)state;
    struct histogram h = of(NULL, 0), want = {.exponent = HISTOGRAM_MIN_EXPONENT};
    assert_same(&h, &want);
    h = of((const float[]){-0.0f, 0, -0.0f}, 3);
    want.count = want.bin[HISTOGRAM_SIDE] = 3;
    assert_same(&h, &want);
    h = of((const float[]){-0.0f, -1}, 2);
    assert_int_equal(dtype_bits_of_f32(h.max), 0);
    h = of((const float[]){0x1p-149f, -0x1p-149f}, 2);
    assert_int_equal(h.exponent, HISTOGRAM_MIN_EXPONENT);
    assert_true(h.bin[HISTOGRAM_SIDE + 1] == 1 && h.bin[HISTOGRAM_SIDE - 1] == 1);
    h = of((const float[]){FLT_MAX, -0x1p-149f}, 2);
    assert_int_equal(h.exponent, 118);
    assert_true(h.bin[HISTOGRAM_BINS - 1] == 1 && h.bin[HISTOGRAM_SIDE - 1] == 1);
}

static void test_against_the_definition(void **state)
{
    (void)state;
    static float x[MAX_VALUES];
    uint64_t seed = 1;
    for (int round = 0; round < 60; round++) {
        size_t n = (size_t)random_below(&seed, round % 2 ? MAX_VALUES : 20);
        for (size_t i = 0; i < n; i++)
            x[i] = random_float(&seed, round % 3);
        if (round % 5 == 0) /* small ones first, so that bins widen on the way */
            for (size_t i = 0; i < n / 2; i++)
                x[i] = ldexpf(x[i], -20 + (int)(40 * i / n));
        struct histogram h = of(x, n), want = reference(x, n, HISTOGRAM_MIN_EXPONENT);
        assert_same(&h, &want);
    }
}

static void test_widening(void **state)
{
    (void)state;
    static float x[MAX_VALUES];
    uint64_t seed = 2;
    random_fill(&seed, LAPLACE, 1, x, MAX_VALUES);
    struct histogram h = of(x, MAX_VALUES);
    int exponent = h.exponent;
    for (int by = 0; by < 160; by += by < 14 ? 1 : 40) {
        struct histogram wide = h, want = reference(x, MAX_VALUES, exponent + by);
        histogram_widen(&wide, exponent + by);
        assert_same(&wide, &want);
    }
}

/* The values in any order, in parts that are added to several histograms, which are then merged in
   any order, pairwise. */
static struct histogram merged(uint64_t *seed, float *x, size_t n)
{
    enum { N_PARTS = 6 };
    struct histogram part[N_PARTS];
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)random_below(seed, (int)i);
        float t = x[j];
        x[j] = x[i - 1];
        x[i - 1] = t;
    }
    for (int i = 0; i < N_PARTS; i++)
        histogram_init(&part[i]);
    for (size_t i = 0, len; i < n; i += len) {
        len = 1 + (size_t)random_below(seed, 1200);
        len = len < n - i ? len : n - i;
        assert_int_equal(histogram_add(&part[random_below(seed, N_PARTS)], x + i, len), len);
    }
    for (int left = N_PARTS; left > 1; left--) {
        int into = random_below(seed, left - 1);
        if (random_below(seed, 2)) {
            histogram_merge(&part[into], &part[left - 1]);
        } else {
            histogram_merge(&part[left - 1], &part[into]);
            part[into] = part[left - 1];
        }
    }
    return part[0];
}

static void test_merging_equals_the_joint_run(void **state)
{
    (void)state;
    static float x[MAX_VALUES];
    uint64_t seed = 3;
    for (int round = 0; round < 60; round++) {
        size_t n = (size_t)random_below(&seed, MAX_VALUES);
        for (size_t i = 0; i < n; i++)
            x[i] = round % 3 ? (float)random_of(&seed, (enum distribution)(round % N_DISTRIBUTIONS))
                             : random_float(&seed, false);
        struct histogram joint = of(x, n), h = merged(&seed, x, n);
        assert_same(&h, &joint);
    }
}

static void test_stops_at_what_is_not_finite(void **state)
{
    (void)state;
    static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    static float x[MAX_VALUES];
    uint64_t seed = 4;
    for (int round = 0; round < 100; round++) {
        random_fill(&seed, NORMAL, 1, x, MAX_VALUES);
        size_t at = (size_t)random_below(&seed, round % 2 ? MAX_VALUES : 3);
        size_t later = at + (size_t)random_below(&seed, (int)(MAX_VALUES - at));
        x[later] = bad[random_below(&seed, 4)];
        x[at] = bad[random_below(&seed, 4)];
        struct histogram h;
        histogram_init(&h);
        assert_int_equal(histogram_add(&h, x, MAX_VALUES), at);
        struct histogram want = of(x, at);
        assert_same(&h, &want);
    }
}

static void test_many_values_at_once(void **state)
{
    (void)state;
    size_t n = ((size_t)1 << 24) + 1000;
    float *x = calloc(n, sizeof *x);
    assert_non_null(x);
    x[0] = -1;
    x[n - 1] = 3;
    struct histogram h = of(x, n);
    assert_true(h.count == n && h.exponent == -8);
    assert_true(h.bin[HISTOGRAM_SIDE] == n - 2 && h.bin[HISTOGRAM_SIDE - 256] == 1);
    assert_true(h.bin[HISTOGRAM_SIDE + 768] == 1);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_nothing_and_zeros),
        cmocka_unit_test(test_against_the_definition),
        cmocka_unit_test(test_widening),
        cmocka_unit_test(test_merging_equals_the_joint_run),
        cmocka_unit_test(test_stops_at_what_is_not_finite),
        cmocka_unit_test(test_many_values_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
