/*
 * Libraries on NVIDIA GPUs.  The network's tensors lie in the areas of a context, whose addresses
 * its graphs of launches hold: so inputs are copied there and outputs from there, inside the
 * device, in the order of the run's stream.
 */
#include "gpu_runtime/library/library.h"

#include "gpu_runtime/library/run.h"

static enum sheaf_status open_network(const struct library_open *open, void **out_device,
                                      struct sheaf_error *err)
{
    struct gpu_shared *shared = NULL;
    enum sheaf_status status = plan_check(open->linked, err);
    if (status != SHEAF_OK)
        return status;
    struct gpu_shared_options o = {.linked = open->linked,
                                   .constants = open->constants,
                                   .ordinal = open->number,
                                   .constants_of = open->first};
    status = gpu_shared_open(&o, &shared, err);
    *out_device = shared;
    return status;
}

static void close_network(void *device)
{
    gpu_shared_close(device);
}

static enum sheaf_status attach(struct library_context *common)
{
    struct library_run *c = library_run_of(common);
    struct gpu_shared *shared = common->network->device;
    const struct cuda *cuda = &shared->driver.cuda;
    c->gpu.shared = shared;
    enum sheaf_status status = driver_enter(&shared->driver, NULL);
    if (status != SHEAF_OK)
        return status;
    status = gpu_context_open(&c->gpu, shared, &common->network->linked, NULL);
    if (status == SHEAF_OK && cuda->EventCreate(&c->event, CU_EVENT_DISABLE_TIMING) != CUDA_SUCCESS)
        status = SHEAF_ERROR_DEVICE;
    /* Runs may be queued on other streams. */
    if (status == SHEAF_OK && cuda->StreamSynchronize(c->gpu.stream) != CUDA_SUCCESS)
        status = SHEAF_ERROR_DEVICE;
    if (status != SHEAF_OK)
        gpu_context_close(&c->gpu);
    if (status != SHEAF_OK && c->event)
        cuda->EventDestroy(c->event);
    driver_leave(&shared->driver);
    return status;
}

static void detach(struct library_context *common)
{
    struct library_run *c = library_run_of(common);
    const struct driver *d = &c->gpu.shared->driver;
    if (driver_enter(d, NULL) != SHEAF_OK)
        return;
    gpu_context_close(&c->gpu);
    d->cuda.EventDestroy(c->event);
    driver_leave(d);
}

static const struct library_device gpu_library = {.context_bytes = sizeof(struct library_run),
                                                  .open = open_network,
                                                  .close = close_network,
                                                  .attach = attach,
                                                  .detach = detach,
                                                  .reset = library_run_reset,
                                                  .run = library_run_call};

int GPU_LIBRARY(open)(struct device_library *lib, const struct device_networks *networks,
                      const void *constants, int device)
{
    return library_open(&gpu_library, lib, networks, constants, device);
}

int GPU_LIBRARY(run)(const struct device_library *lib, uint64_t i, const struct device_call *call)
{
    return library_run(lib, i, call);
}

int GPU_LIBRARY(context_init)(const struct device_library *lib, uint64_t i, void *memory)
{
    return library_context_init(lib, i, memory);
}

void GPU_LIBRARY(context_done)(void *memory)
{
    library_context_done(memory);
}
