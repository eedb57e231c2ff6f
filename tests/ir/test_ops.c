/*
 * Operators: each case is a graph in text form whose data are constants; it is inferred, lowered,
 * run by the evaluator, and compared with results worked out by hand.  What the published ONNX
 * vectors cover at ease is left to tests/conformance; here are the edges, and what inference
 * refuses.
 */
#include "tests/ir/ops_run.h"

/* ---- element by element ---- */

static void test_elementwise_edges(void **state)
{
    (void)state;
    CHECK("const %x f32 [4] = {-1, 2, -0.0, " NAN_TEXT "} %y = relu (%x) return %y", "f32 [4]", 0,
          2, 0, NAN);
    CHECK("const %x i8 [3] = {-128, 0, 127} %y = relu (%x) return %y", "i8 [3]", 0, 0, 127);
    CHECK("const %x f32 [3] = {-5, " NAN_TEXT ", 5} const %lo f32 [] = {-1} const %hi f32 [] = {2}"
          "%y = clip (%x, %lo, %hi) return %y",
          "f32 [3]", -1, NAN, 2);
    CHECK("const %x f32 [2] = {-5, 5} const %hi f32 [] = {2} %y = clip (%x, _, %hi) return %y",
          "f32 [2]", -5, 2);
    CHECK("const %a f32 [4] = {1, " NAN_TEXT ", 3, inf} const %b f32 [4] = {2, 0, " NAN_TEXT
          ", 1} %y = max (%a, %b) return %y",
          "f32 [4]", 2, NAN, NAN, INFINITY);
    CHECK("const %a f32 [3] = {1, " NAN_TEXT ", 3} const %b f32 [3] = {2, 0, " NAN_TEXT
          "} %y = min (%a, %b) return %y",
          "f32 [3]", 1, NAN, NAN);
    CHECK("const %a i32 [3] = {7, -7, 5} const %b i32 [3] = {2, 2, 0} %y = div (%a, %b) return %y",
          "i32 [3]", 3, -3, 0);
    CHECK("const %x f16 [3] = {0.5, 2, -1} %y = leaky_relu (%x) {alpha=0.5} return %y", "f16 [3]",
          0.5, 2, -0.5);
    CHECK("const %x f32 [3] = {-10, 0.5, 10} %y = hard_sigmoid (%x) return %y", "f32 [3]", 0, 0.6,
          1);
}

static void test_broadcast(void **state)
{
    (void)state;
    CHECK("const %a f32 [2,1] = {1, 2} const %b f32 [3] = {10, 20, 30} %y = add (%a, %b) return %y",
          "f32 [2,3]", 11, 21, 31, 12, 22, 32);
    CHECK("const %a f32 [] = {1} const %b f32 [] = {2} %y = sub (%a, %b) return %y", "f32 []", -1);
    CHECK("const %a i64 [2,2] = {1, 2, 3, 4} const %b i64 [] = {3} %y = less (%a, %b) return %y",
          "bool [2,2]", 1, 1, 0, 0);
    check("const %a f32 [0,3] = {} const %b f32 [1] = {1} %y = add (%a, %b) return %y", "f32 [0,3]",
          NULL, 0);
    CHECK("const %c bool [2] = {1, 0} const %a i4 [2,1] = {-8, 7} const %b i4 [2] = {1, 2}"
          "%y = where (%c, %a, %b) return %y",
          "i4 [2,2]", -8, 2, 7, 2);
    CHECK("const %x f32 [2,2] = {-1, 2, -3, 4} const %s f32 [2,1] = {0.5, 0.25}"
          "%y = prelu (%x, %s) return %y",
          "f32 [2,2]", -0.5, 2, -0.75, 4);
    refused("const %a f32 [2] = {1, 2} const %b f32 [3] = {1, 2, 3} %y = add (%a, %b) return %y",
            "extents 2 and 3 in dimension 0 of the result differ");
    refused("const %a f32 [2] = {1, 2} const %b i32 [2] = {1, 2} %y = add (%a, %b) return %y",
            "inputs 'a' of type f32 and 'b' of type i32 differ");
    refused("const %a bool [1] = {1} %y = relu (%a) return %y",
            "relu does not take input 'a' of type bool");
    refused("const %x f32 [2] = {1, 2} const %s f32 [2,2] = {1, 2, 3, 4} %y = prelu (%x, %s)"
            "return %y",
            "slope 's' does not broadcast to the input");
}

static void test_pow(void **state)
{
    (void)state;
    CHECK("const %x i32 [4] = {3, -2, 0, 2} const %e i64 [4] = {4, 3, 0, -1} %y = pow (%x, %e)"
          "return %y",
          "i32 [4]", 81, -8, 1, 0);
    CHECK("const %x f32 [3] = {3, -2, 0.5} const %e f32 [] = {2} %y = pow (%x, %e) return %y",
          "f32 [3]", 9, 4, 0.25);
    CHECK("const %x f32 [3] = {3, 2, 4} const %e f32 [3] = {2.5, -1, 0.5} %y = pow (%x, %e)"
          "return %y",
          "f32 [3]", 15.5884572681, 0.5, 2);
}

static void test_cast(void **state)
{
    (void)state;
    CHECK("const %x f32 [5] = {-2.7, 300, -300, " NAN_TEXT ", 1.5} %y = cast (%x) {to=3} return %y",
          "i8 [5]", -2, 127, -128, 0, 1);
    /* Four bits keep the low bits of the truncated value. */
    CHECK("const %x f32 [5] = {-9, 8.9, 7, -1, 17} %y = cast (%x) {to=22} return %y", "i4 [5]", 7,
          -8, 7, -1, 1);
    CHECK("const %x i4 [3] = {-8, 7, 1} %y = cast (%x) {to=1} return %y", "f32 [3]", -8, 7, 1);
    CHECK("const %x f32 [3] = {0, -0.5, " NAN_TEXT "} %y = cast (%x) {to=9} return %y", "bool [3]",
          0, 1, 1);
    refused("const %x f32 [1] = {0} %y = cast (%x) {to=8} return %y",
            "conversion to ONNX type 8 is not known");
}

