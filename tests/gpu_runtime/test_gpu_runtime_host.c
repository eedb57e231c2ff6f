/*
 * test_gpu_runtime_host.c: steps of a network that stay on the host: what comes out, what is copied
 * and when.  Where plans of such are refused, see test_gpu_runtime_faults.c.
 */
#define _XOPEN_SOURCE 700
#include "tests/gpu_runtime/gpu_bundles.h"
#include "tests/loader/host_steps.h"

static int make_host_bundles(void **state)
{
    (void)state;
    make_host_nets("-gpu -ptxas=none");
    open_simulator();
    use_device();
    return 0;
}

/* What a run does beside copying inputs and outputs; b and y of the chain are one kernel where both
   are on one side. */
struct cost {
    uint64_t launches, calls, to_host, to_device, bytes;
};

static void expect_cost(sheaf_bundle *b, const struct cost *want)
{
    struct sheaf_error error;
    struct sim_counters before = counters();
    if (getenv("SHEAF_SIM_DEFER"))
        return; /* it is yet to come */
    allocations_left = 0;
    expect_ok(sheaf_gpu_run(b, NULL, &error), &error);
    allocations_left = -1;
    struct sim_counters after = counters();
    expect_ok(sheaf_gpu_wait(b, &error), &error);
    assert_int_equal(after.graph_launches - before.graph_launches, 1);
    assert_int_equal(after.queued - before.queued, 1);
    assert_int_equal(after.synchronizations, before.synchronizations);
    assert_int_equal(after.launches - before.launches, want->launches);
    assert_int_equal(after.host_calls - before.host_calls, want->calls);
    assert_int_equal(after.copies_to_host - before.copies_to_host, want->to_host);
    assert_int_equal(after.copies_to_device - before.copies_to_device, want->to_device);
    assert_int_equal(after.bytes_to_host + after.bytes_to_device - before.bytes_to_host -
                         before.bytes_to_device,
                     want->bytes);
    assert_int_equal(after.host_allocations, before.host_allocations);
}

/* ---- straight networks ---- */

static void a_step_between_two_of_the_device(void **state)
{
    (void)state;
    sheaf_bundle *b = open_host("net", "Relu", "");
    expect_net_runs(b);
    uint32_t launches = count_steps(b, SHEAF_STEP_LAUNCH);
    assert_true(launches >= 3);
    const uint64_t bytes = N_ROWS * N_HIDDEN * sizeof(float);
    expect_cost(b, &(struct cost){launches, 1, 1, 1, 2 * bytes});
    assert_int_equal(sheaf_info(b)->plan->host_bytes, 2 * bytes);
    sheaf_close(b);
    expect_nothing_left();
}

/* Nothing goes to and fro between neighbours; constants are there, inputs are fetched. */
static void neighbours_share_what_is_on_the_host(void **state)
{
    (void)state;
    sheaf_bundle *b = open_host("chain", "a,b", "");
    run_chain(b);
    expect_cost(b, &(struct cost){2, 2, 2, 1, 3 * CHAIN_BYTES});
    sheaf_close(b);
    b = open_host("chain", "a", "");
    run_chain(b);
    expect_cost(b, &(struct cost){2, 1, 1, 1, 2 * CHAIN_BYTES});
    sheaf_close(b);
    b = open_host("chain", "n,y", "");
    run_chain(b);
    expect_cost(b, &(struct cost){2, 2, 2, 2, 4 * CHAIN_BYTES});
    sheaf_close(b);
    expect_nothing_left();
}

/* Then the device has nothing to do but to keep the client's tensors. */
static void all_can_stay_on_the_host(void **state)
{
    (void)state;
    sheaf_bundle *b = open_host("chain", "Neg,MatMul", "");
    run_chain(b);
    assert_int_equal(sheaf_info(b)->plan->n_kernels, 0);
    expect_cost(b, &(struct cost){0, 3, 1, 1, 2 * CHAIN_BYTES});
    sheaf_close(b);
    b = open_host("net", "NonZero,MatMul,Relu", ""); /* extents are found out there */
    fill_input(tensor(b, "x").data, 2);
    run_bundle(b);
    expect_result(b, 2);
    sheaf_close(b);
    expect_nothing_left();
}

