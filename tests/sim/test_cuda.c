/*
 * The simulated driver, opened as its clients open it.
 */
#define _POSIX_C_SOURCE 200112L /* setenv */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gpu_runtime/cuda.h"
#include "tests/sim/sim.h"
#include "tests/support/support.h"

static struct cuda cu;
static void (*counters)(struct sim_counters *out);
static const char *(*failure)(void);

static int open_library(void **state)
{
    (void)state;
    void *library =
        dlopen(support_printf("%s/tests/libcuda.so.1", support_build()), RTLD_NOW | RTLD_LOCAL);
    /* Found by its name from now on. */
    if (!library || dlopen("libcuda.so.1", RTLD_NOW) != library)
        return -1;
    void *symbol;
#define FIND(name, text, parameters)                                                               \
    symbol = dlsym(library, #text);                                                                \
    if (!symbol)                                                                                   \
        return -1;                                                                                 \
    memcpy(&cu.name, &symbol, sizeof symbol);
    CUDA_FUNCTIONS(FIND)
#undef FIND
    symbol = dlsym(library, "sim_counters");
    memcpy(&counters, &symbol, sizeof symbol);
    symbol = dlsym(library, "sim_error");
    memcpy(&failure, &symbol, sizeof symbol);
    return counters && failure ? 0 : -1;
}

static struct sim_counters now(void)
{
    struct sim_counters n;
    counters(&n);
    return n;
}

/* ---- each test has a context, which is gone after it ---- */

static CUcontext context;

static void begin(const char *name, const char *value)
{
    static const char *const all[] = {
        "SHEAF_SIM_DEVICES", "SHEAF_SIM_DRIVER",      "SHEAF_SIM_MEMORY",   "SHEAF_SIM_DEFER",
        "SHEAF_SIM_ARCH",    "SHEAF_SIM_FAIL_LAUNCH", "SHEAF_SIM_FAIL_LOAD"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        unsetenv(all[i]);
    if (name)
        setenv(name, value, 1);
    assert_int_equal(cu.Init(0), CUDA_SUCCESS);
    assert_int_equal(cu.DevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
    assert_int_equal(cu.CtxPushCurrent(context), CUDA_SUCCESS);
}

static void end(void)
{
    CUcontext popped;
    assert_int_equal(cu.CtxPopCurrent(&popped), CUDA_SUCCESS);
    assert_ptr_equal(popped, context);
    assert_int_equal(cu.DevicePrimaryCtxRelease(0), CUDA_SUCCESS);
    struct sim_counters n = now();
    assert_int_equal(n.bytes + n.allocations + n.modules + n.streams + n.events, 0);
    assert_int_equal(n.host_allocations + n.contexts, 0);
}

/* Adds k to each of n words. */
static const char add_text[] =
    ".version 7.0\n.target sm_80\n.address_size 64\n"
    ".extern .shared .align 16 .b8 dynamic[];\n"
    ".visible .entry add(.param .u64 p, .param .u32 k)\n.maxntid 256, 1, 1\n{\n"
    ".reg .b32 %r<9>; .reg .b64 %rd<9>;\n"
    "ld.param.u64 %rd1, [p]; cvta.to.global.u64 %rd1, %rd1; ld.param.u32 %r1, [k];\n"
    "mov.u32 %r2, %tid.x; mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ntid.x;\n"
    "mad.lo.u32 %r2, %r3, %r4, %r2; mul.wide.u32 %rd2, %r2, 4; add.s64 %rd1, %rd1, %rd2;\n"
    "ld.global.u32 %r5, [%rd1]; add.u32 %r5, %r5, %r1; st.global.u32 [%rd1], %r5; ret;\n}\n"
    ".visible .entry large(.param .u64 p, .param .u32 k)\n{\n"
    ".reg .b32 %r<9>; mov.u32 %r1, 1; st.shared.u32 [dynamic+60000], %r1; ret;\n}\n";

static CUfunction load_add(const char *name)
{
    CUmodule module;
    CUfunction f;
    assert_int_equal(cu.ModuleLoadDataEx(&module, add_text, 0, NULL, NULL), CUDA_SUCCESS);
    assert_int_equal(cu.ModuleGetFunction(&f, module, name), CUDA_SUCCESS);
    return f;
}

static CUresult launch_add(CUfunction f, CUdeviceptr p, unsigned k, unsigned n_threads, CUstream s)
{
    void *params[] = {&p, &k};
    return cu.LaunchKernel(f, 1, 1, 1, n_threads, 1, 1, 0, s, params, NULL);
}

static CUdeviceptr words(unsigned n, unsigned value)
{
    CUdeviceptr p;
    assert_int_equal(cu.MemAlloc(&p, 4 * n), CUDA_SUCCESS);
    assert_int_equal(cu.MemsetD32Async(p, value, n, NULL), CUDA_SUCCESS);
    assert_int_equal(cu.CtxSynchronize(), CUDA_SUCCESS);
    return p;
}

/* ---- the device ---- */

static void test_device(void **state)
{
    (void)state;
    begin(NULL, NULL);
    char name[100];
    int n = 0, value = 0;
    CUdevice device;
    assert_int_equal(cu.DeviceGetCount(&n), CUDA_SUCCESS);
    assert_int_equal(n, 1);
    assert_int_equal(cu.DeviceGet(&device, 0), CUDA_SUCCESS);
    assert_int_equal(cu.DeviceGet(&device, 1), CUDA_ERROR_INVALID_DEVICE);
    assert_int_equal(cu.DeviceGetName(name, sizeof name, device), CUDA_SUCCESS);
    assert_non_null(strstr(name, "simulator"));
    assert_int_equal(cu.DeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0),
                     CUDA_SUCCESS);
    assert_int_equal(value, 8);
    assert_int_equal(cu.DeviceGetAttribute(&value, 12345, 0), CUDA_ERROR_INVALID_VALUE);
    assert_int_equal(cu.DriverGetVersion(&value), CUDA_SUCCESS);
    assert_true(value >= 11000);
    end();
}

static void test_no_device(void **state)
{
    (void)state;
    setenv("SHEAF_SIM_DEVICES", "0", 1);
    assert_int_equal(cu.Init(0), CUDA_ERROR_NO_DEVICE);
    unsetenv("SHEAF_SIM_DEVICES");
    begin("SHEAF_SIM_DRIVER", "10020");
    int version = 0;
    assert_int_equal(cu.DriverGetVersion(&version), CUDA_SUCCESS);
    assert_int_equal(version, 10020);
    CUmodule module;
    assert_int_equal(cu.ModuleLoadDataEx(&module, add_text, 0, NULL, NULL),
                     CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
    end();
}

static void test_context(void **state)
{
    (void)state;
    begin(NULL, NULL);
    CUdeviceptr p;
    assert_int_equal(cu.CtxPopCurrent(NULL), CUDA_SUCCESS);
    assert_int_equal(cu.MemAlloc(&p, 4), CUDA_ERROR_INVALID_CONTEXT);
    assert_int_equal(cu.CtxPopCurrent(NULL), CUDA_ERROR_INVALID_CONTEXT);
    assert_int_equal(cu.CtxPushCurrent(context), CUDA_SUCCESS);
    end();
}

/* ---- memory ---- */

static void test_memory(void **state)
{
    (void)state;
    begin("SHEAF_SIM_MEMORY", "100000");
    CUdeviceptr p, q;
    size_t available, total;
    uint32_t type = 0, got[4] = {0};
    static const uint32_t values[4] = {1, 2, 3, 4};
    assert_int_equal(cu.MemAlloc(&p, 60000), CUDA_SUCCESS);
    assert_int_equal(p % 256, 0);
    assert_int_equal(cu.MemAlloc(&q, 60000), CUDA_ERROR_OUT_OF_MEMORY);
    assert_int_equal(cu.MemAlloc(&q, 0), CUDA_ERROR_INVALID_VALUE);
    assert_int_equal(cu.MemAlloc(&q, 30000), CUDA_SUCCESS);
    assert_int_equal(cu.MemGetInfo(&available, &total), CUDA_SUCCESS);
    assert_int_equal(available, 10000);
    assert_int_equal(total, 100000);
    assert_int_equal(cu.MemcpyHtoDAsync(p, values, 16, NULL), CUDA_SUCCESS);
    assert_int_equal(cu.MemsetD8Async(p + 4, 0xff, 2, NULL), CUDA_SUCCESS);
    assert_int_equal(cu.MemcpyDtoDAsync(q, p, 16, NULL), CUDA_SUCCESS);
    assert_int_equal(cu.MemcpyDtoHAsync(got, q, 16, NULL), CUDA_SUCCESS);
    assert_int_equal(got[0], 1);
    assert_int_equal(got[1], 0xffff);
    assert_int_equal(got[3], 4);
    assert_int_equal(cu.MemcpyDtoHAsync(got, q + 29990, 16, NULL), CUDA_ERROR_INVALID_VALUE);
    assert_int_equal(cu.PointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p + 100),
                     CUDA_SUCCESS);
    assert_int_equal(type, CU_MEMORYTYPE_DEVICE);
    assert_int_equal(cu.PointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                            (CUdeviceptr)(uintptr_t)got),
                     CUDA_ERROR_INVALID_VALUE);
    assert_int_equal(cu.MemFree(p + 4), CUDA_ERROR_INVALID_VALUE);
    assert_int_equal(cu.MemFree(p), CUDA_SUCCESS);
    assert_int_equal(cu.MemFree(p), CUDA_ERROR_INVALID_VALUE);
    assert_int_equal(now().allocations, 1);
    assert_int_equal(now().peak_bytes >= 90000, 1);
    assert_int_equal(cu.MemFree(q), CUDA_SUCCESS);
    end();
}

static void test_pinned_memory(void **state)
{
    (void)state;
    begin(NULL, NULL);
    void *p = NULL;
    uint32_t type = 0;
    assert_int_equal(cu.MemHostAlloc(&p, 100, CU_MEMHOSTALLOC_PORTABLE), CUDA_SUCCESS);
    assert_int_equal(
        cu.PointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, (CUdeviceptr)(uintptr_t)p),
        CUDA_SUCCESS);
    assert_int_equal(type, CU_MEMORYTYPE_HOST);
    assert_int_equal(now().host_allocations, 1);
    assert_int_equal(cu.MemFreeHost(p), CUDA_SUCCESS);
    assert_int_equal(cu.MemFreeHost(p), CUDA_ERROR_INVALID_VALUE);
    end();
}

