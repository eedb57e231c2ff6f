/*
 * What long reductions and scans become on a GPU: none is left to one thread.  That they are right
 * is tested in tests/bundle/test_emit_kernel.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/contractions.h"

static void assert_schedule(const char *text, const char *want)
{
    compiled_expect_schedule(text, "nvidia", want);
}

/* The sum over an image per channel. */
static const char *sums(struct arena *a, int channels, int height, int width)
{
    return arena_printf(a,
                        "kernel \"t\" {\n"
                        "  in @0 \"x\": f32[%d,%d,%d] plain\n"
                        "  out @1 \"y\": f32[%d] plain\n"
                        "  map %%0 (%%1 < %d) {\n"
                        "    %%2 = reduce add (%%3 < %d, %%4 < %d) from (0.0) {\n"
                        "      %%5 = load @0[%%1, %%3, %%4]\n"
                        "      yield %%5\n"
                        "    }\n"
                        "    store @1[%%1] = %%2\n"
                        "  }\n"
                        "}\n",
                        channels, height, width, channels, channels, height, width);
}

static void sums_of_images(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    assert_schedule(sums(&a, 8, 56, 56), "groups of 256\nreduce %2: group of 256 parts");
    assert_schedule(sums(&a, 600, 14, 14), "groups of 32\nreduce %2: group of 32 parts");
    /* Short ones, and those of which there are many, a thread has to itself. */
    assert_schedule(sums(&a, 2048, 7, 7), "map %0: launch d0\n");
    assert_schedule(sums(&a, 20000, 10, 10), "map %0: launch d0\n");
    arena_done(&a);
}

/* A row of a layer norm, and of a softmax: each thread has a part. */
static void sums_of_rows(void **state)
{
    (void)state;
    static const struct {
        int rows, columns;
        const char *want;
    } CASES[] = {{128, 768,
                  "128 blocks of 256 threads\nmap %0: launch d0, groups of 256\n"
                  "reduce %2: group of 256 parts"},
                 {1536, 128, "groups of 32\nreduce %2: group of 32 parts"}};
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const char *text = arena_printf(&a,
                                        "kernel \"t\" {\n"
                                        "  in @0 \"x\": f32[%d,%d] plain\n"
                                        "  out @1 \"y\": f32[%d] plain\n"
                                        "  map %%0 (%%1 < %d) {\n"
                                        "    %%2 = reduce add lanes 16 (%%3 < %d) from (0.0) {\n"
                                        "      %%4 = load @0[%%1, %%3]\n"
                                        "      yield %%4\n"
                                        "    }\n"
                                        "    store @1[%%1] = %%2\n"
                                        "  }\n"
                                        "}\n",
                                        CASES[i].rows, CASES[i].columns, CASES[i].rows,
                                        CASES[i].rows, CASES[i].columns);
        assert_schedule(text, CASES[i].want);
        contraction_check(text, "nvidia");
    }
    arena_done(&a);
}

static void sum_of_all(void **state)
{
    (void)state;
    assert_schedule("kernel \"t\" {\n"
                    "  in @0 \"x\": f32[5000] plain\n"
                    "  out @1 \"y\": f32[] plain\n"
                    "  %0 = reduce add lanes 16 (%1 < 5000) from (0.0) {\n"
                    "    %2 = load @0[%1]\n"
                    "    yield %2\n"
                    "  }\n"
                    "  store @1[] = %0\n"
                    "}\n",
                    "1 block of 1024 threads together\nreduce %0: group of 1024 parts");
}

static void scan_of_all(void **state)
{
    (void)state;
    assert_schedule("kernel \"t\" {\n"
                    "  in @0 \"x\": i64[700] plain\n"
                    "  out @1 \"y\": i64[700] plain\n"
                    "  %0 = scan add (%1 < 700) from (0) {\n"
                    "    %2 = load @0[%1]\n"
                    "    yield %2\n"
                    "  } each (%3) {\n"
                    "    store @1[%1] = %3\n"
                    "  }\n"
                    "}\n",
                    "1 block of 1024 threads together");
}

/* The place of the greatest along a dimension, the first or the last of equal ones. */
static const char *greatest(struct arena *a, const char *type, int length, int points, bool last)
{
    return arena_printf(a,
                        "kernel \"t\" {\n"
                        "  in @0 \"x\": %s[%d,%d] plain\n"
                        "  out @1 \"y\": i64[%d] plain\n"
                        "  map %%0 (%%1 < %d) {\n"
                        "    %%2, %%3 = reduce block unordered (%%4 < %d) from (%s:%s, %s) {\n"
                        "      %%5 = load @0[%%4, %%1]\n"
                        "      yield %%5, %%4\n"
                        "    } combine (%%6, %%7, %%8, %%9) {\n"
                        "      %%10 = lt %%6, %%8\n"
                        "      %%11 = eq %%6, %%8\n"
                        "      %%12 = lt %s\n"
                        "      %%13 = and %%11, %%12\n"
                        "      %%14 = or %%10, %%13\n"
                        "      %%15 = select %%14, %%8, %%6\n"
                        "      %%16 = select %%14, %%9, %%7\n"
                        "      yield %%15, %%16\n"
                        "    }\n"
                        "    store @1[%%1] = %%3\n"
                        "  }\n"
                        "}\n",
                        type, length, points, points, points, length,
                        *type == 'f' ? "-inf" : "-128", type, last ? "-1" : "9223372036854775807",
                        last ? "%7, %9" : "%9, %7");
}

static void place_of_the_greatest(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    assert_schedule(greatest(&a, "f32", 2000, 12, false), "12 blocks of 256 threads");
    assert_schedule(greatest(&a, "f32", 100, 1000, false), "groups of 32");
    assert_schedule(greatest(&a, "f32", 21, 1000, false), "map %0: launch d0\n");
    /* Of 256 values many are equal. */
    for (int last = 0; last < 2; last++) {
        contraction_check(greatest(&a, "i8", 2000, 12, last), "nvidia");
        contraction_check(greatest(&a, "i8", 300, 600, last), "nvidia");
        contraction_check(greatest(&a, "f32", 1500, 3, last), "nvidia");
    }
    arena_done(&a);
}

static int need_simulator(void **state)
{
    (void)state;
    return !compiled_host_runs("nvidia");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_images),
        cmocka_unit_test(sums_of_rows),
        cmocka_unit_test(sum_of_all),
        cmocka_unit_test(scan_of_all),
        cmocka_unit_test(place_of_the_greatest),
    };
    return cmocka_run_group_tests(tests, need_simulator, NULL);
}
