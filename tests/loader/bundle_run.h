/*
 * bundle_run.h: for tests of bundles that the tool writes: small networks whose results are exact
 * in every order of sums, and their objects, linked and called in this process.
 */
#ifndef SHEAF_TESTS_LOADER_BUNDLE_RUN_H
#define SHEAF_TESTS_LOADER_BUNDLE_RUN_H

#include "tests/loader/tool.h"

#include <dlfcn.h>
#include <stdio.h>

#include "bundle/bundle.h"
#include "tests/loader/pb_write.h"

static inline const char *path_of(const char *name)
{
    return support_printf("%s/%s", support_tmp(), name);
}

/* ---- networks ---- */

enum { N_ROWS = 2, N_IN = 16, N_HIDDEN = 64, N_OUT = 8 };

/* Small whole numbers, others for each seed. */
static inline void put_weights(struct strbuf *graph, const char *name, const char *dims, size_t n,
                               uint32_t seed)
{
    struct strbuf t;
    float *v = arena_array(graph->arena, n, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        v[i] = (float)(seed >> 28) - 7;
    }
    onnx_tensor_begin(&t, graph->arena, name, ONNX_F32, dims);
    pb_bytes(&t, 9, v, n * sizeof *v);
    pb_sub(graph, 5, &t);
}

static inline void finish_net(struct onnx_model *m, const char *file)
{
    struct strbuf bytes;
    onnx_end(m, &bytes);
    support_write_file(path_of(file), strbuf_text(&bytes), bytes.len);
}

/* y = relu(x w) v, where = the places that are not zero in y.  w is the same in all, v
   another one for each seed.  `rows` is 2 or a symbol. */
static inline void write_net(const char *file, const char *rows, uint32_t seed)
{
    struct arena a;
    struct onnx_model m;
    arena_init(&a);
    onnx_begin(&m, &a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, support_printf("%s,16", rows));
    put_weights(&m.graph, "w", "16,64", N_IN * N_HIDDEN, 1);
    put_weights(&m.graph, "v", "64,8", N_HIDDEN * N_OUT, seed);
    onnx_node(&m.graph, "MatMul", "x,w", "h", "");
    onnx_node(&m.graph, "Relu", "h", "r", "");
    onnx_node(&m.graph, "MatMul", "r,v", "y", "");
    onnx_node(&m.graph, "NonZero", "y", "where", "");
    onnx_output(&m.graph, "y", ONNX_F32, support_printf("%s,8", rows));
    onnx_output(&m.graph, "where", ONNX_I64, "2,?");
    finish_net(&m, file);
    arena_done(&a);
}

static inline void fill_input(float *x, int seed)
{
    for (int i = 0; i < N_ROWS * N_IN; i++)
        x[i] = (float)((i * 7 + seed * 5) % 9 - 4);
}

/* ---- the tool ---- */

/* Runs it, which must succeed without a word. */
static inline void compile(const char *args)
{
    tool_expect(args, 0, "");
}

static inline size_t size_of(const char *file)
{
    size_t n;
    char *data = support_read_file(path_of(file), &n);
    if (!data)
        fail_msg("%s was not written", file);
    free(data);
    return n;
}

static inline void run_or_fail(const char *command, char **out)
{
    char *text;
    int code = support_run(command, &text);
    if (code != 0)
        fail_msg("%s: exit code %d\n%s", command, code, text);
    if (out)
        *out = text;
    else
        free(text);
}

/* A program with FOLDER/NAME.h and FOLDER/NAME.o, in C99, C11 and C++: there are no warnings, it
   succeeds with these arguments, and what it prints begins so. */
static inline void expect_client_prints(const char *text, const char *folder, const char *name,
                                        const char *args, const char *start)
{
    static const char *const compilers[] = {"cc -x c -std=c99", "cc -x c -std=c11", "c++ -x c++"};
    support_write_file(path_of("client.c"), text, strlen(text));
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++) {
        char *out;
        run_or_fail(support_printf("cd '%s' && %s -Wall -Wextra -Wpedantic -Werror -I%s client.c "
                                   "-x none %s/%s.o -o client && ./client %s",
                                   support_tmp(), compilers[i], folder, folder, name, args),
                    &out);
        if (strncmp(out, start, strlen(start)) != 0)
            fail_msg("not %s: %s", start, out);
        free(out);
    }
}

