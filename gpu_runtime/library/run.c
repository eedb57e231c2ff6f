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

static const struct device_network *network_of(const struct library_run *c)
{
    return c->common.network->of;
}

/* Where it lies in the context. */
static CUdeviceptr place_of(const struct library_run *c, uint32_t tensor)
{
    return library_place(c->common.network, c->gpu.area, tensor);
}

/* The extents that the run has left among the activations; waits for it where there are some. */
static CUresult extents(const struct library_run *c, const struct sheaf_symbol_info *t,
                        CUstream stream, int64_t *dims)
{
    const struct cuda *cuda = &c->gpu.shared->driver.cuda;
    CUresult r = CUDA_SUCCESS;
    int any = 0;
    library_bounds(t, dims);
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
static CUresult begin_streams(const struct library_run *c, CUstream stream)
{
    const struct device_network *n = network_of(c);
    const struct cuda *cuda = &c->gpu.shared->driver.cuda;
    uint64_t state[2];
    library_begin_stream(c->common.network, state);
    const unsigned words[STATE_WORDS] = {
        (unsigned)(state[0] & UINT32_MAX), (unsigned)(state[0] >> 32),
        (unsigned)(state[1] & UINT32_MAX), (unsigned)(state[1] >> 32)};
    CUresult r = CUDA_SUCCESS;
    for (uint32_t i = 0; i < n->n_random; i++)
        for (size_t k = 0; k < STATE_WORDS && r == CUDA_SUCCESS; k++)
            r = cuda->MemsetD32Async(place_of(c, n->random[i]) + 4 * k, words[k], 1, stream);
    return r;
}

static CUresult reset(const struct library_run *c, CUstream stream)
{
    const struct device_network *n = network_of(c);
    const struct cuda *cuda = &c->gpu.shared->driver.cuda;
    CUresult r = CUDA_SUCCESS;
    for (uint32_t i = 0; i < n->config->numSymbols && r == CUDA_SUCCESS; i++)
        if (n->config->symbolTable[i].kind == 1 && n->info->symbols[i].role == SHEAF_ROLE_STATE)
            r = cuda->MemsetD8Async(place_of(c, i), 0, (size_t)n->info->symbols[i].size_bytes,
                                    stream);
    return r == CUDA_SUCCESS && n->n_random ? begin_streams(c, stream) : r;
}

enum sheaf_status library_run_reset(struct library_context *common)
{
    const struct library_run *c = library_run_of(common);
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
static enum sheaf_status check_pointer(const struct library_run *c, const void *pointer)
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

static enum sheaf_status check_pointers(const struct library_run *c, const struct device_call *call)
{
    const struct device_network *n = network_of(c);
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
static enum sheaf_status count_items(const struct library_run *c, const struct device_call *call,
                                     CUstream stream, int64_t *out)
{
    const struct device_network *n = network_of(c);
    const struct cuda *cuda = &c->gpu.shared->driver.cuda;
    CUdeviceptr at = (CUdeviceptr)(uintptr_t)call->in[n->items];
    CUresult r = cuda->MemcpyDtoHAsync(out, at, sizeof *out, stream);
    if (r == CUDA_SUCCESS)
        r = cuda->StreamSynchronize(stream);
    return r == CUDA_SUCCESS ? library_check_items(c->common.network, *out) : status_of(r);
}

static enum sheaf_status copy_in(const struct library_run *c, const struct device_call *call,
                                 CUstream stream)
{
    const struct device_network *n = network_of(c);
    int64_t items = 0;
    CUresult r = CUDA_SUCCESS;
    if (n->items != DEVICE_NONE) {
        enum sheaf_status status = count_items(c, call, stream, &items);
        if (status != SHEAF_OK)
            return status;
    }
    for (uint32_t i = 0; i < n->n_in && r == CUDA_SUCCESS; i++) {
        size_t bytes = library_input_bytes(c->common.network, i, items);
        if (bytes)
            r = c->gpu.shared->driver.cuda.MemcpyDtoDAsync(
                place_of(c, n->in[i]), (CUdeviceptr)(uintptr_t)call->in[i], bytes, stream);
    }
    return status_of(r);
}

static enum sheaf_status copy_output(const struct library_run *c, const struct device_call *call,
                                     uint32_t i, CUstream stream)
{
    uint32_t tensor = network_of(c)->out[i];
    const struct sheaf_symbol_info *t = library_tensor(c->common.network, tensor);
    int64_t dims[SHEAF_MAX_RANK];
    void *to = NULL;
    size_t bytes = 0;
    CUresult r = extents(c, t, stream, dims);
    if (r != CUDA_SUCCESS)
        return status_of(r);
    enum sheaf_status status = library_output(c->common.network, call, i, dims, &to, &bytes);
    if (status == SHEAF_OK && bytes)
        r = c->gpu.shared->driver.cuda.MemcpyDtoDAsync((CUdeviceptr)(uintptr_t)to,
                                                       place_of(c, tensor), bytes, stream);
    return status == SHEAF_OK ? status_of(r) : status;
}

/* The legacy default stream, and with it all streams that wait for it, come before. */
static CUresult follow_others(const struct library_run *c)
{
    const struct cuda *cuda = &c->gpu.shared->driver.cuda;
    CUresult r = cuda->EventRecord(c->event, NULL);
    return r == CUDA_SUCCESS ? cuda->StreamWaitEvent(c->gpu.stream, c->event, 0) : r;
}

static enum sheaf_status run_entered(struct library_run *c, const struct device_call *call,
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
    for (uint32_t i = 0; i < network_of(c)->n_out && status == SHEAF_OK; i++)
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

enum sheaf_status library_run_call(struct library_context *common, const struct device_call *call,
                                   int anew)
{
    struct library_run *c = library_run_of(common);
    const struct driver *d = &c->gpu.shared->driver;
    enum sheaf_status status = driver_enter(d, NULL);
    if (status != SHEAF_OK)
        return status;
    status = run_entered(c, call, anew);
    driver_leave(d);
    return status;
}
