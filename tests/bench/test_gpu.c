/*
 * The script for a machine with a GPU, tests/bench/gpu, from one end to the other: it packs a small
 * network here and runs the pack, in the simulator.  The page that it writes tells no time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/support.h"

/* Its exit status and output, run with the arguments behind a folder of the test's own. */
static int script(const char *command, const char *arguments, char **out_text)
{
    return support_run(
        support_printf("LOADER=$(realpath %s) SHEAF_MODELS=none CC='%s' LD_LIBRARY_PATH=$(realpath "
                       "%s/tests) %s/tests/bench/gpu %s %s/pack %s",
                       support_loader(), support_cc(), support_build(), support_source(), command,
                       support_tmp(), arguments),
        out_text);
}

static int pack(void **state)
{
    (void)state;
    char *text;
    int status = script("pack", "--cc 80 example-fp32", &text);
    if (status != 0)
        print_error("exit status %d\n%s", status, text);
    free(text);
    return status;
}

static char *run_pack(const char *arguments, int want_status)
{
    char *text;
    int status = script("run", arguments, &text);
    if (status != want_status)
        fail_msg("exit status %d\n%s", status, text);
    return text;
}

static void assert_page_has(const char *line)
{
    size_t size;
    char *page =
        support_read_file(support_printf("%s/pack/results/performance.md", support_tmp()), &size);
    assert_non_null(page);
    if (!strstr(page, line))
        fail_msg("no '%s' in\n%s", line, page);
    assert_null(strstr(page, "FAILED"));
    free(page);
}

static void a_pack_runs_in_the_simulator(void **state)
{
    (void)state;
    char *text = run_pack("--also 'echo further; exit 0'", 0);
    assert_non_null(strstr(text, "performance.md: 0 failed"));
    free(text);
    assert_page_has("| example-fp32 | fp32 | recorded | ");
    assert_page_has(" | agrees |");
    assert_page_has("a node of a graph, an empty kernel after another | simulated: no time |");
    assert_page_has("| example-fp32 | PTX 80 | ");
    assert_page_has("| example-fp32 | Sheaf | simulated: no time |");
    assert_page_has("| `echo further; exit 0` | 0 | further |");
}

static void a_network_that_differs_is_a_failure(void **state)
{
    (void)state;
    assert_int_equal(
        support_run(
            support_printf("sed -i 's/\"bound\": 2e-05/\"bound\": 1e-30/' %s/pack/pack.json",
                           support_tmp()),
            NULL),
        0);
    char *text = run_pack("check", 1);
    assert_non_null(strstr(text, "FAILED"));
    assert_non_null(strstr(text, "performance.md: 1 failed"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pack_runs_in_the_simulator),
        cmocka_unit_test(a_network_that_differs_is_a_failure),
    };
    return cmocka_run_group_tests(tests, pack, NULL);
}
