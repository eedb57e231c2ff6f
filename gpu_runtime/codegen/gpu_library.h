/*
 * gpu_library.h: the runtime part of libraries for GPUs (gpu_runtime/library), for hosts.
 */
#ifndef SHEAF_GPU_LIBRARY_H
#define SHEAF_GPU_LIBRARY_H

#include "bundle/emit/emit.h"

/* The object for programs on the host, that the tool has with it; fails where it has none. */
bool gpu_library_object(const struct target *host, struct bytes *out_object, struct error *err);

#endif
