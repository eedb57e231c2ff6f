/*
 * test_cpu_runtime.c: opening, refusing, running and closing a stand-in bundle.
 *
 * The stand-in has an input x f32[4], an output y f32[<=4] with the elements of x times w that are
 * not negative, and a state that counts runs; its weights are w f32[4].  The runtime is compiled
 * into this file so that its allocations can be made to fail.
 */
#define _POSIX_C_SOURCE 200809L

static int allocations_left = -1; /* -1: any number */
static int may_allocate(void)
{
    if (allocations_left == 0)
        return 0;
    allocations_left -= allocations_left > 0;
    return 1;
}
#define SHEAF_MAY_ALLOCATE may_allocate

/* What the operating system answers when a bundle is opened. */
static int is_permitted = 1;
#define sheaf_cpu_permit ask_permission
#include "bundle/run/check.c"
#include "bundle/run/dtype.c"
#include "bundle/run/fault.c"
#include "bundle/run/open.c"
#include "bundle/run/tensors.c"
#include "bundle/run/weights.c"
#include "cpu_runtime/cpu_runtime.c"
#undef sheaf_cpu_permit
int ask_permission(const char *features)
{
    return is_permitted || !strstr(features, "amx");
}
int sheaf_cpu_permit(const char *features);

#include <setjmp.h>

#include <cmocka.h>

#include "tests/support/support.h"

/* ---- the stand-in; as text too, for the shared library ---- */

#define STAND_IN(...) __VA_ARGS__ static const char stand_in_text[] = #__VA_ARGS__;

STAND_IN(int standin(uint8_t *c, uint8_t *m, uint8_t *a);
         int standin(uint8_t *c, uint8_t *m, uint8_t *a) {
             const float *w = (const float *)(const void *)c;
             const float *x = (const float *)(const void *)m;
             float *y = (float *)(void *)(m + 64);
             uint64_t *runs = (uint64_t *)(void *)(m + 128);
             int64_t n = 0;
             if (x[0] > 1e30f)
                 return x[0] > 1e35f ? 77 : 5;
             for (int i = 0; i < 4; i++) {
                 float v = x[i] * w[i];
                 if (v >= 0)
                     y[n++] = v;
             }
             *(int64_t *)(void *)(a + 64) = n;
             runs[0]++;
             return 0;
         } static const struct SymbolTableEntry standin_table[4] = {{"gpu_0_x", 0, 4, 1},
                                                                    {"y", 64, 4, 1},
                                                                    {"runs", 128, 1, 1},
                                                                    {"w", 0, 4, 0}};
         static const uint64_t four[1] = {4}; static const uint64_t extent[1] = {64};
         static const uint64_t one[1] = {1};
         static const struct sheaf_symbol_info standin_symbols[4] =
             {{"gpu_0/x", 1, 1, 1, 0.0f, 0, 0, 16, four, "plain", 0},
              {"y", 1, 2, 1, 0.5f, 3, 0, 16, four, "plain", extent},
              {"runs", 13, 3, 1, 0.0f, 0, 0, 8, one, "plain", 0},
              {"w", 1, 0, 1, 0.0f, 0, 0, 16, four, "plain", 0}};
         extern const struct BundleConfig standin_config;
         const struct BundleConfig standin_config = {16, 192, 128, 64, 4, standin_table};
         extern const struct sheaf_bundle_info standin_info;
         const struct sheaf_bundle_info standin_info = {1,
                                                        sizeof(struct sheaf_bundle_info),
                                                        "standin",
                                                        "test",
                                                        "any",
                                                        "any",
                                                        "",
                                                        /* XXH3-128 of the weights below */
                                                        {0x64, 0xf4, 0xb2, 0x81, 0xef, 0xa2, 0xce,
                                                         0xd3, 0xc0, 0xa4, 0x57, 0xd8, 0x1f, 0xc8,
                                                         0x95, 0x18},
                                                        0,
                                                        0,
                                                        &standin_config,
                                                        standin_symbols,
                                                        0,
                                                        0,
                                                        0,
                                                        0,
                                                        0,
                                                        0,
                                                        0,
                                                        0};)

