/* Straight segments of a launch plan as CUDA graphs, and what is queued in them. */
#include <stdlib.h>
#include <string.h>

#include "gpu_runtime/plan.h"

/* A loop of known length that has more launches than this is no part of a graph, whose size it
   would grow. */
enum { MAX_UNROLLED_LAUNCHES = 4096 };

enum { DECISION_BYTES = 64 };

static enum sheaf_status fail(const struct gpu_context *g, CUresult r, const char *what,
                              struct sheaf_error *err)
{
    return driver_fail(&g->shared->driver, r, g->name, what, err);
}

/* ---- what is queued ---- */

static CUresult launch(struct gpu_context *g, const struct sheaf_step *s, CUstream stream)
{
    const struct sheaf_kernel *k = &g->plan->kernels[s->kernel];
    return g->shared->driver.cuda.LaunchKernel(g->shared->kernels[s->kernel], k->blocks, 1, 1,
                                               k->threads, 1, 1, k->shared_bytes, stream,
                                               g->parameters + s->pointer, NULL);
}

static CUresult copy(struct gpu_context *g, const struct sheaf_step *s, CUstream stream)
{
    const struct cuda *c = &g->shared->driver.cuda;
    CUdeviceptr to = g->arguments[s->pointer], from = g->arguments[s->pointer + 1];
    size_t bytes = (size_t)s->count;
    if (g->plan->pointers[s->pointer].area == SHEAF_AREA_HOST)
        return c->MemcpyDtoHAsync((void *)(uintptr_t)to, from, bytes, stream);
    return c->MemcpyHtoDAsync(to, (const void *)(uintptr_t)from, bytes, stream);
}

/* The function computes and calls nothing, as the driver demands of it. */
static CUresult run_on_host(struct gpu_context *g, const struct sheaf_step *s, CUstream stream)
{
    return g->shared->driver.cuda.LaunchHostFunc(stream, g->plan->host_kernels[s->kernel].run,
                                                 g->arguments + s->pointer);
}

/* A step that is neither branch nor loop. */
static CUresult queue_step(struct gpu_context *g, const struct sheaf_step *s, CUstream stream)
{
    return s->kind == SHEAF_STEP_LAUNCH ? launch(g, s, stream)
           : s->kind == SHEAF_STEP_COPY ? copy(g, s, stream)
                                        : run_on_host(g, s, stream);
}

/* An int64_t, of which the upper half changes with every 2^32nd round. */
CUresult plan_set_round(struct gpu_context *g, const struct sheaf_step *s, int64_t round,
                        CUstream stream)
{
    const struct cuda *c = &g->shared->driver.cuda;
    CUdeviceptr at = g->arguments[s->pointer + 2];
    uint64_t number = (uint64_t)round;
    CUresult r = c->MemsetD32Async(at, (unsigned)(number & UINT32_MAX), 1, stream);
    if (r == CUDA_SUCCESS && (number & UINT32_MAX) == 0)
        r = c->MemsetD32Async(at + sizeof(uint32_t), (unsigned)(number >> 32), 1, stream);
    return r;
}

CUresult plan_copy_in(struct gpu_context *g, const struct rt_copies *c, CUstream stream)
{
    CUresult r = CUDA_SUCCESS;
    for (size_t i = 0; i < c->n && r == CUDA_SUCCESS; i++)
        r = g->shared->driver.cuda.MemcpyHtoDAsync(c->copy[i].device, c->copy[i].host,
                                                   c->copy[i].bytes, stream);
    return r;
}

CUresult plan_copy_out(struct gpu_context *g, const struct rt_copies *c, CUstream stream)
{
    CUresult r = CUDA_SUCCESS;
    for (size_t i = 0; i < c->n && r == CUDA_SUCCESS; i++)
        r = g->shared->driver.cuda.MemcpyDtoHAsync(c->copy[i].host, c->copy[i].device,
                                                   c->copy[i].bytes, stream);
    return r;
}

/* ---- segments: what can be a graph ---- */

static int is_queued(const struct sheaf_step *s)
{
    return s->kind == SHEAF_STEP_LAUNCH || s->kind == SHEAF_STEP_COPY || s->kind == SHEAF_STEP_HOST;
}

static int is_straight_loop(const struct sheaf_plan *p, uint32_t i)
{
    const struct sheaf_step *s = &p->steps[i];
    int64_t n = (int64_t)(s->to - i); /* with what sets the number of the round */
    if (s->count < 0 || s->count > MAX_UNROLLED_LAUNCHES / n)
        return 0;
    for (uint32_t k = i + 1; k < s->to; k++)
        if (!is_queued(&p->steps[k]))
            return 0;
    return 1;
}

/* The step behind the segment that starts at i, which is i itself where none does.  A segment ends
   with the branch or loop that it is in. */
static uint32_t segment_end(const struct sheaf_plan *p, uint32_t i)
{
    while (i < p->n_steps) {
        const struct sheaf_step *s = &p->steps[i];
        if (is_queued(s))
            i++;
        else if (s->kind == SHEAF_STEP_LOOP && is_straight_loop(p, i))
            i = s->to + 1;
        else
            break;
    }
    return i;
}

