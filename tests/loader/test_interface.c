/*
 * The options of the group Interface as their users call them: what they refuse, and real networks
 * run by the tool and as bundles.
 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <png.h>

#include "cpu_runtime/cpu_runtime.h"
#include "tests/loader/pb_write.h"
#include "tests/loader/tool.h"

static const char *in_tmp(const char *name)
{
    return support_printf("%s/%s", support_tmp(), name);
}

static void run_or_fail(const char *command)
{
    char *out;
    int status = support_run(command, &out);
    if (status != 0)
        fail_msg("%s: exit code %d\n%s", command, status, out);
    free(out);
}

/* A picture of noise whose pixels the network sees as they are. */
static void write_noise(const char *name, int side, unsigned seed)
{
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.format = PNG_FORMAT_RGB;
    image.height = image.width = (png_uint_32)side;
    size_t n = (size_t)(side * side * 3);
    uint8_t *rgb = malloc(n);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        rgb[i] = (uint8_t)(seed >> 24);
    }
    assert_int_not_equal(png_image_write_to_file(&image, in_tmp(name), 0, rgb, 0, NULL), 0);
    free(rgb);
}

/* The floats at the end of a .npy file of n. */
static const float *read_floats(const char *name, size_t n)
{
    size_t size;
    char *data = support_read_file(in_tmp(name), &size);
    assert_non_null(data);
    assert_true(size > n * sizeof(float));
    float *v = malloc(n * sizeof *v);
    memcpy(v, data + size - n * sizeof *v, n * sizeof *v);
    free(data);
    return v;
}

static void assert_floats_near(const char *one, const char *other, size_t n, double within)
{
    const float *a = read_floats(one, n), *b = read_floats(other, n);
    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - (double)b[i];
        if (!(d <= within && -d <= within))
            fail_msg("%s and %s: element %zu is %.9g and %.9g", one, other, i, (double)a[i],
                     (double)b[i]);
    }
    free((void *)(uintptr_t)a);
    free((void *)(uintptr_t)b);
}

static void test_faults(void **state)
{
    (void)state;
    tool_expect_fault("-m a.onnx -input-type=a", "a name, a comma and a type are needed");
    tool_expect_fault("-m a.onnx -input-type=a,complex", "'complex' is no type");
    tool_expect_fault("-m a.onnx -output-type=a,int4", "'int4' is no type");
    tool_expect_fault("-m a.onnx -input-type=a,int8q,0", "a positive scale and a whole offset");
    tool_expect_fault("-m a.onnx -input-type=a,int8q,1,200", "the offset 200 is no int8q");
    tool_expect_fault("-m a.onnx -input-type=a,int8,1,2", "nothing follows this type");
    tool_expect_fault("-m a.onnx -input-type=a,int8 -input-type=a,int16", "names 'a' twice");
    tool_expect_fault("-m a.onnx -input-layout=a,CHW", "NHWC or NCHW");
    tool_expect_fault("-m a.onnx -output-layout=a,NHWC -output-layout=a,NCHW", "names 'a' twice");
    tool_expect_fault("-m a.onnx '-onnx-define-symbol=a<=0'", "<= and a positive one");
    tool_expect_fault("-m a.onnx '-onnx-define-symbol=a<=2' '-onnx-define-symbol=b<=2'",
                      "leaves both 'a' and 'b' open");
    tool_expect_fault("-m a.onnx -reset-state -emit-bundle=b", "exclude each other");
    tool_expect_fault("-m a.onnx -bind a", "an output, '=' and an input");
    tool_expect_fault("-m a.onnx -bind a=b -bind c=b", "names input 'b' twice");
}

