/*
 * Schedules that decide how fast a network runs: what must not fall back to scalars.  Whether the
 * code is right is test_emit's business.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/compiled.h"
#include "tests/support/support.h"

static void assert_schedule(const char *text, const char *cpu, const char *line)
{
    struct compiled net;
    struct error err;
    error_init(&err);
    bool ok = compiled_open(&net, text, cpu, &err);
    if (!ok)
        print_error("%s\n", err.text);
    assert_true(ok);
    struct strbuf out;
    strbuf_init(&out, &net.arena);
    emit_schedules_print(net.schedules, &out);
    bool found = strstr(strbuf_text(&out), line) != NULL;
    if (!found)
        print_error("'%s' is not in:\n%s", line, strbuf_text(&out));
    compiled_close(&net);
    assert_true(found);
}

static const char DEPTHWISE[] = "graph \"t\" {\n"
                                "input %x f32 [1,3,9,9]\n"
                                "const %w0 f32 [32,3,1,1] = fill 0.5\n"
                                "const %w1 f32 [32,1,3,3] = fill 0.125\n"
                                "const %w2 f32 [8,32,1,1] = fill 0.125\n"
                                "%a = conv (%x, %w0)\n"
                                "%b = conv (%a, %w1) {pads=[1,1,1,1], group=32}\n"
                                "%y = conv (%b, %w2)\n"
                                "return %y\n"
                                "}\n";

static void depthwise_runs_in_lanes_of_channels(void **state)
{
    (void)state;
    assert_schedule(DEPTHWISE, "x86-64-v4", "d1%16 vector 16");
    assert_schedule(DEPTHWISE, "x86-64-v3", "d1%8 vector 8");
    assert_schedule(DEPTHWISE, "x86-64", "d1%4 vector 4");
}

static void pointwise_is_tiled_over_joined_rows(void **state)
{
    (void)state;
    assert_schedule(DEPTHWISE, "x86-64-v4", "k d4/16 pack");
}

static void max_pool_of_blocked_runs_in_lanes_of_channels(void **state)
{
    (void)state;
    assert_schedule("graph \"t\" {\n"
                    "input %x f32 [1,3,9,9]\n"
                    "const %w f32 [32,3,1,1] = fill 0.5\n"
                    "const %v f32 [8,32,1,1] = fill 0.5\n"
                    "%a = conv (%x, %w)\n"
                    "%b = max_pool (%a) {kernel_shape=[3,3], pads=[1,1,1,1]}\n"
                    "%y = conv (%b, %v)\n"
                    "return %y\n"
                    "}\n",
                    "x86-64-v4", "d1%16 vector 16");
}

/* Padding unrolls K for each pattern of a tile: not where windows are long. */
static void long_windows_do_not_blow_up_the_code(void **state)
{
    (void)state;
    struct compiled net;
    struct error err;
    error_init(&err);
    assert_true(compiled_open(&net,
                              "graph \"t\" {\n"
                              "input %x f32 [1,1,500]\n"
                              "const %w f32 [64,1,256] = fill 0.5\n"
                              "%y = conv (%x, %w) {pads=[128,128]}\n"
                              "return %y\n"
                              "}\n",
                              "x86-64-v4", &err));
    assert_true(net.code.object.size < 64 * 1024);
    compiled_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depthwise_runs_in_lanes_of_channels),
        cmocka_unit_test(pointwise_is_tiled_over_joined_rows),
        cmocka_unit_test(long_windows_do_not_blow_up_the_code),
        cmocka_unit_test(max_pool_of_blocked_runs_in_lanes_of_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
