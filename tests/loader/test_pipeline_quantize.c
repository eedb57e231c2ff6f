/*
 * Quantization as users ask for it: a profile is captured, and with every schema, precision and
 * calibration the compiled network agrees with the evaluator and still knows its digits.
 */
#define _XOPEN_SOURCE 700
#include <stdio.h>

#include "bundle/runtime.h"
#include "loader/input/preprocess.h"
#include "loader/input/tensor_file.h"
#include "tests/loader/pb_write.h"
#include "tests/loader/tool.h"

static const char *const schemas[] = {"asymmetric", "symmetric", "symmetric_with_uint8",
                                      "symmetric_with_power2_scale"};
static const char *const precisions[] = {"Int8", "Int16"};
static const char *const biases[] = {"Int32", "Int16", "Int8"};
static const char *const calibrations[] = {"none", "KL", "percentile", "MSE"};

static const char labels[] = "-expected-labels=0,1,2,3,4,5,6,7,8,9";

/* The digits, and the profile of the network on them, taken once. */
static const char *lenet, *digits;

static void need_lenet(void)
{
    const char *model = support_model("mnist_lenet"), *images = support_data("images/glow_mnist");
    SUPPORT_NEED(model, "the model mnist_lenet");
    SUPPORT_NEED(images, "images/glow_mnist");
    if (lenet)
        return;
    const char *m = support_printf("-m '%s' -image_mode=0to1", tool_absolute(model));
    digits = support_printf("'%s'/*.png", tool_absolute(images));
    tool_must_run(support_printf("%s %s -dump-profile=lenet.yml", digits, m));
    support_run(support_printf("cd '%s' && cp lenet.yml twin.yml", support_tmp()), NULL);
    lenet = m;
}

static void run_and_find(const char *args, const char *words)
{
    char *out = tool_said(args);
    if (!strstr(out, words))
        fail_msg("'%s' prints\n%swithout: %s", args, out, words);
    free(out);
}

/* ---- all ways of quantizing ---- */

static void check_way(int schema, int precision, int bias, int calibration)
{
    const char *way = support_printf(
        "%s -load-profile=lenet.yml -quantization-schema=%s -quantization-precision=%s "
        "-quantization-precision-bias=%s -quantization-calibration=%s",
        lenet, schemas[schema], precisions[precision], biases[bias], calibrations[calibration]);
    tool_must_run(support_printf("%s %s %s", way, digits, labels));
    run_and_find(support_printf("%s -verify $(ls %s | head -1)", way, digits),
                 "kernels agree with the evaluator");
}

/* All combinations, or each word with each precision. */
static void test_every_way(void **state)
{
    (void)state;
    need_lenet();
    for (int schema = 0; schema < 4; schema++)
        for (int precision = 0; precision < 2; precision++)
            for (int bias = 0; bias < 3; bias++)
                for (int calibration = 0; calibration < 4; calibration++) {
                    bool some = calibration == (schema + precision) % 4 && bias == schema % 3;
                    if (support_full() || (some && !(support_quick() && schema)))
                        check_way(schema, precision, bias, calibration);
                }
}

static void test_other_ways(void **state)
{
    (void)state;
    need_lenet();
    static const char *const ways[] = {
        "-load-profile=lenet.yml -enable-channelwise=false -enable-rowwise=false",
        "-load-profile=lenet.yml -calibrate-constants -quantization-calibration=MSE",
        "-load-profile=lenet.yml -keep-original-precision-for-nodes=Convolution,26",
        "-load-profile=lenet.yml,twin.yml",
        "-load-profile=lenet.yml -convert-placeholders",
        "-weights-only=int8",
        "-weights-only=int4",
        "-weights-only=int4 -weights-block=16 -keep-original-precision-for-nodes=16",
        "-convert-to-fp16",
        "-convert-to-fp16 -fp16-format=bfloat16 -keep-original-precision-for-nodes=FC",
        "-convert-to-fp16 -convert-placeholders",
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i += support_quick() ? 4 : 1) {
        tool_must_run(support_printf("%s %s %s %s", lenet, ways[i], digits, labels));
        run_and_find(support_printf("%s %s -verify $(ls %s | head -1)", lenet, ways[i], digits),
                     "kernels agree with the evaluator");
    }
}