/* ---- contractions ---- */

#define RAMP_3x3 "const %x f32 [1,1,3,3] = {1, 2, 3, 4, 5, 6, 7, 8, 9} "

static void test_conv(void **state)
{
    (void)state;
    CHECK(RAMP_3x3 "const %w f32 [1,1,2,2] = fill 1 const %b f32 [1] = {0.5}"
                   "%y = conv (%x, %w, %b) {pads=[1,0,0,1], strides=[2,1]} return %y",
          "f32 [1,1,2,3]", 3.5, 5.5, 3.5, 24.5, 28.5, 15.5);
    CHECK(RAMP_3x3 "const %w f32 [1,1,2,2] = {1, 2, 3, 4} %y = conv (%x, %w) {dilations=[2,2]}"
                   "return %y",
          "f32 [1,1,1,1]", 1 + 6 + 21 + 36);
    CHECK(RAMP_3x3 "const %w f32 [1,1,2,2] = fill 1 %y = conv (%x, %w)"
                   "{auto_pad=\"SAME_UPPER\", strides=[2,2]} return %y",
          "f32 [1,1,2,2]", 12, 9, 15, 9);
    CHECK(RAMP_3x3 "const %w f32 [1,1,2,2] = fill 1 %y = conv (%x, %w)"
                   "{auto_pad=\"SAME_LOWER\", strides=[2,2]} return %y",
          "f32 [1,1,2,2]", 1, 5, 11, 28);
    /* One dimension, two groups of one channel each: depthwise with a multiplier of 2. */
    CHECK("const %x f32 [1,2,3] = {1, 2, 3, 10, 20, 30} const %w f32 [4,1,2] = {1, 0, 0, 1, 1, 1,"
          "-1, 1} %y = conv (%x, %w) {group=2} return %y",
          "f32 [1,4,2]", 1, 2, 2, 3, 30, 50, 10, 10);
    CHECK("const %x f32 [1,1,1,1,2] = {1, 2} const %w f32 [1,1,1,1,1] = {3} %y = conv (%x, %w)"
          "return %y",
          "f32 [1,1,1,1,2]", 3, 6);
    CHECK(
        "const %x f16 [1,1,2] = {1, 2} const %w f16 [1,1,2] = {3, 4} %y = conv (%x, %w) return %y",
        "f16 [1,1,1]", 11);
}

static void test_conv_refused(void **state)
{
    (void)state;
    refused("const %x f32 [1,64,4,4] = fill 0 const %w f32 [3,21,1,1] = fill 0"
            "%y = conv \"Conv_12\" (%x, %w) {group=3} return %y",
            "node 'Conv_12': group 3 does not divide 64 input channels");
    refused("const %x f32 [1,4,4,4] = fill 0 const %w f32 [3,2,1,1] = fill 0"
            "%y = conv (%x, %w) {group=2} return %y",
            "group 2 does not divide 3 output channels");
    refused("const %x f32 [1,4,4,4] = fill 0 const %w f32 [3,2,1,1] = fill 0"
            "%y = conv (%x, %w) return %y",
            "the weights are for 2 input channels per group, the input has 4");
    refused("const %x f32 [1,1,4,4] = fill 0 const %w f32 [1,1,5,1] = fill 0"
            "%y = conv (%x, %w) return %y",
            "a window of 5 does not fit into 4 (padding included) in spatial dimension 0");
    refused("const %x f32 [1,1,4,4] = fill 0 const %w f32 [1,1,1,1] = fill 0"
            "%y = conv (%x, %w) {strides=[0,1]} return %y",
            "strides may not contain 0");
    refused("const %x f32 [1,1,4,4] = fill 0 const %w f32 [1,1,1,1] = fill 0"
            "%y = conv (%x, %w) {pads=[1,1]} return %y",
            "pads has 2 values where 4 are needed");
    refused("const %x f32 [1,1,4,4] = fill 0 const %w f32 [1,1,1,1] = fill 0"
            "%y = conv (%x, %w) {pads=[1073741824,1,1,9223372036854775807]} return %y",
            "pads may not contain 9223372036854775807");
    refused("const %x f32 [1,1,4,4] = fill 0 const %w f32 [1,1,1,1] = fill 0"
            "%y = conv (%x, %w) {kernel_shape=[3,3]} return %y",
            "kernel_shape says 3 where the weights have 1");
    refused("const %x f32 [1,1,4,4] = fill 0 const %w f32 [1,1,1,1] = fill 0"
            "%y = conv (%x, %w) {auto_pad=\"SOMEHOW\"} return %y",
            "auto_pad 'SOMEHOW' is not known");
    refused("const %x f32 [1,1,4,4] = fill 0 const %w f32 [2,1,1,1] = fill 0 "
            "const %b f32 [1] = {1} %y = conv (%x, %w, %b) return %y",
            "dimension 0 of input 'b' is 1 where 2 is needed");
}

