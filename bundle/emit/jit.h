/*
 * jit.h: an emitted object, linked in memory: what is run is byte for byte what a bundle holds.
 */
#ifndef SHEAF_BUNDLE_JIT_H
#define SHEAF_BUNDLE_JIT_H

#include "bundle/emit/emit.h"

struct jit;

/* Links the object; out_entry is its function `name`.  The host must be able to run it.
   `functions`: of the user's, that it calls; NULL: it calls none. */
bool jit_open(const struct bytes *object, const char *name,
              const struct kextern_functions *functions, struct jit **out_jit,
              sheaf_entry_fn *out_entry, struct error *err);
/* A table of the object; NULL where there is none. */
const void *jit_data(struct jit *j, const char *name);
/* Another function of the object; NULL where there is none. */
sheaf_entry_fn jit_function(struct jit *j, const char *name);
void jit_close(struct jit *j); /* NULL is fine */

#endif
