/*
 * gpu_bundles.h: for the tests of the GPU runtime: small networks, compiled for the GPU and for
 * this processor, and the simulator's counters.
 */
#ifndef SHEAF_TESTS_GPU_RUNTIME_GPU_BUNDLES_H
#define SHEAF_TESTS_GPU_RUNTIME_GPU_BUNDLES_H

#include "tests/loader/linked_bundles.h"

#include "gpu_runtime/cuda.h"
#include "gpu_runtime/gpu_runtime.h"
#include "tests/sim/sim.h"
#include "tests/support/simulator.h"

/* ---- the simulator ---- */

/* The driver as another user of it in the same process sees it. */
static struct cuda cuda;
static void (*read_counters)(struct sim_counters *out);

static inline void open_simulator(void)
{
    static const char *const symbols[] = {
#define SYMBOL(name, symbol, parameters) #symbol,
        CUDA_FUNCTIONS(SYMBOL)
#undef SYMBOL
    };
    assert_true(simulator_open());
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library);
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *function = dlsym(library, symbols[i]);
        assert_non_null(function);
        memcpy((uint8_t *)&cuda + i * sizeof function, &function, sizeof function);
    }
    void *counters = dlsym(library, "sim_counters");
    assert_non_null(counters);
    memcpy(&read_counters, &counters, sizeof counters);
}

static inline struct sim_counters counters(void)
{
    struct sim_counters c;
    read_counters(&c);
    return c;
}

/* The test is a user of the device too, so that what a bundle leaves behind stays to be seen: with
   the last user all would go. */
static int is_user;

static inline void use_device(void)
{
    CUcontext context;
    assert_int_equal(cuda.Init(0), CUDA_SUCCESS);
    assert_int_equal(cuda.DevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
    is_user = 1;
}

static inline void leave_device(void)
{
    assert_int_equal(cuda.DevicePrimaryCtxRelease(0), CUDA_SUCCESS);
    is_user = 0;
}

static inline void expect_nothing_left(void)
{
    struct sim_counters c = counters();
    assert_int_equal(c.bytes, 0);
    assert_int_equal(c.allocations, 0);
    assert_int_equal(c.modules, 0);
    assert_int_equal(c.streams, 0);
    assert_int_equal(c.events, 0);
    assert_int_equal(c.graphs, 0);
    assert_int_equal(c.host_allocations, 0);
    assert_int_equal(c.contexts, is_user);
}

/* ---- networks ---- */

enum { CHAIN_ELEMENTS = 16, CHAIN_BYTES = CHAIN_ELEMENTS * sizeof(float) };

static inline struct strbuf branch_of(struct arena *a, const char *op)
{
    struct strbuf g;
    strbuf_init(&g, a);
    pb_string(&g, 2, "branch");
    onnx_node(&g, op, "x", "inner", "");
    onnx_output(&g, "inner", ONNX_F32, NULL);
    return g;
}

/* y = 1 + (c ? -x : |x|) */
static inline void write_branch_net(struct arena *a)
{
    struct onnx_model m;
    struct strbuf node, yes = branch_of(a, "Neg"), no = branch_of(a, "Abs");
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "c", ONNX_BOOL, "");
    onnx_input(&m.graph, "x", ONNX_F32, "4");
    onnx_ints(&m.graph, "i", "1", "1");
    onnx_node(&m.graph, "Cast", "i", "one", "to=1");
    onnx_node_begin(&node, a, "If", "c", "chosen", "");
    onnx_graph_attr(&node, "then_branch", &yes);
    onnx_graph_attr(&node, "else_branch", &no);
    pb_sub(&m.graph, 1, &node);
    onnx_node(&m.graph, "Add", "chosen,one", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "4");
    finish_net(&m, "branch.onnx");
}

/*
 * y = x, then y = y + x + i for i = 0, 1, ..: `trip` times, where that is a name or a number, and
 * while their sum is below `limit`, where there is one.
 */
static inline void write_loop_net(struct arena *a, const char *file, const char *trip, bool limited)
{
    struct onnx_model m;
    struct strbuf node, body, first;
    bool is_input = trip && trip[0] > '9';
    strbuf_init(&body, a);
    pb_string(&body, 2, "body");
    onnx_node(&body, "Cast", "i", "f", "to=1");
    onnx_node(&body, "Add", "v,x", "s", "");
    onnx_node(&body, "Add", "s,f", "w", "");
    if (limited) {
        onnx_node(&body, "ReduceSum", "w", "top", "keepdims=0");
        onnx_node(&body, "Less", "top,limit", "go", "");
    } else {
        onnx_node(&body, "Identity", "on", "go", "");
    }
    onnx_input(&body, "i", ONNX_I64, "");
    onnx_input(&body, "on", ONNX_BOOL, "");
    onnx_input(&body, "v", ONNX_F32, "4");
    onnx_output(&body, "go", ONNX_BOOL, "");
    onnx_output(&body, "w", ONNX_F32, "4");
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "4");
    if (is_input)
        onnx_input(&m.graph, trip, ONNX_I64, "");
    else if (trip)
        onnx_ints(&m.graph, "trip", "", trip);
    if (limited)
        onnx_input(&m.graph, "limit", ONNX_F32, "");
    onnx_node(&m.graph, "Neg", "x", "start", "");
    if (limited) {
        onnx_tensor_begin(&first, a, "first", ONNX_BOOL, "");
        pb_bytes(&first, 9, "\1", 1);
        pb_sub(&m.graph, 5, &first);
    }
    onnx_node_begin(&node, a, "Loop",
                    arena_printf(a, "%s,%s,start",
                                 is_input ? trip
                                 : trip   ? "trip"
                                          : "",
                                 limited ? "first" : ""),
                    "end", "");
    onnx_graph_attr(&node, "body", &body);
    pb_sub(&m.graph, 1, &node);
    onnx_node(&m.graph, "Neg", "end", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "4");
    finish_net(&m, file);
}

