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
    const struct emit_symbol *s = names_symbols(&a, &p, &n);
    static const struct emit_symbol want[] = {
        {"x_1", 3}, {"x_1_1", 5}, {"x_1_1_1", 6}, {"x_1_2", 1}, {"seed", 2}, {"w", 0},
    };
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(s[i].name, want[i].name);
        assert_int_equal(s[i].buf, want[i].buf);
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
    const struct emit_symbol *s = names_symbols(&a, &p, &n);
    assert_int_equal(n, N);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(s[i].name, s[j].name);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legalise),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests_name("bundle/write/names", tests, NULL, NULL);
}
