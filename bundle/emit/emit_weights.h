/*
 * emit_weights.h: the constant area as an object: one array of read-only bytes, for programs and
 * libraries that have it linked in.
 */
#ifndef SHEAF_BUNDLE_EMIT_WEIGHTS_H
#define SHEAF_BUNDLE_EMIT_WEIGHTS_H

#include "bundle/emit/emit.h"

struct emit_weights {
    const char *name;    /* of the array */
    const char *section; /* that it lies in; NULL: the usual one for constants */
    bool is_hidden;      /* from programs that use the library it is linked into */
    const struct target *target;
    struct bytes data; /* where it is empty, the array is one byte */
};

bool emit_weights(struct arena *a, const struct emit_weights *req, struct bytes *out_object,
                  struct error *err);

#endif
