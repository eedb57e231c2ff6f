/*
 * Factors in fixed point, beside 128-bit integers and hand-computed values.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ir/fixed_point.h"
#include "tests/support/random.h"

__extension__ typedef __int128 wide;

static void expect_of(double factor, int bits, int32_t multiplier, int shift)
{
    int32_t m;
    int s;
    fixed_point_of(&factor, 1, bits, &m, &s);
    if (m != multiplier || s != shift)
        fail_msg("%a in %d bits is %d / 2^%d, not %d / 2^%d", factor, bits, m, s, multiplier,
                 shift);
}

static void test_of_one(void **state)
{
    (void)state;
    expect_of(1, 31, 1 << 30, 30);
    expect_of(0.75, 31, 3 << 29, 31);
    expect_of(0.75, 2, 3, 2);
    expect_of(0.75, 1, 1, 0); /* 0.75 rounds to 1 */
    expect_of(5. / 16, 2, 3, 3);
    expect_of(0, 31, 0, 31);
    expect_of(1.0 / 3, 31, 1431655765, 32);
    /* Rounding carries into one bit more than there are. */
    expect_of(nextafter(1, 0), 31, 1 << 30, 30);
    expect_of(nextafter(1, 0), 8, 128, 7);
    /* Small factors run out of shift and lose bits, and large ones out of multiplier. */
    expect_of(0x1p-40, 31, 1 << 22, 62);
    expect_of(0x1p-62, 31, 1, 62);
    expect_of(0x1p-63, 31, 1, 62);
    expect_of(nextafter(0x1p-63, 0), 31, 0, 62);
    expect_of(1000.4, 8, 1000, 0);
    expect_of(0x1p30, 31, 1 << 30, 0);
    expect_of(0x1p31 - 1, 31, INT32_MAX, 0);
    expect_of(0x1p31, 31, INT32_MAX, 0);
    expect_of(1e300, 5, INT32_MAX, 0);
}

static void test_of_several(void **state)
{
    (void)state;
    static const double factor[] = {0.5, 0.25, 0, 1.0 / 3, 0x1p-40};
    int32_t m[5];
    int shift;
    fixed_point_of(factor, 5, 31, m, &shift);
    assert_int_equal(shift, 31);
    assert_int_equal(m[0], 1 << 30);
    assert_int_equal(m[1], 1 << 29);
    assert_int_equal(m[2], 0);
    assert_int_equal(m[3], 715827883); /* 715827882.67 */
    assert_int_equal(m[4], 0);
    static const double large[] = {0x1p40, 3};
    fixed_point_of(large, 2, 31, m, &shift);
    assert_int_equal(shift, 0);
    assert_int_equal(m[0], INT32_MAX);
    assert_int_equal(m[1], 3);
}

static uint64_t random_u64(uint64_t *seed)
{
    uint64_t high = random_next(seed), middle = random_next(seed);
    return high << 62 ^ middle << 31 ^ random_next(seed);
}

static double random_factor(uint64_t *seed)
{
    double f = ldexp((double)(random_u64(seed) >> 11), -53);
    return ldexp(f, random_below(seed, 90) - 60);
}

/* |factor - m / 2^shift| is at most half a unit, and the largest has all bits. */
static void test_of_random(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        double factor[3], largest = 0;
        int32_t m[3], most = 0;
        int shift, bits = 1 + random_below(&seed, 31);
        for (int j = 0; j < 3; j++) {
            factor[j] = random_factor(&seed);
            largest = fmax(largest, factor[j]);
        }
        fixed_point_of(factor, 3, bits, m, &shift);
        assert_in_range(shift, 0, FIXED_POINT_MAX_SHIFT);
        for (int j = 0; j < 3; j++) {
            assert_true(fabs(ldexp(factor[j], shift) - m[j]) <= 0.5);
            most = m[j] > most ? m[j] : most;
        }
        if (shift > 0 && shift < FIXED_POINT_MAX_SHIFT)
            assert_in_range(most, 1ll << (bits - 1), (1ll << bits) - 1);
    }
}

static void expect_exact(float factor, int32_t multiplier, int shift)
{
    int32_t m;
    int s;
    fixed_point_exact(factor, &m, &s);
    if (m != multiplier || s != shift)
        fail_msg("%a is %d / 2^%d, not %d / 2^%d", (double)factor, m, s, multiplier, shift);
}

