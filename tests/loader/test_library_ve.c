/*
 * Libraries for the Vector Engine as applications use them: programs in C and C++ that are written
 * from the header, linked with what the tool wrote, and run in the simulator (tests/sim/veo.h).
 */
#include "tests/loader/library_device.h"
#include "tests/loader/library_programs.h"

#include "bundle/bundle.h"

/* The simulator's counters beside the library. */
static const char prelude[] =
    CHECK_MACRO "#ifdef __cplusplus\n"
                "extern \"C\" {\n"
                "#endif\n"
                "#include \"tests/sim/veo.h\"\n"
                "#ifdef __cplusplus\n"
                "}\n"
                "#endif\n"
                "__attribute__((unused)) static struct sim_veo_counters counters(void)\n"
                "{\n"
                "    struct sim_veo_counters c;\n"
                "    sim_veo_counters(&c);\n"
                "    return c;\n"
                "}\n"
                "#define DONE(function) function##_context_done(memory)\n";

static const struct library_device DEVICE = {"ve", "-ve", "libveo.so.1", prelude};

/* ---- the deployment text's own program, in C and C++ ---- */

/* Written from that text: init, seed, predict with ctx 0, free. */
static const char text_program[] =
    "#include \"libone.h\"\n"
    "int main(void)\n"
    "{\n"
    "    float x[2 * 8], *out = 0;\n"
    "    int i, k;\n"
    "    for (i = 0; i < 16; i++)\n"
    "        x[i] = i < 8 ? 1.0f : -4.0f;\n"
    "    one_init(0);\n"
    "    CHECK(one_seed(7) == 0);\n"
    "    for (k = 0; k < 3; k++) {\n"
    "        one(0, x, &out);\n"
    "        for (i = 0; i < 16; i++)\n"
    "            CHECK(out[i] == (float)(i < 8 ? 1 + i : i < 12 ? 0 : i - 12));\n"
    "        if (k == 0)\n"
    "            free(out);\n"
    "        else if (k == 1)\n"
    "            sol_ext_free(out);\n"
    "        else\n"
    "            sheaf_ext_free(out);\n"
    "    }\n"
    "    CHECK(one_status() == SHEAF_OK && one_message()[0] == 0);\n"
    "    CHECK(counters().calls == 3 && counters().processes == 1);\n"
    "    return 0;\n"
    "}\n";

static void a_program_of_the_text(void **state)
{
    (void)state;
    device_expect_text(text_program);
}

/* ---- several inputs and outputs; the checked entry; contexts ---- */

static const char two_program[] =
    "#include \"libtwo.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static const float a[8] = {1, 2, 3, 4, 0, 0, 0, 1};\n"
    "    static const float b[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 0, 0};\n"
    "    static const float want[6] = {37, 2, 3, 9, 0, 0};\n"
    "    float y[6] = {0}, *py;\n"
    "    int64_t top[2] = {7, 7}, *ptop;\n"
    "    char *memory;\n"
    "    uint64_t before;\n"
    "    CHECK(two_run(NULL, a, b, y, top) == SHEAF_OK);\n"
    "    CHECK(memcmp(y, want, sizeof y) == 0 && top[0] == 0 && top[1] == 0);\n"
    "    two(NULL, a, b, &py, &ptop);\n"
    "    CHECK(memcmp(py, want, sizeof y) == 0 && ptop[0] == 0 && ptop[1] == 0);\n"
    "    free(py);\n"
    "    free(ptop);\n"
    "    CHECK(two_run(NULL, NULL, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(two_run(NULL, a, b, y, NULL) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(two_context_init(NULL) == SHEAF_ERROR_ARGUMENT);\n"
    "    two_context_done(NULL);\n"
    "    memory = (char *)calloc(1, two_context_size() + 1) + 1;\n"
    "    CHECK(two_run(memory, a, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
    "    before = counters().allocations;\n"
    "    CHECK(two_context_init(memory) == SHEAF_OK && counters().allocations > before);\n"
    "    memset(y, 0, sizeof y);\n"
    "    CHECK(two_run(memory, a, b, y, top) == SHEAF_OK);\n"
    "    CHECK(memcmp(y, want, sizeof y) == 0);\n"
    "    two_context_done(memory);\n"
    "    CHECK(counters().allocations == before && counters().requests == 0);\n"
    "    CHECK(two_run(memory, a, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
    "    free(memory - 1);\n"
    "    return 0;\n"
    "}\n";

