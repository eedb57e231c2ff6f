/*
 * cuda.h: what the CUDA driver API looks like from outside, as far as it is used here.
 *
 * NVIDIA's driver brings libcuda.so.1; it is opened at run time, so neither a build nor a user
 * needs the CUDA toolkit.  Here stand only facts of that interface (types, numbers, names of
 * symbols), as the "CUDA Driver API" reference documents them.  Where a function was replaced by
 * one of the same name, the symbol has a version (cuMemAlloc_v2), and the table names that one. C99
 * and C++.
 */
#ifndef SHEAF_GPU_RUNTIME_CUDA_H
#define SHEAF_GPU_RUNTIME_CUDA_H

#include <stddef.h>
#include <stdint.h>

typedef int CUresult;
typedef int CUdevice;
typedef uint64_t CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
typedef void (*CUhostFn)(void *argument);

enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_INITIALIZED = 3,
    CUDA_ERROR_STUB_LIBRARY = 34,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
    CUDA_ERROR_INVALID_PTX = 218,
    CUDA_ERROR_JIT_COMPILER_NOT_FOUND = 221,
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
    CUDA_ERROR_INVALID_HANDLE = 400,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_NOT_READY = 600,
    CUDA_ERROR_ILLEGAL_ADDRESS = 700,
    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
    CUDA_ERROR_LAUNCH_TIMEOUT = 702,
    CUDA_ERROR_MISALIGNED_ADDRESS = 716,
    CUDA_ERROR_LAUNCH_FAILED = 719,
    CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE = 720,
    CUDA_ERROR_NOT_SUPPORTED = 801,
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
    CUDA_ERROR_STREAM_CAPTURE_UNMATCHED = 903,
    CUDA_ERROR_STREAM_CAPTURE_UNJOINED = 904,
    CUDA_ERROR_UNKNOWN = 999
};

/* CUdevice_attribute. */
enum {
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1,
    CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X = 2,
    CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y = 3,
    CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z = 4,
    CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X = 5,
    CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y = 6,
    CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z = 7,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK = 8,
    CU_DEVICE_ATTRIBUTE_WARP_SIZE = 10,
    CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK = 12,
    CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13,
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
    CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE = 36,
    CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH = 37,
    CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38,
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR = 39,
    CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING = 41,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR = 81,
    CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR = 82,
    CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH = 95,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97
};

/* CUfunction_attribute, CUpointer_attribute and CUmemorytype. */
enum {
    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
    CU_POINTER_ATTRIBUTE_CONTEXT = 1,
    CU_POINTER_ATTRIBUTE_MEMORY_TYPE = 2,
    CU_POINTER_ATTRIBUTE_DEVICE_POINTER = 3,
    CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL = 9,
    CU_MEMORYTYPE_HOST = 1,
    CU_MEMORYTYPE_DEVICE = 2
};

/* CUjit_option; the sizes are values in the place of a pointer, and are replaced by what was used.
 */
enum {
    CU_JIT_INFO_LOG_BUFFER = 3,
    CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES = 4,
    CU_JIT_ERROR_LOG_BUFFER = 5,
    CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
    CU_JIT_LOG_VERBOSE = 12
};

/* Flags of streams, events, pinned host memory and captures. */
enum {
    CU_STREAM_DEFAULT = 0,
    CU_STREAM_NON_BLOCKING = 1,
    CU_EVENT_DEFAULT = 0,
    CU_EVENT_DISABLE_TIMING = 2,
    CU_MEMHOSTALLOC_PORTABLE = 1,
    CU_STREAM_CAPTURE_MODE_GLOBAL = 0,
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1,
    CU_STREAM_CAPTURE_MODE_RELAXED = 2
};

/*
 * The functions: F(name, symbol, parameters), all returning CUresult.  Enumerations are passed as
 * int.  Grid and block are in blocks and threads, shared memory in bytes, times in milliseconds.
 */
