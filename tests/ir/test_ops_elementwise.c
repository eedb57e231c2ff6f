/*
 * Operators of arithmetic, element by element: edges that the published ONNX vectors leave out, and
 * what inference refuses.
 */
#include "tests/ir/ops_run.h"

static void test_activations(void **state)
{
    (void)state;
    CHECK("const %x f32 [5] = {-inf, -1, -0.0, 100, " NAN_TEXT
          "} %y = elu (%x) {alpha=2} return %y",
          "f32 [5]", -2, 2 * expm1(-1), 0, 100, NAN);
    CHECK("const %x f64 [3] = {-1e-300, 1e-300, -2} %y = celu (%x) {alpha=0.5} return %y",
          "f64 [3]", -1e-300, 1e-300, 0.5 * expm1(-4));
    CHECK("const %x f32 [2] = {-inf, 1} %y = selu (%x) {alpha=2, gamma=3} return %y", "f32 [2]", -6,
          3);
    CHECK("const %x f32 [5] = {-inf, -200, 0, 200, inf} %y = softplus (%x) return %y", "f32 [5]", 0,
          0, log(2), 200, INFINITY);
    CHECK("const %x f32 [3] = {-100, 90, inf} %y = mish (%x) return %y", "f32 [3]", 0, 90,
          INFINITY);
    CHECK("const %x i8 [4] = {-2, -1, 1, 3} %y = shrink (%x) {lambd=1.5, bias=1.5} return %y",
          "i8 [4]", 0, 0, 0, 1);
    CHECK("const %x f32 [3] = {1, 1.5, " NAN_TEXT "} %y = thresholded_relu (%x) return %y",
          "f32 [3]", 0, 1.5, 0);
    CHECK("const %x f32 [4] = {-4, -3, 3, 9} %y = hard_swish (%x) return %y", "f32 [4]", 0, 0, 3,
          9);
    CHECK("const %x f32 [2] = {-30, 30} %y = gelu (%x) {approximate=\"tanh\"} return %y", "f32 [2]",
          0, 30);
    refused("const %x f32 [1] = {1} %y = gelu (%x) {approximate=\"erf\"} return %y",
            "the approximation 'erf' is not known");
    refused("const %x i32 [1] = {1} %y = elu (%x) return %y", "elu does not take input 'x'");
}

static void test_signs_and_classes(void **state)
{
    (void)state;
    CHECK("const %x f32 [5] = {-3, -0.0, 0, inf, " NAN_TEXT "} %y = sign (%x) return %y", "f32 [5]",
          -1, 0, 0, 1, NAN);
    CHECK("const %x u8 [2] = {0, 200} %y = sign (%x) return %y", "u8 [2]", 0, 1);
    CHECK("const %x f32 [4] = {0.5, 1.5, -2.5, 1e20} %y = round (%x) return %y", "f32 [4]", 0, 2,
          -2, 1e20);
    CHECK("const %x f16 [3] = {1, inf, -inf} %y = is_inf (%x) {detect_positive=0} return %y",
          "bool [3]", 0, 0, 1);
    CHECK("const %x f32 [1] = {inf} %y = is_inf (%x) {detect_positive=0, detect_negative=0} return "
          "%y",
          "bool [1]", 0);
    CHECK("const %x f32 [2] = {inf, " NAN_TEXT "} %y = is_nan (%x) return %y", "bool [2]", 0, 1);
    CHECK("const %a f32 [3] = {1, 2, " NAN_TEXT "} const %b f32 [] = {2}"
          "%y = greater_or_equal (%a, %b) return %y",
          "bool [3]", 0, 1, 0);
    CHECK("const %a u64 [2] = {0, 18446744073709551615} const %b u64 [] = {1}"
          "%y = less_or_equal (%a, %b) return %y",
          "bool [2]", 1, 0);
}

static void test_mod(void **state)
{
    (void)state;
    CHECK("const %a i32 [5] = {7, -7, 7, -7, 5} const %b i32 [5] = {3, 3, -3, -3, 0}"
          "%y = mod (%a, %b) return %y",
          "i32 [5]", 1, 2, -2, -1, 0);
    CHECK("const %a i8 [3] = {-128, -7, 7} const %b i8 [3] = {-1, 3, -3}"
          "%y = mod (%a, %b) {fmod=1} return %y",
          "i8 [3]", 0, -1, 1);
    CHECK("const %a f32 [6] = {1e38, 5.5, -5.5, inf, 3, 3} const %b f32 [6] = {3, 2, 2, 1, 0, inf}"
          "%y = mod (%a, %b) {fmod=1} return %y",
          "f32 [6]", fmod((double)1e38f, 3), 1.5, -1.5, NAN, NAN, 3);
    CHECK("const %a f64 [3] = {1e300, -1e-310, 2e-323} const %b f64 [3] = {7e-310, 1, 1e-323}"
          "%y = mod (%a, %b) {fmod=1} return %y",
          "f64 [3]", fmod(1e300, 7e-310), -1e-310, 0);
    CHECK("const %a f32 [4] = {-5.5, 5.5, -1, 1} const %b f32 [4] = {2, -2, inf, -inf}"
          "%y = mod (%a, %b) return %y",
          "f32 [4]", 0.5, -0.5, INFINITY, -INFINITY);
}