/* ---- modules ---- */

static void test_log(void **state)
{
    (void)state;
    begin(NULL, NULL);
    char log[300] = "";
    int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log, (void *)(uintptr_t)sizeof log};
    CUmodule module;
    assert_int_equal(cu.ModuleLoadDataEx(&module,
                                         ".version 7.0\n.target sm_80\n.address_size 64\n"
                                         ".visible .entry k() { frob.u32 1; }",
                                         2, options, values),
                     CUDA_ERROR_INVALID_PTX);
    assert_non_null(strstr(log, "PTX line 4, 'frob.u32 1'"));
    assert_int_equal((uintptr_t)values[1], strlen(log));
    assert_int_equal(cu.ModuleLoadDataEx(&module, "\177ELF", 0, NULL, NULL),
                     CUDA_ERROR_NO_BINARY_FOR_GPU);
    assert_int_equal(cu.ModuleLoadDataEx(&module, ".version 7.0\n.target sm_90\n.address_size 64\n",
                                         0, NULL, NULL),
                     CUDA_ERROR_NO_BINARY_FOR_GPU);
    end();
}

static void test_newer_device(void **state)
{
    (void)state;
    begin("SHEAF_SIM_ARCH", "90");
    int major = 0;
    CUmodule module;
    assert_int_equal(cu.DeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0),
                     CUDA_SUCCESS);
    assert_int_equal(major, 9);
    assert_int_equal(cu.ModuleLoadDataEx(&module, ".version 7.8\n.target sm_90\n.address_size 64\n",
                                         0, NULL, NULL),
                     CUDA_SUCCESS);
    assert_int_equal(cu.ModuleUnload(module), CUDA_SUCCESS);
    end();
}

