/*
 * library.h: a bundle as a library: libNN.so or libNN.a, libNN.h and where they are asked for the
 * weights, assembly text and listing beside them: all or none.
 */
#ifndef SHEAF_BUNDLE_WRITE_LIBRARY_H
#define SHEAF_BUNDLE_WRITE_LIBRARY_H

#include "bundle/emit/emit_library.h"
#include "bundle/write/weights.h"
#include "ir/strbuf.h"

enum library_kind { LIBRARY_SHARED, LIBRARY_STATIC };

struct library_request {
    enum library_kind kind;
    const char *dir;                  /* made where missing; its parent must exist */
    const char *name;                 /* of the files: libNN */
    const struct emit_entry *entries; /* of each function of `functions` */
    struct emit_library functions;
    struct bytes object;   /* the bundle's code */
    struct bytes runtime;  /* the object of the device's; empty: there is none */
    struct bytes assembly; /* libNN.s; empty: none is written */
    struct bytes listing;  /* libNN.kernels; the same */
    struct weights weights;
    const char *const *extra; /* paths of further objects */
    size_t n_extra;
    const char *emulation, *output_format; /* see link.h; NULL: the usual */
    bool is_native;
};

/* Adds to `out_note` what the application's linker must be told. */
bool library_write(struct arena *a, const struct library_request *req, struct strbuf *out_note,
                   struct error *err);

/* Writes the file of replaceable weights alone, for the library that is there already: they fit
   where the model gives the very same one. */
bool library_repack(struct arena *a, const struct library_request *req, struct error *err);

#endif
