/*
 * The simulated driver: modules, functions and launches.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/cuda_state.h"

/* ---- modules ---- */

/* The newest PTX that a driver knows: 7.x with CUDA 11.x, 8.x with 12.x. */
static int newest_ptx(int driver)
{
    int major = driver / 1000, minor = driver % 1000 / 10;
    return (major - 4) * 10 + minor;
}

struct jit_log {
    char *text;
    size_t size;
    void **used;
};

/* The options that matter: where the log of errors goes. */
static struct jit_log find_log(unsigned n, const int *options, void **values)
{
    struct jit_log log = {0};
    for (unsigned i = 0; i < n; i++) {
        if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
            log.text = values[i];
        if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) {
            log.size = (size_t)(uintptr_t)values[i];
            log.used = &values[i];
        }
    }
    return log;
}

static CUresult fail_load(const struct jit_log *log, const struct error *err, CUresult result)
{
    if (log->text && log->size > 0) {
        int n = snprintf(log->text, log->size, "%s", err->text);
        *log->used = (void *)((size_t)n < log->size ? (uintptr_t)n : (uintptr_t)log->size - 1);
    }
    return cuda_fail(err, result);
}

static CUresult load(CUmodule *out_module, const char *text, const struct jit_log *log)
{
    struct cuda_state *c = &cuda_state;
    struct error err;
    error_init(&err);
    if (c->fail_load > 0 && --c->fail_load == 0) {
        error_set(&err, SHEAF_ERROR_DEVICE, "this load was told to fail");
        return fail_load(log, &err, CUDA_ERROR_INVALID_PTX);
    }
    struct ptx_module *m = ptx_load(c->memory, text, &err);
    if (!m)
        return fail_load(log, &err, CUDA_ERROR_INVALID_PTX);
    CUresult r = m->target > c->arch                          ? CUDA_ERROR_NO_BINARY_FOR_GPU
                 : m->version > newest_ptx(c->driver_version) ? CUDA_ERROR_UNSUPPORTED_PTX_VERSION
                                                              : CUDA_SUCCESS;
    if (r) {
        error_set(&err, SHEAF_ERROR_DEVICE, "PTX %d.%d for sm_%d is too new", m->version / 10,
                  m->version % 10, m->target);
        ptx_unload(m);
        return fail_load(log, &err, r);
    }
    struct CUmod_st *module = cuda_need(calloc(1, sizeof *module));
    module->module = m;
    module->next = c->modules;
    c->modules = module;
    c->counters.module_loads++;
    *out_module = module;
    return CUDA_SUCCESS;
}

/* A cubin is an ELF file, and is not simulated. */
CUDA_EXPORT CUresult cuModuleLoadDataEx(CUmodule *out_module, const void *image, unsigned n_options,
                                        int *options, void **option_values)
{
    CUresult r = cuda_enter();
    if (!r)
        r = cuda_check_capture();
    if (r || !image)
        return cuda_unlock(r ? r : CUDA_ERROR_INVALID_VALUE);
    if (memcmp(image, "\177ELF", 4) == 0)
        return cuda_unlock(CUDA_ERROR_NO_BINARY_FOR_GPU);
    struct jit_log log = find_log(n_options, options, option_values);
    return cuda_unlock(load(out_module, image, &log));
}

CUDA_EXPORT CUresult cuModuleUnload(CUmodule module)
{
    CUresult r = cuda_enter();
    if (!r)
        r = cuda_finish_all();
    struct CUmod_st **last = &cuda_state.modules;
    while (*last && *last != module)
        last = &(*last)->next;
    if (r || !*last)
        return cuda_unlock(r ? r : CUDA_ERROR_INVALID_HANDLE);
    *last = module->next;
    ptx_unload(module->module);
    free(module);
    return cuda_unlock(CUDA_SUCCESS);
}

/* ---- functions: a handle is the kernel itself ---- */

/* NULL where no module has it. */
static struct ptx_function *kernel_of(CUfunction function)
{
    for (const struct CUmod_st *m = cuda_state.modules; m; m = m->next)
        for (struct ptx_function *f = m->module->functions; f; f = f->next)
            if ((void *)f == (void *)function)
                return f;
    return NULL;
}

CUDA_EXPORT CUresult cuModuleGetFunction(CUfunction *out_function, CUmodule module,
                                         const char *name)
{
    CUresult r = cuda_enter();
    struct ptx_function *f = r ? NULL : ptx_find(module->module, name);
    if (!r && !f)
        r = CUDA_ERROR_NOT_FOUND;
    if (!r)
        *out_function = (CUfunction)(void *)f;
    return cuda_unlock(r);
}

CUDA_EXPORT CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value)
{
    CUresult r = cuda_enter();
    struct ptx_function *f = r ? NULL : kernel_of(function);
    if (!r && !f)
        r = CUDA_ERROR_INVALID_HANDLE;
    if (!r && (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
               (uint64_t)value + f->shared_bytes > PTX_SHARED_OPT_IN))
        r = CUDA_ERROR_INVALID_VALUE;
    if (!r)
        f->dynamic_shared = (unsigned)value;
    return cuda_unlock(r);
}

