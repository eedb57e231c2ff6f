/*
 * Schemas: scale and zero point against values computed by hand, and what must hold of any range.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ir/quantize/schema.h"
#include "tests/ir/quantize/random_values.h"

#define ASYM   SCHEMA_ASYMMETRIC
#define SYM    SCHEMA_SYMMETRIC
#define UINT8  SCHEMA_SYMMETRIC_WITH_UINT8
#define POWER2 SCHEMA_SYMMETRIC_WITH_POWER2_SCALE

static const struct {
    enum quant_schema schema;
    enum dtype type;
    double min, max;
    double scale;
    int zero_point;
} by_hand[] = {
    /* 4 / 255; -128 + 1 * 255 / 4 = -128 + 63.75 */
    {ASYM, DTYPE_I8, -1, 3, 4.0 / 255, -64},
    /* -128 + 3 * 63.75 = 63.25 */
    {ASYM, DTYPE_I8, -3, 1, 4.0 / 255, 63},
    {ASYM, DTYPE_I8, 0, 2.55, 0.01, -128},
    {ASYM, DTYPE_I8, -2.55, 0, 0.01, 127},
    /* widened to 0 .. 5.1 and -5.1 .. 0 */
    {ASYM, DTYPE_I8, 2, 5.1, 0.02, -128},
    {ASYM, DTYPE_I8, -5.1, -2, 0.02, 127},
    {ASYM, DTYPE_I8, 0, 0, 0.1, 0},
    /* 4 / 65535; -32768 + 65535 / 4 = -32768 + 16383.75 */
    {ASYM, DTYPE_I16, -1, 3, 4.0 / 65535, -16384},
    {ASYM, DTYPE_I16, 0, 65.535, 0.001, -32768},
    {ASYM, DTYPE_I16, 0, 0, 0.1, 0},
    /* Exactly -21845.5 and 21844.5.  The f32 nearest to 0.06 / 65535 is smaller by 8e-9 of it: from
       the end nearer to 0, -32768 + 10922.50008 and 32767 - 10922.50008; from the other one it
       would be 0.0005 on the other side of a half. */
    {ASYM, DTYPE_I16, -0.01, 0.05, 0.06 / 65535, -21845},
    {ASYM, DTYPE_I16, -0.05, 0.01, 0.06 / 65535, 21844},

    /* max(1 / 128, 3 / 127), max(4 / 128, 3 / 127) */
    {SYM, DTYPE_I8, -1, 3, 3.0 / 127, 0},
    {SYM, DTYPE_I8, -4, 3, 0.03125, 0},
    {SYM, DTYPE_I8, 0, 2.54, 0.02, 0},
    {SYM, DTYPE_I8, -2.56, -1, 0.02, 0},
    {SYM, DTYPE_I8, 0, 0, 0.1, 0},
    /* 2 / 32767; 2 / 32768 */
    {SYM, DTYPE_I16, -1, 2, 2.0 / 32767, 0},
    {SYM, DTYPE_I16, -2, 1, 0x1p-14, 0},
    {SYM, DTYPE_I16, 0, 0, 0.1, 0},

    {UINT8, DTYPE_I8, 0, 5.1, 0.02, -128},
    {UINT8, DTYPE_I8, 1, 5.1, 0.02, -128},
    {UINT8, DTYPE_I8, -1, 3, 3.0 / 127, 0},
    {UINT8, DTYPE_I8, -4, -1, 0.03125, 0},
    {UINT8, DTYPE_I8, 0, 0, 0.1, -128},
    {UINT8, DTYPE_I16, 0, 65.535, 0.001, -32768},
    {UINT8, DTYPE_I16, -2, 1, 0x1p-14, 0},
    {UINT8, DTYPE_I16, 0, 0, 0.1, -32768},

    /* 3 / 127 = 0.0236 < 2^-5; 4 / 128 = 2^-5; 4.001 / 128 > 2^-5; 127 / 127 = 1; 128 / 127 > 1 */
    {POWER2, DTYPE_I8, -1, 3, 0x1p-5, 0},
    {POWER2, DTYPE_I8, -4, 3, 0x1p-5, 0},
    {POWER2, DTYPE_I8, -4.001, 3, 0x1p-4, 0},
    {POWER2, DTYPE_I8, -128, 127, 1, 0},
    {POWER2, DTYPE_I8, 0, 128, 2, 0},
    {POWER2, DTYPE_I8, 0, 0, 0.1, 0},
    /* 1 / 32768 = 2^-15 > 0.5 / 32767; 1 / 32767 > 2^-15 */
    {POWER2, DTYPE_I16, -1, 0.5, 0x1p-15, 0},
    {POWER2, DTYPE_I16, -1, 1, 0x1p-14, 0},
    {POWER2, DTYPE_I16, 0, 0, 0.1, 0},

    /* The smallest normal float is 2^-126; what needs a smaller scale counts as 0. */
    {ASYM, DTYPE_I8, 0, 255 * 0x1p-126, 0x1p-126, -128},
    {ASYM, DTYPE_I8, 0, 254 * 0x1p-126, 0.1, 0},
    {UINT8, DTYPE_I8, 0, 254 * 0x1p-126, 0.1, -128},
    {SYM, DTYPE_I16, -0x1p-149, 0, 0.1, 0},
    /* 2^128 - 2^104 is the largest float; over 128 it is 2^121 - 2^97. */
    {SYM, DTYPE_I8, -FLT_MAX, 0, 0x1p121 - 0x1p97, 0},
    {POWER2, DTYPE_I8, -FLT_MAX, 0, 0x1p121, 0},
};