static void several_inputs_and_outputs(void **state)
{
    (void)state;
    char *header = device_expect_two(two_program);
    assert_non_null(strstr(header, " * Device:    NEC Vector Engine (SX-Aurora TSUBASA)\n"));
    assert_null(strstr(header, "two_queue")); /* there are no streams */
    assert_null(strstr(header, "NVIDIA"));
    free(header);
}

/* ---- extents, items, state, random numbers ---- */

static void what_a_run_leaves_and_needs(void **state)
{
    (void)state;
    device_expect_runs(sized_program, items_program, state_program, random_program);
}

/* ---- memory of the engine ---- */

/* As AVEO's header declares them. */
static const char there_program[] =
    "#include \"libone.h\"\n"
    "#include \"libitems.h\"\n"
    "struct veo_proc_handle;\n"
    "int veo_alloc_hmem(struct veo_proc_handle *, void **, size_t);\n"
    "int veo_free_hmem(void *);\n"
    "int veo_hmemcpy(void *, const void *, size_t);\n"
    "static void *there(size_t size)\n"
    "{\n"
    "    void *p = NULL;\n"
    "    CHECK(veo_alloc_hmem(one_process(), &p, size) == 0);\n"
    "    return p;\n"
    "}\n"
    "static void take_back(void *p) { CHECK(veo_free_hmem(p) == 0); }\n"
    "static int is_there(const void *p) { return (uintptr_t)p >> 63 != 0; }\n"
    "int main(void)\n"
    "{\n"
    "    float ones[16], got[16], *x, *y, *z;\n"
    "    int64_t n = 2, *count;\n"
    "    struct sim_veo_counters before, after;\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        ones[i] = 1;\n"
    "    CHECK(one_process() && one_process() != items_process());\n"
    "    x = there(sizeof ones);\n"
    "    y = there(sizeof ones);\n"
    "    CHECK(is_there(x) && veo_hmemcpy(x, ones, sizeof ones) == 0);\n"
    "    CHECK(one_run(NULL, x, y) == 0);\n"
    "    CHECK(veo_hmemcpy(got, y, sizeof got) == 0 && got[7] == 8 && got[15] == 8);\n"
    "    /* From one run to the next nothing goes by the host. */\n"
    "    before = counters();\n"
    "    CHECK(one_run(NULL, y, x) == 0);\n"
    "    after = counters();\n"
    "    CHECK(after.calls == before.calls + 1);\n"
    "    CHECK(after.copies_to_device == before.copies_to_device);\n"
    "    CHECK(after.copies_to_host == before.copies_to_host);\n"
    "    CHECK(one_run(NULL, x, got) == 0 && got[7] == 22);\n"
    "    CHECK(one_run(NULL, ones, y) == 0 && one_run(NULL, y, got) == 0 && got[7] == 15);\n"
    "    /* Of another process. */\n"
    "    CHECK(items_run(NULL, x, &n, got) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(items_run(NULL, got, &n, y) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(one_run(NULL, (float *)((uintptr_t)x ^ (uintptr_t)1 << 59), got) ==\n"
    "        SHEAF_ERROR_ARGUMENT);\n"
    "    /* The number of items, too. */\n"
    "    CHECK(veo_alloc_hmem(items_process(), (void **)&count, sizeof *count) == 0);\n"
    "    CHECK(veo_hmemcpy(count, &n, sizeof n) == 0);\n"
    "    CHECK(items_run(NULL, ones, count, got) == 0 && got[7] == -1);\n"
    "    take_back(count);\n"
    "    sheaf_ext_set_allocator(there, take_back);\n"
    "    one(NULL, x, &z);\n"
    "    CHECK(is_there(z) && veo_hmemcpy(got, z, sizeof got) == 0 && got[7] == 22);\n"
    "    sheaf_ext_free(z);\n"
    "    take_back(x);\n"
    "    take_back(y);\n"
    "    return 0;\n"
    "}\n";

static void tensors_lie_in_the_engine(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        device_deploy(kind, "one", KIND[kind], "");
        device_deploy(kind, "items", KIND[kind], "'-onnx-define-symbol=n<=8'");
        device_build_c(there_program, KIND[kind],
                       support_printf("%s %s", lib_of(kind, "one"), lib_of(kind, "items")));
        device_must_run("", KIND[kind], "");
    }
}