/* y = -((-x w) x), of whole numbers where x is. */
static inline void write_chain_net(struct arena *a)
{
    struct onnx_model m;
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "4,4");
    put_weights(&m.graph, "w", "4,4", CHAIN_ELEMENTS, 1);
    onnx_node(&m.graph, "Neg", "x", "n", "");
    onnx_node(&m.graph, "MatMul", "n,w", "a", "");
    onnx_node(&m.graph, "MatMul", "a,x", "b", "");
    onnx_node(&m.graph, "Neg", "b", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "4,4");
    finish_net(&m, "chain.onnx");
}

/* y = -x, of n items, which the caller chooses, with -onnx-define-symbol='n<=5'. */
static inline void write_items_net(struct arena *a)
{
    struct onnx_model m;
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "n,4");
    onnx_node(&m.graph, "Neg", "x", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "n,4");
    finish_net(&m, "items.onnx");
}

/* Each as gpu/NAME and cpu/NAME. */
static inline void compile_both(const char *args)
{
    compile(support_printf("%s -gpu -ptxas=none -emit-bundle gpu", args));
    compile(support_printf("%s -emit-bundle cpu", args));
}

static inline void write_all_nets(void)
{
    struct arena a;
    arena_init(&a);
    write_net("net.onnx", "2", 2);
    write_state_net(&a);
    write_branch_net(&a);
    write_loop_net(&a, "counted.onnx", "n", false);
    write_loop_net(&a, "fixed.onnx", "3", false);
    write_loop_net(&a, "never.onnx", "-2", false);
    write_loop_net(&a, "lengthy.onnx", "5000", false);
    write_loop_net(&a, "until.onnx", "n", true);
    write_loop_net(&a, "ever.onnx", NULL, true);
    write_chain_net(&a);
    write_items_net(&a);
    arena_done(&a);
}

static inline int make_bundles(void **state)
{
    (void)state;
    write_all_nets();
    compile_both("-m net.onnx");
    compile_both("-m state.onnx -bind=next=sum");
    compile_both("-m branch.onnx");
    compile_both("-m counted.onnx");
    compile_both("-m fixed.onnx");
    compile_both("-m never.onnx");
    compile_both("-m lengthy.onnx");
    compile_both("-m until.onnx");
    compile_both("-m ever.onnx");
    open_simulator();
    use_device();
    return 0;
}

/* ---- bundles ---- */

static inline sheaf_bundle *open_gpu(const char *name)
{
    struct linked_entry o = entry_of("gpu", name);
    return open_linked(&o);
}

/* Of write_items_net. */
static inline void expect_items(sheaf_bundle *b)
{
    struct sheaf_error error;
    for (int64_t n = 5; n > 0; n--) {
        float *x = tensor(b, "x").data;
        for (int64_t i = 0; i < 4 * n; i++)
            x[i] = (float)(i + n);
        expect_ok(sheaf_set_extent(b, "n", n, &error), &error);
        run_bundle(b);
        const float *y = tensor(b, "y").data;
        for (int64_t i = 0; i < 4 * n; i++)
            assert_true(y[i] == -(float)(i + n));
    }
}

/* Runs the bundle and cpu/NAME on the same and compares y. */
static inline void compare_y(sheaf_bundle *b, const char *name, float x, int64_t n, float limit)
{
    static const struct {
        const char *name;
        size_t bytes;
    } inputs[] = {
        {"x", 4 * sizeof(float)}, {"n", sizeof n}, {"limit", sizeof limit}, {"c", sizeof(uint8_t)}};
    struct linked_entry o = entry_of("cpu", name);
    const float xs[4] = {x, 2 * x, 3 - x, 0};
    uint8_t c = n > 0;
    const void *values[] = {xs, &n, &limit, &c};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct sheaf_tensor_desc t;
        if (sheaf_tensor(b, inputs[i].name, &t, NULL) != SHEAF_OK)
            continue;
        assert_int_equal(t.size_bytes, inputs[i].bytes);
        memcpy(t.data, values[i], inputs[i].bytes);
        memcpy(tensor_of(&o, inputs[i].name), values[i], inputs[i].bytes);
    }
    assert_int_equal(o.entry(o.constants, o.mutables, o.activations), SHEAF_OK);
    run_bundle(b);
    assert_memory_equal(tensor(b, "y").data, tensor_of(&o, "y"), sizeof xs);
}

#endif