static CUresult queue_segment(struct gpu_context *g, uint32_t i, uint32_t end, size_t *n_queued)
{
    CUresult r = CUDA_SUCCESS;
    while (i < end && r == CUDA_SUCCESS) {
        const struct sheaf_step *s = &g->plan->steps[i];
        if (is_queued(s)) {
            r = queue_step(g, s, g->stream);
            ++*n_queued;
            i++;
            continue;
        }
        for (int64_t round = 0; round < s->count && r == CUDA_SUCCESS; round++) {
            r = plan_set_round(g, s, round, g->stream);
            ++*n_queued;
            for (uint32_t k = i + 1; k < s->to && r == CUDA_SUCCESS; k++)
                r = queue_step(g, &g->plan->steps[k], g->stream);
        }
        i = s->to + 1;
    }
    return r;
}

/* ---- graphs ---- */

/* A graph of the steps from i up to `end`, with the copies around them or without. */
static enum sheaf_status make_graph(struct gpu_context *g, uint32_t i, uint32_t end, int copies,
                                    CUgraphExec *out_exec, struct sheaf_error *err)
{
    const struct cuda *c = &g->shared->driver.cuda;
    CUgraph graph = NULL;
    size_t n = copies ? g->in.n + g->out.n : 0;
    CUresult r = c->StreamBeginCapture(g->stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    if (r == CUDA_SUCCESS) {
        CUresult queued = copies ? plan_copy_in(g, &g->in, g->stream) : CUDA_SUCCESS;
        if (queued == CUDA_SUCCESS)
            queued = queue_segment(g, i, end, &n);
        if (queued == CUDA_SUCCESS && copies)
            queued = plan_copy_out(g, &g->out, g->stream);
        r = c->StreamEndCapture(g->stream, &graph);
        if (queued != CUDA_SUCCESS)
            r = queued;
    }
    if (r == CUDA_SUCCESS && n)
        r = c->GraphInstantiateWithFlags(out_exec, graph, 0);
    if (graph)
        c->GraphDestroy(graph);
    return r == CUDA_SUCCESS ? SHEAF_OK : fail(g, r, "making a graph of the launches", err);
}

static enum sheaf_status make_graphs(struct gpu_context *g, struct sheaf_error *err)
{
    uint32_t n = g->plan->n_steps, i = 0;
    enum sheaf_status status = SHEAF_OK;
    while (i < n && status == SHEAF_OK) {
        uint32_t end = segment_end(g->plan, i);
        if (end > i) {
            g->behind[i] = end;
            status = make_graph(g, i, end, 0, &g->graphs[i], err);
        }
        i = end > i ? end : i + 1;
    }
    return status;
}

/* ---- opening and closing ---- */

static void *allocate(size_t n, size_t size)
{
    void *p = rt_allocate(sizeof(void *), n * size);
    if (p)
        memset(p, 0, n * size);
    return p;
}

enum sheaf_status plan_open(struct gpu_context *g, struct sheaf_error *err)
{
    const struct sheaf_plan *p = g->plan;
    g->arguments = allocate(p->n_pointers, sizeof *g->arguments);
    g->parameters = allocate(p->n_pointers, sizeof *g->parameters);
    g->behind = allocate(p->n_steps, sizeof *g->behind);
    g->graphs = allocate(p->n_steps, sizeof *g->graphs);
    if (!g->arguments || !g->parameters || !g->behind || !g->graphs)
        return rt_fail_memory(err, g->name, "launch plan",
                              p->n_pointers * (sizeof *g->arguments + sizeof *g->parameters) +
                                  p->n_steps * (sizeof *g->behind + sizeof *g->graphs));
    for (uint32_t i = 0; i < p->n_pointers; i++) {
        const struct sheaf_pointer *at = &p->pointers[i];
        g->arguments[i] = at->area == SHEAF_NO_AREA ? 0 : g->area[at->area] + at->offset;
        g->parameters[i] = &g->arguments[i];
    }
    void *pinned = NULL;
    CUresult r = g->shared->driver.cuda.MemHostAlloc(&pinned, DECISION_BYTES, 0);
    if (r != CUDA_SUCCESS)
        return fail(g, r, "allocating pinned memory", err);
    g->decision = pinned;
    return make_graphs(g, err);
}

enum sheaf_status plan_open_copying(struct gpu_context *g, struct sheaf_error *err)
{
    uint32_t n = g->plan->n_steps;
    return segment_end(g->plan, 0) == n ? make_graph(g, 0, n, 1, &g->whole, err) : SHEAF_OK;
}

void plan_close(struct gpu_context *g)
{
    const struct cuda *c = &g->shared->driver.cuda;
    for (uint32_t i = 0; g->graphs && i < g->plan->n_steps; i++)
        if (g->graphs[i])
            c->GraphExecDestroy(g->graphs[i]);
    if (g->whole)
        c->GraphExecDestroy(g->whole);
    if (g->decision)
        c->MemFreeHost(g->decision);
    free(g->arguments);
    free(g->parameters);
    free(g->behind);
    free(g->graphs);
}