static void test_matmul(void **state)
{
    (void)state;
    CHECK("const %a f32 [2] = {1, 2} const %b f32 [2] = {3, 4} %y = matmul (%a, %b) return %y",
          "f32 []", 11);
    CHECK("const %a f32 [2] = {1, 2} const %b f32 [2,3] = {1, 2, 3, 4, 5, 6}"
          "%y = matmul (%a, %b) return %y",
          "f32 [3]", 9, 12, 15);
    CHECK("const %a f32 [2,1,2] = {1, 2, 3, 4} const %b f32 [2] = {10, 1} %y = matmul (%a, %b)"
          "return %y",
          "f32 [2,1]", 12, 34);
    /* Batches [2,1] and [3] meet. */
    CHECK("const %a f32 [2,1,1,1] = {1, 2} const %b f32 [3,1,1] = {3, 4, 5} %y = matmul (%a, %b)"
          "return %y",
          "f32 [2,3,1,1]", 3, 4, 5, 6, 8, 10);
    CHECK("const %a i32 [1,2] = {3, -4} const %b i32 [2,1] = {5, 6} %y = matmul (%a, %b) return %y",
          "i32 [1,1]", -9);
    refused(
        "const %a f32 [2,3] = fill 0 const %b f32 [2,3] = fill 0 %y = matmul (%a, %b) return %y",
        "3 columns of 'a' meet 2 rows of 'b'");
}

static void test_gemm(void **state)
{
    (void)state;
    CHECK("const %a f32 [2,1] = {1, 2} const %b f32 [3,2] = {1, 2, 3, 4, 5, 6}"
          "const %c f32 [3] = {10, 20, 30} %y = gemm (%a, %b, %c)"
          "{alpha=2, beta=0.5, transA=1, transB=1} return %y",
          "f32 [1,3]", 15, 32, 49);
    refused("const %a f32 [2,2] = fill 0 const %b f32 [2,3] = fill 0 const %c f32 [2] = fill 0"
            "%y = gemm (%a, %b, %c) return %y",
            "extents 3 and 2 in dimension 1 of the result differ");
}

/* ---- normalization, pooling, reduction ---- */

static void test_normalization(void **state)
{
    (void)state;
    CHECK("const %x f32 [1,2,1] = {3, 4} const %s f32 [2] = {1, 2} const %b f32 [2] = {0, 1}"
          "const %m f32 [2] = {1, 0} const %v f32 [2] = {4, 1}"
          "%y = batch_norm (%x, %s, %b, %m, %v) {epsilon=0} return %y",
          "f32 [1,2,1]", 1, 9);
    CHECK("const %x f32 [1,3,1,1] = {1, 2, 3} %y = lrn (%x)"
          "{size=2, alpha=2, beta=1, bias=1} return %y",
          "f32 [1,3,1,1]", 1.0 / 6, 2.0 / 14, 3.0 / 10);
    CHECK(
        "const %x f32 [1,1,1,1] = {2} %y = lrn (%x) {size=1, alpha=1, beta=0.75, bias=0} return %y",
        "f32 [1,1,1,1]", 2 / pow(4, 0.75));
    CHECK("const %x f32 [2,2] = {0, 1000, 1, 1} %y = softmax (%x) return %y", "f32 [2,2]", 0, 1,
          0.5, 0.5);
    CHECK("const %x f32 [2,2] = {5, -inf, 5, 0} %y = softmax (%x) {axis=0} return %y", "f32 [2,2]",
          0.5, 0, 0.5, 1);
    CHECK("const %x f32 [] = {5} %y = softmax (%x) return %y", "f32 []", 1);
    refused("const %x f32 [2] = {1, 2} %y = softmax (%x) {axis=1} return %y",
            "axis 1 does not exist in 1 dimensions");
}

static void test_max_pool(void **state)
{
    (void)state;
    CHECK("const %x f32 [1,1,2,2] = {-4, -3, -2, -1} %y = max_pool (%x)"
          "{kernel_shape=[2,2], pads=[1,1,0,0]} return %y",
          "f32 [1,1,2,2]", -4, -3, -2, -1);
    /* ceil_mode: the last window starts inside; a window that starts in the padding goes. */
    CHECK("const %x f32 [1,1,4] = {1, 2, 3, 4} %y = max_pool (%x)"
          "{kernel_shape=[3], strides=[2], ceil_mode=1} return %y",
          "f32 [1,1,2]", 3, 4);
    CHECK("const %x f32 [1,1,2] = {1, 2} %y = max_pool (%x)"
          "{kernel_shape=[2], strides=[3], pads=[1,1], ceil_mode=1} return %y",
          "f32 [1,1,1]", 1);
    CHECK("const %x i8 [1,1,5] = {-5, -6, -7, -8, -9} %y = max_pool (%x)"
          "{kernel_shape=[2], dilations=[3], pads=[2,0]} return %y",
          "i8 [1,1,4]", -6, -7, -5, -6);
    refused("const %x f32 [1,1,2] = {1, 2} %y = max_pool (%x) return %y",
            "kernel_shape is missing");
    refused("const %x f32 [2,2] = fill 0 %y = max_pool (%x) {kernel_shape=[1]} return %y",
            "the input has 2 dimensions where 3 to 6 are possible");
}

static void test_average_pool(void **state)
{
    (void)state;
    CHECK("const %x f32 [1,1,3] = {3, 6, 9} %y = average_pool (%x)"
          "{kernel_shape=[2], pads=[1,1]} return %y",
          "f32 [1,1,4]", 3, 4.5, 7.5, 9);
    CHECK("const %x f32 [1,1,3] = {3, 6, 9} %y = average_pool (%x)"
          "{kernel_shape=[2], pads=[1,1], count_include_pad=1} return %y",
          "f32 [1,1,4]", 1.5, 4.5, 7.5, 4.5);
    /* What ceil_mode adds never counts, padding does when asked for. */
    CHECK("const %x f32 [1,1,4] = {1, 2, 3, 4} %y = average_pool (%x)"
          "{kernel_shape=[3], strides=[2], ceil_mode=1, count_include_pad=1} return %y",
          "f32 [1,1,2]", 2, 3.5);
    CHECK("const %x f32 [1,1,4] = {1, 2, 3, 4} %y = average_pool (%x)"
          "{kernel_shape=[3], dilations=[2], pads=[1,1]} return %y",
          "f32 [1,1,2]", 3, 2);
    CHECK("const %x f32 [1,2,1,2] = {1, 2, 3, 5} %y = global_average_pool (%x) return %y",
          "f32 [1,2,1,1]", 1.5, 4);
}

