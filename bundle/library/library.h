/*
 * library.h: what libraries for devices (loader -emit-lib) have inside beside the functions that
 * bundle/emit/emit_library_device.c writes: opening once for all functions, contexts, the lists of
 * those that no run has.  The same for all devices; each has a struct library_device, and calls
 * these by names of its own (bundle/device_library.h).
 *
 * Statuses are enum sheaf_status.  Nothing is printed.
 */
#ifndef SHEAF_BUNDLE_LIBRARY_H
#define SHEAF_BUNDLE_LIBRARY_H

#include "bundle/device_library.h"
#include "bundle/run/run.h"

/* A function of the library. */
struct library_network {
    const struct device_network *of;
    struct library *library;
    struct sheaf_linked linked;
    void *device;                 /* the device's own: code and constants */
    struct library_context *idle; /* that no run has; under the lock */
    char locked;
};

/* A device's own context begins with one. */
struct library_context {
    struct library_network *network;
    struct library_context *next;
};

struct library_open {
    const struct sheaf_linked *linked;
    const void *constants;
    int number;  /* of the device */
    void *first; /* what this gave for the first network, with the same constants; NULL: it is this
                    one */
};

struct library_device {
    size_t context_bytes; /* of the device's own context */
    /* Closed in the reverse order. */
    enum sheaf_status (*open)(const struct library_open *o, void **out_device,
                              struct sheaf_error *err);
    void (*close)(void *device); /* NULL is allowed */
    /* Memory of a run, in a context that is zero but for what is above. */
    enum sheaf_status (*attach)(struct library_context *c);
    void (*detach)(struct library_context *c);
    /* The network's state becomes what it starts with. */
    enum sheaf_status (*reset)(struct library_context *c);
    /* `anew`: from the state that the network starts with. */
    enum sheaf_status (*run)(struct library_context *c, const struct device_call *call, int anew);
};

struct library {
    const struct library_device *device;
    const struct device_networks *networks;
    struct library_network network[]; /* as many as these */
};

/* ---- library.c: see gpu_runtime/library/library.h ---- */
int library_open(const struct library_device *device, struct device_library *lib,
                 const struct device_networks *networks, const void *constants, int number);
int library_run(const struct device_library *lib, uint64_t i, const struct device_call *call);
int library_context_init(const struct device_library *lib, uint64_t i, void *memory);
void library_context_done(void *memory);

/* ---- tensors.c ---- */
/* Where a tensor lies, with the device's areas. */
uint64_t library_place(const struct library_network *n, const uint64_t area[], uint32_t tensor);
const struct sheaf_symbol_info *library_tensor(const struct library_network *n, uint32_t tensor);
void library_bounds(const struct sheaf_symbol_info *t, int64_t *dims);
/* Bytes of input i, of which there are so many items; 0: the network has no such number. */
size_t library_input_bytes(const struct library_network *n, uint32_t i, int64_t items);
enum sheaf_status library_check_items(const struct library_network *n, int64_t items);
/* A new sequence of random numbers: the seed as its key, and a counter of its own. */
void library_begin_stream(const struct library_network *n, uint64_t out_state[2]);
/* Where output i goes, which has these extents: the caller is told of both. */
enum sheaf_status library_output(const struct library_network *n, const struct device_call *call,
                                 uint32_t i, const int64_t *dims, void **out_to, size_t *out_bytes);

#endif
