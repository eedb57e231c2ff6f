/* A run of a library's function in a context. */
#include "gpu_runtime/library/run.h"

#include <string.h>

enum { STATE_WORDS = 4 }; /* of a random operator: {key, counter}, two numbers of 64 bits */

static enum sheaf_status status_of(CUresult r)
{
    return r == CUDA_SUCCESS               ? SHEAF_OK
           : r == CUDA_ERROR_OUT_OF_MEMORY ? SHEAF_ERROR_MEMORY
                                           : SHEAF_ERROR_DEVICE;
}

/* ---- tensors ---- */

/* Where it lies in the context. */
static CUdeviceptr place_of(const struct library_context *c, uint32_t tensor)
{
    const struct BundleConfig *config = c->network->of->config;
    int area = tensor >= config->numSymbols ? AREA_ACTIVATIONS : AREA_MUTABLES;
    return c->gpu.area[area] + config->symbolTable[tensor].offset;
}

static const struct sheaf_symbol_info *info_of(const struct library_context *c, uint32_t tensor)
{
    return &c->network->of->info->symbols[tensor];
}

static size_t dense_bytes(const struct sheaf_symbol_info *t, const int64_t *dims)
{
    uint64_t bits = rt_dtype_bits((enum sheaf_dtype)t->dtype);
    for (uint32_t d = 0; d < t->rank; d++)
        bits *= (uint64_t)dims[d];
    return (size_t)((bits + 7) / 8);
}

static void bounds(const struct sheaf_symbol_info *t, int64_t *dims)
{
    for (uint32_t d = 0; d < t->rank; d++)
        dims[d] = (int64_t)t->dims[d];
}

/* The extents that the run has left among the activations; waits for it where there are some. */
static CUresult extents(const struct library_context *c, const struct sheaf_symbol_info *t,
                        CUstream stream, int64_t *dims)
{
    const struct cuda *cuda = &c->gpu.shared->driver.cuda;
    CUresult r = CUDA_SUCCESS;
    int any = 0;
    bounds(t, dims);
    for (uint32_t d = 0; t->extent_offsets && d < t->rank && r == CUDA_SUCCESS; d++) {
        if (t->extent_offsets[d] == UINT64_MAX)
            continue;
        any = 1;
        r = cuda->MemcpyDtoHAsync(&dims[d], c->gpu.area[AREA_ACTIVATIONS] + t->extent_offsets[d],
                                  sizeof dims[d], stream);
    }
    return any && r == CUDA_SUCCESS ? cuda->StreamSynchronize(stream) : r;
}

/* ---- state ---- */

/* Every sequence of random numbers has the seed as its key and counters of its own. */
static CUresult begin_streams(const struct library_context *c, CUstream stream)
{
    const struct device_network *n = c->network->of;
    const struct cuda *cuda = &c->gpu.shared->driver.cuda;
    unsigned words[STATE_WORDS] = {0};
    words[0] = (unsigned)__atomic_load_n(n->seed, __ATOMIC_RELAXED);
    words[3] = (unsigned)__atomic_fetch_add(n->streams, 1, __ATOMIC_RELAXED);
    CUresult r = CUDA_SUCCESS;
    for (uint32_t i = 0; i < n->n_random; i++)
        for (size_t k = 0; k < STATE_WORDS && r == CUDA_SUCCESS; k++)
            r = cuda->MemsetD32Async(place_of(c, n->random[i]) + 4 * k, words[k], 1, stream);
    return r;
}

static CUresult reset(const struct library_context *c, CUstream stream)
{
    const struct device_network *n = c->network->of;
    const struct cuda *cuda = &c->gpu.shared->driver.cuda;
    CUresult r = CUDA_SUCCESS;
    for (uint32_t i = 0; i < n->config->numSymbols && r == CUDA_SUCCESS; i++)
        if (n->config->symbolTable[i].kind == 1 && n->info->symbols[i].role == SHEAF_ROLE_STATE)
            r = cuda->MemsetD8Async(place_of(c, i), 0, (size_t)n->info->symbols[i].size_bytes,
                                    stream);
    return r == CUDA_SUCCESS && n->n_random ? begin_streams(c, stream) : r;
}

enum sheaf_status library_reset(const struct library_context *c)
{
    const struct driver *d = &c->gpu.shared->driver;
    enum sheaf_status status = driver_enter(d, NULL);
    if (status != SHEAF_OK)
        return status;
    CUresult r = reset(c, c->gpu.stream);
    if (r == CUDA_SUCCESS)
        r = d->cuda.StreamSynchronize(c->gpu.stream);
    driver_leave(d);
    return status_of(r);
}

/* ---- a run ---- */

/* Whether it can be the address of a tensor: memory of a device. */
static enum sheaf_status check_pointer(const struct library_context *c, const void *pointer)
{
    const struct cuda *cuda = &c->gpu.shared->driver.cuda;
    unsigned type = CU_MEMORYTYPE_HOST;
    CUresult r = cuda->PointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                           (CUdeviceptr)(uintptr_t)pointer);
    /* So the driver calls what it does not know. */
    if (r == CUDA_ERROR_INVALID_VALUE || (r == CUDA_SUCCESS && type != CU_MEMORYTYPE_DEVICE))
        return SHEAF_ERROR_ARGUMENT;
    return status_of(r);
}

static enum sheaf_status check_pointers(const struct library_context *c,
                                        const struct device_call *call)
{
    const struct device_network *n = c->network->of;
    enum sheaf_status status = SHEAF_OK;
    for (uint32_t i = 0; i < n->n_in && status == SHEAF_OK; i++)
        status = check_pointer(c, call->in[i]);
    for (uint32_t i = 0; i < n->n_out && status == SHEAF_OK; i++) {
        if (!call->out[i])
            return SHEAF_ERROR_ARGUMENT;
        if (call->kind != DEVICE_CALL_ALLOCATE)
            status = check_pointer(c, call->out[i]);
    }
    return status;
}

