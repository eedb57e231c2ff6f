#define _POSIX_C_SOURCE 200809L
#include "cpu_runtime/cpu_runtime.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL /* so that applications need no further library */
#include <xxhash.h>

/* Tests define this to make allocations fail. */
#ifndef SHEAF_MAY_ALLOCATE
#define SHEAF_MAY_ALLOCATE() 1
#endif

/* Before bundles could have variants. */
#define INFO_MIN_BYTES offsetof(struct sheaf_bundle_info, variants)
/* Whether a bundle's info goes as far as this field. */
#define INFO_HAS(info, field)                                                                      \
    ((info)->struct_size >= offsetof(struct sheaf_bundle_info, field) + sizeof(info)->field)

/* What the contexts on one set of constants have in common. */
struct shared {
    int n_contexts; /* changed atomically */
    struct sheaf_linked linked;
    uint32_t variant; /* of several: the one that this processor runs */
    void *library;    /* of dlopen; NULL: none */
    const uint8_t *constants;
    void *owned;  /* constants that were copied; NULL: none */
    void *mapped; /* the weights file; NULL: none */
    size_t mapped_size;
};

struct sheaf_bundle {
    struct shared *shared;
    uint8_t *mutables, *activations;
    int has_run;
};

/* ---- faults ---- */

static enum sheaf_status fail(struct sheaf_error *err, enum sheaf_status status, const char *fmt,
                              ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        err->status = status;
        vsnprintf(err->text, sizeof err->text, fmt, args);
        va_end(args);
    }
    return status;
}

static void clear(struct sheaf_error *err)
{
    if (err) {
        err->status = SHEAF_OK;
        err->text[0] = '\0';
    }
}

/* ---- memory ---- */

static void *allocate(size_t alignment, size_t size)
{
    void *p = NULL;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    if (!SHEAF_MAY_ALLOCATE() || posix_memalign(&p, alignment, size ? size : 1) != 0)
        return NULL;
    return p;
}

static enum sheaf_status fail_memory(struct sheaf_error *err, const char *name, const char *what,
                                     size_t size)
{
    return fail(err, SHEAF_ERROR_MEMORY, "%s: cannot allocate %lu bytes for the %s", name,
                (unsigned long)size, what);
}

/* ---- the bundle's own description ---- */

static int is_power_of_two(size_t n)
{
    return n && (n & (n - 1)) == 0;
}

/* Those of the config's table, and behind them those that lie in the activations area. */
static size_t symbol_count(const struct sheaf_linked *l)
{
    size_t n_overlaid = INFO_HAS(l->info, n_overlaid) ? (size_t)l->info->n_overlaid : 0;
    return l->config->numSymbols + n_overlaid;
}

/* Every symbol lies inside its area, so that tensors can be handed out without further checks. */
static enum sheaf_status check_symbol(const struct sheaf_linked *l, size_t i,
                                      struct sheaf_error *err)
{
    const struct SymbolTableEntry *entry = &l->config->symbolTable[i];
    const struct sheaf_symbol_info *info = &l->info->symbols[i];
    int overlaid = i >= l->config->numSymbols;
    size_t area = overlaid      ? l->config->activationsMemSize
                  : entry->kind ? l->config->mutableWeightVarsMemSize
                                : l->config->constantWeightVarsMemSize;
    if (!entry->name || !info->original_name || !info->layout)
        return fail(err, SHEAF_ERROR_FORMAT, "%s: symbol %lu has no name", l->info->name,
                    (unsigned long)i);
    if (info->rank > SHEAF_MAX_RANK || (info->rank && !info->dims) || entry->offset > area ||
        info->size_bytes > area - entry->offset)
        return fail(err, SHEAF_ERROR_FORMAT, "%s: symbol '%s' does not fit into its area",
                    l->info->name, entry->name);
    for (uint32_t d = 0; info->extent_offsets && d < info->rank; d++) {
        uint64_t at = info->extent_offsets[d];
        size_t activations = l->config->activationsMemSize;
        if (at != UINT64_MAX &&
            (activations < sizeof(int64_t) || at > activations - sizeof(int64_t)))
            return fail(err, SHEAF_ERROR_FORMAT, "%s: an extent of '%s' lies outside its area",
                        l->info->name, entry->name);
    }
    return SHEAF_OK;
}

