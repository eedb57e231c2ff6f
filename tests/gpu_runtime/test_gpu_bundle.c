/*
 * test_gpu_bundle.c: the files of a bundle for GPUs: header and object, and the options that they
 * are made with.
 */
#include "tests/gpu_runtime/gpu_bundles.h"

static int write_nets(void **state)
{
    (void)state;
    write_net("net.onnx", "2", 2);
    write_net("other.onnx", "2", 3);
    compile("-m net.onnx -gpu -cc=80,90 -ptxas=none -emit-bundle b");
    return 0;
}

static const struct sheaf_plan *plan_of(const char *file)
{
    return open_entry(file, "net").info->plan;
}

/* ---- files ---- */

static void the_header_says_what_it_is_for(void **state)
{
    (void)state;
    char *text = support_read_file(path_of("b/net.h"), NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, " * Device:    NVIDIA GPUs, with code for compute capability 8.0 "
                                 "and 9.0; later ones run that, too\n"));
    assert_non_null(strstr(text, " * Runtime:   libgpu_runtime (gpu_runtime/gpu_runtime.h), in a "
                                 "program for x86_64-unknown-linux-gnu\n"));
    assert_non_null(strstr(text, "This function returns SHEAF_ERROR_DEVICE."));
    assert_null(strstr(text, "Processor:"));
    assert_null(strstr(text, "STACK_BYTES"));
    free(text);
}

static void the_header_suits_c_and_cpp(void **state)
{
    (void)state;
    expect_header_suits("b", "SHEAF_DEVICE_NVIDIA", "");
}

static void the_object_needs_nothing(void **state)
{
    (void)state;
    tool_must_run("-audit b/net.o");
}

static void each_capability_has_its_code(void **state)
{
    (void)state;
    const struct sheaf_plan *p = plan_of("b/net");
    static const unsigned archs[] = {80, 90};
    assert_int_equal(p->n_images, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct sheaf_image *image = &p->images[i];
        const char *text = (const char *)image->data;
        assert_int_equal(image->kind, SHEAF_IMAGE_PTX);
        assert_int_equal(image->arch, archs[i]);
        assert_int_equal(strlen(text), image->size);
        assert_non_null(strstr(text, support_printf(".target sm_%u\n", archs[i])));
    }
    static const unsigned known[] = {86, 87, 89};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        compile(support_printf("-m net.onnx -gpu -cc=%u -ptxas=none -emit-bundle b%u", known[i],
                               known[i]));
        assert_int_equal(plan_of(support_printf("b%u/net", known[i]))->images[0].arch, known[i]);
    }
}

/* Each makes what its words say, for the GPU as for a processor. */
static void options_of_bundles_work(void **state)
{
    (void)state;
    static const char *const options[] = {
        "-save-asm",
        "-replaceable-weights",
        "-target=aarch64",
        "-mcpu=x86-64",
        "-weights-format=c",
        "-fp32-math=tf32",
        "-convert-to-fp16",
        "-add-entry=second=other.onnx",
        "-add-entry=second=other.onnx -may-run-together=main,second",
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        compile(support_printf("-m net.onnx -gpu %s -emit-bundle o%zu", options[i], i));
    char *text = support_read_file(path_of("o0/net.s"), NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, ".visible .entry"));
    free(text);
}

static void entries_run_on_the_device(void **state)
{
    (void)state;
    open_simulator();
    expect_entries_run("-gpu");
    expect_nothing_left();
}

/* ---- bad input ---- */

#define WITH(options) "-m net.onnx -gpu -emit-bundle c " options

static void wrong_options_are_refused(void **state)
{
    (void)state;
    tool_expect_fault(WITH("-cc=70"), "compute capability 70 is below 80, the least that code is");
    tool_expect_fault(WITH("-cc=81"), "compute capability 81 is none of 80, 86, 87, 89 and 90, and "
                                      "code for these runs on later GPUs too");
    tool_expect_fault(WITH("-cc=100"), "compute capability 100 is none of 80, 86, 87, 89 and 90");
    tool_expect_fault(WITH("-cc=-80"), "option -cc must lie in 1 to 999, not -80");
    tool_expect_fault(WITH("-cc=4294967376"), "option -cc must lie in 1 to 999");
    tool_expect_fault(WITH("-cc=80,90,80"), "option -cc names 80 twice");
    tool_expect_fault(WITH("-cc=x"), "option -cc");
    tool_expect_fault("-m net.onnx -cc=80 -emit-bundle c", "option -cc needs -gpu");
    tool_expect_fault("-m net.onnx -fp32-math=tf32 -emit-bundle c", "option -fp32-math needs -gpu");
    tool_expect_fault("-m net.onnx -gpu -interpreter -verify", "exclude each other");
    tool_expect_fault(WITH("-Os"), "options -gpu and -optimize-size exclude each other");
    tool_expect_fault(WITH("-g"), "options -gpu and -g exclude each other");
    tool_expect_fault(WITH("-cpu"), "options -gpu and -cpu exclude each other");
    tool_expect_fault(WITH("-mcpu=x86-64,x86-64-v3"), "option -mcpu names 2 processors, but with "
                                                      "-gpu one is the host");
}

/* y = the sum of n inputs. */
static void write_sum(const char *file, int n)
{
    struct arena a;
    struct onnx_model m;
    struct strbuf names;
    arena_init(&a);
    strbuf_init(&names, &a);
    onnx_begin(&m, &a, 13);
    for (int i = 0; i < n; i++) {
        const char *x = arena_printf(&a, "x%d", i);
        onnx_input(&m.graph, x, ONNX_F32, "2");
        strbuf_printf(&names, "%s%s", i ? "," : "", x);
    }
    onnx_node(&m.graph, "Sum", strbuf_text(&names), "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "2");
    finish_net(&m, file);
    arena_done(&a);
}

/* What a launch takes. */
static void kernels_have_room_for_their_buffers(void **state)
{
    (void)state;
    write_sum("most.onnx", 511);
    write_sum("more.onnx", 512);
    compile("-m most.onnx -gpu -emit-bundle c");
    tool_expect_fault("-m more.onnx -gpu -emit-bundle c",
                      "has 513 inputs and outputs, but on this device at most 512 are supported");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_says_what_it_is_for),
        cmocka_unit_test(the_header_suits_c_and_cpp),
        cmocka_unit_test(the_object_needs_nothing),
        cmocka_unit_test(each_capability_has_its_code),
        cmocka_unit_test(options_of_bundles_work),
        cmocka_unit_test(entries_run_on_the_device),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(kernels_have_room_for_their_buffers),
    };
    return cmocka_run_group_tests(tests, write_nets, NULL);
}