static void test_functions(void **state)
{
    (void)state;
    begin(NULL, NULL);
    CUmodule module;
    CUfunction f;
    int n = 0;
    assert_int_equal(cu.ModuleLoadDataEx(&module, add_text, 0, NULL, NULL), CUDA_SUCCESS);
    assert_int_equal(cu.ModuleGetFunction(&f, module, "sub"), CUDA_ERROR_NOT_FOUND);
    assert_int_equal(cu.ModuleGetFunction(&f, module, "large"), CUDA_SUCCESS);
    assert_int_equal(cu.OccupancyMaxActiveBlocksPerMultiprocessor(&n, f, 256, 0), CUDA_SUCCESS);
    assert_int_equal(n, 8);
    assert_int_equal(cu.OccupancyMaxActiveBlocksPerMultiprocessor(&n, f, 256, 80000), CUDA_SUCCESS);
    assert_int_equal(n, 2);
    assert_int_equal(cu.FuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 65536),
                     CUDA_SUCCESS);
    assert_int_equal(
        cu.FuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 200000),
        CUDA_ERROR_INVALID_VALUE);
    CUdeviceptr p = words(1, 0);
    unsigned k = 0;
    void *params[] = {&p, &k};
    assert_int_equal(cu.LaunchKernel(f, 1, 1, 1, 1, 1, 1, 65536, NULL, params, NULL), CUDA_SUCCESS);
    /* Two blocks of as much shared memory fit on each of the 108 multiprocessors. */
    assert_int_equal(cu.LaunchCooperativeKernel(f, 216, 1, 1, 1, 1, 1, 65536, NULL, params),
                     CUDA_SUCCESS);
    assert_int_equal(cu.LaunchCooperativeKernel(f, 217, 1, 1, 1, 1, 1, 65536, NULL, params),
                     CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    end();
}