static void test_reduce(void **state)
{
    (void)state;
    CHECK("const %x f32 [2,3] = {1, 2, 3, 4, 5, 6} const %a i64 [1] = {-1}"
          "%y = reduce_sum (%x, %a) {keepdims=0} return %y",
          "f32 [2]", 6, 15);
    CHECK("const %x f32 [2,3] = {1, 2, 3, 4, 5, 6} %y = reduce_mean (%x) return %y", "f32 [1,1]",
          3.5);
    CHECK("const %x f32 [2] = {1, 2} %y = reduce_sum (%x) {noop_with_empty_axes=1} return %y",
          "f32 [2]", 1, 2);
    /* A long last dimension is summed in lanes within a sum over the others. */
    CHECK("const %x f32 [3,100] = fill 0.5 const %a i64 [2] = {0, 1} %y = reduce_sum (%x, %a)"
          "{keepdims=0} return %y",
          "f32 []", 150);
    CHECK("const %x f32 [0,2] = {} const %a i64 [1] = {0} %y = reduce_sum (%x, %a) return %y",
          "f32 [1,2]", 0, 0);
    refused(
        "const %x f32 [2] = {1, 2} const %a i64 [2] = {0, -1} %y = reduce_sum (%x, %a) return %y",
        "axis -1 is given twice");
    refused("const %x f32 [2] = {1, 2} input %a i64 [1] %y = reduce_sum (%x, %a) return %y",
            "the axes, input 'a', must be constant");
}

static void test_arg_max(void **state)
{
    (void)state;
    CHECK("const %x f32 [2,3] = {1, 3, 1, 2, " NAN_TEXT ", 1} %y = arg_min (%x) {axis=1} return %y",
          "i64 [2,1]", 0, 1);
    CHECK("const %x f32 [3] = {1, 3, 1} %y = arg_min (%x) {select_last_index=1} return %y",
          "i64 [1]", 2);
    CHECK("const %x f32 [2,3] = {1, 3, 3, 2, 2, 2} %y = arg_max (%x) {axis=1} return %y",
          "i64 [2,1]", 1, 0);
    CHECK("const %x f32 [2,3] = {1, 3, 3, 2, 2, 2} %y = arg_max (%x)"
          "{axis=-1, keepdims=0, select_last_index=1} return %y",
          "i64 [2]", 2, 2);
    CHECK("const %x f32 [4] = {1, " NAN_TEXT ", 9, " NAN_TEXT "} %y = arg_max (%x) return %y",
          "i64 [1]", 1);
    CHECK("const %x f32 [2] = {-inf, -inf} %y = arg_max (%x) {select_last_index=1} return %y",
          "i64 [1]", 1);
    CHECK("const %x u8 [100] = fill 7 %y = arg_max (%x) return %y", "i64 [1]", 0);
}

#define ORDERED(x, k, attrs)                                                                       \
    "const %x " x " const %k i64 [1] = {" #k "} %y, %i = top_k (%x, %k) {axis=-1" attrs "} "

static void test_top_k(void **state)
{
    (void)state;
    const float inf = INFINITY;
    CHECK(ORDERED("f32 [2,4] = {1, 4, 2, 3, 8, 6, 7, 5}", 3, "") "return %y", "f32 [2,3]", 4, 3, 2,
          8, 7, 6);
    CHECK(ORDERED("f32 [2,4] = {1, 4, 2, 3, 8, 6, 7, 5}", 3, "") "return %i", "i64 [2,3]", 1, 3, 2,
          0, 2, 1);
    CHECK(ORDERED("i16 [4] = {1, -4, 2, 3}", 2, ", largest=0, sorted=0") "return %i", "i64 [2]", 1,
          0);
    CHECK("const %x u8 [3,2] = {9, 1, 255, 7, 3, 8} const %k i32 [] = {1} "
          "%y, %i = top_k (%x, %k) {axis=0} return %y",
          "u8 [1,2]", 255, 8);
    /* Equal elements in the order of their indices, zeros of both signs among them. */
    CHECK(ORDERED("f32 [5] = {0, -0.0, 1, 0, 1}", 5, "") "return %i", "i64 [5]", 2, 4, 0, 1, 3);
    CHECK(ORDERED("f64 [5] = {0, -0.0, 1, 0, 1}", 5, ", largest=0") "return %i", "i64 [5]", 0, 1, 3,
          2, 4);
    /* NaN is above all numbers. */
    CHECK(ORDERED("f32 [4] = {inf, " NAN_TEXT ", -inf, 2}", 4, "") "return %i", "i64 [4]", 1, 0, 3,
          2);
    CHECK(ORDERED("f32 [4] = {inf, " NAN_TEXT ", -inf, 2}", 3, ", largest=0") "return %y",
          "f32 [3]", -inf, 2, inf);
    CHECK(ORDERED("f64 [3] = {1, nan.7ff8000000000000, inf}", 2, "") "return %i", "i64 [2]", 1, 2);
    /* The ends of types that fill their keys. */
    CHECK(ORDERED("u64 [3] = {1, 18446744073709551615, 0}", 3, "") "return %i", "i64 [3]", 1, 0, 2);
    CHECK(ORDERED("u32 [3] = {1, 4294967295, 0}", 3, ", largest=0") "return %i", "i64 [3]", 2, 0,
          1);
    CHECK(ORDERED("i32 [3] = {0, 2147483647, -2147483648}", 3, "") "return %i", "i64 [3]", 1, 0, 2);
    check(ORDERED("f32 [2,4] = fill 1", 0, "") "return %i", "i64 [2,0]", NULL, 0);
    refused(ORDERED("f32 [2,4] = fill 1", 5, "") "return %y", "k is 5, but axis 1 has 4 elements");
    refused(ORDERED("f32 [2,4] = fill 1", -1, "") "return %y", "k is -1");
    refused(ORDERED("bool [2,4] = fill 1", 2, "") "return %y", "does not take input 'x'");
    refused("const %x f32 [4] = fill 1 input %k i64 [2] %y, %i = top_k (%x, %k) return %y",
            "k, input 'k', is not one number");
}

