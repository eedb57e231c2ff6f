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
    struct views in, out, measured; /* the last: extents */
    struct gpu_copies extents;      /* a part of context.out */
    uint8_t *staging;               /* pinned */
    size_t staging_used;
    int has_queued;     /* runs without copies since the last wait */
    int state_is_there; /* the device has newer state than the client's memory */
};

struct place {
    int area;
    CUdeviceptr device;
    uint8_t *host; /* NULL: constants */
    size_t bytes;
};

static struct place place_of(const sheaf_bundle *b, size_t i)
{
    const struct client *client = b->device;
    const struct sheaf_linked *l = &b->shared->linked;
    const struct SymbolTableEntry *entry = &l->config->symbolTable[i];
    int overlaid = i >= l->config->numSymbols;
    int area = overlaid ? AREA_ACTIVATIONS : entry->kind ? AREA_MUTABLES : AREA_CONSTANTS;
    struct place p = {.area = area,
                      .device = client->context.area[area] + entry->offset,
                      .bytes = (size_t)l->info->symbols[i].size_bytes};
    if (area != AREA_CONSTANTS)
        p.host = (overlaid ? b->activations : b->mutables) + entry->offset;
    return p;
}

enum direction { TO_DEVICE, TO_HOST };
typedef void add_copy(void *arg, enum direction direction, const struct place *place,
                      int is_extent);

/* What a run copies. */
static void each_copy(const sheaf_bundle *b, add_copy *add, void *arg)
{
    const struct client *client = b->device;
    for (size_t i = 0; i < rt_symbol_count(&b->shared->linked); i++) {
        const struct sheaf_symbol_info *info = &b->shared->linked.info->symbols[i];
        struct place p = place_of(b, i);
        int is_state = info->role == SHEAF_ROLE_STATE;
        if (p.bytes && p.host && (is_state || info->role == SHEAF_ROLE_INPUT))
            add(arg, TO_DEVICE, &p, 0);
        if (p.bytes && p.host && (is_state || info->role == SHEAF_ROLE_OUTPUT))
            add(arg, TO_HOST, &p, 0);
        for (uint32_t d = 0; info->extent_offsets && d < info->rank; d++) {
            uint64_t at = info->extent_offsets[d];
            struct place extent = {AREA_ACTIVATIONS, client->context.area[AREA_ACTIVATIONS] + at,
                                   b->activations + at, sizeof(int64_t)};
            if (at != UINT64_MAX)
                add(arg, TO_HOST, &extent, 1);
        }
    }
}

struct amount {
    size_t n_in, n_out, staging_bytes;
};

/* In the staging memory. */
static size_t rounded(size_t bytes)
{
    return (bytes + sizeof(int64_t) - 1) / sizeof(int64_t) * sizeof(int64_t);
}

static void count_copy(void *arg, enum direction direction, const struct place *p, int is_extent)
{
    struct amount *a = arg;
    (void)is_extent;
    a->n_in += direction == TO_DEVICE;
    a->n_out += direction == TO_HOST;
    a->staging_bytes += p->area == AREA_ACTIVATIONS ? rounded(p->bytes) : 0;
}

static int is_copied(const struct gpu_copies *copies, CUdeviceptr device)
{
    for (size_t i = 0; i < copies->n; i++)
        if (copies->copy[i].device == device)
            return 1;
    return 0;
}

/* Several dimensions may have one extent. */
static void keep_copy(void *arg, enum direction direction, const struct place *p, int is_extent)
{
    struct client *c = arg;
    struct gpu_copies *copies = direction == TO_DEVICE ? &c->context.in : &c->context.out;
    struct views *views = is_extent ? &c->measured : direction == TO_DEVICE ? &c->in : &c->out;
    struct gpu_copy copy = {.device = p->device, .host = p->host, .bytes = p->bytes};
    if (is_extent && is_copied(&c->extents, p->device))
        return;
    if (p->area == AREA_ACTIVATIONS) {
        copy.host = c->staging + c->staging_used;
        c->staging_used += rounded(p->bytes);
        views->view[views->n++] = (struct view){p->host, copy.host, p->bytes};
    }
    copies->copy[copies->n++] = copy;
    if (is_extent)
        c->extents.copy[c->extents.n++] = copy;
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
    struct amount a = {0, 0, 0};
    each_copy(b, count_copy, &a);
    size_t n = a.n_in + 2 * a.n_out; /* extents are listed by themselves too */
    c->context.in.copy = rt_allocate(sizeof(void *), n * sizeof *c->context.in.copy);
    c->in.view = rt_allocate(sizeof(void *), n * sizeof *c->in.view);
    if (!c->context.in.copy || !c->in.view)
        return rt_fail_memory(err, c->context.name, "list of copies",
                              n * (sizeof *c->context.in.copy + sizeof *c->in.view));
    c->context.out.copy = c->context.in.copy + a.n_in;
    c->extents.copy = c->context.out.copy + a.n_out;
    c->out.view = c->in.view + a.n_in;
    c->measured.view = c->out.view + a.n_out;
    enum sheaf_status status = allocate_pinned(&c->context, a.staging_bytes, &c->staging, err);
    if (status == SHEAF_OK)
        each_copy(b, keep_copy, c);
    return status;
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
    free(c->context.in.copy);
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
                           CUresult (*fn)(const struct gpu_context *g, const struct place *p))
{
    struct client *c = b->device;
    CUresult r = plan_begin(&c->context, c->context.stream);
    for (size_t i = 0; i < rt_symbol_count(&b->shared->linked) && r == CUDA_SUCCESS; i++) {
        struct place p = place_of(b, i);
        if (p.bytes && p.host && b->shared->linked.info->symbols[i].role == SHEAF_ROLE_STATE)
            r = fn(&c->context, &p);
    }
    c->state_is_there = 0;
    return r;
}

static CUresult fetch_state(const struct gpu_context *g, const struct place *p)
{
    return g->shared->driver.cuda.MemcpyDtoHAsync(p->host, p->device, p->bytes, g->stream);
}

static CUresult clear_state(const struct gpu_context *g, const struct place *p)
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
    take(&c->measured);
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
    size_t i;
    enum sheaf_status status = rt_find_tensor(bundle, name, &i, err);
    if (status != SHEAF_OK)
        return status;
    *out_address = place_of(bundle, i).device;
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
        r = plan_copy_out(g, &c->extents, g->stream);
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
