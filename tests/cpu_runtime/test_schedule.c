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
    compiled_must_open(&net, text, cpu);
    bool found = strstr(compiled_schedules(&net), line) != NULL;
    if (!found)
        print_error("'%s' is not in:\n%s", line, compiled_schedules(&net));
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

/* The image is quantized as it lies, its rows give the groups of four; further on whoever makes an
   activation puts its channels side by side. */
static const char QUANTIZED[] = "graph \"t\" {\n"
                                "input %x f32 [1,3,19,19]\n"
                                "input %r f32 [1,20,9,9]\n"
                                "const %s f32 [] = {0.5}\n"
                                "const %z u8 [] = {3}\n"
                                "const %w i8 [20,3,7,7] = fill 3\n"
                                "const %v i8 [64,20,1,1] = fill 3\n"
                                "%a = quantize_linear (%x, %s, %z)\n"
                                "%b = conv_integer (%a, %w) {pads=[3,3,3,3], pad_value=3}\n"
                                "%c = quantize_linear (%r, %s, %z)\n"
                                "%d = conv_integer (%c, %v)\n"
                                "return %b, %d\n"
                                "}\n";

static void bytes_are_summed_in_groups(void **state)
{
    (void)state;
    assert_schedule(QUANTIZED, "x86-64-v4", "k0 (a):\nmap %0: for d0 d1 d2 d3 vector 16");
    assert_schedule(QUANTIZED, "cascadelake", "dot 4 of d6 pack \"abcd32a4d\"");
    assert_schedule(QUANTIZED, "cascadelake",
                    "k2 (c):\nmap %0: for d0 d1/32 d2 d3 d1%32 vector 16");
    assert_schedule(QUANTIZED, "cascadelake", "k d4/32 dot 4 of d4 pack \"abcd8b32a4b\"");
    assert_schedule(QUANTIZED, "x86-64-v3", "k d4/32 dot 2 of d4 pack");
}

/* Dequantized weights are no buffer of their own: the contraction reads the stored ones. */
static void quantized_weights_are_read_as_they_are(void **state)
{
    (void)state;
    struct compiled net;
    compiled_must_open(&net,
                       "graph \"t\" {\n"
                       "input %x f32 [3,64]\n"
                       "const %w i4 [64,20] = fill 3\n"
                       "const %s f32 [2,20] = fill 0.5\n"
                       "%f = dequantize_linear (%w, %s) {axis=0, block_size=32}\n"
                       "%m = matmul (%x, %f)\n"
                       "%y = relu (%m)\n"
                       "return %y\n"
                       "}\n",
                       "x86-64-v3");
    assert_int_equal(net.program->body.n, 1);
    assert_int_equal(net.program->area_bytes[AREA_ACTIVATION], 0);
    compiled_close(&net);
}

/* Padding unrolls K for each pattern of a tile: not where windows are long. */
static void long_windows_do_not_blow_up_the_code(void **state)
{
    (void)state;
    struct compiled net;
    compiled_must_open(&net,
                       "graph \"t\" {\n"
                       "input %x f32 [1,1,500]\n"
                       "const %w f32 [64,1,256] = fill 0.5\n"
                       "%y = conv (%x, %w) {pads=[128,128]}\n"
                       "return %y\n"
                       "}\n",
                       "x86-64-v4");
    assert_true(net.code.object.size < 64 * 1024);
    compiled_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depthwise_runs_in_lanes_of_channels),
        cmocka_unit_test(pointwise_is_tiled_over_joined_rows),
        cmocka_unit_test(bytes_are_summed_in_groups),
        cmocka_unit_test(quantized_weights_are_read_as_they_are),
        cmocka_unit_test(long_windows_do_not_blow_up_the_code),
        cmocka_unit_test(max_pool_of_blocked_runs_in_lanes_of_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
