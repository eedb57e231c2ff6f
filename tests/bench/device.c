/*
 * What tests/bench/gpu asks of a device beside the runtime: its description, events, bytes in its
 * memory, and what small things cost.  It becomes one shared library with the runtime, which
 * device.py loads; the page of figures is that script's.
 *
 * All calls are of one thread.  They return 0, or -1 where the device fails: bench_error tells why.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gpu_runtime/driver.h"
#include "gpu_runtime/gpu_runtime.h"

enum { N_MARKS = 64, BARRIER_THREADS = 256 };

struct bench_device {
    char name[96];
    int32_t driver_version; /* 12040 for 12.4 */
    int32_t arch;           /* compute capability, 80 for 8.0 */
    int32_t n_multiprocessors;
    int32_t reserved;
    uint64_t memory_bytes;
};

/*
 * Kernels that do nothing, and that wait for each other.  At a barrier each block adds 1 to the
 * counter, which is 0 at first, and waits until all blocks have done so as often as itself.
 */
static const char kernels_ptx[] = ".version 7.0\n"
                                  ".target sm_80\n"
                                  ".address_size 64\n"
                                  ".visible .entry nothing()\n"
                                  "{\n"
                                  "    ret;\n"
                                  "}\n"
                                  ".visible .entry barriers(.param .u64 counter,\n"
                                  "                         .param .u32 rounds)\n"
                                  "{\n"
                                  "    .reg .pred %p<4>;\n"
                                  "    .reg .b32 %r<8>;\n"
                                  "    .reg .b64 %rd<3>;\n"
                                  "    ld.param.u64 %rd1, [counter];\n"
                                  "    cvta.to.global.u64 %rd2, %rd1;\n"
                                  "    ld.param.u32 %r1, [rounds];\n"
                                  "    mov.u32 %r2, %nctaid.x;\n"
                                  "    mov.u32 %r3, %tid.x;\n"
                                  "    mov.u32 %r4, 0;\n"
                                  "    setp.ne.s32 %p1, %r3, 0;\n"
                                  "round:\n"
                                  "    setp.eq.s32 %p2, %r1, 0;\n"
                                  "    @%p2 bra done;\n"
                                  "    add.s32 %r4, %r4, %r2;\n"
                                  "    bar.sync 0;\n"
                                  "    @%p1 bra arrived;\n"
                                  "    atom.acq_rel.gpu.global.add.u32 %r5, [%rd2], 1;\n"
                                  "wait:\n"
                                  "    ld.acquire.gpu.global.u32 %r6, [%rd2];\n"
                                  "    sub.s32 %r7, %r6, %r4;\n"
                                  "    setp.lt.s32 %p3, %r7, 0;\n"
                                  "    @%p3 bra wait;\n"
                                  "arrived:\n"
                                  "    bar.sync 0;\n"
                                  "    add.s32 %r1, %r1, -1;\n"
                                  "    bra round;\n"
                                  "done:\n"
                                  "    ret;\n"
                                  "}\n";

static struct {
    struct driver driver;
    struct sheaf_error err;
    CUevent mark[N_MARKS];
    CUmodule module;
    CUfunction nothing, barriers;
    CUdeviceptr counter;
    CUgraphExec graph;
    int n_multiprocessors;
} bench;

const char *bench_error(void)
{
    return bench.err.text;
}

static int done(CUresult r, const char *what)
{
    if (r == CUDA_SUCCESS)
        return 0;
    driver_fail(&bench.driver, r, "bench", what, &bench.err);
    return -1;
}

static CUresult open_kernels(void)
{
    const struct cuda *c = &bench.driver.cuda;
    CUresult r = c->ModuleLoadDataEx(&bench.module, kernels_ptx, 0, NULL, NULL);
    if (r == CUDA_SUCCESS)
        r = c->ModuleGetFunction(&bench.nothing, bench.module, "nothing");
    if (r == CUDA_SUCCESS)
        r = c->ModuleGetFunction(&bench.barriers, bench.module, "barriers");
    if (r == CUDA_SUCCESS)
        r = c->MemAlloc(&bench.counter, sizeof(uint32_t));
    for (int i = 0; i < N_MARKS && r == CUDA_SUCCESS; i++)
        r = c->EventCreate(&bench.mark[i], CU_EVENT_DEFAULT);
    return r;
}

