/*
 * The tool as its users call it: results, exit codes, and one sentence for each fault with nothing
 * left behind.  The networks are written here, byte by byte.
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

#include "tests/loader/tool.h"

/* ---- ONNX models: protobuf's wire format, fields as in onnx/onnx.proto ---- */

struct message {
    uint8_t bytes[4096];
    size_t n;
};

static void put_varint(struct message *m, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        m->bytes[m->n++] = (uint8_t)(v | 128);
    m->bytes[m->n++] = (uint8_t)v;
}

static void put_int(struct message *m, unsigned field, uint64_t v)
{
    put_varint(m, field << 3);
    put_varint(m, v);
}

static void put_bytes(struct message *m, unsigned field, const void *data, size_t n)
{
    put_varint(m, field << 3 | 2);
    put_varint(m, n);
    memcpy(m->bytes + m->n, data, n);
    m->n += n;
}

static void put_text(struct message *m, unsigned field, const char *text)
{
    put_bytes(m, field, text, strlen(text));
}

static void put_message(struct message *m, unsigned field, const struct message *inner)
{
    put_bytes(m, field, inner->bytes, inner->n);
}

/* ValueInfoProto of a float tensor. */
static struct message value_info(const char *name, const int *dims, int rank)
{
    struct message shape = {.n = 0}, tensor = {.n = 0}, type = {.n = 0}, info = {.n = 0};
    for (int d = 0; d < rank; d++) {
        struct message dim = {.n = 0};
        put_int(&dim, 1, (uint64_t)dims[d]);
        put_message(&shape, 1, &dim);
    }
    put_int(&tensor, 1, 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &type);
    return info;
}

static struct message node(const char *op, const char *in, const char *out)
{
    struct message n = {.n = 0};
    put_text(&n, 1, in);
    put_text(&n, 2, out);
    put_text(&n, 3, support_printf("node_%s", out));
    put_text(&n, 4, op);
    return n;
}

static void write_model(const char *name, const struct message *nodes, int n_nodes, const int *dims,
                        const int *out_dims, int out_rank)
{
    struct message graph = {.n = 0}, model = {.n = 0}, opset = {.n = 0};
    for (int i = 0; i < n_nodes; i++)
        put_message(&graph, 1, &nodes[i]);
    put_text(&graph, 2, "test");
    struct message in = value_info("x", dims, 4), out = value_info("y", out_dims, out_rank);
    put_message(&graph, 11, &in);
    put_message(&graph, 12, &out);
    put_text(&opset, 1, "");
    put_int(&opset, 2, 13);
    put_int(&model, 1, 7);
    put_message(&model, 7, &graph);
    put_message(&model, 8, &opset);
    support_write_file(support_printf("%s/%s", support_tmp(), name), model.bytes, model.n);
}

/* The mean of each channel of `batch` pictures of height x width. */
static void write_mean_model(const char *name, int batch, int channels, int height, int width)
{
    struct message nodes[] = {node("GlobalAveragePool", "x", "pooled"),
                              node("Flatten", "pooled", "y")};
    write_model(name, nodes, 2, (int[]){batch, channels, height, width}, (int[]){batch, channels},
                2);
}

/* A picture of one colour. */
static void write_picture(const char *name, int height, int width, int red, int green, int blue)
{
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.format = PNG_FORMAT_RGB;
    image.height = (png_uint_32)height;
    image.width = (png_uint_32)width;
    uint8_t *rgb = malloc((size_t)(height * width * 3));
    for (int i = 0; i < height * width; i++) {
        rgb[3 * i] = (uint8_t)red;
        rgb[3 * i + 1] = (uint8_t)green;
        rgb[3 * i + 2] = (uint8_t)blue;
    }
    assert_true(png_image_write_to_file(&image, support_printf("%s/%s", support_tmp(), name), 0,
                                        rgb, 0, NULL));
    free(rgb);
}

