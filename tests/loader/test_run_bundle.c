/*
 * -add-entry: several networks in one bundle.  Each computes what it does in a bundle of its own,
 * equal weights lie once, and activations are kept apart where -may-run-together says so.
 */
#define _XOPEN_SOURCE 700
#include "tests/loader/bundle_run.h"

#include <pthread.h>

static const char *const several = "-m first.onnx -main-entry-name=first -network-name=pair "
                                   "-add-entry=k3=second.onnx";

static int setup(void **state)
{
    (void)state;
    write_net("first.onnx", "2", 2);
    write_net("second.onnx", "2", 3);
    write_net("open.onnx", "N", 3);
    compile("-m first.onnx -emit-bundle one");
    compile("-m second.onnx -emit-bundle one");
    compile(support_printf("%s -emit-bundle apart", several));
    compile(support_printf("%s -may-run-together=main,k3 -emit-bundle together", several));
    return 0;
}

/* Two entries of a bundle, on the same areas. */
struct pair {
    struct linked_entry first, second;
};

static struct pair open_pair(const char *file)
{
    struct pair p = {open_entry(file, "first"), open_entry(file, "k3")};
    p.second.constants = p.first.constants;
    p.second.mutables = p.first.mutables;
    p.second.activations = p.first.activations;
    return p;
}

static struct result alone(const char *name, int seed)
{
    struct linked_entry o = open_entry(support_printf("one/%s", name), name);
    return run_entry(&o, seed);
}

static void each_computes_what_it_does_alone(void **state)
{
    (void)state;
    static const char *const dirs[] = {"apart/pair", "together/pair"};
    struct result first = alone("first", 1), second = alone("second", 2);
    for (int i = 0; i < 2; i++) {
        struct pair p = open_pair(dirs[i]);
        struct result got = run_entry(&p.first, 1);
        expect_same(&got, &first);
        got = run_entry(&p.second, 2);
        expect_same(&got, &second);
        /* What the client reads of the first is still there. */
        assert_memory_equal(tensor_of(&p.first, "y"), first.y, sizeof first.y);
        assert_string_equal(p.first.info->name, "first");
        assert_string_equal(p.second.info->name, "k3");
        assert_null(p.first.info->select);
        assert_int_equal(p.first.info->n_variants, 0);
    }
}

/* w, of 16 x 64 floats, is the same in both. */
static void equal_weights_lie_once(void **state)
{
    (void)state;
    size_t one = size_of("one/first.weights"), other = size_of("one/second.weights");
    assert_int_equal(size_of("apart/pair.weights"), one + other - sizeof(float[N_IN * N_HIDDEN]));
    assert_int_equal(size_of("together/pair.weights"), size_of("apart/pair.weights"));
    struct pair p = open_pair("apart/pair");
    assert_int_equal(p.first.config->symbolTable[row_of(&p.first, "w")].offset,
                     p.second.config->symbolTable[row_of(&p.second, "w")].offset);
    assert_int_not_equal(p.first.config->symbolTable[row_of(&p.first, "v")].offset,
                         p.second.config->symbolTable[row_of(&p.second, "v")].offset);
}

/* So does the code of kernels that differ in their weights only. */
static void kernels_are_shared(void **state)
{
    (void)state;
    char *one, *both;
    run_or_fail(support_printf("cd '%s' && nm one/first.o | grep -c ' t k[0-9]'", support_tmp()),
                &one);
    run_or_fail(support_printf("cd '%s' && nm apart/pair.o | grep -c ' t k[0-9]'", support_tmp()),
                &both);
    assert_string_equal(one, both);
    free(one);
    free(both);
}