/* ---- the allocator; other libraries ---- */

static const char hooks_program[] =
    "#include \"libone.h\"\n"
    "static int n_allocated, n_freed;\n"
    "static void *counted_malloc(size_t size)\n"
    "{\n"
    "    n_allocated++;\n"
    "    return malloc(size);\n"
    "}\n"
    "static void counted_free(void *block)\n"
    "{\n"
    "    n_freed++;\n"
    "    free(block);\n"
    "}\n"
    "#ifdef STRONG\n"
    "void *sheaf_ext_malloc(size_t size) { return counted_malloc(size); }\n"
    "void sheaf_ext_free(void *block) { counted_free(block); }\n"
    "#endif\n"
    "int main(void)\n"
    "{\n"
    "    float x[16] = {0}, *out;\n"
    "#ifndef STRONG\n"
    "    sheaf_ext_set_allocator(counted_malloc, counted_free);\n"
    "#endif\n"
    "    one(NULL, x, &out);\n"
    "    CHECK(n_allocated == 1 && n_freed == 0 && out[7] == 7);\n"
    "    sol_ext_free(out);\n"
    "    CHECK(n_freed == 1);\n"
    "    CHECK(one_run(NULL, x, x) == 0 && n_allocated == 1 && n_freed == 1);\n"
    "    return 0;\n"
    "}\n";

static void the_allocator_is_replaced(void **state)
{
    (void)state;
    device_expect_hooks(hooks_program);
}

/* Networks for the engine, the processor and a GPU in one program; that one has no GPU. */
static const char beside_program[] =
    "#include \"libtwo.h\"\n"
    "#include \"libone.h\"\n"
    "#include \"libstate.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static const float a[8] = {1, 2, 3, 4, 0, 0, 0, 1};\n"
    "    static const float b[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 0, 0};\n"
    "    float x[16] = {0}, *out, *y;\n"
    "    int64_t *top;\n"
    "    one(NULL, x, &out);\n"
    "    two(NULL, a, b, &y, &top);\n"
    "    CHECK(out[7] == 7 && y[0] == 37);\n"
    "    CHECK(state_status() == SHEAF_ERROR_DEVICE && strstr(state_message(), \"NVIDIA\"));\n"
    "    sheaf_ext_free(out);\n"
    "    sheaf_ext_free(y);\n"
    "    sheaf_ext_free(top);\n"
    "    return 0;\n"
    "}\n";

static void libraries_for_others_beside_it(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        device_deploy(kind, "one", KIND[kind], "");
        lib_deploy(kind, "two", KIND[kind], "");
        lib_make(kind, "state", KIND[kind], "-bind=next=sum -device=nvidia -ptxas=none",
                 kind == STATIC ? "    -ldl\n" : "");
        device_build_c(beside_program, KIND[kind],
                       support_printf("%s %s %s", lib_of(kind, "one"), lib_of(kind, "two"),
                                      lib_of(kind, "state")));
        device_must_run("SHEAF_SIM_DEVICES=0", KIND[kind], "");
    }
}

/* ---- threads ---- */

static const char threads_program[] =
    "#include \"libone.h\"\n" THREADS_MACRO "enum { N = 6, ROUNDS = 8 };\n"
    "static void *work(void *arg)\n"
    "{\n"
    "    float me = (float)*(int *)arg, x[16], got[16], *out;\n"
    "    char *memory = (char *)malloc(one_context_size());\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        x[i] = me;\n"
    "    CHECK(memory && one_context_init(memory) == 0);\n"
    "    for (int k = 0; k < ROUNDS; k++) {\n"
    "        if (k % 2) {\n"
    "            CHECK(one_run(memory, x, got) == 0);\n"
    "        } else {\n"
    "            one(NULL, x, &out);\n"
    "            memcpy(got, out, sizeof got);\n"
    "            free(out);\n"
    "        }\n"
    "        for (int i = 0; i < 16; i++)\n"
    "            CHECK(got[i] == me + (float)(i % 8));\n"
    "    }\n"
    "    one_context_done(memory);\n"
    "    free(memory);\n"
    "    return NULL;\n"
    "}\n"
    "int main(void)\n"
    "{\n"
    "    run_threads(N, work);\n"
    "    CHECK(counters().library_loads == 1 && counters().processes_created == 1);\n"
    "    CHECK(counters().most_contexts <= MOST);\n"
    "    return 0;\n"
    "}\n";