static int setup(void **state)
{
    (void)state;
    write_mean_model("mean.onnx", 1, 3, 4, 4);
    write_mean_model("mean2.onnx", 2, 3, 4, 4);
    write_mean_model("gray.onnx", 1, 1, 4, 4);
    write_picture("red.png", 4, 4, 255, 0, 0);
    write_picture("blue.png", 9, 7, 0, 0, 255);
    write_picture("mix.png", 4, 4, 51, 102, 153);
    support_write_file(support_printf("%s/names.txt", support_tmp()), "red\ngreen\nblue\n", 15);
    return 0;
}

/* Exit code and nothing on stderr, whatever stands on stdout. */
static void expect_quiet(const char *args, int want_status)
{
    char *out, *errout;
    int status = tool_run(args, &out, &errout);
    if (status != want_status || *errout)
        fail_msg("'%s' exits with %d: %s", args, status, errout);
    free(out);
    free(errout);
}

static void test_about(void **state)
{
    (void)state;
    char *out, *errout;
    assert_int_equal(tool_run("-help", &out, &errout), 0);
    assert_non_null(strstr(out, "usage: loader"));
    assert_non_null(strstr(out, "-emit-bundle DIR"));
    assert_string_equal(errout, "");
    free(out);
    free(errout);
    assert_int_equal(tool_run("--version", &out, &errout), 0);
    assert_non_null(strstr(out, "version"));
    free(out);
    free(errout);
}

static void test_wrong_command_line(void **state)
{
    (void)state;
    tool_expect_fault("", "no network is given");
    tool_expect_fault("-m mean.onnx -emit-bundel b", "did you mean '-emit-bundle'?");
    tool_expect_fault("-m mean.onnx -topk=many red.png", "takes a whole number");
    tool_expect_fault("-m mean.onnx", "nothing to run the network on");
    tool_expect_fault("-m mean.onnx -emit-bundle b -interpreter", "exclude each other");
    tool_expect_fault("-m mean.onnx red.png mix.png -expected-labels=1", "has 1 label for 2 items");
    tool_expect_fault("-m mean.onnx red.png mix.png -output y=y.npy", "2 images make 2");
    tool_expect_fault("-m mean2.onnx red.png",
                      "takes 2 images at a time, which does not divide the number of images, 1");
    tool_expect_fault("-m mean.onnx red.png -output z=z.npy", "no output 'z'; it has 'y'");
    tool_expect_fault("-m mean.onnx -input z=z.npy", "no input 'z'; its inputs: 'x' f32[1,3,4,4]");
    tool_expect_fault("-m mean.onnx -input x=x.txt", "ends in .npy, .pb or .bin");
    tool_expect_fault("-m mean.onnx red.png -labels=absent.txt",
                      "absent.txt: cannot open the file");
    tool_expect_fault("-help >/dev/full", "the output cannot be written");
    tool_expect_fault("-m mean.onnx red.png -image-layout=NHWC", "holds no images in layout NHWC");
}

static void test_bad_files(void **state)
{
    (void)state;
    const char *tmp = support_tmp();
    tool_expect_fault("-m absent.onnx red.png", "absent.onnx");
    size_t n;
    char *model = support_read_file(support_printf("%s/mean.onnx", tmp), &n);
    support_write_file(support_printf("%s/cut.onnx", tmp), model, n - 7);
    free(model);
    tool_expect_fault("-m cut.onnx -emit-bundle b", "cut.onnx");
    tool_expect_fault("-m mean.onnx names.txt", "names.txt: not a PNG file");
    tool_expect_fault("-m mean.onnx red.png absent.png", "absent.png: cannot open the file");
    support_write_file(support_printf("%s/short.bin", tmp), "1234", 4);
    tool_expect_fault("-m mean.onnx -input x=short.bin",
                      "f32[1,3,4,4] needs 192 bytes, the file has 4");
    struct message odd[] = {node("NoSuchOperator", "x", "a"), node("NorThis", "a", "y")};
    write_model("odd.onnx", odd, 2, (int[]){1, 3, 4, 4}, (int[]){1, 3}, 2);
    tool_expect_fault("-m odd.onnx -emit-bundle b", "NoSuchOperator");
    tool_expect_fault("-m odd.onnx -emit-bundle b", "NorThis");
    tool_expect_fault("-m mean.onnx -emit-bundle absent/b", "absent/b: cannot make the folder");
    tool_expect_fault("-m mean.onnx -emit-bundle names.txt", "names.txt: a folder is needed here");
    tool_expect_fault("-m mean.onnx red.png -output y=absent/y.npy", "absent/y.npy: cannot write");
    tool_expect_fault("-m mean.onnx -dump-graph-DAG=absent/g.dot", "absent/g.dot: cannot write");
}

