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

/* ---- dtype.c ---- */
size_t rt_dtype_bits(enum sheaf_dtype t); /* of an element; numbers of 4 bits are two to a byte */

/* ---- check.c ---- */
enum sheaf_status rt_check_linked(const struct sheaf_linked *l, struct sheaf_error *err);
/* Symbols of the config's table, and behind them those that lie in the activations area. */
size_t rt_symbol_count(const struct sheaf_linked *l);

/* ---- tensors.c: by name in the model or, failing that, by legalised name ---- */
enum sheaf_status rt_find_tensor(const sheaf_bundle *bundle, const char *name, size_t *out_i,
                                 struct sheaf_error *err);

/* ---- weights.c: set s->constants, from a file or from memory, after checking them ---- */
enum sheaf_status rt_map_file(struct rt_shared *s, const char *path, struct sheaf_error *err);
enum sheaf_status rt_take_memory(struct rt_shared *s, const void *weights, size_t size,
                                 struct sheaf_error *err);

#endif