/* The first device, whose primary context is this thread's from now on. */
int bench_open(struct bench_device *out_device)
{
    struct driver *d = &bench.driver;
    size_t free_bytes = 0, total_bytes = 0;
    if (driver_open(d, 0, &bench.err) != SHEAF_OK || driver_enter(d, &bench.err) != SHEAF_OK)
        return -1;
    CUresult r = d->cuda.DeviceGetAttribute(&bench.n_multiprocessors,
                                            CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, d->device);
    if (r == CUDA_SUCCESS)
        r = d->cuda.MemGetInfo(&free_bytes, &total_bytes);
    if (r == CUDA_SUCCESS)
        r = open_kernels();
    if (r != CUDA_SUCCESS)
        return done(r, "opening the device");
    memset(out_device, 0, sizeof *out_device);
    snprintf(out_device->name, sizeof out_device->name, "%s", d->device_name);
    out_device->driver_version = d->version;
    out_device->arch = d->arch;
    out_device->n_multiprocessors = bench.n_multiprocessors;
    out_device->memory_bytes = total_bytes;
    return 0;
}

int bench_stream(void **out_stream)
{
    CUstream s = NULL;
    if (done(bench.driver.cuda.StreamCreate(&s, CU_STREAM_NON_BLOCKING), "making a stream") != 0)
        return -1;
    *out_stream = s;
    return 0;
}

/* ---- time ---- */

int bench_mark(int i, void *stream)
{
    return done(bench.driver.cuda.EventRecord(bench.mark[i], stream), "recording an event");
}

/* Waits for the second. */
int bench_between(int first, int second, double *out_ms)
{
    float ms = 0;
    CUresult r = bench.driver.cuda.EventSynchronize(bench.mark[second]);
    if (r == CUDA_SUCCESS)
        r = bench.driver.cuda.EventElapsedTime(&ms, bench.mark[first], bench.mark[second]);
    *out_ms = (double)ms;
    return done(r, "measuring");
}

/* ---- bytes ---- */

/* Elements of a table of 2048, chosen by splitmix64 (Steele, Lea, Flood 2014) of seed and place. */
void bench_fill(uint8_t *to, uint64_t n, uint64_t element_bytes, const uint8_t *table,
                uint64_t seed)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t x = (seed << 40) + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        x ^= x >> 31;
        memcpy(to + i * element_bytes, table + (x >> 53) * element_bytes, (size_t)element_bytes);
    }
}

static int finish(CUresult r, const char *what)
{
    return done(r == CUDA_SUCCESS ? bench.driver.cuda.CtxSynchronize() : r, what);
}

int bench_put(uint64_t to, const void *from, uint64_t bytes)
{
    return finish(bench.driver.cuda.MemcpyHtoDAsync(to, from, (size_t)bytes, NULL), "a copy");
}

int bench_get(void *to, uint64_t from, uint64_t bytes)
{
    return finish(bench.driver.cuda.MemcpyDtoHAsync(to, from, (size_t)bytes, NULL), "a copy");
}

/* With bytes of 255, of which floats are NaN. */
int bench_poison(uint64_t to, uint64_t bytes)
{
    return finish(bench.driver.cuda.MemsetD8Async(to, 255, (size_t)bytes, NULL), "a fill");
}

int bench_allocate(uint64_t bytes, uint64_t *out_device, void **out_pinned)
{
    CUresult r = bench.driver.cuda.MemAlloc(out_device, (size_t)bytes);
    if (r == CUDA_SUCCESS)
        r = bench.driver.cuda.MemHostAlloc(out_pinned, (size_t)bytes, 0);
    return done(r, "allocating memory for copies");
}

void bench_free(uint64_t device, void *pinned)
{
    bench.driver.cuda.MemFree(device);
    bench.driver.cuda.MemFreeHost(pinned);
}