static enum sheaf_status check_processor(const struct sheaf_bundle_info *info,
                                         struct sheaf_error *err)
{
    const char *features = info->features ? info->features : "";
    if (info->n_variants) {
        if (!INFO_HAS(info, run) || !info->variants || !info->select || !info->run)
            return fail(err, SHEAF_ERROR_FORMAT, "%s: the bundle's variants are malformed",
                        info->name);
        if (info->select() != SHEAF_NO_VARIANT)
            return SHEAF_OK;
        features = info->variants[info->n_variants - 1].features;
    }
    size_t length;
    const char *missing = sheaf_cpu_missing_feature(features, &length);
    if (missing)
        return fail(err, SHEAF_ERROR_PROCESSOR,
                    "%s: the bundle was compiled for processors with '%.*s', which this one lacks",
                    info->name, (int)length, missing);
    if (!sheaf_cpu_permit(features))
        return fail(err, SHEAF_ERROR_PROCESSOR,
                    "%s: the bundle needs AMX's tile registers, which the operating system did not "
                    "permit this process to use",
                    info->name);
    if (info->n_variants)
        return fail(err, SHEAF_ERROR_PROCESSOR,
                    "%s: none of the bundle's variants runs on this processor", info->name);
    return SHEAF_OK;
}

static enum sheaf_status check_linked(const struct sheaf_linked *l, struct sheaf_error *err)
{
    if (!l || !l->config || !l->info || !l->entry)
        return fail(err, SHEAF_ERROR_ARGUMENT, "a linked bundle needs a config, info and entry");
    const struct sheaf_bundle_info *info = l->info;
    if (info->version != SHEAF_INFO_VERSION || info->struct_size < INFO_MIN_BYTES || !info->name)
        return fail(err, SHEAF_ERROR_VERSION,
                    "the bundle's info has version %u and %u bytes, this runtime knows version %u "
                    "with %u bytes or more",
                    (unsigned)info->version, (unsigned)info->struct_size, SHEAF_INFO_VERSION,
                    (unsigned)INFO_MIN_BYTES);
    if (info->fp_control != SHEAF_FP_CALLER)
        return fail(err, SHEAF_ERROR_VERSION, "%s: unknown floating-point policy %u", info->name,
                    (unsigned)info->fp_control);
    const struct BundleConfig *c = l->config;
    if (!is_power_of_two(c->alignment) || c->alignment > 4096 ||
        (symbol_count(l) && (!c->symbolTable || !info->symbols)))
        return fail(err, SHEAF_ERROR_FORMAT, "%s: the bundle's config is malformed", info->name);
    for (size_t i = 0; i < symbol_count(l); i++) {
        enum sheaf_status status = check_symbol(l, i, err);
        if (status != SHEAF_OK)
            return status;
    }
    return check_processor(info, err);
}

/* ---- constants ---- */

static uint64_t read_little(const uint8_t *bytes)
{
    uint64_t v = 0;
    for (int i = 8; i > 0; i--)
        v = v << 8 | bytes[i - 1];
    return v;
}

static enum sheaf_status check_weights(const struct sheaf_linked *l, const char *from,
                                       const void *data, size_t size, struct sheaf_error *err)
{
    size_t want = l->config->constantWeightVarsMemSize;
    const uint8_t *expected = l->info->weights_digest;
    if (INFO_HAS(l->info, layout_id) && l->info->layout_id) {
        const struct sheaf_weights_trailer *t;
        if (size != want + sizeof *t)
            return fail(err, SHEAF_ERROR_FORMAT,
                        "%s: the replaceable weights of '%s' have %lu bytes, not %lu", from,
                        l->info->name, (unsigned long)(want + sizeof *t), (unsigned long)size);
        size = want;
        t = (const struct sheaf_weights_trailer *)(const void *)((const uint8_t *)data + want);
        if (memcmp(t->magic, SHEAF_WEIGHTS_MAGIC, sizeof t->magic) != 0 ||
            read_little(t->layout_id) != l->info->layout_id)
            return fail(err, SHEAF_ERROR_FORMAT, "%s: the weights have another layout than '%s'",
                        from, l->info->name);
        expected = t->digest;
    }
    if (size != want)
        return fail(err, SHEAF_ERROR_FORMAT, "%s: the weights of '%s' have %lu bytes, not %lu",
                    from, l->info->name, (unsigned long)want, (unsigned long)size);
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits(data, size));
    if (memcmp(digest.digest, expected, sizeof digest.digest) != 0)
        return fail(err, SHEAF_ERROR_FORMAT,
                    "%s: the content has another digest than the weights of '%s'", from,
                    l->info->name);
    return SHEAF_OK;
}

