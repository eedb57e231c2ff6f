/*
 * Libraries on NVIDIA GPUs.  The network's tensors lie in the areas of a context, whose addresses
 * its graphs of launches hold: so inputs are copied there and outputs from there, inside the
 * device, in the order of the run's stream.
 *
 * Runs without a context of the caller take one from a list, and make one where it is empty: in the
 * end there are as many as threads have run at the same time.
 */
#include "gpu_runtime/library/library.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_runtime/library/run.h"

/* ---- opening ---- */

static enum sheaf_status open_network(struct library *l, size_t i, const void *constants,
                                      int device, struct sheaf_error *err)
{
    struct library_network *n = &l->network[i];
    n->of = &l->networks->network[i];
    n->library = l;
    n->linked = (struct sheaf_linked){.config = n->of->config, .info = n->of->info};
    enum sheaf_status status = plan_check(&n->linked, err);
    if (status != SHEAF_OK)
        return status;
    struct gpu_shared_options o = {.linked = &n->linked,
                                   .constants = constants,
                                   .ordinal = device,
                                   .constants_of = i ? l->network[0].shared : NULL};
    return gpu_shared_open(&o, &n->shared, err);
}

static void close_library(struct library *l)
{
    for (size_t i = l->networks->n; i-- > 0;)
        gpu_shared_close(l->network[i].shared);
    free(l);
}

static enum sheaf_status open_library(const struct device_networks *networks, const void *constants,
                                      int device, struct library **out, struct sheaf_error *err)
{
    size_t bytes = sizeof(struct library) + networks->n * sizeof(struct library_network);
    struct library *l = rt_allocate(sizeof(void *), bytes);
    if (!l)
        return rt_fail_memory(err, networks->network[0].info->name, "library", bytes);
    memset(l, 0, bytes);
    l->networks = networks;
    enum sheaf_status status = SHEAF_OK;
    for (size_t i = 0; i < networks->n && status == SHEAF_OK; i++)
        status = open_network(l, i, constants, device, err);
    if (status == SHEAF_OK)
        *out = l;
    else
        close_library(l);
    return status;
}

int DEVICE_LIBRARY(open)(struct device_library *lib, const struct device_networks *networks,
                         const void *constants, int device)
{
    struct sheaf_error err = {SHEAF_OK, ""};
    struct library *l = NULL;
    enum sheaf_status status = open_library(networks, constants, device, &l, &err);
    lib->opened = l;
    memcpy(lib->sentence, err.text, sizeof lib->sentence);
    return (int)status;
}

/* ---- contexts ---- */

static enum sheaf_status create_context(struct library_network *n, struct library_context **out)
{
    struct library_context *c = rt_allocate(sizeof(void *), sizeof *c);
    if (!c)
        return SHEAF_ERROR_MEMORY;
    memset(c, 0, sizeof *c);
    c->network = n;
    c->gpu.shared = n->shared;
    enum sheaf_status status = driver_enter(&n->shared->driver, NULL);
    if (status != SHEAF_OK) {
        free(c);
        return status;
    }
    status = gpu_context_open(&c->gpu, n->shared, &n->linked, NULL);
    if (status == SHEAF_OK &&
        n->shared->driver.cuda.EventCreate(&c->event, CU_EVENT_DISABLE_TIMING) != CUDA_SUCCESS)
        status = SHEAF_ERROR_DEVICE;
    /* Runs may be queued on other streams. */
    if (status == SHEAF_OK &&
        n->shared->driver.cuda.StreamSynchronize(c->gpu.stream) != CUDA_SUCCESS)
        status = SHEAF_ERROR_DEVICE;
    if (status != SHEAF_OK)
        gpu_context_close(&c->gpu);
    if (status != SHEAF_OK && c->event)
        n->shared->driver.cuda.EventDestroy(c->event);
    driver_leave(&n->shared->driver);
    if (status == SHEAF_OK)
        *out = c;
    else
        free(c);
    return status;
}

static void destroy_context(struct library_context *c)
{
    const struct driver *d = &c->network->shared->driver;
    if (driver_enter(d, NULL) == SHEAF_OK) {
        gpu_context_close(&c->gpu);
        d->cuda.EventDestroy(c->event);
        driver_leave(d);
    }
    free(c);
}

/* A context of the caller: its network and ours, in a block that may be of any alignment. */
struct handle {
    const struct device_network *network;
    struct library_context *context;
};
typedef char handle_fits[sizeof(struct handle) == DEVICE_CONTEXT_BYTES ? 1 : -1];

static struct library_network *network_of(const struct device_library *lib, uint64_t i)
{
    struct library *l = lib->opened;
    return &l->network[i];
}

int DEVICE_LIBRARY(context_init)(const struct device_library *lib, uint64_t i, void *memory)
{
    struct library_network *n = network_of(lib, i);
    struct handle h = {n->of, NULL};
    enum sheaf_status status = create_context(n, &h.context);
    if (status != SHEAF_OK)
        return (int)status;
    status = library_reset(h.context);
    if (status == SHEAF_OK)
        memcpy(memory, &h, sizeof h);
    else
        destroy_context(h.context);
    return (int)status;
}

void DEVICE_LIBRARY(context_done)(void *memory)
{
    struct handle h;
    if (!memory)
        return;
    memcpy(&h, memory, sizeof h);
    if (h.context)
        destroy_context(h.context);
    memset(memory, 0, sizeof h);
}

/* ---- the list of those that no run has ---- */

/* It is held for a few instructions. */
static void lock(struct library_network *n)
{
    while (__atomic_test_and_set(&n->locked, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void unlock(struct library_network *n)
{
    __atomic_clear(&n->locked, __ATOMIC_RELEASE);
}

static enum sheaf_status take_context(struct library_network *n, struct library_context **out)
{
    lock(n);
    struct library_context *c = n->idle;
    if (c)
        n->idle = c->next;
    unlock(n);
    if (!c)
        return create_context(n, out);
    *out = c;
    return SHEAF_OK;
}

static void put_context(struct library_context *c)
{
    struct library_network *n = c->network;
    lock(n);
    c->next = n->idle;
    n->idle = c;
    unlock(n);
}

/* ---- running ---- */

static enum sheaf_status run_without_context(struct library_network *n,
                                             const struct device_call *call)
{
    struct library_context *c = NULL;
    /* What is queued outlives the call, and so must its memory. */
    if (call->kind == DEVICE_CALL_QUEUE)
        return SHEAF_ERROR_ARGUMENT;
    enum sheaf_status status = take_context(n, &c);
    if (status != SHEAF_OK)
        return status;
    status = library_run(c, call, /* state starts from zero */ 1);
    put_context(c);
    return status;
}

int DEVICE_LIBRARY(run)(const struct device_library *lib, uint64_t i,
                        const struct device_call *call)
{
    struct library_network *n = network_of(lib, i);
    struct handle h;
    if (!call->context)
        return (int)run_without_context(n, call);
    memcpy(&h, call->context, sizeof h);
    if (h.network != n->of || !h.context)
        return (int)SHEAF_ERROR_ARGUMENT;
    return (int)library_run(h.context, call, 0);
}
