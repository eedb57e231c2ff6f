/*
 * Real networks on a GPU, which is simulated: the tool compiles each, runs it, and compares what
 * every kernel gave with the evaluator.  Those that take long run in check-full, ResNet-50 in all
 * types among them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/simulator.h"
#include "tests/support/support.h"

enum where { IN_NETS, IN_MODELS };

struct network {
    const char *name; /* of the test */
    enum where where;
    const char *path;
    const char *options;
    bool is_long;
    const char *profiled; /* the input that is profiled first, for integers; or NULL */
};

#define CAFFE2_RESNET50 "-model-input=gpu_0/data,float,[1,3,224,224]"

static const struct network NETWORKS[] = {
    {"kws_fp32", IN_NETS, "kws_fp32/model.onnx", "", false, NULL},
    {"kws_fp32_tf32", IN_NETS, "kws_fp32/model.onnx", "-fp32-math=tf32", false, NULL},
    {"kws_fp32_fp16", IN_NETS, "kws_fp32/model.onnx", "-convert-to-fp16", false, NULL},
    {"kws_qdq", IN_NETS, "kws_qdq/model.onnx", "", false, NULL},
    {"kws_int8", IN_NETS, "kws_fp32/model.onnx", "", false, "serving_default_input:0"},
    {"mlperf_ad01", IN_NETS, "mlperf_ad01/model.onnx", "", false, NULL},
    {"mlperf_ad01_tf32x3", IN_NETS, "mlperf_ad01/model.onnx", "-fp32-math=tf32x3", false, NULL},
    {"mlperf_vww96", IN_NETS, "mlperf_vww96/model.onnx", "", false, NULL},
    {"dtln_1", IN_NETS, "dtln_1/model.onnx", "", false, NULL},
    {"byte_sb_bidi_lstm", IN_NETS, "byte_sb_bidi_lstm/model.onnx", "-onnx-define-symbol=length,12",
     false, NULL},
    {"oww_alexa", IN_NETS, "oww_alexa/model.onnx", "", false, NULL},
    {"oww_embedding", IN_NETS, "oww_embedding/model.onnx", "", false, NULL},
    {"mnist_8", IN_MODELS, "onnx-mnist_8/model.onnx", "", false, NULL},
    {"mnist_lenet", IN_MODELS, "mnist_lenet", "-model-input=1,float,[1,1,28,28]", false, NULL},
    {"mlperf_resnet8", IN_MODELS, "onnx-mlperf_resnet8/model.onnx", "", false, NULL},
    {"mlperf_resnet8_bf16", IN_MODELS, "onnx-mlperf_resnet8/model.onnx",
     "-convert-to-fp16 -fp16-format=bfloat16", false, NULL},
    {"stm_mbv2_035_128", IN_NETS, "stm_mbv2_035_128/model.onnx", "", true, NULL},
    {"super_resolution_10", IN_NETS, "super_resolution_10/model.onnx", "", true, NULL},
    {"ultraface_rfb320", IN_NETS, "ultraface_rfb320/model.onnx", "", true, NULL},
    {"squeezenet11", IN_MODELS, "onnx-squeezenet11_fp32/model.onnx", "", true, NULL},
    {"resnet50", IN_MODELS, "resnet50", CAFFE2_RESNET50, true, NULL},
    {"resnet50_tf32", IN_MODELS, "resnet50", CAFFE2_RESNET50 " -fp32-math=tf32", true, NULL},
    {"resnet50_fp16", IN_MODELS, "resnet50", CAFFE2_RESNET50 " -convert-to-fp16", true, NULL},
    {"resnet50_int8", IN_MODELS, "resnet50", CAFFE2_RESNET50, true, "gpu_0/data"},
};

static void run_tool(const char *arguments)
{
    char *text;
    int status = support_run(support_printf("LD_LIBRARY_PATH='%s/tests' %s %s", support_build(),
                                            support_loader(), arguments),
                             &text);
    if (status != 0)
        print_error("%s\n", text);
    free(text);
    assert_int_equal(status, 0);
}

static void network_agrees(void **state)
{
    const struct network *n = *state;
    const char *path = n->where == IN_NETS ? support_data(support_printf("nets/%s", n->path))
                                           : support_model(n->path);
    SUPPORT_NEED(path, n->path);
    const char *options = support_printf("-m '%s' %s", path, n->options);
    if (n->profiled) {
        const char *profile = support_printf("%s/%s.yml", support_tmp(), n->name);
        size_t length = strlen(path) - (strstr(path, ".onnx") ? strlen("/model.onnx") : 0);
        const char *dir = support_printf("%.*s", (int)length, path);
        run_tool(support_printf("%s -input='%s=%s/test_data_set_0/input_0.pb' -dump-profile='%s'",
                                options, n->profiled, dir, profile));
        options = support_printf("%s -load-profile='%s'", options, profile);
    }
    run_tool(support_printf("%s -gpu -verify", options));
}

static int need_simulator(void **state)
{
    (void)state;
    return !simulator_open();
}

int main(void)
{
    enum { N = sizeof NETWORKS / sizeof NETWORKS[0] };
    struct CMUnitTest tests[N];
    size_t n = 0;
    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < N; i++)
        if (!NETWORKS[i].is_long || support_full())
            tests[n++] = (struct CMUnitTest){.name = NETWORKS[i].name,
                                             .test_func = network_agrees,
                                             .initial_state = (void *)(uintptr_t)&NETWORKS[i]};
    return _cmocka_run_group_tests("networks", tests, n, need_simulator, NULL);
}
