/*
 * The simulated driver: memory of the device and pinned memory of the host.
 */
#include <stdlib.h>

#include "tests/sim/cuda_state.h"

enum { HOST_ALIGN = 4096 };

CUresult cuda_check_memory(void)
{
    uint64_t *left = &cuda_state.fail_memory;
    return *left > 0 && --*left == 0 ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
}

CUDA_EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *out_pointer, size_t n_bytes)
{
    CUresult r = cuda_enter();
    if (!r)
        r = cuda_check_capture();
    if (!r)
        r = cuda_check_memory();
    if (r || n_bytes == 0)
        return cuda_unlock(r ? r : CUDA_ERROR_INVALID_VALUE);
    CUdeviceptr p = ptx_memory_alloc(cuda_state.memory, n_bytes, PTX_OWNER_CLIENT);
    if (!p)
        return cuda_unlock(CUDA_ERROR_OUT_OF_MEMORY);
    *out_pointer = p;
    return cuda_unlock(CUDA_SUCCESS);
}

/* Waits for all that is under way. */
CUDA_EXPORT CUresult cuMemFree_v2(CUdeviceptr pointer)
{
    CUresult r = cuda_enter();
    if (!r)
        r = cuda_check_capture();
    if (!r && pointer)
        r = cuda_finish_all();
    if (!r && pointer && !ptx_memory_free(cuda_state.memory, pointer))
        r = CUDA_ERROR_INVALID_VALUE;
    return cuda_unlock(r);
}

CUDA_EXPORT CUresult cuMemGetInfo_v2(size_t *out_free_bytes, size_t *out_total_bytes)
{
    CUresult r = cuda_enter();
    if (!r) {
        *out_total_bytes = cuda_state.memory->limit_bytes;
        *out_free_bytes = cuda_state.memory->limit_bytes - cuda_state.memory->in_use_bytes;
    }
    return cuda_unlock(r);
}

CUDA_EXPORT CUresult cuMemHostAlloc(void **out_pointer, size_t n_bytes, unsigned flags)
{
    CUresult r = cuda_enter();
    if (!r)
        r = cuda_check_memory();
    if (r || n_bytes == 0 || flags & ~7u)
        return cuda_unlock(r ? r : CUDA_ERROR_INVALID_VALUE);
    struct host_allocation *h = cuda_need(calloc(1, sizeof *h));
    size_t rounded = (n_bytes + HOST_ALIGN - 1) / HOST_ALIGN * HOST_ALIGN;
    h->pointer = cuda_need(aligned_alloc(HOST_ALIGN, rounded));
    h->n_bytes = n_bytes;
    h->next = cuda_state.host;
    cuda_state.host = h;
    *out_pointer = h->pointer;
    return cuda_unlock(CUDA_SUCCESS);
}

struct host_allocation *cuda_find_host(const void *pointer)
{
    uintptr_t p = (uintptr_t)pointer;
    for (struct host_allocation *h = cuda_state.host; h; h = h->next)
        if (p - (uintptr_t)h->pointer < h->n_bytes)
            return h;
    return NULL;
}

CUDA_EXPORT CUresult cuMemFreeHost(void *pointer)
{
    CUresult r = cuda_enter();
    if (!r)
        r = cuda_finish_all();
    struct host_allocation **last = &cuda_state.host;
    while (*last && (*last)->pointer != pointer)
        last = &(*last)->next;
    if (r || !*last)
        return cuda_unlock(r ? r : CUDA_ERROR_INVALID_VALUE);
    struct host_allocation *h = *last;
    *last = h->next;
    free(h->pointer);
    free(h);
    return cuda_unlock(CUDA_SUCCESS);
}

CUDA_EXPORT CUresult cuPointerGetAttribute(void *out_value, int attribute, CUdeviceptr pointer)
{
    CUresult r = cuda_enter();
    if (r)
        return cuda_unlock(r);
    const struct ptx_allocation *a = ptx_memory_find(cuda_state.memory, pointer);
    bool device = a && !a->freed, host = cuda_find_host((void *)(uintptr_t)pointer) != NULL;
    if (!device && !host)
        return cuda_unlock(CUDA_ERROR_INVALID_VALUE);
    switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
        *(CUcontext *)out_value = cuda_primary;
        break;
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        *(unsigned *)out_value = device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
        break;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
        *(int *)out_value = 0;
        break;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
        *(CUdeviceptr *)out_value = pointer;
        r = device ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
        break;
    default:
        r = CUDA_ERROR_INVALID_VALUE;
    }
    return cuda_unlock(r);
}

/* ---- copies and fills ---- */

static bool holds(CUdeviceptr pointer, uint64_t n_bytes)
{
    return ptx_memory_holds(cuda_state.memory, pointer, n_bytes);
}

static CUresult submit(CUresult entered, bool fits, CUstream stream, const struct op *op)
{
    if (!entered && !fits)
        entered = CUDA_ERROR_INVALID_VALUE;
    return cuda_unlock(entered ? entered : cuda_submit(stream, op));
}

CUDA_EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t n_bytes,
                                          CUstream stream)
{
    CUresult r = cuda_enter();
    struct op op = {.kind = OP_TO_DEVICE, .to = to, .host = (void *)(uintptr_t)from, .n = n_bytes};
    return submit(r, !r && holds(to, n_bytes), stream, &op);
}

CUDA_EXPORT CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t n_bytes,
                                          CUstream stream)
{
    CUresult r = cuda_enter();
    struct op op = {.kind = OP_TO_HOST, .from = from, .host = to, .n = n_bytes};
    return submit(r, !r && holds(from, n_bytes), stream, &op);
}

CUDA_EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t n_bytes,
                                          CUstream stream)
{
    CUresult r = cuda_enter();
    struct op op = {.kind = OP_ON_DEVICE, .to = to, .from = from, .n = n_bytes};
    return submit(r, !r && holds(to, n_bytes) && holds(from, n_bytes), stream, &op);
}

CUDA_EXPORT CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t n, CUstream stream)
{
    CUresult r = cuda_enter();
    struct op op = {.kind = OP_FILL, .to = to, .value = value, .value_bytes = 1, .n = n};
    return submit(r, !r && holds(to, n), stream, &op);
}

CUDA_EXPORT CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t n, CUstream stream)
{
    CUresult r = cuda_enter();
    struct op op = {.kind = OP_FILL, .to = to, .value = value, .value_bytes = 4, .n = n};
    return submit(r, !r && to % 4 == 0 && n <= UINT64_MAX / 4 && holds(to, 4 * n), stream, &op);
}
