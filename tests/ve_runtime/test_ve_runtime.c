/*
 * test_ve_runtime.c: bundles for the Vector Engine in the simulator: runs, cores, contexts, state.
 */
#include "tests/ve_runtime/ve_bundles.h"

#include <pthread.h>
#include <sched.h>

static void runs_give_what_is_computed(void **state)
{
    (void)state;
    sheaf_bundle *b = open_toy();
    for (int seed = 0; seed < 3; seed++) {
        give(b, seed, 10 * seed + 1);
        run_bundle(b);
        expect_result(b, seed, 10 * seed + 1);
    }
    sheaf_close(b);
    expect_nothing_left();
}

static void files_open(void **state)
{
    (void)state;
    static struct toy t;
    struct sheaf_error error;
    sheaf_bundle *b = NULL;
    const char *path = support_printf("%s/toy.weights", support_tmp());
    make_toy(&t);
    support_write_file(path, t.w, sizeof t.w);
    expect_ok(sheaf_open_linked(&t.linked, path, &b, &error), &error);
    give(b, 5, 64);
    run_bundle(b);
    expect_result(b, 5, 64);
    sheaf_close(b);
    expect_nothing_left();
}

/* Constants and code go there when the bundle is opened; a run costs its tensors and a call. */
static void runs_cost_their_tensors(void **state)
{
    (void)state;
    struct sim_veo_counters start = counters();
    sheaf_bundle *b = open_toy();
    struct sim_veo_counters before = counters();
    assert_int_equal(before.library_loads - start.library_loads, 1);
    assert_int_equal(before.processes_created - start.processes_created, 1);
    assert_int_equal(before.contexts, 1);
    give(b, 1, 1);
    for (int i = 0; i < 3; i++)
        run_bundle(b);
    struct sim_veo_counters after = counters();
    assert_int_equal(after.calls - before.calls, 3);
    assert_int_equal(after.copies_to_device - before.copies_to_device, 3 * 3); /* x, n, sum */
    assert_int_equal(after.copies_to_host - before.copies_to_host, 3 * 4); /* y, sum, z, extent */
    assert_int_equal(after.bytes_to_device - before.bytes_to_device, 3 * (4 * N_ELEMS * 2 + 8));
    assert_int_equal(after.allocations, before.allocations);
    assert_int_equal(after.requests, 0);
    assert_int_equal(after.args, before.args);
    sheaf_close(b);
}

static void callers_choose_how_many_items(void **state)
{
    (void)state;
    struct sheaf_error error;
    sheaf_bundle *b = open_toy();
    give(b, 2, 1);
    expect_ok(sheaf_set_extent(b, "n", 33, &error), &error);
    run_bundle(b);
    expect_result(b, 2, 33);
    assert_int_equal(sheaf_set_extent(b, "n", 65, &error), SHEAF_ERROR_ARGUMENT);
    sheaf_close(b);
}

static void activations_can_be_looked_at(void **state)
{
    (void)state;
    struct sheaf_error error;
    uint8_t there[ACTIVATION_BYTES];
    sheaf_bundle *b = open_toy();
    give(b, 1, 7);
    run_bundle(b);
    expect_ok(sheaf_ve_activations(b, there, &error), &error);
    int64_t n;
    float t;
    memcpy(&n, there + AT_COUNT, sizeof n);
    memcpy(&t, there + AT_T, sizeof t);
    assert_int_equal(n, 7);
    assert_true(t == -2.5f * 1); /* w[0] * x[0] */
    sheaf_close(b);
}

/* Areas begin where the bundle wants them to, which is more than the engine's malloc promises. */
static void areas_are_aligned(void **state)
{
    (void)state;
    static struct toy t;
    for (size_t alignment = 8; alignment <= 4096; alignment *= 8) {
        struct sheaf_error error;
        sheaf_bundle *b = NULL;
        uint64_t bits;
        make_toy(&t)->config.alignment = alignment;
        expect_ok(try_toy(&t, &b, &error), &error);
        give(b, 4, 999);
        run_bundle(b);
        memcpy(&bits, tensor(b, "y").data, sizeof bits);
        assert_int_equal(bits % alignment, 0);
        give(b, 4, 5);
        run_bundle(b);
        expect_result(b, 4, 5);
        sheaf_close(b);
        expect_nothing_left();
    }
}

