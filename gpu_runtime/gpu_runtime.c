#include "gpu_runtime/gpu_runtime.h"

#include <stdlib.h>
#include <string.h>

#include "gpu_runtime/context.h"

/* ---- what the contexts have in common ---- */

static enum sheaf_status check(const struct sheaf_linked *linked, struct sheaf_error *err)
{
    return plan_check(linked, err);
}

static enum sheaf_status open_shared(struct rt_shared *s, struct sheaf_error *err)
{
    struct gpu_shared_options o = {.linked = &s->linked, .constants = s->constants};
    struct gpu_shared *g = NULL;
    enum sheaf_status status = gpu_shared_open(&o, &g, err);
    s->device = g;
    return status;
}

static void close_shared(struct rt_shared *s)
{
    gpu_shared_close(s->device);
}

/* ---- contexts ---- */

/* What the client has in memory that is not pinned, in `client`, and where it is copied through. */
struct view {
    uint8_t *client, *host;
    size_t bytes;
};

struct views {
    struct view *view;
    size_t n;
};

/* sheaf_bundle's device. */
struct client {
    struct gpu_context context;
    struct rt_traffic traffic;      /* what context.in and context.out are parts of */
    struct views in, out, measured; /* the last: extents, which are among those of `out` too */
    uint8_t *staging;               /* pinned */
    int has_queued;                 /* runs without copies since the last wait */
    int state_is_there;             /* the device has newer state than the client's memory */
};

/* In the staging memory. */
static size_t rounded(size_t bytes)
{
    return (bytes + sizeof(int64_t) - 1) / sizeof(int64_t) * sizeof(int64_t);
}

/* The mutable area is pinned, the activations are not. */
static int is_pinned(const sheaf_bundle *b, const struct rt_copy *copy)
{
    uintptr_t at = (uintptr_t)copy->host, start = (uintptr_t)b->activations;
    return at < start || at - start >= b->shared->linked.config->activationsMemSize;
}

static size_t staged_bytes(const sheaf_bundle *b, const struct rt_copies *copies)
{
    size_t bytes = 0;
    for (size_t i = 0; i < copies->n; i++)
        bytes += is_pinned(b, &copies->copy[i]) ? 0 : rounded(copies->copy[i].bytes);
    return bytes;
}

/* Leads copies through the staging memory; returns where the next ones go. */
static uint8_t *stage(const sheaf_bundle *b, struct rt_copies *copies, struct views *views,
                      uint8_t *staging)
{
    for (size_t i = 0; i < copies->n; i++) {
        struct rt_copy *copy = &copies->copy[i];
        if (is_pinned(b, copy))
            continue;
        views->view[views->n++] = (struct view){copy->host, staging, copy->bytes};
        copy->host = staging;
        staging += rounded(copy->bytes);
    }
    return staging;
}

static void take(const struct views *views)
{
    for (size_t i = 0; i < views->n; i++)
        memcpy(views->view[i].client, views->view[i].host, views->view[i].bytes);
}

static void give(const struct views *views)
{
    for (size_t i = 0; i < views->n; i++)
        memcpy(views->view[i].host, views->view[i].client, views->view[i].bytes);
}

/* Memory that the device copies from and to by itself. */
static enum sheaf_status allocate_pinned(const struct gpu_context *g, size_t bytes, uint8_t **out,
                                         struct sheaf_error *err)
{
    void *p = NULL;
    CUresult r = bytes ? g->shared->driver.cuda.MemHostAlloc(&p, bytes, 0) : CUDA_SUCCESS;
    if (r != CUDA_SUCCESS)
        return driver_fail(&g->shared->driver, r, g->name,
                           "allocating pinned memory for inputs and outputs", err);
    if (bytes)
        memset(p, 0, bytes);
    *out = p;
    return SHEAF_OK;
}