static void test_faults_of_network(void **state)
{
    (void)state;
    const char *dtln = support_data("nets/dtln_1/model.onnx");
    SUPPORT_NEED(dtln, "nets/dtln_1");
    const struct {
        const char *options, *words;
    } cases[] = {
        {"-fold-preprocessing -image-layout=NHWC", "of the inputs 'input_2', 'input_3', none does"},
        {"-fold-preprocessing -mean=1,2", "option -mean has 2 numbers"},
        {"-input-type=x,int8", "option -input-type: the network has no input 'x'; it has "},
        {"-output-layout=x,NHWC", "option -output-layout: the network has no output 'x'"},
        {"-input-type=input_2,int8q", "the network does not quantize 'input_2'"},
        {"-bind x=input_3", "the network has no output 'x'"},
        {"-bind activation_2=x", "the network has no input 'x'"},
        {"-bind activation_2=input_3", "'activation_2' is f32[1,1,257] and input 'input_3' is f32"},
        {"-bind activation_2=input_2 -input-type=input_2,float16", "'input_2' is state"},
        {"-bind tf_op_layer_stack_2=input_3 -input=input_3=y.npy", "has no input 'input_3'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tool_expect_fault(support_printf("-m '%s' %s", tool_absolute(dtln), cases[i].options),
                          cases[i].words);
}

/* Pixels give what preprocessed values give: floats but for rounding, integers to the bit. */
static void test_pixels(void **state)
{
    (void)state;
    const char *model = support_data("nets/mlperf_vww96/model.onnx");
    SUPPORT_NEED(model, "nets/mlperf_vww96");
    write_noise("noise.png", 96, 5);
    const char *net = support_printf("-m '%s'", tool_absolute(model));
    const char *const modes[] = {"-image-mode=0to1",
                                 "-use-imagenet-normalization -image-channel-order=BGR",
                                 "-image-mode=neg128to127 -mean=1,2,3 -stddev=1.5"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        tool_must_run(support_printf("%s %s noise.png -output=dense=a.npy", net, modes[i]));
        tool_must_run(support_printf("%s %s -fold-preprocessing noise.png -output=dense=b.npy", net,
                                     modes[i]));
        assert_floats_near("a.npy", "b.npy", 2, 1e-4);
        tool_must_run(support_printf("%s %s noise.png -dump-profile=a.yml", net, modes[i]));
        tool_must_run(support_printf("%s %s -fold-preprocessing noise.png -dump-profile=b.yml", net,
                                     modes[i]));
        run_or_fail(support_printf("cmp '%s' '%s'", in_tmp("a.yml"), in_tmp("b.yml")));
        tool_must_run(support_printf("%s %s -load-profile=a.yml noise.png -output=dense=a.npy", net,
                                     modes[i]));
        tool_must_run(support_printf("%s %s -load-profile=a.yml -fold-preprocessing -overlay-io "
                                     "noise.png -iterations=2 -output=dense=b.npy",
                                     net, modes[i]));
        run_or_fail(support_printf("cmp '%s' '%s'", in_tmp("a.npy"), in_tmp("b.npy")));
        tool_must_run(
            support_printf("%s %s -load-profile=a.yml -fold-preprocessing -verify", net, modes[i]));
    }
}

#define DTLN_STEP 257

/* Input of a step, made by the tool itself. */
static void write_steps(const char *net)
{
    tool_must_run(support_printf("%s -bind tf_op_layer_stack_2=input_3 -verify", net));
    float x[DTLN_STEP] = {0}, state[2 * 128 * 2] = {0};
    for (int i = 0; i < DTLN_STEP; i++)
        x[i] = (float)(i * 37 % 101) / 100;
    support_write_file(in_tmp("x.bin"), x, sizeof x);
    support_write_file(in_tmp("s0.bin"), state, sizeof state);
    for (int i = 0; i < 3; i++)
        tool_must_run(support_printf("%s -input=input_2=x.bin -input=input_3=s%d.bin "
                                     "-output=activation_2=y%d.npy "
                                     "-output=tf_op_layer_stack_2=s%d.bin",
                                     net, i, i, i + 1));
}

static void test_state(void **state)
{
    (void)state;
    const char *model = support_data("nets/dtln_1/model.onnx");
    SUPPORT_NEED(model, "nets/dtln_1");
    const char *net = support_printf("-m '%s'", tool_absolute(model));
    write_steps(net);
    const char *bound = support_printf("%s -bind tf_op_layer_stack_2=input_3", net);
    static const char *const more[] = {"", "-interpreter", "-overlay-io"};
    for (size_t i = 0; i < 3; i++) {
        tool_must_run(support_printf("%s %s -input=input_2=x.bin -iterations=3 "
                                     "-output=activation_2=b.npy",
                                     bound, more[i]));
        assert_floats_near("y2.npy", "b.npy", DTLN_STEP, i == 1 ? 1e-5 : 0);
    }
    /* Items follow each other, or start anew. */
    support_write_file(in_tmp("list"), "x.bin\nx.bin\nx.bin\n", 18);
    char *kept = tool_said(support_printf("%s -input-list=input_2=list", bound));
    char *reset = tool_said(support_printf("%s -reset-state -input-list=input_2=list", bound));
    char *once = tool_said(support_printf("%s -input=input_2=x.bin", bound));
    assert_string_not_equal(kept, reset);
    const char *tensor = strstr(once, "activation_2");
    assert_non_null(tensor);
    int n = 0;
    for (const char *at = reset; (at = strstr(at, tensor)) != NULL; at++)
        n++;
    assert_int_equal(n, 3);
    free(kept);
    free(reset);
    free(once);
}

static struct sheaf_tensor_desc tensor_of(const sheaf_bundle *b, const char *name)
{
    struct sheaf_tensor_desc t;
    struct sheaf_error err;
    if (sheaf_tensor(b, name, &t, &err) != SHEAF_OK)
        fail_msg("%s", err.text);
    return t;
}

static void run_step(sheaf_bundle *b, const char *want)
{
    struct sheaf_error err;
    size_t size;
    char *x = support_read_file(in_tmp("x.bin"), &size);
    struct sheaf_tensor_desc in = tensor_of(b, "input_2");
    assert_int_equal(in.size_bytes, size);
    memcpy(in.data, x, size);
    free(x);
    assert_int_equal(sheaf_run(b, &err), SHEAF_OK);
    const float *y = read_floats(want, DTLN_STEP);
    assert_memory_equal(tensor_of(b, "activation_2").data, y, DTLN_STEP * sizeof *y);
    free((void *)(uintptr_t)y);
}

/* What knows nothing but the header; a client of the mutable area does not compile. */
static const char client[] =
    "#include \"dtln.h\"\n"
    "#include <stdio.h>\n"
    "SHEAF_ALIGNED(DTLN_MEM_ALIGN) static uint8_t weights[DTLN_CONSTANT_MEM_SIZE];\n"
    "SHEAF_ALIGNED(DTLN_MEM_ALIGN) static uint8_t state[DTLN_MUTABLE_MEM_SIZE];\n"
    "SHEAF_ALIGNED(DTLN_MEM_ALIGN) static uint8_t work[DTLN_ACTIVATIONS_MEM_SIZE];\n"
    "int main(void)\n"
    "{\n"
    "#ifdef OLD\n"
    "    float *x = dtln_get_input_2(state);\n"
    "#else\n"
    "    float *x = dtln_get_IN_ACTIVATIONS_input_2(work);\n"
    "#endif\n"
    "    float *y = dtln_get_IN_ACTIVATIONS_activation_2(work);\n"
    "    FILE *f = fopen(\"dtln.weights\", \"rb\");\n"
    "    if (!f || fread(weights, 1, sizeof weights, f) != sizeof weights)\n"
    "        return 1;\n"
    "    for (size_t i = 0; i < dtln_config.numSymbols; i++)\n"
    "        if (dtln_config.symbolTable[i].kind > 1)\n"
    "            return 2;\n"
    "    for (int step = 0; step < 3; step++) {\n"
    "        for (int i = 0; i < 257; i++)\n"
    "            x[i] = (float)(i * 37 % 101) / 100;\n"
    "        if (dtln(weights, state, work) != 0)\n"
    "            return 3;\n"
    "    }\n"
    "    return fwrite(y, 4, 257, stdout) == 257 ? 0 : 4;\n"
    "}\n";

static void test_bundle(void **state)
{
    (void)state;
    const char *model = support_data("nets/dtln_1/model.onnx");
    SUPPORT_NEED(model, "nets/dtln_1");
    const char *net = support_printf("-m '%s'", tool_absolute(model));
    write_steps(net);
    tool_must_run(support_printf("%s -bind tf_op_layer_stack_2=input_3 -overlay-io -mcpu=native "
                                 "-network-name=dtln -emit-bundle=.",
                                 net));
    run_or_fail(
        support_printf("cd '%s' && %s -shared dtln.o -o libdtln.so", support_tmp(), support_cc()));
    sheaf_bundle *b = NULL;
    struct sheaf_error err;
    if (sheaf_open(in_tmp("libdtln.so"), "dtln", in_tmp("dtln.weights"), &b, &err) != SHEAF_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sheaf_info(b)->n_overlaid, 2);
    assert_int_equal(tensor_of(b, "input_3").role, SHEAF_ROLE_STATE);
    for (int round = 0; round < 2; round++) {
        run_step(b, "y0.npy");
        run_step(b, "y1.npy");
        run_step(b, "y2.npy");
        sheaf_reset_state(b);
    }
    sheaf_close(b);

    support_write_file(in_tmp("client.c"), client, sizeof client - 1);
    run_or_fail(support_printf("cd '%s' && %s -std=c99 -Wall -Wextra -Werror client.c dtln.o "
                               "-o client && ./client > got.bin && tail -c 1028 y2.npy | cmp - "
                               "got.bin",
                               support_tmp(), support_cc()));
    char *out;
    assert_int_not_equal(support_run(support_printf("cd '%s' && %s -std=c99 -Werror -DOLD -c "
                                                    "client.c -o old.o 2>&1",
                                                    support_tmp(), support_cc()),
                                     &out),
                         0);
    free(out);
}

#define AD_ITEM 640

/* Each number of items gives the bits of the network that is compiled for it. */
static void test_items(void **state)
{
    (void)state;
    const char *model = support_data("nets/mlperf_ad01/model.onnx");
    SUPPORT_NEED(model, "nets/mlperf_ad01");
    enum { MOST = 4 };
    static float x[MOST * AD_ITEM];
    for (int i = 0; i < MOST * AD_ITEM; i++)
        x[i] = (float)(i * 131 % 997) / 500 - 1;
    const char *net = support_printf("-m '%s' -mcpu=native", tool_absolute(model));
    tool_must_run(
        support_printf("%s '-onnx-define-symbol=N<=4' -network-name=ad -emit-bundle=.", net));
    tool_must_run(support_printf("%s '-onnx-define-symbol=N<=4' -verify", net));
    run_or_fail(
        support_printf("cd '%s' && %s -shared ad.o -o libad.so", support_tmp(), support_cc()));
    sheaf_bundle *b = NULL;
    struct sheaf_error err;
    if (sheaf_open(in_tmp("libad.so"), "ad", in_tmp("ad.weights"), &b, &err) != SHEAF_OK)
        fail_msg("%s", err.text);
    const char *out = NULL;
    for (size_t i = 0; i < sheaf_tensor_count(b); i++) {
        struct sheaf_tensor_desc t;
        assert_int_equal(sheaf_tensor_at(b, i, &t, &err), SHEAF_OK);
        if (t.role == SHEAF_ROLE_OUTPUT)
            out = t.original_name;
    }
    for (int n = 1; n <= MOST; n++) {
        support_write_file(in_tmp("ad.bin"), x, (size_t)n * AD_ITEM * sizeof *x);
        tool_must_run(support_printf("%s -onnx-define-symbol=N,%d -input=input_1=ad.bin "
                                     "-output='%s=ad.npy'",
                                     net, n, out));
        memcpy(tensor_of(b, "input_1").data, x, sizeof x);
        assert_int_equal(sheaf_set_extent(b, "N", n, &err), SHEAF_OK);
        assert_int_equal(sheaf_run(b, &err), SHEAF_OK);
        struct sheaf_tensor_desc y = tensor_of(b, out);
        assert_int_equal(y.dims[0], n);
        const float *want = read_floats("ad.npy", y.size_bytes / sizeof(float));
        assert_memory_equal(y.data, want, y.size_bytes);
        free((void *)(uintptr_t)want);
    }
    assert_int_equal(sheaf_set_extent(b, "N", 0, &err), SHEAF_ERROR_ARGUMENT);
    assert_int_equal(sheaf_set_extent(b, "N", MOST + 1, &err), SHEAF_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "must be from 1 to 4"));
    assert_int_equal(sheaf_set_extent(b, "input_1", 1, &err), SHEAF_ERROR_ARGUMENT);
    assert_int_equal(sheaf_set_extent(b, "M", 1, &err), SHEAF_ERROR_NOT_FOUND);
    sheaf_close(b);
}

