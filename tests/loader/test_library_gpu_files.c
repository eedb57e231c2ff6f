/*
 * What may go wrong with a library for NVIDIA GPUs, what its files hold, and the options that make
 * them.
 */
#include "tests/loader/library_gpu.h"

/* ---- faults, devices ---- */

/* The program has nothing of the driver itself. */
static const char status_program[] =
    CHECK_MACRO "#include \"libone.h\"\n"
                "int main(int argc, char **argv)\n"
                "{\n"
                "    float x[16], *out;\n"
                "    for (int i = 1; i < argc; i++)\n"
                "        one_init(atoi(argv[i]));\n"
                "    printf(\"%d%d%d %s\\n\", one_status(), one_run(NULL, x, x),\n"
                "           one_context_init(x), one_message());\n"
                "    fflush(stdout);\n"
                "    if (one_status() && argc == 1)\n"
                "        one(NULL, x, &out);\n"
                "    return 0;\n"
                "}\n";

static void there_is_no_device(void **state)
{
    (void)state;
    device_deploy(STATIC, "one", "static", "");
    device_build_status(status_program);
    device_expect_status("SHEAF_SIM_DEVICES=0", "",
                         "11"
                         "11"
                         "11 no NVIDIA GPU can be used: ");
    device_expect_status("SHEAF_SIM_FAIL_LOAD=1", "",
                         "11"
                         "11"
                         "11 one_network: the driver cannot translate the code");
    device_expect_status("SHEAF_SIM_MEMORY=16", "", "666 one_network: allocating 64 bytes");
    device_expect_status("LD_LIBRARY_PATH=/nowhere", "",
                         "11"
                         "11"
                         "11 there is no NVIDIA driver on this machine: ");
    /* The device that is asked for, and after a fault another one. */
    device_expect_status("", "1", "111 there is no GPU number 1, only 1");
    device_expect_status("", "1 0", "01");
    device_expect_status("SHEAF_SIM_DEVICES=2", "1", "01");
    device_expect_status("", "0 7", "01");
    device_expect_abort();
}

static const char fault_program[] =
    "#include \"libone.h\"\n"
    "int main(void)\n"
    "{\n"
    "    float zero[16] = {0}, *x, *y;\n"
    "    begin();\n"
    "    x = (float *)put(zero, sizeof zero);\n"
    "    y = (float *)put(zero, sizeof zero);\n"
    "    CHECK(one_run(NULL, x, y) == SHEAF_ERROR_DEVICE);\n"
    "    /* The device stays as it is, so nothing runs any more. */\n"
    "    CHECK(one_run(NULL, x, y) == SHEAF_ERROR_DEVICE && one_status() == SHEAF_OK);\n"
    "    return 0;\n"
    "}\n";

static void a_kernel_fails(void **state)
{
    (void)state;
    device_deploy(SHARED, "one", "shared", "");
    device_build_c(fault_program, "shared", lib_of(SHARED, "one"));
    device_must_run("SHEAF_SIM_FAIL_LAUNCH=1", "shared", "");
}

/* ---- weights ---- */

static const char weights_program[] = "#include \"libone.h\"\n"
                                      "int main(int argc, char **argv)\n"
                                      "{\n"
                                      "    float got[16] = {0}, *x, *y;\n"
                                      "    begin();\n"
                                      "    x = (float *)put(got, sizeof got);\n"
                                      "    y = (float *)put(got, sizeof got);\n"
                                      "    CHECK(one_weights(NULL) == SHEAF_ERROR_ARGUMENT);\n"
                                      "    printf(\"%d\", one_run(NULL, x, y));\n"
                                      "    if (argc > 1)\n"
                                      "        printf(\"%d\", one_weights(argv[1]));\n"
                                      "    printf(\"%d\", one_run(NULL, x, y));\n"
                                      "    get(got, y, sizeof got);\n"
                                      "    printf(\" %g\\n\", (double)got[7]);\n"
                                      "    return 0;\n"
                                      "}\n";

static void run_weights(const char *args, const char *want)
{
    lib_must_run(device_simulated(support_printf("beside/main %s", args)), want);
}

