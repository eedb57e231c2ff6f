/*
 * device_library.h: the contract between the functions of a library for a device, which
 * bundle/emit/emit_library_device.c writes, and the part of the device's runtime that is linked
 * into the library (gpu_runtime/library/library.h, ve_runtime/library/library.h).
 *
 * The names of that part's functions tell the device, and carry a number, which changes when
 * anything here does: so one program may link static libraries for both, made by different
 * versions of the tool.
 */
#ifndef SHEAF_DEVICE_LIBRARY_H
#define SHEAF_DEVICE_LIBRARY_H

#include "bundle/bundle.h"

#define GPU_LIBRARY_PREFIX "sheaf_gpu1_"
#define GPU_LIBRARY(name)  sheaf_gpu1_##name
#define VE_LIBRARY_PREFIX  "sheaf_ve1_"
#define VE_LIBRARY(name)   sheaf_ve1_##name

#define DEVICE_NONE UINT32_MAX

enum { DEVICE_SENTENCE_BYTES = 512, DEVICE_CONTEXT_BYTES = 2 * sizeof(void *) };

/* A function of the library; constant data.  Tensors are numbered as in its bundle's tables. */
struct device_network {
    const struct BundleConfig *config;
    const struct sheaf_bundle_info *info;
    const uint32_t *in, *out; /* in the order of the parameters */
    const uint32_t *random;   /* states {key, counter} of random operators */
    int32_t *seed, *streams;  /* of the function: the key, and how many sequences were begun */
    uint32_t n_in, n_out, n_random;
    uint32_t items;    /* of `in`, the one that says how many items the others have; DEVICE_NONE */
    int64_t max_items; /* that they have room for */
};

/* All functions of the library; constant data. */
struct device_networks {
    const struct device_network *network;
    uint64_t n;
    /* The allocator's hooks, for outputs. */
    void *(*allocate)(size_t size);
    void (*give_back)(void *block);
};

/* What the library writes to; zero before it is opened. */
struct device_library {
    void *opened;                         /* the runtime's own */
    char sentence[DEVICE_SENTENCE_BYTES]; /* why it could not be opened; else "" */
};

enum device_call_kind {
    DEVICE_CALL_ALLOCATE =
        0,                /* outputs are allocated and stored through `out`; results are there */
    DEVICE_CALL_RUN = 1,  /* `out` is memory of the caller; results are there */
    DEVICE_CALL_QUEUE = 2 /* the same, on the caller's stream: results are to come */
};

/* A run. */
struct device_call {
    void *context; /* a block of DEVICE_CONTEXT_BYTES that context_init has made one; NULL: none */
    void *stream;  /* of DEVICE_CALL_QUEUE */
    void *const *in;
    void *const *out;
    int64_t *const *dims; /* for each output where its extents go, or NULL; NULL: for none */
    uint64_t kind;        /* enum device_call_kind */
};

#endif