/* Which bytes of the activations a run writes. */
static void find_written(const struct linked_entry *o, bool *written)
{
    size_t n = o->config->activationsMemSize;
    memset(written, 0, n * sizeof *written);
    for (int pattern = 0; pattern < 2; pattern++) {
        fill_input(tensor_of(o, "x"), 6);
        memset(o->activations, pattern ? 0xa5 : 0x5a, n);
        assert_int_equal(o->entry(o->constants, o->mutables, o->activations), SHEAF_OK);
        for (size_t i = 0; i < n; i++)
            written[i] = written[i] || o->activations[i] != (pattern ? 0xa5 : 0x5a);
    }
}

static size_t count_shared_bytes(const struct pair *p)
{
    size_t n = p->first.config->activationsMemSize, shared = 0;
    bool *a = calloc(n, sizeof *a), *b = calloc(n, sizeof *b);
    find_written(&p->first, a);
    find_written(&p->second, b);
    for (size_t i = 0; i < n; i++)
        shared += a[i] && b[i];
    free(a);
    free(b);
    return shared;
}

static void activations_are_shared_unless_runs_may_meet(void **state)
{
    (void)state;
    struct linked_entry first = open_entry("one/first", "first"),
                        second = open_entry("one/second", "second");
    struct pair apart = open_pair("apart/pair"), together = open_pair("together/pair");
    size_t n = first.config->activationsMemSize;
    assert_int_equal(second.config->activationsMemSize, n);
    assert_in_range(apart.first.config->activationsMemSize, n, n + 63);
    assert_in_range(together.first.config->activationsMemSize, 2 * n, 2 * n + 126);
    assert_true(count_shared_bytes(&apart) > 0);
    assert_int_equal(count_shared_bytes(&together), 0);
}

enum { N_RUNS = 300 };

static void *run_often(void *arg)
{
    const struct linked_entry *o = arg;
    struct result want;
    size_t bad = 0;
    for (int i = 0; i < N_RUNS; i++) {
        fill_input(tensor_of(o, "x"), 7);
        bad += o->entry(o->constants, o->mutables, o->activations) != SHEAF_OK;
        struct result got = result_of(o);
        if (i > 0)
            bad += memcmp(&got, &want, sizeof got) != 0;
        want = got;
    }
    return bad ? arg : NULL;
}

/* At the same time, on the same areas. */
static void runs_that_may_meet_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct result first = alone("first", 7), second = alone("second", 7);
    struct pair p = open_pair("together/pair");
    pthread_t thread;
    void *failed;
    assert_int_equal(pthread_create(&thread, NULL, run_often, &p.first), 0);
    assert_null(run_often(&p.second));
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    struct result got = result_of(&p.first);
    expect_same(&got, &first);
    got = result_of(&p.second);
    expect_same(&got, &second);
}

/* ---- with other options ---- */

static void entries_have_variants(void **state)
{
    (void)state;
#if defined(__aarch64__)
    const char *cpus = "generic,cortex-a76";
#else
    const char *cpus = "x86-64-v3,x86-64";
#endif
    compile(support_printf("%s -mcpu=%s -emit-bundle variants", several, cpus));
    struct pair p = open_pair("variants/pair");
    struct result first = alone("first", 1), second = alone("second", 2);
    struct result got = run_entry(&p.first, 1);
    expect_same(&got, &first);
    got = run_entry(&p.second, 2);
    expect_same(&got, &second);
    assert_int_equal(p.first.info->n_variants, 2);
    assert_ptr_not_equal(p.first.info->select, p.second.info->select);
    assert_int_equal(p.first.info->select(), p.second.info->select());
}

/* y = -x, and the names that these have. */
static void write_named(const char *file, const char *x, const char *y, const char *dims)
{
    struct arena a;
    struct onnx_model m;
    arena_init(&a);
    onnx_begin(&m, &a, 13);
    onnx_input(&m.graph, x, ONNX_F32, dims);
    onnx_node(&m.graph, "Neg", x, y, "");
    onnx_output(&m.graph, y, ONNX_F32, dims);
    finish_net(&m, file);
    arena_done(&a);
}

