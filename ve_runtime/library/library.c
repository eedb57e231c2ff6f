/*
 * Libraries on the Vector Engine.  Tensors lie in the program's own memory, and a run copies them
 * to the engine and back.  All functions of a library share one process there.
 */
#include "ve_runtime/library/library.h"

#include "ve_runtime/library/run.h"

static enum sheaf_status open_network(const struct library_open *open, void **out_device,
                                      struct sheaf_error *err)
{
    struct ve_network *network = NULL;
    enum sheaf_status status = plan_check(open->linked, err);
    if (status != SHEAF_OK)
        return status;
    struct ve_network_options o = {.linked = open->linked,
                                   .constants = open->constants,
                                   .node = open->number ? open->number : VEO_NODE_OF_ENVIRONMENT,
                                   .beside = open->first};
    status = ve_network_open(&o, &network, err);
    *out_device = network;
    return status;
}

static void close_network(void *device)
{
    ve_network_close(device);
}

static const struct library_device ve_library = {.context_bytes = sizeof(struct library_run),
                                                 .open = open_network,
                                                 .close = close_network,
                                                 .attach = library_run_attach,
                                                 .detach = library_run_detach,
                                                 .reset = library_run_reset,
                                                 .run = library_run_call};

int VE_LIBRARY(open)(struct device_library *lib, const struct device_networks *networks,
                     const void *constants, int number)
{
    return library_open(&ve_library, lib, networks, constants, number);
}

int VE_LIBRARY(run)(const struct device_library *lib, uint64_t i, const struct device_call *call)
{
    return library_run(lib, i, call);
}

int VE_LIBRARY(context_init)(const struct device_library *lib, uint64_t i, void *memory)
{
    return library_context_init(lib, i, memory);
}

void VE_LIBRARY(context_done)(void *memory)
{
    library_context_done(memory);
}

void *VE_LIBRARY(process)(const struct device_library *lib)
{
    const struct library *l = lib->opened;
    const struct ve_network *first = l->network[0].device;
    return first->shared->driver.process;
}
