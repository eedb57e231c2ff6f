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
    check("size_t", "size_t_");
    check("uint8_t", "uint8_t_");
    check("INT64_MAX", "INT64_MAX_");
    check("NULL", "NULL_");
    check("_Bool", "_Bool_");
    check("_init", "_init_");
    check("SHEAF_OK", "SHEAF_OK_");
    check("SHEAF_OK_", "SHEAF_OK_");
    check("sheaf_run_fn", "sheaf_run_fn_");
    check("interior", "interior");
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
        buf("key", AREA_MUTABLE, SHEAF_ROLE_STATE),
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
        {"x_1_2", 0, 1}, {"key", 0, 2},   {"w", 0, 0},
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
        {"net", "nets", true},        {"net", "net", false},      {"net", "Net", false},
        {"net", "net_config", false}, {"net_run", "net", false},  {"net", "net_runs", true},
        {"net", "net_select", false}, {"net", "net_seed", false}, {"net_get_x", "net", false},
        {"net", "net_getx", true},    {"a_b", "a@b", true},       {"net", "net_extent_1_x", false},
        {"a1", "aQ", true},           {"net", "NET_MACS", false}, {"net", "NET_MACs", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        error_init(&err);
        if (names_fit(cases[i].one, cases[i].other, &err) != cases[i].fit ||
            (err.status == SHEAF_OK) != cases[i].fit)
            fail_msg("%s and %s", cases[i].one, cases[i].other);
    }
}

/* foo with BAR_x and foo_bar with x; tensors whose macros are functions of another entry. */
static void test_header_names(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct pbuf first[] = {buf("BAR_x", AREA_MUTABLE, SHEAF_ROLE_INPUT),
                           buf("BAR_BYTES_z", AREA_MUTABLE, SHEAF_ROLE_OUTPUT),
                           buf("BAR_w", AREA_CONSTANT, SHEAF_ROLE_CONSTANT),
                           buf("Q", AREA_MUTABLE, SHEAF_ROLE_OUTPUT)};
    struct pbuf second[] = {buf("x", AREA_MUTABLE, SHEAF_ROLE_INPUT),
                            buf("w", AREA_MUTABLE, SHEAF_ROLE_INPUT),
                            buf("z", AREA_MUTABLE, SHEAF_ROLE_OUTPUT)};
    struct program p[3] = {{.bufs = first, .n_bufs = 4}, {.bufs = second, .n_bufs = 3}, {0}};
    static const char *const want[2][4] = {{"BAR_x", "BAR_BYTES_z", "Q_1", "BAR_w"},
                                           {"x_1", "w", "z_1"}};
    struct names_of_entry of[] = {
        {NULL, "foo", "FOO"}, {NULL, "foo_bar", "FOO_BAR"}, {NULL, "FOO_Q", "FOO_Q"}};
    struct names_header *header = names_header_create(&a);
    for (size_t i = 0; i < 3; i++) {
        of[i].header = header;
        names_header_add(header, &of[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        size_t n;
        const struct emit_symbol *s =
            names_symbols_in(&a, &of[i], &(struct emit_part){.program = &p[i]}, 1, &n);
        assert_int_equal(n, p[i].n_bufs);
        for (size_t k = 0; k < n; k++)
            assert_string_equal(s[k].name, want[i][k]);
    }
    arena_done(&a);
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
        cmocka_unit_test(test_many),  cmocka_unit_test(test_header_names),
    };
    return cmocka_run_group_tests_name("bundle/write/names", tests, NULL, NULL);
}
