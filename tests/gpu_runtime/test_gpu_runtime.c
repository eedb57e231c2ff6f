/*
 * test_gpu_runtime.c: bundles in the simulator: what comes out, contexts, threads, streams, and
 * what a run costs.  The faults are in test_gpu_runtime_faults.c.
 */
#define _XOPEN_SOURCE 700
#include "tests/gpu_runtime/gpu_bundles.h"

#include <pthread.h>

/* ---- what comes out ---- */

static void runs_give_what_the_cpu_gives(void **state)
{
    (void)state;
    sheaf_bundle *b = open_gpu("net");
    assert_int_equal(tensor(b, "where").dims[1], N_ROWS * N_OUT); /* the bound, before a run */
    expect_net_runs(b);
    sheaf_close(b);
    expect_nothing_left();
}

static void libraries_and_files_open(void **state)
{
    (void)state;
    struct sheaf_error error;
    sheaf_bundle *b = NULL;
    struct linked_entry o = entry_of("gpu", "net");
    struct sheaf_linked linked = linked_of(&o);
    expect_ok(sheaf_open_linked(&linked, path_of("gpu/net.weights"), &b, &error), &error);
    fill_input(tensor(b, "x").data, 5);
    run_bundle(b);
    expect_result(b, 5);
    sheaf_close(b);
    expect_ok(sheaf_open(path_of("gpu/net.so"), "net", path_of("gpu/net.weights"), &b, &error),
              &error);
    fill_input(tensor(b, "x").data, 6);
    run_bundle(b);
    expect_result(b, 6);
    sheaf_close(b);
    expect_nothing_left();
}

/* One graph a run, with nothing but inputs, outputs and extents copied. */
static void runs_cost_one_graph(void **state)
{
    (void)state;
    struct sim_counters before = counters();
    sheaf_bundle *b = open_gpu("net");
    const struct sheaf_plan *plan = sheaf_info(b)->plan;
    struct sim_counters opened = counters();
    assert_int_equal(opened.copies_to_device - before.copies_to_device, 1);
    assert_int_equal(opened.bytes_to_device - before.bytes_to_device,
                     sheaf_info(b)->config->constantWeightVarsMemSize);
    assert_int_equal(opened.module_loads - before.module_loads, 1);
    assert_int_equal(opened.launches, before.launches);
    fill_input(tensor(b, "x").data, 1);
    enum { N_RUNS = 3 };
    allocations_left = 0;
    for (int i = 0; i < N_RUNS; i++)
        run_bundle(b);
    allocations_left = -1;
    struct sim_counters run = counters();
    assert_int_equal(run.graph_launches - opened.graph_launches, N_RUNS);
    assert_int_equal(run.queued - opened.queued, N_RUNS); /* the copies are part of the graph */
    assert_int_equal(run.launches - opened.launches, N_RUNS * plan->n_steps);
    assert_int_equal(run.copies_to_device - opened.copies_to_device, N_RUNS);
    assert_int_equal(run.copies_to_host - opened.copies_to_host, 3 * N_RUNS);
    assert_int_equal(run.bytes_to_host - opened.bytes_to_host,
                     N_RUNS * (tensor(b, "y").size_bytes + sizeof(int64_t) +
                               2 * N_ROWS * N_OUT * sizeof(int64_t)));
    assert_int_equal(run.copies_on_device, opened.copies_on_device);
    assert_int_equal(run.fills, opened.fills);
    assert_int_equal(run.synchronizations - opened.synchronizations, N_RUNS);
    assert_int_equal(run.allocations, opened.allocations);
    assert_int_equal(run.host_allocations, opened.host_allocations);
    assert_int_equal(run.graphs, opened.graphs);
    sheaf_close(b);
}

/* Inputs and outputs among the activations. */
static void tensors_lie_in_the_activations(void **state)
{
    (void)state;
    compile("-m net.onnx -overlay-io -gpu -emit-bundle overlaid");
    struct linked_entry o = open_entry("overlaid/net", "net");
    assert_int_equal(o.config->mutableWeightVarsMemSize, 0);
    sheaf_bundle *b = open_linked(&o);
    expect_net_runs(b);
    sheaf_close(b);
    expect_nothing_left();
}