/* The number of items is left open for -model alone. */
static void an_entry_has_no_items(void **state)
{
    (void)state;
    write_named("items.onnx", "x", "y", "n,4");
    write_named("item.onnx", "x", "y", "1,4");
    compile(
        "-m items.onnx -onnx-define-symbol='n<=5' -add-entry=item=item.onnx -emit-bundle items");
    struct linked_entry all = open_entry("items/items", "items"),
                        item = open_entry("items/items", "item");
    assert_int_equal(all.info->symbols[row_of(&all, "x")].dims[0], 5);
    assert_int_equal(item.info->symbols[row_of(&item, "x")].dims[0], 1);
    assert_int_equal(item.info->symbols[row_of(&item, "x")].role, SHEAF_ROLE_INPUT);
    for (size_t i = 0; i < item.config->numSymbols; i++)
        assert_string_not_equal(item.config->symbolTable[i].name, "n");
}

/* -overlay-io: the outputs of one are still there after the other, whose run may meet it. */
static void tensors_lie_in_the_activations(void **state)
{
    (void)state;
    compile(
        support_printf("%s -may-run-together=k3,main -overlay-io -emit-bundle overlaid", several));
    struct pair p = open_pair("overlaid/pair");
    struct result first = alone("first", 1), second = alone("second", 2);
    assert_int_equal(p.first.config->mutableWeightVarsMemSize, 0);
    struct result got = run_entry(&p.first, 1);
    expect_same(&got, &first);
    fill_input(tensor_of(&p.second, "x"), 2);
    assert_int_equal(p.second.entry(p.second.constants, p.second.mutables, p.second.activations),
                     SHEAF_OK);
    got = result_of(&p.second);
    expect_same(&got, &second);
    got = result_of(&p.first);
    expect_same(&got, &first);
}

static void an_entry_has_its_own_inputs(void **state)
{
    (void)state;
    compile("-m first.onnx -add-entry=second=open.onnx -entry-input=second=x,float,[2,16] "
            "-emit-bundle inputs");
    struct linked_entry o = open_entry("inputs/first", "second");
    struct result got = run_entry(&o, 4), want = alone("second", 4);
    expect_same(&got, &want);
}

static void an_entry_has_its_own_profile(void **state)
{
    (void)state;
    float x[N_ROWS * N_IN];
    fill_input(x, 4);
    support_write_file(path_of("x.bin"), x, sizeof x);
    tool_must_run("-m second.onnx -input x=x.bin -dump-profile second.yaml");
    tool_expect("-m first.onnx -add-entry=second=second.onnx -entry-profile=second=second.yaml "
                "-emit-bundle quantized",
                0,
                "Quantized (second): 3 of 4 nodes; in float: non_zero 'where' (non_zero has no "
                "integer form)\n");
    tool_must_run("-m second.onnx -load-profile=second.yaml -emit-bundle quantized1");
    tool_must_run("-m first.onnx -add-entry=second=second.onnx -entry-profile=second=second.yaml "
                  "-quantization-precision=Int16 -emit-bundle wider");
    struct linked_entry first = open_entry("quantized/first", "first"),
                        o = open_entry("quantized/first", "second"),
                        single = open_entry("quantized1/second", "second");
    struct result got = run_entry(&o, 4), want = run_entry(&single, 4), exact = alone("second", 4);
    expect_same(&got, &want);
    assert_memory_not_equal(got.y, exact.y, sizeof exact.y);
    got = run_entry(&first, 4);
    want = alone("first", 4);
    expect_same(&got, &want);
}

/* ---- the header ---- */