/* How many items there are, which is read from the device. */
static enum sheaf_status count_items(const struct library_context *c,
                                     const struct device_call *call, CUstream stream, int64_t *out)
{
    const struct device_network *n = c->network->of;
    const struct cuda *cuda = &c->gpu.shared->driver.cuda;
    CUdeviceptr at = (CUdeviceptr)(uintptr_t)call->in[n->items];
    CUresult r = cuda->MemcpyDtoHAsync(out, at, sizeof *out, stream);
    if (r == CUDA_SUCCESS)
        r = cuda->StreamSynchronize(stream);
    if (r != CUDA_SUCCESS)
        return status_of(r);
    return *out >= 1 && *out <= n->max_items ? SHEAF_OK : SHEAF_ERROR_SHAPE;
}

static enum sheaf_status copy_in(const struct library_context *c, const struct device_call *call,
                                 CUstream stream)
{
    const struct device_network *n = c->network->of;
    int64_t items = 0, dims[SHEAF_MAX_RANK];
    CUresult r = CUDA_SUCCESS;
    if (n->items != DEVICE_NONE) {
        enum sheaf_status status = count_items(c, call, stream, &items);
        if (status != SHEAF_OK)
            return status;
    }
    for (uint32_t i = 0; i < n->n_in && r == CUDA_SUCCESS; i++) {
        const struct sheaf_symbol_info *t = info_of(c, n->in[i]);
        bounds(t, dims);
        if (items && i != n->items && t->rank)
            dims[0] = items;
        size_t bytes = dense_bytes(t, dims);
        if (bytes)
            r = c->gpu.shared->driver.cuda.MemcpyDtoDAsync(
                place_of(c, n->in[i]), (CUdeviceptr)(uintptr_t)call->in[i], bytes, stream);
    }
    return status_of(r);
}

/* Where output i goes; its size is known. */
static void *memory_of(const struct library_context *c, const struct device_call *call, uint32_t i,
                       size_t bytes)
{
    if (call->kind != DEVICE_CALL_ALLOCATE)
        return call->out[i];
    /* An empty result is a block to free, too. */
    return c->network->library->networks->allocate(bytes ? bytes : 1);
}

static enum sheaf_status copy_output(const struct library_context *c,
                                     const struct device_call *call, uint32_t i, CUstream stream)
{
    uint32_t tensor = c->network->of->out[i];
    const struct sheaf_symbol_info *t = info_of(c, tensor);
    int64_t dims[SHEAF_MAX_RANK];
    CUresult r = extents(c, t, stream, dims);
    if (r != CUDA_SUCCESS)
        return status_of(r);
    size_t bytes = dense_bytes(t, dims);
    void *to = memory_of(c, call, i, bytes);
    if (!to)
        return SHEAF_ERROR_MEMORY;
    if (bytes)
        r = c->gpu.shared->driver.cuda.MemcpyDtoDAsync((CUdeviceptr)(uintptr_t)to,
                                                       place_of(c, tensor), bytes, stream);
    if (call->kind == DEVICE_CALL_ALLOCATE)
        memcpy(call->out[i], &to, sizeof to);
    if (call->dims && call->dims[i])
        memcpy(call->dims[i], dims, t->rank * sizeof *dims);
    return status_of(r);
}

/* The legacy default stream, and with it all streams that wait for it, come before. */
static CUresult follow_others(const struct library_context *c)
{
    const struct cuda *cuda = &c->gpu.shared->driver.cuda;
    CUresult r = cuda->EventRecord(c->event, NULL);
    return r == CUDA_SUCCESS ? cuda->StreamWaitEvent(c->gpu.stream, c->event, 0) : r;
}

static enum sheaf_status run_entered(struct library_context *c, const struct device_call *call,
                                     int anew)
{
    int waits = call->kind != DEVICE_CALL_QUEUE;
    CUstream stream = waits ? c->gpu.stream : call->stream;
    enum sheaf_status status = check_pointers(c, call);
    if (status == SHEAF_OK && waits)
        status = status_of(follow_others(c));
    if (status == SHEAF_OK)
        status = status_of(plan_begin(&c->gpu, stream));
    if (status == SHEAF_OK && anew)
        status = status_of(reset(c, stream));
    if (status == SHEAF_OK)
        status = copy_in(c, call, stream);
    if (status == SHEAF_OK)
        status = plan_run(&c->gpu, stream, NULL);
    for (uint32_t i = 0; i < c->network->of->n_out && status == SHEAF_OK; i++)
        status = copy_output(c, call, i, stream);
    /* What was queued before a failure is still to be waited for. */
    CUresult ended = plan_end(&c->gpu, stream);
    if (status == SHEAF_OK)
        status = status_of(ended);
    if (!waits)
        return status;
    /* After a fault, too: the caller's memory is not in use any more. */
    enum sheaf_status finished =
        status_of(c->gpu.shared->driver.cuda.StreamSynchronize(c->gpu.stream));
    return status == SHEAF_OK ? finished : status;
}

enum sheaf_status library_run(struct library_context *c, const struct device_call *call, int anew)
{
    const struct driver *d = &c->gpu.shared->driver;
    enum sheaf_status status = driver_enter(d, NULL);
    if (status != SHEAF_OK)
        return status;
    status = run_entered(c, call, anew);
    driver_leave(d);
    return status;
}