static const float weights[4] = {1, 2, -1, 0.5f};
static const struct sheaf_linked linked = SHEAF_LINKED(standin);

static const char *weights_path(void)
{
    const char *path = support_printf("%s/standin.weights", support_tmp());
    support_write_file(path, weights, sizeof weights);
    return path;
}

static void check_fault(enum sheaf_status got, enum sheaf_status want,
                        const struct sheaf_error *err, const char *part)
{
    assert_int_equal(got, want);
    assert_int_equal(err->status, want);
    assert_null(strchr(err->text, '\n'));
    if (!strstr(err->text, part))
        fail_msg("'%s' does not say '%s'", err->text, part);
}

static sheaf_bundle *open_standin(void)
{
    sheaf_bundle *b = NULL;
    struct sheaf_error err;
    enum sheaf_status status = sheaf_open_linked(&linked, weights_path(), &b, &err);
    if (status != SHEAF_OK)
        fail_msg("%s", err.text);
    assert_string_equal(err.text, "");
    return b;
}

static void run_and_check(sheaf_bundle *b)
{
    struct sheaf_tensor_desc x, y;
    struct sheaf_error err;
    assert_int_equal(sheaf_tensor(b, "gpu_0/x", &x, &err), SHEAF_OK);
    static const float in[4] = {3, -1, -2, 8};
    memcpy(x.data, in, sizeof in);
    assert_int_equal(sheaf_run(b, &err), SHEAF_OK);
    assert_int_equal(sheaf_tensor(b, "y", &y, &err), SHEAF_OK);
    assert_int_equal(y.rank, 1);
    assert_int_equal(y.dims[0], 3);
    assert_int_equal(y.size_bytes, 12);
    static const float want[3] = {3, 2, 4};
    assert_memory_equal(y.data, want, sizeof want);
}

static void test_open_and_run(void **state)
{
    (void)state;
    sheaf_bundle *b = open_standin();
    assert_ptr_equal(sheaf_info(b), &standin_info);
    assert_int_equal(sheaf_tensor_count(b), 4);
    struct sheaf_tensor_desc t;
    struct sheaf_error err;
    assert_int_equal(sheaf_tensor(b, "y", &t, &err), SHEAF_OK);
    assert_int_equal(t.dims[0], 4); /* the bound, before a run */
    assert_int_equal(t.size_bytes, 16);
    assert_int_equal(t.role, SHEAF_ROLE_OUTPUT);
    assert_int_equal(t.zero_point, 3);
    assert_true(t.scale == 0.5f);
    run_and_check(b);
    assert_int_equal(sheaf_tensor(b, "gpu_0_x", &t, &err), SHEAF_OK);
    assert_string_equal(t.original_name, "gpu_0/x");
    assert_int_equal((uintptr_t)t.data % 64, 0);
    assert_int_equal(sheaf_tensor(b, "w", &t, &err), SHEAF_OK);
    assert_memory_equal(t.data, weights, sizeof weights);
    check_fault(sheaf_tensor(b, "z", &t, &err), SHEAF_ERROR_NOT_FOUND, &err, "'z'");
    check_fault(sheaf_tensor_at(b, 4, &t, &err), SHEAF_ERROR_NOT_FOUND, &err, "number 4");
    assert_int_equal(sheaf_tensor(b, "z", &t, NULL), SHEAF_ERROR_NOT_FOUND);
    sheaf_close(b);
    sheaf_close(NULL);
}

static void test_run_fails(void **state)
{
    (void)state;
    sheaf_bundle *b = open_standin();
    struct sheaf_tensor_desc x;
    struct sheaf_error err;
    assert_int_equal(sheaf_tensor(b, "gpu_0/x", &x, &err), SHEAF_OK);
    *(float *)x.data = 2e30f;
    check_fault(sheaf_run(b, &err), SHEAF_ERROR_SHAPE, &err, "code 5");
    *(float *)x.data = 2e35f;
    check_fault(sheaf_run(b, &err), SHEAF_ERROR_DEVICE, &err, "code 77");
    sheaf_close(b);
}