/* ---- shape and movement ---- */

static void test_views(void **state)
{
    (void)state;
    CHECK("const %x f32 [2,3] = {1, 2, 3, 4, 5, 6} const %s i64 [2] = {0, -1}"
          "%y = reshape (%x, %s) return %y",
          "f32 [2,3]", 1, 2, 3, 4, 5, 6);
    CHECK("const %x f32 [2,3] = {1, 2, 3, 4, 5, 6} const %s i64 [2] = {3, 2}"
          "%y = reshape (%x, %s) return %y",
          "f32 [3,2]", 1, 2, 3, 4, 5, 6);
    CHECK("const %x f32 [2,1,2] = {1, 2, 3, 4} %y = flatten (%x) {axis=-1} return %y", "f32 [2,2]",
          1, 2, 3, 4);
    CHECK("const %x f32 [1,2,1] = {1, 2} %y = squeeze (%x) return %y", "f32 [2]", 1, 2);
    CHECK("const %x f32 [2] = {1, 2} const %a i64 [2] = {-1, 0} %y = unsqueeze (%x, %a) return %y",
          "f32 [1,2,1]", 1, 2);
    refused(
        "const %x f32 [2,3] = fill 0 const %s i64 [2] = {4, -1} %y = reshape (%x, %s) return %y",
        "6 elements are no multiple of 4, the known dimensions of the shape");
    refused("const %x f32 [2,3] = fill 0 const %s i64 [2] = {4, 2} %y = reshape (%x, %s) return %y",
            "6 elements do not fill a shape of 8");
    refused("const %x f32 [2] = fill 0 const %a i64 [1] = {0} %y = squeeze (%x, %a) return %y",
            "dimension 0 has extent 2, not 1");
}

/* Lowering speaks of logical indices: the layout of what lies between changes nothing. */
static void test_layouts(void **state)
{
    (void)state;
    CHECK("const %x f32 [1,3,1,2] = {1, 2, 3, 4, 5, 6} "
          "%a f32 [1,3,1,2] layout \"acdb\" = neg (%x) %y = flatten (%a) return %y",
          "f32 [1,6]", -1, -2, -3, -4, -5, -6);
    CHECK("const %x f32 [1,3,1,2] = {1, 2, 3, 4, 5, 6} const %s i64 [3] = {2, 3, 1} "
          "%a f32 [1,3,1,2] layout \"abcd2b\" = neg (%x) %y = reshape (%a, %s) return %y",
          "f32 [2,3,1]", -1, -2, -3, -4, -5, -6);
    CHECK("const %x f32 [1,3,1,2] = {1, 2, 3, 4, 5, 6} const %w f32 [1,3,1,1] = {1, 10, 100} "
          "%a f32 [1,3,1,2] layout \"abcd2b\" = neg (%x) "
          "%b f32 [1,1,1,2] layout \"acdb\" = conv (%a, %w) %y = neg (%b) return %y",
          "f32 [1,1,1,2]", 531, 642);
}

static void test_movement(void **state)
{
    (void)state;
    CHECK("const %x f32 [2,3] = {1, 2, 3, 4, 5, 6} %y = transpose (%x) return %y", "f32 [3,2]", 1,
          4, 2, 5, 3, 6);
    CHECK("const %a f32 [2,1] = {1, 2} const %b f32 [2,2] = {3, 4, 5, 6} %y = concat (%a, %b)"
          "{axis=-1} return %y",
          "f32 [2,3]", 1, 3, 4, 2, 5, 6);
    CHECK("const %x f32 [5] = {1, 2, 3, 4, 5} %a, %b = split (%x) {num_outputs=2} return %b",
          "f32 [2]", 4, 5);
    CHECK(
        "const %x f32 [3] = {1, 2, 3} const %s i64 [2] = {1, 2} %a, %b = split (%x, %s) return %b",
        "f32 [2]", 2, 3);
    CHECK("const %x f32 [3,2] = {1, 2, 3, 4, 5, 6} const %i i64 [2] = {-1, 0}"
          "%y = gather (%x, %i) return %y",
          "f32 [2,2]", 5, 6, 1, 2);
    /* An index outside is clamped: it must not read anything else. */
    CHECK("const %x f32 [3] = {1, 2, 3} const %i i64 [2] = {100, -100} %y = gather (%x, %i) return "
          "%y",
          "f32 [2]", 3, 1);
    CHECK("const %x f32 [2,1] = {1, 2} const %s i64 [3] = {2, 1, 2} %y = expand (%x, %s) return %y",
          "f32 [2,2,2]", 1, 1, 2, 2, 1, 1, 2, 2);
    CHECK("const %x f32 [2,3,4] = fill 0 %y = shape (%x) {start=-2} return %y", "i64 [2]", 3, 4);
    CHECK("const %s i64 [2] = {1, 2} %y = constant_of_shape (%s) return %y", "f32 [1,2]", 0, 0);
    refused("const %x f32 [3] = {1, 2, 3} %a, %b = split (%x) {num_outputs=3} return %b",
            "num_outputs is 3, but there are 2");
    refused("const %x f32 [2,2] = fill 0 %y = transpose (%x) {perm=[0,0]} return %y",
            "axis 0 is given twice");
    refused("const %a f32 [2,1] = {1, 2} const %b f32 [1,1] = {3} %y = concat (%a, %b) {axis=1}"
            "return %y",
            "dimension 0 of 'b' is 1, but that of 'a' is 2");
}

