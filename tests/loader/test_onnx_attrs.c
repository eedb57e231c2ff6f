/* The table of attributes against the schemas of the onnx package, in a full run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/support.h"

static void table_is_as_the_schemas(void **state)
{
    (void)state;
    char *python, *output;
    if (!support_full()) {
        print_message("skipped outside of a full run\n");
        skip();
    }
    int status = support_run(
        support_printf("'%s/tests/tools/venv' '%s'", support_source(), support_build()), &python);
    SUPPORT_NEED(status ? NULL : python, "the onnx package");
    python[strcspn(python, "\n")] = 0;
    status = support_run(support_printf("'%s' '%s/tests/conformance/attributes.py' "
                                        "'%s/loader/import/onnx/attrs.def'",
                                        python, support_source(), support_source()),
                         &output);
    if (status)
        print_error("%s\n", output);
    free(output);
    free(python);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table_is_as_the_schemas)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
