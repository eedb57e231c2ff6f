/*
 * bundle.h: writes a bundle to disk: NAME.o, NAME.weights, NAME.h (and NAME.s), all or none.
 */
#ifndef SHEAF_BUNDLE_WRITE_BUNDLE_H
#define SHEAF_BUNDLE_WRITE_BUNDLE_H

#include "bundle/emit/emit.h"
#include "bundle/write/weights.h"

struct bundle_request {
    const char *dir;               /* made where missing; its parent must exist */
    const char *name;              /* of the files, and stem of the header's macros */
    const char *entry;             /* of the function; a C identifier */
    const char *source;            /* the model as the header names it, without a path */
    const struct program *program; /* planned */
    const struct target *target;
    const struct emit_symbol *symbols; /* as in the object */
    size_t n_symbols;
    struct bytes object;
    struct bytes assembly; /* empty: none is written */
    struct weights weights;
};

/* An object that needs symbols or has writable data is refused. */
bool bundle_write(struct arena *a, const struct bundle_request *req, struct error *err);

/* The check by itself: no undefined symbols, no writable sections, the entry is defined. */
bool bundle_check_object(const struct bytes *object, const char *entry, struct error *err);

#endif