static void threads_begin_at_once(void **state)
{
    (void)state;
    device_deploy(SHARED, "one", "shared", "");
    device_build(support_printf("%s -std=c11 -DMOST=8", support_cc()), threads_program, "shared",
                 lib_of(SHARED, "one"));
    device_must_run("VE_OMP_NUM_THREADS=1", "shared", "");
    device_build(support_printf("%s -std=c11 -DMOST=1", support_cc()), threads_program, "shared",
                 lib_of(SHARED, "one"));
    device_must_run("VE_OMP_NUM_THREADS=", "shared", "");
}

/* ---- several functions; steps on the host ---- */

static const char several_program[] =
    "#include \"libab.h\"\n"
    "int main(void)\n"
    "{\n"
    "    float ones[16], got[16];\n"
    "    void *memory = malloc(other_context_size());\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        ones[i] = 1;\n"
    "    CHECK(other_context_init(memory) == 0);\n"
    "    CHECK(first_run(memory, ones, got) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(first_run(NULL, ones, got) == 0 && got[7] == 8);\n"
    "    CHECK(other_run(memory, ones, got) == 0 && got[3] == -1);\n"
    "    CHECK(second_run(NULL, ones, got) == 0 && got[6] == 7);\n"
    "    CHECK(counters().processes_created == 1 && counters().library_loads == 1);\n"
    "    other_context_done(memory);\n"
    "    free(memory);\n"
    "    return 0;\n"
    "}\n";

static void each_network_is_a_function(void **state)
{
    (void)state;
    device_expect_functions(several_program);
}

/* The addition on the host, whose constant lies in the library. */
static void steps_stay_on_the_host(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        const char *dir = support_printf("host_%s", KIND[kind]);
        device_deploy(kind, "one", dir, "-host-nodes=Add");
        device_build(support_printf("%s -std=c11 -DMOST=8", support_cc()), threads_program, dir,
                     lib_of(kind, "one"));
        device_must_run("VE_OMP_NUM_THREADS=1", dir, "");
    }
}

/* ---- faults ---- */

static const char status_program[] =
    CHECK_MACRO "#include \"libone.h\"\n"
                "int main(int argc, char **argv)\n"
                "{\n"
                "    float x[16] = {0}, y[16];\n"
                "    for (int i = 1; i < argc; i++)\n"
                "        one_init(atoi(argv[i]));\n"
                "    int status = one_status(), run = one_run(NULL, x, y);\n"
                "    printf(\"%d %d %d %s\\n\", status, run, one_run(NULL, x, y), one_message());\n"
                "    return 0;\n"
                "}\n";

static void faults_have_a_status(void **state)
{
    (void)state;
    device_deploy(STATIC, "one", "static", "");
    device_build_status(status_program);
    device_expect_status("", "", "0 0 0 \n");
    device_expect_status("LD_LIBRARY_PATH=/nowhere", "",
                         "11 11 11 there is no AVEO on this machine: its library cannot be loaded");
    device_expect_status("SHEAF_SIM_VE_NODES=0", "", "11 11 11 no Vector Engine can be used: ");
    device_expect_status("SHEAF_SIM_VE_API=3", "", "8 8 8 AVEO is too old");
    device_expect_status("SHEAF_SIM_VE_FAIL='alloc_mem 1'", "",
                         "6 6 6 one_network: allocating 64 bytes");
    device_expect_status("TMPDIR=/nowhere", "", "2 2 2 one_network: /nowhere/sheaf-ve-");
    device_expect_status("SHEAF_SIM_VE_FAIL='load_library 1'", "",
                         "11 11 11 one_network: loading the code on the Vector Engine failed");
    /* The node that is asked for, and after a fault another one. */
    device_expect_status("", "1", "cannot create a process on node 1");
    device_expect_status("", "1 0", "0 0 0 \n");
    device_expect_status("SHEAF_SIM_VE_NODES=2", "1", "0 0 0 \n");
    device_expect_status("SHEAF_SIM_VE_NODES=2 VE_NODE_NUMBER=1", "", "0 0 0 \n");
    device_expect_status("VE_NODE_NUMBER=1", "", "on node 1 (environment variable VE_NODE_NUMBER)");
    device_expect_status("", "0 7", "0 0 0 \n");
    /* After an exception the process is gone, and stays so. */
    device_expect_status("SHEAF_SIM_VE_EXCEPTION=1", "", "0 11 11 \n");
    device_build_status("#include \"libone.h\"\n"
                        "int main(void) { float x[16] = {0}, *y; one(0, x, &y); return 0; }\n");
    device_expect_abort();
}

