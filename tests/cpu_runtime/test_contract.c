/*
 * Contractions of integers, of 16-bit floats and of quantized weights, compiled for every level of
 * features that this machine runs and compared with the evaluator: integers bit for bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/contractions.h"
#include "tests/support/support.h"

static const char *const CPUS[] = {
    "x86-64",    "x86-64-v2",           "x86-64-v3",          "alderlake",
    "x86-64-v4", "x86-64-v4,-avx512bw", "x86-64-v4,+avxvnni", "cascadelake",
    "native",    "x86-64,-Os",          "alderlake,-Os",      "x86-64-v4,-Os",
};

/* ---- running them ---- */

/* On every processor; where there is no time for that, on one, another each time. */
static void check_everywhere(const char *text)
{
    static size_t turn;
    enum { N = sizeof CPUS / sizeof CPUS[0] };
    size_t step = support_full() ? 1 : N;
    for (size_t i = turn++ % step; i < N; i += step)
        if (compiled_host_runs(CPUS[i]))
            contraction_check(text, CPUS[i]);
}

static void check_convs(const char *x, const char *w, const char *acc,
                        enum contraction_result result)
{
    conv_each(x, w, acc, result, support_quick() ? 3 : 1, check_everywhere);
}

#define CHECK_PRODUCTS(p, x, w, acc)                                                               \
    product_each(p, sizeof p / sizeof p[0], x, w, acc, check_everywhere)

static void convolutions_of_bytes(void **state)
{
    (void)state;
    for (int i = 0; i < N_BYTES; i++)
        check_convs(BYTES[i][0], BYTES[i][1], "i32", SUMS);
}

static void convolutions_requantize(void **state)
{
    (void)state;
    check_convs("u8", "i8", "i32", REQUANTIZED);
}

static void products_of_bytes(void **state)
{
    (void)state;
    for (int i = 0; i < N_BYTES; i++)
        CHECK_PRODUCTS(PRODUCTS, BYTES[i][0], BYTES[i][1], "i32");
}

static void sums_of_16_bits(void **state)
{
    (void)state;
    check_convs("i16", "i16", "i64", SUMS);
    CHECK_PRODUCTS(PRODUCTS, "i16", "i16", "i64");
    CHECK_PRODUCTS(PRODUCTS, "i16", "u8", "i32");
}

static void floats(void **state)
{
    (void)state;
    CHECK_PRODUCTS(PRODUCTS, "f32", "f32", "f32");
    check_convs("f32", "f32", "f32", SUMS);
}

static void floats_in_16_bits(void **state)
{
    (void)state;
    CHECK_PRODUCTS(PRODUCTS, "f16", "f16", "f32");
    CHECK_PRODUCTS(PRODUCTS, "bf16", "bf16", "f32");
    check_convs("f16", "f16", "f32", SUMS);
}

static void weights_only(void **state)
{
    (void)state;
    static const char *const TYPES[] = {"i8", "i4", "u4", "f16"};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        CHECK_PRODUCTS(WEIGHTS_ONLY, "f32", TYPES[i], "f32");
        CHECK_PRODUCTS(WEIGHTS_ONLY, "f16", TYPES[i], "f32");
    }
}

/* ---- what they are made of ---- */

static void assert_schedule(const struct conv *conv, const char *x, const char *w, const char *cpu,
                            const char *want)
{
    struct arena a;
    arena_init(&a);
    compiled_expect_schedule(conv_text(&a, conv, x, w, "i32", SUMS), cpu, want);
    arena_done(&a);
}

static void bytes_take_the_best_instruction(void **state)
{
    (void)state;
    const struct conv *blocked = &CONVS[0], *image = &CONVS[4];
    assert_schedule(blocked, "u8", "i8", "x86-64", "x4 k d5/64 dot 2 of d5");
    assert_schedule(blocked, "u8", "i8", "x86-64-v3", "x8 k d5/64 dot 2 of d5");
    assert_schedule(blocked, "u8", "i8", "x86-64-v4", "x16 k d5/64 dot 2 of d5");
    assert_schedule(blocked, "u8", "i8", "alderlake", "x8 k d5/64 dot 4 of d5");
    assert_schedule(blocked, "u8", "i8", "cascadelake", "x16 k d5/64 dot 4 of d5");
    assert_schedule(blocked, "i8", "i8", "cascadelake", "x16 k d5/64 dot 4 of d5");
    assert_schedule(blocked, "u8", "u8", "cascadelake", "x16 k d5/64 dot 2 of d5");
    /* Four neighbours along an image row. */
    assert_schedule(image, "u8", "i8", "cascadelake", "x16 dot 4 of d7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_of_bytes),
        cmocka_unit_test(convolutions_requantize),
        cmocka_unit_test(products_of_bytes),
        cmocka_unit_test(sums_of_16_bits),
        cmocka_unit_test(floats),
        cmocka_unit_test(floats_in_16_bits),
        cmocka_unit_test(weights_only),
        cmocka_unit_test(bytes_take_the_best_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
