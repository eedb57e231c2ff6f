/*
 * -optimize-size: the code is small and computes what the other code does, to the bit in integers,
 * whatever else is asked for.
 */
#define _XOPEN_SOURCE 700
#include "tests/loader/bundle_run.h"

static int setup(void **state)
{
    (void)state;
    write_net("net.onnx", "2", 2);
    compile("-m net.onnx -emit-bundle plain");
    compile("-m net.onnx -optimize-size -emit-bundle small");
    return 0;
}

static void expect_same_as_plain(const char *bundle)
{
    struct linked_entry plain = open_entry("plain/net", "net"), other = open_entry(bundle, "net");
    struct result want = run_entry(&plain, 3), got = run_entry(&other, 3);
    expect_same(&got, &want);
}

static void bundles_compute_the_same(void **state)
{
    (void)state;
    expect_same_as_plain("small/net");
}

static void each_processor_has_small_code(void **state)
{
    (void)state;
#ifdef __x86_64__
    compile("-m net.onnx -Os -mcpu=x86-64,x86-64-v3 -emit-bundle several");
    expect_same_as_plain("several/net");
#else
    SUPPORT_NEED(NULL, "an x86-64 processor");
#endif
}

static char *code_of(const char *object)
{
    char *code;
    run_or_fail(support_printf("objdump -d --no-show-raw-insn '%s' | sed 1,3d", path_of(object)),
                &code);
    return code;
}

/* Kernels that share code have the lines of the first of them. */
static void debug_information_changes_no_code(void **state)
{
    (void)state;
    compile("-m net.onnx -g -Os -emit-bundle debug");
    char *want = code_of("small/net.o"), *got = code_of("debug/net.o");
    support_assert_same_text("code", got, want);
    free(want);
    free(got);
}

static void libraries_are_small_too(void **state)
{
    (void)state;
    static const char *const names[] = {"libplain", "libsmall"};
    for (int i = 0; i < 2; i++) {
        const char *args = support_printf("-m net.onnx -emit-lib=static -lib-name=%s%s", names[i],
                                          i ? " -optimize-size" : "");
        tool_must_run(args);
    }
    assert_true(size_of("libsmall.a") < size_of("libplain.a"));
}

/* ---- a network in integers ---- */

static const char *example(const char *file)
{
    return tool_absolute(support_printf("%s/examples/compile_resnet50/%s", support_source(), file));
}

static long code_bytes(const char *object)
{
    char *said = tool_said(support_printf("-audit %s", object));
    const char *line = strstr(said, "\nBytes: ");
    assert_non_null(line);
    long n = strtol(line + strlen("\nBytes: "), NULL, 10);
    free(said);
    return n;
}

static void integers_are_the_same(void **state)
{
    (void)state;
    const char *image = example("images/00_disc.png");
    const char *net = support_printf("'%s' -image_mode=0to1 -m '%s'", image, example("resnet50"));
    const char *how[] = {"", "-optimize-size"}, *file[] = {"plain.npy", "small.npy"};
    size_t size[2];
    char *out[2];
    tool_must_run(support_printf("%s -dump_profile=profile.yml", net));
    for (int i = 0; i < 2; i++) {
        tool_must_run(support_printf("%s -load_profile=profile.yml %s -output gpu_0/softmax=%s",
                                     net, how[i], file[i]));
        out[i] = support_read_file(path_of(file[i]), &size[i]);
        assert_non_null(out[i]);
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(out[0], out[1], size[0]);
    free(out[0]);
    free(out[1]);
}

/* Half would be of the tiles alone; what is shared makes it a tenth. */
static void code_for_a_board_is_small(void **state)
{
    (void)state;
    const char *net = support_printf("-m '%s' -model-input=gpu_0/data,float,[1,3,64,64] "
                                     "-target=thumbv7em -mcpu=cortex-m4 -network-name=net",
                                     example("resnet50"));
    compile(support_printf("%s -emit-bundle fast", net));
    compile(support_printf("%s -optimize-size -emit-bundle few", net));
    long fast = code_bytes("fast/net.o"), few = code_bytes("few/net.o");
    if (few * 8 > fast)
        fail_msg("%ld bytes of code, %ld where they are many", few, fast);
}

static void the_evaluator_has_no_code(void **state)
{
    (void)state;
    tool_expect_fault("-m net.onnx -optimize-size -interpreter",
                      "options -optimize-size and -interpreter exclude each other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bundles_compute_the_same),
        cmocka_unit_test(each_processor_has_small_code),
        cmocka_unit_test(debug_information_changes_no_code),
        cmocka_unit_test(libraries_are_small_too),
        cmocka_unit_test(integers_are_the_same),
        cmocka_unit_test(code_for_a_board_is_small),
        cmocka_unit_test(the_evaluator_has_no_code),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
