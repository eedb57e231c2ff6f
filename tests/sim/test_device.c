/*
 * The simulator beside a device: cases that the other tests of this folder, and vectors of
 * operators, write for tests/device are run through the driver's interface.  In the simulator they
 * give what they gave; on a device, where this machine has one, they must give the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/device/cases.h"
#include "tests/support/support.h"

enum { ALL_PASSED, SOME_FAILED, NO_DEVICE };

static const char *folder(void)
{
    return support_printf("%s/cases", support_tmp());
}

static void write_cases(const char *program, const char *tests)
{
    char *text;
    int status = support_run(support_printf("SHEAF_CASES='%s' SHEAF_TEST='%s' %s/tests/%s",
                                            folder(), tests, support_build(), program),
                             &text);
    if (status)
        fail_msg("%s: %s", program, text);
    free(text);
}

static int write_all(void **state)
{
    (void)state;
    if (support_run(support_printf("mkdir -p '%s'", folder()), NULL))
        return 1;
    write_cases("sim.test_ptx", "*");
    write_cases("sim.test_ptx_flow", "*");
    write_cases("sim.test_ptx_warp", "*");
    if (support_data("onnx/node")) {
        write_cases("conformance.test_node_vectors", "test_nonzero*");
        write_cases("conformance.test_node_vectors", "test_if *");
    }
    return 0;
}

/* Runs the files in the simulator or on the device; returns what run_cases does. */
static int run_cases(bool simulated, const char *files, char **out)
{
    const char *path = simulated ? support_printf("LD_LIBRARY_PATH=%s/tests", support_build()) : "";
    return support_run(support_printf("%s %s/tests/device.run_cases '%s' %s", path, support_build(),
                                      folder(), files),
                       out);
}

static void the_simulator_repeats_itself(void **state)
{
    (void)state;
    char *text;
    int status = run_cases(true, support_printf("'%s'/*.cases", folder()), &text);
    if (status != ALL_PASSED)
        print_message("%s\n", text);
    assert_int_equal(status, ALL_PASSED);
    assert_non_null(strstr(text, "passed 1 "));
    if (support_data("onnx/node"))
        assert_non_null(strstr(text, "passed test_nonzero_example"));
    free(text);
}

/* As a machine has it that neither built nor can build the rest. */
static void a_c_compiler_is_enough(void **state)
{
    (void)state;
    char *text;
    SUPPORT_NEED(support_quick() ? NULL : "", "a simulator without sanitizers");
    int status =
        support_run(support_printf("LD_LIBRARY_PATH=%s/tests CC=%s '%s/tests/device/run' "
                                   "'%s'",
                                   support_build(), support_cc(), support_source(), folder()),
                    &text);
    if (status != ALL_PASSED)
        print_message("%s\n", text);
    assert_int_equal(status, ALL_PASSED);
    free(text);
}

static void differences_are_seen(void **state)
{
    (void)state;
    static const char text[] = ".version 7.0\n.target sm_80\n.address_size 64\n"
                               ".visible .entry k(.param .u64 in, .param .u64 out, .param .u32 n)\n"
                               "{ ret; }\n";
    static const uint8_t want[4] = {0, 0, 1, 0};
    const char *path = support_printf("%s/wrong", folder());
    FILE *file = fopen(path, "wb");
    case_write(file, text, sizeof text - 1, "kernel 1 1 0 0 0 4 0 7 nothing");
    case_write(file, want, sizeof want, "in");
    case_write(file, want, sizeof want, "out");
    fclose(file);
    char *out;
    assert_int_equal(run_cases(true, support_printf("'%s'", path), &out), SOME_FAILED);
    assert_non_null(strstr(out, "failed 7 nothing: word 0 is 0x0, in the simulator 0x10000"));
    assert_non_null(strstr(out, "0 passed, 1 failed"));
    free(out);
}

static void the_device_agrees(void **state)
{
    (void)state;
    char *text;
    int status = run_cases(false, support_printf("'%s'/*.cases", folder()), &text);
    if (status != ALL_PASSED && status != NO_DEVICE)
        print_message("%s\n", text);
    free(text);
    if (status == NO_DEVICE)
        SUPPORT_NEED(NULL, "an NVIDIA GPU");
    assert_int_equal(status, ALL_PASSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_simulator_repeats_itself),
        cmocka_unit_test(a_c_compiler_is_enough),
        cmocka_unit_test(differences_are_seen),
        cmocka_unit_test(the_device_agrees),
    };
    return cmocka_run_group_tests(tests, write_all, NULL);
}
