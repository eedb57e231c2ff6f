/*
 * gpu_bundles.h: for the tests of the GPU runtime: bundles for the GPU and for this
 * processor, and the simulator's counters.
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

/* ---- bundles ---- */

/* Each as gpu/NAME and cpu/NAME. */
static inline void compile_both(const char *args)
{
    compile(support_printf("%s -gpu -ptxas=none -emit-bundle gpu", args));
    compile(support_printf("%s -emit-bundle cpu", args));
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

static inline sheaf_bundle *open_gpu(const char *name)
{
    struct linked_entry o = entry_of("gpu", name);
    return open_linked(&o);
}

#endif