static inline void expect_client_runs(const char *text, const char *folder, const char *name)
{
    expect_client_prints(text, folder, name, "", "");
}

/* ---- objects ---- */

/* An entry, and areas to run it on. */
struct linked_entry {
    const struct BundleConfig *config;
    const struct sheaf_bundle_info *info;
    sheaf_entry_fn entry;
    uint8_t *constants, *mutables, *activations;
    size_t n_constants; /* bytes of the file: with the trailer of weights that can be replaced */
};

static inline void *symbol_of(void *library, const char *entry, const char *suffix)
{
    void *at = dlsym(library, support_printf("%s%s", entry, suffix));
    if (!at)
        fail_msg("no symbol %s%s", entry, suffix);
    return at;
}

/* It stays until the program ends. */
static inline uint8_t *make_area(size_t size)
{
    static struct arena areas;
    return arena_alloc(&areas, size + 1);
}

/* FILE.o and FILE.weights as a shared library, which stays loaded. */
static inline struct linked_entry open_entry(const char *file, const char *entry)
{
    struct linked_entry o;
    const char *library = support_printf("%s.so", path_of(file));
    run_or_fail(support_printf("%s -shared '%s.o' -o '%s'", support_cc(), path_of(file), library),
                NULL);
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fail_msg("%s", dlerror());
    void *fn = symbol_of(handle, entry, "");
    memcpy(&o.entry, &fn, sizeof fn);
    o.config = symbol_of(handle, entry, "_config");
    o.info = symbol_of(handle, entry, "_info");
    size_t n, own = o.config->constantWeightVarsMemSize;
    char *weights = support_read_file(support_printf("%s.weights", path_of(file)), &n);
    assert_non_null(weights);
    assert_true(n == own || n == own + sizeof(struct sheaf_weights_trailer));
    o.n_constants = n;
    o.constants = make_area(n);
    memcpy(o.constants, weights, n);
    free(weights);
    o.mutables = make_area(o.config->mutableWeightVarsMemSize);
    o.activations = make_area(o.config->activationsMemSize);
    return o;
}

static inline size_t row_of(const struct linked_entry *o, const char *name)
{
    for (size_t i = 0; i < o->config->numSymbols + o->info->n_overlaid; i++)
        if (strcmp(o->config->symbolTable[i].name, name) == 0)
            return i;
    fail_msg("no tensor %s", name);
    return 0;
}

static inline void *tensor_of(const struct linked_entry *o, const char *name)
{
    const struct SymbolTableEntry *row = &o->config->symbolTable[row_of(o, name)];
    return (row->kind == 2 ? o->activations : o->mutables) + row->offset;
}

/* What the network of write_net computes. */
struct result {
    float y[N_ROWS * N_OUT];
    int64_t n_where, where[2 * N_ROWS * N_OUT];
};

static inline struct result result_of(const struct linked_entry *o)
{
    struct result r;
    memset(&r, 0, sizeof r);
    const struct sheaf_symbol_info *where = &o->info->symbols[row_of(o, "where")];
    memcpy(&r.n_where, o->activations + where->extent_offsets[1], sizeof r.n_where);
    assert_in_range(r.n_where, 1, N_ROWS * N_OUT);
    memcpy(r.y, tensor_of(o, "y"), sizeof r.y);
    memcpy(r.where, tensor_of(o, "where"), 2 * (size_t)r.n_where * sizeof *r.where);
    return r;
}

/* By NAME(), on areas full of rubbish but for the input. */
static inline struct result run_entry(const struct linked_entry *o, int seed)
{
    memset(o->activations, 0xa5, o->config->activationsMemSize);
    fill_input(tensor_of(o, "x"), seed);
    assert_int_equal(o->entry(o->constants, o->mutables, o->activations), SHEAF_OK);
    return result_of(o);
}

static inline void expect_same(const struct result *got, const struct result *want)
{
    assert_memory_equal(got->y, want->y, sizeof got->y);
    assert_int_equal(got->n_where, want->n_where);
    assert_memory_equal(got->where, want->where, sizeof got->where);
}

#endif