static void test_labels(void **state)
{
    (void)state;
    tool_expect("-m mean.onnx red.png -image-mode=0to1", 0,
                "Model: mean.onnx\n"
                " File: red.png\tLabel-K1: 0 (probability: 1.0000)\n");
    tool_expect("mix.png blue.png -m mean.onnx -topk=2 -labels names.txt", 0,
                "Model: mean.onnx\n"
                " File: mix.png\tLabel-K1: 2 (score: 153.0000) blue\n"
                "\tLabel-K2: 1 (score: 102.0000) green\n"
                " File: blue.png\tLabel-K1: 2 (score: 255.0000) blue\n"
                "\tLabel-K2: 0 (score: 0.0000) red\n");
    tool_expect("-m mean.onnx red.png -image-channel-order=BGR -label-offset=1 -image-mode=0to1", 0,
                "Model: mean.onnx\n"
                " File: red.png\tLabel-K1: 1 (probability: 1.0000)\n");
    tool_expect("-m mean.onnx mix.png -image-mode=0to1 -compute-softmax", 0,
                "Model: mean.onnx\n"
                " File: mix.png\tLabel-K1: 2 (probability: 0.4018)\n");
    tool_expect("-m gray.onnx mix.png", 0,
                "Model: gray.onnx\n"
                " File: mix.png\tLabel-K1: 0 (score: 92.5650)\n");
    tool_expect("-m mean.onnx mix.png -interpreter", 0,
                "Model: mean.onnx\n"
                " File: mix.png\tLabel-K1: 2 (score: 153.0000)\n");
}

static void test_batch(void **state)
{
    (void)state;
    tool_expect("-m mean2.onnx red.png blue.png mix.png red.png", 0,
                "Model: mean2.onnx\n"
                " File: red.png\tLabel-K1: 0 (score: 255.0000)\n"
                " File: blue.png\tLabel-K1: 2 (score: 255.0000)\n"
                " File: mix.png\tLabel-K1: 2 (score: 153.0000)\n"
                " File: red.png\tLabel-K1: 0 (score: 255.0000)\n");
}

static void test_image_lists(void **state)
{
    (void)state;
    assert_int_equal(support_run(support_printf("mkdir -p '%s/pics' && cd '%s' && cp red.png "
                                                "pics/b.png && cp blue.png pics/a.png",
                                                support_tmp(), support_tmp()),
                                 NULL),
                     0);
    support_write_file(support_printf("%s/list.txt", support_tmp()), "mix.png\n\nred.png\n", 17);
    tool_expect("-m mean.onnx red.png -input-image-dir=pics -input-image-list-file list.txt", 0,
                "Model: mean.onnx\n"
                " File: red.png\tLabel-K1: 0 (score: 255.0000)\n"
                " File: pics/a.png\tLabel-K1: 2 (score: 255.0000)\n"
                " File: pics/b.png\tLabel-K1: 0 (score: 255.0000)\n"
                " File: mix.png\tLabel-K1: 2 (score: 153.0000)\n"
                " File: red.png\tLabel-K1: 0 (score: 255.0000)\n");
}

