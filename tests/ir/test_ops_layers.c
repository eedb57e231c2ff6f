/*
 * Transposed and deformed convolutions, recurrent layers and what attention is made of: cases
 * worked out by hand, and nodes that inference refuses.
 */
#include "tests/ir/ops_run.h"

static void test_conv_transpose(void **state)
{
    (void)state;
    CHECK("const %x f32 [1,1,3] = {1, 2, 3} const %w f32 [1,1,2] = {1, 10} "
          "%y = conv_transpose (%x, %w) return %y",
          "f32 [1,1,4]", 1, 12, 23, 30);
    /* Taps lie apart: outputs 0 and 2 of each element. */
    CHECK("const %x f32 [1,1,2] = {1, 2} const %w f32 [1,1,2] = {1, 10} const %b f32 [1] = {100} "
          "%y = conv_transpose (%x, %w, %b) {strides=[3], dilations=[2]} return %y",
          "f32 [1,1,6]", 101, 100, 110, 102, 100, 120);
    CHECK("const %x f32 [1,1,2] = {1, 2} const %w f32 [1,1,3] = {1, 10, 100} "
          "%y = conv_transpose (%x, %w) {strides=[2], pads=[1,0], output_padding=[1]} return %y",
          "f32 [1,1,5]", 10, 102, 20, 200, 0);
    /* Of an odd number of elements too many the first side loses more, but with SAME_UPPER. */
    CHECK("const %x f32 [1,1,2] = {1, 2} const %w f32 [1,1,3] = {1, 10, 100} "
          "%y = conv_transpose (%x, %w) {output_shape=[3]} return %y",
          "f32 [1,1,3]", 12, 120, 200);
    CHECK("const %x f32 [1,1,2] = {1, 2} const %w f32 [1,1,3] = {1, 10, 100} "
          "%y = conv_transpose (%x, %w) {auto_pad=\"SAME_UPPER\"} return %y",
          "f32 [1,1,2]", 12, 120);
    CHECK("const %x f32 [1,2,1] = {1, 2} const %w f32 [2,1,1] = {3, 4} "
          "%y = conv_transpose (%x, %w) {group=2} return %y",
          "f32 [1,2,1]", 3, 8);
    /* Strides that would be very many contractions. */
    CHECK("const %x f32 [1,1,2] = {1, 7} const %w f32 [1,1,2] = {1, 10} "
          "%y = conv_transpose (%x, %w) {strides=[65], pads=[0,64], dilations=[2]} return %y",
          "f32 [1,1,4]", 1, 0, 10, 0);
}

static void test_conv_transpose_refused(void **state)
{
    (void)state;
    refused("const %x f32 [1,3,4] = fill 0 const %w f32 [2,1,1] = fill 0"
            "%y = conv_transpose (%x, %w) return %y",
            "the weights are for 2 input channels, the input has 3");
    refused("const %x f32 [1,3,4] = fill 0 const %w f32 [3,1,1] = fill 0"
            "%y = conv_transpose (%x, %w) {group=2} return %y",
            "group 2 does not divide 3 input channels");
    refused("const %x f32 [1,1,2] = fill 0 const %w f32 [1,1,1] = fill 0"
            "%y = conv_transpose (%x, %w) {pads=[1,1]} return %y",
            "the result would have 0 elements in spatial dimension 0");
    refused("const %x f32 [1,1,2] = fill 0 const %w f32 [1,1,1] = fill 0"
            "%y = conv_transpose (%x, %w) {output_padding=[-1]} return %y",
            "output_padding may not contain -1");
}

static void test_deform_conv(void **state)
{
    (void)state;
    /* Half of an element to the right; behind the last one lies 0. */
    CHECK("const %x f32 [1,1,3] = {2, 4, 8} const %w f32 [1,1,1] = {1} "
          "const %o f32 [1,1,3] = {0.5, 0, 0.5} const %m f32 [1,1,3] = {1, 3, 1} "
          "%y = deform_conv (%x, %w, %o, _, %m) return %y",
          "f32 [1,1,3]", 3, 12, 4);
    refused("const %x f32 [1,1,3] = fill 0 const %w f32 [1,1,1] = fill 0 "
            "const %o f32 [1,2,3] = fill 0 %y = deform_conv (%x, %w, %o) return %y",
            "dimension 1 of input 'o' is 2 where 1 is needed");
    refused(
        "const %x f32 [1,3,3] = fill 0 const %w f32 [1,3,1] = fill 0 "
        "const %o f32 [1,2,3] = fill 0 %y = deform_conv (%x, %w, %o) {offset_group=2} return %y",
        "offset_group 2 does not divide 3 input channels");
}

/* x is the sum of the gates, h of no weight. */
#define GRU_WEIGHTS "const %w f32 [1,3,1] = {0, 0, 1} const %r f32 [1,3,1] = {0, 0, 1} "

