/*
 * linked_bundles.h: for tests of bundles for devices that the tool writes: opened by the runtime
 * that the program is linked with, and compared with what this processor computes.
 */
#ifndef SHEAF_TESTS_LOADER_LINKED_BUNDLES_H
#define SHEAF_TESTS_LOADER_LINKED_BUNDLES_H

#include "tests/loader/small_networks.h"

#include "tests/support/runtime.h"

/* ---- bundles ---- */

static inline struct sheaf_linked linked_of(const struct linked_entry *o)
{
    return (struct sheaf_linked){o->config, o->info, o->entry};
}

/* FOLDER/NAME, linked once. */
static inline struct linked_entry entry_of(const char *folder, const char *name)
{
    enum { MAX_ENTRIES = 64 };
    static struct {
        const char *file;
        struct linked_entry entry;
    } known[MAX_ENTRIES];
    static size_t n;
    const char *file = support_printf("%s/%s", folder, name);
    for (size_t i = 0; i < n; i++)
        if (strcmp(known[i].file, file) == 0)
            return known[i].entry;
    assert_in_range(n, 0, MAX_ENTRIES - 1);
    known[n].file = file;
    known[n].entry = open_entry(file, name);
    return known[n++].entry;
}

static inline sheaf_bundle *open_linked(const struct linked_entry *o)
{
    sheaf_bundle *b = NULL;
    struct sheaf_error error;
    struct sheaf_linked linked = linked_of(o);
    expect_ok(sheaf_open_memory(&linked, o->constants, o->n_constants, &b, &error), &error);
    return b;
}

/* What the bundle of write_net has computed. */
static inline struct result bundle_result(const sheaf_bundle *b)
{
    struct result r;
    memset(&r, 0, sizeof r);
    struct sheaf_tensor_desc y = tensor(b, "y"), where = tensor(b, "where");
    assert_int_equal(y.size_bytes, sizeof r.y);
    memcpy(r.y, y.data, sizeof r.y);
    r.n_where = (int64_t)where.dims[1];
    assert_int_equal(where.size_bytes, 2 * where.dims[1] * sizeof *r.where);
    memcpy(r.where, where.data, where.size_bytes);
    return r;
}

/* The same on this processor. */
static inline struct result wanted(int seed)
{
    struct linked_entry o = entry_of("cpu", "net");
    return run_entry(&o, seed);
}

static inline void expect_result(const sheaf_bundle *b, int seed)
{
    struct result got = bundle_result(b), want = wanted(seed);
    expect_same(&got, &want);
}

/* A bundle of write_net("net.onnx", "2", 2), on several inputs. */
static inline void expect_net_runs(sheaf_bundle *b)
{
    for (int seed = 1; seed < 4; seed++) {
        fill_input(tensor(b, "x").data, seed);
        run_bundle(b);
        expect_result(b, seed);
    }
}

/* Of write_items_net. */
static inline void expect_items(sheaf_bundle *b)
{
    struct sheaf_error error;
    for (int64_t n = 5; n > 0; n--) {
        float *x = tensor(b, "x").data;
        for (int64_t i = 0; i < 4 * n; i++)
            x[i] = (float)(i + n);
        expect_ok(sheaf_set_extent(b, "n", n, &error), &error);
        run_bundle(b);
        const float *y = tensor(b, "y").data;
        for (int64_t i = 0; i < 4 * n; i++)
            assert_true(y[i] == -(float)(i + n));
    }
}

/* Runs the bundle and cpu/NAME on the same and compares y. */
static inline void compare_y(sheaf_bundle *b, const char *name, float x, int64_t n, float limit)
{
    static const struct {
        const char *name;
        size_t bytes;
    } inputs[] = {
        {"x", 4 * sizeof(float)}, {"n", sizeof n}, {"limit", sizeof limit}, {"c", sizeof(uint8_t)}};
    struct linked_entry o = entry_of("cpu", name);
    const float xs[4] = {x, 2 * x, 3 - x, 0};
    uint8_t c = n > 0;
    const void *values[] = {xs, &n, &limit, &c};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct sheaf_tensor_desc t;
        if (sheaf_tensor(b, inputs[i].name, &t, NULL) != SHEAF_OK)
            continue;
        assert_int_equal(t.size_bytes, inputs[i].bytes);
        memcpy(t.data, values[i], inputs[i].bytes);
        memcpy(tensor_of(&o, inputs[i].name), values[i], inputs[i].bytes);
    }
    assert_int_equal(o.entry(o.constants, o.mutables, o.activations), SHEAF_OK);
    run_bundle(b);
    assert_memory_equal(tensor(b, "y").data, tensor_of(&o, "y"), sizeof xs);
}

/* Bundles of write_branch_net, and of write_loop_net as NAME. */
static inline void compare_branches(sheaf_bundle *b)
{
    for (int64_t n = 0; n < 4; n++)
        compare_y(b, "branch", (float)n - 2, n % 2, 0);
}

static inline void compare_rounds(sheaf_bundle *b, const char *name)
{
    for (int64_t n = 0; n < 5; n++)
        compare_y(b, name, 1, n, (float)(3 * n));
}

/* A program with FOLDER/net.h and nothing of the device, which sheaf_plan names so, and `more`. */
static inline void expect_header_suits(const char *folder, const char *device, const char *more)
{
    expect_client_runs(
        support_printf("#include \"net.h\"\n"
                       "SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t m[NET_MUTABLE_MEM_SIZE];\n"
                       "int main(void)\n"
                       "{\n"
                       "    net_get_x(m)[0] = 1;\n"
                       "    return net(m, m, m) != SHEAF_ERROR_DEVICE ||\n"
                       "        net_info.plan->device != %s;\n"
                       "}\n"
                       "%s",
                       device, more),
        folder, "net");
}

/* net.onnx, and other.onnx of another seed, in one bundle for a device, which `option` names. */
static inline void expect_entries_run(const char *option)
{
    compile(support_printf("-m net.onnx -add-entry=second=other.onnx %s -emit-bundle two", option));
    compile("-m net.onnx -emit-bundle cpu");
    compile("-m other.onnx -emit-bundle cpu");
    struct linked_entry first = open_entry("two/net", "net"),
                        second = open_entry("two/net", "second"), other = entry_of("cpu", "other");
    sheaf_bundle *a = open_linked(&first), *b = open_linked(&second);
    fill_input(tensor(a, "x").data, 1);
    fill_input(tensor(b, "x").data, 1);
    run_bundle(a);
    run_bundle(b);
    expect_result(a, 1);
    struct result got = bundle_result(b), want = run_entry(&other, 1);
    expect_same(&got, &want);
    sheaf_close(a);
    sheaf_close(b);
}

#endif
