/*
 * test_ve_runtime_host.c: networks for the Vector Engine of which steps stay on the host: what
 * comes out, what is called there and copied, and when.
 */
#include "tests/loader/host_steps.h"

#include "cpu_runtime/cpu_runtime.h"
#include "tests/ve_runtime/ve_simulator.h"

static int make_host_bundles(void **state)
{
    (void)state;
    make_host_nets("-ve");
    simulate("TMPDIR", temporary_folder());
    simulate("VE_OMP_NUM_THREADS", "1");
    open_simulator();
    return 0;
}

/* What a run does, with the copies of inputs and outputs. */
struct cost {
    uint64_t calls, to_device, to_host;
};

static void expect_cost(sheaf_bundle *b, struct cost want)
{
    struct sim_veo_counters before = counters();
    allocations_left = 0;
    run_bundle(b);
    allocations_left = -1;
    struct sim_veo_counters after = counters();
    assert_int_equal(after.calls - before.calls, want.calls);
    assert_int_equal(after.copies_to_device - before.copies_to_device, want.to_device);
    assert_int_equal(after.copies_to_host - before.copies_to_host, want.to_host);
    assert_int_equal(after.allocations, before.allocations);
    assert_int_equal(after.requests, 0);
}

/* ---- straight networks ---- */

static void a_step_between_two_of_the_engine(void **state)
{
    (void)state;
    sheaf_bundle *b = open_host("net", "Relu", "");
    for (uint32_t cores = 1; cores < 4; cores++) {
        set_cores(b, cores);
        fill_input(tensor(b, "x").data, (int)cores);
        run_bundle(b);
        expect_result(b, (int)cores);
    }
    assert_int_equal(count_steps(b, SHEAF_STEP_LAUNCH), 2);
    assert_int_equal(count_steps(b, SHEAF_STEP_HOST), 1);
    assert_int_equal(sheaf_info(b)->plan->n_kernels, 2);
    /* In: x; between: a copy each way; out: y, where and its extent. */
    expect_cost(b, (struct cost){.calls = 2 * 3, .to_device = 2, .to_host = 4});
    sheaf_close(b);
    expect_nothing_left();
}

