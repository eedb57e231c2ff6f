/*
 * -dump-profile and -merge-profile, and runs over many samples: what the profile of a small network
 * says, that it is the same however the samples are fed, and that nothing is written where one is
 * at fault.
 */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <sys/resource.h>

#include "ir/dtype.h"
#include "loader/profile/profile_file.h"
#include "tests/loader/bundle_run.h"

static struct arena arena;
static struct error err;

static void write_floats(const char *name, const float *x, size_t n)
{
    support_write_file(path_of(name), x, n * sizeof *x);
}

/* ---- networks ---- */

/* sum = a + b, y = relu(sum), of `batch` rows of four. */
static void write_sum_model(void)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "a", ONNX_F32, "N,4");
    onnx_input(&m.graph, "b", ONNX_F32, "N,4");
    onnx_node(&m.graph, "Add", "a,b", "sum", "");
    onnx_node(&m.graph, "Relu", "sum", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "N,4");
    finish_net(&m, "sum.onnx");
}

/* One node from x to y, both of this type and these dimensions. */
static void write_unary(const char *op, int type, const char *dims, const char *name)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", type, dims);
    onnx_node(&m.graph, op, "x", "y", "");
    onnx_output(&m.graph, "y", type, dims);
    finish_net(&m, name);
}

/* r = relu(x), y = its mean over height and width. */
static void write_picture_model(const char *name, const char *dims)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, dims);
    onnx_node(&m.graph, "Relu", "x", "r", "");
    onnx_node(&m.graph, "GlobalAveragePool", "r", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "N,3,1,1");
    finish_net(&m, name);
}

/* A picture of noise, another one for each seed. */
static void write_picture(const char *name, uint32_t seed)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_RGB};
    uint8_t rgb[8 * 8 * 3];
    image.height = image.width = 8;
    for (size_t i = 0; i < sizeof rgb; i++) {
        seed = seed * 1664525 + 1013904223;
        rgb[i] = (uint8_t)(seed >> 24);
    }
    assert_true(png_image_write_to_file(&image, path_of(name), 0, rgb, 0, NULL));
}

static const float rows_a[4][4] = {{1, 2, 3, 4}, {-8, 0, 0.5f, 2}, {100, 7, 7, 7}, {0, 0, 0, 0}};
static const float rows_b[4][4] = {{0, 0, 1, -9}, {1, 1, 1, 1}, {-3, -7, 0, 0.25f}, {5, 6, 7, 8}};

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    error_init(&err);
    write_sum_model();
    write_picture_model("picture.onnx", "N,3,8,8");
    support_run(support_printf("mkdir -p '%s/as' '%s/bs' '%s/pics' '%s/few'", support_tmp(),
                               support_tmp(), support_tmp(), support_tmp()),
                NULL);
    for (int i = 0; i < 4; i++) {
        write_floats(support_printf("as/%d.bin", i), rows_a[i], 4);
        write_floats(support_printf("bs/%d.bin", i), rows_b[i], 4);
    }
    for (int i = 0; i < 8; i++)
        write_picture(support_printf("pics/%d.png", i), (uint32_t)i + 1);
    write_floats("few/0.bin", rows_a[0], 4);
    write_floats("a4.bin", rows_a[0], 16);
    write_floats("b4.bin", rows_b[0], 16);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

/* ---- what is in it ---- */

static struct profile *load(const char *name)
{
    struct profile *p;
    const char *path = path_of(name);
    if (!profile_load(&arena, &path, 1, NULL, NULL, &p, &err))
        fail_msg("%s", err.text);
    return p;
}

static void expect_same_files(const char *a, const char *b)
{
    size_t n, m;
    char *x = support_read_file(path_of(a), &n), *y = support_read_file(path_of(b), &m);
    if (!x || !y || n != m || memcmp(x, y, n) != 0)
        fail_msg("%s and %s differ", a, b);
    free(x);
    free(y);
}

static void expect_tensor(const struct profile *p, size_t i, const char *name,
                          const struct histogram *want)
{
    const struct histogram *got = p->tensor[i].histogram;
    assert_string_equal(p->tensor[i].name, name);
    if (got->count != want->count || got->min != want->min || got->max != want->max ||
        got->exponent != want->exponent || memcmp(got->bin, want->bin, sizeof want->bin) != 0)
        fail_msg("tensor '%s' has other values", name);
}

