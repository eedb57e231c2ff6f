/*
 * ve_bundles.h: for the tests of the Vector Engine's runtime: a small bundle, made by hand from
 * LLVM IR.
 */
#ifndef SHEAF_TESTS_VE_RUNTIME_VE_BUNDLES_H
#define SHEAF_TESTS_VE_RUNTIME_VE_BUNDLES_H

#include "tests/ve_runtime/ve_simulator.h"

#include <xxhash.h>

#include "bundle/write/ve_shared.h"
#include "tests/support/ve_object.h"

/* ---- the network ---- */

/*
 * t = w * x; y[i] = t[63 - i] + n; sum = sum + x; z = -t, of which the first n are said to be
 * there. The two halves of a rank's work are on different elements, so without a barrier between
 * them results are wrong.
 *
 * n < 0: status 5.  n = 999: the bits of the areas' addresses go to y.  n = 1000: the last rank
 * reads where nothing is.
 */
enum { N_ELEMS = 64, AT_Y = 256, AT_N = 512, AT_SUM = 576, MUTABLE_BYTES = 832 };
enum { AT_COUNT = 0, AT_Z = 64, AT_T = 320, ACTIVATION_BYTES = 576 };

static inline struct bytes compile_toy(struct arena *a)
{
    struct error err;
    struct bytes library;
    char *ir =
        support_read_file(support_printf("%s/tests/ve_runtime/toy.ll", support_source()), NULL);
    assert_non_null(ir);
    error_init(&err);
    if (!ve_shared_make(a, "toy", ve_object(a, ir, LLVMRelocPIC), &library, &err))
        fail_msg("%s", err.text);
    free(ir);
    return library;
}

/* ---- the bundle ---- */

/* All of it, to be changed by a test. */
struct toy {
    struct SymbolTableEntry entries[6];
    struct sheaf_symbol_info symbols[6];
    struct BundleConfig config;
    struct sheaf_image image;
    struct sheaf_kernel kernel;
    struct sheaf_plan plan;
    struct sheaf_bundle_info info;
    struct sheaf_linked linked;
    float w[N_ELEMS];
};

static struct arena toy_arena;
static struct bytes toy_code;

static inline int toy_entry(uint8_t *constants, uint8_t *mutables, uint8_t *activations)
{
    (void)constants;
    (void)mutables;
    (void)activations;
    return SHEAF_ERROR_DEVICE;
}

static inline void describe_tensors(struct toy *t)
{
    static const uint64_t dims[] = {N_ELEMS}, extents[] = {AT_COUNT};
    static const struct {
        const char *name;
        size_t offset;
        char kind;
        enum sheaf_role role;
    } rows[] = {{"w", 0, 0, SHEAF_ROLE_CONSTANT},     {"x", 0, 1, SHEAF_ROLE_INPUT},
                {"y", AT_Y, 1, SHEAF_ROLE_OUTPUT},    {"n", AT_N, 1, SHEAF_ROLE_INPUT},
                {"sum", AT_SUM, 1, SHEAF_ROLE_STATE}, {"z", AT_Z, 2, SHEAF_ROLE_OUTPUT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int is_n = rows[i].offset == AT_N;
        t->entries[i] = (struct SymbolTableEntry){rows[i].name, rows[i].offset, is_n ? 1 : N_ELEMS,
                                                  rows[i].kind};
        t->symbols[i] =
            (struct sheaf_symbol_info){.original_name = rows[i].name,
                                       .dtype = is_n ? SHEAF_INT64 : SHEAF_FLOAT32,
                                       .role = rows[i].role,
                                       .rank = is_n ? 0 : 1,
                                       .size_bytes = is_n ? 8 : 4 * N_ELEMS,
                                       .dims = dims,
                                       .layout = "plain",
                                       .extent_offsets = rows[i].kind == 2 ? extents : NULL};
    }
}

/* The bundle that sound tests open, and a copy for others to damage. */
static inline struct toy *make_toy(struct toy *t)
{
    memset(t, 0, sizeof *t);
    for (int i = 0; i < N_ELEMS; i++)
        t->w[i] = (float)(i % 7) - 2.5f;
    describe_tensors(t);
    t->config =
        (struct BundleConfig){sizeof t->w, MUTABLE_BYTES, ACTIVATION_BYTES, 64, 5, t->entries};
    t->image = (struct sheaf_image){SHEAF_IMAGE_VE, 1, toy_code.data, toy_code.size};
    t->kernel = (struct sheaf_kernel){"toy_ve", SHEAF_VE_MAX_RANKS, 1, 0, 1};
    t->plan = (struct sheaf_plan){.struct_size = sizeof t->plan,
                                  .device = SHEAF_DEVICE_VE,
                                  .n_images = 1,
                                  .n_kernels = 1,
                                  .images = &t->image,
                                  .kernels = &t->kernel};
    t->info = (struct sheaf_bundle_info){.version = SHEAF_INFO_VERSION,
                                         .struct_size = sizeof t->info,
                                         .name = "toy",
                                         .tool = "by hand",
                                         .triple = "x86_64",
                                         .cpu = "",
                                         .features = "",
                                         .config = &t->config,
                                         .symbols = t->symbols,
                                         .n_overlaid = 1,
                                         .plan = &t->plan};
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits(t->w, sizeof t->w));
    memcpy(t->info.weights_digest, digest.digest, sizeof digest.digest);
    t->linked = (struct sheaf_linked){&t->config, &t->info, toy_entry};
    return t;
}