static uint64_t runs_of(const sheaf_bundle *b)
{
    struct sheaf_tensor_desc t;
    assert_int_equal(sheaf_tensor(b, "runs", &t, NULL), SHEAF_OK);
    return *(const uint64_t *)t.data;
}

static void test_state_and_attach(void **state)
{
    (void)state;
    sheaf_bundle *a = open_standin(), *b = NULL;
    struct sheaf_error err;
    run_and_check(a);
    assert_int_equal(sheaf_attach(a, &b, &err), SHEAF_OK);
    run_and_check(a);
    run_and_check(b);
    assert_int_equal(runs_of(a), 2);
    assert_int_equal(runs_of(b), 1);
    sheaf_reset_state(a);
    assert_int_equal(runs_of(a), 0);
    struct sheaf_tensor_desc in_a, in_b;
    assert_int_equal(sheaf_tensor(a, "gpu_0/x", &in_a, &err), SHEAF_OK);
    assert_true(*(float *)in_a.data == 3); /* inputs stay */
    assert_int_equal(sheaf_tensor(a, "w", &in_a, &err), SHEAF_OK);
    assert_int_equal(sheaf_tensor(b, "w", &in_b, &err), SHEAF_OK);
    assert_ptr_equal(in_a.data, in_b.data);
    sheaf_close(a);
    run_and_check(b);
    sheaf_close(b);
    assert_int_equal(sheaf_attach(NULL, &b, &err), SHEAF_ERROR_ARGUMENT);
}

static void test_memory(void **state)
{
    (void)state;
    _Alignas(64) uint8_t room[sizeof weights + 64];
    for (size_t shift = 0; shift < 8; shift += 4) {
        memcpy(room + shift, weights, sizeof weights);
        sheaf_bundle *b = NULL;
        struct sheaf_error err;
        struct sheaf_tensor_desc w;
        assert_int_equal(sheaf_open_memory(&linked, room + shift, sizeof weights, &b, &err),
                         SHEAF_OK);
        assert_int_equal(sheaf_tensor(b, "w", &w, &err), SHEAF_OK);
        assert_int_equal(w.data == room, shift == 0); /* in place where aligned */
        run_and_check(b);
        sheaf_close(b);
    }
}

static void test_wrong_weights(void **state)
{
    (void)state;
    sheaf_bundle *b = NULL;
    struct sheaf_error err;
    uint8_t bad[sizeof weights + 1] = {0};
    memcpy(bad, weights, sizeof weights);
    check_fault(sheaf_open_memory(&linked, bad, sizeof bad, &b, &err), SHEAF_ERROR_FORMAT, &err,
                "have 16 bytes, not 17");
    check_fault(sheaf_open_memory(&linked, NULL, 16, &b, &err), SHEAF_ERROR_ARGUMENT, &err,
                "no weights");
    bad[3] ^= 1;
    check_fault(sheaf_open_memory(&linked, bad, sizeof weights, &b, &err), SHEAF_ERROR_FORMAT, &err,
                "digest");
    const char *path = support_printf("%s/bad.weights", support_tmp());
    support_write_file(path, bad, sizeof weights);
    check_fault(sheaf_open_linked(&linked, path, &b, &err), SHEAF_ERROR_FORMAT, &err, path);
    support_write_file(path, bad, 0);
    check_fault(sheaf_open_linked(&linked, path, &b, &err), SHEAF_ERROR_FORMAT, &err, "not 0");
    check_fault(sheaf_open_linked(&linked, "/nowhere/x.weights", &b, &err), SHEAF_ERROR_NOT_FOUND,
                &err, "/nowhere/x.weights");
    check_fault(sheaf_open_linked(&linked, support_tmp(), &b, &err), SHEAF_ERROR_IO, &err,
                "no regular file");
    check_fault(sheaf_open_linked(&linked, NULL, &b, &err), SHEAF_ERROR_ARGUMENT, &err,
                "needs its weights");
    assert_null(b);
}

