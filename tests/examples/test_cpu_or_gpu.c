/*
 * test_cpu_or_gpu.c: the example that moves from the processor to the GPU and the Vector Engine by
 * its link line; these are simulators.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/support.h"

/* What it prints, run with the program of that device. */
static char *run_example(const char *device, const char *environment, int want_status)
{
    char *text;
    int status = support_run(
        support_printf("%s make -s --no-print-directory -C %s/examples/cpu_or_gpu DEVICE=%s "
                       "BUILD=%s/%s LOADER=%s RUNTIME=$(realpath %s/%s_runtime/lib%s_runtime.a) "
                       "CC='%s' run",
                       environment, support_source(), device, support_tmp(), device,
                       support_loader(), support_build(), device, device, support_cc()),
        &text);
    if ((status != 0) != want_status)
        fail_msg("exit status %d\n%s", status, text);
    return text;
}

/* "PATH/NUMBER_CLASS.png: CLASS" */
static int count_right(const char *text)
{
    int n = 0;
    for (const char *at = text; *at; at = strchr(at, '\n') + 1) {
        const char *colon = strstr(at, ".png: "), *end = strchr(at, '\n');
        assert_non_null(colon);
        assert_non_null(end);
        const char *class = colon + strlen(".png: ");
        size_t length = (size_t)(end - class);
        assert_true(colon - length > at && colon[-(ptrdiff_t)length - 1] == '_');
        n += strncmp(colon - length, class, length) == 0;
    }
    return n;
}

static void the_same_program_runs_on_all(void **state)
{
    (void)state;
    const char *simulators =
        support_printf("LD_LIBRARY_PATH=$(realpath %s/tests)", support_build());
    char *cpu = run_example("cpu", "", 0);
    char *gpu = run_example("gpu", simulators, 0);
    char *ve = run_example("ve", simulators, 0);
    assert_int_equal(count_right(cpu), 16);
    assert_string_equal(gpu, cpu);
    assert_string_equal(ve, cpu);
    free(cpu);
    free(gpu);
    free(ve);
}

static void without_a_driver_it_says_so(void **state)
{
    (void)state;
    SUPPORT_NEED(support_run("ldconfig -p | grep -q libcuda[.]so[.]1", NULL) == 0 ? NULL : "none",
                 "a machine without NVIDIA's driver");
    char *text = run_example("gpu", "", 1);
    assert_non_null(strstr(text, "classify: there is no NVIDIA driver on this machine"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_program_runs_on_all),
        cmocka_unit_test(without_a_driver_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
