/*
 * Models that are quantized already, through the tool, in both modes: -qdq=strict gives what the
 * reference recorded, -qdq=fused lies a few steps of the output's scale apart.
 *
 * In check-full the same for small random networks that ONNX Runtime's own tool quantized
 * (random_qdq.py), in all formats.
 */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/tensor.h"
#include "tests/conformance/recorded.h"
#include "tests/support/support.h"

/* Largest difference from the recorded output, in steps. */
static double steps_off(const char *dir, const char *input, const char *output, const char *mode,
                        double step)
{
    struct arena a;
    arena_init(&a);
    const struct tensor *want =
        recorded_read(&a, support_printf("%s/test_data_set_0/output_0.pb", dir));
    const char *file = support_printf("%s/quantized.bin", support_tmp());
    char *text;
    int status =
        support_run(support_printf("%s -m %s/model.onnx -input '%s=%s/test_data_set_0/input_0.pb' "
                                   "-output '%s=%s' -qdq=%s",
                                   support_loader(), dir, input, dir, output, file, mode),
                    &text);
    if (status)
        fail_msg("%s: %s", dir, text);
    free(text);
    size_t size;
    float *got = (float *)(void *)support_read_file(file, &size);
    assert_non_null(got);
    assert_int_equal(size, tensor_bytes(want));
    double worst = 0;
    for (int64_t i = 0; i < tensor_elems(want); i++) {
        double d = fabs((double)got[i] - tensor_get(want, i)) / step;
        worst = d <= worst ? worst : d; /* a NaN stays */
    }
    free(got);
    arena_done(&a);
    return worst;
}

/* ---- a trained network ---- */

/* The scale of its output is 1/255, written with seven digits. */
static const double KWS_STEP = 0.003921569;
#define KWS_INPUT  "serving_default_input:0"
#define KWS_OUTPUT "StatefulPartitionedCall:0"

static void test_kws(void **state)
{
    (void)state;
    const char *dir = support_data("nets/kws_qdq");
    SUPPORT_NEED(dir, "nets/kws_qdq");
    double strict = steps_off(dir, KWS_INPUT, KWS_OUTPUT, "strict", KWS_STEP);
    double fused = steps_off(dir, KWS_INPUT, KWS_OUTPUT, "fused", KWS_STEP);
    print_message("kws_qdq: strict %.3g steps, fused %.3g\n", strict, fused);
    assert_true(strict < 1e-3);
    assert_true(fused < 1.5);
}

/* Compiled code agrees with the evaluator in both modes. */
static void test_verify(void **state)
{
    (void)state;
    static const char *const modes[] = {"strict", "fused"};
    const char *dir = support_data("nets/kws_qdq");
    SUPPORT_NEED(dir, "nets/kws_qdq");
    for (int i = 0; i < 2; i++) {
        char *text;
        int status = support_run(
            support_printf("%s -m %s/model.onnx -verify -qdq=%s", support_loader(), dir, modes[i]),
            &text);
        if (status)
            fail_msg("%s", text);
        free(text);
    }
}

/* The last line states the largest difference of all tensors. */
static void test_compare(void **state)
{
    (void)state;
    const char *dir = support_data("nets/kws_qdq");
    SUPPORT_NEED(dir, "nets/kws_qdq");
    char *text;
    assert_int_equal(
        support_run(support_printf("%s -m %s/model.onnx -compare-qdq "
                                   "-input '" KWS_INPUT "=%s/test_data_set_0/input_0.pb'",
                                   support_loader(), dir, dir),
                    &text),
        0);
    const char *last = strstr(text, "Largest difference");
    long tensors = 0, own = -1, sum = -1, out = -1;
    assert_non_null(last);
    print_message("%s", last);
    assert_int_equal(sscanf(last,
                            "Largest difference in %ld tensors of 1 run: %ld of one kernel, %ld "
                            "accumulated, %ld in the last",
                            &tensors, &own, &sum, &out),
                     4);
    assert_int_equal(tensors, 16);
    assert_int_equal(own, 1);
    assert_true(sum >= own && sum <= 4 && out <= 1);
    assert_non_null(strstr(text, "Relu__5:0_QuantizeLinear_Output"));
    free(text);
}

/* ---- random networks ---- */

struct limits {
    const char *format;
    double strict, fused;
};

/*
 * Strict is exact where sums are: 16-bit networks show the order of float sums, and the QLinear
 * operators that are not ONNX's are scaled by ONNX Runtime in its own way, which fused comes
 * closer to.  The networks are untrained; a step early on may become several.
 */
static const struct limits LIMITS[] = {
    {"qdq_16_", 2.1, 8.1},
    {"qdq_u8_", 1e-3, 8.1},
    {"qdq_", 1e-3, 8.1},
    {"qoperator_", 4.1, 1e-3},
};

static const struct limits *limits_of(const char *name)
{
    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++)
        if (!strncmp(name, LIMITS[i].format, strlen(LIMITS[i].format)))
            return &LIMITS[i];
    fail_msg("no format of '%s'", name);
    return NULL;
}

static void test_random_folder(const char *top)
{
    DIR *d = opendir(top);
    int n = 0, n_apart = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        const char *dir = support_printf("%s/%s", top, e->d_name);
        char *step = support_read_file(support_printf("%s/step", dir), NULL);
        assert_non_null(step);
        const struct limits *most = limits_of(e->d_name);
        double strict = steps_off(dir, "x", "y", "strict", atof(step));
        double fused = steps_off(dir, "x", "y", "fused", atof(step));
        if (!(strict <= most->strict && fused <= most->fused))
            fail_msg("%s: strict is %g steps off, fused %g", dir, strict, fused);
        n++;
        n_apart += fused > 0.5;
        free(step);
    }
    closedir(d);
    print_message("%d networks, fused differs in %d\n", n, n_apart);
    assert_true(n > 0 && n_apart < n / 2);
}

static void test_random(void **state)
{
    (void)state;
    const char *folder = support_printf("%s/random_qdq", support_tmp());
    char *python, *output;
    int status = support_run(
        support_printf("'%s/tests/tools/venv' '%s'", support_source(), support_build()), &python);
    SUPPORT_NEED(status ? NULL : python, "onnxruntime");
    python[strcspn(python, "\n")] = 0;
    status = support_run(support_printf("'%s' '%s/tests/conformance/random_qdq.py' '%s' 12", python,
                                        support_source(), folder),
                         &output);
    free(python);
    if (status)
        fail_msg("%s", output);
    free(output);
    test_random_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kws),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_compare),
    };
    const struct CMUnitTest full[] = {
        cmocka_unit_test(test_random),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (support_full())
        failed += cmocka_run_group_tests(full, NULL, NULL);
    return failed;
}
