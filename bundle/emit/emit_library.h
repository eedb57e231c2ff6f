/*
 * emit_library.h: the objects that make a library of a bundle: the functions that an application
 * calls, the allocator's hooks, and the weights.  What the functions promise is in the header that
 * bundle/write/library_header.c writes, and in docs/deploy.md.
 *
 * The code runs on any processor of the architecture, for it tests what the bundle needs.  It calls
 * the C library; beside what the linker resolves the objects need nothing.
 */
#ifndef SHEAF_BUNDLE_EMIT_LIBRARY_H
#define SHEAF_BUNDLE_EMIT_LIBRARY_H

#include "bundle/emit/emit.h"

/* One of the bundle's functions as applications call it. */
struct emit_library_function {
    const char *func;              /* FUNC: stem of all names that it defines */
    const char *entry;             /* the bundle's function, in another object of the library */
    const struct program *program; /* planned; of several parts the first */
    const int *in, *out;           /* buffers, in the model's order */
    size_t n_in, n_out;
    /* The input that tells how many items of their first dimension the others have, at most
       max_items; -1: none. */
    int items;
    int64_t max_items;
    const int *random; /* states {key, counter} of random operators */
    size_t n_random;
    const struct emit_symbol *symbols; /* of the bundle's function */
    size_t n_symbols;
};

struct emit_library {
    const struct emit_library_function *functions; /* constants are one area for all */
    size_t n_functions;
    /* For plain processors of the bundle's architecture, floats passed as there. */
    const struct target *target;
    /* What the bundle's code needs; NULL: it has several parts, and ENTRY_select and ENTRY_run. */
    const char *features;
    /* Of the networks, whose runtime is another object of the library; 0: they are code of the
       target. */
    enum sheaf_device device;
    const char *weights_path; /* NULL: in the object of emit_library_weights */
    uint64_t weights_digest;  /* XXH64, where there is a path */
    /* Not 0: any weights of this layout will do; the file ends in a sheaf_weights_trailer. */
    uint64_t weights_layout;
};

/* How the names of a device's runtime begin (bundle/device_library.h). */
const char *emit_library_runtime(enum sheaf_device device);
/* How those of the allocator's hooks begin: where tensors lie in a device's memory, that is not the
   processor's, and a program may have libraries for both. */
const char *emit_library_hook_names(enum sheaf_device device);
/* Whether tensors do: pointers are the device's, and there are streams. */
bool emit_library_is_on_device(enum sheaf_device device);

/* Whether `name` is FUNC or belongs to it, inside the library or outside. */
bool emit_library_has_name(const char *func, const char *name);
/* What objects call of the C library: functions and hooks; a device's runtime too, and of that what
   older C libraries have in a library of its own, libdl.so.2. */
enum emit_library_need { EMIT_NEED_C, EMIT_NEED_DEVICE, EMIT_NEED_DL };
/* Name i of those of a kind, NULL behind the last. */
const char *emit_library_needs(enum emit_library_need kind, size_t i);
bool emit_library_is_needed(const char *name);           /* by functions and hooks */
bool emit_library_is_needed_by_device(const char *name); /* by the runtime of a device */

/* Whether the input has as many items as another one says. */
bool emit_library_is_counted(const struct emit_library_function *fn, int buf);
/* Whether the tensor has extents that are known at run time only. */
bool emit_library_has_extents(const struct pbuf *b);
/* Whether some output has: then there is FUNC_run_sized. */
bool emit_library_is_sized(const struct emit_library_function *fn);
/* Whether a run on a device with streams needs nothing from there before it is over: then there is
   FUNC_queue. */
bool emit_library_can_queue(const struct emit_library *lib, const struct emit_library_function *fn);
/* Bytes of a context: the mutable area and the activations, and what comes with them. */
uint64_t emit_library_context_bytes(const struct emit_library_function *fn);

/* FUNC, FUNC_init and the others, of all functions. */
bool emit_library_functions(struct arena *a, const struct emit_library *lib,
                            struct bytes *out_object, struct error *err);
/* sheaf_ext_malloc and the others, all weak: the same for every library of a target, or of a
 * device.
 */
bool emit_library_hooks(struct arena *a, const struct emit_library *lib, struct bytes *out_object,
                        struct error *err);
/* The constant area as read-only data FUNC_constants, FUNC that of the first function. */
bool emit_library_weights(struct arena *a, const struct emit_library *lib, struct bytes weights,
                          struct bytes *out_object, struct error *err);
/* Functions of the names of emit_library_needs that do nothing: what a linker needs to see of a C
   library that is on another machine. */
struct emit_library_stub {
    const struct target *target;
    bool needed[EMIT_NEED_DL + 1]; /* by kind */
};
bool emit_library_stub(struct arena *a, const struct emit_library_stub *stub,
                       struct bytes *out_object, struct error *err);

#endif