/* Nothing goes to and fro between neighbours; constants are there, inputs are fetched. */
static void neighbours_share_what_is_on_the_host(void **state)
{
    (void)state;
    static const struct {
        const char *nodes;
        struct cost cost;
    } cases[] = {
        {"a,b", {2, 1 + 1, 2 + 1}},
        {"a", {2, 1 + 1, 1 + 1}},
        {"n,y", {1, 1 + 2, 2 + 1}},
        /* Then the engine has nothing to do but to keep the client's tensors. */
        {"Neg,MatMul", {0, 1 + 1, 1 + 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sheaf_bundle *b = open_host("chain", cases[i].nodes, "");
        run_chain(b);
        expect_cost(b, cases[i].cost);
        sheaf_close(b);
    }
    expect_nothing_left();
}

static void extents_are_found_out_there(void **state)
{
    (void)state;
    sheaf_bundle *b = open_host("net", "NonZero,MatMul,Relu", "");
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
    static const char *const nodes[] = {"Neg", "Abs", "Neg,Abs,Add", "chosen", "Add"};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        sheaf_bundle *b = open_host("branch", nodes[i], "");
        /* Without such steps in it a branch is part of a call. */
        assert_int_equal(count_steps(b, SHEAF_STEP_IF), strcmp(nodes[i], "Add") != 0);
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
        set_cores(b, 1 + (uint32_t)i % 3);
        compare_rounds(b, HOST_LOOPS[i].net);
        sheaf_close(b);
    }
    expect_nothing_left();
}

/* ---- state, contexts, faults ---- */

static void state_is_written_on_the_host(void **state)
{
    (void)state;
    struct sheaf_error error;
    sheaf_bundle *b = open_host("state", "Add", "-bind=next=sum"), *c = NULL;
    expect_ok(sheaf_attach(b, &c, &error), &error);
    fill_all(b, "x", 1);
    for (int i = 0; i < 3; i++)
        run_bundle(b);
    run_bundle(c);
    expect_all(b, "sum", 3);
    expect_all(b, "y", -3);
    expect_all(c, "sum", 0);
    sheaf_close(c);
    sheaf_close(b);
    expect_nothing_left();
}

/* Whichever call it is in which the process ends, each later run says so. */
static void a_process_is_lost_between_steps(void **state)
{
    (void)state;
    static const char *const calls[] = {"async_write_mem", "async_read_mem", "call_async",
                                        "call_wait_result"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int n_lost = 0;
        for (int n = 1; n <= 12; n++) {
            struct sheaf_error error;
            simulate("SHEAF_SIM_VE_LOSE", support_printf("%s %d", calls[i], n));
            struct linked_entry o = entry_of("host0", "net");
            struct sheaf_linked linked = linked_of(&o);
            sheaf_bundle *b = NULL;
            if (sheaf_open_memory(&linked, o.constants, o.config->constantWeightVarsMemSize, &b,
                                  &error) != SHEAF_OK)
                continue;
            if (sheaf_run(b, &error) != SHEAF_OK) {
                n_lost++;
                assert_int_equal(error.status, SHEAF_ERROR_DEVICE);
                assert_int_equal(sheaf_run(b, &error), SHEAF_ERROR_DEVICE);
                assert_non_null(strstr(error.text, "has ended with an earlier failure"));
            }
            sheaf_close(b);
            simulate("SHEAF_SIM_VE_LOSE", NULL);
            expect_nothing_left();
        }
        assert_true(n_lost >= 2);
    }
    simulate("SHEAF_SIM_VE_LOSE", NULL);
}

/* A plan of steps, to be damaged. */
struct plan {
    struct sheaf_plan plan;
    struct sheaf_step steps[16];
    struct sheaf_pointer pointers[32];
    struct sheaf_host_kernel host[2];
    struct sheaf_bundle_info info;
    struct sheaf_linked linked;
};

static struct plan *copy_plan(struct plan *p)
{
    struct linked_entry o = entry_of("host0", "net");
    const struct sheaf_plan *from = o.info->plan;
    assert_in_range(from->n_steps, 5, 16);
    assert_in_range(from->n_pointers, 6, 32);
    assert_int_equal(from->n_host_kernels, 1);
    p->plan = *from;
    memcpy(p->steps, from->steps, from->n_steps * sizeof *p->steps);
    memcpy(p->pointers, from->pointers, from->n_pointers * sizeof *p->pointers);
    memcpy(p->host, from->host_kernels, sizeof *p->host);
    p->plan.steps = p->steps;
    p->plan.pointers = p->pointers;
    p->plan.host_kernels = p->host;
    p->info = *o.info;
    p->info.plan = &p->plan;
    p->linked = linked_of(&o);
    p->linked.info = &p->info;
    return p;
}

static void expect_refused(struct plan *p, enum sheaf_status status, const char *words)
{
    struct sheaf_error error;
    sheaf_bundle *b = NULL;
    struct linked_entry o = entry_of("host0", "net");
    enum sheaf_status got =
        sheaf_open_memory(&p->linked, o.constants, o.config->constantWeightVarsMemSize, &b, &error);
    if (got != status || !strstr(error.text, words))
        fail_msg("status %d, not %d and '%s': %s", got, status, words, error.text);
}

static void malformed_plans_are_refused(void **state)
{
    (void)state;
    static struct plan p;
    const char *malformed = " of the launch plan is malformed";
#define REFUSED(change, status, words)                                                             \
    do {                                                                                           \
        copy_plan(&p);                                                                             \
        change;                                                                                    \
        expect_refused(&p, status, words);                                                         \
    } while (0)
    REFUSED(p.plan.steps = NULL, SHEAF_ERROR_FORMAT, "one image, and one kernel or steps");
    REFUSED(p.plan.pointers = NULL, SHEAF_ERROR_FORMAT, "one image, and one kernel or steps");
    REFUSED(p.plan.n_steps = 0, SHEAF_ERROR_FORMAT, "one image, and one kernel or steps");
    REFUSED(p.steps[0].kernel = 2, SHEAF_ERROR_FORMAT, malformed);
    REFUSED(p.steps[0].kind = 99, SHEAF_ERROR_FORMAT, malformed);
    REFUSED(p.steps[1].count = 1 << 20, SHEAF_ERROR_FORMAT, malformed);
    REFUSED(p.steps[2].kernel = 1, SHEAF_ERROR_FORMAT, malformed);
    REFUSED(p.plan.host_bytes = 0, SHEAF_ERROR_FORMAT, malformed);
    REFUSED(p.plan.host_kernels = NULL, SHEAF_ERROR_FORMAT, "the launch plan is incomplete");
    REFUSED(p.host[0].run = NULL, SHEAF_ERROR_FORMAT, "host kernel 0");
#undef REFUSED
    expect_nothing_left();
}

/* Some processor lacks what no other processor of its kind has. */
static void a_host_that_lacks_a_feature_is_one_sentence(void **state)
{
    (void)state;
    static struct plan p;
    static const char *const rare[] = {"+amx-tile", "+sse4a", "+avx512f"};
    for (size_t i = 0; i < sizeof rare / sizeof *rare; i++) {
        size_t length;
        if (!sheaf_cpu_missing_feature(rare[i], &length))
            continue;
        copy_plan(&p)->plan.host_features = rare[i];
        expect_refused(&p, SHEAF_ERROR_PROCESSOR,
                       support_printf("steps on the host were compiled for processors with '%s', "
                                      "which this one lacks",
                                      rare[i] + 1));
        return;
    }
    skip();
}

/* ---- the tool ---- */

static void the_tool_shows_what_stays(void **state)
{
    (void)state;
    char *out, *errors;
    simulate("LD_LIBRARY_PATH", tool_absolute(support_printf("%s/tests", support_build())));
    int status = tool_run("-m chain.onnx -ve -host-nodes=a,b -verify", &out, &errors);
    simulate("LD_LIBRARY_PATH", NULL);
    if (status || !strstr(out, "\nok   a (on the host) -> a: largest difference "))
        fail_msg("%d: %s%s", status, out, errors);
    free(out);
    free(errors);
    tool_expect_fault("-m chain.onnx -host-nodes=a -emit-bundle c",
                      "option -host-nodes needs -gpu");
}

static void the_header_names_the_processor(void **state)
{
    (void)state;
    compile("-m chain.onnx -ve -host-nodes=a -mcpu=x86-64-v2 -emit-bundle header");
    char *text = support_read_file(path_of("header/chain.h"), NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, " * Host:      some steps run there, on this processor:\n"
                                 " * Processor: x86-64-v2\n"));
    assert_null(strstr(text, "chain_ve(")); /* no function is the whole network */
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_between_two_of_the_engine),
        cmocka_unit_test(neighbours_share_what_is_on_the_host),
        cmocka_unit_test(extents_are_found_out_there),
        cmocka_unit_test(tensors_lie_in_the_activations),
        cmocka_unit_test(functions_of_the_user_stay),
        cmocka_unit_test(branches_are_taken),
        cmocka_unit_test(loops_end_when_they_should),
        cmocka_unit_test(state_is_written_on_the_host),
        cmocka_unit_test(a_process_is_lost_between_steps),
        cmocka_unit_test(malformed_plans_are_refused),
        cmocka_unit_test(a_host_that_lacks_a_feature_is_one_sentence),
        cmocka_unit_test(the_tool_shows_what_stays),
        cmocka_unit_test(the_header_names_the_processor),
    };
    return cmocka_run_group_tests(tests, make_host_bundles, NULL);
}