static enum sheaf_status map_file(struct shared *s, const char *path, struct sheaf_error *err)
{
    static const uint8_t nothing[1];
    const char *name = s->linked.info->name;
    s->constants = nothing;
    if (!path) {
        if (s->linked.config->constantWeightVarsMemSize == 0)
            return SHEAF_OK;
        return fail(err, SHEAF_ERROR_ARGUMENT, "%s: the bundle needs its weights", name);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(err, errno == ENOENT ? SHEAF_ERROR_NOT_FOUND : SHEAF_ERROR_IO,
                    "%s: cannot open the weights of '%s': %s", path, name, strerror(errno));
    struct stat st;
    enum sheaf_status status = SHEAF_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        status =
            fail(err, SHEAF_ERROR_IO, "%s: the weights of '%s' are no regular file", path, name);
    } else if ((uintmax_t)st.st_size > SIZE_MAX) {
        status = fail(err, SHEAF_ERROR_FORMAT, "%s: the file is too large to be mapped", path);
    } else if (st.st_size > 0) {
        s->mapped_size = (size_t)st.st_size;
        s->mapped = SHEAF_MAY_ALLOCATE() ? mmap(NULL, s->mapped_size, PROT_READ, MAP_PRIVATE, fd, 0)
                                         : MAP_FAILED;
        if (s->mapped == MAP_FAILED) {
            s->mapped = NULL;
            status = fail_memory(err, name, "mapped weights", s->mapped_size);
        } else {
            s->constants = s->mapped;
        }
    }
    close(fd);
    if (status != SHEAF_OK)
        return status;
    return check_weights(&s->linked, path, s->constants, s->mapped_size, err);
}

static enum sheaf_status take_memory(struct shared *s, const void *weights, size_t size,
                                     struct sheaf_error *err)
{
    const char *name = s->linked.info->name;
    if (!weights && size)
        return fail(err, SHEAF_ERROR_ARGUMENT, "%s: no weights were given", name);
    enum sheaf_status status = check_weights(&s->linked, "memory", weights, size, err);
    if (status != SHEAF_OK)
        return status;
    size_t alignment = s->linked.config->alignment;
    if (weights && (uintptr_t)weights % alignment == 0) {
        s->constants = weights;
        return SHEAF_OK;
    }
    s->owned = allocate(alignment, size);
    if (!s->owned)
        return fail_memory(err, name, "constants", size);
    if (size)
        memcpy(s->owned, weights, size);
    s->constants = s->owned;
    return SHEAF_OK;
}

/* ---- opening and closing ---- */

