/*
 * device_run.h: running a bundle's network on a device from within the tool, by the device's
 * runtime, of which the tool has its own.
 */
#ifndef SHEAF_LOADER_DEVICE_RUN_H
#define SHEAF_LOADER_DEVICE_RUN_H

#include "bundle/runtime.h"

/* The areas are the host's, by their numbers in struct sheaf_pointer. */
struct device_runs {
    enum sheaf_status (*open)(const struct sheaf_linked *linked, const void *constants,
                              size_t n_bytes, sheaf_bundle **out_bundle, struct sheaf_error *err);
    /* From and to the mutable area; the activations are what the run has left on the device. */
    enum sheaf_status (*run)(sheaf_bundle *bundle, uint8_t *const *area, struct sheaf_error *err);
    void (*close)(sheaf_bundle *bundle); /* NULL is allowed */
    /* How many cores share each run; NULL: the device has no such thing. */
    enum sheaf_status (*set_cores)(sheaf_bundle *bundle, uint32_t n, struct sheaf_error *err);
};

extern const struct device_runs gpu_device_runs, ve_device_runs;

#endif
