/*
 * Runs without a context of the caller take one from a list, and make one where it is empty: in the
 * end there are as many as threads have run at the same time.
 */
#include "bundle/library/library.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

static enum sheaf_status open_network(struct library *l, size_t i, const void *constants,
                                      int number, struct sheaf_error *err)
{
    struct library_network *n = &l->network[i];
    n->of = &l->networks->network[i];
    n->library = l;
    n->linked = (struct sheaf_linked){.config = n->of->config, .info = n->of->info};
    struct library_open o = {.linked = &n->linked,
                             .constants = constants,
                             .number = number,
                             .first = i ? l->network[0].device : NULL};
    return l->device->open(&o, &n->device, err);
}

static void close_library(struct library *l)
{
    for (size_t i = l->networks->n; i-- > 0;)
        l->device->close(l->network[i].device);
    free(l);
}

static enum sheaf_status open_library(const struct library_device *device,
                                      const struct device_networks *networks, const void *constants,
                                      int number, struct library **out, struct sheaf_error *err)
{
    size_t bytes = sizeof(struct library) + networks->n * sizeof(struct library_network);
    struct library *l = rt_allocate(sizeof(void *), bytes);
    if (!l)
        return rt_fail_memory(err, networks->network[0].info->name, "library", bytes);
    memset(l, 0, bytes);
    l->device = device;
    l->networks = networks;
    enum sheaf_status status = SHEAF_OK;
    for (size_t i = 0; i < networks->n && status == SHEAF_OK; i++)
        status = open_network(l, i, constants, number, err);
    if (status == SHEAF_OK)
        *out = l;
    else
        close_library(l);
    return status;
}

int library_open(const struct library_device *device, struct device_library *lib,
                 const struct device_networks *networks, const void *constants, int number)
{
    struct sheaf_error err = {SHEAF_OK, ""};
    struct library *l = NULL;
    enum sheaf_status status = open_library(device, networks, constants, number, &l, &err);
    lib->opened = l;
    memcpy(lib->sentence, err.text, sizeof lib->sentence);
    return (int)status;
}

/* ---- contexts ---- */

static enum sheaf_status create_context(struct library_network *n, struct library_context **out)
{
    const struct library_device *device = n->library->device;
    struct library_context *c = rt_allocate(sizeof(void *), device->context_bytes);
    if (!c)
        return SHEAF_ERROR_MEMORY;
    memset(c, 0, device->context_bytes);
    c->network = n;
    enum sheaf_status status = device->attach(c);
    if (status == SHEAF_OK)
        *out = c;
    else
        free(c);
    return status;
}

static void destroy_context(struct library_context *c)
{
    c->network->library->device->detach(c);
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

int library_context_init(const struct device_library *lib, uint64_t i, void *memory)
{
    struct library_network *n = network_of(lib, i);
    struct handle h = {n->of, NULL};
    enum sheaf_status status = create_context(n, &h.context);
    if (status != SHEAF_OK)
        return (int)status;
    status = n->library->device->reset(h.context);
    if (status == SHEAF_OK)
        memcpy(memory, &h, sizeof h);
    else
        destroy_context(h.context);
    return (int)status;
}

void library_context_done(void *memory)
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
    status = n->library->device->run(c, call, /* state starts from zero */ 1);
    put_context(c);
    return status;
}

int library_run(const struct device_library *lib, uint64_t i, const struct device_call *call)
{
    struct library_network *n = network_of(lib, i);
    struct handle h;
    if (!call->context)
        return (int)run_without_context(n, call);
    memcpy(&h, call->context, sizeof h);
    if (h.network != n->of || !h.context)
        return (int)SHEAF_ERROR_ARGUMENT;
    return (int)n->library->device->run(h.context, call, 0);
}
