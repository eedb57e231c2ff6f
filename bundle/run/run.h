/*
 * run.h: what the runtimes of all devices share: bundles are opened, checked and asked for their
 * tensors in one way.  Each runtime is these files and one rt_device, which says how its processor
 * has memory and runs a bundle.  Not for applications; names start with rt_.
 */
#ifndef SHEAF_BUNDLE_RUN_H
#define SHEAF_BUNDLE_RUN_H

#include "bundle/runtime.h"

/* Tests define this to make allocations fail. */
#ifndef SHEAF_MAY_ALLOCATE
#define SHEAF_MAY_ALLOCATE() 1
#endif

/* Whether a bundle's info goes as far as this field. */
#define RT_INFO_HAS(info, field)                                                                   \
    ((info)->struct_size >= offsetof(struct sheaf_bundle_info, field) + sizeof(info)->field)
/* The same of its plan. */
#define RT_PLAN_HAS(plan, field)                                                                   \
    ((plan)->struct_size >= offsetof(struct sheaf_plan, field) + sizeof(plan)->field)

/* What the contexts on one set of constants have in common. */
struct rt_shared {
    int n_contexts; /* changed atomically */
    struct sheaf_linked linked;
    void *library; /* of dlopen; NULL: none */
    const uint8_t *constants;
    void *owned;  /* constants that were copied; NULL: none */
    void *mapped; /* the weights file; NULL: none */
    size_t mapped_size;
    uint32_t variant; /* of several: the one that this processor runs */
    void *device;     /* the runtime's own; NULL where open has not succeeded */
};

struct sheaf_bundle {
    struct rt_shared *shared;
    uint8_t *mutables, *activations; /* as the client sees them */
    void *device;                    /* the runtime's own */
    int has_run;
};

struct rt_device {
    /* Whether what the bundle is made for is here; its description is sound. */
    enum sheaf_status (*check)(const struct sheaf_linked *linked, struct sheaf_error *err);
    /* Once the constants are there.  close is called where device is not NULL. */
    enum sheaf_status (*open)(struct rt_shared *s, struct sheaf_error *err);
    void (*close)(struct rt_shared *s);
    /* Sets mutables, which are zero, and activations.  detach is called after failure too. */
    enum sheaf_status (*attach)(sheaf_bundle *b, struct sheaf_error *err);
    void (*detach)(sheaf_bundle *b);
    enum sheaf_status (*run)(sheaf_bundle *b, struct sheaf_error *err);
    /* Clears state where that does not only lie in mutables; NULL: it does. */
    void (*reset)(sheaf_bundle *b);
};

/* Defined by each runtime. */
extern const struct rt_device rt_device;

/* ---- fault.c ---- */
enum sheaf_status rt_fail(struct sheaf_error *err, enum sheaf_status status, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
void rt_clear(struct sheaf_error *err);
void *rt_allocate(size_t alignment, size_t size); /* NULL where there is no memory */
enum sheaf_status rt_fail_memory(struct sheaf_error *err, const char *name, const char *what,
                                 size_t size);

/* The failure of a run that a bundle's code has returned. */
enum sheaf_status rt_fail_run(struct sheaf_error *err, const char *name, uint64_t code);

/* ---- dtype.c ---- */
size_t rt_dtype_bits(enum sheaf_dtype t); /* of an element; below 8 several share a byte */

/* ---- check.c ---- */
enum sheaf_status rt_check_linked(const struct sheaf_linked *l, struct sheaf_error *err);
/* Symbols of the config's table, and behind them those that lie in the activations area. */
size_t rt_symbol_count(const struct sheaf_linked *l);

/* ---- tensors.c: by name in the model or, failing that, by legalised name ---- */
enum sheaf_status rt_find_tensor(const sheaf_bundle *bundle, const char *name, size_t *out_i,
                                 struct sheaf_error *err);

/* ---- copies.c: on devices with memory of their own ---- */
enum { AREA_CONSTANTS, AREA_MUTABLES, AREA_ACTIVATIONS };

/* Bytes that a run takes to the device or brings back. */
struct rt_copy {
    uint64_t device;
    uint8_t *host; /* NULL: constants */
    size_t bytes;
};

struct rt_copies {
    struct rt_copy *copy;
    size_t n;
};

/* All of a run: inputs and state, then state, outputs and extents, of which the last are the
   extents.  One allocation, in.copy, which free gives back. */
struct rt_traffic {
    struct rt_copies in, out, extents;
};

/* Tensor number i; area: where the three areas lie on the device. */
struct rt_copy rt_place(const sheaf_bundle *b, const uint64_t area[], size_t i);
enum sheaf_status rt_list_copies(const sheaf_bundle *b, const uint64_t area[],
                                 struct rt_traffic *out_traffic, struct sheaf_error *err);

/* ---- vendor.c ---- */
/* A library that a device's vendor brings, and what of it is needed. */
struct rt_vendor {
    const char *what; /* for sentences */
    const char *file;
    const char *version; /* that has all of them, in words */
    const char *const *symbols;
    size_t n_symbols;
};

/* Opens it and puts its functions into the table, in the order of the symbols, one behind the
   other.  The library is dlclose's to close. */
enum sheaf_status rt_open_vendor(const struct rt_vendor *v, void **out_library, void *table,
                                 struct sheaf_error *err);

/* ---- weights.c: set s->constants, from a file or from memory, after checking them ---- */
enum sheaf_status rt_map_file(struct rt_shared *s, const char *path, struct sheaf_error *err);
enum sheaf_status rt_take_memory(struct rt_shared *s, const void *weights, size_t size,
                                 struct sheaf_error *err);

#endif