static void test_expected_labels(void **state)
{
    (void)state;
    tool_expect("-m mean.onnx red.png mix.png -expected-labels=0,2", 0,
                "Model: mean.onnx\n"
                " File: red.png\tLabel-K1: 0 (score: 255.0000)\n"
                " File: mix.png\tLabel-K1: 2 (score: 153.0000)\n"
                "Mismatches: 0 of 2\n");
    tool_expect("-m mean.onnx red.png mix.png red.png -expected-labels=1,1,2", 3,
                "Model: mean.onnx\n"
                " File: red.png\tLabel-K1: 0 (score: 255.0000)\n"
                " File: mix.png\tLabel-K1: 2 (score: 153.0000)\n"
                " File: red.png\tLabel-K1: 0 (score: 255.0000)\n"
                "Mismatches: 3 of 3\n");
    tool_expect_fault("-m mean.onnx red.png mix.png -expected-labels=0,3",
                      "option -expected-labels: label 2 is 3, but output 'y' has 3 classes, with "
                      "labels from 0 to 2");
    tool_expect_fault("-m mean2.onnx red.png mix.png -expected-labels=-1,0",
                      "label 1 is -1, but output 'y' has 3 classes, with labels from 0 to 2");
    support_write_file(support_printf("%s/right.txt", support_tmp()), "2\n", 2);
    tool_expect_fault("-m mean.onnx mix.png -expected-labels-file=right.txt -label-offset=1",
                      "option -expected-labels-file: label 1 is 2, but output 'y' has 3 classes, "
                      "with labels from -1 to 1");
    expect_quiet("-m mean.onnx red.png -expected-labels=-1 -label-offset=1", 0);
    /* Right where it is among the first two. */
    expect_quiet("-m mean.onnx mix.png -topk=2 -expected-labels=1", 0);
    expect_quiet("-m mean.onnx mix.png -topk=2 -expected-labels=0", 1);
}

/* Tensors out of one run and into the next, in every format. */
static void test_tensors(void **state)
{
    (void)state;
    float x[48];
    for (int i = 0; i < 48; i++)
        x[i] = (float)(i / 16 + 1);
    support_write_file(support_printf("%s/x.bin", support_tmp()), x, sizeof x);
    tool_expect("-m mean.onnx -input x=x.bin", 0, "Model: mean.onnx\n Output: y f32[1,3]: 1 2 3\n");
    tool_expect("-m mean.onnx -input x=x.bin -topk=1", 0,
                "Model: mean.onnx\n Output: y f32[1,3]: 1 2 3\n"
                " File: x.bin\tLabel-K1: 2 (score: 3.0000)\n");
    static const char *const suffixes[] = {"bin", "npy", "pb"};
    struct message nodes[] = {node("Identity", "x", "y")};
    write_model("copy.onnx", nodes, 1, (int[]){1, 3, 4, 4}, (int[]){1, 3, 4, 4}, 4);
    for (int i = 0; i < 3; i++) {
        tool_expect(support_printf("-m copy.onnx -input x=x.bin -output y=y.%s", suffixes[i]), 0,
                    "Model: copy.onnx\n");
        tool_expect(support_printf("-m mean.onnx -input x=y.%s -output y=z.bin", suffixes[i]), 0,
                    "Model: mean.onnx\n");
        size_t n;
        char *z = support_read_file(support_printf("%s/z.bin", support_tmp()), &n);
        assert_int_equal(n, 12);
        assert_memory_equal(z, ((float[]){1, 2, 3}), 12);
        free(z);
    }
    tool_expect_fault("-m mean2.onnx -input x=y.npy",
                      "y.npy: the file holds f32[1,3,4,4], but the input 'x' is f32[2,3,4,4]");
    tool_expect_fault("-m mean.onnx red.png -input x=x.bin",
                      "images need one input without -input");
}

static void test_verify(void **state)
{
    (void)state;
    expect_quiet("-m mean.onnx -verify", 0);
    expect_quiet("-m mean.onnx -verify mix.png", 0);
}

