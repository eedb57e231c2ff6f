/*
 * ONNX Runtime's quantized operators (domain com.microsoft) become DequantizeLinear, a float
 * operator and QuantizeLinear.
 */
#include "tests/loader/import_run.h"

struct quantized_case {
    const char *op, *inputs, *attrs;
    const char *want[4]; /* all in the graph's text; "!" and part of the sentence */
};

/* x, w u8 [1,2,4,4], a u8 [3,4], b u8 [4,5], bias i32 [5], scales s, t f32 [], per f32 [5], zero
   point z u8 [] and pz u8 [5]. */
static const struct quantized_case cases[] = {
    {"QLinearAdd",
     "x,s,z,w,t,z,t,z",
     "",
     {"= dequantize_linear \"x\" (%x, %s, %z)", "= dequantize_linear \"w\" (%w, %t, %z)", "= add ",
      "%y u8 [1,2,4,4] = quantize_linear"}},
    {"QLinearAdd", "x,s,,w,t,,t", "", {"(%x, %s)", "(%w, %t)", "u8 [] = {0}"}},
    {"QLinearMul", "x,s,z,w,t,z,t,z", "", {"= mul ", "%y u8 [1,2,4,4] = quantize_linear"}},
    {"QLinearAdd", "x,s,z,w", "", {"!QLinearAdd lacks its input 4"}},
    {"QLinearConcat",
     "t,z,x,s,z,w,t,z",
     "axis=1",
     {"f32 [1,4,4,4] = concat", "%y u8 [1,4,4,4] = quantize_linear"}},
    {"QLinearConcat", "t,z", "axis=1", {"!QLinearConcat lacks its input 2"}},
    {"QLinearSigmoid", "x,s,z,t,z", "", {"= sigmoid ", "= quantize_linear"}},
    {"QLinearLeakyRelu", "x,s,z,t,z", "alpha=0.25", {"= leaky_relu ", "{alpha=0.25}"}},
    {"QLinearSoftmax", "x,s,z,t,z", "axis=3 opset=13", {"= softmax ", "{axis=3}"}},
    {"QLinearSoftmax", "x,s,z,t,z", "axis=1 opset=12", {"= flatten ", "= softmax "}},
    {"QLinearGlobalAveragePool", "x,s,z,t,z", "", {"f32 [1,2,1,1] = global_average_pool"}},
    {"QLinearGlobalAveragePool",
     "x,s,z,t,z",
     "channels_last=1",
     {"f32 [1,4,2,4] = transpose", "f32 [1,4,1,1] = global_average_pool",
      "%y u8 [1,1,1,4] = quantize_linear"}},
    {"QLinearAveragePool",
     "x,s,z,t,z",
     "kernel_shape=[2,2] strides=[2,2] count_include_pad=1",
     {"f32 [1,2,2,2] = average_pool", "{count_include_pad=1, kernel_shape=[2,2], strides=[2,2]}"}},
    {"QLinearReduceMean", "x,s,z,t,z", "axes=[2,3] keepdims=0", {"f32 [1,2] = reduce_mean"}},
    {"QLinearReduceMean", "x,s,z,t,z", "", {"f32 [1,1,1,1] = reduce_mean"}},
    {"QLinearWhere", "c,x,s,z,w,t,z,t,z", "", {"= where ", "%y u8 [1,2,4,4] = quantize_linear"}},
    {"QGemm",
     "a,s,z,b,per,pz,bias,t,z",
     "alpha=0.5",
     {"(%b, %per, %pz)\n", "(%bias, ", "= gemm ", "%y u8 [3,5] = quantize_linear"}},
    {"QGemm", "a,s,z,b,t,z,bias", "", {"%y f32 [3,5] = gemm"}},
    {"QGemm", "a,s,z,a,t,z,,t,z", "transB=1", {"= gemm ", "{transB=1}", "%y u8 [3,3]"}},
    {"QGemm", "a,s,z,b,t,z,,t,z", "mode='fast'", {"!has no attribute 'mode'"}},
    {"DequantizeLinear", "x,s,z", "", {"%y f32 [1,2,4,4] = dequantize_linear"}},
    {"QuantizeLinear", "f,s,z", "", {"%y u8 [1,2,4,4] = quantize_linear"}},
    {"Unknown", "f", "", {"!'com.microsoft.Unknown'"}},
};

static struct graph *import_case(const struct quantized_case *c)
{
    struct onnx_model m;
    struct strbuf node;
    onnx_begin(&m, &arena, 17);
    onnx_input(&m.graph, "f", ONNX_F32, "1,2,4,4");
    onnx_input(&m.graph, "c", ONNX_BOOL, "1,2,4,4");
    onnx_input(&m.graph, "x", ONNX_U8, "1,2,4,4");
    onnx_input(&m.graph, "w", ONNX_U8, "1,2,4,4");
    onnx_input(&m.graph, "a", ONNX_U8, "3,4");
    onnx_input(&m.graph, "b", ONNX_U8, "4,5");
    onnx_input(&m.graph, "bias", ONNX_I32, "5");
    onnx_input(&m.graph, "s", ONNX_F32, "");
    onnx_input(&m.graph, "t", ONNX_F32, "");
    onnx_input(&m.graph, "per", ONNX_F32, "5");
    onnx_input(&m.graph, "z", ONNX_U8, "");
    onnx_input(&m.graph, "pz", ONNX_U8, "5");
    onnx_node_begin(&node, &arena, c->op, c->inputs, "y", c->attrs);
    pb_string(&node, 7, "com.microsoft");
    pb_sub(&m.graph, 1, &node);
    onnx_output(&m.graph, "y", ONNX_F32, NULL);
    return import_onnx(&m);
}

static void quantized_operators_are_composed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        error_init(&err);
        struct graph *g = import_case(&cases[i]);
        for (size_t k = 0; k < 4 && cases[i].want[k]; k++) {
            if (*cases[i].want[k] == '!')
                expect_error(g, cases[i].want[k] + 1);
            else if (!g)
                fail_msg("%s: %s", cases[i].op, err.text);
            else
                expect_text(g, cases[i].want[k]);
        }
    }
}

/* In the default domain there are no such operators. */
static void other_domains_are_other_operators(void **state)
{
    (void)state;
    struct onnx_model m;
    onnx_begin(&m, &arena, 17);
    onnx_input(&m.graph, "x", ONNX_U8, "2");
    onnx_input(&m.graph, "s", ONNX_F32, "");
    onnx_node(&m.graph, "QLinearSigmoid", "x,s,,s", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, NULL);
    expect_error(import_onnx(&m), "'QLinearSigmoid' (opset 17");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(quantized_operators_are_composed, setup_import, teardown),
        cmocka_unit_test_setup_teardown(other_domains_are_other_operators, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
