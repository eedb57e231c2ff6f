/*
 * Options that are no different with -gpu: the tool is run with each on the processor and on a GPU,
 * which is simulated, and says the same.  The networks' results are exact in every order of sums.
 */
#include "tests/gpu_runtime/gpu_bundles.h"

#define IMAGE "'%s/examples/compile_resnet50/images/05_cross.png' -m image.onnx -image-mode=0to255"

/* y = the mean of each channel times w: three classes. */
static void write_image_net(struct arena *a)
{
    struct onnx_model m;
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "1,3,64,64");
    put_weights(&m.graph, "w", "3,3", 9, 5);
    onnx_node(&m.graph, "GlobalAveragePool", "x", "means", "");
    onnx_node(&m.graph, "Flatten", "means", "row", "");
    onnx_node(&m.graph, "MatMul", "row,w", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "1,3");
    finish_net(&m, "image.onnx");
}

static int write_files(void **state)
{
    (void)state;
    struct arena a;
    float x[N_ROWS * N_IN];
    arena_init(&a);
    fill_input(x, 1);
    support_write_file(path_of("x.bin"), x, sizeof x);
    support_write_file(path_of("x4.bin"), x, 4 * sizeof *x);
    write_net("net.onnx", "2", 2);
    write_net("other.onnx", "2", 3);
    write_state_net(&a);
    write_image_net(&a);
    arena_done(&a);
    simulate("LD_LIBRARY_PATH", support_printf("%s/tests", tool_absolute(support_build())));
    open_simulator();
    use_device();
    return 0;
}

static void same_on_both(const char *args)
{
    char *cpu = tool_said(support_printf("%s -cpu", args)),
         *gpu = tool_said(support_printf("%s -gpu", args));
    assert_true(*cpu != 0);
    support_assert_same_text(args, gpu, cpu);
    free(cpu);
    free(gpu);
}

/* ---- quantization ---- */

/* Of the values alone: the processor is named. */
static const char *values_of(const char *file)
{
    char *text = support_read_file(path_of(file), NULL);
    assert_non_null(text);
    const char *values = strstr(text, "Processor:");
    assert_non_null(values);
    values = support_printf("%s", strchr(values, '\n'));
    free(text);
    return values;
}

static void profiles_are_the_same(void **state)
{
    (void)state;
    tool_must_run("-m net.onnx -input=x=x.bin -cpu -dump-profile=cpu.yml");
    tool_must_run("-m net.onnx -input=x=x.bin -gpu -dump-profile=gpu.yml");
    support_assert_same_text("gpu.yml", values_of("gpu.yml"), values_of("cpu.yml"));
    same_on_both("-m net.onnx -input=x=x.bin -load-profile=gpu.yml");
    same_on_both("-m net.onnx -input=x=x.bin -load-profile=cpu.yml");
    tool_must_run("-m net.onnx -input=x=x.bin -cpu -load-profile=cpu.yml "
                  "-quantization-report=cpu.txt");
    tool_must_run("-m net.onnx -input=x=x.bin -gpu -load-profile=cpu.yml "
                  "-quantization-report=gpu.txt");
    char *cpu = support_read_file(path_of("cpu.txt"), NULL);
    char *gpu = support_read_file(path_of("gpu.txt"), NULL);
    support_assert_same_text("gpu.txt", gpu, cpu);
    free(cpu);
    free(gpu);
}

static void labels_are_counted(void **state)
{
    (void)state;
    const char *image = support_printf(IMAGE, tool_absolute(support_source()));
    char *text = tool_said(support_printf("%s -cpu", image)), *label = strstr(text, "Label-K1: ");
    assert_non_null(label);
    int class = atoi(label + strlen("Label-K1: "));
    free(text);
    tool_must_run(support_printf("%s -gpu -dump-profile=image.yml", image));
    same_on_both(support_printf("%s -load-profile=image.yml -quantize-until=0.1 "
                                "-expected-labels=%d",
                                image, class));
}

/* Kernel by kernel only the processor runs; what has accumulated is the same. */
static void modes_of_quantized_models_are_compared(void **state)
{
    (void)state;
    const char *path = support_data("nets/kws_qdq");
    SUPPORT_NEED(path, "nets/kws_qdq");
    path = tool_absolute(path);
    const char *args = support_printf("-m '%s/model.onnx' -input='serving_default_input:0="
                                      "%s/test_data_set_0/input_0.pb' -compare-qdq",
                                      path, path);
    char *cpu = tool_said(support_printf("%s -cpu", args)),
         *gpu = tool_said(support_printf("%s -gpu", args));
    const char *sum = strstr(cpu, "of one kernel, "), *gpu_sum = strstr(gpu, "1 run: ");
    assert_non_null(sum);
    assert_non_null(gpu_sum);
    support_assert_same_text(args, gpu_sum + strlen("1 run: "), sum + strlen("of one kernel, "));
    free(cpu);
    free(gpu);
}

/* ---- inputs and state ---- */

static void pixels_go_in(void **state)
{
    (void)state;
    const char *image = support_printf(IMAGE, tool_absolute(support_source()));
    same_on_both(image);
    same_on_both(support_printf("%s -fold-preprocessing -mean=10,20,30", image));
}