/* ---- launches ---- */

static void test_launch(void **state)
{
    (void)state;
    begin(NULL, NULL);
    CUfunction f = load_add("add");
    CUdeviceptr p = words(100, 5);
    uint32_t got[100];
    struct sim_counters before = now();
    assert_int_equal(launch_add(f, p, 3, 100, NULL), CUDA_SUCCESS);
    assert_int_equal(cu.MemcpyDtoHAsync(got, p, sizeof got, NULL), CUDA_SUCCESS);
    for (int i = 0; i < 100; i++)
        assert_int_equal(got[i], 8);
    struct sim_counters after = now();
    assert_int_equal(after.launches - before.launches, 1);
    assert_int_equal(after.copies_to_host - before.copies_to_host, 1);
    assert_int_equal(after.bytes_to_host - before.bytes_to_host, 400);
    assert_int_equal(after.instructions - before.instructions, 4 * 13);
    end();
}

/* What no device could run is refused by the call, and nothing else is. */
static void test_refused_launch(void **state)
{
    (void)state;
    begin(NULL, NULL);
    CUfunction f = load_add("add");
    CUdeviceptr p = words(300, 5);
    const char *text = NULL;
    assert_int_equal(launch_add(f, p, 3, 257, NULL), CUDA_ERROR_INVALID_VALUE);
    assert_int_equal(cu.GetErrorString(CUDA_ERROR_INVALID_VALUE, &text), CUDA_SUCCESS);
    assert_non_null(strstr(text, "kernel 'add': a block of 257 threads"));
    assert_int_equal(launch_add(f, p, 3, 256, NULL), CUDA_SUCCESS);
    assert_int_equal(cu.MemFree(1), CUDA_ERROR_INVALID_VALUE);
    assert_int_equal(cu.GetErrorString(CUDA_ERROR_INVALID_VALUE, &text), CUDA_SUCCESS);
    assert_string_equal(text, "invalid argument");
    assert_int_equal(cu.LaunchKernel((CUfunction)&p, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL),
                     CUDA_ERROR_INVALID_HANDLE);
    end();
}

