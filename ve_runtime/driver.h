/*
 * driver.h: AVEO, opened at run time, and a process of a Vector Engine.
 *
 * AVEO gives no reasons: a request fails when the process has ended, and in no other case that a
 * caller could do something about.  So the first failed request marks the process as lost, and all
 * calls from then on say so.
 */
#ifndef SHEAF_VE_RUNTIME_DRIVER_H
#define SHEAF_VE_RUNTIME_DRIVER_H

#include "bundle/run/run.h"
#include "ve_runtime/veo.h"

#define DRIVER_LIBRARY "libveo.so.1"

struct driver {
    void *library;
    struct veo veo;
    struct veo_proc_handle *process;
    const char *bundle; /* its name, for sentences */
    int lost;           /* changed atomically */
};

/* Memory of the engine. */
struct driver_memory {
    uint64_t address;
    uint64_t block; /* that it lies in, for veo_free_mem; 0: none */
};

/* AVEO, and a process on an engine: its node's number, or VEO_NODE_OF_ENVIRONMENT. */
enum sheaf_status driver_open(struct driver *d, const char *bundle, int node,
                              struct sheaf_error *err);
void driver_close(struct driver *d);

/* Fails where the process is lost. */
enum sheaf_status driver_check(struct driver *d, struct sheaf_error *err);
/* A sentence for a request that failed, which is the end of the process: `state` is what its wait
   said, VEO_COMMAND_ERROR where it was not even taken, `result` what it gave. */
enum sheaf_status driver_lose(struct driver *d, const char *what, int state, uint64_t result,
                              struct sheaf_error *err);
/* A sentence for a call other than a request; `status` where the process is still there. */
enum sheaf_status driver_fail(struct driver *d, struct veo_thr_ctxt *context,
                              enum sheaf_status status, const char *what, struct sheaf_error *err);

/* Memory for the bundle's `what`; of no bytes none.  driver_free of zeroed memory does nothing. */
enum sheaf_status driver_allocate(struct driver *d, struct veo_thr_ctxt *context, const char *what,
                                  size_t bytes, size_t alignment, struct driver_memory *out,
                                  struct sheaf_error *err);
void driver_free(struct driver *d, struct driver_memory *m);

/* Loads a shared object from its bytes. */
enum sheaf_status driver_load(struct driver *d, struct veo_thr_ctxt *context, const uint8_t *bytes,
                              size_t n_bytes, uint64_t *out_library, struct sheaf_error *err);

#endif
