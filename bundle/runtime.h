/*
 * runtime.h: the calls that every Sheaf runtime offers; an application that uses only these changes
 * its device by linking another runtime.
 *
 * A bundle is opened from symbols that are linked into the program, or from a shared library.  The
 * runtime owns the three memory areas and what it opened; sheaf_close gives all of it back.  After
 * opening nothing is allocated any more.  There are no globals, nothing is printed, and the process
 * is never ended.
 *
 * Threads: calls on different sheaf_bundle objects may run at the same time; calls on one object
 * may not.  sheaf_attach makes a further object on the same constants.
 *
 * Every call that can fail returns a status and, where `err` is not NULL, one sentence; results are
 * written on success only.  Valid C99, C11 and C++.
 */
#ifndef SHEAF_RUNTIME_H
#define SHEAF_RUNTIME_H

#include "bundle/bundle.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sheaf_bundle sheaf_bundle;

struct sheaf_error {
    enum sheaf_status status;
    char text[512]; /* one sentence, "" after success */
};

/* A bundle linked into the program: SHEAF_LINKED(resnet50), after #include "resnet50.h". */
struct sheaf_linked {
    const struct BundleConfig *config;
    const struct sheaf_bundle_info *info;
    sheaf_entry_fn entry;
};
#define SHEAF_LINKED(name) {&name##_config, &name##_info, name}

/*
 * Opens a linked bundle with the weights in a file, which is mapped.  Weights of the wrong size or
 * digest, and a processor that lacks a feature, are refused.
 */
enum sheaf_status sheaf_open_linked(const struct sheaf_linked *linked, const char *weights_path,
                                    sheaf_bundle **out_bundle, struct sheaf_error *err);

/* The same with weights in memory, which stay the caller's and must outlive the bundle; they are
   used in place where they are aligned to config->alignment, else copied. */
enum sheaf_status sheaf_open_memory(const struct sheaf_linked *linked, const void *weights,
                                    size_t weights_size, sheaf_bundle **out_bundle,
                                    struct sheaf_error *err);

/* The same with the bundle `name` of a shared library (a path, as for dlopen). */
enum sheaf_status sheaf_open(const char *library_path, const char *name, const char *weights_path,
                             sheaf_bundle **out_bundle, struct sheaf_error *err);

/* A further context on the code and constants of `bundle`, with mutable and activations areas of
   its own (state starts at zero).  Each of the two is closed by itself, in any order. */
enum sheaf_status sheaf_attach(const sheaf_bundle *bundle, sheaf_bundle **out_bundle,
                               struct sheaf_error *err);

/* What a bundle says of one of its tensors. */
struct sheaf_tensor_desc {
    const char *name;          /* legalised, as in NAME.h */
    const char *original_name; /* as in the model */
    const char *layout;        /* "plain": row-major */
    enum sheaf_dtype dtype;
    enum sheaf_role role;
    uint32_t rank;
    uint64_t dims[SHEAF_MAX_RANK]; /* after a run the true extents, before it their upper bounds */
    float scale;                   /* 0: not quantized */
    int32_t zero_point;
    void *data;        /* inside the bundle's areas; constants must not be written */
    size_t size_bytes; /* of the data at these dims */
};

/* Tensors are numbered as in NAME_config. */
size_t sheaf_tensor_count(const sheaf_bundle *bundle);
enum sheaf_status sheaf_tensor_at(const sheaf_bundle *bundle, size_t i,
                                  struct sheaf_tensor_desc *out_tensor, struct sheaf_error *err);

/* Finds a tensor by its name in the model or, failing that, by its legalised name. */
enum sheaf_status sheaf_tensor(const sheaf_bundle *bundle, const char *name,
                               struct sheaf_tensor_desc *out_tensor, struct sheaf_error *err);

/*
 * How many items the next runs are given, where the bundle leaves that to the caller (loader
 * -onnx-define-symbol=batch<=8): `name` is the symbol, which is an input, an int64 of its own.  The
 * first n items of all other inputs are read, and n items of all outputs written.  Refuses what is
 * not within 1 and the first dimension of the inputs.
 */
enum sheaf_status sheaf_set_extent(sheaf_bundle *bundle, const char *name, int64_t n,
                                   struct sheaf_error *err);

/* Runs the network once on what lies in its inputs. */
enum sheaf_status sheaf_run(sheaf_bundle *bundle, struct sheaf_error *err);

/* Sets all state to zero bytes, as after opening. */
void sheaf_reset_state(sheaf_bundle *bundle);

/* NULL is allowed. */
void sheaf_close(sheaf_bundle *bundle);

const struct sheaf_bundle_info *sheaf_info(const sheaf_bundle *bundle);

#ifdef __cplusplus
}
#endif

#endif
