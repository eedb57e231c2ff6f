#include "ve_runtime/ve_runtime.h"

#include <stdlib.h>
#include <string.h>

#include "ve_runtime/context.h"

/* ---- what the contexts have in common ---- */

static enum sheaf_status open_shared(struct rt_shared *s, struct sheaf_error *err)
{
    struct ve_network_options o = {
        .linked = &s->linked, .constants = s->constants, .node = VEO_NODE_OF_ENVIRONMENT};
    struct ve_network *network = NULL;
    enum sheaf_status status = ve_network_open(&o, &network, err);
    s->device = network;
    return status;
}

static void close_shared(struct rt_shared *s)
{
    ve_network_close(s->device);
}

/* ---- contexts ---- */

/* The client's side of the areas; of the activations it sees extents and what lies there by
   -overlay-io: pages that nobody touches cost nothing. */
static enum sheaf_status create_host_areas(sheaf_bundle *b, struct sheaf_error *err)
{
    const struct BundleConfig *c = b->shared->linked.config;
    const char *name = b->shared->linked.info->name;
    b->mutables = rt_allocate(c->alignment, c->mutableWeightVarsMemSize);
    if (!b->mutables)
        return rt_fail_memory(err, name, "mutable area", c->mutableWeightVarsMemSize);
    memset(b->mutables, 0, c->mutableWeightVarsMemSize);
    b->activations = rt_allocate(c->alignment, c->activationsMemSize);
    return b->activations ? SHEAF_OK
                          : rt_fail_memory(err, name, "activations", c->activationsMemSize);
}

/* Room for the requests of each step of a run. */
static enum sheaf_status create_requests(struct ve_context *c, struct sheaf_error *err)
{
    size_t n = SHEAF_VE_MAX_RANKS;
    if (n < c->traffic.in.n)
        n = c->traffic.in.n;
    if (n < c->traffic.out.n)
        n = c->traffic.out.n;
    c->requests = rt_allocate(sizeof(void *), n * sizeof *c->requests);
    return c->requests ? SHEAF_OK
                       : rt_fail_memory(err, c->shared->driver.bundle, "list of requests",
                                        n * sizeof *c->requests);
}

static enum sheaf_status attach(sheaf_bundle *b, struct sheaf_error *err)
{
    struct ve_context *c = rt_allocate(sizeof(void *), sizeof *c);
    if (!c)
        return rt_fail_memory(err, b->shared->linked.info->name, "bundle", sizeof *c);
    memset(c, 0, sizeof *c);
    b->device = c;
    enum sheaf_status status = ve_context_open(c, b->shared->device, err);
    if (status == SHEAF_OK)
        status = create_host_areas(b, err);
    if (status == SHEAF_OK)
        status = rt_list_copies(b, c->area, &c->traffic, err);
    return status == SHEAF_OK ? create_requests(c, err) : status;
}

static void detach(sheaf_bundle *b)
{
    struct ve_context *c = b->device;
    if (!c)
        return;
    ve_context_close(c);
    free(c->requests);
    free(c->traffic.in.copy);
    free(b->mutables);
    free(b->activations);
    free(c);
}

/* ---- running ---- */

/* All inputs are there before any rank begins, and all ranks have ended before outputs are read:
   only requests of one core are in order. */
static enum sheaf_status run(sheaf_bundle *b, struct sheaf_error *err)
{
    struct ve_context *c = b->device;
    struct driver *d = &c->shared->driver;
    struct veo_thr_ctxt *first = ve_first_core(c);
    enum sheaf_status status =
        ve_copy(d, first, &c->traffic.in, VE_TO_DEVICE, c->requests, "copying inputs", err);
    if (status == SHEAF_OK)
        status = ve_run(c, err);
    if (status == SHEAF_OK)
        status =
            ve_copy(d, first, &c->traffic.out, VE_TO_HOST, c->requests, "copying outputs", err);
    return status;
}

const struct rt_device rt_device = {.check = plan_check,
                                    .open = open_shared,
                                    .close = close_shared,
                                    .attach = attach,
                                    .detach = detach,
                                    .run = run};

/* ---- what only this device has ---- */

enum sheaf_status sheaf_ve_set_cores(sheaf_bundle *bundle, uint32_t n, struct sheaf_error *err)
{
    struct ve_context *c = bundle->device;
    if (n < 1 || n > c->max_ranks)
        return rt_fail(err, SHEAF_ERROR_ARGUMENT,
                       "%s: the bundle has code for 1 to %u cores, not for %u",
                       c->shared->driver.bundle, (unsigned)c->max_ranks, (unsigned)n);
    enum sheaf_status status = ve_cores_take(c, n, err);
    if (status == SHEAF_OK)
        status = ve_context_set_ranks(c, err);
    if (status == SHEAF_OK)
        rt_clear(err);
    return status;
}

enum sheaf_status sheaf_ve_activations(const sheaf_bundle *bundle, void *out,
                                       struct sheaf_error *err)
{
    struct ve_context *c = bundle->device;
    struct rt_copy copy = {c->area[AREA_ACTIVATIONS], out,
                           bundle->shared->linked.config->activationsMemSize};
    struct rt_copies one = {&copy, copy.bytes != 0};
    enum sheaf_status status = ve_copy(&c->shared->driver, ve_first_core(c), &one, VE_TO_HOST,
                                       c->requests, "copying activations", err);
    if (status == SHEAF_OK)
        rt_clear(err);
    return status;
}