/* The client's side of what a run copies. */
static enum sheaf_status create_copies(sheaf_bundle *b, struct client *c, struct sheaf_error *err)
{
    struct rt_traffic *t = &c->traffic;
    enum sheaf_status status = rt_list_copies(b, c->context.area, t, err);
    if (status != SHEAF_OK)
        return status;
    size_t n = t->in.n + t->out.n;
    c->in.view = rt_allocate(sizeof(void *), n * sizeof *c->in.view);
    if (!c->in.view)
        return rt_fail_memory(err, c->context.name, "list of copies", n * sizeof *c->in.view);
    c->out.view = c->in.view + t->in.n;
    size_t bytes = staged_bytes(b, &t->in) + staged_bytes(b, &t->out);
    status = allocate_pinned(&c->context, bytes, &c->staging, err);
    if (status != SHEAF_OK)
        return status;
    uint8_t *end = stage(b, &t->in, &c->in, c->staging);
    stage(b, &t->out, &c->out, end);
    /* Extents are the last, and none of them is pinned. */
    c->measured.n = t->extents.n;
    c->measured.view = c->out.view + c->out.n - c->measured.n;
    c->context.in = t->in;
    c->context.out = t->out;
    return SHEAF_OK;
}

static enum sheaf_status open_context(sheaf_bundle *b, struct client *c, struct sheaf_error *err)
{
    const struct sheaf_linked *l = &b->shared->linked;
    enum sheaf_status status = gpu_context_open(&c->context, b->shared->device, l, err);
    if (status == SHEAF_OK)
        status =
            allocate_pinned(&c->context, l->config->mutableWeightVarsMemSize, &b->mutables, err);
    if (status != SHEAF_OK)
        return status;
    /* Of the activations the client sees extents and what lies there by -overlay-io: pages that
       nobody touches cost nothing. */
    b->activations = rt_allocate(l->config->alignment, l->config->activationsMemSize);
    if (!b->activations)
        return rt_fail_memory(err, l->info->name, "activations", l->config->activationsMemSize);
    status = create_copies(b, c, err);
    return status == SHEAF_OK ? plan_open_copying(&c->context, err) : status;
}

static enum sheaf_status attach(sheaf_bundle *b, struct sheaf_error *err)
{
    struct gpu_shared *shared = b->shared->device;
    struct client *c = rt_allocate(sizeof(void *), sizeof *c);
    if (!c)
        return rt_fail_memory(err, b->shared->linked.info->name, "bundle", sizeof *c);
    memset(c, 0, sizeof *c);
    c->context.shared = shared;
    b->device = c;
    enum sheaf_status status = driver_enter(&shared->driver, err);
    if (status != SHEAF_OK)
        return status;
    status = open_context(b, c, err);
    driver_leave(&shared->driver);
    return status;
}

static void detach(sheaf_bundle *b)
{
    struct client *c = b->device;
    if (!c)
        return;
    const struct driver *d = &c->context.shared->driver;
    /* Without it the calls below fail, and free what is the host's. */
    int entered = driver_enter(d, NULL) == SHEAF_OK;
    gpu_context_close(&c->context);
    if (b->mutables)
        d->cuda.MemFreeHost(b->mutables);
    if (c->staging)
        d->cuda.MemFreeHost(c->staging);
    if (entered)
        driver_leave(d);
    free(c->traffic.in.copy);
    free(c->in.view);
    free(b->activations);
    free(c);
}

/* ---- running ---- */

static enum sheaf_status finish(const struct gpu_context *g, CUresult r, struct sheaf_error *err)
{
    if (r == CUDA_SUCCESS)
        r = g->shared->driver.cuda.StreamSynchronize(g->stream);
    return r == CUDA_SUCCESS ? SHEAF_OK
                             : driver_fail(&g->shared->driver, r, g->name, "the run", err);
}

/* Calls fn for all state; on the context's own stream. */
static CUresult each_state(const sheaf_bundle *b,
                           CUresult (*fn)(const struct gpu_context *g, const struct rt_copy *p))
{
    struct client *c = b->device;
    CUresult r = plan_begin(&c->context, c->context.stream);
    for (size_t i = 0; i < rt_symbol_count(&b->shared->linked) && r == CUDA_SUCCESS; i++) {
        struct rt_copy p = rt_place(b, c->context.area, i);
        if (p.bytes && p.host && b->shared->linked.info->symbols[i].role == SHEAF_ROLE_STATE)
            r = fn(&c->context, &p);
    }
    c->state_is_there = 0;
    return r;
}

static CUresult fetch_state(const struct gpu_context *g, const struct rt_copy *p)
{
    return g->shared->driver.cuda.MemcpyDtoHAsync(p->host, p->device, p->bytes, g->stream);
}