/* The four samples, counted one by one; of the sums some by hand. */
static void test_content(void **state)
{
    (void)state;
    tool_expect("-m sum.onnx -input-dir a=as -input-dir b=bs -dump_profile=p.yml", 0,
                "Model: sum.onnx\nProfile: 4 samples, 4 tensors: p.yml\n");
    struct profile *p = load("p.yml");
    assert_string_equal(p->model, "sum.onnx");
    assert_true(p->samples == 4 && p->identity.operators && p->identity.weights);
    assert_int_equal(p->n, 4);
    struct histogram a, b, sum, y;
    histogram_init(&a);
    histogram_init(&b);
    histogram_init(&sum);
    histogram_init(&y);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++) {
            float s = rows_a[i][k] + rows_b[i][k], r = s > 0 ? s : 0;
            histogram_add(&a, &rows_a[i][k], 1);
            histogram_add(&b, &rows_b[i][k], 1);
            histogram_add(&sum, &s, 1);
            histogram_add(&y, &r, 1);
        }
    expect_tensor(p, 0, "a", &a);
    expect_tensor(p, 1, "b", &b);
    expect_tensor(p, 2, "sum", &sum);
    expect_tensor(p, 3, "y", &y);
    /* By hand: the sums lie in -7 .. 97, in bins 1/8 wide. */
    const struct histogram *h = p->tensor[2].histogram;
    assert_int_equal(h->exponent, -3);
    assert_true(h->min == -7 && h->max == 97 && h->count == 16);
    const uint64_t *bin = h->bin + HISTOGRAM_SIDE;
    assert_int_equal(bin[1 * 8], 2);  /* 1 + 0, 0 + 1 */
    assert_int_equal(bin[2 * 8], 1);  /* 2 + 0 */
    assert_int_equal(bin[97 * 8], 1); /* 100 - 3 */
    assert_int_equal(bin[-7 * 8], 1); /* -8 + 1 */
    assert_int_equal(bin[58], 1);     /* 7.25 */
    assert_int_equal(bin[0], 1);      /* 7 - 7 */
}

/* One file of four rows is what four files of one row are, and the names stay. */
static void test_batch_of_tensors(void **state)
{
    (void)state;
    tool_expect("-m sum.onnx -input-dir a=as -input-dir b=bs -dump_profile=one.yml", 0,
                "Model: sum.onnx\nProfile: 4 samples, 4 tensors: one.yml\n");
    tool_expect("-m sum.onnx -onnx-define-symbol N,4 -input a=a4.bin -input b=b4.bin "
                "-dump-profile four.yml",
                0, "Model: sum.onnx\nProfile: 1 sample, 4 tensors: four.yml\n");
    struct profile *one = load("one.yml"), *four = load("four.yml");
    assert_true(one->identity.operators == four->identity.operators);
    assert_true(one->identity.weights == four->identity.weights);
    assert_int_equal(one->n, four->n);
    for (size_t i = 0; i < one->n; i++)
        expect_tensor(four, i, one->tensor[i].name, one->tensor[i].histogram);
}

/* Pictures by ones and by fours give the same bytes. */
static void test_batch_of_pictures(void **state)
{
    (void)state;
    tool_expect("pics/*.png -m picture.onnx -image_mode=0to1 -dump_profile=p1.yml", 0,
                "Model: picture.onnx\nProfile: 8 samples, 3 tensors: p1.yml\n");
    tool_expect("-input-image-dir pics -m picture.onnx -image_mode=0to1 -dump_profile=p4.yml "
                "-onnx-define-symbol N,4",
                0, "Model: picture.onnx\nProfile: 8 samples, 3 tensors: p4.yml\n");
    expect_same_files("p1.yml", "p4.yml");
}

/* ---- samples ---- */

