/*
 * driver.h: NVIDIA's driver, opened at run time.
 */
#ifndef SHEAF_GPU_RUNTIME_DRIVER_H
#define SHEAF_GPU_RUNTIME_DRIVER_H

#include "bundle/run/run.h"
#include "gpu_runtime/cuda.h"

#define DRIVER_LIBRARY "libcuda.so.1"

struct driver {
    void *library;
    struct cuda cuda;
    int version; /* 12040 for 12.4 */
    CUdevice device;
    CUcontext context; /* the device's primary one, held while the driver is open */
    int arch;          /* compute capability, 80 for 8.0 */
    char device_name[96];
};

/* The driver and device number `ordinal`, ready for calls of this thread between enter and leave.
 */
enum sheaf_status driver_open(struct driver *d, int ordinal, struct sheaf_error *err);
void driver_close(struct driver *d);

/* Calls in between belong to the device's context; the thread's own is as before then. */
enum sheaf_status driver_enter(const struct driver *d, struct sheaf_error *err);
void driver_leave(const struct driver *d);

/* A sentence for a call that failed: what was attempted, on which device, and the driver's words.
 */
enum sheaf_status driver_fail(const struct driver *d, CUresult result, const char *bundle,
                              const char *what, struct sheaf_error *err);

/* Memory of the device for the bundle's `what`; of no bytes none. */
enum sheaf_status driver_allocate(const struct driver *d, const char *bundle, const char *what,
                                  size_t bytes, CUdeviceptr *out, struct sheaf_error *err);

#endif