static void tensors_lie_in_the_activations(void **state)
{
    (void)state;
    sheaf_bundle *b = open_host("chain", "a,y", "-overlay-io");
    run_chain(b);
    sheaf_close(b);
    expect_nothing_left();
}

static void callers_choose_how_many_items(void **state)
{
    (void)state;
    sheaf_bundle *b = open_host("items", "Neg", "-onnx-define-symbol='n<=5'");
    expect_items(b);
    sheaf_close(b);
    expect_nothing_left();
}

static void functions_of_the_user_stay(void **state)
{
    (void)state;
    sheaf_bundle *b = open_extern();
    for (int i = 0; i < 2; i++)
        run_extern(b);
    sheaf_close(b);
}

/* ---- branches and loops ---- */

static void branches_are_taken(void **state)
{
    (void)state;
    static const char *const nodes[] = {"Neg", "Abs", "Neg,Abs,Add", "chosen"};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        sheaf_bundle *b = open_host("branch", nodes[i], "");
        compare_branches(b);
        sheaf_close(b);
    }
    expect_nothing_left();
}

static void loops_end_when_they_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_HOST_LOOPS; i++) {
        sheaf_bundle *b = open_host(HOST_LOOPS[i].net, HOST_LOOPS[i].nodes, "");
        compare_rounds(b, HOST_LOOPS[i].net);
        sheaf_close(b);
    }
    expect_nothing_left();
}

/* A loop of known length is part of the one graph with them. */
static void loops_of_known_length_are_straight(void **state)
{
    (void)state;
    sheaf_bundle *b = open_host("fixed", "Add", "");
    compare_y(b, "fixed", 2, 0, 0);
    struct sim_counters before = counters();
    run_bundle(b);
    struct sim_counters after = counters();
    assert_int_equal(after.graph_launches - before.graph_launches, 1);
    assert_int_equal(after.queued - before.queued, 1);
    assert_int_equal((after.host_calls - before.host_calls) % 3, 0);
    assert_true(after.host_calls > before.host_calls);
    sheaf_close(b);
}

/* ---- state, contexts, streams ---- */

static void state_is_written_on_the_host(void **state)
{
    (void)state;
    struct sheaf_error error;
    sheaf_bundle *b = open_host("state", "Add", "-bind=next=sum"), *c = NULL;
    expect_ok(sheaf_attach(b, &c, &error), &error);
    fill_all(b, "x", 1);
    for (int i = 0; i < 3; i++)
        run_bundle(b);
    expect_ok(sheaf_gpu_run(b, NULL, &error), &error);
    run_bundle(c);
    run_bundle(b);
    expect_all(b, "sum", 5);
    expect_all(b, "y", -5);
    expect_all(c, "sum", 0);
    sheaf_close(c);
    sheaf_close(b);
    expect_nothing_left();
}

/* A run is queued and waits for nothing; contexts have areas of their own on the host. */
static void runs_are_queued(void **state)
{
    (void)state;
    enum { N = 3 };
    struct sheaf_error error;
    simulate("SHEAF_SIM_DEFER", "1");
    sheaf_bundle *b[N] = {open_host("chain", "a,b", "")};
    for (int i = 1; i < N; i++)
        expect_ok(sheaf_attach(b[0], &b[i], &error), &error);
    for (int i = 0; i < N; i++) {
        give_chain(tensor(b[i], "x").data, i);
        run_bundle(b[i]); /* the input is on the device then */
    }
    struct sim_counters before = counters();
    for (int i = 0; i < N; i++)
        expect_ok(sheaf_gpu_run(b[i], NULL, &error), &error);
    assert_int_equal(counters().host_calls, before.host_calls);
    assert_int_equal(counters().launches, before.launches);
    for (int i = 0; i < N; i++)
        expect_ok(sheaf_gpu_wait(b[i], &error), &error);
    assert_int_equal(counters().host_calls - before.host_calls, 2 * N);
    for (int i = N - 1; i >= 0; i--) {
        run_bundle(b[i]);
        expect_chain(b[i], i);
        sheaf_close(b[i]);
    }
    simulate("SHEAF_SIM_DEFER", NULL);
    expect_nothing_left();
}

static void nothing_is_read_too_early(void **state)
{
    simulate("SHEAF_SIM_DEFER", "1");
    a_step_between_two_of_the_device(state);
    neighbours_share_what_is_on_the_host(state);
    branches_are_taken(state);
    state_is_written_on_the_host(state);
    simulate("SHEAF_SIM_DEFER", NULL);
}