static void state_is_kept(void **state)
{
    (void)state;
    same_on_both("-m state.onnx -bind=next=sum -input=x=x4.bin");
    same_on_both("-m state.onnx -bind=next=sum -input=x=x4.bin -iterations=3");
    same_on_both("-m state.onnx -bind=next=sum -input=x=x4.bin -iterations=3 -overlay-io");
}

static void compiled_code_can_be_read(void **state)
{
    (void)state;
    static const struct {
        const char *option, *words;
    } dumps[] = {{"-dump-graph", "return %y"},
                 {"-dump-kernels", "contract"},
                 {"-dump-schedule", "threads"},
                 {"-dump-llvm-ir", "nvptx64"}};
    for (size_t i = 0; i < sizeof dumps / sizeof *dumps; i++) {
        char *text = tool_said(support_printf("-m net.onnx -gpu %s", dumps[i].option));
        if (!strstr(text, dumps[i].words))
            fail_msg("%s prints no '%s': %s", dumps[i].option, dumps[i].words, text);
        free(text);
    }
}

/* ---- bundles ---- */

static void entries_have_one_code(void **state)
{
    (void)state;
    compile("-m net.onnx -add-entry=second=other.onnx -gpu -cc=80,90 -ptxas=none -emit-bundle two");
    struct linked_entry first = open_entry("two/net", "net"),
                        second = open_entry("two/net", "second");
    assert_int_equal(first.info->plan->n_images, 2);
    assert_ptr_equal(first.info->plan->images, second.info->plan->images);
}

static void *open_library(const char *base)
{
    void *library = dlopen(support_printf("%s.so", base), RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    return library;
}

/* The network of later/net with these weights; where they are taken it gives what the bundle
   `fresh` does. */
static enum sheaf_status run_with(const struct sheaf_linked *linked, const char *file,
                                  const char *fresh)
{
    size_t n;
    struct sheaf_error err;
    char *weights = support_read_file(path_of(file), &n);
    assert_non_null(weights);
    sheaf_bundle *b;
    enum sheaf_status status = sheaf_open_memory(linked, weights, n, &b, &err);
    if (status == SHEAF_OK) {
        fill_input(tensor(b, "x").data, 1);
        run_bundle(b);
        struct linked_entry cpu = open_entry(fresh, "net");
        struct result got = bundle_result(b), want = run_entry(&cpu, 1);
        expect_same(&got, &want);
        sheaf_close(b);
    } else
        print_message("%s\n", err.text);
    free(weights);
    return status;
}

static void later_weights_run(void **state)
{
    (void)state;
    compile("-m net.onnx -gpu -ptxas=none -replaceable-weights -emit-bundle later");
    compile("-m net.onnx -emit-bundle fresh");
    const char *base = path_of("later/net");
    run_or_fail(support_printf("%s -shared '%s.o' -o '%s.so'", support_cc(), base, base), NULL);
    void *library = open_library(base), *fn = symbol_of(library, "net", "");
    struct sheaf_linked o = {.config = symbol_of(library, "net", "_config"),
                             .info = symbol_of(library, "net", "_info")};
    memcpy(&o.entry, &fn, sizeof fn);
    assert_int_equal(run_with(&o, "later/net.weights", "fresh/net"), SHEAF_OK);
    write_net("net.onnx", "2", 9);
    compile("-m net.onnx -gpu -ptxas=none -repack-weights -emit-bundle later");
    compile("-m net.onnx -emit-bundle other");
    assert_int_equal(run_with(&o, "later/net.weights", "other/net"), SHEAF_OK);
    assert_int_equal(run_with(&o, "other/net.weights", NULL), SHEAF_ERROR_FORMAT);
    tool_expect_fault("-m net.onnx -repack-weights -emit-bundle later",
                      "the weights do not fit, for the model gives other code or another layout");
    write_net("net.onnx", "2", 2);
    dlclose(library);
}

static void weights_have_three_forms(void **state)
{
    (void)state;
    size_t n;
    compile("-m net.onnx -gpu -ptxas=none -emit-bundle file");
    char *want = support_read_file(path_of("file/net.weights"), &n);
    static const char *const forms[] = {"c", "object"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        compile(support_printf("-m net.onnx -gpu -ptxas=none -weights-format=%s -emit-bundle %s",
                               forms[i], forms[i]));
        const char *base = path_of(support_printf("%s/net_weights", forms[i]));
        run_or_fail(support_printf("%s -shared -fPIC '%s.%c' -o '%s.so'", support_cc(), base,
                                   forms[i][0], base),
                    NULL);
        void *library = open_library(base);
        assert_memory_equal(symbol_of(library, "net", "_weights"), want, n);
        dlclose(library);
    }
    free(want);
}

static int finish(void **state)
{
    (void)state;
    leave_device();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_are_the_same),
        cmocka_unit_test(labels_are_counted),
        cmocka_unit_test(modes_of_quantized_models_are_compared),
        cmocka_unit_test(pixels_go_in),
        cmocka_unit_test(state_is_kept),
        cmocka_unit_test(compiled_code_can_be_read),
        cmocka_unit_test(entries_have_one_code),
        cmocka_unit_test(later_weights_run),
        cmocka_unit_test(weights_have_three_forms),
    };
    return cmocka_run_group_tests(tests, write_files, finish);
}