static void test_exact(void **state)
{
    (void)state;
    expect_exact(0, 0, 0);
    expect_exact(1, 1, 0);
    expect_exact(0.75f, 3, 2);
    expect_exact(10, 10, 0);
    expect_exact(0.1f, 13421773, 27);
    expect_exact(0x1p23f + 0.5f, 0x800000, 0); /* the float itself has no half there */
    expect_exact(0x1.fffffep23f, 0xffffff, 0);
    expect_exact(0x1p30f, 1 << 30, 0);
    expect_exact(0x1.fffffep30f, 0x7fffff80, 0);
    expect_exact(0x1p31f, INT32_MAX, 0);
    expect_exact(0x1p100f, INT32_MAX, 0);
    expect_exact(0x1p-62f, 1, 62);
    expect_exact(0x1p-63f, 0, 0);
    expect_exact(0x1.fffffep-40f, 0, 0); /* shift 63 */
    expect_exact(0x1.fffffep-39f, 0xffffff, 62);
    expect_exact(0x1p-149f, 0, 0);
}

static void test_exact_random(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 20000; i++) {
        float f = (float)ldexp((double)random_next(&seed), random_below(&seed, 69) - 69);
        int32_t m;
        int s;
        fixed_point_exact(f, &m, &s);
        if (m)
            assert_true(ldexp((double)m, -s) == (double)f && (s == 0 || (m & 1)));
        else
            assert_true(f < 0x1p-39f);
    }
}

/* floor(t / 2^shift + 1/2) and the nearest, halves where the result with the zero point is even. */
static int64_t apply(int64_t x, int32_t m, int shift, int64_t zero, bool even)
{
    wide t = (wide)x * m, unit = (wide)1 << shift, q = t / unit;
    q -= q * unit > t;
    wide rest = 2 * (t - q * unit);
    bool odd = ((q + zero) & 1) != 0;
    return (int64_t)(q + zero + (rest > unit || (rest == unit && (!even || odd))));
}

static void test_apply(void **state)
{
    (void)state;
    assert_int_equal(fixed_point_apply_up(5, 1, 1, 0), 3);
    assert_int_equal(fixed_point_apply_up(-5, 1, 1, 0), -2);
    assert_int_equal(fixed_point_apply_up(-5, 1, 1, 7), 5);
    assert_int_equal(fixed_point_apply_even(5, 1, 1, 0), 2);
    assert_int_equal(fixed_point_apply_even(5, 1, 1, 1), 4);
    assert_int_equal(fixed_point_apply_even(-5, 1, 1, 0), -2);
    assert_int_equal(fixed_point_apply_even(-5, 1, 1, 1), -2);
    assert_int_equal(fixed_point_apply_even(-7, 3, 0, -1), -22);
    uint64_t seed = 3;
    for (int i = 0; i < 100000; i++) {
        int shift = random_below(&seed, FIXED_POINT_MAX_SHIFT + 1);
        int32_t m = (int32_t)(random_u64(&seed) >> (32 + random_below(&seed, 32)));
        m = m == INT32_MIN ? 0 : m;
        int64_t x = (int32_t)(uint32_t)random_u64(&seed) >> random_below(&seed, 32);
        int64_t zero = random_below(&seed, 512) - 256;
        /* Half of them in the middle between two results. */
        if (shift && i & 1) {
            m = 1 << random_below(&seed, shift < 31 ? shift : 31);
            wide odd = 2 * random_below(&seed, 1000) - 999;
            wide middle = odd * ((1ll << (shift - 1)) / m);
            x = middle > INT32_MAX || middle < INT32_MIN ? 1 : (int64_t)middle;
        }
        wide reach = (wide)x * m;
        if (reach > INT64_MAX / 2 || reach < INT64_MIN / 2)
            continue;
        assert_true(fixed_point_apply_up(x, m, shift, zero) == apply(x, m, shift, zero, false));
        assert_true(fixed_point_apply_even(x, m, shift, zero) == apply(x, m, shift, zero, true));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_one),       cmocka_unit_test(test_of_several),
        cmocka_unit_test(test_of_random),    cmocka_unit_test(test_exact),
        cmocka_unit_test(test_exact_random), cmocka_unit_test(test_apply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