static inline void make_code(void)
{
    arena_init(&toy_arena);
    toy_code = compile_toy(&toy_arena);
    simulate("TMPDIR", temporary_folder());
    simulate("VE_OMP_NUM_THREADS", "1");
}

static inline enum sheaf_status try_toy(struct toy *t, sheaf_bundle **out_bundle,
                                        struct sheaf_error *error)
{
    return sheaf_open_memory(&t->linked, t->w, sizeof t->w, out_bundle, error);
}

static inline sheaf_bundle *open_toy(void)
{
    static struct toy sound;
    sheaf_bundle *b = NULL;
    struct sheaf_error error;
    expect_ok(try_toy(make_toy(&sound), &b, &error), &error);
    return b;
}

static inline void give(sheaf_bundle *b, int seed, int64_t n)
{
    float *x = tensor(b, "x").data;
    for (int i = 0; i < N_ELEMS; i++)
        x[i] = (float)((i * 5 + seed) % 11);
    memcpy(tensor(b, "n").data, &n, sizeof n);
}

/* What `give` of the same leads to; NULL or what is wrong. */
static inline const char *look(const sheaf_bundle *b, int seed, int64_t n)
{
    struct sheaf_tensor_desc w, x, y, z;
    if (sheaf_tensor(b, "w", &w, NULL) || sheaf_tensor(b, "x", &x, NULL) ||
        sheaf_tensor(b, "y", &y, NULL) || sheaf_tensor(b, "z", &z, NULL))
        return "a tensor is missing";
    if (z.dims[0] != (uint64_t)n || z.size_bytes != 4 * (size_t)n)
        return "the extent of z is wrong";
    for (int i = 0; i < N_ELEMS; i++) {
        int back = N_ELEMS - 1 - i;
        float x_i = (float)((i * 5 + seed) % 11), x_back = (float)((back * 5 + seed) % 11);
        if (((const float *)x.data)[i] != x_i)
            return "x has changed";
        if (((const float *)y.data)[i] != ((const float *)w.data)[back] * x_back + (float)n)
            return "y is wrong";
        if (i < n && ((const float *)z.data)[i] != -((const float *)w.data)[i] * x_i)
            return "z is wrong";
    }
    return NULL;
}

static inline void expect_result(const sheaf_bundle *b, int seed, int64_t n)
{
    const char *wrong = look(b, seed, n);
    if (wrong)
        fail_msg("%s", wrong);
}

static inline void expect_run_works(void)
{
    sheaf_bundle *b = open_toy();
    give(b, 3, 9);
    run_bundle(b);
    expect_result(b, 3, 9);
    sheaf_close(b);
    expect_nothing_left();
}

#endif
