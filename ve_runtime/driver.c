#include "ve_runtime/driver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of AVEO 2.8.2; nothing older was looked at. */
enum { OLDEST_API = 11 };

static enum sheaf_status create_process(struct driver *d, int number, struct sheaf_error *err)
{
    int version = d->veo.veo_api_version();
    if (version < OLDEST_API)
        return rt_fail(err, SHEAF_ERROR_VERSION,
                       "AVEO is too old: its interface has version %d (%d or newer is needed)",
                       version, OLDEST_API);
    d->process = d->veo.veo_proc_create(number);
    if (d->process)
        return SHEAF_OK;
    if (number != VEO_NODE_OF_ENVIRONMENT)
        return rt_fail(
            err, SHEAF_ERROR_DEVICE,
            "no Vector Engine can be used: AVEO %.40s cannot create a process on node %d",
            d->veo.veo_version_string(), number);
    const char *node = getenv("VE_NODE_NUMBER");
    return rt_fail(err, SHEAF_ERROR_DEVICE,
                   "no Vector Engine can be used: AVEO %.40s cannot create a process on node %.40s "
                   "(environment variable VE_NODE_NUMBER)",
                   d->veo.veo_version_string(), node ? node : "0");
}

enum sheaf_status driver_open(struct driver *d, const char *bundle, int node,
                              struct sheaf_error *err)
{
    static const char *const symbols[] = {
#define VEO_SYMBOL(type, name, parameters) #name,
        VEO_FUNCTIONS(VEO_SYMBOL)
#undef VEO_SYMBOL
    };
    static const struct rt_vendor vendor = {.what = "AVEO",
                                            .file = DRIVER_LIBRARY,
                                            .version = "AVEO 2.8.2",
                                            .symbols = symbols,
                                            .n_symbols = sizeof symbols / sizeof symbols[0]};
    memset(d, 0, sizeof *d);
    d->bundle = bundle;
    enum sheaf_status status = rt_open_vendor(&vendor, &d->library, &d->veo, err);
    if (status != SHEAF_OK)
        return status;
    status = create_process(d, node, err);
    if (status != SHEAF_OK)
        driver_close(d);
    return status;
}

void driver_close(struct driver *d)
{
    if (d->process)
        d->veo.veo_proc_destroy(d->process);
    if (d->library)
        dlclose(d->library);
    memset(d, 0, sizeof *d);
}

/* ---- failures ---- */

enum sheaf_status driver_check(struct driver *d, struct sheaf_error *err)
{
    if (!__atomic_load_n(&d->lost, __ATOMIC_ACQUIRE))
        return SHEAF_OK;
    return rt_fail(err, SHEAF_ERROR_DEVICE,
                   "%s: the process on the Vector Engine has ended with an earlier failure: close "
                   "the bundle and open it again",
                   d->bundle);
}

enum sheaf_status driver_lose(struct driver *d, const char *what, int state, uint64_t result,
                              struct sheaf_error *err)
{
    __atomic_store_n(&d->lost, 1, __ATOMIC_RELEASE);
    if (state == VEO_COMMAND_EXCEPTION)
        return rt_fail(err, SHEAF_ERROR_DEVICE,
                       "%s: %s failed: an exception on the Vector Engine (signal %lu) has ended "
                       "its process",
                       d->bundle, what, (unsigned long)result);
    return rt_fail(err, SHEAF_ERROR_DEVICE,
                   "%s: %s failed: the process on the Vector Engine has ended (AVEO's state %d)",
                   d->bundle, what, state);
}

enum sheaf_status driver_fail(struct driver *d, struct veo_thr_ctxt *context,
                              enum sheaf_status status, const char *what, struct sheaf_error *err)
{
    if (d->veo.veo_get_context_state(context) != VEO_STATE_RUNNING)
        return driver_lose(d, what, VEO_COMMAND_ERROR, 0, err);
    return rt_fail(err, status, "%s: %s on the Vector Engine failed", d->bundle, what);
}

/* ---- memory ---- */

enum { ALIGNED_BYTES = 16 }; /* as malloc on the engine does */

enum sheaf_status driver_allocate(struct driver *d, struct veo_thr_ctxt *context, const char *what,
                                  size_t bytes, size_t alignment, struct driver_memory *out,
                                  struct sheaf_error *err)
{
    size_t more = alignment > ALIGNED_BYTES ? alignment - ALIGNED_BYTES : 0;
    struct driver_memory m = {0, 0};
    enum sheaf_status status = driver_check(d, err);
    if (status != SHEAF_OK || bytes == 0)
        return status;
    if (bytes <= SIZE_MAX - more && d->veo.veo_alloc_mem(d->process, &m.block, bytes + more) == 0) {
        m.address = (m.block + alignment - 1) / alignment * alignment;
        *out = m;
        return SHEAF_OK;
    }
    char text[96];
    snprintf(text, sizeof text, "allocating %lu bytes for the %s", (unsigned long)bytes, what);
    return driver_fail(d, context, SHEAF_ERROR_MEMORY, text, err);
}

void driver_free(struct driver *d, struct driver_memory *m)
{
    if (m->block)
        d->veo.veo_free_mem(d->process, m->block);
    m->address = m->block = 0;
}
