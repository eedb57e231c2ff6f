/*
 * bundle.h: writes a bundle to disk: NAME.o, NAME.h and the weights (and NAME.s; for a Vector
 * Engine NAME.ve.o and NAME.ve.so), all or none.
 */
#ifndef SHEAF_BUNDLE_WRITE_BUNDLE_H
#define SHEAF_BUNDLE_WRITE_BUNDLE_H

#include "bundle/emit/emit.h"
#include "bundle/write/weights.h"

/* NAME.weights, an array in NAME_weights.c or NAME_weights.o, or no file. */
enum weights_format { WEIGHTS_BIN, WEIGHTS_C, WEIGHTS_OBJECT, WEIGHTS_NONE };

struct bundle_request {
    const char *dir;  /* made where missing; its parent must exist */
    const char *name; /* of the files, and stem of the macros where there is one entry */
    const struct emit_entry *entries; /* as in the object */
    size_t n_entries;
    struct bytes object;
    struct bytes assembly;                      /* empty: none is written */
    struct bytes listing;                       /* the same */
    struct bytes device_object, device_library; /* NAME.ve.o, NAME.ve.so; the same */
    struct weights weights;
    enum weights_format weights_format;
    const char *weights_section; /* of the array; NULL: the usual one for constants */
};

/* An object that needs symbols or has writable data is refused. */
bool bundle_write(struct arena *a, const struct bundle_request *req, struct error *err);

/* The check by itself: no undefined symbols but functions of the user's (-extern-op), no writable
   sections, the entry is defined. */
bool bundle_check_object(const struct bytes *object, const char *entry, struct error *err);

#endif
