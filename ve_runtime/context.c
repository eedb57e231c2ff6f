/* Memory areas and cores for each context. */
#include "ve_runtime/context.h"

#include <stdlib.h>
#include <string.h>

/* Each rank's sheaf_ve_call has a line of its own behind the barrier. */
enum { CALL_BYTES = 64, CONTROL_BYTES = SHEAF_VE_BARRIER_BYTES + SHEAF_VE_MAX_RANKS * CALL_BYTES };

static uint64_t call_address(const struct ve_context *c, uint32_t rank)
{
    return c->control.address + SHEAF_VE_BARRIER_BYTES + (uint64_t)rank * CALL_BYTES;
}

/* What steps that stay on the host have there. */
static enum sheaf_status create_host_area(struct ve_context *c, size_t alignment,
                                          struct sheaf_error *err)
{
    const struct sheaf_plan *p = c->network->linked->info->plan;
    if (!rt_plan_has_host_steps(p))
        return SHEAF_OK;
    c->host = rt_allocate(alignment, (size_t)p->host_bytes);
    if (!c->host)
        return rt_fail_memory(err, c->network->linked->info->name, "steps on the host",
                              (size_t)p->host_bytes);
    c->area[SHEAF_AREA_HOST] = (uintptr_t)c->host;
    c->area[SHEAF_AREA_HOST_CONSTANTS] = (uintptr_t)c->network->host_constants;
    return SHEAF_OK;
}

static enum sheaf_status create_arguments(struct ve_context *c, struct sheaf_error *err)
{
    const struct sheaf_plan *p = c->network->linked->info->plan;
    c->arguments = rt_allocate(sizeof *c->arguments, p->n_pointers * sizeof *c->arguments);
    if (!c->arguments)
        return rt_fail_memory(err, c->network->linked->info->name, "launch plan",
                              p->n_pointers * sizeof *c->arguments);
    for (uint32_t i = 0; i < p->n_pointers; i++) {
        const struct sheaf_pointer *at = &p->pointers[i];
        c->arguments[i] = at->area == SHEAF_NO_AREA ? 0 : c->area[at->area] + at->offset;
    }
    return SHEAF_OK;
}

static enum sheaf_status create_areas(struct ve_context *c, const struct BundleConfig *config,
                                      struct sheaf_error *err)
{
    struct driver *d = &c->shared->driver;
    struct veo_thr_ctxt *core = ve_first_core(c);
    enum sheaf_status status =
        driver_allocate(d, core, "mutable area", config->mutableWeightVarsMemSize,
                        config->alignment, &c->mutables, err);
    if (status == SHEAF_OK)
        status = driver_allocate(d, core, "activations", config->activationsMemSize,
                                 config->alignment, &c->activations, err);
    if (status == SHEAF_OK)
        status = driver_allocate(d, core, "barrier", CONTROL_BYTES, SHEAF_VE_BARRIER_ALIGNMENT,
                                 &c->control, err);
    c->area[AREA_CONSTANTS] = c->shared->constants.address;
    c->area[AREA_MUTABLES] = c->mutables.address;
    c->area[AREA_ACTIVATIONS] = c->activations.address;
    if (status == SHEAF_OK)
        status = create_host_area(c, config->alignment, err);
    return status == SHEAF_OK ? create_arguments(c, err) : status;
}

static enum sheaf_status create_args(struct ve_context *c, struct sheaf_error *err)
{
    const struct driver *d = &c->shared->driver;
    for (uint32_t i = 0; i < c->max_ranks; i++) {
        c->args[i] = d->veo.veo_args_alloc();
        if (!c->args[i] || d->veo.veo_args_set_u64(c->args[i], 0, call_address(c, i)) != 0)
            return rt_fail(err, SHEAF_ERROR_MEMORY, "%s: AVEO cannot keep the argument of a call",
                           d->bundle);
    }
    return SHEAF_OK;
}

enum sheaf_status ve_context_set_ranks(struct ve_context *c, struct sheaf_error *err)
{
    uint8_t control[CONTROL_BYTES] = {0};
    for (uint32_t i = 0; i < c->n_ranks; i++) {
        const struct sheaf_ve_call call = {.constants = c->area[AREA_CONSTANTS],
                                           .mutables = c->area[AREA_MUTABLES],
                                           .activations = c->area[AREA_ACTIVATIONS],
                                           .rank = i,
                                           .n_ranks = c->n_ranks,
                                           .barrier = c->control.address};
        memcpy(control + SHEAF_VE_BARRIER_BYTES + i * CALL_BYTES, &call, sizeof call);
    }
    struct rt_copy copy = {c->control.address, control, sizeof control};
    struct rt_copies one = {&copy, 1};
    uint64_t request;
    return ve_copy(&c->shared->driver, ve_first_core(c), &one, VE_TO_DEVICE, &request,
                   "preparing the barrier", err);
}

static enum sheaf_status clear_mutables(const struct ve_context *c,
                                        const struct BundleConfig *config, struct sheaf_error *err)
{
    size_t bytes = config->mutableWeightVarsMemSize;
    uint64_t request;
    if (bytes == 0)
        return SHEAF_OK;
    uint8_t *zeros = rt_allocate(sizeof(void *), bytes);
    if (!zeros)
        return rt_fail_memory(err, c->shared->driver.bundle, "mutable area", bytes);
    memset(zeros, 0, bytes);
    struct rt_copy copy = {c->area[AREA_MUTABLES], zeros, bytes};
    struct rt_copies one = {&copy, 1};
    enum sheaf_status status = ve_copy(&c->shared->driver, ve_first_core(c), &one, VE_TO_DEVICE,
                                       &request, "clearing memory", err);
    free(zeros);
    return status;
}

enum sheaf_status ve_context_open(struct ve_context *c, const struct ve_network *network,
                                  struct sheaf_error *err)
{
    const struct BundleConfig *config = network->linked->config;
    c->network = network;
    c->shared = network->shared;
    c->max_ranks = network->linked->info->plan->kernels[0].blocks;
    enum sheaf_status status = ve_cores_take(c, 1, err);
    if (status == SHEAF_OK)
        status = create_areas(c, config, err);
    if (status == SHEAF_OK)
        status = create_args(c, err);
    if (status == SHEAF_OK)
        status = ve_context_set_ranks(c, err);
    return status == SHEAF_OK ? clear_mutables(c, config, err) : status;
}

void ve_context_close(struct ve_context *c)
{
    struct driver *d = &c->shared->driver;
    for (uint32_t i = 0; i < c->max_ranks; i++)
        if (c->args[i])
            d->veo.veo_args_free(c->args[i]);
    driver_free(d, &c->mutables);
    driver_free(d, &c->activations);
    driver_free(d, &c->control);
    ve_cores_leave(c);
    free(c->host);
    free(c->arguments);
}
