/*
 * test_ve_contract.c: what the vectors of contractions run along on a Vector Engine, that they give
 * what the evaluator gives, and what part of the packed peak they reach by the simulator's model of
 * time, so that a slower schedule shows.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

static void expect_same_as_evaluator(void)
{
    struct error err;
    struct strbuf report;
    error_init(&err);
    strbuf_init(&report, &c.arena);
    compiled_fill(&c, COMPILED_RANDOM, 1);
    if (!pipeline_run_verify(&c.run, &report, &err))
        fail_msg("%s\n%s", err.text, strbuf_text(&report));
}

/* The convolution before has channels last, as those inside of networks have. */
static const char *conv(int channels, int size, int filters, int window, int stride)
{
    int pad = window / 2;
    return support_printf("graph \"t\" {\n"
                          "input %%x f32 [1,2,%d,%d]\n"
                          "const %%v f32 [%d,2,1,1] = fill 0.5\n"
                          "const %%w f32 [%d,%d,%d,%d] = fill 0.01\n"
                          "const %%b f32 [%d] = fill 0.5\n"
                          "%%i = conv (%%x, %%v)\n"
                          "%%c = conv (%%i, %%w, %%b) {pads=[%d,%d,%d,%d], strides=[%d,%d]}\n"
                          "%%y = relu (%%c)\nreturn %%y\n}\n",
                          size, size, channels, filters, channels, window, window, filters, pad,
                          pad, pad, pad, stride, stride);
}

/* `schedule`: words of the contraction's line. */
static void expect_conv(const char *graph, const char *cpu, const char *schedule)
{
    compiled_must_open(&c, graph, cpu);
    if (!strstr(compiled_schedules(&c), schedule))
        fail_msg("no '%s' in\n%s", schedule, compiled_schedules(&c));
    expect_same_as_evaluator();
}

static void many_channels_are_lanes(void **state)
{
    (void)state;
    expect_conv(conv(16, 7, 320, 1, 1), "ve", "1x160 dot pairs");
}

static void few_channels_are_rows(void **state)
{
    (void)state;
    expect_conv(conv(16, 20, 24, 1, 1), "ve", "1x200 dot pairs");
}

/* 12 rows of 14 with the padding, of which the last has none: 11 * 14 + 12 = 166 numbers. */
static void pixels_of_windows_get_numbers(void **state)
{
    (void)state;
    expect_conv(conv(16, 12, 24, 3, 1), "ve", "1x166 dot pairs");
}

static void windows_are_unfolded(void **state)
{
    (void)state;
    expect_conv(conv(3, 24, 24, 7, 2), "ve", "1x144 dot pairs");
}

static void odd_channels_have_no_pairs(void **state)
{
    (void)state;
    compiled_must_open(&c, conv(15, 6, 160, 1, 1), "ve");
    assert_non_null(strstr(compiled_schedules(&c), "1x160 pack"));
    expect_same_as_evaluator();
}

static void cores_take_turns(void **state)
{
    (void)state;
    expect_conv(conv(16, 14, 320, 3, 1), "ve,3", "dot pairs");
}

/* ---- time ---- */

/* What the simulator wrote, in percent of the packed peak: the best function. */
static double peak_of(const char *file)
{
    char line[512];
    double peak = -1;
    FILE *f = fopen(file, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        const char *last = strrchr(line, ' ');
        double of = line[0] == 'k' && last ? strtod(last, NULL) : -1;
        peak = of > peak ? of : peak;
    }
    fclose(f);
    return peak;
}

/* What the model says today is a few points more. */
static void expect_peak(const char *graph, double least)
{
    const char *file = support_printf("%s/figures", support_tmp());
    remove(file); /* the simulator adds to it */
    setenv("SHEAF_SIM_VE_STATS", file, 1);
    compiled_must_open(&c, graph, "ve");
    expect_same_as_evaluator();
    compiled_close(&c);
    memset(&c, 0, sizeof c);
    unsetenv("SHEAF_SIM_VE_STATS");
    double peak = peak_of(file);
    if (peak < least)
        fail_msg("%.1f%% of the peak instead of %.0f%% at least", peak, least);
}

static void channels_in_lanes_are_fast(void **state)
{
    (void)state;
    expect_peak(conv(256, 14, 256, 1, 1), 84);
}

static void pixels_in_lanes_are_fast(void **state)
{
    (void)state;
    expect_peak(conv(256, 28, 64, 1, 1), 65);
}

static void windows_are_fast(void **state)
{
    (void)state;
    expect_peak(conv(64, 28, 64, 3, 1), 67);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(many_channels_are_lanes),
        TEST(few_channels_are_rows),
        TEST(pixels_of_windows_get_numbers),
        TEST(windows_are_unfolded),
        TEST(odd_channels_have_no_pairs),
        TEST(cores_take_turns),
        TEST(channels_in_lanes_are_fast),
        TEST(pixels_in_lanes_are_fast),
        TEST(windows_are_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
