/*
 * The script for a machine with a GPU, tests/bench/gpu, from one end to the other: it packs a small
 * network in two types here and runs the pack, in the simulator.  The page that it writes tells no
 * time.
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
    int status = script("pack", "--cc 80 example-fp32 example-fp16", &text);
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

static void assert_result_has(const char *name, const char *line)
{
    size_t size;
    char *text =
        support_read_file(support_printf("%s/pack/results/%s", support_tmp(), name), &size);
    assert_non_null(text);
    if (!strstr(text, line))
        fail_msg("no '%s' in\n%s", line, text);
    free(text);
}

static void assert_page_has(const char *line)
{
    assert_result_has("performance.md", line);
}

static void run_shell(const char *command)
{
    assert_int_equal(support_run(support_printf("cd %s/pack && %s", support_tmp(), command), NULL),
                     0);
}

static void a_pack_runs_in_the_simulator(void **state)
{
    (void)state;
    char *text = run_pack("--also 'echo first; echo further'", 0);
    assert_non_null(strstr(text, "performance.md: 0 failed"));
    assert_null(strstr(text, "FAILED"));
    free(text);
    assert_page_has("| example-fp32 | fp32 | recorded | ");
    assert_page_has(" | agrees |");
    assert_page_has("a node of a graph, an empty kernel after another | simulated: no time |");
    assert_page_has("| example-fp32 | PTX 80 | ");
    assert_page_has("| example-fp32 | Sheaf | simulated: no time |");
    assert_page_has("| `echo first; echo further` | 0 | further | also_1.txt |");
    assert_result_has("also_1.txt", "first\n");
    assert_result_has("figures.json", "\"network\": \"example-fp32\"");
}

static void a_network_that_differs_is_a_failure(void **state)
{
    (void)state;
    run_shell("cp pack.json kept && sed -i 's/\"bound\": 2e-05/\"bound\": 1e-30/' pack.json");
    char *text = run_pack("check", 1);
    assert_page_has("| 1e-30 | FAILED |");
    assert_non_null(strstr(text, "performance.md: 1 failed"));
    free(text);
    run_shell("mv kept pack.json");
}

/* What one network does to the process or the device that it runs on, the others do not notice. */
static void a_network_that_cannot_run_leaves_the_others(void **state)
{
    (void)state;
    run_shell("object=blobs/$(grep -o '\"object\": \"[^\"]*' pack.json | sed 's/.*\"//;q').xz && "
              "mv $object kept && echo nonsense >$object && echo $object >name");
    char *text = run_pack("check time", 1);
    assert_page_has("| example-fp16 | Sheaf | simulated: no time |");
    assert_page_has("| example-fp32 | fp32 | recorded |  | 2e-05 | FAILED: ");
    assert_non_null(strstr(text, "performance.md: 1 failed"));
    free(text);
    run_shell("mv kept $(cat name)");
}

static void a_job_that_takes_too_long_is_ended(void **state)
{
    (void)state;
    char *text = run_pack("--limit 0.01 check example-fp16", 1);
    assert_page_has("| FAILED: it takes more than 0.01 s |");
    free(text);
}

static void a_run_without_time_says_so(void **state)
{
    (void)state;
    char *text = run_pack("--minutes 0", 1);
    assert_non_null(strstr(text, "error: no time was left"));
    free(text);
}

static void cases_that_were_packed_are_run(void **state)
{
    (void)state;
    int status = support_run(
        support_printf(
            "build=$(realpath %s) && cd %s/pack && mkdir cases && "
            "cp include/xxhash.h cases && "
            "SHEAF_TEST= SHEAF_BUILD=$build SHEAF_CASES=cases $build/tests/sim.test_ptx && "
            "python3 -m tarfile -c cases.tar.xz cases && rm -r cases",
            support_build(), support_tmp()),
        NULL);
    assert_int_equal(status, 0);
    free(run_pack("cases", 0));
    assert_page_has("| `tests/device/run` | 0 | ");
    assert_result_has("device.results", "passed ");
}

static void names_that_are_in_no_pack_are_told(void **state)
{
    (void)state;
    char *text = run_pack("check resnet51", 1);
    assert_non_null(strstr(text, "error: no network of the pack is called resnet51"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pack_runs_in_the_simulator),
        cmocka_unit_test(a_network_that_differs_is_a_failure),
        cmocka_unit_test(a_network_that_cannot_run_leaves_the_others),
        cmocka_unit_test(a_job_that_takes_too_long_is_ended),
        cmocka_unit_test(a_run_without_time_says_so),
        cmocka_unit_test(cases_that_were_packed_are_run),
        cmocka_unit_test(names_that_are_in_no_pack_are_told),
    };
    return cmocka_run_group_tests(tests, pack, NULL);
}
