/*
 * The table of networks, and what is asked of each on a device.  Those that take long run in
 * check-full, ResNet-50 in all types among them.
 */
#include "tests/conformance/networks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>
#include <unistd.h>

#include "tests/conformance/recorded.h"
#include "tests/support/simulator.h"
#include "tests/support/support.h"

enum {
    IS_LONG = 1,
    IS_PROFILED = 2, /* on the recorded inputs, for integers */
    IS_FOR_GPU = 4,
    IS_LONG_ON_GPU = 8,
};

struct network {
    const char *name; /* of the test */
    const char *path; /* nets/.. of the test data, else of the models */
    const char *options;
    double recorded; /* tolerance against recorded outputs, of the largest number */
    unsigned flags;
};

#define CAFFE2_RESNET50   "-model-input=gpu_0/data,float,[1,3,224,224]"
#define CAFFE2_SQUEEZENET "-model-input=data,float,[1,3,224,224]"

/* Integers are recorded as what floats gave: 8 bits of the inputs of a softmax are seen. */
static const struct network NETWORKS[] = {
    {"kws_fp32", "nets/kws_fp32", "", 1e-4, 0},
    {"kws_fp32_tf32", "nets/kws_fp32", "-fp32-math=tf32", 5e-3, IS_FOR_GPU},
    {"kws_fp32_fp16", "nets/kws_fp32", "-convert-to-fp16", 1e-2, 0},
    {"kws_qdq", "nets/kws_qdq", "", 2e-2, 0},
    {"kws_int8", "nets/kws_fp32", "", 0.05, IS_PROFILED},
    {"mlperf_ad01", "nets/mlperf_ad01", "", 1e-4, 0},
    {"mlperf_ad01_tf32x3", "nets/mlperf_ad01", "-fp32-math=tf32x3", 1e-4, IS_FOR_GPU},
    {"mlperf_vww96", "nets/mlperf_vww96", "", 1e-4, 0},
    {"dtln_1", "nets/dtln_1", "", 1e-4, 0},
    {"byte_sb_bidi_lstm", "nets/byte_sb_bidi_lstm",
     "-onnx-define-symbol=batch,2 -onnx-define-symbol=length,58", 1e-4, 0},
    {"oww_alexa", "nets/oww_alexa", "", 1e-4, 0},
    {"oww_embedding", "nets/oww_embedding", "-onnx-define-symbol=unk__314,16", 1e-4, 0},
    {"oww_melspectrogram", "nets/oww_melspectrogram", "-onnx-define-symbol=samples,31840", 1e-4, 0},
    {"mnist_8", "onnx-mnist_8", "", 1e-4, 0},
    {"mnist_lenet", "mnist_lenet", "-model-input=1,float,[1,1,28,28]", 1e-4, 0},
    {"mlperf_resnet8", "onnx-mlperf_resnet8", "", 1e-4, 0},
    {"mlperf_resnet8_bf16", "onnx-mlperf_resnet8", "-convert-to-fp16 -fp16-format=bfloat16", 5e-2,
     0},
    {"stm_mbv2_035_128", "nets/stm_mbv2_035_128", "", 1e-4, IS_LONG_ON_GPU},
    {"super_resolution_10", "nets/super_resolution_10", "", 1e-4, IS_LONG},
    {"ultraface_rfb320", "nets/ultraface_rfb320", "", 1e-4, IS_LONG_ON_GPU},
    {"fastestdet", "nets/fastestdet", "", 1e-4, IS_LONG_ON_GPU},
    {"squeezenet", "squeezenet", CAFFE2_SQUEEZENET, 5e-4, IS_LONG},
    {"squeezenet11", "onnx-squeezenet11_fp32", "", 1e-4, IS_LONG},
    {"resnet50", "resnet50", CAFFE2_RESNET50, 1e-4, IS_LONG_ON_GPU},
    {"resnet50_onnx", "onnx-resnet50", "", 1e-4, IS_LONG},
    {"resnet50_tf32", "resnet50", CAFFE2_RESNET50 " -fp32-math=tf32", 2e-3, IS_LONG | IS_FOR_GPU},
    {"resnet50_fp16", "resnet50", CAFFE2_RESNET50 " -convert-to-fp16", 5e-3, IS_LONG},
    {"resnet50_int8", "resnet50", CAFFE2_RESNET50, 0.05, IS_LONG | IS_PROFILED},
};
enum { N_NETWORKS = sizeof NETWORKS / sizeof NETWORKS[0] };

static const char *device; /* the tool's option */
static const char *environment;
static const char *on_cores; /* so that several share the kernels, too */

static const char *folder_of(const struct network *n)
{
    return strncmp(n->path, "nets/", 5) ? support_model(n->path) : support_data(n->path);
}

/* "input" or "output" i as it is recorded, or NULL. */
static const char *recorded_path(const struct network *n, const char *what, int i)
{
    const char *path = support_printf("%s/test_data_set_0/%s_%d.pb", folder_of(n), what, i);
    return access(path, R_OK) == 0 ? path : NULL;
}

static char *run_tool(const char *arguments)
{
    char *text;
    int status =
        support_run(support_printf("%s %s %s", environment, support_loader(), arguments), &text);
    if (status != 0)
        print_error("%s\n", text);
    assert_int_equal(status, 0);
    return text;
}

/* `-input=NAME=FILE` of all inputs, with what is recorded; their names stand in the graph's text.
 */