/* A model that says 1 where others have a symbol, and in the shape of a reshape, too. */
static void write_fixed(const char *file, const char *rows, const char *flat)
{
    struct arena a;
    struct onnx_model m;
    struct strbuf bytes;
    arena_init(&a);
    onnx_begin(&m, &a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, support_printf("%s,2,3", rows));
    onnx_ints(&m.graph, "flat", "2", flat);
    onnx_node(&m.graph, "Neg", "x", "n", "");
    onnx_node(&m.graph, "Reshape", "n,flat", "r", "");
    onnx_node(&m.graph, "Softmax", "r", "y", "axis=1");
    onnx_output(&m.graph, "y", ONNX_F32, support_printf("%s,6", rows));
    onnx_end(&m, &bytes);
    support_write_file(in_tmp(file), strbuf_text(&bytes), bytes.len);
    arena_done(&a);
}

static void test_items_of_a_fixed_batch(void **state)
{
    (void)state;
    enum { MOST = 3, ITEM = 6 };
    static float x[MOST * ITEM];
    for (int i = 0; i < MOST * ITEM; i++)
        x[i] = (float)(i * 7 % 5);
    write_fixed("fixed.onnx", "1", "1,6");
    tool_must_run("-m fixed.onnx '-onnx-define-symbol=batch<=3' -verify");
    tool_must_run("-m fixed.onnx '-onnx-define-symbol=batch<=3' -mcpu=native -emit-bundle=.");
    run_or_fail(support_printf("cd '%s' && %s -shared fixed.o -o libfixed.so", support_tmp(),
                               support_cc()));
    sheaf_bundle *b = NULL;
    struct sheaf_error err;
    if (sheaf_open(in_tmp("libfixed.so"), "fixed", in_tmp("fixed.weights"), &b, &err) != SHEAF_OK)
        fail_msg("%s", err.text);
    memcpy(tensor_of(b, "x").data, x, sizeof x);
    for (int n = MOST; n >= 1; n--) {
        assert_int_equal(sheaf_set_extent(b, "batch", n, &err), SHEAF_OK);
        assert_int_equal(sheaf_run(b, &err), SHEAF_OK);
        struct sheaf_tensor_desc y = tensor_of(b, "y");
        assert_int_equal(y.dims[0], n);
        for (int i = 0; i < n; i++) {
            support_write_file(in_tmp("item.bin"), x + i * ITEM, ITEM * sizeof *x);
            tool_must_run("-m fixed.onnx -mcpu=native -input=x=item.bin -output=y=item.npy");
            const float *want = read_floats("item.npy", ITEM);
            assert_memory_equal((const float *)y.data + i * ITEM, want, ITEM * sizeof *want);
            free((void *)(uintptr_t)want);
        }
    }
    sheaf_close(b);

    write_fixed("two.onnx", "2", "2,6");
    tool_expect_fault("-m two.onnx '-onnx-define-symbol=batch<=3' -emit-bundle=b",
                      "no dimension is called 'batch', and a model without one takes several items "
                      "where the first dimension of all inputs and outputs is 1, but input 'x' is "
                      "[2,2,3]");
    tool_expect_fault("-m fixed.onnx '-onnx-define-symbol=y<=3' -emit-bundle=b",
                      "the network has a tensor of that name");
    tool_expect_fault("-m fixed.onnx -onnx-define-symbol=batch,1 -emit-bundle=b",
                      "no input of the model has a dimension 'batch'");
    write_fixed("open.onnx", "n", "-1,6");
    tool_expect_fault("-m open.onnx '-onnx-define-symbol=m<=3' -emit-bundle=b",
                      "no input of the model has a dimension 'm'");
    tool_expect_fault("-m fixed.onnx '-onnx-define-symbol=batch<=3' -bind=y=x -emit-bundle=b",
                      "each would need a state of its own");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_faults_of_network),
        cmocka_unit_test(test_pixels),
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_bundle),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_items_of_a_fixed_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
