/*
 * Reductions, sums along an axis, normalizations, and pools of norms and places: cases worked out
 * by hand as in test_ops.
 */
#include "tests/ir/ops_run.h"

#define REDUCED(x, kind) "const %x " x " %y = reduce_" kind " (%x) {keepdims=0} return %y"

static void test_reduce_kinds(void **state)
{
    (void)state;
    CHECK(REDUCED("f32 [3] = {1, -2, 4}", "max"), "f32 []", 4);
    CHECK(REDUCED("f32 [3] = {1, -2, 4}", "min"), "f32 []", -2);
    CHECK(REDUCED("f32 [3] = {1, -2, 4}", "prod"), "f32 []", -8);
    CHECK(REDUCED("f32 [3] = {1, -2, 4}", "l1"), "f32 []", 7);
    CHECK(REDUCED("f32 [2] = {3, -4}", "l2"), "f32 []", 5);
    CHECK(REDUCED("i32 [2] = {3, 5}", "l2"), "i32 []", 5);
    CHECK(REDUCED("f32 [2] = {3, -4}", "sum_square"), "f32 []", 25);
    CHECK(REDUCED("f32 [2] = {0.75, 0.25}", "log_sum"), "f32 []", 0);
    CHECK(REDUCED("f32 [2] = {-inf, 1000}", "log_sum_exp"), "f32 []", 1000);
    CHECK(REDUCED("f32 [2] = {inf, 1}", "log_sum_exp"), "f32 []", INFINITY);
    CHECK(REDUCED("bool [2] = {1, 0}", "max"), "bool []", 1);
    CHECK(REDUCED("bool [2] = {1, 0}", "min"), "bool []", 0);
    /* Wherever a NaN stands, it wins. */
    CHECK(REDUCED("f32 [2] = {" NAN_TEXT ", 1}", "max"), "f32 []", NAN);
    CHECK(REDUCED("f32 [2] = {1, " NAN_TEXT "}", "min"), "f32 []", NAN);
    /* Of nothing. */
    CHECK(REDUCED("f32 [0] = {}", "max"), "f32 []", -INFINITY);
    CHECK(REDUCED("f32 [0] = {}", "min"), "f32 []", INFINITY);
    CHECK(REDUCED("i8 [0] = {}", "max"), "i8 []", -128);
    CHECK(REDUCED("bool [0] = {}", "min"), "bool []", 1);
    CHECK(REDUCED("f32 [0] = {}", "prod"), "f32 []", 1);
    CHECK(REDUCED("f32 [0] = {}", "log_sum_exp"), "f32 []", -INFINITY);
    refused(REDUCED("bool [2] = {1, 0}", "l1"), "does not take input 'x' of type bool");
}

static void test_cumulative(void **state)
{
    (void)state;
    CHECK("const %x i32 [4] = {1, 2, 3, 4} const %a i64 [] = {0} %y = cum_sum (%x, %a) return %y",
          "i32 [4]", 1, 3, 6, 10);
    CHECK("const %x i32 [4] = {1, 2, 3, 4} const %a i64 [] = {0} "
          "%y = cum_sum (%x, %a) {exclusive=1, reverse=1} return %y",
          "i32 [4]", 9, 7, 4, 0);
    CHECK("const %x f32 [2,2] = {1, 2, 3, 4} const %a i64 [] = {-2} "
          "%y = cum_prod (%x, %a) return %y",
          "f32 [2,2]", 1, 2, 3, 8);
    refused("const %x f32 [2] = {1, 2} input %a i64 [] %y = cum_sum (%x, %a) return %y",
            "the axis, input 'a', must be constant");
    refused("const %x f32 [2] = {1, 2} const %a i64 [] = {1} %y = cum_prod (%x, %a) return %y",
            "axis 1 does not exist in 1 dimensions");
    refused("const %x f32 [2] = {1, 2} const %a i64 [0] = {} %y = cum_prod (%x, %a) return %y",
            "the axis, input 'a', has no element");
}

