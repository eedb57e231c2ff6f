/*
 * library.h: what a library for NVIDIA GPUs (loader -emit-lib -device=nvidia) calls.  These files
 * are linked into it, beside the functions that bundle/emit/emit_library_device.c writes; what they
 * promise to applications is in the library's header and in docs/deploy.md.
 *
 * Statuses are enum sheaf_status.  Nothing is printed.  Any number of threads may call all but
 * `open` at once, which the emitted functions call once, or again after a failure.
 */
#ifndef SHEAF_GPU_RUNTIME_LIBRARY_LIBRARY_H
#define SHEAF_GPU_RUNTIME_LIBRARY_LIBRARY_H

#include "bundle/device_library.h"

/* The rest of the runtime is not seen outside the object that these files become. */
#pragma GCC visibility push(default)

/* Opens the driver and device number `device`, and copies code and constants there.  On success
   `lib` is for the functions below; on failure nothing is held, and its sentence says why. */
int GPU_LIBRARY(open)(struct device_library *lib, const struct device_networks *networks,
                      const void *constants, int device);

/* Runs network number i. */
int GPU_LIBRARY(run)(const struct device_library *lib, uint64_t i, const struct device_call *call);

/* Makes the block a context of network number i; `done` gives back what it holds. */
int GPU_LIBRARY(context_init)(const struct device_library *lib, uint64_t i, void *memory);
void GPU_LIBRARY(context_done)(void *memory);

/* What the allocator's hooks do by themselves: memory of the device of the thread's current
   context; NULL where there is none. */
void *GPU_LIBRARY(malloc)(size_t size);
void GPU_LIBRARY(free)(void *block);

#pragma GCC visibility pop

#endif