static const char client[] =
    "#include <string.h>\n"
    "#include \"pair.h\"\n"
    "SHEAF_ALIGNED(FIRST_MEM_ALIGN) static uint8_t c[FIRST_CONSTANT_MEM_SIZE];\n"
    "SHEAF_ALIGNED(K3_MEM_ALIGN) static uint8_t m[K3_MUTABLE_MEM_SIZE];\n"
    "SHEAF_ALIGNED(K3_MEM_ALIGN) static uint8_t a[K3_ACTIVATIONS_MEM_SIZE];\n"
    "#define CHECK(x) do { if (!(x)) return __LINE__; } while (0)\n"
    "int main(void)\n"
    "{\n"
    "    CHECK(K3_CONSTANT_MEM_SIZE == FIRST_CONSTANT_MEM_SIZE);\n"
    "    CHECK(k3_config.constantWeightVarsMemSize == K3_CONSTANT_MEM_SIZE);\n"
    "    CHECK(first_config.mutableWeightVarsMemSize == FIRST_MUTABLE_MEM_SIZE);\n"
    "    CHECK(FIRST_x != K3_x && first_get_x(m) != k3_get_x(m));\n"
    "    CHECK(memcmp(first_info.weights_digest, k3_info.weights_digest, 16) == 0);\n"
    "    CHECK(first(c, m, a) == SHEAF_OK && k3(c, m, a) == SHEAF_OK);\n"
    "    CHECK(first_extent_1_where(a) == 0 && k3_extent_1_where(a) == 0);\n"
    "    return 0;\n"
    "}\n";

static void the_header_suits_c_and_cpp(void **state)
{
    (void)state;
    expect_client_runs(client, "together", "pair");
}

static const char names_client[] =
    "#include \"foo.h\"\n"
    "SHEAF_ALIGNED(64) static uint8_t c[FOO_CONSTANT_MEM_SIZE + 1];\n"
    "SHEAF_ALIGNED(64) static uint8_t m[FOO_MUTABLE_MEM_SIZE];\n"
    "SHEAF_ALIGNED(64) static uint8_t a[FOO_ACTIVATIONS_MEM_SIZE + 1];\n"
    "#define CHECK(x) do { if (!(x)) return __LINE__; } while (0)\n"
    "int main(void)\n"
    "{\n"
    "    foo_get_BAR_x(m)[1] = 2;\n"
    "    foo_bar_get_x_1(m)[1] = 3;\n"
    "    CHECK(FOO_BAR_x != FOO_BAR_x_1 && FOO_BAR_BYTES_y == 16);\n"
    "    CHECK(foo(c, m, a) == 0 && foo_bar(c, m, a) == 0);\n"
    "    CHECK(foo_get_BAR_BYTES_y_get(m)[1] == -2 && foo_bar_get_y(m)[1] == -3);\n"
    "    return 0;\n"
    "}\n";

/* FOO_BAR_x is a macro of foo with BAR_x, and would be one of foo_bar with x. */
static void macros_of_entries_differ(void **state)
{
    (void)state;
    write_named("foo.onnx", "BAR_x", "BAR_BYTES_y_get", "4");
    write_named("foo_bar.onnx", "x", "y", "4");
    compile("-m foo.onnx -add-entry=foo_bar=foo_bar.onnx -emit-bundle names");
    expect_client_runs(names_client, "names", "foo");
}

/* ---- bad input ---- */

#define WITH(options) "-m first.onnx -emit-bundle b " options

