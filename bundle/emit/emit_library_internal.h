/*
 * emit_library_internal.h: what the files of emit_library.h share.
 */
#ifndef SHEAF_BUNDLE_EMIT_LIBRARY_INTERNAL_H
#define SHEAF_BUNDLE_EMIT_LIBRARY_INTERNAL_H

#include "bundle/emit/emit_library.h"
#include "bundle/emit/emit_plain.h"

/* The module under construction. */
struct library {
    struct emit e;
    const struct emit_library *req;
    const struct emit_library_function *fn; /* in work; of what all share the first */
    LLVMTypeRef state_type;
    LLVMValueRef state; /* all that the library writes to */
    LLVMValueRef init;  /* int init(const char *path) */
};

/* The fields of the state; zero is how it starts. */
enum library_field {
    LIBRARY_PHASE,     /* i32: 0, LIBRARY_READY, LIBRARY_BUSY, or the status of what failed */
    LIBRARY_SEED,      /* i32 of each function, of FUNC_seed */
    LIBRARY_STREAMS,   /* i32 of each: how many sequences of random numbers were begun */
    LIBRARY_VARIANT,   /* i32, of ENTRY_select */
    LIBRARY_CONSTANTS, /* ptr: the mapped weights */
    /* For a device: */
    LIBRARY_DEVICE_NUMBER, /* i32, of FUNC_init */
    LIBRARY_DEVICE,        /* struct device_library */
    LIBRARY_N_FIELDS
};
enum { LIBRARY_READY = -1, LIBRARY_BUSY = -2 };

LLVMValueRef library_field(struct library *l, enum library_field field);
/* That of the function in work. */
LLVMValueRef library_own_field(struct library *l, enum library_field field);
const char *library_name(struct library *l, const char *suffix); /* FUNC_suffix */
/* Calls ENTRY and its kin, which lie in the library and are not seen outside. */
LLVMValueRef library_call_bundle(struct library *l, const char *suffix, const LLVMValueRef *args,
                                 size_t n);
/* A function that applications see. */
LLVMValueRef library_export(struct library *l, const char *suffix, LLVMTypeRef result,
                            const LLVMTypeRef *params, size_t n);

/* ---- emit_library.c ---- */
LLVMValueRef library_constants(struct library *l); /* where the constant area lies */

/* ---- emit_library_device.c ---- */
LLVMTypeRef library_device_type(struct emit *e); /* struct device_library */
/* Calls the device's runtime. */
LLVMValueRef library_call_device(struct library *l, const char *name, LLVMTypeRef result,
                                 const LLVMValueRef *args, size_t n);
/* Opens the device, for all functions; an i32, the status. */
LLVMValueRef library_open_device(struct library *l, LLVMValueRef constants);
/* FUNC_init and FUNC_message; contexts and runs. */
void library_emit_device_init(struct library *l);
void library_emit_device_runs(struct library *l, const LLVMTypeRef *pointers);

/* ---- emit_library_init.c ---- */
/* init, which all functions share. */
void library_emit_ready(struct library *l);
/* FUNC_init, FUNC_status, FUNC_seed, FUNC_weights and FUNC_weights_file. */
void library_emit_init(struct library *l);

/* ---- emit_library_weights.c ---- */
/* int load(const char *path): maps the file with the weights; path NULL: the one that was baked
   in. */
LLVMValueRef library_emit_load(struct library *l);

/* ---- emit_digest.c ---- */
/* XXH64 of n bytes at data. */
LLVMValueRef emit_digest(struct emit *e, LLVMValueRef data, uint64_t n_bytes);

#endif