/* A fault ends the context: nothing works until its last user has let it go. */
static void test_fault(void **state)
{
    (void)state;
    begin(NULL, NULL);
    CUfunction f = load_add("add");
    CUdeviceptr p = words(100, 5), q;
    const char *text = NULL;
    assert_int_equal(launch_add(f, p, 3, 101, NULL), CUDA_ERROR_ILLEGAL_ADDRESS);
    assert_int_equal(cu.GetErrorString(CUDA_ERROR_ILLEGAL_ADDRESS, &text), CUDA_SUCCESS);
    assert_string_equal(text, failure());
    assert_non_null(strstr(text, "kernel 'add', block (0,0,0), thread (100,0,0)"));
    assert_non_null(strstr(text, "reads 4 bytes"));
    assert_int_equal(cu.GetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &text), CUDA_SUCCESS);
    assert_string_equal(text, "CUDA_ERROR_ILLEGAL_ADDRESS");
    assert_int_equal(cu.MemAlloc(&q, 4), CUDA_ERROR_ILLEGAL_ADDRESS);
    assert_int_equal(cu.CtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    end();
    begin(NULL, NULL);
    assert_int_equal(cu.MemAlloc(&q, 4), CUDA_SUCCESS);
    end();
}

static void test_use_after_free(void **state)
{
    (void)state;
    begin(NULL, NULL);
    CUfunction f = load_add("add");
    CUdeviceptr p = words(10, 5);
    assert_int_equal(cu.MemFree(p), CUDA_SUCCESS);
    assert_int_equal(launch_add(f, p, 3, 10, NULL), CUDA_ERROR_ILLEGAL_ADDRESS);
    assert_non_null(strstr(failure(), "in memory that was freed"));
    end();
}

static void test_injected_faults(void **state)
{
    (void)state;
    begin("SHEAF_SIM_FAIL_LAUNCH", "2");
    CUfunction f = load_add("add");
    CUdeviceptr p = words(10, 5);
    assert_int_equal(launch_add(f, p, 1, 10, NULL), CUDA_SUCCESS);
    assert_int_equal(launch_add(f, p, 1, 10, NULL), CUDA_ERROR_LAUNCH_FAILED);
    end();
    begin("SHEAF_SIM_FAIL_LOAD", "1");
    CUmodule module;
    assert_int_equal(cu.ModuleLoadDataEx(&module, add_text, 0, NULL, NULL), CUDA_ERROR_INVALID_PTX);
    assert_int_equal(cu.ModuleLoadDataEx(&module, add_text, 0, NULL, NULL), CUDA_SUCCESS);
    end();
}

/* ---- streams ---- */