static void test_by_hand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof by_hand / sizeof by_hand[0]; i++) {
        struct quant q =
            schema_params(by_hand[i].schema, by_hand[i].type, by_hand[i].min, by_hand[i].max);
        if (q.scale != (float)by_hand[i].scale || q.zero_point != by_hand[i].zero_point)
            fail_msg("row %zu: scale %.9g, zero point %d", i, (double)q.scale, (int)q.zero_point);
    }
}

static void test_rounding_and_saturation(void **state)
{
    (void)state;
    static const double x[] = {0.5, 1.5, 2.5, -0.5, -1.5, 0.49, 126.5, 127.5, 1e30, -1e30, -128.6};
    static const int plain[] = {0, 2, 2, 0, -2, 0, 126, 127, 127, -128, -128};
    /* The zero point is added to the rounded quotient. */
    static const int moved[] = {3, 5, 5, 3, 1, 3, 127, 127, 127, -128, -126};
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++) {
        assert_int_equal(schema_quantize(x[i], &(struct quant){1, 0}, DTYPE_I8), plain[i]);
        assert_int_equal(schema_quantize(x[i] / 4, &(struct quant){0.25f, 3}, DTYPE_I8), moved[i]);
    }
    const struct quant q = {0.5f, -7};
    assert_int_equal(schema_quantize(NAN, &q, DTYPE_I16), -32768);
    assert_int_equal(schema_quantize(1e9, &q, DTYPE_I16), 32767);
    assert_true(schema_dequantize(-8, &q) == -0.5 && schema_dequantize(-7, &q) == 0);
}

static void check_range(uint64_t *seed, enum quant_schema schema, enum dtype type, double min,
                        double max)
{
    struct quant q = schema_params(schema, type, min, max);
    assert_true(isfinite(q.scale) && q.scale >= FLT_MIN);
    int64_t lo = dtype_int_min(type), hi = dtype_int_max(type);
    assert_true(q.zero_point >= lo && q.zero_point <= hi);
    assert_int_equal(schema_quantize(0, &q, type), q.zero_point);
    assert_int_equal(
        schema_quantize(-4 * fmax(fabs(min), fabs(max)) - 1e9 * (double)q.scale, &q, type), lo);
    assert_int_equal(
        schema_quantize(4 * fmax(fabs(min), fabs(max)) + 1e9 * (double)q.scale, &q, type), hi);
    double last_x = min;
    int64_t last = schema_quantize(min, &q, type);
    for (int i = 0; i < 50; i++) {
        double x = i == 0 ? max : min + (max - min) * random_share(seed);
        int64_t stored = schema_quantize(x, &q, type);
        /* Half a step; rounding the scale to f32 moves the ends by up to 65535 * 2^-24 steps. */
        assert_true(fabs(schema_dequantize(stored, &q) - x) <= 0.504 * (double)q.scale);
        assert_true(x >= last_x ? stored >= last : stored <= last);
        last_x = x;
        last = stored;
    }
}

static void test_any_range(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 4000; round++) {
        double size = ldexp(random_share(&seed), random_below(&seed, 200) - 100);
        double min = size * random_normal(&seed), max = min + size * random_share(&seed);
        for (int schema = ASYM; schema <= POWER2; schema++) {
            check_range(&seed, (enum quant_schema)schema, DTYPE_I8, min, max);
            check_range(&seed, (enum quant_schema)schema, DTYPE_I16, min, max);
        }
    }
}

static void test_schemas_agree(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int round = 0; round < 1000; round++) {
        double min = random_normal(&seed), max = min + random_share(&seed);
        struct quant s = schema_params(SYM, DTYPE_I8, min, max);
        struct quant p = schema_params(POWER2, DTYPE_I8, min, max);
        struct quant u = schema_params(UINT8, DTYPE_I8, min, max);
        struct quant as_u = min < 0 ? s : schema_params(ASYM, DTYPE_I8, min, max);
        int exponent;
        assert_true(frexpf(p.scale, &exponent) == 0.5f && p.zero_point == 0 && s.zero_point == 0);
        assert_true(p.scale >= s.scale && p.scale < 2 * s.scale);
        assert_true(u.scale == as_u.scale && u.zero_point == as_u.zero_point);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_rounding_and_saturation),
        cmocka_unit_test(test_any_range),
        cmocka_unit_test(test_schemas_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