static void test_wrong_description(void **state)
{
    (void)state;
    sheaf_bundle *b = NULL;
    struct sheaf_error err;
    struct sheaf_bundle_info info = standin_info;
    struct BundleConfig config = standin_config;
    struct SymbolTableEntry table[4];
    struct sheaf_symbol_info symbols[4];
    struct sheaf_linked l = {&config, &info, standin};
    memcpy(table, standin_table, sizeof table);
    memcpy(symbols, standin_symbols, sizeof symbols);
    config.symbolTable = table;
    info.symbols = symbols;
#define REFUSED(status, part)                                                                      \
    check_fault(sheaf_open_memory(&l, weights, sizeof weights, &b, &err), status, &err, part)
    info.version = 2;
    REFUSED(SHEAF_ERROR_VERSION, "version 2");
    info.version = 1;
    info.struct_size = (uint32_t)offsetof(struct sheaf_bundle_info, variants) - 8;
    REFUSED(SHEAF_ERROR_VERSION, "bytes");
    info.struct_size = sizeof info;
    info.fp_control = 9;
    REFUSED(SHEAF_ERROR_VERSION, "policy 9");
    info.fp_control = 0;
    config.alignment = 48;
    REFUSED(SHEAF_ERROR_FORMAT, "config");
    config.alignment = 64;
    table[1].offset = 180;
    REFUSED(SHEAF_ERROR_FORMAT, "'y'");
    table[1].offset = 64;
    symbols[3].size_bytes = 17;
    REFUSED(SHEAF_ERROR_FORMAT, "'w'");
    symbols[3].size_bytes = 16;
    symbols[0].rank = SHEAF_MAX_RANK + 1;
    REFUSED(SHEAF_ERROR_FORMAT, "'gpu_0_x'");
    symbols[0].rank = 1;
    const uint64_t outside[1] = {121};
    symbols[1].extent_offsets = outside;
    REFUSED(SHEAF_ERROR_FORMAT, "extent of 'y'");
    symbols[1].extent_offsets = extent;
    struct sheaf_plan plan = {.device = SHEAF_DEVICE_NVIDIA};
    info.plan = &plan;
    REFUSED(SHEAF_ERROR_UNSUPPORTED, "compiled for a device (loader -gpu), whose runtime runs it "
                                     "(libgpu_runtime)");
    plan.device = SHEAF_DEVICE_VE;
    REFUSED(SHEAF_ERROR_UNSUPPORTED, "compiled for a device (loader -ve), whose runtime runs it "
                                     "(libve_runtime)");
    info.plan = NULL;
    l.entry = NULL;
    REFUSED(SHEAF_ERROR_ARGUMENT, "entry");
    l.entry = standin;
    assert_int_equal(sheaf_open_memory(&l, weights, sizeof weights, &b, &err), SHEAF_OK);
    sheaf_close(b);
}

/* A bundle that lies about an extent is found out before its data are read. */
static void test_wrong_extent(void **state)
{
    (void)state;
    sheaf_bundle *b = open_standin();
    run_and_check(b);
    struct sheaf_tensor_desc y;
    struct sheaf_error err;
    for (int64_t n = -1; n <= 5; n += 6) {
        memcpy(b->activations + 64, &n, sizeof n);
        check_fault(sheaf_tensor(b, "y", &y, &err), SHEAF_ERROR_FORMAT, &err, "not in 0..4");
    }
    sheaf_close(b);
}

/* A bundle from before the info's last fields: what lies behind is not read. */
static void test_older_info(void **state)
{
    (void)state;
    const size_t size = offsetof(struct sheaf_bundle_info, variants);
    struct sheaf_bundle_info info;
    memset(&info, 0xff, sizeof info);
    memcpy(&info, &standin_info, size);
    info.struct_size = (uint32_t)size;
    sheaf_bundle *b = NULL;
    struct sheaf_error err;
    struct sheaf_linked l = {&standin_config, &info, standin};
    if (sheaf_open_memory(&l, weights, sizeof weights, &b, &err) != SHEAF_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sheaf_tensor_count(b), 4);
    assert_int_equal(sheaf_run(b, &err), SHEAF_OK);
    sheaf_close(b);
}