static const char *input_options(const struct network *n, const char *graph)
{
    static const char start[] = "\n    input %";
    const char *options = "", *at = graph;
    for (int i = 0; recorded_path(n, "input", i); i++) {
        at = strstr(at, start);
        assert_non_null(at);
        at += strlen(start);
        options = support_printf("%s -input='%.*s=%s'", options, (int)strcspn(at, " "), at,
                                 recorded_path(n, "input", i));
    }
    return options;
}

/* `-output=NAME=FOLDER/output_I.pb` of all outputs; the text ends in `return %NAME, %NAME`. */
static const char *output_options(const struct network *n, const char *graph, const char *folder)
{
    const char *options = "", *at = strstr(graph, "\n    return %");
    for (int i = 0; recorded_path(n, "output", i); i++) {
        at = at ? strchr(at, '%') : NULL;
        assert_non_null(at);
        at++;
        options = support_printf("%s -output='%.*s=%s/output_%d.pb'", options,
                                 (int)strcspn(at, ",\n"), at, folder, i);
    }
    return options;
}

/* ---- a network, ready for the tool ---- */

struct subject {
    const struct network *network;
    const char *model;  /* options for the tool */
    const char *inputs; /* with which it gets what is recorded */
    char *graph;
};

static void open_subject(struct subject *s, const struct network *n)
{
    const char *folder = folder_of(n), *onnx = support_printf("%s/model.onnx", folder);
    s->network = n;
    s->model = support_printf("-m '%s' %s", access(onnx, R_OK) == 0 ? onnx : folder, n->options);
    s->graph = run_tool(support_printf("%s %s -dump-graph", s->model, device));
    s->inputs = input_options(n, s->graph);
    if (n->flags & IS_PROFILED) {
        const char *profile = support_printf("%s/%s.yml", support_tmp(), n->name);
        free(run_tool(support_printf("%s %s -dump-profile='%s'", s->model, s->inputs, profile)));
        s->model = support_printf("%s -load-profile='%s'", s->model, profile);
    }
}

static void kernels_agree(void **state)
{
    struct subject s;
    const struct network *n = *state;
    SUPPORT_NEED(folder_of(n), n->path);
    open_subject(&s, n);
    free(run_tool(support_printf("%s %s -verify%s", s.model, device, on_cores)));
    free(s.graph);
}

/* Outputs of the recorded inputs, in a folder of their own. */
static const char *outputs_of(const struct subject *s, const char *where)
{
    const char *folder = support_printf("%s/%s%s", support_tmp(), s->network->name, where);
    assert_int_equal(support_run(support_printf("mkdir '%s'", folder), NULL), 0);
    free(run_tool(support_printf("%s %s %s %s", s->model, s->inputs,
                                 output_options(s->network, s->graph, folder), where)));
    return folder;
}

static void compare(const char *name, const char *path, const char *want_path, double tolerance)
{
    struct arena a;
    arena_init(&a);
    const struct tensor *got = recorded_read(&a, path), *want = recorded_read(&a, want_path);
    assert_int_equal(tensor_elems(got), tensor_elems(want));
    double most = 0, largest = 0;
    for (int64_t i = 0; i < tensor_elems(want); i++) {
        double d = fabs(tensor_get(got, i) - tensor_get(want, i));
        most = d <= most ? most : d; /* a NaN stays */
        largest = fmax(largest, fabs(tensor_get(want, i)));
    }
    print_message("%s: %.2g of %.2g apart from %s\n", name, most, largest, want_path);
    assert_true(most <= tolerance * largest);
    arena_done(&a);
}

static void outputs_are_recorded(void **state)
{
    /* Of floats that integers became, on the processor and on the device. */
    static const double same = 1e-6;
    struct subject s;
    const struct network *n = *state;
    SUPPORT_NEED(folder_of(n), n->path);
    open_subject(&s, n);
    const char *own = outputs_of(&s, device);
    const char *cpu = n->flags & IS_PROFILED ? outputs_of(&s, "-cpu") : NULL;
    for (int i = 0; recorded_path(n, "output", i); i++) {
        const char *got = support_printf("%s/output_%d.pb", own, i);
        compare(n->name, got, recorded_path(n, "output", i), n->recorded);
        if (cpu)
            compare(n->name, got, support_printf("%s/output_%d.pb", cpu, i), same);
    }
    free(s.graph);
}

static struct CMUnitTest test_of(const struct network *n, const char *what, CMUnitTestFunction fn)
{
    return (struct CMUnitTest){.name = support_printf("%s %s", n->name, what),
                               .test_func = fn,
                               .initial_state = (void *)(uintptr_t)n};
}

int networks_run(const char *option)
{
    struct CMUnitTest tests[2 * N_NETWORKS];
    size_t n = 0;
    bool on_ve = strcmp(option, "-ve") == 0;
    device = option;
    environment = on_ve ? simulator_environment_ve() : simulator_environment();
    on_cores = on_ve ? " -ve-cores=3" : "";
    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < N_NETWORKS; i++) {
        const struct network *net = &NETWORKS[i];
        unsigned is_long = on_ve ? IS_LONG : IS_LONG | IS_LONG_ON_GPU;
        if ((net->flags & is_long && !support_full()) || (net->flags & IS_FOR_GPU && on_ve))
            continue;
        tests[n++] = test_of(net, "kernels", kernels_agree);
        tests[n++] = test_of(net, "recorded", outputs_are_recorded);
    }
    return _cmocka_run_group_tests("networks", tests, n, NULL, NULL);
}