static void weights_lie_beside(void **state)
{
    (void)state;
    device_deploy(SHARED, "one", "beside", "-weights=beside/one.weights");
    device_build_c(weights_program, "beside", lib_of(SHARED, "one"));
    size_t size;
    char *good = support_read_file(path_of("beside/one.weights"), &size);
    assert_non_null(good);
    run_weights("", "00 7\n");
    support_write_file(path_of("good"), good, size);
    good[size / 2] ^= 1; /* one bit */
    support_write_file(path_of("beside/one.weights"), good, size);
    run_weights("", "33 0\n");
    run_weights("good", "300 7\n");
    lib_must_run("rm beside/one.weights", "");
    run_weights("", "22 0\n");
    run_weights("good", "200 7\n");
    free(good);
}

/* They say of themselves what they fit. */
static void later_weights_are_taken(void **state)
{
    (void)state;
    device_deploy(SHARED, "one", "later", "-weights=later/w -replaceable-weights");
    device_build_c(weights_program, "later", lib_of(SHARED, "one"));
    device_must_run("", "later", "00 7\n");
    lib_must_run("cp later/w first && rm later/w", "");
    tool_expect("-m one.onnx -emit-lib=shared -device=nvidia -lib-name=one -func-name=one "
                "-path=later -weights=later/w -repack-weights",
                0, "");
    lib_must_run("cmp later/w first", "");
    device_must_run("", "later", "00 7\n");
    device_deploy(SHARED, "one", "beside", "-weights=beside/one.weights");
    lib_must_run("cp beside/one.weights later/w", "");
    device_must_run("", "later", "33 0\n");
}

/* ---- several functions ---- */

static const char several_program[] =
    "#include \"libab.h\"\n"
    "int main(void)\n"
    "{\n"
    "    float ones[16], got[16], *x, *y;\n"
    "    struct sim_counters c;\n"
    "    void *memory = malloc(other_context_size());\n"
    "    uint64_t before;\n"
    "    begin();\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        ones[i] = 1;\n"
    "    x = (float *)put(ones, sizeof ones);\n"
    "    y = (float *)put(ones, sizeof ones);\n"
    "    sim_counters(&c);\n"
    "    before = c.copies_to_device;\n"
    "    CHECK(other_context_init(memory) == 0);\n"
    "    sim_counters(&c);\n"
    "    CHECK(c.copies_to_device == before + 1);\n"
    "    CHECK(first_run(memory, x, y) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(first_run(NULL, x, y) == 0);\n"
    "    get(got, y, sizeof got);\n"
    "    CHECK(got[7] == 8);\n"
    "    CHECK(other_run(memory, x, y) == 0);\n"
    "    get(got, y, sizeof got);\n"
    "    CHECK(got[3] == -1);\n"
    "    CHECK(second_run(NULL, x, y) == 0);\n"
    "    get(got, y, sizeof got);\n"
    "    CHECK(got[6] == 7);\n"
    "    other_context_done(memory);\n"
    "    free(memory);\n"
    "    return 0;\n"
    "}\n";

static void each_network_is_a_function(void **state)
{
    (void)state;
    device_expect_functions(several_program);
}

/* ---- the tool's options ---- */

static void it_needs_and_shows_little(void **state)
{
    (void)state;
    device_deploy(SHARED, "one", "shared", "-cc=80,90");
    device_expect_names(
        "one\none_context_done\none_context_init\none_context_size\none_init\n"
        "one_message\none_queue\none_run\none_seed\none_status\nsheaf_gpu_ext_free\n"
        "sheaf_gpu_ext_malloc\nsheaf_gpu_ext_set_allocator\nsol_ext_free\n"
        "sol_ext_malloc\n");
    /* The same options give the same bytes. */
    lib_must_run("mv shared/libone.so first.so", "");
    device_deploy(SHARED, "one", "shared", "-cc=80,90");
    lib_must_run("cmp shared/libone.so first.so && ls shared | grep -c '[.]s$' || true", "0\n");
}