static void release(struct shared *s)
{
    if (__atomic_sub_fetch(&s->n_contexts, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (s->mapped)
        munmap(s->mapped, s->mapped_size);
    free(s->owned);
    /* Last: the description that was read above lies in the library. */
    if (s->library)
        dlclose(s->library);
    free(s);
}

static struct shared *create_shared(const struct sheaf_linked *linked, struct sheaf_error *err)
{
    struct shared *s = allocate(sizeof(void *), sizeof *s);
    if (!s) {
        fail_memory(err, linked->info->name, "bundle", sizeof *s);
        return NULL;
    }
    memset(s, 0, sizeof *s);
    s->n_contexts = 1;
    s->linked = *linked;
    s->variant = linked->info->n_variants ? linked->info->select() : 0;
    return s;
}

/* A context that takes over one count of `s`, also when it fails. */
static enum sheaf_status create_context(struct shared *s, sheaf_bundle **out_bundle,
                                        struct sheaf_error *err)
{
    const struct BundleConfig *c = s->linked.config;
    sheaf_bundle *b = allocate(sizeof(void *), sizeof *b);
    if (!b) {
        fail_memory(err, s->linked.info->name, "bundle", sizeof *b);
        release(s);
        return SHEAF_ERROR_MEMORY;
    }
    b->shared = s;
    b->has_run = 0;
    b->mutables = allocate(c->alignment, c->mutableWeightVarsMemSize);
    b->activations = allocate(c->alignment, c->activationsMemSize);
    if (!b->mutables || !b->activations) {
        fail_memory(err, s->linked.info->name, b->mutables ? "activations" : "mutable area",
                    b->mutables ? c->activationsMemSize : c->mutableWeightVarsMemSize);
        sheaf_close(b);
        return SHEAF_ERROR_MEMORY;
    }
    memset(b->mutables, 0, c->mutableWeightVarsMemSize);
    *out_bundle = b;
    clear(err);
    return SHEAF_OK;
}

static enum sheaf_status start(const struct sheaf_linked *linked, struct shared **out,
                               struct sheaf_error *err)
{
    enum sheaf_status status = check_linked(linked, err);
    if (status != SHEAF_OK)
        return status;
    *out = create_shared(linked, err);
    return *out ? SHEAF_OK : SHEAF_ERROR_MEMORY;
}

/* `status` says whether it got its weights. */
static enum sheaf_status finish(struct shared *s, enum sheaf_status status,
                                sheaf_bundle **out_bundle, struct sheaf_error *err)
{
    if (status == SHEAF_OK)
        return create_context(s, out_bundle, err);
    release(s);
    return status;
}

enum sheaf_status sheaf_open_linked(const struct sheaf_linked *linked, const char *weights_path,
                                    sheaf_bundle **out_bundle, struct sheaf_error *err)
{
    struct shared *s = NULL;
    enum sheaf_status status = start(linked, &s, err);
    return status ? status : finish(s, map_file(s, weights_path, err), out_bundle, err);
}

enum sheaf_status sheaf_open_memory(const struct sheaf_linked *linked, const void *weights,
                                    size_t weights_size, sheaf_bundle **out_bundle,
                                    struct sheaf_error *err)
{
    struct shared *s = NULL;
    enum sheaf_status status = start(linked, &s, err);
    return status ? status : finish(s, take_memory(s, weights, weights_size, err), out_bundle, err);
}

static void *find_symbol(void *library, const char *name, const char *suffix)
{
    char symbol[300];
    if ((size_t)snprintf(symbol, sizeof symbol, "%s%s", name, suffix) >= sizeof symbol)
        return NULL;
    return dlsym(library, symbol);
}

enum sheaf_status sheaf_open(const char *library_path, const char *name, const char *weights_path,
                             sheaf_bundle **out_bundle, struct sheaf_error *err)
{
    if (!library_path || !name)
        return fail(err, SHEAF_ERROR_ARGUMENT, "opening a bundle needs a library and a name");
    void *library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return fail(err, SHEAF_ERROR_IO, "cannot load the bundle '%s': %s", name, dlerror());
    struct sheaf_linked linked = {.config = find_symbol(library, name, "_config"),
                                  .info = find_symbol(library, name, "_info")};
    void *entry = find_symbol(library, name, "");
    /* POSIX promises that functions fit into data pointers; C has no cast for it. */
    memcpy(&linked.entry, &entry, sizeof entry);
    sheaf_bundle *bundle = NULL;
    enum sheaf_status status =
        linked.config && linked.info && linked.entry
            ? sheaf_open_linked(&linked, weights_path, &bundle, err)
            : fail(err, SHEAF_ERROR_NOT_FOUND, "%s: there is no bundle '%s' in this library",
                   library_path, name);
    if (status != SHEAF_OK) {
        dlclose(library);
        return status;
    }
    bundle->shared->library = library;
    *out_bundle = bundle;
    return SHEAF_OK;
}

enum sheaf_status sheaf_attach(const sheaf_bundle *bundle, sheaf_bundle **out_bundle,
                               struct sheaf_error *err)
{
    if (!bundle)
        return fail(err, SHEAF_ERROR_ARGUMENT, "there is no bundle to attach to");
    __atomic_add_fetch(&bundle->shared->n_contexts, 1, __ATOMIC_RELAXED);
    return create_context(bundle->shared, out_bundle, err);
}

void sheaf_close(sheaf_bundle *bundle)
{
    if (!bundle)
        return;
    free(bundle->mutables);
    free(bundle->activations);
    release(bundle->shared);
    free(bundle);
}

/* ---- tensors ---- */

const struct sheaf_bundle_info *sheaf_info(const sheaf_bundle *bundle)
{
    return bundle->shared->linked.info;
}

size_t sheaf_tensor_count(const sheaf_bundle *bundle)
{
    return symbol_count(&bundle->shared->linked);
}

static size_t dtype_bits(enum sheaf_dtype t)
{
    switch (t) {
    case SHEAF_UINT4:
    case SHEAF_INT4:
        return 4;
    case SHEAF_UINT8:
    case SHEAF_INT8:
    case SHEAF_BOOL:
        return 8;
    case SHEAF_UINT16:
    case SHEAF_INT16:
    case SHEAF_FLOAT16:
    case SHEAF_BFLOAT16:
        return 16;
    case SHEAF_FLOAT32:
    case SHEAF_INT32:
    case SHEAF_UINT32:
        return 32;
    case SHEAF_FLOAT64:
    case SHEAF_INT64:
    case SHEAF_UINT64:
        return 64;
    }
    return 0;
}

/* The extents that the last run has left in the activations. */
static enum sheaf_status read_extents(const sheaf_bundle *b, const struct sheaf_symbol_info *info,
                                      struct sheaf_tensor_desc *t, struct sheaf_error *err)
{
    uint64_t elems = 1;
    for (uint32_t d = 0; d < info->rank; d++) {
        int64_t extent;
        if (info->extent_offsets[d] != UINT64_MAX) {
            memcpy(&extent, b->activations + info->extent_offsets[d], sizeof extent);
            if (extent < 0 || (uint64_t)extent > info->dims[d])
                return fail(err, SHEAF_ERROR_FORMAT,
                            "%s: the extent of dimension %u of '%s' is %ld, not in 0..%lu",
                            b->shared->linked.info->name, (unsigned)d, info->original_name,
                            (long)extent, (unsigned long)info->dims[d]);
            t->dims[d] = (uint64_t)extent;
        }
        elems *= t->dims[d];
    }
    t->size_bytes = (size_t)((elems * dtype_bits(t->dtype) + 7) / 8);
    return SHEAF_OK;
}

enum sheaf_status sheaf_tensor_at(const sheaf_bundle *bundle, size_t i,
                                  struct sheaf_tensor_desc *out_tensor, struct sheaf_error *err)
{
    const struct sheaf_linked *l = &bundle->shared->linked;
    if (i >= symbol_count(l))
        return fail(err, SHEAF_ERROR_NOT_FOUND, "%s: there is no tensor number %lu, only %lu",
                    l->info->name, (unsigned long)i, (unsigned long)symbol_count(l));
    const struct SymbolTableEntry *entry = &l->config->symbolTable[i];
    const struct sheaf_symbol_info *info = &l->info->symbols[i];
    struct sheaf_tensor_desc t = {
        .name = entry->name,
        .original_name = info->original_name,
        .layout = info->layout,
        .dtype = (enum sheaf_dtype)info->dtype,
        .role = (enum sheaf_role)info->role,
        .rank = info->rank,
        .scale = info->scale,
        .zero_point = info->zero_point,
        .size_bytes = (size_t)info->size_bytes,
    };
    for (uint32_t d = 0; d < info->rank; d++)
        t.dims[d] = info->dims[d];
    if (i >= l->config->numSymbols) {
        t.data = bundle->activations + entry->offset;
    } else if (entry->kind) {
        t.data = bundle->mutables + entry->offset;
    } else {
        /* The type has to serve both areas; nothing writes here. */
        const uint8_t *constant = bundle->shared->constants + entry->offset;
        memcpy(&t.data, &constant, sizeof constant);
    }
    if (bundle->has_run && info->extent_offsets) {
        enum sheaf_status status = read_extents(bundle, info, &t, err);
        if (status != SHEAF_OK)
            return status;
    }
    *out_tensor = t;
    clear(err);
    return SHEAF_OK;
}

enum sheaf_status sheaf_tensor(const sheaf_bundle *bundle, const char *name,
                               struct sheaf_tensor_desc *out_tensor, struct sheaf_error *err)
{
    const struct sheaf_linked *l = &bundle->shared->linked;
    for (size_t i = 0; i < symbol_count(l); i++)
        if (strcmp(l->info->symbols[i].original_name, name) == 0)
            return sheaf_tensor_at(bundle, i, out_tensor, err);
    for (size_t i = 0; i < symbol_count(l); i++)
        if (strcmp(l->config->symbolTable[i].name, name) == 0)
            return sheaf_tensor_at(bundle, i, out_tensor, err);
    return fail(err, SHEAF_ERROR_NOT_FOUND, "%s: there is no tensor '%s'", l->info->name, name);
}

/* ---- running ---- */

/* The first dimension that all inputs with dimensions have room for. */
static uint64_t room_for_items(const struct sheaf_linked *l)
{
    uint64_t most = UINT64_MAX;
    for (size_t i = 0; i < symbol_count(l); i++) {
        const struct sheaf_symbol_info *info = &l->info->symbols[i];
        if (info->role == SHEAF_ROLE_INPUT && info->rank && info->dims[0] < most)
            most = info->dims[0];
    }
    return most;
}

enum sheaf_status sheaf_set_extent(sheaf_bundle *bundle, const char *name, int64_t n,
                                   struct sheaf_error *err)
{
    struct sheaf_tensor_desc t;
    const struct sheaf_linked *l = &bundle->shared->linked;
    enum sheaf_status status = sheaf_tensor(bundle, name, &t, err);
    if (status != SHEAF_OK)
        return status;
    if (t.role != SHEAF_ROLE_INPUT || t.dtype != SHEAF_INT64 || t.rank != 0)
        return fail(err, SHEAF_ERROR_ARGUMENT, "%s: '%s' is no extent that the caller chooses",
                    l->info->name, name);
    uint64_t most = room_for_items(l);
    if (n < 1 || (uint64_t)n > most)
        return fail(err, SHEAF_ERROR_ARGUMENT, "%s: the extent of '%s' must be from 1 to %lu",
                    l->info->name, name, (unsigned long)most);
    memcpy(t.data, &n, sizeof n);
    clear(err);
    return SHEAF_OK;
}

enum sheaf_status sheaf_run(sheaf_bundle *bundle, struct sheaf_error *err)
{
    const struct shared *s = bundle->shared;
    uint8_t *constants; /* the entry's type is not const; it only reads */
    memcpy(&constants, &s->constants, sizeof constants);
    const struct sheaf_bundle_info *info = s->linked.info;
    int code = info->n_variants
                   ? info->run(s->variant, constants, bundle->mutables, bundle->activations)
                   : s->linked.entry(constants, bundle->mutables, bundle->activations);
    if (code != 0) {
        enum sheaf_status status = code > SHEAF_OK && code <= SHEAF_ERROR_DIVERGED
                                       ? (enum sheaf_status)code
                                       : SHEAF_ERROR_DEVICE;
        return fail(err, status, "%s: the run failed with code %d", s->linked.info->name, code);
    }
    bundle->has_run = 1;
    clear(err);
    return SHEAF_OK;
}

void sheaf_reset_state(sheaf_bundle *bundle)
{
    const struct sheaf_linked *l = &bundle->shared->linked;
    for (size_t i = 0; i < l->config->numSymbols; i++)
        if (l->info->symbols[i].role == SHEAF_ROLE_STATE && l->config->symbolTable[i].kind)
            memset(bundle->mutables + l->config->symbolTable[i].offset, 0,
                   (size_t)l->info->symbols[i].size_bytes);
}
