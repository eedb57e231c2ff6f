/*
 * The simulated driver: initialization, device, context, errors.
 */
#define _POSIX_C_SOURCE 200809L /* mutexes */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/cuda_state.h"

enum { MAX_STACK = 64, DRIVER_VERSION = 12080 };
static const uint64_t memory_bytes = UINT64_C(16) << 30;

struct cuda_state cuda_state;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* There is one context; each thread has a stack of it. */
struct CUctx_st {
    int unused;
};
static struct CUctx_st primary;
const CUcontext cuda_primary = &primary;
static _Thread_local int depth;
static _Thread_local CUcontext stack[MAX_STACK];

void cuda_lock(void)
{
    pthread_mutex_lock(&mutex);
}

CUresult cuda_unlock(CUresult result)
{
    pthread_mutex_unlock(&mutex);
    return result;
}

void *cuda_need(void *p)
{
    if (!p)
        abort();
    return p;
}

CUresult cuda_fail(const struct error *err, CUresult result)
{
    cuda_state.error = *err;
    cuda_state.error_of = result;
    if (cuda_state.verbose)
        fprintf(stderr, "simulator: %s\n", err->text);
    return result;
}

CUresult cuda_enter(void)
{
    cuda_lock();
    if (cuda_state.error_of == CUDA_ERROR_INVALID_VALUE)
        cuda_state.error_of = CUDA_SUCCESS; /* it was about an earlier call */
    if (!cuda_state.initialized)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (depth == 0 || cuda_state.n_retained == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    return cuda_state.sticky;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *s = getenv(name);
    return s && *s ? strtoull(s, NULL, 0) : otherwise;
}

CUDA_EXPORT CUresult cuInit(unsigned flags)
{
    struct cuda_state *c = &cuda_state;
    if (flags)
        return CUDA_ERROR_INVALID_VALUE;
    cuda_lock();
    c->n_devices = (int)setting("SHEAF_SIM_DEVICES", 1);
    c->driver_version = (int)setting("SHEAF_SIM_DRIVER", DRIVER_VERSION);
    c->arch = (int)setting("SHEAF_SIM_ARCH", 80);
    c->defer = setting("SHEAF_SIM_DEFER", 0) != 0;
    c->verbose = setting("SHEAF_SIM_VERBOSE", 0) != 0;
    c->fail_launch = setting("SHEAF_SIM_FAIL_LAUNCH", 0);
    c->fail_load = setting("SHEAF_SIM_FAIL_LOAD", 0);
    c->fail_memory = setting("SHEAF_SIM_FAIL_MEMORY", 0);
    c->memory_bytes = setting("SHEAF_SIM_MEMORY", memory_bytes);
    if (c->memory)
        c->memory->limit_bytes = c->memory_bytes;
    if (c->n_devices == 0)
        return cuda_unlock(CUDA_ERROR_NO_DEVICE);
    c->initialized = true;
    return cuda_unlock(CUDA_SUCCESS);
}

CUDA_EXPORT CUresult cuDriverGetVersion(int *out_version)
{
    *out_version = (int)setting("SHEAF_SIM_DRIVER", DRIVER_VERSION);
    return CUDA_SUCCESS;
}

/* ---- the device ---- */

CUDA_EXPORT CUresult cuDeviceGetCount(int *out_n)
{
    if (!cuda_state.initialized)
        return CUDA_ERROR_NOT_INITIALIZED;
    *out_n = cuda_state.n_devices;
    return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult cuDeviceGet(CUdevice *out_device, int ordinal)
{
    if (!cuda_state.initialized)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (ordinal < 0 || ordinal >= cuda_state.n_devices)
        return CUDA_ERROR_INVALID_DEVICE;
    *out_device = ordinal;
    return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult cuDeviceGetName(char *out_name, int n_chars, CUdevice device)
{
    (void)device;
    snprintf(out_name, (size_t)n_chars, "PTX simulator (not a device)");
    return CUDA_SUCCESS;
}

/* Numbers of an sm_80 (CUDA C++ Programming Guide, "Compute Capabilities"), whatever it says it is;
   clocks are made up. */
CUDA_EXPORT CUresult cuDeviceGetAttribute(int *out_value, int attribute, CUdevice device)
{
    const struct {
        int attribute, value;
    } attributes[] = {
        {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, PTX_MAX_THREADS},
        {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024},
        {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024},
        {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
        {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, INT32_MAX},
        {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
        {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, PTX_SHARED_DEFAULT},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, PTX_SHARED_OPT_IN},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 164 << 10},
        {CU_DEVICE_ATTRIBUTE_WARP_SIZE, PTX_LANES},
        {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 65536},
        {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536},
        {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1000000},
        {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, 1000000},
        {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 5120},
        {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 40 << 20},
        {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 108},
        {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048},
        {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, cuda_state.arch / 10},
        {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, cuda_state.arch % 10},
        {CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, 1},
    };
    if (device < 0 || device >= cuda_state.n_devices)
        return CUDA_ERROR_INVALID_DEVICE;
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (attributes[i].attribute == attribute) {
            *out_value = attributes[i].value;
            return CUDA_SUCCESS;
        }
    return CUDA_ERROR_INVALID_VALUE;
}

/* ---- the context ---- */

CUDA_EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *out_context, CUdevice device)
{
    struct cuda_state *c = &cuda_state;
    if (!c->initialized)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (device < 0 || device >= c->n_devices)
        return CUDA_ERROR_INVALID_DEVICE;
    cuda_lock();
    if (!c->memory) {
        c->memory = ptx_memory_create(c->memory_bytes);
        if (!c->memory)
            return cuda_unlock(CUDA_ERROR_OUT_OF_MEMORY);
    }
    c->n_retained++;
    *out_context = &primary;
    return cuda_unlock(CUDA_SUCCESS);
}

/* With the last user all that belongs to the context goes. */
static void reset(struct cuda_state *c)
{
    if (!c->sticky)
        cuda_finish_all();
    while (c->modules) {
        struct CUmod_st *m = c->modules;
        c->modules = m->next;
        ptx_unload(m->module);
        free(m);
    }
    while (c->streams) {
        struct CUstream_st *s = c->streams;
        c->streams = s->next;
        for (size_t i = 0; i < s->n_ops; i++)
            cuda_release_op(&s->ops[i]);
        free(s->ops);
        free(s);
    }
    free(c->legacy.ops);
    c->legacy = (struct CUstream_st){0};
    while (c->events) {
        struct CUevent_st *e = c->events;
        c->events = e->next;
        free(e);
    }
    while (c->host) {
        struct host_allocation *h = c->host;
        c->host = h->next;
        free(h->pointer);
        free(h);
    }
    ptx_memory_destroy(c->memory);
    c->memory = NULL;
    c->sticky = CUDA_SUCCESS;
}

CUDA_EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    cuda_lock();
    if (device < 0 || device >= cuda_state.n_devices || cuda_state.n_retained == 0)
        return cuda_unlock(CUDA_ERROR_INVALID_CONTEXT);
    if (--cuda_state.n_retained == 0)
        reset(&cuda_state);
    return cuda_unlock(CUDA_SUCCESS);
}

CUDA_EXPORT CUresult cuCtxPushCurrent_v2(CUcontext context)
{
    if (context != &primary || cuda_state.n_retained == 0 || depth == MAX_STACK)
        return CUDA_ERROR_INVALID_CONTEXT;
    stack[depth++] = context;
    return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult cuCtxPopCurrent_v2(CUcontext *out_context)
{
    if (depth == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    depth--;
    if (out_context)
        *out_context = stack[depth];
    return CUDA_SUCCESS;
}

/* ---- errors ---- */

static const struct {
    CUresult result;
    const char *name, *text;
} errors[] = {
#define ERROR(name, text) {CUDA_##name, "CUDA_" #name, text}
    ERROR(SUCCESS, "no error"),
    ERROR(ERROR_INVALID_VALUE, "invalid argument"),
    ERROR(ERROR_OUT_OF_MEMORY, "out of memory"),
    ERROR(ERROR_NOT_INITIALIZED, "initialization error"),
    ERROR(ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
    ERROR(ERROR_INVALID_DEVICE, "invalid device ordinal"),
    ERROR(ERROR_INVALID_IMAGE, "device kernel image is invalid"),
    ERROR(ERROR_INVALID_CONTEXT, "invalid device context"),
    ERROR(ERROR_NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device"),
    ERROR(ERROR_INVALID_PTX, "a PTX JIT compilation failed"),
    ERROR(ERROR_UNSUPPORTED_PTX_VERSION, "the provided PTX has an unsupported version"),
    ERROR(ERROR_INVALID_HANDLE, "invalid resource handle"),
    ERROR(ERROR_NOT_FOUND, "named symbol not found"),
    ERROR(ERROR_NOT_READY, "device not ready"),
    ERROR(ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
    ERROR(ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch"),
    ERROR(ERROR_MISALIGNED_ADDRESS, "misaligned address"),
    ERROR(ERROR_LAUNCH_FAILED, "unspecified launch failure"),
    ERROR(ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, "too many blocks in cooperative launch"),
    ERROR(ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"),
    ERROR(ERROR_STREAM_CAPTURE_INVALIDATED,
          "operation failed due to a previous error in a capture"),
    ERROR(ERROR_STREAM_CAPTURE_UNMATCHED, "the capture was not begun in this stream"),
    ERROR(ERROR_STREAM_CAPTURE_UNJOINED, "the capture has work that was not joined"),
#undef ERROR
};

CUDA_EXPORT CUresult cuGetErrorName(CUresult result, const char **out_name)
{
    *out_name = NULL;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].result == result)
            *out_name = errors[i].name;
    return *out_name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* Of a launch or load that failed, the simulator's sentence. */
CUDA_EXPORT CUresult cuGetErrorString(CUresult result, const char **out_text)
{
    *out_text = NULL;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].result == result)
            *out_text = errors[i].text;
    if (result && result == cuda_state.error_of)
        *out_text = cuda_state.error.text;
    return *out_text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* ---- what CUDA does not have ---- */

CUDA_EXPORT const char *sim_error(void)
{
    return cuda_state.error.text;
}

CUDA_EXPORT void sim_counters(struct sim_counters *out)
{
    const struct cuda_state *c = &cuda_state;
    cuda_lock();
    *out = c->counters;
    out->contexts = (uint64_t)c->n_retained;
    for (const struct CUmod_st *m = c->modules; m; m = m->next)
        out->modules++;
    for (const struct CUstream_st *s = c->streams; s; s = s->next)
        out->streams += !s->destroyed;
    for (const struct CUevent_st *e = c->events; e; e = e->next)
        out->events += !e->destroyed;
    for (const struct host_allocation *h = c->host; h; h = h->next)
        out->host_allocations++;
    for (size_t i = 0; c->memory && i < c->memory->n_allocations; i++) {
        const struct ptx_allocation *a = &c->memory->allocations[i];
        out->allocations += !a->freed && a->owner == PTX_OWNER_CLIENT;
    }
    if (c->memory) {
        out->bytes = c->memory->in_use_bytes;
        if (c->memory->peak_bytes > out->peak_bytes)
            out->peak_bytes = c->memory->peak_bytes;
    }
    cuda_unlock(CUDA_SUCCESS);
}