/* Nothing is done before something waits for it; streams run independently of each other. */
static void test_deferred_work(void **state)
{
    (void)state;
    begin("SHEAF_SIM_DEFER", "1");
    CUfunction f = load_add("add");
    CUdeviceptr p = words(10, 5);
    CUstream a, b;
    CUevent event;
    uint32_t got[10] = {0}, pageable[10] = {7}, *pinned;
    assert_int_equal(cu.MemHostAlloc((void **)&pinned, 40, 0), CUDA_SUCCESS);
    assert_int_equal(cu.StreamCreate(&a, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    assert_int_equal(cu.StreamCreate(&b, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    assert_int_equal(cu.EventCreate(&event, CU_EVENT_DISABLE_TIMING), CUDA_SUCCESS);
    assert_int_equal(launch_add(f, p, 1, 10, a), CUDA_SUCCESS);
    assert_int_equal(cu.EventRecord(event, a), CUDA_SUCCESS);
    assert_int_equal(launch_add(f, p, 100, 10, a), CUDA_SUCCESS);
    assert_int_equal(cu.StreamWaitEvent(b, event, 0), CUDA_SUCCESS);
    assert_int_equal(cu.MemcpyDtoHAsync(got, p, 40, b), CUDA_SUCCESS);
    assert_int_equal(got[0], 0);
    assert_int_equal(cu.StreamSynchronize(b), CUDA_SUCCESS);
    assert_int_equal(got[0], 6);
    assert_int_equal(cu.StreamSynchronize(a), CUDA_SUCCESS);
    /* Pinned memory is read late, other memory when the call is made. */
    pinned[0] = 7;
    assert_int_equal(cu.MemcpyHtoDAsync(p, pageable, 4, a), CUDA_SUCCESS);
    assert_int_equal(cu.MemcpyHtoDAsync(p + 4, pinned, 4, a), CUDA_SUCCESS);
    pageable[0] = pinned[0] = 8;
    assert_int_equal(cu.MemcpyDtoHAsync(got, p, 8, a), CUDA_SUCCESS);
    assert_int_equal(cu.StreamDestroy(a), CUDA_SUCCESS);
    assert_int_equal(got[0], 7);
    assert_int_equal(got[1], 8);
    assert_int_equal(cu.StreamSynchronize(a), CUDA_ERROR_INVALID_HANDLE);
    end();
}

static void test_events(void **state)
{
    (void)state;
    begin("SHEAF_SIM_DEFER", "1");
    CUstream s;
    CUevent start, stop;
    float ms = -1;
    assert_int_equal(cu.StreamCreate(&s, 0), CUDA_SUCCESS);
    assert_int_equal(cu.EventCreate(&start, 0), CUDA_SUCCESS);
    assert_int_equal(cu.EventCreate(&stop, 0), CUDA_SUCCESS);
    assert_int_equal(cu.EventElapsedTime(&ms, start, stop), CUDA_ERROR_INVALID_HANDLE);
    assert_int_equal(cu.EventRecord(start, s), CUDA_SUCCESS);
    assert_int_equal(cu.EventRecord(stop, s), CUDA_SUCCESS);
    assert_int_equal(cu.EventElapsedTime(&ms, start, stop), CUDA_ERROR_NOT_READY);
    assert_int_equal(cu.EventSynchronize(stop), CUDA_SUCCESS);
    assert_int_equal(cu.EventElapsedTime(&ms, start, stop), CUDA_SUCCESS);
    assert_true(ms >= 0);
    assert_int_equal(cu.EventDestroy(start), CUDA_SUCCESS);
    assert_int_equal(now().events, 1);
    end();
}

/* ---- graphs ---- */

static void test_graph(void **state)
{
    (void)state;
    begin(NULL, NULL);
    CUfunction f = load_add("add");
    CUdeviceptr p = words(10, 5), q;
    CUstream s;
    CUgraph graph;
    CUgraphExec exec;
    uint32_t got[10];
    assert_int_equal(cu.StreamCreate(&s, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    struct sim_counters before = now();
    assert_int_equal(cu.StreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), CUDA_SUCCESS);
    assert_int_equal(launch_add(f, p, 1, 10, s), CUDA_SUCCESS);
    assert_int_equal(launch_add(f, p, 2, 5, s), CUDA_SUCCESS);
    assert_int_equal(cu.MemAlloc(&q, 4), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    assert_int_equal(cu.StreamSynchronize(s), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    assert_int_equal(cu.StreamEndCapture(s, &graph), CUDA_SUCCESS);
    assert_int_equal(now().launches, before.launches);
    assert_int_equal(cu.GraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
    assert_int_equal(cu.GraphDestroy(graph), CUDA_SUCCESS);
    for (int i = 0; i < 3; i++)
        assert_int_equal(cu.GraphLaunch(exec, s), CUDA_SUCCESS);
    assert_int_equal(cu.StreamSynchronize(s), CUDA_SUCCESS);
    assert_int_equal(now().launches - before.launches, 6);
    assert_int_equal(now().graph_launches - before.graph_launches, 3);
    assert_int_equal(cu.GraphExecDestroy(exec), CUDA_SUCCESS);
    assert_int_equal(now().graphs, before.graphs);
    assert_int_equal(cu.MemcpyDtoHAsync(got, p, 40, NULL), CUDA_SUCCESS);
    assert_int_equal(got[4], 5 + 3 * 3);
    assert_int_equal(got[5], 5 + 3);
    assert_int_equal(cu.StreamEndCapture(s, &graph), CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
    end();
}

/* A second stream that waits for the first becomes part of the capture, and must come back. */
static void double_word(void *at)
{
    *(uint32_t *)at *= 2;
}

/* Functions of the host are called in the order of the stream, those of a graph anew each time. */
static void test_host_functions(void **state)
{
    (void)state;
    begin("SHEAF_SIM_DEFER", "1");
    CUdeviceptr p = words(1, 5);
    CUstream s;
    CUgraph graph;
    CUgraphExec exec;
    uint32_t *pinned;
    assert_int_equal(cu.MemHostAlloc((void **)&pinned, 4, 0), CUDA_SUCCESS);
    assert_int_equal(cu.StreamCreate(&s, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    assert_int_equal(cu.LaunchHostFunc(s, NULL, pinned), CUDA_ERROR_INVALID_VALUE);
    *pinned = 1;
    assert_int_equal(cu.MemcpyDtoHAsync(pinned, p, 4, s), CUDA_SUCCESS);
    assert_int_equal(cu.LaunchHostFunc(s, double_word, pinned), CUDA_SUCCESS);
    assert_int_equal(cu.MemcpyHtoDAsync(p, pinned, 4, s), CUDA_SUCCESS);
    assert_int_equal(*pinned, 1);
    assert_int_equal(now().host_calls, 0);
    assert_int_equal(cu.StreamSynchronize(s), CUDA_SUCCESS);
    assert_int_equal(*pinned, 10);
    assert_int_equal(cu.StreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), CUDA_SUCCESS);
    assert_int_equal(cu.LaunchHostFunc(s, double_word, pinned), CUDA_SUCCESS);
    assert_int_equal(cu.StreamEndCapture(s, &graph), CUDA_SUCCESS);
    assert_int_equal(cu.GraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
    assert_int_equal(cu.GraphDestroy(graph), CUDA_SUCCESS);
    for (int i = 0; i < 3; i++)
        assert_int_equal(cu.GraphLaunch(exec, s), CUDA_SUCCESS);
    assert_int_equal(cu.StreamSynchronize(s), CUDA_SUCCESS);
    assert_int_equal(*pinned, 80);
    assert_int_equal(now().host_calls, 4);
    assert_int_equal(cu.GraphExecDestroy(exec), CUDA_SUCCESS);
    end();
}

static void test_capture_of_two_streams(void **state)
{
    (void)state;
    for (int joins = 0; joins < 2; joins++) {
        begin(NULL, NULL);
        CUfunction f = load_add("add");
        CUdeviceptr p = words(10, 5);
        CUstream a, b;
        CUevent fork, back;
        CUgraph graph = NULL;
        assert_int_equal(cu.StreamCreate(&a, 0), CUDA_SUCCESS);
        assert_int_equal(cu.StreamCreate(&b, 0), CUDA_SUCCESS);
        assert_int_equal(cu.EventCreate(&fork, 0), CUDA_SUCCESS);
        assert_int_equal(cu.EventCreate(&back, 0), CUDA_SUCCESS);
        assert_int_equal(cu.StreamBeginCapture(a, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
        assert_int_equal(cu.EventRecord(fork, a), CUDA_SUCCESS);
        assert_int_equal(cu.StreamWaitEvent(b, fork, 0), CUDA_SUCCESS);
        assert_int_equal(launch_add(f, p, 1, 10, b), CUDA_SUCCESS);
        assert_int_equal(cu.EventRecord(back, b), CUDA_SUCCESS);
        if (joins)
            assert_int_equal(cu.StreamWaitEvent(a, back, 0), CUDA_SUCCESS);
        assert_int_equal(cu.StreamEndCapture(a, &graph),
                         joins ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
        if (joins)
            assert_int_equal(cu.GraphDestroy(graph), CUDA_SUCCESS);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device),          cmocka_unit_test(test_no_device),
        cmocka_unit_test(test_context),         cmocka_unit_test(test_memory),
        cmocka_unit_test(test_pinned_memory),   cmocka_unit_test(test_log),
        cmocka_unit_test(test_newer_device),    cmocka_unit_test(test_functions),
        cmocka_unit_test(test_launch),          cmocka_unit_test(test_refused_launch),
        cmocka_unit_test(test_fault),           cmocka_unit_test(test_use_after_free),
        cmocka_unit_test(test_injected_faults), cmocka_unit_test(test_deferred_work),
        cmocka_unit_test(test_events),          cmocka_unit_test(test_host_functions),
        cmocka_unit_test(test_graph),           cmocka_unit_test(test_capture_of_two_streams),
    };
    return cmocka_run_group_tests(tests, open_library, NULL);
}