/* ---- cores ---- */

static void cores_share_a_run(void **state)
{
    (void)state;
    sheaf_bundle *b = open_toy();
    for (uint32_t n = 1; n <= 8; n++) {
        struct sim_veo_counters before = counters();
        set_cores(b, n);
        give(b, (int)n, 4);
        for (int i = 0; i < 3; i++) {
            run_bundle(b);
            expect_result(b, (int)n, 4);
        }
        struct sim_veo_counters after = counters();
        assert_int_equal(after.contexts, n);
        assert_int_equal(after.calls - before.calls, 3 * n);
    }
    set_cores(b, 3);
    assert_int_equal(counters().contexts, 8); /* kept for others */
    give(b, 0, 64);
    run_bundle(b);
    expect_result(b, 0, 64);
    sheaf_close(b);
    expect_nothing_left();
}

static void the_largest_card_has_sixteen(void **state)
{
    (void)state;
    simulate("SHEAF_SIM_VE_CORES", "16");
    sheaf_bundle *b = open_toy();
    set_cores(b, 16);
    assert_int_equal(counters().contexts, 16);
    give(b, 7, 20);
    run_bundle(b);
    expect_result(b, 7, 20);
    sheaf_close(b);
    simulate("SHEAF_SIM_VE_CORES", NULL);
    expect_nothing_left();
}

static void the_environment_chooses_the_engine(void **state)
{
    (void)state;
    simulate("SHEAF_SIM_VE_NODES", "3");
    simulate("VE_NODE_NUMBER", "2");
    expect_run_works();
    simulate("VE_NODE_NUMBER", NULL);
    simulate("SHEAF_SIM_VE_NODES", NULL);
}

/* ---- contexts and threads ---- */

static void contexts_share_code_and_constants(void **state)
{
    (void)state;
    enum { N = 12 };
    struct sheaf_error error;
    sheaf_bundle *b[N] = {open_toy()};
    struct sim_veo_counters before = counters();
    for (int i = 1; i < N; i++)
        expect_ok(sheaf_attach(b[i - 1], &b[i], &error), &error);
    struct sim_veo_counters after = counters();
    assert_int_equal(after.library_loads, before.library_loads);
    assert_int_equal(after.processes_created, before.processes_created);
    assert_int_equal(after.contexts, 8);
    /* The barrier with the calls, and the mutable area. */
    assert_int_equal(after.copies_to_device - before.copies_to_device, 2 * (N - 1));
    for (int i = 0; i < N; i++)
        give(b[i], i, i + 1);
    for (int i = N - 1; i >= 0; i--)
        run_bundle(b[i]);
    for (int i = 0; i < N; i++)
        expect_result(b[i], i, i + 1);
    sheaf_close(b[0]);
    for (int i = 1; i < N; i++) {
        give(b[i], i + 3, i);
        run_bundle(b[i]);
        expect_result(b[i], i + 3, i);
        sheaf_close(b[i]);
    }
    expect_nothing_left();
}

/* What is given back is what the next context takes. */
static void cores_come_back(void **state)
{
    (void)state;
    struct sheaf_error error;
    sheaf_bundle *a = open_toy(), *b = NULL;
    for (int i = 0; i < 20; i++) {
        expect_ok(sheaf_attach(a, &b, &error), &error);
        sheaf_close(b);
    }
    assert_int_equal(counters().contexts, 2);
    sheaf_close(a);
    expect_nothing_left();
}

