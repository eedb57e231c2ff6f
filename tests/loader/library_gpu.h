/*
 * library_gpu.h: what the tests of libraries for NVIDIA GPUs share: libraries, and programs that
 * use them in the simulator (tests/sim/sim.h).
 */
#ifndef SHEAF_TESTS_LOADER_LIBRARY_GPU_H
#define SHEAF_TESTS_LOADER_LIBRARY_GPU_H

#include "tests/loader/library.h"

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

/* The simulator is compiled as this program is, and needs the same of those that load it. */
#ifdef __SANITIZE_ADDRESS__
#define GPU_CHECKED " -fsanitize=address,undefined"
#else
#define GPU_CHECKED ""
#endif

static inline const char *gpu_simulator(void)
{
    return tool_absolute(support_printf("%s/tests/libcuda.so.1", support_build()));
}

static inline const char *gpu_top(void)
{
    return tool_absolute(".");
}

/* As lib_deploy; a static library opens others at run time. */
static inline void gpu_deploy(enum kind kind, const char *name, const char *dir,
                              const char *options)
{
    tool_expect(support_printf("-m %s.onnx -emit-lib=%s -device=nvidia -lib-name=%s -func-name=%s "
                               "-path=%s %s",
                               name, KIND[kind], name, name, dir, options),
                0,
                support_printf("Please link with:\n    -L%s\n    -l:lib%s.%s\n%s", dir, name,
                               ENDING[kind], kind == STATIC ? "    -ldl\n" : ""));
}

/* The program dir/main of the prelude and `text`. */
static inline void gpu_build(const char *compiler, const char *text, const char *dir,
                             const char *libraries)
{
    lib_build(support_printf("%s%s -I'%s'", compiler, GPU_CHECKED, gpu_top()), "program.c",
              support_printf("%s%s", gpu_prelude, text), dir,
              support_printf("%s '%s' -ldl", libraries, gpu_simulator()));
}

static inline void gpu_build_c(const char *text, const char *dir, const char *libraries)
{
    gpu_build(support_printf("%s -std=c11", support_cc()), text, dir, libraries);
}

/* Runs it in the simulator. */
static inline void gpu_must_run(const char *environment, const char *dir, const char *want)
{
    const char *sim = gpu_simulator();
    const char *folder = support_printf("%.*s", (int)(strrchr(sim, '/') - sim), sim);
    lib_must_run(support_printf("LD_LIBRARY_PATH='%s' %s %s/main", folder, environment, dir), want);
}

static inline const char *gpu_library_of(enum kind kind, const char *name)
{
    return support_printf("-l:lib%s.%s", name, ENDING[kind]);
}

#endif