static void callers_choose_how_many_items(void **state)
{
    (void)state;
    compile("-m items.onnx -onnx-define-symbol='n<=5' -gpu -emit-bundle gpu");
    sheaf_bundle *b = open_gpu("items");
    expect_items(b);
    sheaf_close(b);
}

/* ---- branches and loops ---- */

static int has_step(const sheaf_bundle *b, enum sheaf_step_kind kind, int with_rounds)
{
    const struct sheaf_plan *p = sheaf_info(b)->plan;
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].kind == (uint32_t)kind &&
            (kind == SHEAF_STEP_LOOP && p->steps[i].count >= 0) == with_rounds)
            return 1;
    return 0;
}

static void branches_are_taken(void **state)
{
    (void)state;
    sheaf_bundle *b = open_gpu("branch");
    assert_true(has_step(b, SHEAF_STEP_IF, 0));
    compare_branches(b);
    sheaf_close(b);
    expect_nothing_left();
}

static void loops_end_when_they_should(void **state)
{
    (void)state;
    static const char *const names[] = {"counted", "until", "ever"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sheaf_bundle *b = open_gpu(names[i]);
        assert_true(has_step(b, SHEAF_STEP_LOOP, 0));
        compare_rounds(b, names[i]);
        sheaf_close(b);
    }
    expect_nothing_left();
}

/* More than a grid has blocks. */
static void a_vast_tensor_is_gone_through_in_rounds(void **state)
{
    (void)state;
    struct arena a;
    struct onnx_model m;
    arena_init(&a);
    onnx_begin(&m, &a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "1048575,1048575");
    onnx_node(&m.graph, "Relu", "x", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "1048575,1048575");
    finish_net(&m, "vast.onnx");
    arena_done(&a);
    char *schedule;
    run_or_fail(support_printf("cd '%s' && '%s' -m vast.onnx -gpu -ptxas=none -emit-bundle gpu "
                               "-dump-schedule",
                               support_tmp(), tool_absolute(support_loader())),
                &schedule);
    assert_non_null(strstr(schedule, "65536 blocks of 256 threads"));
    free(schedule);
}

/* A loop of known length, none if that is negative, is part of the graph; a long one is not. */
static void loops_of_known_length_are_straight(void **state)
{
    (void)state;
    static const char *const names[] = {"fixed", "never"};
    struct sim_counters before;
    sheaf_bundle *b;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        b = open_gpu(names[i]);
        assert_true(has_step(b, SHEAF_STEP_LOOP, 1));
        compare_y(b, names[i], 2, 0, 0);
        before = counters();
        run_bundle(b);
        assert_int_equal(counters().graph_launches - before.graph_launches, 1);
        sheaf_close(b);
    }
    b = open_gpu("lengthy");
    assert_true(has_step(b, SHEAF_STEP_LOOP, 1));
    before = counters();
    compare_y(b, "lengthy", 1, 0, 0);
    assert_in_range(counters().graph_launches - before.graph_launches, 5000, 5002);
    assert_int_equal(counters().synchronizations - before.synchronizations, 1);
    sheaf_close(b);
    expect_nothing_left();
}

/* ---- state ---- */

static void expect_sum(const sheaf_bundle *b, float want)
{
    expect_all(b, "sum", want);
    expect_all(b, "y", -want);
}

static void state_outlives_a_run(void **state)
{
    (void)state;
    sheaf_bundle *b = open_gpu("state");
    fill_all(b, "x", 1);
    for (int i = 1; i < 4; i++) {
        run_bundle(b);
        expect_sum(b, (float)i);
    }
    expect_state_of_contexts(b);
}

