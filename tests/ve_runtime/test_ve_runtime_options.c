/*
 * test_ve_runtime_options.c: bundles for the Vector Engine as the tool writes them, run in the
 * simulator: in several cores, and with the options that they are made with.
 */
#include "tests/loader/linked_bundles.h"

#include "tests/ve_runtime/ve_simulator.h"

/* y = x in 4 bits: neighbours share a byte, and are of one core each where there are eight.  These
   come to it from the barrier behind another kernel, at one time. */
static void write_halves(struct arena *a)
{
    struct onnx_model m;
    onnx_begin(&m, a, 21);
    onnx_input(&m.graph, "x", ONNX_F32, "2,4");
    onnx_node(&m.graph, "Neg", "x", "where", "");
    onnx_node(&m.graph, "Cast", "x", "y", "to=22");
    onnx_output(&m.graph, "where", ONNX_F32, "2,4");
    onnx_output(&m.graph, "y", ONNX_I4, "2,4");
    finish_net(&m, "halves.onnx");
}

/* y = -x, whose rows are one loop: three vectors. */
static void write_rows(struct arena *a)
{
    struct onnx_model m;
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "9,70");
    onnx_node(&m.graph, "Neg", "x", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "9,70");
    finish_net(&m, "rows.onnx");
}

/* y = the three largest of each row, where = their places. */
static void write_largest(struct arena *a)
{
    struct onnx_model m;
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "9,40");
    onnx_ints(&m.graph, "k", "1", "3");
    onnx_node(&m.graph, "TopK", "x,k", "y,where", "");
    onnx_output(&m.graph, "y", ONNX_F32, "9,3");
    onnx_output(&m.graph, "where", ONNX_I64, "9,3");
    finish_net(&m, "largest.onnx");
}

static int make_bundles(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    write_net("net.onnx", "2", 2);
    write_net("other.onnx", "2", 3);
    write_state_net(&a);
    write_rows(&a);
    write_halves(&a);
    write_largest(&a);
    arena_done(&a);
    compile("-m net.onnx -emit-bundle cpu");
    simulate("TMPDIR", temporary_folder());
    simulate("VE_OMP_NUM_THREADS", "1");
    open_simulator();
    return 0;
}

static sheaf_bundle *open_ve(const char *folder, const char *name)
{
    struct linked_entry o = entry_of(folder, name);
    return open_linked(&o);
}

/* The network of cpu/net. */
static void expect_net(sheaf_bundle *b)
{
    expect_net_runs(b);
    sheaf_close(b);
    expect_nothing_left();
}

/* ---- cores ---- */

static void expect_same_output(const sheaf_bundle *b, const struct linked_entry *cpu,
                               const char *name)
{
    struct sheaf_tensor_desc t;
    if (sheaf_tensor(b, name, &t, NULL) == SHEAF_OK)
        assert_memory_equal(t.data, tensor_of(cpu, name), t.size_bytes);
}

/* NAME.onnx gives in any number of cores what it gives here.  The cores take turns with each
   instruction, so that one is in the middle of whatever others do. */
static void expect_cores_agree(const char *name)
{
    compile(support_printf("-m %s.onnx -ve -emit-bundle ve", name));
    compile(support_printf("-m %s.onnx -emit-bundle cpu", name));
    struct linked_entry cpu = entry_of("cpu", name);
    simulate("SHEAF_SIM_VE_QUANTUM", "1");
    sheaf_bundle *b = open_ve("ve", name);
    struct sheaf_tensor_desc x = tensor(b, "x");
    for (uint32_t cores = 1; cores <= 8; cores++) {
        set_cores(b, cores);
        for (size_t i = 0; i < x.size_bytes / sizeof(float); i++)
            ((float *)x.data)[i] = (float)((i * 7 + cores) % 9) - 4;
        memcpy(tensor_of(&cpu, "x"), x.data, x.size_bytes);
        assert_int_equal(cpu.entry(cpu.constants, cpu.mutables, cpu.activations), SHEAF_OK);
        run_bundle(b);
        expect_same_output(b, &cpu, "y");
        expect_same_output(b, &cpu, "where");
    }
    sheaf_close(b);
    simulate("SHEAF_SIM_VE_QUANTUM", NULL);
    expect_nothing_left();
}

static void cores_share_maps(void **state)
{
    (void)state;
    expect_cores_agree("net");
    expect_cores_agree("rows");
}

/* Half a byte is stored with the other half, which nobody may have written. */
static void cores_store_halves_of_bytes(void **state)
{
    (void)state;
    simulate("SHEAF_SIM_VE_UNWRITTEN", "1");
    expect_cores_agree("halves");
    simulate("SHEAF_SIM_VE_UNWRITTEN", NULL);
}

static void cores_sort_rows(void **state)
{
    (void)state;
    expect_cores_agree("largest");
}

