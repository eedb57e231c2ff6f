/*
 * What the allocator's hooks do by themselves.  They are one pair for all libraries of a program,
 * so they know of none, and open the driver's library each time: it is there by then, and what
 * takes long is the allocation.
 */
#include <dlfcn.h>
#include <string.h>

#include "gpu_runtime/driver.h"
#include "gpu_runtime/library/library.h"

#define FIND(library, name) find(library, #name, &name, sizeof name)

/* POSIX promises that functions fit into data pointers; C has no cast for it. */
static int find(void *library, const char *symbol, void *out_function, size_t size)
{
    void *function = dlsym(library, symbol);
    memcpy(out_function, &function, size);
    return function != NULL;
}

static void *open_driver(void)
{
    return dlopen(DRIVER_LIBRARY, RTLD_NOW | RTLD_LOCAL);
}

void *GPU_LIBRARY(malloc)(size_t size)
{
    CUresult (*cuMemAlloc_v2)(CUdeviceptr *, size_t) = NULL;
    CUdeviceptr at = 0;
    void *library = open_driver();
    if (!library)
        return NULL;
    if (!FIND(library, cuMemAlloc_v2) || cuMemAlloc_v2(&at, size) != CUDA_SUCCESS)
        at = 0;
    dlclose(library);
    return (void *)(uintptr_t)at;
}

/* Under any context the driver tells which one the memory belongs to; it is given back under that.
 */
static int give_back(void *library, CUdeviceptr at)
{
    CUresult (*cuPointerGetAttribute)(void *, int, CUdeviceptr) = NULL;
    CUresult (*cuCtxPushCurrent_v2)(CUcontext) = NULL;
    CUresult (*cuCtxPopCurrent_v2)(CUcontext *) = NULL;
    CUresult (*cuMemFree_v2)(CUdeviceptr) = NULL;
    CUcontext own = NULL;
    if (!FIND(library, cuPointerGetAttribute) || !FIND(library, cuCtxPushCurrent_v2) ||
        !FIND(library, cuCtxPopCurrent_v2) || !FIND(library, cuMemFree_v2) ||
        cuPointerGetAttribute(&own, CU_POINTER_ATTRIBUTE_CONTEXT, at) != CUDA_SUCCESS ||
        cuCtxPushCurrent_v2(own) != CUDA_SUCCESS)
        return 0;
    cuMemFree_v2(at);
    cuCtxPopCurrent_v2(&own);
    return 1;
}

/* In a thread that has no context, as one that never called the device. */
static void give_back_anywhere(void *library, CUdeviceptr at)
{
    CUresult (*cuCtxPushCurrent_v2)(CUcontext) = NULL;
    CUresult (*cuCtxPopCurrent_v2)(CUcontext *) = NULL;
    CUresult (*cuDevicePrimaryCtxRetain)(CUcontext *, CUdevice) = NULL;
    CUresult (*cuDevicePrimaryCtxRelease_v2)(CUdevice) = NULL;
    CUresult (*cuDeviceGet)(CUdevice *, int) = NULL;
    CUdevice first = 0;
    CUcontext some = NULL;
    if (!FIND(library, cuCtxPushCurrent_v2) || !FIND(library, cuCtxPopCurrent_v2) ||
        !FIND(library, cuDevicePrimaryCtxRetain) || !FIND(library, cuDevicePrimaryCtxRelease_v2) ||
        !FIND(library, cuDeviceGet) || cuDeviceGet(&first, 0) != CUDA_SUCCESS ||
        cuDevicePrimaryCtxRetain(&some, first) != CUDA_SUCCESS)
        return;
    if (cuCtxPushCurrent_v2(some) == CUDA_SUCCESS) {
        give_back(library, at);
        cuCtxPopCurrent_v2(&some);
    }
    cuDevicePrimaryCtxRelease_v2(first);
}

void GPU_LIBRARY(free)(void *block)
{
    CUdeviceptr at = (CUdeviceptr)(uintptr_t)block;
    void *library = block ? open_driver() : NULL;
    if (!library)
        return;
    if (!give_back(library, at))
        give_back_anywhere(library, at);
    dlclose(library);
}