static void test_lists(void **state)
{
    (void)state;
    static const char list[] = "as/0.bin\nas/1.bin\n\nas/2.bin\nas/3.bin\n";
    support_write_file(path_of("a.txt"), list, sizeof list - 1);
    tool_expect("-m sum.onnx -input-dir a=as -input-dir b=bs -dump_profile=p.yml", 0,
                "Model: sum.onnx\nProfile: 4 samples, 4 tensors: p.yml\n");
    tool_expect("-m sum.onnx -input-list a=a.txt -input-dir b=bs -dump_profile=q.yml", 0,
                "Model: sum.onnx\nProfile: 4 samples, 4 tensors: q.yml\n");
    expect_same_files("p.yml", "q.yml");
    /* A file serves all runs.  Ordinary runs take lists too. */
    tool_expect("-m sum.onnx -input-list a=a.txt -input b=bs/1.bin", 0,
                "Model: sum.onnx\n"
                " File: as/0.bin\n Output: y f32[1,4]: 2 3 4 5\n"
                " File: as/1.bin\n Output: y f32[1,4]: 0 1 1.5 3\n"
                " File: as/2.bin\n Output: y f32[1,4]: 101 8 8 8\n"
                " File: as/3.bin\n Output: y f32[1,4]: 1 1 1 1\n");
    tool_expect("-m sum.onnx -input a=as/0.bin -input-dir b=bs -topk=1 -expected-labels=2,3,0,3", 1,
                "Model: sum.onnx\n"
                " File: bs/0.bin\n Output: y f32[1,4]: 1 2 4 0\n"
                " File: bs/0.bin\tLabel-K1: 2 (score: 4.0000)\n"
                " File: bs/1.bin\n Output: y f32[1,4]: 2 3 4 5\n"
                " File: bs/1.bin\tLabel-K1: 3 (score: 5.0000)\n"
                " File: bs/2.bin\n Output: y f32[1,4]: 0 0 3 4.25\n"
                " File: bs/2.bin\tLabel-K1: 3 (score: 4.2500)\n"
                " File: bs/3.bin\n Output: y f32[1,4]: 6 8 10 12\n"
                " File: bs/3.bin\tLabel-K1: 3 (score: 12.0000)\n"
                "Mismatches: 1 of 4\n");
}

/* A picture for one input, tensors for the other. */
static void test_mixed_inputs(void **state)
{
    (void)state;
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "2,3,8,8");
    onnx_input(&m.graph, "k", ONNX_F32, "1");
    onnx_node(&m.graph, "Mul", "x,k", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "2,3,8,8");
    finish_net(&m, "mixed.onnx");
    support_run(support_printf("mkdir -p '%s/ks'", support_tmp()), NULL);
    for (int i = 0; i < 4; i++)
        write_floats(support_printf("ks/%d.bin", i), (float[]){(float)i}, 1);
    tool_expect("pics/*.png -m mixed.onnx -input-dir k=ks -dump_profile=m.yml", 0,
                "Model: mixed.onnx\nProfile: 8 samples, 3 tensors: m.yml\n");
    struct profile *p = load("m.yml");
    assert_true(p->tensor[1].histogram->count == 4 && p->tensor[1].histogram->max == 3);
    assert_true(p->tensor[2].histogram->count == 8 * 192);
    tool_expect_fault("pics/0.png pics/1.png -m mixed.onnx -input-dir k=ks -dump_profile=n.yml",
                      "the images are enough for 1 run, but there are tensor files for 4");
}

/* ---- merging ---- */

/* Shards in any order and grouping are the bytes of one run. */
static void expect_merges(const char *model, const char *all, const char *const *shard)
{
    static const char *const merges[] = {
        "-merge-profile=s0.yml,s1.yml,s2.yml -dump_profile=m0.yml",
        "-merge-profile=s2.yml,s0.yml,s1.yml -dump_profile=m1.yml",
        "-merge-profile s1.yml -merge-profile s2.yml -dump_profile=pair.yml",
        "--merge_profile=s0.yml,pair.yml -dump_profile=m2.yml",
        "-merge-profile=pair.yml,s0.yml -dump_profile=m3.yml",
        "-merge-profile=m3.yml -dump_profile=m4.yml",
    };
    for (int i = 0; i < 4; i++) {
        const char *args = support_printf("-m '%s' -image_mode=0to1 -dump_profile=%s %s", model,
                                          i < 3 ? support_printf("s%d.yml", i) : "all.yml",
                                          i < 3 ? shard[i] : all);
        tool_must_run(args);
    }
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++)
        tool_must_run(merges[i]);
    for (int i = 0; i <= 4; i++)
        expect_same_files(support_printf("m%d.yml", i), "all.yml");
}

static void test_merge(void **state)
{
    (void)state;
    static const char *const shards[] = {"pics/7.png", "pics/0.png pics/3.png", "pics/[12456].png"};
    expect_merges("picture.onnx", "-input-image-dir pics", shards);
    tool_expect("-merge-profile=s1.yml,s2.yml -dump_profile=m.yml", 0,
                "Profile: 7 samples, 3 tensors: m.yml\n");
}