/* ---- weights, files ---- */

static const char weights_program[] = "#include \"libone.h\"\n"
                                      "int main(void)\n"
                                      "{\n"
                                      "    float x[16] = {0}, y[16] = {0};\n"
                                      "    printf(\"%d\", one_run(NULL, x, y));\n"
                                      "    printf(\" %g\\n\", (double)y[7]);\n"
                                      "    return 0;\n"
                                      "}\n";

static void weights_lie_beside(void **state)
{
    (void)state;
    device_deploy(SHARED, "one", "beside", "-weights=beside/one.weights");
    device_build_c(weights_program, "beside", lib_of(SHARED, "one"));
    device_must_run("", "beside", "0 7\n");
    lib_must_run("rm beside/one.weights", "");
    device_must_run("", "beside", "2 0\n");
}

static void it_needs_and_shows_little(void **state)
{
    (void)state;
    device_deploy(SHARED, "one", "shared", "");
    device_expect_names(
        "one\none_context_done\none_context_init\none_context_size\none_init\n"
        "one_message\none_process\none_run\none_seed\none_status\nsheaf_ext_free\n"
        "sheaf_ext_malloc\nsheaf_ext_set_allocator\nsol_ext_free\nsol_ext_malloc\n");
    /* The same options give the same bytes, and -ve is another word. */
    lib_must_run("mv shared/libone.so first.so", "");
    tool_expect("-m one.onnx -emit-lib=shared -ve -lib-name=one -func-name=one -path=shared", 0,
                "Please link with:\n    -Lshared\n    -l:libone.so\n");
    lib_must_run("cmp shared/libone.so first.so", "");
}

static void the_options_of_the_tool(void **state)
{
    (void)state;
    static const struct {
        const char *args, *words;
    } faults[] = {
        {"-emit-lib=shared -device=x86 -ve", "options -ve and -device=x86 exclude each other"},
        {"-emit-lib=shared -device=ve -gpu", "options -gpu and -device=ve exclude each other"},
        {"-emit-lib=shared -device=ve -cpu", "options -ve and -cpu exclude each other"},
        {"-emit-lib=shared -device=ve -vector=avx", "options -ve and -vector exclude"},
        {"-emit-lib=shared -device=ve -func-name=dlopen",
         "'dlopen' cannot be the name of a C function"},
        {"-emit-lib=shared -device=ve -func-name=sheaf_ve_x",
         "'sheaf_ve_x' cannot be the name of a C function"},
        {"-emit-lib=static -device=ve -host=riscv64",
         "option -host: this tool was built without the VE runtime for 'riscv64'"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        tool_expect_fault(support_printf("-m one.onnx %s", faults[i].args), faults[i].words);
}

static void the_function_does_what_the_tool_does(void **state)
{
    (void)state;
    device_deploy(STATIC, "one", "tool", "-host=auto");
    struct sheaf_deploy_options o = {.device = "ve"};
    lib_expect_same_of_function(&o, "    -l:libone.a\n    -ldl\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_of_the_text),
        cmocka_unit_test(several_inputs_and_outputs),
        cmocka_unit_test(what_a_run_leaves_and_needs),
        cmocka_unit_test(tensors_lie_in_the_engine),
        cmocka_unit_test(the_allocator_is_replaced),
        cmocka_unit_test(libraries_for_others_beside_it),
        cmocka_unit_test(threads_begin_at_once),
        cmocka_unit_test(each_network_is_a_function),
        cmocka_unit_test(steps_stay_on_the_host),
        cmocka_unit_test(faults_have_a_status),
        cmocka_unit_test(weights_lie_beside),
        cmocka_unit_test(it_needs_and_shows_little),
        cmocka_unit_test(the_options_of_the_tool),
        cmocka_unit_test(the_function_does_what_the_tool_does),
    };
    return cmocka_run_group_tests(tests, lib_setup, teardown);
}
