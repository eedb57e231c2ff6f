/* Memory areas and a stream for each context. */
#include "gpu_runtime/context.h"

/* What steps that stay on the host have there, aligned as areas are. */
static enum sheaf_status create_host_area(struct gpu_context *g, size_t alignment,
                                          struct sheaf_error *err)
{
    const struct driver *d = &g->shared->driver;
    if (!RT_PLAN_HAS(g->plan, host_bytes) || !g->plan->host_bytes)
        return SHEAF_OK;
    CUresult r = d->cuda.MemHostAlloc(&g->host, (size_t)g->plan->host_bytes + alignment, 0);
    if (r != CUDA_SUCCESS)
        return driver_fail(d, r, g->name, "allocating pinned memory for steps on the host", err);
    uintptr_t start = (uintptr_t)g->host;
    g->area[SHEAF_AREA_HOST] = (start + alignment - 1) / alignment * alignment;
    return SHEAF_OK;
}

static enum sheaf_status create_areas(struct gpu_context *g, const struct BundleConfig *c,
                                      struct sheaf_error *err)
{
    const struct driver *d = &g->shared->driver;
    CUresult r = d->cuda.StreamCreate(&g->stream, CU_STREAM_NON_BLOCKING);
    if (r != CUDA_SUCCESS)
        return driver_fail(d, r, g->name, "making a stream", err);
    r = d->cuda.EventCreate(&g->done, CU_EVENT_DISABLE_TIMING);
    if (r != CUDA_SUCCESS)
        return driver_fail(d, r, g->name, "making an event", err);
    g->area[AREA_CONSTANTS] = g->shared->constants;
    g->area[SHEAF_AREA_HOST_CONSTANTS] = (uintptr_t)g->shared->host_constants;
    enum sheaf_status status = driver_allocate(
        d, g->name, "mutable area", c->mutableWeightVarsMemSize, &g->area[AREA_MUTABLES], err);
    if (status == SHEAF_OK)
        status = driver_allocate(d, g->name, "activations", c->activationsMemSize,
                                 &g->area[AREA_ACTIVATIONS], err);
    if (status == SHEAF_OK)
        status = create_host_area(g, c->alignment, err);
    if (status != SHEAF_OK || !c->mutableWeightVarsMemSize)
        return status;
    r = d->cuda.MemsetD8Async(g->area[AREA_MUTABLES], 0, c->mutableWeightVarsMemSize, g->stream);
    return r == CUDA_SUCCESS ? SHEAF_OK : driver_fail(d, r, g->name, "clearing memory", err);
}

enum sheaf_status gpu_context_open(struct gpu_context *g, struct gpu_shared *shared,
                                   const struct sheaf_linked *linked, struct sheaf_error *err)
{
    g->shared = shared;
    g->plan = linked->info->plan;
    g->name = linked->info->name;
    enum sheaf_status status = create_areas(g, linked->config, err);
    return status == SHEAF_OK ? plan_open(g, err) : status;
}

void gpu_context_close(struct gpu_context *g)
{
    const struct cuda *c = &g->shared->driver.cuda;
    if (g->stream && plan_begin(g, g->stream) == CUDA_SUCCESS)
        c->StreamSynchronize(g->stream);
    plan_close(g);
    if (g->area[AREA_MUTABLES])
        c->MemFree(g->area[AREA_MUTABLES]);
    if (g->area[AREA_ACTIVATIONS])
        c->MemFree(g->area[AREA_ACTIVATIONS]);
    if (g->host)
        c->MemFreeHost(g->host);
    if (g->done)
        c->EventDestroy(g->done);
    if (g->stream)
        c->StreamDestroy(g->stream);
}