/* By threads, blocks and shared memory; registers are not known. */
CUDA_EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *out_n_blocks,
                                                                 CUfunction function, int n_threads,
                                                                 size_t dynamic_shared_bytes)
{
    enum { SM_THREADS = 2048, SM_BLOCKS = 32, SM_SHARED = 164 << 10, RESERVED = 1 << 10 };
    CUresult r = cuda_enter();
    const struct ptx_function *f = r ? NULL : kernel_of(function);
    if (!r && !f)
        r = CUDA_ERROR_INVALID_HANDLE;
    if (!r && (n_threads <= 0 || n_threads > PTX_MAX_THREADS))
        r = CUDA_ERROR_INVALID_VALUE;
    if (r)
        return cuda_unlock(r);
    uint64_t shared = f->shared_bytes + dynamic_shared_bytes + RESERVED;
    uint64_t n = (uint64_t)(SM_THREADS / ((n_threads + PTX_LANES - 1) / PTX_LANES * PTX_LANES));
    n = n < SM_BLOCKS ? n : SM_BLOCKS;
    *out_n_blocks = (int)(n < SM_SHARED / shared ? n : SM_SHARED / shared);
    return cuda_unlock(CUDA_SUCCESS);
}

/* ---- launches ---- */

static void *copy_params(const struct ptx_function *f, void **params)
{
    uint8_t *all = cuda_need(calloc(1, f->param_bytes + 1));
    for (const struct ptx_variable *v = f->params; v; v = v->next)
        memcpy(all + v->address, *params++, v->n_bytes);
    return all;
}

static CUresult launch(CUfunction function, const unsigned grid[3], const unsigned block[3],
                       unsigned dynamic_shared, CUstream stream, void **params, bool cooperative)
{
    CUresult r = cuda_enter();
    struct ptx_function *f = r ? NULL : kernel_of(function);
    if (r || !f || (f->params && !params))
        return cuda_unlock(r ? r : !f ? CUDA_ERROR_INVALID_HANDLE : CUDA_ERROR_INVALID_VALUE);
    struct op op = {.kind = OP_LAUNCH};
    op.launch.kernel = f;
    memcpy(op.launch.grid, grid, sizeof op.launch.grid);
    memcpy(op.launch.block, block, sizeof op.launch.block);
    op.launch.dynamic_shared = dynamic_shared;
    op.launch.cooperative = cooperative;
    struct error err;
    error_init(&err);
    if (!ptx_check_launch(&op.launch, &err))
        return cuda_unlock(cuda_fail(&err, CUDA_ERROR_INVALID_VALUE));
    op.launch.params = op.data = copy_params(f, params);
    return cuda_unlock(cuda_submit(stream, &op));
}

CUDA_EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y,
                                    unsigned grid_z, unsigned block_x, unsigned block_y,
                                    unsigned block_z, unsigned dynamic_shared_bytes,
                                    CUstream stream, void **parameters, void **extra)
{
    if (extra)
        return CUDA_ERROR_INVALID_VALUE;
    return launch(function, (unsigned[]){grid_x, grid_y, grid_z},
                  (unsigned[]){block_x, block_y, block_z}, dynamic_shared_bytes, stream, parameters,
                  false);
}

CUDA_EXPORT CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned grid_x,
                                               unsigned grid_y, unsigned grid_z, unsigned block_x,
                                               unsigned block_y, unsigned block_z,
                                               unsigned dynamic_shared_bytes, CUstream stream,
                                               void **parameters)
{
    enum { N_SM = 108 };
    int per_sm = 0;
    uint64_t n_threads = (uint64_t)block_x * block_y * block_z;
    CUresult r = n_threads > PTX_MAX_THREADS
                     ? CUDA_ERROR_INVALID_VALUE
                     : cuOccupancyMaxActiveBlocksPerMultiprocessor(
                           &per_sm, function, (int)n_threads, dynamic_shared_bytes);
    if (!r && (uint64_t)grid_x * grid_y * grid_z > (uint64_t)per_sm * N_SM)
        r = CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
    return r ? r
             : launch(function, (unsigned[]){grid_x, grid_y, grid_z},
                      (unsigned[]){block_x, block_y, block_z}, dynamic_shared_bytes, stream,
                      parameters, true);
}

/* The function runs under the lock: one that calls the driver, which is forbidden, never returns.
 */
CUDA_EXPORT CUresult cuLaunchHostFunc(CUstream stream, CUhostFn function, void *argument)
{
    CUresult r = cuda_enter();
    if (r || !function)
        return cuda_unlock(r ? r : CUDA_ERROR_INVALID_VALUE);
    struct op op = {.kind = OP_CALL, .function = function, .host = argument};
    return cuda_unlock(cuda_submit(stream, &op));
}