/* Without VE_OMP_NUM_THREADS=1 AVEO has one core for a process. */
static void contexts_share_a_core(void **state)
{
    (void)state;
    struct sheaf_error error;
    sheaf_bundle *a, *b = NULL;
    static const char *const settings[] = {NULL, "", "8"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        simulate("VE_OMP_NUM_THREADS", settings[i]);
        a = open_toy();
        expect_ok(sheaf_attach(a, &b, &error), &error);
        assert_int_equal(counters().contexts, 1);
        give(a, 1, 1);
        give(b, 2, 2);
        run_bundle(a);
        run_bundle(b);
        expect_result(a, 1, 1);
        expect_result(b, 2, 2);
        sheaf_close(a);
        sheaf_close(b);
    }
    simulate("VE_OMP_NUM_THREADS", "1");
    expect_nothing_left();
}

enum { N_THREADS = 12, N_RUNS = 6 };

struct worker {
    const sheaf_bundle *first;
    int seed;
    uint32_t n_cores;
    const char *fault;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    sheaf_bundle *b = NULL;
    if (sheaf_attach(w->first, &b, NULL) != SHEAF_OK ||
        sheaf_ve_set_cores(b, w->n_cores, NULL) != SHEAF_OK)
        w->fault = "attach";
    for (int i = 0; i < N_RUNS && !w->fault; i++) {
        struct sheaf_tensor_desc x, n;
        int64_t items = w->seed + 1;
        if (sheaf_tensor(b, "x", &x, NULL) || sheaf_tensor(b, "n", &n, NULL)) {
            w->fault = "tensor";
            break;
        }
        for (int k = 0; k < N_ELEMS; k++)
            ((float *)x.data)[k] = (float)((k * 5 + w->seed) % 11);
        memcpy(n.data, &items, sizeof items);
        w->fault = sheaf_run(b, NULL) == SHEAF_OK ? look(b, w->seed, items) : "run";
        sched_yield();
    }
    sheaf_close(b);
    return NULL;
}

/* Several runs at once, on cores that they share. */
static void threads_have_contexts_of_their_own(void **state)
{
    (void)state;
    static struct worker workers[N_THREADS];
    pthread_t threads[N_THREADS];
    sheaf_bundle *b = open_toy();
    for (int i = 0; i < N_THREADS; i++)
        workers[i] = (struct worker){.first = b, .seed = i, .n_cores = 1 + (uint32_t)i % 4};
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < N_THREADS; i++)
        if (workers[i].fault)
            fail_msg("thread %d: %s (%s)", i, workers[i].fault, read_error());
    sheaf_close(b);
    expect_nothing_left();
}

/* ---- state ---- */

static void state_outlives_a_run(void **state)
{
    (void)state;
    sheaf_bundle *b = open_toy();
    fill_all(b, "x", 1);
    for (int i = 1; i < 4; i++) {
        set_cores(b, (uint32_t)i);
        run_bundle(b);
        expect_all(b, "sum", (float)i);
    }
    expect_state_of_contexts(b);
    expect_nothing_left();
}

/* The program for machines with a card, which finds AVEO by itself. */
static void the_program_for_cards_runs(void **state)
{
    (void)state;
    char *out;
    int status =
        support_run(support_printf("LD_LIBRARY_PATH='%s/tests' '%s/tests/ve_runtime.device'",
                                   support_build(), support_build()),
                    &out);
    if (status != 0 || strstr(out, "\nfailed ") || !strstr(out, "ok ten contexts in turn\n"))
        fail_msg("status %d: %s", status, out);
    free(out);
}

static int prepare(void **state)
{
    (void)state;
    make_code();
    open_simulator();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_give_what_is_computed),
        cmocka_unit_test(files_open),
        cmocka_unit_test(runs_cost_their_tensors),
        cmocka_unit_test(callers_choose_how_many_items),
        cmocka_unit_test(activations_can_be_looked_at),
        cmocka_unit_test(areas_are_aligned),
        cmocka_unit_test(cores_share_a_run),
        cmocka_unit_test(the_largest_card_has_sixteen),
        cmocka_unit_test(the_environment_chooses_the_engine),
        cmocka_unit_test(contexts_share_code_and_constants),
        cmocka_unit_test(cores_come_back),
        cmocka_unit_test(contexts_share_a_core),
        cmocka_unit_test(threads_have_contexts_of_their_own),
        cmocka_unit_test(state_outlives_a_run),
        cmocka_unit_test(the_program_for_cards_runs),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
