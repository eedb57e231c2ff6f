/*
 * library_gpu.h: the device of the tests of libraries for NVIDIA GPUs (tests/sim/sim.h), and what
 * their programs share.
 */
#ifndef SHEAF_TESTS_LOADER_LIBRARY_GPU_H
#define SHEAF_TESTS_LOADER_LIBRARY_GPU_H

#include "tests/loader/library_device.h"

/* Data of the device, as a program has it; the thread has the primary context. */
static const char gpu_prelude[] = CHECK_MACRO
    "#include \"gpu_runtime/cuda.h\"\n"
    "#ifdef __cplusplus\n"
    "extern \"C\" {\n"
    "#endif\n"
    "#define DECLARE(name, symbol, parameters) CUresult symbol parameters;\n"
    "CUDA_FUNCTIONS(DECLARE)\n"
    "#include \"tests/sim/sim.h\"\n"
    "#ifdef __cplusplus\n"
    "}\n"
    "#endif\n"
    "static CUcontext primary;\n"
    "__attribute__((unused)) static void begin(void)\n"
    "{\n"
    "    CHECK(cuInit(0) == 0 && cuDevicePrimaryCtxRetain(&primary, 0) == 0);\n"
    "    CHECK(cuCtxPushCurrent_v2(primary) == 0);\n"
    "}\n"
    "__attribute__((unused)) static void *put(const void *from, size_t n)\n"
    "{\n"
    "    CUdeviceptr p = 0;\n"
    "    CHECK(cuMemAlloc_v2(&p, n) == 0 && cuMemcpyHtoDAsync_v2(p, from, n, NULL) == 0);\n"
    "    return (void *)(uintptr_t)p;\n"
    "}\n"
    "__attribute__((unused)) static void get(void *to, const void *from, size_t n)\n"
    "{\n"
    "    CHECK(cuMemcpyDtoHAsync_v2(to, (CUdeviceptr)(uintptr_t)from, n, NULL) == 0);\n"
    "    CHECK(cuStreamSynchronize(NULL) == 0);\n"
    "}\n"
    "__attribute__((unused)) static int take(void *p) { return "
    "cuMemFree_v2((CUdeviceptr)(uintptr_t)p); }\n"
    "__attribute__((unused)) static uint64_t in_use(void)\n"
    "{\n"
    "    struct sim_counters c;\n"
    "    sim_counters(&c);\n"
    "    return c.allocations;\n"
    "}\n";

static const struct library_device DEVICE = {"nvidia", "-gpu", "libcuda.so.1", gpu_prelude};

#endif