static void wrong_entries_are_refused(void **state)
{
    (void)state;
    tool_expect_fault("-m first.onnx -add-entry=a=second.onnx",
                      "option -add-entry needs -emit-bundle");
    tool_expect_fault(WITH("-add-entry=second.onnx"),
                      "-add-entry 'second.onnx': the name of an entry, '=' and a path are needed");
    tool_expect_fault(WITH("-add-entry==second.onnx"), "the name of an entry, '=' and a path");
    tool_expect_fault(WITH("-add-entry=a="), "the name of an entry, '=' and a path are needed");
    tool_expect_fault(WITH("-add-entry=main=second.onnx"), "'main' stands for the entry of -model");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -add-entry=a=first.onnx"),
                      "option -add-entry names 'a' twice");
    tool_expect_fault(WITH("-add-entry=a=x.pb,y.pb,z.pb"), "a net and its weights, not 3 paths");
    tool_expect_fault(WITH("-add-entry=a=absent.onnx"), "absent.onnx");
    tool_expect_fault(WITH("-entry-input=a=x"), "option -entry-input needs -add-entry");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -entry-input=b=x"),
                      "option -entry-input: no -add-entry names 'b'");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -entry-input=a"),
                      "-entry-input 'a': the name of an entry, '=' and a description of an input");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -entry-input=a=x,float,[2,16] "
                           "-entry-input=a=x,float,[2,16]"),
                      "option -entry-input names 'x' of 'a' twice");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -entry-input=a=x,flat,[2,16]"),
                      "error: -entry-input 'a=x,flat,[2,16]': 'flat' is no type\n");
    tool_expect_fault(WITH("-add-entry=a=open.onnx -entry-input=a=z,float,[2,16]"),
                      "the model has no input 'z', which -entry-input=a describes");
    tool_expect_fault(WITH("-add-entry=a=open.onnx -entry-input=a=x,float,[2]"),
                      "-entry-input=a gives input 'x' 1 dimensions, the model 2");
    tool_expect_fault(WITH("-entry-profile=a=x.yaml"), "option -entry-profile needs -add-entry");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -entry-profile=b=x.yaml"),
                      "option -entry-profile: no -add-entry names 'b'");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -entry-profile=a=absent.yaml"), "absent.yaml");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -entry-profile=a=x.yaml -weights-only=int8"),
                      "options -entry-profile and -weights-only exclude each other");
}

static void names_that_meet_are_refused(void **state)
{
    (void)state;
    tool_expect_fault(WITH("-add-entry=first=second.onnx"),
                      "two functions of the bundle are named 'first'");
    tool_expect_fault(WITH("-add-entry=First=second.onnx"),
                      "'first' and 'First' differ in capitals only");
    tool_expect_fault(WITH("-add-entry=first_info=second.onnx"),
                      "'first_info' is a name that the function 'first' brings with it");
    tool_expect_fault(WITH("-add-entry=first_run=second.onnx"),
                      "'first_run' is a name that the function 'first' brings with it");
    tool_expect_fault(WITH("-add-entry=first_get_x=second.onnx"),
                      "'first_get_x' is a name that the function 'first' brings with it");
    tool_expect_fault(WITH("-add-entry=a_b=second.onnx -add-entry=a/b=second.onnx"),
                      "two functions of the bundle are named 'a_b'");
}

static void wrong_matrices_are_refused(void **state)
{
    (void)state;
    tool_expect_fault(WITH("-may-run-together=main,a"), "option -may-run-together needs -add-ent");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -may-run-together=main,b"),
                      "'b' is neither an -add-entry nor 'main', the entry of -model");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -may-run-together=a,"), "'' is neither");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -may-run-together=a"),
                      "option -may-run-together names 'a' alone");
    tool_expect_fault(WITH("-add-entry=a=second.onnx -may-run-together=a,main,a"),
                      "option -may-run-together names 'a' twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_computes_what_it_does_alone),
        cmocka_unit_test(equal_weights_lie_once),
        cmocka_unit_test(kernels_are_shared),
        cmocka_unit_test(activations_are_shared_unless_runs_may_meet),
        cmocka_unit_test(runs_that_may_meet_do_not_disturb_each_other),
        cmocka_unit_test(entries_have_variants),
        cmocka_unit_test(tensors_lie_in_the_activations),
        cmocka_unit_test(an_entry_has_its_own_inputs),
        cmocka_unit_test(an_entry_has_no_items),
        cmocka_unit_test(an_entry_has_its_own_profile),
        cmocka_unit_test(the_header_suits_c_and_cpp),
        cmocka_unit_test(macros_of_entries_differ),
        cmocka_unit_test(wrong_entries_are_refused),
        cmocka_unit_test(names_that_meet_are_refused),
        cmocka_unit_test(wrong_matrices_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