static void test_processor(void **state)
{
    (void)state;
    size_t length = 0;
    assert_null(sheaf_cpu_missing_feature("", &length));
    assert_null(sheaf_cpu_missing_feature("+some-future-thing,-avx512f,-amx-tile", &length));
#if defined(__x86_64__)
    assert_null(sheaf_cpu_missing_feature("+sse2,sse,+x87,+cx8,+fxsr,+mmx,cmov", &length));
    static const char *const names[] = {"avx",     "avx2",       "fma",      "f16c",    "bmi",
                                        "avx512f", "avx512vnni", "amx-tile", "avxvnni", "sse4.2"};
    __builtin_cpu_init();
    const int has[] = {__builtin_cpu_supports("avx"),
                       __builtin_cpu_supports("avx2"),
                       __builtin_cpu_supports("fma"),
                       -1,
                       __builtin_cpu_supports("bmi"),
                       __builtin_cpu_supports("avx512f"),
                       __builtin_cpu_supports("avx512vnni"),
                       -1,
                       -1,
                       __builtin_cpu_supports("sse4.2")};
    const char *missing = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *list = support_printf("+sse2,+%s,+sse", names[i]);
        const char *found = sheaf_cpu_missing_feature(list, &length);
        if (has[i] >= 0)
            assert_int_equal(found == NULL, has[i] != 0);
        if (found) {
            assert_int_equal(length, strlen(names[i]));
            assert_memory_equal(found, names[i], length);
            missing = names[i];
        }
    }
    if (!missing)
        missing = "sse4a"; /* AMD's alone; Intel has amx-tile at most */
    struct sheaf_bundle_info info = standin_info;
    struct sheaf_linked l = {&standin_config, &info, standin};
    info.features = support_printf("+sse2,+%s", missing);
    sheaf_bundle *b = NULL;
    struct sheaf_error err;
    if (!sheaf_cpu_missing_feature(info.features, &length))
        return;
    check_fault(sheaf_open_memory(&l, weights, sizeof weights, &b, &err), SHEAF_ERROR_PROCESSOR,
                &err, support_printf("'%s'", missing));
#endif
}

static void test_permission(void **state)
{
    (void)state;
    struct sheaf_bundle_info info = standin_info;
    struct sheaf_linked l = {&standin_config, &info, standin};
    sheaf_bundle *b = NULL;
    struct sheaf_error err;
    info.features = "+some-amx-thing";
    is_permitted = 0;
    enum sheaf_status refused = sheaf_open_memory(&l, weights, sizeof weights, &b, &err);
    is_permitted = 1;
    check_fault(refused, SHEAF_ERROR_PROCESSOR, &err, "tile registers");
    assert_int_equal(sheaf_open_memory(&l, weights, sizeof weights, &b, &err), SHEAF_OK);
    sheaf_close(b);

    size_t length;
    assert_true(sheaf_cpu_permit(""));
    assert_true(sheaf_cpu_permit("+sse2,-amx-tile,+amx-tile-not"));
#if defined(__x86_64__)
    /* Where the processor has none there is nothing to permit. */
    if (sheaf_cpu_missing_feature("+amx-tile", &length))
        assert_false(sheaf_cpu_permit("+sse2,+amx-tile"));
#endif
}