static void test_merge_squeezenet(void **state)
{
    (void)state;
    const char *model = support_model("squeezenet"), *images = support_data("images/calib64");
    if (support_quick())
        skip();
    SUPPORT_NEED(model, "models/squeezenet");
    SUPPORT_NEED(images, "images/calib64");
    images = tool_absolute(images);
    const char *const shards[] = {support_printf("'%s'/0*.png", images),
                                  support_printf("'%s'/[123]*.png", images),
                                  support_printf("'%s'/[4-9]*.png", images)};
    expect_merges(tool_absolute(model), support_printf("-input-image-dir '%s'", images), shards);
}

static void test_merge_faults(void **state)
{
    (void)state;
    char *out, *errout;
    tool_run("pics/0.png -m picture.onnx -dump_profile=p.yml", &out, &errout);
    free(out);
    free(errout);
    tool_run("-m sum.onnx -input-dir a=as -input-dir b=bs -dump_profile=s.yml", &out, &errout);
    free(out);
    free(errout);
    tool_expect_fault("-merge-profile=p.yml", "-merge-profile needs -dump-profile");
    tool_expect_fault("-merge-profile=p.yml,s.yml -dump_profile=n.yml",
                      "s.yml cannot be merged with p.yml: ");
    tool_expect_fault("-merge-profile=p.yml,none.yml -dump_profile=n.yml", "none.yml: cannot open");
    tool_expect_fault("-merge-profile=p.yml -dump_profile=n.yml -m sum.onnx",
                      "-merge-profile and -model exclude each other");
    tool_expect_fault("-merge-profile=p.yml s.yml -dump_profile=n.yml",
                      "s.yml: merging reads nothing but profiles");
    tool_expect_fault("-merge-profile=p.yml,./p.yml -dump_profile=n.yml",
                      "./p.yml is the same profile as p.yml");
    tool_expect_fault("-merge-profile=p.yml -dump_profile=absent/n.yml", "absent/n.yml");
}

/* ---- faults ---- */

static void test_wrong_samples(void **state)
{
    (void)state;
    static const char *const b = "-m sum.onnx -input-dir b=bs -dump_profile=n.yml";
    support_run(support_printf("rm -rf '%s/bad'; cp -r '%s/as' '%s/bad'", support_tmp(),
                               support_tmp(), support_tmp()),
                NULL);
    write_floats("bad/3.bin", rows_a[0], 3);
    tool_expect_fault(support_printf("%s -input-dir a=bad", b),
                      "bad/3.bin: f32[1,4] needs 16 bytes, the file has 12");
    write_floats("bad/3.bin", (float[]){1, NAN, 2, 3}, 4);
    tool_expect_fault(support_printf("%s -input-dir a=bad", b),
                      "bad/3.bin: tensor 'a' holds NaN there");
    write_floats("bad/3.bin", (float[]){3e38f, 0, 0, 0}, 4);
    write_floats("large.bin", (float[]){3e38f, 0, 0, 0}, 4);
    tool_expect_fault("-m sum.onnx -input-dir a=bad -input b=large.bin -dump_profile=n.yml",
                      "bad/3.bin: tensor 'sum' holds infinity there");
    write_unary("Log", ONNX_F32, "2,3,8,8", "log.onnx");
    tool_expect_fault("pics/*.png -m log.onnx -image_mode=neg1to1 -dump_profile=n.yml >/dev/null",
                      "pics/0.png and the 1 after it: tensor 'y' holds NaN there");
    support_run(support_printf("cd '%s/bad' && mv 3.bin 3.npy", support_tmp()), NULL);
    tool_expect_fault(support_printf("%s -input-dir a=bad", b), "bad/3.npy: ");
    /* That the profile cannot be written is known before the samples. */
    tool_expect_fault("-m sum.onnx -input-dir a=bad -input-dir b=bs -dump_profile=absent/n.yml "
                      ">/dev/null",
                      "absent/n.yml: cannot write");
    tool_expect_fault(support_printf("%s -input-dir a=few", b),
                      "bs has 4 files and few has 1, but each run takes one of both");
    tool_expect_fault(support_printf("%s -input-dir a=pics", b),
                      "pics: the folder has no .npy, .pb or .bin file");
    tool_expect_fault(support_printf("%s -input-dir a=absent", b),
                      "absent: cannot read the folder");
    tool_expect_fault(support_printf("%s -input-list a=absent", b), "absent: cannot open the file");
    support_write_file(path_of("empty.txt"), "\n\n", 2);
    tool_expect_fault(support_printf("%s -input-list a=empty.txt", b),
                      "empty.txt: the list names no file");
    support_write_file(path_of("names.txt"), "a.doc\n", 6);
    tool_expect_fault(support_printf("%s -input-list a=names.txt", b),
                      "a.doc: the name of a tensor");
    support_write_file(path_of("cut.png"), "\x89PNG\r\n\x1a\n", 8);
    tool_expect_fault("pics/0.png cut.png -m picture.onnx -dump_profile=n.yml", "cut.png: ");
    tool_expect_fault("-m picture.onnx -dump_profile=n.yml", "nothing to run the network on");
    tool_expect_fault("pics/0.png pics/1.png pics/2.png -m picture.onnx -onnx-define-symbol N,2 "
                      "-dump_profile=n.yml",
                      "which does not divide the number of images, 3");
    tool_expect_fault("pics/0.png -m picture.onnx -dump_profile=absent/n.yml", "absent/n.yml");
}