/* Runs that copy nothing leave their state to those that do. */
static void state_is_one_on_both_sides(void **state)
{
    (void)state;
    struct sheaf_error error;
    sheaf_bundle *b = open_gpu("state");
    fill_all(b, "x", 1);
    run_bundle(b);
    expect_ok(sheaf_gpu_run(b, NULL, &error), &error);
    expect_ok(sheaf_gpu_run(b, NULL, &error), &error);
    run_bundle(b);
    expect_sum(b, 4);
    expect_ok(sheaf_gpu_run(b, NULL, &error), &error);
    sheaf_reset_state(b);
    expect_ok(sheaf_gpu_run(b, NULL, &error), &error);
    run_bundle(b);
    expect_sum(b, 2);
    sheaf_close(b);
}

/* ---- contexts and threads ---- */

static void contexts_share_code_and_constants(void **state)
{
    (void)state;
    enum { N = 4 };
    struct sheaf_error error;
    sheaf_bundle *b[N] = {open_gpu("net")};
    struct sim_counters before = counters();
    for (int i = 1; i < N; i++)
        expect_ok(sheaf_attach(b[i - 1], &b[i], &error), &error);
    assert_int_equal(counters().module_loads, before.module_loads);
    assert_int_equal(counters().copies_to_device, before.copies_to_device);
    assert_int_equal(counters().contexts, before.contexts);
    uint64_t weights[2];
    expect_ok(sheaf_gpu_address(b[0], "w", &weights[0], &error), &error);
    expect_ok(sheaf_gpu_address(b[1], "w", &weights[1], &error), &error);
    assert_int_equal(weights[0], weights[1]);
    for (int i = 0; i < N; i++)
        fill_input(tensor(b[i], "x").data, i);
    for (int i = N - 1; i >= 0; i--)
        run_bundle(b[i]);
    for (int i = 0; i < N; i++) {
        expect_result(b[i], i);
        sheaf_close(b[i]);
    }
    expect_nothing_left();
}

enum { N_THREADS = 16, N_RUNS = 6 };

struct worker {
    const sheaf_bundle *first;
    int seed;
    struct result want;
    const char *fault;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    sheaf_bundle *b = NULL;
    struct sheaf_tensor_desc x, y;
    if (sheaf_attach(w->first, &b, NULL) != SHEAF_OK)
        w->fault = "attach";
    for (int i = 0; i < N_RUNS && !w->fault; i++) {
        if (sheaf_tensor(b, "x", &x, NULL) != SHEAF_OK)
            w->fault = "tensor";
        else
            fill_input(x.data, w->seed);
        if (!w->fault && sheaf_run(b, NULL) != SHEAF_OK)
            w->fault = "run";
        if (!w->fault && (sheaf_tensor(b, "y", &y, NULL) != SHEAF_OK ||
                          memcmp(y.data, w->want.y, sizeof w->want.y) != 0))
            w->fault = "result";
    }
    sheaf_close(b);
    return NULL;
}

static void threads_have_contexts_of_their_own(void **state)
{
    (void)state;
    static struct worker workers[N_THREADS];
    pthread_t threads[N_THREADS];
    sheaf_bundle *b = open_gpu("net");
    for (int i = 0; i < N_THREADS; i++)
        workers[i] = (struct worker){.first = b, .seed = i, .want = wanted(i)};
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < N_THREADS; i++)
        if (workers[i].fault)
            fail_msg("thread %d: %s", i, workers[i].fault);
    sheaf_close(b);
    expect_nothing_left();
}

/* ---- beside other users of the driver ---- */

static CUcontext pop_current(void)
{
    CUcontext c = NULL;
    return cuda.CtxPopCurrent(&c) == CUDA_SUCCESS ? c : NULL;
}

static void the_current_context_stays(void **state)
{
    (void)state;
    CUcontext mine;
    struct sheaf_error error;
    sheaf_bundle *b = open_gpu("net");
    run_bundle(b);
    assert_null(pop_current()); /* there was none */
    assert_int_equal(cuda.DevicePrimaryCtxRetain(&mine, 0), CUDA_SUCCESS);
    assert_int_equal(counters().contexts, 3);
    assert_int_equal(cuda.CtxPushCurrent(mine), CUDA_SUCCESS);
    run_bundle(b);
    expect_ok(sheaf_gpu_run(b, NULL, &error), &error);
    expect_ok(sheaf_gpu_wait(b, &error), &error);
    sheaf_close(b);
    b = open_gpu("net");
    sheaf_close(b);
    assert_ptr_equal(pop_current(), mine);
    assert_null(pop_current());
    assert_int_equal(counters().contexts, 2);
    assert_int_equal(cuda.DevicePrimaryCtxRelease(0), CUDA_SUCCESS);
    expect_nothing_left();
}

