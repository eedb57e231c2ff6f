/*
 * Running a launch plan.  A network is one call, or where steps of it stay on the host several,
 * with copies between them; the thread that runs it computes those steps.
 */
#include "ve_runtime/context.h"

/* A run in work. */
struct run {
    struct ve_context *context;
    struct sheaf_error *err;
};

static enum sheaf_status copy_one(const struct run *run, uint64_t device, void *host, size_t bytes,
                                  enum ve_direction direction)
{
    struct ve_context *c = run->context;
    struct rt_copy copy = {device, host, bytes};
    struct rt_copies one = {&copy, 1};
    return ve_copy(&c->shared->driver, ve_first_core(c), &one, direction, c->requests,
                   "copying between steps", run->err);
}

static enum sheaf_status copy_step(const struct run *run, const struct sheaf_step *s)
{
    const struct ve_context *c = run->context;
    uint64_t to = c->arguments[s->pointer], from = c->arguments[s->pointer + 1];
    const struct sheaf_plan *p = c->network->linked->info->plan;
    size_t bytes = (size_t)s->count;
    if (p->pointers[s->pointer].area == SHEAF_AREA_HOST)
        return copy_one(run, from, (void *)(uintptr_t)to, bytes, VE_TO_HOST);
    return copy_one(run, to, (void *)(uintptr_t)from, bytes, VE_TO_DEVICE);
}

static int run_step(void *device, uint32_t i, uint32_t *out_next)
{
    const struct run *run = device;
    struct ve_context *c = run->context;
    const struct sheaf_plan *p = c->network->linked->info->plan;
    const struct sheaf_step *s = &p->steps[i];
    *out_next = i + 1;
    switch (s->kind) {
    case SHEAF_STEP_LAUNCH:
        return (int)ve_call(c, s->kernel, run->err);
    case SHEAF_STEP_COPY:
        return (int)copy_step(run, s);
    case SHEAF_STEP_HOST:
        p->host_kernels[s->kernel].run(c->arguments + s->pointer);
        return SHEAF_OK;
    default:
        *out_next = i;
        return SHEAF_OK;
    }
}

static int read_decision(void *device, uint32_t pointer, void *to, size_t bytes)
{
    const struct run *run = device;
    return (int)copy_one(run, run->context->arguments[pointer], to, bytes, VE_TO_HOST);
}

static int set_round(void *device, const struct sheaf_step *loop, int64_t round)
{
    const struct run *run = device;
    uint64_t at = run->context->arguments[loop->pointer + 2];
    return (int)copy_one(run, at, &round, sizeof round, VE_TO_DEVICE);
}

enum sheaf_status ve_run(struct ve_context *c, struct sheaf_error *err)
{
    const struct sheaf_plan *p = c->network->linked->info->plan;
    struct run run = {c, err};
    struct rt_plan_walk walk = {
        .plan = p, .device = &run, .run = run_step, .read = read_decision, .set_round = set_round};
    return p->n_steps ? (enum sheaf_status)rt_plan_walk(&walk) : ve_call(c, 0, err);
}
