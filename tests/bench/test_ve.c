/*
 * The table of a network's time on the Vector Engine, bench.ve_layers, which tests/bench/ve runs: a
 * row for each layer, on each number of cores, and the same results on all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "tests/support/support.h"

static char *run_layers(const char *arguments, int want_status)
{
    char *text;
    int status =
        support_run(support_printf("SHEAF_BUILD='%s' SHEAF_TMP='%s' %s/tests/bench.ve_layers %s",
                                   support_build(), support_tmp(), support_build(), arguments),
                    &text);
    if (status != want_status)
        fail_msg("exit status %d\n%s", status, text);
    return text;
}

/* Behind the first line that begins so. */
static const char *cells_of(const char *text, const char *start)
{
    const char *at = strstr(text, support_printf("\n| %s", start));
    if (!at)
        fail_msg("no '%s' in\n%s", start, text);
    return at + strlen(start) + 3;
}

static void a_table_of_a_network(void **state)
{
    (void)state;
    const char *model = support_data("nets/kws_fp32/model.onnx");
    SUPPORT_NEED(model, "nets/kws_fp32");
    char *text = run_layers(support_printf("'%s' 1 2", model), 0);
    int nodes, products;
    double work, cycles[2], peak[2], vectors[2], run[2], slow[2], fast[2];
    assert_int_equal(sscanf(cells_of(text, "all layers"),
                            " | %d | %lf | %lf | %lf%% | %lf%% | %lf | %lf%% | %lf%% |", &nodes,
                            &work, &cycles[0], &peak[0], &vectors[0], &cycles[1], &peak[1],
                            &vectors[1]),
                     8);
    assert_int_equal(sscanf(cells_of(text, "convolutions and products"), "%*[^|]| %d |", &products),
                     1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sscanf(cells_of(text, i ? "2 |" : "1 |"), "%lf | %lf ms | %lf ms", &run[i],
                                &slow[i], &fast[i]),
                         3);
    assert_true(nodes == 11 && products == 6);
    /* Three convolutions and three products, with the numbers that the model has. */
    assert_true(fabs(work - 5.71) < 0.01);
    for (int i = 0; i < 2; i++) {
        double reached = 100 * work * 1e6 / (192 * (i + 1) * cycles[i]);
        assert_true(fabs(peak[i] - reached) < 0.1 && vectors[i] > 0 && vectors[i] < 100);
        assert_true(run[i] >= cycles[i] && run[i] < 1.1 * cycles[i]);
        assert_true(fabs(slow[i] - run[i] / 1.4e6) < 0.001 &&
                    fabs(fast[i] - run[i] / 1.6e6) < 0.001);
    }
    assert_true(run[1] < 0.8 * run[0]);
    assert_non_null(strstr(text, "Estimated by the simulator's model, not measured."));
    free(text);
}

static void mistakes_are_sentences(void **state)
{
    (void)state;
    char *text = run_layers("/nonexistent.onnx", 1);
    assert_int_equal(strncmp(text, "error: ", 7), 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_of_a_network),
        cmocka_unit_test(mistakes_are_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