/* A network with residuals and means, on its recorded inputs. */
static void test_residual_network(void **state)
{
    (void)state;
    const char *model = support_model("onnx-mlperf_resnet8/model.onnx");
    SUPPORT_NEED(model, "the model onnx-mlperf_resnet8");
    const char *sets = tool_absolute(support_model("onnx-mlperf_resnet8"));
    char *text = tool_said(support_printf("-m '%s' -dump-graph", tool_absolute(model)));
    const char *input = strstr(text, "input %") + 7;
    const char *name = support_printf("%.*s", (int)strcspn(input, " "), input);
    free(text);
    tool_must_run(
        support_printf("-m '%s' -input '%s=%s/test_data_set_0/input_0.pb' -dump-profile=r.yml",
                       tool_absolute(model), name, sets));
    for (int precision = 0; precision < 2; precision++)
        for (int schema = 0; schema < (support_quick() ? 1 : 4); schema++)
            run_and_find(support_printf("-m '%s' -input '%s=%s/test_data_set_0/input_0.pb' "
                                        "-load-profile=r.yml -quantization-precision=%s "
                                        "-quantization-schema=%s -verify",
                                        tool_absolute(model), name, sets, precisions[precision],
                                        schemas[schema]),
                         "kernels agree with the evaluator");
}

/* ---- what is said ---- */

static void test_summary(void **state)
{
    (void)state;
    need_lenet();
    run_and_find(support_printf("%s %s -load-profile=lenet.yml", lenet, digits),
                 "Quantized: 9 of 9 nodes\n");
    run_and_find(support_printf("%s %s -load-profile=lenet.yml -keep-original-precision-for-nodes="
                                "26 -assert-all-nodes-quantized",
                                lenet, digits),
                 "Quantized: 8 of 9 nodes; in float: gemm '26' (kept by "
                 "-keep-original-precision-for-nodes)\n");
    run_and_find(support_printf("%s %s -load-profile=lenet.yml -keep-original-precision-for-nodes="
                                "Conv,Gemm,MatMul,Relu,MaxPool",
                                lenet, digits),
                 "which -verbose names\n");
}

static void test_faults(void **state)
{
    (void)state;
    need_lenet();
    const char *good = support_printf("%s -load-profile=lenet.yml", digits);
    tool_expect_fault(
        support_printf("%s %s -keep-original-precision-for-nodes=Sofmax", lenet, good),
        "'Sofmax' is no kind of operator and no node of 'mnist_lenet' or its result; did you mean "
        "'Softmax'?");
    tool_expect_fault(support_printf("%s %s -load-profile=none.yml", lenet, digits), "none.yml");
    support_write_file(support_printf("%s/cut.yml", support_tmp()), "---\nSheafProfile: 1\n", 20);
    tool_expect_fault(support_printf("%s %s -load-profile=cut.yml -emit-bundle=b", lenet, digits),
                      "cut.yml");
    static const char glow[] = "---\nGlowToolsVersion: '1'\n...\n---\nGraphPreLowerHash: 0x1\n...\n"
                               "---\n- NodeOutputName: 'elsewhere:0'\n  Min: 0\n  Max: 1\n"
                               "  Histogram: [1, 2]\n...\n";
    support_write_file(support_printf("%s/glow.yml", support_tmp()), glow, sizeof glow - 1);
    tool_expect_fault(support_printf("%s %s -load-profile=glow.yml -emit-bundle=b", lenet, digits),
                      "glow.yml: the profile has no tensor of 'mnist_lenet'");
    const char *other = support_model("squeezenet");
    SUPPORT_NEED(other, "the model squeezenet");
    tool_expect_fault(support_printf("-m '%s' -model-input=data,float,[1,3,224,224] "
                                     "-load-profile=lenet.yml -emit-bundle=b",
                                     tool_absolute(other)),
                      "the profile of 'mnist_lenet' was captured on another network than "
                      "'squeezenet'");
}