/* On an engine that has two. */
static void test_cores(void **state)
{
    (void)state;
    const char *simulator = support_printf("%s/tests", tool_absolute(support_build()));
    assert_int_equal(setenv("LD_LIBRARY_PATH", simulator, 1), 0);
    assert_int_equal(setenv("VE_OMP_NUM_THREADS", "1", 1), 0);
    assert_int_equal(setenv("SHEAF_SIM_VE_CORES", "2", 1), 0);
    expect_quiet("-m mean.onnx -ve -verify", 0);
    expect_quiet("-m mean.onnx -ve -ve-cores=2 -verify mix.png", 0);
    tool_expect_fault("-m mean.onnx -ve -ve-cores=3 -verify",
                      "AVEO gives the process on the Vector Engine 2 cores, not 3");
    unsetenv("SHEAF_SIM_VE_CORES");
    unsetenv("LD_LIBRARY_PATH");
}

static void test_time(void **state)
{
    (void)state;
    char *out = tool_said("-m mean.onnx mix.png -time -iterations=3");
    const char *line = strstr(out, "Wall time per item (s): ");
    assert_non_null(line);
    assert_true(strtod(line + 24, NULL) >= 0);
    free(out);
}

static void expect_file(const char *name, const char *words)
{
    char *text = support_read_file(support_printf("%s/%s", support_tmp(), name), NULL);
    if (!text)
        fail_msg("%s was not written", name);
    assert_non_null(strstr(text, words));
    free(text);
}

static void test_dumps(void **state)
{
    (void)state;
    static const char *const dumps[] = {"-dump-graph", "-dump-kernels", "-dump-schedule",
                                        "-dump-llvm-ir"};
    for (int i = 0; i < 4; i++) {
        char *out, *errout;
        assert_int_equal(tool_run(support_printf("-m mean.onnx %s", dumps[i]), &out, &errout), 0);
        assert_true(strlen(out) > 20);
        assert_string_equal(errout, "");
        free(out);
        free(errout);
    }
    tool_expect("-m mean.onnx -dump-graph-DAG=g.dot", 0, "");
    expect_file("g.dot", "digraph");
}

static void test_bundle(void **state)
{
    (void)state;
    tool_expect("red.png -image_mode=0to1 -m mean.onnx -cpu -emit-bundle build", 0, "");
    expect_file("build/mean.h", "mean_config");
    char *names;
    support_run(support_printf("LC_ALL=C ls -A '%s/build'", support_tmp()), &names);
    assert_string_equal(names, "mean.h\nmean.o\nmean.weights\n");
    free(names);
    tool_expect("-m mean.onnx -emit-bundle build2 -network-name=net -main-entry-name=go -save-asm",
                0, "");
    expect_file("build2/net.h", "go_config");
    support_run(support_printf("LC_ALL=C ls -A '%s/build2'", support_tmp()), &names);
    assert_string_equal(names, "net.h\nnet.o\nnet.s\nnet.weights\n");
    free(names);
}

/* The seed's command on the network it was written for. */
static void test_resnet50(void **state)
{
    (void)state;
    const char *model = support_model("resnet50"), *images = support_data("images/glow_imagenet");
    if (support_quick())
        skip();
    SUPPORT_NEED(model, "models/resnet50");
    SUPPORT_NEED(images, "images/glow_imagenet");
    char *out, *errout;
    int status = tool_run(support_printf("-m '%s' -image_mode=0to1 -use-imagenet-normalization "
                                         "-image-channel-order=RGB -cpu -input-image-dir='%s' "
                                         "-expected-labels=281,207,340",
                                         tool_absolute(model), tool_absolute(images)),
                          &out, &errout);
    if (status)
        fail_msg("exit code %d: %s%s", status, out, errout);
    free(out);
    free(errout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_about),
        cmocka_unit_test(test_wrong_command_line),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_image_lists),
        cmocka_unit_test(test_expected_labels),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_cores),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_dumps),
        cmocka_unit_test(test_bundle),
        cmocka_unit_test(test_resnet50),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