static void test_slice(void **state)
{
    (void)state;
    CHECK(
        "const %x f32 [5] = {1, 2, 3, 4, 5} const %s i64 [1] = {-1} const %e i64 [1] = {-100}"
        "const %a i64 [1] = {0} const %t i64 [1] = {-2} %y = slice (%x, %s, %e, %a, %t) return %y",
        "f32 [3]", 5, 3, 1);
    CHECK("const %x f32 [2,3] = {1, 2, 3, 4, 5, 6} const %s i64 [1] = {1}"
          "const %e i64 [1] = {9223372036854775807} const %a i64 [1] = {-1}"
          "%y = slice (%x, %s, %e, %a) return %y",
          "f32 [2,2]", 2, 3, 5, 6);
    check("const %x f32 [3] = {1, 2, 3} const %s i64 [1] = {2} const %e i64 [1] = {1}"
          "%y = slice (%x, %s, %e) return %y",
          "f32 [0]", NULL, 0);
    /* A start known at run time, the end one behind it. */
    CHECK("const %x f32 [3] = {1, 2, 3} const %i i64 [1] = {1} const %one i64 [1] = {1}"
          "%s = mul (%i, %one) %e = add (%s, %one) %y = slice (%x, %s, %e) return %y",
          "f32 [1]", 2);
    refused("const %x f32 [3] = {1, 2, 3} input %s i64 [1] input %e i64 [1]"
            "%y = slice (%x, %s, %e) return %y",
            "do not lie a constant distance apart");
    refused("const %x f32 [3] = {1, 2, 3} const %s i64 [1] = {0} const %a i64 [1] = {0}"
            "%y = slice (%x, %s, %s, %a, %s) return %y",
            "the step along axis 0 is 0");
}

static void test_pad(void **state)
{
    (void)state;
#define PAD_3(mode, before, after)                                                                 \
    "const %x f32 [3] = {1, 2, 3} const %p i64 [2] = {" before ", " after "} %y = pad (%x, %p)"    \
    "{mode=\"" mode "\"} return %y"
    CHECK(PAD_3("constant", "1", "-1"), "f32 [3]", 0, 1, 2);
    CHECK(PAD_3("edge", "2", "1"), "f32 [6]", 1, 1, 1, 2, 3, 3);
    CHECK(PAD_3("reflect", "3", "2"), "f32 [8]", 2, 3, 2, 1, 2, 3, 2, 1);
    CHECK(PAD_3("wrap", "1", "4"), "f32 [8]", 3, 1, 2, 3, 1, 2, 3, 1);
    CHECK("const %x i32 [1] = {1} const %p i64 [2] = {1, 0} const %v i32 [] = {9}"
          "%y = pad (%x, %p, %v) return %y",
          "i32 [2]", 9, 1);
    refused(PAD_3("constant", "-2", "-2"), "pads -2 and -2 do not suit 3 elements in dimension 0");
    refused(PAD_3("mirror", "1", "1"), "mode 'mirror' is not known");
}

/* ---- regions ---- */

static void test_attention(void **state)
{
    (void)state;
    /* One query, keys alike: the mean of what the mask leaves. */
    CHECK("const %q f32 [1,1,1,1] = {1} const %k f32 [1,1,3,1] = {1, 1, 1}"
          "const %v f32 [1,1,3,1] = {1, 2, 6} const %m bool [1,3] = {1, 0, 1}"
          "%y = attention (%q, %k, %v, %m) return %y",
          "f32 [1,1,1,1]", 3.5);
    /* Nothing left gives 0, not NaN; a short mask excludes the rest. */
    CHECK("const %q f32 [1,1,1,1] = {1} const %k f32 [1,1,3,1] = {1, inf, 1}"
          "const %v f32 [1,1,3,1] = {1, 2, 6} const %m bool [1,2] = {0, 0}"
          "%y = attention (%q, %k, %v, %m) return %y",
          "f32 [1,1,1,1]", 0);
    /* Two queries behind one cached key, causal: the first sees two keys. */
    CHECK("const %q f32 [1,1,2,1] = {0, 0} const %k f32 [1,1,2,1] = {1, 1}"
          "const %v f32 [1,1,2,1] = {4, 9} const %pk f32 [1,1,1,1] = {1}"
          "const %pv f32 [1,1,1,1] = {2} %y = attention (%q, %k, %v, _, %pk, %pv) {is_causal=1}"
          "return %y",
          "f32 [1,1,2,1]", 3, 5);
    /* Packed heads, two query heads on one key head. */
    CHECK(
        "const %q f32 [1,1,2] = {0, 0} const %k f32 [1,2,1] = {1, 2} const %v f32 [1,2,1] = {4, 8}"
        "%y = attention (%q, %k, %v) {q_num_heads=2, kv_num_heads=1} return %y",
        "f32 [1,1,2]", 6, 6);
    refused("const %q f32 [1,1,5] = fill 0 %y = attention (%q, %q, %q) {q_num_heads=2,"
            "kv_num_heads=1} return %y",
            "2 heads do not divide 5 columns of 'q'");
}

