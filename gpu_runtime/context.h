/*
 * context.h: what a bundle has on a device: its code and constants once, and for each context
 * memory areas and a stream of its own.  Runtime and libraries (library.h) stand on it.
 */
#ifndef SHEAF_GPU_RUNTIME_CONTEXT_H
#define SHEAF_GPU_RUNTIME_CONTEXT_H

#include "gpu_runtime/plan.h"

struct gpu_shared_options {
    const struct sheaf_linked *linked; /* of a plan that plan_check has seen */
    const void *constants;             /* copied to the device; steps on the host read them here */
    int ordinal;                       /* of the device */
    /* Another bundle on the same device, with the same constants, whose copy does; NULL: none.  It
       is closed later. */
    const struct gpu_shared *constants_of;
};

enum sheaf_status gpu_shared_open(const struct gpu_shared_options *options,
                                  struct gpu_shared **out_shared, struct sheaf_error *err);
void gpu_shared_close(struct gpu_shared *g); /* NULL is allowed */

/* Between driver_enter and driver_leave: a zeroed context with its areas, of which the mutable one
   will be zero in the order of its stream; gpu_context_close undoes it, and what of it there is
   after a failure. */
enum sheaf_status gpu_context_open(struct gpu_context *g, struct gpu_shared *shared,
                                   const struct sheaf_linked *linked, struct sheaf_error *err);
void gpu_context_close(struct gpu_context *g);

#endif
