/* Running a launch plan. */
#include "gpu_runtime/plan.h"

#include <string.h>

/* ---- branches and loops ---- */

/* A run in work. */
struct run {
    struct gpu_context *gpu;
    CUstream stream;
};

/* Reads what a branch or a loop depends on. */
static int read_decision(void *device, uint32_t pointer, void *to, size_t bytes)
{
    const struct run *run = device;
    struct gpu_context *g = run->gpu;
    const struct cuda *c = &g->shared->driver.cuda;
    CUresult r = c->MemcpyDtoHAsync(g->decision, g->arguments[pointer], bytes, run->stream);
    if (r == CUDA_SUCCESS)
        r = c->StreamSynchronize(run->stream);
    if (r == CUDA_SUCCESS)
        memcpy(to, g->decision, bytes);
    return (int)r;
}

static int set_round(void *device, const struct sheaf_step *loop, int64_t round)
{
    const struct run *run = device;
    return (int)plan_set_round(run->gpu, loop, round, run->stream);
}

/* A segment, where one starts. */
static int run_segment(void *device, uint32_t i, uint32_t *out_next)
{
    const struct run *run = device;
    const struct gpu_context *g = run->gpu;
    CUresult r = CUDA_SUCCESS;
    if (!g->behind[i])
        return 0;
    if (g->graphs[i])
        r = g->shared->driver.cuda.GraphLaunch(g->graphs[i], run->stream);
    *out_next = g->behind[i];
    return (int)r;
}

static CUresult run_steps(struct gpu_context *g, CUstream stream)
{
    struct run run = {g, stream};
    struct rt_plan_walk walk = {.plan = g->plan,
                                .device = &run,
                                .run = run_segment,
                                .read = read_decision,
                                .set_round = set_round};
    return (CUresult)rt_plan_walk(&walk);
}

/* ---- the order of runs ---- */

CUresult plan_begin(struct gpu_context *g, CUstream stream)
{
    const struct cuda *c = &g->shared->driver.cuda;
    if (stream == g->stream && !g->elsewhere)
        return CUDA_SUCCESS;
    CUresult r = g->elsewhere ? CUDA_SUCCESS : c->EventRecord(g->done, g->stream);
    if (r == CUDA_SUCCESS)
        r = c->StreamWaitEvent(stream, g->done, 0);
    if (r == CUDA_SUCCESS)
        g->elsewhere = stream != g->stream;
    return r;
}

CUresult plan_end(struct gpu_context *g, CUstream stream)
{
    return stream == g->stream ? CUDA_SUCCESS : g->shared->driver.cuda.EventRecord(g->done, stream);
}

static enum sheaf_status finish(const struct gpu_context *g, CUresult r, struct sheaf_error *err)
{
    return r == CUDA_SUCCESS ? SHEAF_OK
                             : driver_fail(&g->shared->driver, r, g->name, "the run", err);
}

enum sheaf_status plan_run(struct gpu_context *g, CUstream stream, struct sheaf_error *err)
{
    CUresult r = plan_begin(g, stream);
    if (r != CUDA_SUCCESS)
        return finish(g, r, err);
    r = run_steps(g, stream);
    /* What was queued before a failure is still to be waited for. */
    CUresult ended = plan_end(g, stream);
    return finish(g, r == CUDA_SUCCESS ? ended : r, err);
}

enum sheaf_status plan_run_copying(struct gpu_context *g, struct sheaf_error *err)
{
    CUresult r = plan_begin(g, g->stream);
    if (r == CUDA_SUCCESS && g->whole)
        return finish(g, g->shared->driver.cuda.GraphLaunch(g->whole, g->stream), err);
    if (r == CUDA_SUCCESS)
        r = plan_copy_in(g, &g->in, g->stream);
    if (r == CUDA_SUCCESS)
        r = run_steps(g, g->stream);
    if (r == CUDA_SUCCESS)
        r = plan_copy_out(g, &g->out, g->stream);
    return finish(g, r, err);
}