#define LSTM_WEIGHTS                                                                               \
    "const %w f32 [1,4,1] = {0, 0, 0, 1} const %r f32 [1,4,1] = fill 0 "                           \
    "const %b f32 [1,8] = {100, 100, 100, 0, 0, 0, 0, 0} "

static void test_lstm(void **state)
{
    (void)state;
    /* All gates open: c sums tanh(x), h is tanh(c). */
    double a = tanh(0.5), b = a + tanh(0.25);
    CHECK("const %x f32 [2,1,1] = {0.5, 0.25}" LSTM_WEIGHTS "%y = lstm (%x, %w, %r, %b) return %y",
          "f32 [2,1,1,1]", tanh(a), tanh(b));
    double c = tanh(0.25);
    CHECK("const %x f32 [2,1,1] = {0.5, 0.25}" LSTM_WEIGHTS
          "%y = lstm (%x, %w, %r, %b) {direction=\"reverse\"} return %y",
          "f32 [2,1,1,1]", tanh(b), tanh(c));
    /* Backwards from each entry's own end; nothing behind it, and its last state stays. */
    CHECK("const %x f32 [1,3,1] = {0.5, 0.25, 9} const %n i32 [1] = {2}" LSTM_WEIGHTS
          "%y = lstm (%x, %w, %r, %b, %n) {direction=\"reverse\", layout=1} return %y",
          "f32 [1,3,1,1]", tanh(b), tanh(c), 0);
    CHECK("const %x f32 [1,3,1] = {0.5, 0.25, 9} const %n i32 [1] = {2}" LSTM_WEIGHTS
          "_, _, %y = lstm (%x, %w, %r, %b, %n) {layout=1} return %y",
          "f32 [1,1,1]", b);
    CHECK("const %x f32 [1,1,1] = {3}" LSTM_WEIGHTS
          "%y = lstm (%x, %w, %r, %b) {activations=[\"HardSigmoid\", \"Affine\", \"relu\"],"
          "activation_alpha=[0.5, 2], activation_beta=[0.25, 1]} return %y",
          "f32 [1,1,1,1]", 7);
    /* Steps, or entries of the batch, of which there are two at run time. */
    CHECK("const %a f32 [3,1,1] = {0.5, 9, 0.25} const %k i32 [3] = {1, 0, 1} " LSTM_WEIGHTS
          "%c = cast (%k) {to=9} %x = compress (%a, %c) {axis=0}"
          "%y = lstm (%x, %w, %r, %b) {direction=\"reverse\"} return %y",
          "f32 [2,1,1,1]", tanh(b), tanh(c));
    CHECK("const %a f32 [3,2,1] = {9, 9, 0.5, 0.25, 0.25, 9} const %k i32 [3] = {0, 1, 1}"
          "const %l i32 [3] = {2, 2, 1} " LSTM_WEIGHTS "%c = cast (%k) {to=9}"
          "%x = compress (%a, %c) {axis=0} %n = compress (%l, %c) {axis=0}"
          "%y = lstm (%x, %w, %r, %b, %n) {layout=1} return %y",
          "f32 [2,2,1,1]", tanh(a), tanh(b), tanh(c), 0);
    CHECK("const %x f64 [2,1,1] = {0.5, 0.25} const %w f64 [1,4,1] = {0, 0, 0, 1}"
          "const %r f64 [1,4,1] = fill 0 const %b f64 [1,8] = {100, 100, 100, 0, 0, 0, 0, 0}"
          "%y = lstm (%x, %w, %r, %b) return %y",
          "f64 [2,1,1,1]", tanh(a), tanh(b));
    refused("const %x f32 [1,1,1] = {3}" LSTM_WEIGHTS
            "%y = lstm (%x, %w, %r, %b) {direction=\"sideways\"} return %y",
            "direction 'sideways' is not known");
    refused("const %x f32 [1,1,1] = {3}" LSTM_WEIGHTS
            "%y = lstm (%x, %w, %r, %b) {hidden_size=2} return %y",
            "hidden_size is 2, but the weights have 1");
}

/* ---- run-time extents, state, control ---- */

static void test_non_zero(void **state)
{
    (void)state;
    CHECK("const %x f32 [2,3] = {0, 1, 0, 2, 0, 3} %y = non_zero (%x) return %y", "i64 [2,3]", 0, 1,
          1, 1, 0, 2);
    check("const %x bool [3] = {0, 0, 0} %y = non_zero (%x) return %y", "i64 [1,0]", NULL, 0);
    /* What follows has the run-time extent too. */
    CHECK("const %x bool [4] = {0, 1, 1, 0} const %t i64 [1] = {10} %i = non_zero (%x)"
          "%p = transpose (%i) %y = add (%p, %t) return %y",
          "i64 [2,1]", 11, 12);
    CHECK("const %x bool [4] = {0, 1, 1, 0} %i = non_zero (%x) %y = shape (%i) return %y",
          "i64 [2]", 1, 2);
    refused("const %x bool [4] = {0, 1, 1, 0} const %t i64 [1,4] = fill 1 %i = non_zero (%x)"
            "%y = add (%i, %t) return %y",
            "extents 4 (at most) and 4 in dimension 1 of the result differ");
}