/* A profile that lacks a tensor: what reads it stays in float, which can be made an error. */
static void test_missing_tensor(void **state)
{
    (void)state;
    need_lenet();
    tool_must_run(support_printf("%s %s -dump-profile=full.yml", lenet, digits));
    char *text = support_read_file(support_printf("%s/full.yml", support_tmp()), NULL);
    char *begin = strstr(text, "- Name: '1'"), *end = strstr(begin + 1, "- Name: ");
    memmove(begin, end, strlen(end) + 1);
    support_write_file(support_printf("%s/part.yml", support_tmp()), text, strlen(text));
    free(text);
    const char *with = support_printf("%s %s -load-profile=part.yml", lenet, digits);
    run_and_find(with, "(tensor '1' is not in the profile)");
    tool_expect_fault(support_printf("%s -assert-all-nodes-quantized", with),
                      "(tensor '1' is not in the profile)");
}

/* Nodes that are gone before anything is quantized: one that does nothing, and one that becomes
   part of its neighbour. */
static void test_removed_node(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct onnx_model m;
    struct strbuf bytes;
    onnx_begin(&m, &a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "2,3");
    onnx_weights(&m.graph, "w", "4,3");
    onnx_ints(&m.graph, "same", "2", "2,3");
    onnx_node(&m.graph, "Reshape", "x,same", "r", "");
    onnx_node(&m.graph, "Transpose", "w", "t", "perm=[1,0]");
    onnx_node(&m.graph, "MatMul", "r,t", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "2,4");
    onnx_end(&m, &bytes);
    support_write_file(support_printf("%s/removed.onnx", support_tmp()), bytes.text, bytes.len);
    arena_done(&a);
    static const char start[] = "-m removed.onnx -weights-only=int8 -emit-bundle=b "
                                "-keep-original-precision-for-nodes";
    tool_expect_fault(support_printf("%s=r", start),
                      "'r' of 'removed.onnx' is no node by itself when it comes to quantization");
    tool_expect_fault(support_printf("%s=q", start),
                      "'q' is no kind of operator and no node of 'removed.onnx' or its result");
    tool_expect_fault(support_printf("%s=y", start),
                      "removed.onnx: -weights-only would change nothing: no convolution");
}

static void test_quantized_already(void **state)
{
    (void)state;
    const char *model = support_data("nets/kws_qdq/model.onnx");
    SUPPORT_NEED(model, "nets/kws_qdq");
    const char *m = support_printf("-m '%s'", tool_absolute(model));
    const char *input =
        support_printf("%s -input 'serving_default_input:0=%s'", m,
                       tool_absolute(support_data("nets/kws_qdq/test_data_set_0/input_0.pb")));
    static const char refusal[] = "model.onnx: the model is quantized already and has scales of "
                                  "its own, so -load-profile has to be left out";
    tool_expect_fault(support_printf("%s -dump-profile=kws.yml", input),
                      "model.onnx: the model is quantized already and has scales of its own, so "
                      "-dump-profile has to be left out");
    tool_expect_fault(support_printf("%s -load-profile=kws.yml -emit-bundle=b", m), refusal);
    /* Before the float network is measured. */
    tool_expect_fault(support_printf("%s -load-profile=kws.yml -quantize-until=1 "
                                     "-expected-labels=0",
                                     input),
                      refusal);
    tool_expect_fault(support_printf("%s -weights-only=int8 -emit-bundle=b", m),
                      "constant weights in float, for the model is quantized already");
    const char *all = support_printf("%s -assert-all-nodes-quantized", input);
    tool_expect_fault(support_printf("%s -assert-all-nodes-quantized -emit-bundle=b", m),
                      "1 node stays in float: softmax 'StatefulPartitionedCall:0' (softmax has no "
                      "integer form)");
    tool_must_run(support_printf("%s -keep-original-precision-for-nodes=SoftMax", all));
    tool_must_run(support_printf("%s -keep-original-precision-for-nodes=StatefulPartitionedCall:0 "
                                 "-qdq=strict",
                                 all));
    need_lenet();
    tool_expect_fault(support_printf("%s %s -assert-all-nodes-quantized", lenet, digits),
                      "mnist_lenet: -assert-all-nodes-quantized needs -load-profile: the model is "
                      "not quantized already");
}

/* ---- bundles ---- */

static struct sheaf_tensor_desc tensor_of(const sheaf_bundle *b, enum sheaf_role role)
{
    struct sheaf_tensor_desc t;
    for (size_t i = 0; i < sheaf_tensor_count(b); i++)
        if (sheaf_tensor_at(b, i, &t, NULL) == SHEAF_OK && t.role == role)
            return t;
    fail_msg("the bundle has no such tensor");
    return t;
}

