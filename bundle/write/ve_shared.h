/*
 * ve_shared.h: shared objects for the Vector Engine, which no packaged linker can make.
 */
#ifndef SHEAF_BUNDLE_WRITE_VE_SHARED_H
#define SHEAF_BUNDLE_WRITE_VE_SHARED_H

#include "bundle/emit/emit.h"

/*
 * What the engine's dynamic loader can open, of one relocatable object that needs nothing from
 * elsewhere.  Its global symbols that are not hidden are those that the loader finds; its own
 * references to them are bound here.  `name` is the library's, and what sentences begin with.
 */
bool ve_shared_make(struct arena *a, const char *name, struct bytes object,
                    struct bytes *out_library, struct error *err);

#endif
