/*
 * run.h: what the files of library.h share.
 */
#ifndef SHEAF_GPU_RUNTIME_LIBRARY_RUN_H
#define SHEAF_GPU_RUNTIME_LIBRARY_RUN_H

#include "bundle/library/library.h"
#include "gpu_runtime/context.h"

struct library_run {
    struct library_context common; /* first */
    struct gpu_context gpu;
    CUevent event; /* by which a run follows what other streams were given */
};

static inline struct library_run *library_run_of(struct library_context *c)
{
    return (struct library_run *)(void *)c;
}

/* struct library_device's. */
enum sheaf_status library_run_reset(struct library_context *c);
enum sheaf_status library_run_call(struct library_context *c, const struct device_call *call,
                                   int anew);

#endif