/* A user with a stream and data of its own on the device; opens gpu/net too. */
struct user {
    CUstream stream;
    sheaf_bundle *b;
    uint64_t x, y, where;
};

static struct user begin_user(void)
{
    struct user u;
    struct sheaf_error error;
    CUcontext mine;
    u.b = open_gpu("net");
    assert_int_equal(cuda.DevicePrimaryCtxRetain(&mine, 0), CUDA_SUCCESS);
    assert_int_equal(cuda.CtxPushCurrent(mine), CUDA_SUCCESS);
    assert_int_equal(cuda.StreamCreate(&u.stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    expect_ok(sheaf_gpu_address(u.b, "x", &u.x, &error), &error);
    expect_ok(sheaf_gpu_address(u.b, "y", &u.y, &error), &error);
    expect_ok(sheaf_gpu_address(u.b, "where", &u.where, &error), &error);
    return u;
}

static void end_user(struct user *u)
{
    sheaf_close(u->b);
    assert_int_equal(cuda.StreamDestroy(u->stream), CUDA_SUCCESS);
    assert_non_null(pop_current());
    assert_int_equal(cuda.DevicePrimaryCtxRelease(0), CUDA_SUCCESS);
    expect_nothing_left();
}

static void give_on_device(struct user *u, CUstream stream, int seed)
{
    float x[N_ROWS * N_IN];
    fill_input(x, seed);
    assert_int_equal(cuda.MemcpyHtoDAsync(u->x, x, sizeof x, stream), CUDA_SUCCESS);
}

/* The extents come with the wait. */
static void expect_on_device(struct user *u, int seed)
{
    struct result got, want = wanted(seed);
    struct sheaf_error error;
    memset(&got, 0, sizeof got);
    expect_ok(sheaf_gpu_wait(u->b, &error), &error);
    got.n_where = (int64_t)tensor(u->b, "where").dims[1];
    assert_in_range(got.n_where, 1, N_ROWS * N_OUT);
    size_t bytes = 2 * (size_t)got.n_where * sizeof *got.where;
    assert_int_equal(cuda.MemcpyDtoHAsync(got.y, u->y, sizeof got.y, u->stream), CUDA_SUCCESS);
    assert_int_equal(cuda.MemcpyDtoHAsync(got.where, u->where, bytes, u->stream), CUDA_SUCCESS);
    assert_int_equal(cuda.StreamSynchronize(u->stream), CUDA_SUCCESS);
    expect_same(&got, &want);
}

static void data_can_stay_on_the_device(void **state)
{
    (void)state;
    struct user u = begin_user();
    struct sim_counters before = counters();
    struct sheaf_error error;
    give_on_device(&u, u.stream, 3);
    expect_ok(sheaf_gpu_run(u.b, u.stream, &error), &error);
    struct sim_counters after = counters();
    assert_int_equal(after.graph_launches - before.graph_launches, 1);
    assert_int_equal(after.copies_to_device - before.copies_to_device, 1); /* the user's own */
    assert_int_equal(after.copies_to_host, before.copies_to_host);
    assert_int_equal(after.synchronizations, before.synchronizations);
    expect_on_device(&u, 3);
    end_user(&u);
}

/* Work is done only when something waits for it, so that what is not waited for shows. */
static void runs_are_queued(void **state)
{
    (void)state;
    struct sheaf_error error;
    simulate("SHEAF_SIM_DEFER", "1");
    struct user u = begin_user();
    struct sim_counters before = counters();
    give_on_device(&u, u.stream, 4);
    expect_ok(sheaf_gpu_run(u.b, u.stream, &error), &error);
    assert_int_equal(counters().launches, before.launches);
    expect_on_device(&u, 4);
    assert_true(counters().launches > before.launches);
    end_user(&u);
    simulate("SHEAF_SIM_DEFER", NULL);
}

/* Runs of a context follow one another, whichever streams they are queued on. */
static void runs_on_several_streams_are_in_order(void **state)
{
    (void)state;
    struct sheaf_error error;
    simulate("SHEAF_SIM_DEFER", "1");
    struct user u = begin_user();
    /* The later one must not overtake: on another stream, and with copies of its own. */
    give_on_device(&u, u.stream, 1);
    expect_ok(sheaf_gpu_run(u.b, u.stream, &error), &error);
    fill_input(tensor(u.b, "x").data, 2);
    run_bundle(u.b);
    expect_result(u.b, 2);
    expect_ok(sheaf_gpu_run(u.b, u.stream, &error), &error);
    expect_on_device(&u, 2);
    CUstream legacy = (CUstream)(uintptr_t)1; /* that of programs which know of no streams */
    give_on_device(&u, legacy, 3);
    expect_ok(sheaf_gpu_run(u.b, legacy, &error), &error);
    expect_ok(sheaf_gpu_wait(u.b, &error), &error);
    expect_on_device(&u, 3);
    sheaf_bundle *s = open_gpu("state");
    fill_all(s, "x", 1);
    run_bundle(s);
    for (int i = 0; i < 6; i++)
        expect_ok(sheaf_gpu_run(s, i % 2 ? u.stream : NULL, &error), &error);
    run_bundle(s);
    expect_sum(s, 8);
    sheaf_close(s);
    end_user(&u);
    simulate("SHEAF_SIM_DEFER", NULL);
}

/* Everything above that waits, without the luck of work that is done at once. */
static void nothing_is_read_too_early(void **state)
{
    simulate("SHEAF_SIM_DEFER", "1");
    runs_give_what_the_cpu_gives(state);
    tensors_lie_in_the_activations(state);
    branches_are_taken(state);
    loops_end_when_they_should(state);
    loops_of_known_length_are_straight(state);
    state_outlives_a_run(state);
    state_is_one_on_both_sides(state);
    simulate("SHEAF_SIM_DEFER", NULL);
}

static void activations_can_be_looked_at(void **state)
{
    (void)state;
    struct sheaf_error error;
    sheaf_bundle *b = open_gpu("net");
    size_t bytes = sheaf_info(b)->config->activationsMemSize;
    uint8_t *there = malloc(bytes);
    assert_non_null(there);
    fill_input(tensor(b, "x").data, 1);
    run_bundle(b);
    expect_ok(sheaf_gpu_activations(b, there, &error), &error);
    int64_t n;
    const struct linked_entry o = entry_of("gpu", "net");
    memcpy(&n, there + o.info->symbols[row_of(&o, "where")].extent_offsets[1], sizeof n);
    assert_int_equal(n, tensor(b, "where").dims[1]);
    free(there);
    sheaf_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_give_what_the_cpu_gives),
        cmocka_unit_test(libraries_and_files_open),
        cmocka_unit_test(runs_cost_one_graph),
        cmocka_unit_test(tensors_lie_in_the_activations),
        cmocka_unit_test(callers_choose_how_many_items),
        cmocka_unit_test(branches_are_taken),
        cmocka_unit_test(loops_end_when_they_should),
        cmocka_unit_test(a_vast_tensor_is_gone_through_in_rounds),
        cmocka_unit_test(loops_of_known_length_are_straight),
        cmocka_unit_test(state_outlives_a_run),
        cmocka_unit_test(state_is_one_on_both_sides),
        cmocka_unit_test(contexts_share_code_and_constants),
        cmocka_unit_test(threads_have_contexts_of_their_own),
        cmocka_unit_test(the_current_context_stays),
        cmocka_unit_test(data_can_stay_on_the_device),
        cmocka_unit_test(runs_are_queued),
        cmocka_unit_test(runs_on_several_streams_are_in_order),
        cmocka_unit_test(nothing_is_read_too_early),
        cmocka_unit_test(activations_can_be_looked_at),
    };
    return cmocka_run_group_tests(tests, make_bundles, NULL);
}
