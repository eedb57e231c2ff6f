/*
 * Real networks through bundles: each classifier of the test data, and the example's own, is
 * emitted by the tool, linked into a shared library, opened with the runtime and run on recorded
 * inputs.  |got - want| <= tolerance * max |want|; 1e-4 for fp32 weights, 5e-4 for weights that
 * came as fp16.  Accuracy of the example's network is measured on its evaluation sheet, drawn from
 * a seed that training did not see.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/runtime.h"
#include "ir/tensor.h"
#include "loader/input/image.h"
#include "loader/input/preprocess.h"
#include "tests/conformance/recorded.h"
#include "tests/support/support.h"

struct model {
    const char *name;  /* folder of the models */
    const char *file;  /* "" for a Caffe2 folder */
    const char *input; /* -model-input, or "" */
    int n_sets;
    double tolerance;
};

static const struct model MODELS[] = {
    {"resnet50", "", "-model-input=gpu_0/data,float,[1,3,224,224]", 3, 1e-4},
    {"onnx-resnet50", "model.onnx", "", 3, 1e-4},
    {"squeezenet", "", "-model-input=data,float,[1,3,224,224]", 2, 5e-4},
    {"onnx-squeezenet11_fp32", "model.onnx", "", 1, 1e-4},
    {"mnist_lenet", "", "-model-input=1,float,[1,1,28,28]", 10, 1e-4},
    {"onnx-mnist_8", "model.onnx", "", 3, 1e-4},
    {"onnx-mlperf_resnet8", "model.onnx", "", 3, 1e-4},
};

/* Emits the model as a bundle, links it and opens it. */
static sheaf_bundle *open_bundle(const char *model, const char *options, const char *name)
{
    const char *dir = support_printf("%s/%s", support_tmp(), name);
    char *text;
    int status = support_run(support_printf("%s -m %s %s -network-name=%s -emit-bundle %s",
                                            support_loader(), model, options, name, dir),
                             &text);
    if (status != 0)
        print_error("%s\n", text);
    assert_int_equal(status, 0);
    assert_string_equal(text, "");
    free(text);
    const char *library = support_printf("%s/%s.so", dir, name);
    assert_int_equal(
        support_run(support_printf("%s -shared -o %s %s/%s.o", support_cc(), library, dir, name),
                    NULL),
        0);
    struct sheaf_error err;
    sheaf_bundle *bundle;
    if (sheaf_open(library, name, support_printf("%s/%s.weights", dir, name), &bundle, &err) !=
        SHEAF_OK)
        fail_msg("%s", err.text);
    return bundle;
}

static struct sheaf_tensor_desc first_of(const sheaf_bundle *bundle, enum sheaf_role role)
{
    for (size_t i = 0; i < sheaf_tensor_count(bundle); i++) {
        struct sheaf_tensor_desc t;
        assert_int_equal(sheaf_tensor_at(bundle, i, &t, NULL), SHEAF_OK);
        if (t.role == role)
            return t;
    }
    fail_msg("the bundle has no such tensor");
    return (struct sheaf_tensor_desc){0};
}

/* One recorded pair. */
static void check_set(sheaf_bundle *bundle, const char *set, double tolerance)
{
    struct arena a;
    arena_init(&a);
    const struct tensor *x = recorded_read(&a, support_printf("%s/input_0.pb", set));
    const struct tensor *want = recorded_read(&a, support_printf("%s/output_0.pb", set));
    struct sheaf_tensor_desc in = first_of(bundle, SHEAF_ROLE_INPUT);
    assert_int_equal(in.size_bytes, tensor_bytes(x));
    memcpy(in.data, x->data, in.size_bytes);
    assert_int_equal(sheaf_run(bundle, NULL), SHEAF_OK);
    struct sheaf_tensor_desc out = first_of(bundle, SHEAF_ROLE_OUTPUT);
    assert_int_equal(out.size_bytes, tensor_bytes(want));
    const float *got = out.data, *expected = want->data;
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < tensor_elems(want); i++) {
        double d = fabs((double)got[i] - (double)expected[i]);
        worst = d <= worst ? worst : d; /* a NaN stays */
        largest = fmax(largest, fabs((double)expected[i]));
    }
    print_message("%s: largest difference %.3g of %.3g\n", set, worst, largest);
    assert_true(worst <= tolerance * largest);
    arena_done(&a);
}

