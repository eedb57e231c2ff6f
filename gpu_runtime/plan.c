/* Running a launch plan. */
#include "gpu_runtime/plan.h"

#include <string.h>

/* ---- branches and loops ---- */

/* Reads what a branch or a loop depends on. */
static CUresult read_decision(struct gpu_context *g, uint32_t pointer, size_t bytes,
                              CUstream stream)
{
    const struct cuda *c = &g->shared->driver.cuda;
    CUresult r = c->MemcpyDtoHAsync(g->decision, g->arguments[pointer], bytes, stream);
    return r == CUDA_SUCCESS ? c->StreamSynchronize(stream) : r;
}

static int is_there(const struct gpu_context *g, uint32_t pointer)
{
    return g->plan->pointers[pointer].area != SHEAF_NO_AREA;
}

static CUresult run_steps(struct gpu_context *g, uint32_t i, uint32_t end, CUstream stream);

static CUresult run_branch(struct gpu_context *g, uint32_t i, CUstream stream)
{
    const struct sheaf_step *s = &g->plan->steps[i], *otherwise = &g->plan->steps[s->to];
    CUresult r = read_decision(g, s->pointer, 1, stream);
    if (r != CUDA_SUCCESS)
        return r;
    if (g->decision[0])
        return run_steps(g, i + 1, s->to, stream);
    return otherwise->kind == SHEAF_STEP_ELSE ? run_steps(g, s->to + 1, otherwise->to, stream) : r;
}

static CUresult run_loop(struct gpu_context *g, uint32_t i, CUstream stream)
{
    const struct sheaf_step *s = &g->plan->steps[i];
    int64_t rounds = s->count;
    CUresult r = CUDA_SUCCESS;
    if (rounds < 0 && is_there(g, s->pointer)) {
        r = read_decision(g, s->pointer, sizeof rounds, stream);
        memcpy(&rounds, g->decision, sizeof rounds);
    }
    for (int64_t round = 0; r == CUDA_SUCCESS; round++) {
        r = plan_set_round(g, s, round, stream);
        if (is_there(g, s->pointer) && round >= rounds)
            break;
        if (r == CUDA_SUCCESS && is_there(g, s->pointer + 1)) {
            r = read_decision(g, s->pointer + 1, 1, stream);
            if (r == CUDA_SUCCESS && !g->decision[0])
                break;
        }
        if (r == CUDA_SUCCESS)
            r = run_steps(g, i + 1, s->to, stream);
    }
    return r;
}

static uint32_t behind_block(const struct sheaf_plan *p, uint32_t i)
{
    const struct sheaf_step *s = &p->steps[i];
    if (s->kind == SHEAF_STEP_IF && p->steps[s->to].kind == SHEAF_STEP_ELSE)
        return p->steps[s->to].to + 1;
    return s->to + 1;
}

static CUresult run_steps(struct gpu_context *g, uint32_t i, uint32_t end, CUstream stream)
{
    CUresult r = CUDA_SUCCESS;
    while (i < end && r == CUDA_SUCCESS) {
        const struct sheaf_step *s = &g->plan->steps[i];
        if (g->behind[i]) {
            if (g->graphs[i])
                r = g->shared->driver.cuda.GraphLaunch(g->graphs[i], stream);
            i = g->behind[i];
        } else {
            r = s->kind == SHEAF_STEP_IF ? run_branch(g, i, stream) : run_loop(g, i, stream);
            i = behind_block(g->plan, i);
        }
    }
    return r;
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
    r = run_steps(g, 0, g->plan->n_steps, stream);
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
        r = run_steps(g, 0, g->plan->n_steps, g->stream);
    if (r == CUDA_SUCCESS)
        r = plan_copy_out(g, &g->out, g->stream);
    return finish(g, r, err);
}