static void test_normalize(void **state)
{
    (void)state;
    CHECK("const %x f32 [2,2] = {1, 3, 5, 9} const %s f32 [2] = {2, 4} const %b f32 [] = {1} "
          "%y = normalize (%x, %s, %b) {axes=[1], epsilon=0} return %y",
          "f32 [2,2]", -1, 5, -1, 5);
    CHECK("const %x f32 [2,2] = {1, 3, 5, 9} %y, %m, %i = normalize (%x) {axes=[1], epsilon=0} "
          "return %m",
          "f32 [2,1]", 2, 7);
    CHECK("const %x f32 [2,2] = {1, 3, 5, 9} %y, %m, %i = normalize (%x) {axes=[1], epsilon=0} "
          "return %i",
          "f32 [2,1]", 1, 0.5);
    CHECK(
        "const %x f32 [2] = {3, -3} %y = normalize (%x) {axes=[0], epsilon=0, center=0} return %y",
        "f32 [2]", 1, -1);
    refused("const %x f32 [2] = {1, 2} const %s f32 [2,2] = fill 1 "
            "%y = normalize (%x, %s) {axes=[0]} return %y",
            "input 's' is larger than input 'x'");
    refused("const %x f32 [2] = {1, 2} %y = normalize (%x) {axes=[0], stash_type=6} return %y",
            "mean and deviation of ONNX type 6 are not possible");
}

static void test_nll_loss(void **state)
{
    (void)state;
    CHECK("const %x f32 [2,3] = {1, 2, 3, 4, 5, 6} const %t i64 [2] = {2, 0} "
          "const %w f32 [3] = {10, 1, 2} %y = nll_loss (%x, %t, %w) return %y",
          "f32 [2]", -6, -40);
    CHECK("const %x f32 [2,3] = {1, 2, 3, 4, 5, 6} const %t i64 [2] = {-7, 1} "
          "%y = nll_loss (%x, %t) {ignore_index=-7} return %y",
          "f32 [2]", 0, -5);
    refused(
        "const %x f32 [2,3] = fill 1 const %t i64 [3] = fill 1 %y = nll_loss (%x, %t) return %y",
        "dimension 0 of input 't' is 3 where 2 is needed");
}

static void test_pools_of_norms_and_places(void **state)
{
    (void)state;
    CHECK("const %x f32 [1,1,3] = {3, -4, 0} %y = lp_pool (%x) {kernel_shape=[2]} return %y",
          "f32 [1,1,2]", 5, 4);
    refused("const %x f32 [1,1,3] = fill 1 %y = lp_pool (%x) {kernel_shape=[2], p=0} return %y",
            "a norm with p = 0 is not possible");
    /* Of equal elements the first. */
    CHECK("const %x f32 [1,2,4] = {1, 2, 2, 0, 5, 4, " NAN_TEXT ", 9} "
          "%y, %i = max_pool_indices (%x) {kernel_shape=[3], pads=[1,0]} return %i",
          "i64 [1,2,3]", 1, 1, 1, 4, 6, 6);
    CHECK("const %x f32 [1,1,2,3] = {1, 9, 2, 3, 4, 8} %y, %i = max_pool_indices (%x)"
          "{kernel_shape=[2,2], storage_order=1} return %i",
          "i64 [1,1,1,2]", 2, 2);
    CHECK("const %x f32 [1,2,2] = {1, 2, 3, 4} const %i i64 [1,2,2] = {1, 9, 4, -1} "
          "%y = max_unpool (%x, %i) {kernel_shape=[2]} return %y",
          "f32 [1,2,3]", 0, 1, 0, 0, 3, 0);
    refused("const %x f32 [1,2,2] = fill 1 const %i i64 [1,2,2] = fill 1 "
            "%y = max_unpool (%x, %i) {kernel_shape=[2,2]} return %y",
            "3 dimensions do not fit to 2 of kernel_shape");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reduce_kinds),
        cmocka_unit_test(test_cumulative),
        cmocka_unit_test(test_normalize),
        cmocka_unit_test(test_nll_loss),
        cmocka_unit_test(test_pools_of_norms_and_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