static void test_gru(void **state)
{
    (void)state;
    /* z and r are 1/2. */
    double a = 0.5 * tanh(0.5), b = 0.5 * (tanh(0.25 + 0.5 * a) + a);
    CHECK("const %x f32 [2,1,1] = {0.5, 0.25}" GRU_WEIGHTS "%y = gru (%x, %w, %r) return %y",
          "f32 [2,1,1,1]", a, b);
    /* The bias of h R^T is inside of what r is multiplied with, or beside it. */
    CHECK("const %x f32 [1,1,1] = {0.5} const %b f32 [1,6] = {0, 0, 0, 0, 0, 1}" GRU_WEIGHTS
          "%y = gru (%x, %w, %r, %b) return %y",
          "f32 [1,1,1,1]", 0.5 * tanh(1.5));
    CHECK("const %x f32 [1,1,1] = {0.5} const %b f32 [1,6] = {0, 0, 0, 0, 0, 1}" GRU_WEIGHTS
          "%y = gru (%x, %w, %r, %b) {linear_before_reset=1} return %y",
          "f32 [1,1,1,1]", 0.5 * tanh(1));
    refused("const %x f32 [1,1,1] = {3}" GRU_WEIGHTS
            "%y = gru (%x, %w, %r) {activations=[\"Tanh\"]} return %y",
            "1 activations where 2 are needed");
}

static void test_rnn(void **state)
{
    (void)state;
    CHECK("const %x f16 [3,1,1] = {1, 2, 3} const %w f16 [1,1,1] = {1} const %r f16 [1,1,1] = {2} "
          "const %h f16 [1,1,1] = {5} "
          "%y = rnn (%x, %w, %r, _, _, %h) {activations=[\"Relu\"]} return %y",
          "f16 [3,1,1,1]", 11, 24, 51);
    refused("const %x f32 [1,1,1] = {3} const %w f32 [1,1,1] = {1} "
            "%y = rnn (%x, %w, %w) {layout=2} return %y",
            "layout 2 is not known");
}

static void test_rotary_embedding(void **state)
{
    (void)state;
    /* A quarter turn. */
    CHECK("const %x f32 [1,1,1,5] = {1, 2, 3, 4, 5} const %c f32 [1,1,2] = {0, 1} "
          "const %s f32 [1,1,2] = {1, 0} "
          "%y = rotary_embedding (%x, %c, %s) {rotary_embedding_dim=4} return %y",
          "f32 [1,1,1,5]", -3, 2, 1, 4, 5);
    CHECK("const %x f32 [1,1,4] = {1, 2, 3, 4} const %c f32 [2,1] = {5, 0} "
          "const %s f32 [2,1] = {5, 1} const %p i64 [1,1] = {1} "
          "%y = rotary_embedding (%x, %c, %s, %p) {num_heads=2, interleaved=1} return %y",
          "f32 [1,1,4]", -2, 1, -4, 3);
    refused("const %x f32 [1,1,6] = fill 0 const %c f32 [1,1,1] = fill 0 "
            "%y = rotary_embedding (%x, %c, %c) {num_heads=2} return %y",
            "3 of 3 elements of a head cannot be rotated in pairs");
    refused("const %x f32 [1,1,6] = fill 0 const %c f32 [1,1,1] = fill 0 "
            "%y = rotary_embedding (%x, %c, %c) return %y",
            "0 heads do not divide 6 columns");
}

static void test_linear_attention(void **state)
{
    (void)state;
    /* Keys 1, so the state is the sum of the values, or what the delta rule leaves of it. */
    CHECK("const %k f32 [1,3,1] = {1, 1, 1} const %v f32 [1,3,1] = {1, 2, 3} "
          "%y = linear_attention (%k, %k, %v) {q_num_heads=1, kv_num_heads=1, "
          "update_rule=\"linear\"} return %y",
          "f32 [1,3,1]", 1, 3, 6);
    CHECK("const %k f32 [1,3,1] = {1, 1, 1} const %v f32 [1,3,1] = {1, 2, 3} "
          "const %b f32 [1,3,1] = {1, 0.5, 0} %y, %s = linear_attention (%k, %k, %v, _, _, %b) "
          "{q_num_heads=1, kv_num_heads=1, update_rule=\"delta\", scale=2} return %y",
          "f32 [1,3,1]", 2, 3, 3);
    refused("const %k f32 [1,3,1] = fill 0 %y = linear_attention (%k, %k, %k) "
            "{q_num_heads=1, kv_num_heads=1, update_rule=\"any\"} return %y",
            "update_rule 'any' is not known");
    refused("const %k f32 [1,3,1] = fill 0 %y = linear_attention (%k, %k, %k) "
            "{q_num_heads=1, kv_num_heads=1} return %y",
            "update_rule 'gated_delta' does not go with the inputs that are given or left out");
}

static void test_det(void **state)
{
    (void)state;
    CHECK("const %x f32 [2,2,2] = {1, 2, 3, 4, 0, 1, 1, 0} %y = det (%x) return %y", "f32 [2]", -2,
          -1);
    CHECK("const %x f64 [2,2] = {1, 2, 2, 4} %y = det (%x) return %y", "f64 []", 0);
    CHECK("const %x f32 [0,0] = {} %y = det (%x) return %y", "f32 []", 1);
    refused("const %x f32 [2,3] = fill 0 %y = det (%x) return %y",
            "input 'x' does not hold square matrices");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_transpose),
        cmocka_unit_test(test_conv_transpose_refused),
        cmocka_unit_test(test_deform_conv),
        cmocka_unit_test(test_gru),
        cmocka_unit_test(test_rnn),
        cmocka_unit_test(test_rotary_embedding),
        cmocka_unit_test(test_linear_attention),
        cmocka_unit_test(test_det),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
