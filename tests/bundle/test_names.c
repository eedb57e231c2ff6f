/*
 * test_names.c: symbols' names are C identifiers, unique, and the same each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/write/names.h"

static void check(const char *name, const char *want)
{
    struct arena a;
    arena_init(&a);
    assert_string_equal(names_legalise(&a, name), want);
    arena_done(&a);
}

static void test_legalise(void **state)
{
    (void)state;
    check("data", "data");
    check("gpu_0/data", "gpu_0_data");
    check("conv1:0", "conv1_0");
    check("0", "A0");
    check("1x/y", "A1x_y");
    check("\xc3\xa9t\xc3\xa9", "__t__");
    check("a\nb*/c", "a_b__c");
    check("", "tensor");
    check("int", "int_");
    check("template", "template_");
    check("config", "config_");
    check("info", "info_");
    check("MEM_ALIGN", "MEM_ALIGN_");
    check("BYTES_data", "ABYTES_data");
    check("get_data", "Aget_data");
    check("bytes_data", "bytes_data");
}

static void test_long(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    char x[2000], y[2000];
    memset(x, 'q', sizeof x - 1);
    x[sizeof x - 1] = '\0';
    memcpy(y, x, sizeof x);
    y[sizeof y - 2] = 'r';
    const char *lx = names_legalise(&a, x), *ly = names_legalise(&a, y);
    assert_true(strlen(lx) <= NAMES_MAX);
    assert_true(strlen(ly) <= NAMES_MAX);
    assert_string_not_equal(lx, ly);
    assert_string_equal(lx, names_legalise(&a, x));
    arena_done(&a);
}

static struct pbuf buf(const char *name, enum area area, enum sheaf_role role)
{
    struct pbuf b = {.name = name, .dtype = DTYPE_F32, .area = area, .role = role, .view_of = -1};
    return b;
}

static void test_symbols(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct pbuf bufs[] = {
        buf("w", AREA_CONSTANT, SHEAF_ROLE_CONSTANT),
        buf("x/1", AREA_MUTABLE, SHEAF_ROLE_OUTPUT),
        buf("seed", AREA_MUTABLE, SHEAF_ROLE_STATE),
        buf("x.1", AREA_MUTABLE, SHEAF_ROLE_INPUT),
        buf("hidden", AREA_ACTIVATION, SHEAF_ROLE_CONSTANT),
        buf("x:1", AREA_MUTABLE, SHEAF_ROLE_INPUT),
        buf("x_1_1", AREA_MUTABLE, SHEAF_ROLE_INPUT),
        buf("view", AREA_MUTABLE, SHEAF_ROLE_INPUT),
    };
    bufs[7].view_of = 3;
    struct program p = {.bufs = bufs, .n_bufs = 8};
    size_t n;
    const struct emit_symbol *s = names_symbols(&a, &(struct emit_part){.program = &p}, 1, &n);
    static const struct emit_symbol want[] = {
        {"x_1", 0, 3},   {"x_1_1", 0, 5}, {"x_1_1_1", 0, 6},
        {"x_1_2", 0, 1}, {"seed", 0, 2},  {"w", 0, 0},
    };
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(s[i].name, want[i].name);
        assert_int_equal(s[i].buf, want[i].buf);
    }
    arena_done(&a);
}

/* What parts have in common is listed once; a packing of its own is a constant of its own. */
static void test_parts(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct pbuf bufs[2][3];
    for (int i = 0; i < 2; i++) {
        bufs[i][0] = buf("x", AREA_MUTABLE, SHEAF_ROLE_INPUT);
        bufs[i][1] = buf("shared", AREA_CONSTANT, SHEAF_ROLE_CONSTANT);
        bufs[i][2] = buf("packed", AREA_CONSTANT, SHEAF_ROLE_CONSTANT);
        bufs[i][2].offset = 64 + 64 * i;
    }
    struct program p[2] = {{.bufs = bufs[0], .n_bufs = 3}, {.bufs = bufs[1], .n_bufs = 3}};
    const struct emit_part parts[2] = {{.program = &p[0]}, {.program = &p[1]}};
    static const struct emit_symbol want[] = {
        {"x", 0, 0}, {"shared", 0, 1}, {"packed", 0, 2}, {"packed_1", 1, 2}};
    size_t n;
    const struct emit_symbol *s = names_symbols(&a, parts, 2, &n);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(s[i].name, want[i].name);
        assert_int_equal(s[i].part, want[i].part);
        assert_int_equal(s[i].buf, want[i].buf);
    }
    arena_done(&a);
}

static void test_entries(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
        bool fit;
    } cases[] = {
        {"net", "nets", true},
        {"net", "net", false},
        {"net", "Net", false},
        {"net", "net_config", false},
        {"net_run", "net", false},
        {"net", "net_runs", true},
        {"net", "net_select", false},
        {"net_get_x", "net", false},
        {"net", "net_getx", true},
        {"a_b", "a@b", true},
        {"net", "net_extent_1_x", false},
        {"a1", "aQ", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        error_init(&err);
        if (names_fit(cases[i].one, cases[i].other, &err) != cases[i].fit ||
            (err.status == SHEAF_OK) != cases[i].fit)
            fail_msg("%s and %s", cases[i].one, cases[i].other);
    }
}

/* Many that collide. */
static void test_many(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    enum { N = 500 };
    struct pbuf *bufs = arena_array(&a, N, sizeof *bufs);
    for (size_t i = 0; i < N; i++)
        bufs[i] = buf(i % 2 ? "a?" : "a!", AREA_CONSTANT, SHEAF_ROLE_CONSTANT);
    struct program p = {.bufs = bufs, .n_bufs = N};
    size_t n;
    const struct emit_symbol *s = names_symbols(&a, &(struct emit_part){.program = &p}, 1, &n);
    assert_int_equal(n, N);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(s[i].name, s[j].name);
    arena_done(&a);
}

static void test_entry(void **state)
{
    (void)state;
    static const char *const want[][2] = {{"resnet-50", "resnet_50"},
                                          {"main", "main_"},
                                          {"memcpy", "memcpy_"},
                                          {"sqrt", "sqrt_"},
                                          {"__addsf3", "__addsf3_"},
                                          {"__aeabi_fadd", "__aeabi_fadd_"},
                                          {"for", "for_"},
                                          {"mainly", "mainly"}};
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_string_equal(names_entry(&a, want[i][0]), want[i][1]);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry), cmocka_unit_test(test_legalise),
        cmocka_unit_test(test_long),  cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_parts), cmocka_unit_test(test_entries),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests_name("bundle/write/names", tests, NULL, NULL);
}
