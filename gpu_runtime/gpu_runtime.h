/*
 * gpu_runtime.h: runs bundles on NVIDIA GPUs (loader -gpu).  The calls are those of
 * bundle/runtime.h; here is what only this runtime has.
 *
 * With the common calls alone a program needs to know nothing of the device: tensors lie in its own
 * memory, and a run copies the inputs to the device and the outputs back.  A program that has its
 * data on the device already uses sheaf_gpu_address and sheaf_gpu_run, which copy nothing.
 *
 * The driver's library libcuda.so.1 is opened with the first bundle; there is no other need.  A
 * bundle uses the primary context of its device, as other users of the CUDA runtime do, and leaves
 * the calling thread's current context as it was.  The device is the first that the
 * environment variable CUDA_VISIBLE_DEVICES lets the process see.
 */
#ifndef SHEAF_GPU_RUNTIME_H
#define SHEAF_GPU_RUNTIME_H

#include "bundle/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The address of a tensor in the device's memory, a CUdeviceptr, by its name in the model or its
   legalised name.  Constants too; those must not be written. */
enum sheaf_status sheaf_gpu_address(const sheaf_bundle *bundle, const char *name,
                                    uint64_t *out_address, struct sheaf_error *err);

/*
 * Runs the network once on what lies in its inputs on the device, and copies nothing.  Returns when
 * the work is queued on `stream`, a CUstream of the device's primary context; NULL is the bundle's
 * own stream, which does not wait for the legacy default stream (that one is (void *)1).  Runs of a
 * bundle follow one another, whichever streams they are queued on.  A network whose course depends
 * on its data (ONNX If and Loop) makes the call wait for that data.
 *
 * State stays on the device; the next sheaf_run goes on with it, and sheaf_reset_state clears it
 * there too.
 */
enum sheaf_status sheaf_gpu_run(sheaf_bundle *bundle, void *stream, struct sheaf_error *err);

/* Copies the whole activations area, config->activationsMemSize bytes, from the device: what lies
   there after a run, for tests and debugging. */
enum sheaf_status sheaf_gpu_activations(const sheaf_bundle *bundle, void *out,
                                        struct sheaf_error *err);

/* Waits for all runs that were queued, whose failures it reports.  Extents that were found out at
   run time are known from then on (sheaf_tensor). */
enum sheaf_status sheaf_gpu_wait(sheaf_bundle *bundle, struct sheaf_error *err);

#ifdef __cplusplus
}
#endif

#endif
