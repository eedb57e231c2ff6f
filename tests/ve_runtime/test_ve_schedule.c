/*
 * test_ve_schedule.c: which kernels are divided among the cores of a Vector Engine; that they
 * compute the right thing is test_emit.c's, and that cores do so together
 * test_ve_runtime_options.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/compiled.h"
#include "tests/support/support.h"

static struct compiled c;

static int setup(void **state)
{
    (void)state;
    memset(&c, 0, sizeof c);
    return !compiled_host_runs("ve");
}

static int teardown(void **state)
{
    (void)state;
    compiled_close(&c);
    return 0;
}

static void expect_divided(bool is_divided)
{
    if (is_divided != (strstr(compiled_schedules(&c), ": launch d") != NULL))
        fail_msg("%s", compiled_schedules(&c));
}

/* Of a network of one step. */
static void expect_divided_graph(bool is_divided, const char *statements)
{
    compiled_must_open(&c, support_printf("graph \"t\" {\n%s\n}\n", statements), "ve");
    expect_divided(is_divided);
}

static void maps_are_divided(void **state)
{
    (void)state;
    expect_divided_graph(true, "input %x f32 [9,70]\n%y = relu (%x)\nreturn %y");
}

/* 1757 elements are 7 vectors of 251; 1021 is a prime. */
static void full_vectors_are_divided(void **state)
{
    (void)state;
    expect_divided_graph(true, "input %x f32 [1757]\n%y = relu (%x)\nreturn %y");
    assert_non_null(strstr(compiled_schedules(&c), "launch d0 vector 251"));
    compiled_close(&c);
    expect_divided_graph(false, "input %x f32 [1021]\n%y = relu (%x)\nreturn %y");
    compiled_close(&c);
    expect_divided_graph(false, "input %x f32 [256]\n%y = relu (%x)\nreturn %y");
}

static void bytes_are_divided(void **state)
{
    (void)state;
    expect_divided_graph(true, "input %x f32 [9,70]\n%y = cast (%x) {to=3}\nreturn %y");
}

/* Two cores would store the halves of one byte. */
static void halves_of_bytes_are_not_divided(void **state)
{
    (void)state;
    expect_divided_graph(false, "input %x f32 [9,71]\n%y = cast (%x) {to=22}\nreturn %y");
}

static void halves_of_bytes_are_read_by_all(void **state)
{
    (void)state;
    expect_divided_graph(true, "const %x i4 [9,71] = fill 3\ninput %z f32 [9,71]\n"
                               "%f = cast (%x) {to=1}\n%y = mul (%f, %z)\nreturn %y");
}

/* The rows are sorted in one place. */
static void sorts_of_rows_are_not_divided(void **state)
{
    (void)state;
    expect_divided_graph(false, "input %x f32 [9,300]\nconst %k i64 [1] = {5}\n"
                                "%y, %i = top_k (%x, %k)\nreturn %y, %i");
}

static void maps_with_scratch_are_not_divided(void **state)
{
    (void)state;
    struct error err;
    error_init(&err);
    if (!compiled_open_kernel(&c,
                              "kernel \"t\" {\n"
                              "  in @0 \"x\": f32[9,70] plain\n"
                              "  out @1 \"y\": f32[9,70] plain\n"
                              "  local @2 \"t\": f32[9,70] plain\n"
                              "  map %0 (%1 < 9, %2 < 70) {\n"
                              "    %3 = load @0[%1, %2]\n"
                              "    store @2[%1, %2] = %3\n"
                              "    %4 = load @2[%1, %2]\n"
                              "    store @1[%1, %2] = %4\n"
                              "  }\n"
                              "}\n",
                              "ve", &err))
        fail_msg("%s", err.text);
    expect_divided(false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(maps_are_divided),
        TEST(full_vectors_are_divided),
        TEST(bytes_are_divided),
        TEST(halves_of_bytes_are_not_divided),
        TEST(halves_of_bytes_are_read_by_all),
        TEST(sorts_of_rows_are_not_divided),
        TEST(maps_with_scratch_are_not_divided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
