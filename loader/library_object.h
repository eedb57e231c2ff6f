/*
 * library_object.h: the runtime part of libraries for devices (bundle/library/library.h), for
 * hosts.
 */
#ifndef SHEAF_LOADER_LIBRARY_OBJECT_H
#define SHEAF_LOADER_LIBRARY_OBJECT_H

#include "bundle/emit/emit.h"

/* The object for programs on the host of the device's target, that the tool has with it; fails
   where it has none. */
bool library_object(const struct target *device, struct bytes *out_object, struct error *err);

#endif
