/*
 * library.h: what a library for the Vector Engine (loader -emit-lib -device=ve) calls.  These files
 * are linked into it, beside the functions that bundle/emit/emit_library_device.c writes; what they
 * promise to applications is in the library's header and in docs/deploy.md.
 *
 * Statuses are enum sheaf_status.  Nothing is printed.  Any number of threads may call all but
 * `open` at once, which the emitted functions call once, or again after a failure.
 */
#ifndef SHEAF_VE_RUNTIME_LIBRARY_LIBRARY_H
#define SHEAF_VE_RUNTIME_LIBRARY_LIBRARY_H

#include "bundle/device_library.h"

/* The rest of the runtime is not seen outside the object that these files become. */
#pragma GCC visibility push(default)

/* Opens AVEO and a process on node `number`, 0: the one that the environment tells, and copies code
   and constants there.  On success `lib` is for the functions below; on failure nothing is held,
   and its sentence says why. */
int VE_LIBRARY(open)(struct device_library *lib, const struct device_networks *networks,
                     const void *constants, int number);

/* Runs network number i. */
int VE_LIBRARY(run)(const struct device_library *lib, uint64_t i, const struct device_call *call);

/* Makes the block a context of network number i; `done` gives back what it holds. */
int VE_LIBRARY(context_init)(const struct device_library *lib, uint64_t i, void *memory);
void VE_LIBRARY(context_done)(void *memory);

/* AVEO's process on the engine: a struct veo_proc_handle. */
void *VE_LIBRARY(process)(const struct device_library *lib);

#pragma GCC visibility pop

#endif