static void test_bits(void **state)
{
    (void)state;
    CHECK("const %a u8 [4] = {1, 3, 255, 9} const %b u8 [4] = {7, 1, 8, 255}"
          "%y = bit_shift (%a, %b) {direction=\"LEFT\"} return %y",
          "u8 [4]", 128, 6, 0, 0);
    CHECK("const %a i8 [4] = {-128, -1, 100, -3} const %b i8 [4] = {7, 8, 9, -1}"
          "%y = bit_shift (%a, %b) {direction=\"RIGHT\"} return %y",
          "i8 [4]", -1, -1, 0, -1);
    CHECK("const %a bool [2] = {1, 0} const %b bool [] = {1} %y = xor (%a, %b) return %y",
          "bool [2]", 0, 1);
    CHECK("const %a i16 [2] = {-1, 5} %y = bit_not (%a) return %y", "i16 [2]", 0, -6);
    CHECK("const %a f16 [2] = {1, -0.0} %y = bit_cast (%a) {to=5} return %y", "i16 [2]", 0x3c00,
          -0x8000);
    CHECK("const %a u8 [2] = {255, 1} %y = bit_cast (%a) {to=3} return %y", "i8 [2]", -1, 1);
    refused("const %a u8 [1] = {1} %y = bit_cast (%a) {to=1} return %y",
            "the types u8 and f32 differ in width: 8 and 32 bits");
    refused("const %a u8 [1] = {1} %y = bit_cast (%a) {to=99} return %y",
            "ONNX type 99 is not known");
    refused("const %a u8 [1] = {1} %y = bit_shift (%a, %a) {direction=\"UP\"} return %y",
            "the direction 'UP' is neither LEFT nor RIGHT");
    refused("const %a f32 [1] = {1} %y = bit_and (%a, %a) return %y",
            "bit_and does not take input 'a' of type f32");
}

static void test_mean(void **state)
{
    (void)state;
    CHECK("const %a f32 [2] = {1, 2} const %b f32 [1] = {4} const %c f32 [2] = {1, 6}"
          "%y = mean (%a, %b, %c) return %y",
          "f32 [2]", 2, 4);
    CHECK("const %a f16 [2] = {60000, 1} %y = mean (%a, %a) return %y", "f16 [2]", 60000, 1);
}

#define RANGE(type, start, limit, delta, rest)                                                     \
    "const %a " type " [] = {" start "} const %b " type " [] = {" limit "} const %c " type         \
    " [1] = {" delta "} %y = range (%a, %b, %c)" rest

static void test_range(void **state)
{
    (void)state;
    CHECK(RANGE("i32", "10", "4", "-2", "") "return %y", "i32 [3]", 10, 8, 6);
    CHECK(RANGE("f32", "0", "1", "0.3", "") "return %y", "f32 [4]", 0, 0.3, 0.6, 0.9);
    check(RANGE("i64", "4", "4", "1", "") "return %y", "i64 [0]", NULL, 0);
    CHECK(RANGE("i64", "9223372036854775800", "9223372036854775807", "5", "") "return %y",
          "i64 [2]", 9223372036854775800.0, 9223372036854775805.0);
    CHECK(RANGE("i64", "-9223372036854775808", "9223372036854775807", "9223372036854775807",
                "") "return %y",
          "i64 [3]", -9223372036854775808.0, -1, 9223372036854775806.0);
    refused(RANGE("i32", "1", "4", "0", "") "return %y", "the step, input 'c', is 0");
    refused(RANGE("f32", "0", "1e30", "1", "") "return %y", "more than");
    refused(RANGE("i64", "-9223372036854775808", "9223372036854775807", "1", "") "return %y",
            "more than");
    refused(RANGE("u8", "1", "4", "1", "") "return %y", "range does not take input 'a'");
    refused(RANGE("f16", "1", "4", "1", " {stash_type=10}") "return %y",
            "16-bit floats are computed in f32 only, not in ONNX type 10");
    refused("const %a f32 [2] = {1, 2} const %b f32 [] = {1} %y = range (%b, %a, %b) return %y",
            "input 'a' has 2 elements, not one");
    refused(
        "input %a f32 [] const %b f32 [] = {1} %y = range (%b, %a, %b) return %y",
        "output 'y' has no bound: the inputs are not constant, and the model declares no shape");
}

/* The limit is found at run time, so that nothing is folded. */
#define RUN_TIME_RANGE(type, start, limit, delta)                                                  \
    "const %a " type " [] = {" start "} const %l " type " [1] = {" limit "} const %c " type        \
    " [] = {" delta "} %b = reduce_sum (%l) %y = range (%a, %b, %c) {bound=5} return %y"

static void test_range_at_run_time(void **state)
{
    (void)state;
    CHECK(RUN_TIME_RANGE("i32", "10", "4", "-2"), "i32 [3]", 10, 8, 6);
    CHECK(RUN_TIME_RANGE("f32", "0", "1", "0.3"), "f32 [4]", 0, 0.3, 0.6, 0.9);
    CHECK(RUN_TIME_RANGE("f32", "0", "100", "1"), "f32 [5]", 0, 1, 2, 3, 4);
    check(RUN_TIME_RANGE("i64", "4", "3", "1"), "i64 [0]", NULL, 0);
    check(RUN_TIME_RANGE("f32", "0", "nan.7fc00000", "1"), "f32 [0]", NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_signs_and_classes),
        cmocka_unit_test(test_mod),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_range_at_run_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