/* There is nothing to quantize, and no file that could not be read. */
static void test_no_floats(void **state)
{
    (void)state;
    write_unary("Abs", ONNX_I64, "4", "ints.onnx");
    write_floats("ints.bin", rows_a[0], 8);
    tool_expect_fault("-m ints.onnx -input x=ints.bin -dump_profile=n.yml >/dev/null",
                      "ints.onnx: the network has no float tensor to take a profile of");
}

static void test_wrong_command_line(void **state)
{
    (void)state;
    static const char *const excluded[] = {
        "-load_profile=p.yml", "-emit-bundle b",   "-convert-to-fp16",
        "-weights-only=int8",  "-interpreter",     "-verify",
        "-output y=y.npy",     "-topk=2",          "-time",
        "-iterations=2",       "-compute-softmax", "-expected-labels=1",
        "-label-offset=1",     "-labels=cut.png",
    };
    for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++)
        tool_expect_fault(
            support_printf("pics/0.png -m picture.onnx -dump_profile=n.yml %s", excluded[i]),
            "exclude each other");
    tool_expect_fault("-m sum.onnx -input-dir a=as -input a=as/0.bin",
                      "names 'a', which has files");
    tool_expect_fault("-m sum.onnx -input-dir a=as -input-dir a=as", "names 'a' twice");
    tool_expect_fault("-m sum.onnx -input-dir as", "the name of a tensor, '=' and a folder");
    tool_expect_fault("-m sum.onnx -input-list c=a.txt -input-dir a=as", "no input 'c'");
    tool_expect_fault("-m sum.onnx -input-dir a=as -input-dir b=bs -output y=y.bin",
                      "4 files make 4");
}

/* ---- memory ---- */

/* The most that one of the tools which ran so far took. */
static long peak_kib(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    return usage.ru_maxrss;
}

/* A sample takes 4 MiB; what a hundred more take is less than one. */
static void test_memory(void **state)
{
    (void)state;
    /* The address sanitizer keeps what was released for a while. */
    const char *options = getenv("ASAN_OPTIONS");
    setenv("ASAN_OPTIONS",
           support_printf("%s%squarantine_size_mb=1", options ? options : "", options ? ":" : ""),
           1);
    enum { ELEMS = 1 << 20 };
    write_unary("Relu", ONNX_F32, "1048576", "large.onnx");
    float *x = arena_array(&arena, ELEMS, sizeof *x);
    write_floats("x.bin", x, ELEMS);
    struct strbuf list;
    strbuf_init(&list, &arena);
    for (int i = 0; i < 110; i++)
        strbuf_add(&list, "x.bin\n");
    support_write_file(path_of("few.txt"), list.text, 10 * strlen("x.bin\n"));
    support_write_file(path_of("many.txt"), list.text, list.len);
    tool_expect("-m large.onnx -input-list x=few.txt -dump_profile=few.yml", 0,
                "Model: large.onnx\nProfile: 10 samples, 2 tensors: few.yml\n");
    long few = peak_kib();
    tool_expect("-m large.onnx -input-list x=many.txt -dump_profile=many.yml", 0,
                "Model: large.onnx\nProfile: 110 samples, 2 tensors: many.yml\n");
    long more = peak_kib() - few;
    if (more > 4096)
        fail_msg("100 samples took %ld KiB more", more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory), /* first: the others' memory would hide it */
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_batch_of_tensors),
        cmocka_unit_test(test_batch_of_pictures),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_mixed_inputs),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_merge_squeezenet),
        cmocka_unit_test(test_merge_faults),
        cmocka_unit_test(test_wrong_samples),
        cmocka_unit_test(test_no_floats),
        cmocka_unit_test(test_wrong_command_line),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