/* ---- options ---- */

static void options_of_bundles_work(void **state)
{
    (void)state;
    static const char *const options[] = {
        "-save-asm",
        "-replaceable-weights",
        "-overlay-io",
        "-mcpu=x86-64",
        "-may-run-together=main,second -add-entry=second=other.onnx",
        "-network-name=net",
        "-host-nodes=Relu -add-entry=second=other.onnx",
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const char *folder = support_printf("o%zu", i);
        compile(support_printf("-m net.onnx -ve %s -emit-bundle %s", options[i], folder));
        expect_net(open_ve(folder, "net"));
    }
    compile("-m net.onnx -ve -target=aarch64 -emit-bundle arm");
    compile("-m net.onnx -ve -convert-to-fp16 -emit-bundle half");
    compile("-m net.onnx -ve -weights-format=c -emit-bundle c");
    assert_true(size_of("c/net_weights.c") > 0);
    char *text = support_read_file(path_of("o0/net.s"), NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "net_ve:"));
    assert_non_null(strstr(text, "lvl"));
    free(text);
}

static void entries_run_on_the_engine(void **state)
{
    (void)state;
    expect_entries_run("-ve");
    expect_nothing_left();
}

static void weights_are_replaced(void **state)
{
    (void)state;
    compile("-m other.onnx -network-name=net -ve -replaceable-weights -emit-bundle replaced");
    compile("-m net.onnx -ve -repack-weights -emit-bundle replaced");
    expect_net(open_ve("replaced", "net"));
}

static void state_is_bound(void **state)
{
    (void)state;
    compile("-m state.onnx -bind=next=sum -ve -emit-bundle ve");
    sheaf_bundle *b = open_ve("ve", "state");
    fill_all(b, "x", 1);
    run_bundle(b);
    expect_state_of_contexts(b);
    expect_nothing_left();
}

/* ---- bad input ---- */

#define WITH(options) "-m net.onnx -ve -emit-bundle refused " options

static void wrong_options_are_refused(void **state)
{
    (void)state;
    tool_expect_fault(WITH("-g"),
                      "options -ve and -g exclude each other: it is about code for processors");
    tool_expect_fault(WITH("-Os"), "options -ve and -optimize-size exclude each other");
    tool_expect_fault(WITH("-gpu"),
                      "options -ve and -gpu exclude each other: each says what runs the network");
    tool_expect_fault(WITH("-device=nvidia"), "options -ve and -device=nvidia exclude each other");
    tool_expect_fault("-m net.onnx -emit-bundle refused -gpu -device=ve",
                      "options -gpu and -device=ve exclude each other");
    tool_expect_fault("-m net.onnx -emit-bundle refused -device=ve -cpu",
                      "options -ve and -cpu exclude each other");
    tool_expect_fault("-m net.onnx -emit-bundle refused -device=x86",
                      "option -device needs -emit-lib");
    tool_expect_fault(WITH("-cpu"), "options -ve and -cpu exclude each other");
    tool_expect_fault(WITH("-dump-profile=p.yaml"),
                      "options -dump-profile and -emit-bundle exclude each other");
    tool_expect_fault(WITH("-verify"), "options -emit-bundle and -verify exclude each other");
    tool_expect_fault("-m net.onnx -ve -interpreter -verify", "exclude each other");
    tool_expect_fault(WITH("-mcpu=x86-64,x86-64-v3"),
                      "option -mcpu names 2 processors, but with -ve one is the host");
    tool_expect_fault(WITH("-cc=80"), "option -cc needs -gpu");
    tool_expect_fault(WITH("-fp32-math=tf32"), "option -fp32-math needs -gpu");
    tool_expect_fault(WITH("-repack-weights"), "refused/net.o: cannot open the file");
}

static void weights_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    compile("-m net.onnx -ve -emit-bundle own");
    tool_expect_fault("-m net.onnx -ve -repack-weights -emit-bundle own",
                      "own/net.o was made for its own weights only");
    compile("-m net.onnx -ve -replaceable-weights -emit-bundle others");
    tool_expect_fault("-m net.onnx -gpu -repack-weights -emit-bundle others",
                      "others/net.o: the weights do not fit");
    tool_expect_fault("-m state.onnx -network-name=net -ve -repack-weights -emit-bundle others",
                      "others/net.o: the weights do not fit");
    expect_net(open_ve("others", "net"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cores_share_maps),
        cmocka_unit_test(cores_store_halves_of_bytes),
        cmocka_unit_test(cores_sort_rows),
        cmocka_unit_test(options_of_bundles_work),
        cmocka_unit_test(entries_run_on_the_engine),
        cmocka_unit_test(weights_are_replaced),
        cmocka_unit_test(state_is_bound),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(weights_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, make_bundles, NULL);
}
