/*
 * Element types: the table, and the conversions of 16-bit floats, which are checked against
 * arithmetic on doubles for every f16 and for every place where rounding turns.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ir/dtype.h"

/* Value of a finite f16 by its definition. */
static double f16_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double magnitude = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static void test_table(void **state)
{
    (void)state;
    for (int t = DTYPE_NONE + 1; t < DTYPE_COUNT; t++) {
        enum dtype d = (enum dtype)t;
        assert_int_equal(dtype_parse(dtype_name(d)), d);
        assert_int_equal(dtype_from_code(dtype_code(d)), d);
        assert_true(
            dtype_is_float(d) + dtype_is_integer(d) + (d == DTYPE_BOOL) + dtype_is_coded(d) == 1);
    }
    assert_int_equal(dtype_parse("f8"), DTYPE_NONE);
    assert_int_equal(dtype_parse(""), DTYPE_NONE);
    assert_int_equal(dtype_from_code(8), DTYPE_NONE); /* strings */
    assert_int_equal(dtype_from_code(-1), DTYPE_NONE);
    assert_int_equal(dtype_code(DTYPE_BF16), SHEAF_BFLOAT16);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(dtype_bytes(DTYPE_F64, 3), 24);
    assert_int_equal(dtype_bytes(DTYPE_BOOL, 3), 3);
    assert_int_equal(dtype_bytes(DTYPE_I4, 0), 0);
    assert_int_equal(dtype_bytes(DTYPE_I4, 3), 2);
    assert_int_equal(dtype_bytes(DTYPE_U4, 4), 2);
    assert_int_equal(dtype_bytes(DTYPE_I2, 5), 2);
}

static void test_ranges(void **state)
{
    (void)state;
    assert_true(dtype_int_min(DTYPE_I4) == -8 && dtype_int_max(DTYPE_I4) == 7);
    assert_true(dtype_int_min(DTYPE_U4) == 0 && dtype_int_max(DTYPE_U4) == 15);
    assert_true(dtype_int_min(DTYPE_I2) == -2 && dtype_int_max(DTYPE_I2) == 1);
    assert_true(dtype_int_min(DTYPE_F8E5M2) == 0 && dtype_int_max(DTYPE_F8E5M2) == 255);
    assert_true(dtype_int_min(DTYPE_I8) == -128 && dtype_int_max(DTYPE_I8) == 127);
    assert_true(dtype_int_min(DTYPE_U32) == 0 && dtype_int_max(DTYPE_U32) == UINT32_MAX);
    assert_true(dtype_int_min(DTYPE_I64) == INT64_MIN && dtype_int_max(DTYPE_I64) == INT64_MAX);
    assert_true(dtype_int_min(DTYPE_U64) == 0 && dtype_int_max(DTYPE_U64) == INT64_MAX);
    assert_true(dtype_int_min(DTYPE_BOOL) == 0 && dtype_int_max(DTYPE_BOOL) == 1);
}

static void test_f16_every_value(void **state)
{
    (void)state;
    for (uint32_t u = 0; u <= 0xffff; u++) {
        uint16_t h = (uint16_t)u;
        float f = dtype_f16_to_f32(h);
        bool special = (h & 0x7c00) == 0x7c00;
        if (special && (h & 0x3ff)) {
            assert_true(isnan(f));
            uint16_t back = dtype_f32_to_f16(f);
            assert_true((back & 0x7c00) == 0x7c00 && (back & 0x3ff) && (back >> 15) == (h >> 15));
            continue;
        }
        if (special)
            assert_true(isinf(f) && (f < 0) == (h >> 15));
        else
            assert_true((double)f == f16_value(h) && !signbit(f) == !(h >> 15));
        assert_int_equal(dtype_f32_to_f16(f), h);
    }
}

/* Between two neighbours everything below the middle goes down, above it up, the middle to even. */
static void test_f16_rounding(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7c00; h++) {
        float lo = dtype_f16_to_f32((uint16_t)h);
        /* The neighbour of the largest value would be 2^16: from the middle on it is infinity. */
        float hi = h == 0x7bff ? 65536.0f : dtype_f16_to_f32((uint16_t)(h + 1));
        float middle = (float)(((double)lo + (double)hi) / 2);
        uint32_t even = h & 1 ? h + 1 : h;
        assert_int_equal(dtype_f32_to_f16(dtype_f32_of_bits(dtype_bits_of_f32(middle) - 1)), h);
        assert_int_equal(dtype_f32_to_f16(middle), even);
        assert_int_equal(dtype_f32_to_f16(dtype_f32_of_bits(dtype_bits_of_f32(middle) + 1)), h + 1);
        assert_int_equal(dtype_f32_to_f16(-middle), even | 0x8000);
    }
    assert_int_equal(dtype_f32_to_f16(65519.996f), 0x7bff);
    assert_int_equal(dtype_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(dtype_f32_to_f16(3.4e38f), 0x7c00);
    assert_int_equal(dtype_f32_to_f16(-INFINITY), 0xfc00);
    assert_int_equal(dtype_f32_to_f16(0x1p-25f), 0);
    assert_int_equal(dtype_f32_to_f16(0x1.000002p-25f), 1);
    assert_int_equal(dtype_f32_to_f16(-1e-40f), 0x8000);
}

static void test_f16_nan(void **state)
{
    (void)state;
    /* The payload lies in bits that do not fit: it must not become infinity. */
    assert_true(isnan(dtype_f16_to_f32(dtype_f32_to_f16(dtype_f32_of_bits(0x7f800001u)))));
    assert_int_equal(dtype_f32_to_f16(dtype_f32_of_bits(0xffc00000u)), 0xfe00);
}

static void test_bf16(void **state)
{
    (void)state;
    for (uint32_t u = 0; u <= 0xffff; u++) {
        uint16_t h = (uint16_t)u;
        float f = dtype_bf16_to_f32(h);
        assert_int_equal(dtype_bits_of_f32(f), u << 16);
        if (isnan(f)) {
            assert_true(isnan(dtype_bf16_to_f32(dtype_f32_to_bf16(f))));
            continue;
        }
        assert_int_equal(dtype_f32_to_bf16(f), h);
        if (isinf(f))
            continue;
        uint32_t middle = u << 16 | 0x8000;
        assert_int_equal(dtype_f32_to_bf16(dtype_f32_of_bits(middle - 1)), h);
        assert_int_equal(dtype_f32_to_bf16(dtype_f32_of_bits(middle)), h & 1 ? h + 1 : h);
        assert_int_equal(dtype_f32_to_bf16(dtype_f32_of_bits(middle + 1)), h + 1);
    }
    assert_true(isnan(dtype_bf16_to_f32(dtype_f32_to_bf16(dtype_f32_of_bits(0x7f800001u)))));
    assert_true(isnan(dtype_bf16_to_f32(dtype_f32_to_bf16(dtype_f32_of_bits(0x7fffffffu)))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_ranges),       cmocka_unit_test(test_f16_every_value),
        cmocka_unit_test(test_f16_rounding), cmocka_unit_test(test_f16_nan),
        cmocka_unit_test(test_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