/* ---- files ---- */

static void the_header_names_the_processor(void **state)
{
    (void)state;
    compile("-m chain.onnx -gpu -ptxas=none -host-nodes=a -mcpu=x86-64-v2 -emit-bundle header");
    char *text = support_read_file(path_of("header/chain.h"), NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, " * Host:      some steps run there, on this processor:\n"
                                 " * Processor: x86-64-v2\n * Features:  "));
    free(text);
    assert_non_null(strstr(entry_of("header", "chain").info->plan->host_features, "+sse4.2"));
}

/* ---- words ---- */

static void run_tool(const char *args, int want_status, const char *words)
{
    char *out, *errors;
    int status = tool_run(args, &out, &errors);
    if (status != want_status || !(strstr(out, words) || strstr(errors, words)))
        fail_msg("'%s' exits with %d, and does not say '%s': %s%s", args, status, words, out,
                 errors);
    free(out);
    free(errors);
}

static void words_that_name_nothing_are_refused(void **state)
{
    (void)state;
    struct arena a;
    struct onnx_model m;
    arena_init(&a);
    onnx_begin(&m, &a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "4");
    onnx_node(&m.graph, "Identity", "x", "same", "");
    onnx_node(&m.graph, "Neg", "same", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "4");
    finish_net(&m, "views.onnx");
    arena_done(&a);
    run_tool("-m chain.onnx -gpu -ptxas=none -host-nodes=a,Mathmul -emit-bundle refused", 1,
             "error: option -host-nodes: 'Mathmul' is no kind of operator and no node of "
             "'chain.onnx' or its result; did you mean 'MatMul'?\n");
    run_tool("-m views.onnx -gpu -ptxas=none -host-nodes=same -emit-bundle refused", 1,
             "error: option -host-nodes: 'same' of 'views.onnx' is no node by itself on a device: "
             "it does nothing or has become part of another one, which is to be named\n");
}

static void the_tool_shows_what_stays(void **state)
{
    (void)state;
    run_tool("-m chain.onnx -gpu -host-nodes=a -dump-kernels", 0,
             " -> b4) on the host, fetches b2, brings b4\n");
    run_tool("-m chain.onnx -gpu -host-nodes=a -dump-kernels", 0, "\n# k1 on the host\n");
    run_tool("-m chain.onnx -gpu -host-nodes=a -dump-schedule", 0, "\nk1 (a) on the host:\n");
    run_tool("-m chain.onnx -gpu -host-nodes=a -dump-graph", 0, " = matmul (%n, %w) host\n");
    simulate("LD_LIBRARY_PATH", tool_absolute(support_printf("%s/tests", support_build())));
    run_tool("-m chain.onnx -gpu -host-nodes=a,b -verify", 0,
             "\nok   a (on the host) -> a: largest difference ");
    simulate("LD_LIBRARY_PATH", NULL);
}

static void objects_for_another_host_need_nothing(void **state)
{
    (void)state;
    compile("-m net.onnx -gpu -ptxas=none -host-nodes=Relu,MatMul -target=aarch64 "
            "-emit-bundle other");
    tool_must_run("-audit other/net.o");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_between_two_of_the_device),
        cmocka_unit_test(neighbours_share_what_is_on_the_host),
        cmocka_unit_test(all_can_stay_on_the_host),
        cmocka_unit_test(tensors_lie_in_the_activations),
        cmocka_unit_test(callers_choose_how_many_items),
        cmocka_unit_test(functions_of_the_user_stay),
        cmocka_unit_test(branches_are_taken),
        cmocka_unit_test(loops_end_when_they_should),
        cmocka_unit_test(loops_of_known_length_are_straight),
        cmocka_unit_test(state_is_written_on_the_host),
        cmocka_unit_test(runs_are_queued),
        cmocka_unit_test(nothing_is_read_too_early),
        cmocka_unit_test(the_header_names_the_processor),
        cmocka_unit_test(words_that_name_nothing_are_refused),
        cmocka_unit_test(the_tool_shows_what_stays),
        cmocka_unit_test(objects_for_another_host_need_nothing),
    };
    return cmocka_run_group_tests(tests, make_host_bundles, NULL);
}