static sheaf_bundle *open_bundle(const char *options)
{
    struct sheaf_error err;
    sheaf_bundle *b;
    tool_must_run(support_printf(
        "%s -model-input=1,float,[1,1,28,28] %s -network-name=q -emit-bundle=q", lenet, options));
    const char *dir = support_printf("%s/q", support_tmp());
    assert_int_equal(
        support_run(support_printf("%s -shared '%s/q.o' -o '%s/q.so'", support_cc(), dir, dir),
                    NULL),
        0);
    if (sheaf_open(support_printf("%s/q.so", dir), "q", support_printf("%s/q.weights", dir), &b,
                   &err) != SHEAF_OK)
        fail_msg("%s", err.text);
    return b;
}

static const struct tensor *read_tensor(struct arena *a, const char *name, enum dtype dtype,
                                        int rank, const int64_t *dims)
{
    struct error err;
    struct tensor want = {.dtype = dtype, .rank = rank};
    const struct tensor *t;
    memcpy(want.dims, dims, (size_t)rank * sizeof *dims);
    error_init(&err);
    if (!tensor_file_read(a, support_printf("%s/%s", support_tmp(), name), name, &want, &t, &err))
        fail_msg("%s", err.text);
    return t;
}

/* The bundle gives the bytes that the tool gives; integers go in and come out where they are asked
   for, with scales that the header states.  A file of floats is converted for them. */
static void check_bundle(const char *options, enum dtype dtype)
{
    const int64_t dims[2] = {1, 10};
    const char *set = tool_absolute(support_model("mnist_lenet/test_data_set_3"));
    struct arena a;
    struct error err;
    const struct tensor *x;
    arena_init(&a);
    error_init(&err);
    tool_must_run(support_printf("%s -model-input=1,float,[1,1,28,28] %s -input '1=%s/input_0.pb' "
                                 "-output 26=y.npy",
                                 lenet, options, set));
    const struct tensor *want = read_tensor(&a, "y.npy", dtype, 2, dims);

    sheaf_bundle *b = open_bundle(options);
    struct sheaf_tensor_desc in = tensor_of(b, SHEAF_ROLE_INPUT), out;
    struct tensor image = {.dtype = DTYPE_F32, .rank = 4, .dims = {1, 1, 28, 28}};
    if (!tensor_file_read(&a, support_printf("%s/input_0.pb", set), "1", &image, &x, &err))
        fail_msg("%s", err.text);
    struct quant q = {in.scale, in.zero_point};
    preprocess_store(in.scale != 0 ? dtype : DTYPE_F32, q, x->data, tensor_elems(x), in.data);
    assert_int_equal(sheaf_run(b, NULL), SHEAF_OK);
    out = tensor_of(b, SHEAF_ROLE_OUTPUT);
    assert_int_equal(out.size_bytes, tensor_bytes(want));
    assert_memory_equal(out.data, want->data, out.size_bytes);
    char *header = support_read_file(support_printf("%s/q/q.h", support_tmp()), NULL);
    const char *scale =
        support_printf(" = (stored - %d) * %.9g", out.zero_point, (double)out.scale);
    assert_true((strstr(header, scale) != NULL) == (out.scale != 0));
    free(header);
    sheaf_close(b);
    arena_done(&a);
}

/* For this machine's processor as for the baseline the numbers are the same. */
static void test_bundle(void **state)
{
    (void)state;
    need_lenet();
    check_bundle("-load-profile=lenet.yml", DTYPE_F32);
    check_bundle("-load-profile=lenet.yml -convert-placeholders", DTYPE_I8);
    check_bundle("-load-profile=lenet.yml -convert-placeholders -quantization-precision=Int16",
                 DTYPE_I16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_way),        cmocka_unit_test(test_other_ways),
        cmocka_unit_test(test_residual_network), cmocka_unit_test(test_summary),
        cmocka_unit_test(test_faults),           cmocka_unit_test(test_missing_tensor),
        cmocka_unit_test(test_removed_node),     cmocka_unit_test(test_quantized_already),
        cmocka_unit_test(test_bundle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