static void test_random_uniform(void **state)
{
    (void)state;
    struct run r;
    run_begin(&r, "state %s u64 [2] %y f32 [2,3] = random_uniform (%s)"
                  "{shape=[2,3], low=-2, high=2} return %y");
    /* The first words of Philox4x32-10 for key 0 and counter 0 (its authors' test vectors). */
    static const uint32_t word[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    run_once(&r);
    struct tensor t = output_tensor(&r, 0);
    double first[6], second[6];
    for (int i = 0; i < 6; i++) {
        first[i] = tensor_get(&t, i);
        assert_true(first[i] >= -2 && first[i] < 2);
    }
    for (int i = 0; i < 4; i++)
        assert_true(first[i] == -2 + 4 * ((word[i] >> 8) * 0x1p-24));
    /* Two blocks were used; the next call goes on behind them. */
    run_once(&r);
    for (int i = 0; i < 6; i++) {
        second[i] = tensor_get(&t, i);
        assert_true(second[i] != first[i]);
    }
    arena_done(&r.arena);
}

static void test_if(void **state)
{
    (void)state;
    for (int taken = 0; taken < 2; taken++) {
        struct run r;
        run_begin(&r, taken ? "const %c bool [] = {1} const %a f32 [1] = {5} const %b f32 [1] = {7}"
                              "%y = if (%c) do () { %u = neg (%a) return %u }"
                              "do () { %v = neg (%b) return %v } return %y"
                            : "const %c bool [] = {0} const %a f32 [1] = {5} const %b f32 [1] = {7}"
                              "%y = if (%c) do () { %u = neg (%a) return %u }"
                              "do () { %v = neg (%b) return %v } return %y");
        run_once(&r);
        assert_output(&r, 0, "f32 [1]", (const double[]){taken ? -5 : -7}, 1);
        arena_done(&r.arena);
    }
    /* Branches of different extents. */
    CHECK("const %c bool [] = {0} const %a f32 [3] = {1, 2, 3} const %b f32 [2] = {7, 8}"
          "%y = if (%c) do () { %u = neg (%a) return %u }"
          "do () { %v = neg (%b) return %v } return %y",
          "f32 [2]", -7, -8);
    refused("const %c bool [] = {0} const %a f32 [3] = {1, 2, 3} const %b i32 [2] = {7, 8}"
            "%y = if (%c) do () { %u = neg (%a) return %u }"
            "do () { %v = neg (%b) return %v } return %y",
            "output 0 is f32 with 1 dimensions in one branch, i32 with 1 in the other");
}

static void test_loop(void **state)
{
    (void)state;
    CHECK("const %n i64 [] = {4} const %c bool [] = {1} const %x f32 [1] = {1}"
          "%y, %s = loop (%n, %c, %x) do (%i i64 [], %on bool [], %v f32 [1]) {"
          "%d = add (%v, %v) return %on, %d, %d } return %s",
          "f32 [4,1]", 2, 4, 8, 16);
    /* Ends by its condition: the scan output has fewer rounds than its bound. */
    CHECK("const %n i64 [] = {10} const %c bool [] = {1} const %x f32 [] = {1}"
          "const %limit f32 [] = {6}"
          "%y, %s = loop (%n, %c, %x) do (%i i64 [], %on bool [], %v f32 []) {"
          "%d = add (%v, %v) %go = less (%d, %limit) return %go, %d, %d } return %s",
          "f32 [3]", 2, 4, 8);
    refused("const %n i64 [] = {4} const %x f32 [1] = {1}"
            "%y = loop (%n, _, %x) do (%i i64 [], %on bool [], %v f32 [1]) {"
            "%d = concat (%v, %v) return %on, %d } return %y",
            "carried value 'v' changes its type or shape: f32[1] becomes f32[2]");
    refused("input %n i64 [] const %x f32 [1] = {1}"
            "%y, %s = loop (%n, _, %x) do (%i i64 [], %on bool [], %v f32 [1]) {"
            "%d = add (%v, %v) return %on, %d, %d } return %s",
            "scan output 's' has no bound");
}

/* Sizes that overflow are refused, not wrapped. */
static void test_limits(void **state)
{
    (void)state;
    refused("const %s i64 [3] = {4611686018427387904, 4611686018427387904, 0}"
            "%y = constant_of_shape (%s) return %y",
            "the result would have more than 1099511627776 elements");
    refused(
        "input %x f32 [1] const %p i64 [2] = {9223372036854775807, 1} %y = pad (%x, %p) return %y",
        "do not suit 1 elements");
    refused("input %x f32 [1048576,1] input %z f32 [1,1048577] %y = add (%x, %z) return %y",
            "the result would have more than");
}

/* A condition that is shown through a view is known as well: so is how many rounds there are, which
   conv asks for. */
static void test_loop_condition_behind_view(void **state)
{
    (void)state;
    CHECK("const %x f32 [1,1] = {1} const %n i64 [] = {3} const %t bool [] = {1}"
          "const %k f32 [1,1,1] = {1} %go = identity (%t)"
          "%last, %all = loop (%n, %go, %x) do (%i i64 [], %c bool [], %v f32 [1,1]) {"
          "%w = add (%v, %v) return %c, %w, %w } %y = conv (%all, %k) return %y",
          "f32 [3,1,1]", 2, 4, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise_edges),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_pow),
        cmocka_unit_test(test_cast),
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_conv_refused),
        cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_normalization),
        cmocka_unit_test(test_max_pool),
        cmocka_unit_test(test_average_pool),
        cmocka_unit_test(test_reduce),
        cmocka_unit_test(test_arg_max),
        cmocka_unit_test(test_top_k),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_movement),
        cmocka_unit_test(test_slice),
        cmocka_unit_test(test_pad),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_lstm),
        cmocka_unit_test(test_non_zero),
        cmocka_unit_test(test_random_uniform),
        cmocka_unit_test(test_if),
        cmocka_unit_test(test_loop),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_loop_condition_behind_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
