/*
 * run.h: what the files of library.h share.
 */
#ifndef SHEAF_GPU_RUNTIME_LIBRARY_RUN_H
#define SHEAF_GPU_RUNTIME_LIBRARY_RUN_H

#include "bundle/device_library.h"
#include "gpu_runtime/context.h"

struct library_network {
    const struct device_network *of;
    struct library *library;
    struct sheaf_linked linked;
    struct gpu_shared *shared;
    struct library_context *idle; /* that no run has; under the lock */
    char locked;
};

struct library {
    const struct device_networks *networks;
    struct library_network network[]; /* as many as these */
};

struct library_context {
    struct gpu_context gpu;
    CUevent event; /* by which a run follows what other streams were given */
    struct library_network *network;
    struct library_context *next;
};

/* The network's state becomes what it starts with. */
enum sheaf_status library_reset(const struct library_context *c);

/* `anew`: from the state that the network starts with. */
enum sheaf_status library_run(struct library_context *c, const struct device_call *call, int anew);

#endif