static void other_hosts(void **state)
{
    (void)state;
    tool_expect_fault("-m one.onnx -emit-lib=static -device=nvidia -host=riscv64 -path=riscv",
                      "option -host: this tool was built without the GPU runtime for 'riscv64'");
    tool_expect_fault("-m one.onnx -emit-lib=static -device=nvidia -host=sparc -path=sparc",
                      "option -host: 'sparc' is not supported");
    char *out, *errout;
    int status = tool_run("-m one.onnx -emit-lib=static -device=nvidia -host=arm64 -path=arm "
                          "-lib-name=one -func-name=one",
                          &out, &errout);
    bool has = status == 0;
    if (!has)
        assert_non_null(strstr(errout, "built without the GPU runtime for 'aarch64'"));
    free(out);
    free(errout);
    if (!has || !lib_has_program("aarch64-linux-gnu-gcc") || !lib_has_program("qemu-aarch64")) {
        print_message("left out for want of aarch64-linux-gnu-gcc and qemu-aarch64\n");
        skip();
    }
    lib_build("aarch64-linux-gnu-gcc -std=c11 -static -w", "status.c", status_program, "arm",
              "-l:libone.a -ldl");
    assert_int_equal(lib_run("qemu-aarch64 arm/main 0 2>&1", &out), 0);
    assert_non_null(strstr(out, "there is no NVIDIA driver on this machine"));
    free(out);
}

static void the_options_of_the_tool(void **state)
{
    (void)state;
    static const struct {
        const char *args, *words;
    } faults[] = {
        {"-emit-lib=shared -device=nvidia -cc=65", "capability 65 is below 80"},
        {"-emit-lib=shared -device=ve -cc=80", "option -cc needs -gpu"},
        {"-emit-lib=shared -device=x86 -gpu", "options -gpu and -device=x86 exclude each other"},
        {"-emit-lib=shared -device=x86 -cc=80", "option -cc needs -gpu"},
        {"-emit-lib=shared -device=nvidia -cpu", "options -gpu and -cpu exclude each other"},
        {"-emit-lib=shared -device=nvidia -vector=avx", "options -gpu and -vector exclude"},
        {"-emit-lib=shared -device=nvidia -func-name=dlopen",
         "'dlopen' cannot be the name of a C function"},
        {"-emit-bundle=b -device=x86", "option -device needs -emit-lib"},
        {"-emit-bundle=b -device=nvidia -mcpu=x86-64,x86-64-v3", "option -mcpu names 2"},
        {"-device=nvidia -interpreter", "options -gpu and -interpreter exclude each other"},
        {"-fp32-math=tf32", "option -fp32-math needs -gpu"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        tool_expect_fault(support_printf("-m one.onnx %s", faults[i].args), faults[i].words);
    /* Of a bundle it is another word for -gpu. */
    tool_expect("-m one.onnx -emit-bundle=by_gpu -gpu -cc=80", 0, "");
    tool_expect("-m one.onnx -emit-bundle=by_device -device=nvidia -cc=80", 0, "");
    lib_must_run("diff -r by_gpu by_device", "");
}

/* The words of the function, with a compute capability. */
static void the_function_does_what_the_tool_does(void **state)
{
    (void)state;
    device_deploy(STATIC, "one", "tool", "-cc=80,90 -host=auto");
    struct sheaf_deploy_options o = {.device = "nvidia", .host = "auto", .cc = "80,90"};
    char said[1024];
    lib_expect_same_of_function(&o, "    -l:libone.a\n    -ldl\n");
    o.cc = "65";
    assert_int_equal(sheaf_deploy(&o, said, sizeof said), SHEAF_ERROR_UNSUPPORTED);
    assert_non_null(strstr(said, "compute capability 65 is below 80"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_no_device),
        cmocka_unit_test(a_kernel_fails),
        cmocka_unit_test(weights_lie_beside),
        cmocka_unit_test(later_weights_are_taken),
        cmocka_unit_test(each_network_is_a_function),
        cmocka_unit_test(it_needs_and_shows_little),
        cmocka_unit_test(other_hosts),
        cmocka_unit_test(the_options_of_the_tool),
        cmocka_unit_test(the_function_does_what_the_tool_does),
    };
    return cmocka_run_group_tests(tests, lib_setup, teardown);
}