int bench_queue_to_device(uint64_t to, const void *pinned, uint64_t bytes, void *stream)
{
    return done(bench.driver.cuda.MemcpyHtoDAsync(to, pinned, (size_t)bytes, stream), "a copy");
}

int bench_queue_to_host(void *pinned, uint64_t from, uint64_t bytes, void *stream)
{
    return done(bench.driver.cuda.MemcpyDtoHAsync(pinned, from, (size_t)bytes, stream), "a copy");
}

int bench_queue_on_device(uint64_t to, uint64_t from, uint64_t bytes, void *stream)
{
    return done(bench.driver.cuda.MemcpyDtoDAsync(to, from, (size_t)bytes, stream), "a copy");
}

/* ---- what launches cost ---- */

int bench_queue_launches(int n, void *stream)
{
    CUresult r = CUDA_SUCCESS;
    for (int i = 0; i < n && r == CUDA_SUCCESS; i++)
        r = bench.driver.cuda.LaunchKernel(bench.nothing, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL);
    return done(r, "a launch");
}

/* The graph of so many launches, one after the other, that bench_queue_graph runs. */
int bench_make_graph(int n, void *stream)
{
    const struct cuda *c = &bench.driver.cuda;
    CUgraph graph = NULL;
    if (bench.graph)
        c->GraphExecDestroy(bench.graph);
    bench.graph = NULL;
    CUresult r = c->StreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    if (r != CUDA_SUCCESS)
        return done(r, "capturing");
    int launched = bench_queue_launches(n, stream);
    r = c->StreamEndCapture(stream, &graph);
    if (launched != 0)
        return -1;
    if (r == CUDA_SUCCESS)
        r = c->GraphInstantiateWithFlags(&bench.graph, graph, 0);
    if (graph)
        c->GraphDestroy(graph);
    return done(r, "making a graph");
}

int bench_queue_graph(void *stream)
{
    return done(bench.driver.cuda.GraphLaunch(bench.graph, stream), "a graph");
}

/* One cooperative launch of a block for each multiprocessor, which meet so often. */
int bench_queue_barriers(int n, void *stream)
{
    uint32_t rounds = (uint32_t)n;
    void *parameters[] = {&bench.counter, &rounds};
    CUresult r = bench.driver.cuda.MemsetD32Async(bench.counter, 0, 1, stream);
    if (r == CUDA_SUCCESS)
        r = bench.driver.cuda.LaunchCooperativeKernel(bench.barriers,
                                                      (unsigned)bench.n_multiprocessors, 1, 1,
                                                      BARRIER_THREADS, 1, 1, 0, stream, parameters);
    return done(r, "a cooperative launch");
}

/* ---- what code costs ---- */

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

struct bench_image {
    uint32_t kind; /* enum sheaf_image_kind */
    uint32_t arch;
    uint64_t size_bytes;
};

/* 1 where the bundle has that many images and no more. */
int bench_image(const sheaf_bundle *b, unsigned i, struct bench_image *out_image)
{
    const struct sheaf_plan *plan = sheaf_info(b)->plan;
    if (i >= plan->n_images)
        return 1;
    const struct sheaf_image *image = &plan->images[i];
    *out_image = (struct bench_image){image->kind, image->arch, image->size};
    return 0;
}

/* By the clock of the host: the driver translates and loads while the call waits. */
int bench_load_image(const sheaf_bundle *b, unsigned i, double *out_ms)
{
    const struct cuda *c = &bench.driver.cuda;
    CUmodule module = NULL;
    CUfunction function = NULL;
    const struct sheaf_plan *plan = sheaf_info(b)->plan;
    double start = now_ms();
    CUresult r = c->ModuleLoadDataEx(&module, plan->images[i].data, 0, NULL, NULL);
    /* A driver may load a function only when it is asked for. */
    for (uint32_t k = 0; k < plan->n_kernels && r == CUDA_SUCCESS; k++)
        r = c->ModuleGetFunction(&function, module, plan->kernels[k].name);
    *out_ms = now_ms() - start;
    if (module)
        c->ModuleUnload(module);
    return done(r, "loading code");
}