static void model_agrees(void **state)
{
    const struct model *m = *state;
    const char *dir = support_model(m->name);
    SUPPORT_NEED(dir, m->name);
    sheaf_bundle *bundle =
        open_bundle(support_printf("%s%s%s", dir, *m->file ? "/" : "", m->file), m->input, "net");
    for (int i = 0; i < m->n_sets; i++)
        check_set(bundle, support_printf("%s/test_data_set_%d", dir, i), m->tolerance);
    sheaf_close(bundle);
}

static sheaf_bundle *open_example(void)
{
    return open_bundle(support_printf("%s/examples/compile_resnet50/resnet50", support_source()),
                       "-model-input=gpu_0/data,float,[1,3,64,64]", "example");
}

static void example_agrees(void **state)
{
    (void)state;
    sheaf_bundle *bundle = open_example();
    for (int i = 0; i < 3; i++)
        check_set(bundle,
                  support_printf("%s/examples/compile_resnet50/resnet50/test_data_set_%d",
                                 support_source(), i),
                  1e-4);
    sheaf_close(bundle);
}

enum { TILE = 64, TILES_PER_ROW = 16 };

/* Tile i of the sheet as the network's input. */
static void fill_tile(const struct image *sheet, int i, float *out)
{
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < TILE; y++)
            for (int x = 0; x < TILE; x++) {
                int64_t row = i / TILES_PER_ROW * TILE + y, col = i % TILES_PER_ROW * TILE + x;
                out[(c * TILE + y) * TILE + x] =
                    sheet->pixels[(row * sheet->size.width + col) * 3 + c] / 255;
            }
}

static int arg_max(const float *v, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (v[i] > v[best])
            best = i;
    return (int)best;
}

static void example_is_accurate(void **state)
{
    (void)state;
    const char *dir = support_printf("%s/examples/compile_resnet50/images", support_source());
    struct arena a;
    arena_init(&a);
    struct error err;
    error_init(&err);
    struct image sheet;
    assert_true(image_read_png(&a, support_printf("%s/eval_sheet.png", dir), &sheet, &err));
    char *labels = support_read_file(support_printf("%s/eval_labels.txt", dir), NULL);
    assert_non_null(labels);
    sheaf_bundle *bundle = open_example();
    struct sheaf_tensor_desc in = first_of(bundle, SHEAF_ROLE_INPUT);
    struct sheaf_tensor_desc out = first_of(bundle, SHEAF_ROLE_OUTPUT);
    int n = 0, right = 0;
    for (char *line = strtok(labels, "\n"); line; line = strtok(NULL, "\n"), n++) {
        fill_tile(&sheet, n, in.data);
        assert_int_equal(sheaf_run(bundle, NULL), SHEAF_OK);
        right += arg_max(out.data, out.size_bytes / sizeof(float)) == atoi(line);
    }
    print_message("accuracy on the evaluation sheet: %d of %d\n", right, n);
    assert_int_equal(n, sheet.size.height / TILE * TILES_PER_ROW);
    assert_true(right > 0.95 * n);
    sheaf_close(bundle);
    free(labels);
    arena_done(&a);
}

/* The seed's command on the original network and pictures. */
static void resnet50_classifies(void **state)
{
    (void)state;
    const char *model = support_model("resnet50"), *images = support_data("images/glow_imagenet");
    SUPPORT_NEED(model, "resnet50");
    SUPPORT_NEED(images, "images/glow_imagenet");
    assert_int_equal(
        support_run(support_printf("%s %s/*.png -image_mode=0to1 -m %s -cpu "
                                   "-use-imagenet-normalization -image-channel-order=RGB "
                                   "-expected-labels=281,207,340 >%s/classes.txt",
                                   support_loader(), images, model, support_tmp()),
                    NULL),
        0);
}

int main(void)
{
    enum { N = sizeof MODELS / sizeof MODELS[0] };
    struct CMUnitTest tests[N + 3];
    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){.name = MODELS[i].name,
                                       .test_func = model_agrees,
                                       .initial_state = (void *)(uintptr_t)&MODELS[i]};
    tests[N] = (struct CMUnitTest)cmocka_unit_test(example_agrees);
    tests[N + 1] = (struct CMUnitTest)cmocka_unit_test(example_is_accurate);
    tests[N + 2] = (struct CMUnitTest)cmocka_unit_test(resnet50_classifies);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