/* Every allocation fails once; nothing leaks (AddressSanitizer looks) and nothing is returned. */
static void test_no_memory(void **state)
{
    (void)state;
    const char *path = weights_path();
    uint8_t unaligned[sizeof weights + 4];
    memcpy(unaligned + 4, weights, sizeof weights);
    for (int way = 0; way < 3; way++) {
        sheaf_bundle *first = way == 2 ? open_standin() : NULL;
        enum sheaf_status status = SHEAF_ERROR_MEMORY;
        int n;
        for (n = 0; n < 20 && status != SHEAF_OK; n++) {
            sheaf_bundle *b = NULL;
            struct sheaf_error err;
            allocations_left = n;
            status = way == 0 ? sheaf_open_linked(&linked, path, &b, &err)
                     : way == 1
                         ? sheaf_open_memory(&linked, unaligned + 4, sizeof weights, &b, &err)
                         : sheaf_attach(first, &b, &err);
            allocations_left = -1;
            if (status == SHEAF_OK) {
                run_and_check(b);
                sheaf_close(b);
                break;
            }
            check_fault(status, SHEAF_ERROR_MEMORY, &err, "cannot allocate");
            assert_null(b);
        }
        assert_int_equal(n, way == 2 ? 3 : 5);
        sheaf_close(first);
    }
}

static void test_shared_library(void **state)
{
    (void)state;
    const char *dir = support_tmp();
    const char *source = support_printf("%s/standin.c", dir);
    const char *library = support_printf("%s/libstandin.so", dir);
    const char *text = support_printf("#include \"bundle/bundle.h\"\n%s\n", stand_in_text);
    support_write_file(source, text, strlen(text));
    char *out;
    int code = support_run(support_printf("%s -shared -fPIC -I'%s' '%s' -o '%s'", support_cc(),
                                          support_source(), source, library),
                           &out);
    if (code != 0)
        fail_msg("%s", out);
    free(out);
    sheaf_bundle *b = NULL, *c = NULL;
    struct sheaf_error err;
    enum sheaf_status status = sheaf_open(library, "standin", weights_path(), &b, &err);
    if (status != SHEAF_OK)
        fail_msg("%s", err.text);
    assert_ptr_not_equal(sheaf_info(b), &standin_info);
    assert_int_equal(sheaf_attach(b, &c, &err), SHEAF_OK);
    sheaf_close(b);
    run_and_check(c); /* the library is still there */
    sheaf_close(c);
    check_fault(sheaf_open(library, "other", weights_path(), &b, &err), SHEAF_ERROR_NOT_FOUND, &err,
                "'other'");
    check_fault(sheaf_open("/nowhere.so", "x", NULL, &b, &err), SHEAF_ERROR_IO, &err, "nowhere");
    check_fault(sheaf_open(library, "standin", "/nowhere.weights", &b, &err), SHEAF_ERROR_NOT_FOUND,
                &err, "nowhere.weights");
    check_fault(sheaf_open(NULL, "x", NULL, &b, &err), SHEAF_ERROR_ARGUMENT, &err, "library");
}

/* The public headers by themselves, in each language they promise. */
static void test_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {"bundle/bundle.h", "bundle/runtime.h",
                                          "cpu_runtime/cpu_runtime.h"};
    static const char *const compilers[] = {"cc -x c -std=c99", "cc -x c -std=c11",
                                            "c++ -x c++ -std=c++11"};
    const char *source = support_printf("%s/header.c", support_tmp());
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const char *text = support_printf("#include \"%s\"\n", headers[i]);
        support_write_file(source, text, strlen(text));
        for (size_t j = 0; j < sizeof compilers / sizeof *compilers; j++) {
            char *out;
            int code = support_run(
                support_printf("%s -Wall -Wextra -pedantic -Wconversion -Werror -I'%s' -c '%s' "
                               "-o /dev/null",
                               compilers[j], support_source(), source),
                &out);
            if (code != 0)
                fail_msg("%s: %s\n%s", headers[i], compilers[j], out);
            free(out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_and_run),     cmocka_unit_test(test_run_fails),
        cmocka_unit_test(test_state_and_attach), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_wrong_weights),    cmocka_unit_test(test_wrong_description),
        cmocka_unit_test(test_wrong_extent),     cmocka_unit_test(test_processor),
        cmocka_unit_test(test_older_info),       cmocka_unit_test(test_permission),
        cmocka_unit_test(test_no_memory),        cmocka_unit_test(test_shared_library),
        cmocka_unit_test(test_headers),
    };
    return cmocka_run_group_tests_name("cpu_runtime", tests, NULL, NULL);
}