static CUresult clear_state(const struct gpu_context *g, const struct rt_copy *p)
{
    return g->shared->driver.cuda.MemsetD8Async(p->device, 0, p->bytes, g->stream);
}

/* A failure is the next call's too. */
static void reset(sheaf_bundle *b)
{
    const struct client *c = b->device;
    if (driver_enter(&c->context.shared->driver, NULL) != SHEAF_OK)
        return;
    each_state(b, clear_state);
    driver_leave(&c->context.shared->driver);
}

static enum sheaf_status run(sheaf_bundle *b, struct sheaf_error *err)
{
    struct client *c = b->device;
    struct gpu_context *g = &c->context;
    enum sheaf_status status = driver_enter(&g->shared->driver, err);
    if (status != SHEAF_OK)
        return status;
    CUresult r = c->state_is_there ? each_state(b, fetch_state) : CUDA_SUCCESS;
    give(&c->in);
    if (r == CUDA_SUCCESS)
        status = plan_run_copying(g, err);
    if (status == SHEAF_OK)
        status = finish(g, r, err);
    driver_leave(&g->shared->driver);
    if (status != SHEAF_OK)
        return status;
    take(&c->out);
    c->has_queued = 0;
    return SHEAF_OK;
}

const struct rt_device rt_device = {.check = check,
                                    .open = open_shared,
                                    .close = close_shared,
                                    .attach = attach,
                                    .detach = detach,
                                    .run = run,
                                    .reset = reset};

/* ---- data on the device ---- */

enum sheaf_status sheaf_gpu_address(const sheaf_bundle *bundle, const char *name,
                                    uint64_t *out_address, struct sheaf_error *err)
{
    const struct client *client = bundle->device;
    size_t i;
    enum sheaf_status status = rt_find_tensor(bundle, name, &i, err);
    if (status != SHEAF_OK)
        return status;
    *out_address = rt_place(bundle, client->context.area, i).device;
    rt_clear(err);
    return SHEAF_OK;
}

enum sheaf_status sheaf_gpu_run(sheaf_bundle *bundle, void *stream, struct sheaf_error *err)
{
    struct client *c = bundle->device;
    struct gpu_context *g = &c->context;
    enum sheaf_status status = driver_enter(&g->shared->driver, err);
    if (status != SHEAF_OK)
        return status;
    c->has_queued = c->state_is_there = 1;
    status = plan_run(g, stream ? stream : g->stream, err);
    driver_leave(&g->shared->driver);
    if (status == SHEAF_OK)
        rt_clear(err);
    return status;
}

enum sheaf_status sheaf_gpu_wait(sheaf_bundle *bundle, struct sheaf_error *err)
{
    struct client *c = bundle->device;
    struct gpu_context *g = &c->context;
    enum sheaf_status status = driver_enter(&g->shared->driver, err);
    if (status != SHEAF_OK)
        return status;
    CUresult r = plan_begin(g, g->stream);
    if (r == CUDA_SUCCESS && c->has_queued)
        r = plan_copy_out(g, &c->traffic.extents, g->stream);
    status = finish(g, r, err);
    driver_leave(&g->shared->driver);
    if (status != SHEAF_OK)
        return status;
    if (c->has_queued) {
        take(&c->measured);
        bundle->has_run = 1;
    }
    c->has_queued = 0;
    rt_clear(err);
    return SHEAF_OK;
}

enum sheaf_status sheaf_gpu_activations(const sheaf_bundle *bundle, void *out,
                                        struct sheaf_error *err)
{
    struct client *c = bundle->device;
    struct gpu_context *g = &c->context;
    size_t bytes = bundle->shared->linked.config->activationsMemSize;
    enum sheaf_status status = driver_enter(&g->shared->driver, err);
    if (status != SHEAF_OK)
        return status;
    CUresult r = plan_begin(g, g->stream);
    if (r == CUDA_SUCCESS && bytes)
        r = g->shared->driver.cuda.MemcpyDtoHAsync(out, g->area[AREA_ACTIVATIONS], bytes,
                                                   g->stream);
    status = finish(g, r, err);
    driver_leave(&g->shared->driver);
    if (status == SHEAF_OK)
        rt_clear(err);
    return status;
}