#define CUDA_FUNCTIONS(F)                                                                          \
    F(Init, cuInit, (unsigned flags))                                                              \
    F(DriverGetVersion, cuDriverGetVersion, (int *out_version))                                    \
    F(DeviceGet, cuDeviceGet, (CUdevice * out_device, int ordinal))                                \
    F(DeviceGetCount, cuDeviceGetCount, (int *out_n))                                              \
    F(DeviceGetAttribute, cuDeviceGetAttribute, (int *out_value, int attribute, CUdevice device))  \
    F(DeviceGetName, cuDeviceGetName, (char *out_name, int n_chars, CUdevice device))              \
    F(DevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain,                                            \
      (CUcontext * out_context, CUdevice device))                                                  \
    F(DevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (CUdevice device))                    \
    F(CtxPushCurrent, cuCtxPushCurrent_v2, (CUcontext context))                                    \
    F(CtxPopCurrent, cuCtxPopCurrent_v2, (CUcontext * out_context))                                \
    F(CtxSynchronize, cuCtxSynchronize, (void))                                                    \
    F(ModuleLoadDataEx, cuModuleLoadDataEx,                                                        \
      (CUmodule * out_module, const void *image, unsigned n_options, int *options,                 \
       void **option_values))                                                                      \
    F(ModuleUnload, cuModuleUnload, (CUmodule module))                                             \
    F(ModuleGetFunction, cuModuleGetFunction,                                                      \
      (CUfunction * out_function, CUmodule module, const char *name))                              \
    F(FuncSetAttribute, cuFuncSetAttribute, (CUfunction function, int attribute, int value))       \
    F(OccupancyMaxActiveBlocksPerMultiprocessor, cuOccupancyMaxActiveBlocksPerMultiprocessor,      \
      (int *out_n_blocks, CUfunction function, int n_threads, size_t dynamic_shared_bytes))        \
    F(MemAlloc, cuMemAlloc_v2, (CUdeviceptr * out_pointer, size_t n_bytes))                        \
    F(MemFree, cuMemFree_v2, (CUdeviceptr pointer))                                                \
    F(MemGetInfo, cuMemGetInfo_v2, (size_t *out_free_bytes, size_t *out_total_bytes))              \
    F(MemHostAlloc, cuMemHostAlloc, (void **out_pointer, size_t n_bytes, unsigned flags))          \
    F(MemFreeHost, cuMemFreeHost, (void *pointer))                                                 \
    F(PointerGetAttribute, cuPointerGetAttribute,                                                  \
      (void *out_value, int attribute, CUdeviceptr pointer))                                       \
    F(MemcpyHtoDAsync, cuMemcpyHtoDAsync_v2,                                                       \
      (CUdeviceptr to, const void *from, size_t n_bytes, CUstream stream))                         \
    F(MemcpyDtoHAsync, cuMemcpyDtoHAsync_v2,                                                       \
      (void *to, CUdeviceptr from, size_t n_bytes, CUstream stream))                               \
    F(MemcpyDtoDAsync, cuMemcpyDtoDAsync_v2,                                                       \
      (CUdeviceptr to, CUdeviceptr from, size_t n_bytes, CUstream stream))                         \
    F(MemsetD8Async, cuMemsetD8Async,                                                              \
      (CUdeviceptr to, unsigned char value, size_t n, CUstream stream))                            \
    F(MemsetD32Async, cuMemsetD32Async,                                                            \
      (CUdeviceptr to, unsigned value, size_t n, CUstream stream))                                 \
    F(StreamCreate, cuStreamCreate, (CUstream * out_stream, unsigned flags))                       \
    F(StreamSynchronize, cuStreamSynchronize, (CUstream stream))                                   \
    F(StreamDestroy, cuStreamDestroy_v2, (CUstream stream))                                        \
    F(StreamWaitEvent, cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned flags))        \
    F(LaunchKernel, cuLaunchKernel,                                                                \
      (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,   \
       unsigned block_y, unsigned block_z, unsigned dynamic_shared_bytes, CUstream stream,         \
       void **parameters, void **extra))                                                           \
    F(LaunchCooperativeKernel, cuLaunchCooperativeKernel,                                          \
      (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,   \
       unsigned block_y, unsigned block_z, unsigned dynamic_shared_bytes, CUstream stream,         \
       void **parameters))                                                                         \
    F(LaunchHostFunc, cuLaunchHostFunc, (CUstream stream, CUhostFn function, void *argument))      \
    F(StreamBeginCapture, cuStreamBeginCapture_v2, (CUstream stream, int mode))                    \
    F(StreamEndCapture, cuStreamEndCapture, (CUstream stream, CUgraph * out_graph))                \
    F(GraphInstantiateWithFlags, cuGraphInstantiateWithFlags,                                      \
      (CUgraphExec * out_exec, CUgraph graph, unsigned long long flags))                           \
    F(GraphLaunch, cuGraphLaunch, (CUgraphExec exec, CUstream stream))                             \
    F(GraphExecDestroy, cuGraphExecDestroy, (CUgraphExec exec))                                    \
    F(GraphDestroy, cuGraphDestroy, (CUgraph graph))                                               \
    F(EventCreate, cuEventCreate, (CUevent * out_event, unsigned flags))                           \
    F(EventRecord, cuEventRecord, (CUevent event, CUstream stream))                                \
    F(EventSynchronize, cuEventSynchronize, (CUevent event))                                       \
    F(EventElapsedTime, cuEventElapsedTime, (float *out_ms, CUevent start, CUevent end))           \
    F(EventDestroy, cuEventDestroy_v2, (CUevent event))                                            \
    F(GetErrorName, cuGetErrorName, (CUresult result, const char **out_name))                      \
    F(GetErrorString, cuGetErrorString, (CUresult result, const char **out_text))

/* Pointers to them, as dlsym fills them by the names of the symbols. */
struct cuda {
#define CUDA_FIELD(name, symbol, parameters) CUresult(*name) parameters;
    CUDA_FUNCTIONS(CUDA_FIELD)
#undef CUDA_FIELD
};

#endif
