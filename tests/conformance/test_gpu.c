/*
 * Real networks on a GPU, which is simulated.  The tool compiles each and compares what every
 * kernel gave on random inputs with the evaluator; then it runs it on recorded inputs, and the
 * outputs must be the recorded ones.  What is computed in integers must also be what the processor
 * computes.  Those that take long run in check-full, ResNet-50 in all types among them.
 */
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
    {"kws_fp32_tf32", "nets/kws_fp32", "-fp32-math=tf32", 5e-3, 0},
    {"kws_fp32_fp16", "nets/kws_fp32", "-convert-to-fp16", 1e-2, 0},
    {"kws_qdq", "nets/kws_qdq", "", 2e-2, 0},
    {"kws_int8", "nets/kws_fp32", "", 0.05, IS_PROFILED},
    {"mlperf_ad01", "nets/mlperf_ad01", "", 1e-4, 0},
    {"mlperf_ad01_tf32x3", "nets/mlperf_ad01", "-fp32-math=tf32x3", 1e-4, 0},
    {"mlperf_vww96", "nets/mlperf_vww96", "", 1e-4, 0},
    {"dtln_1", "nets/dtln_1", "", 1e-4, 0},
    {"byte_sb_bidi_lstm", "nets/byte_sb_bidi_lstm",
     "-onnx-define-symbol=batch,2 -onnx-define-symbol=length,58", 1e-4, 0},
    {"oww_alexa", "nets/oww_alexa", "", 1e-4, 0},
    {"oww_embedding", "nets/oww_embedding", "-onnx-define-symbol=unk__314,16", 1e-4, 0},
    {"mnist_8", "onnx-mnist_8", "", 1e-4, 0},
    {"mnist_lenet", "mnist_lenet", "-model-input=1,float,[1,1,28,28]", 1e-4, 0},
    {"mlperf_resnet8", "onnx-mlperf_resnet8", "", 1e-4, 0},
    {"mlperf_resnet8_bf16", "onnx-mlperf_resnet8", "-convert-to-fp16 -fp16-format=bfloat16", 5e-2,
     0},
    {"stm_mbv2_035_128", "nets/stm_mbv2_035_128", "", 1e-4, IS_LONG},
    {"super_resolution_10", "nets/super_resolution_10", "", 1e-4, IS_LONG},
    {"ultraface_rfb320", "nets/ultraface_rfb320", "", 1e-4, IS_LONG},
    {"squeezenet", "squeezenet", CAFFE2_SQUEEZENET, 5e-4, IS_LONG},
    {"squeezenet11", "onnx-squeezenet11_fp32", "", 1e-4, IS_LONG},
    {"resnet50", "resnet50", CAFFE2_RESNET50, 1e-4, IS_LONG},
    {"resnet50_onnx", "onnx-resnet50", "", 1e-4, IS_LONG},
    {"resnet50_tf32", "resnet50", CAFFE2_RESNET50 " -fp32-math=tf32", 2e-3, IS_LONG},
    {"resnet50_fp16", "resnet50", CAFFE2_RESNET50 " -convert-to-fp16", 5e-3, IS_LONG},
    {"resnet50_int8", "resnet50", CAFFE2_RESNET50, 0.05, IS_LONG | IS_PROFILED},
};
enum { N_NETWORKS = sizeof NETWORKS / sizeof NETWORKS[0] };

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
    int status = support_run(support_printf("LD_LIBRARY_PATH='%s/tests' %s %s", support_build(),
                                            support_loader(), arguments),
                             &text);
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
    s->graph = run_tool(support_printf("%s -gpu -dump-graph", s->model));
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
    free(run_tool(support_printf("%s -gpu -verify", s.model)));
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
    /* Of floats that integers became, on the processor and on the GPU. */
    static const double same = 1e-6;
    struct subject s;
    const struct network *n = *state;
    SUPPORT_NEED(folder_of(n), n->path);
    open_subject(&s, n);
    const char *gpu = outputs_of(&s, "-gpu");
    const char *cpu = n->flags & IS_PROFILED ? outputs_of(&s, "-cpu") : NULL;
    for (int i = 0; recorded_path(n, "output", i); i++) {
        const char *got = support_printf("%s/output_%d.pb", gpu, i);
        compare(n->name, got, recorded_path(n, "output", i), n->recorded);
        if (cpu)
            compare(n->name, got, support_printf("%s/output_%d.pb", cpu, i), same);
    }
    free(s.graph);
}

static int need_simulator(void **state)
{
    (void)state;
    return !simulator_open();
}

int main(void)
{
    struct CMUnitTest tests[2 * N_NETWORKS];
    size_t n = 0;
    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < N_NETWORKS; i++) {
        void *network = (void *)(uintptr_t)&NETWORKS[i];
        if (NETWORKS[i].flags & IS_LONG && !support_full())
            continue;
        tests[n++] = (struct CMUnitTest){.name = support_printf("%s kernels", NETWORKS[i].name),
                                         .test_func = kernels_agree,
                                         .initial_state = network};
        tests[n++] = (struct CMUnitTest){.name = support_printf("%s recorded", NETWORKS[i].name),
                                         .test_func = outputs_are_recorded,
                                         .initial_state = network};
    }
    return _cmocka_run_group_tests("networks", tests, n, need_simulator, NULL);
}
