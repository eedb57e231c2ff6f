/*
 * test_install.c: what `meson install` puts in place is enough to compile against.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/support.h"

static void test_installed(void **state)
{
    (void)state;
    char *text;
    const char *tree = support_printf("%s/tree", support_tmp());
    if (support_run(
            support_printf("DESTDIR=%s meson install -C %s --no-rebuild", tree, support_build()),
            &text) != 0)
        fail_msg("%s", text);
    free(text);

    static const char program[] = "#include \"bundle/bundle.h\"\n"
                                  "#include \"cpu_runtime/cpu_runtime.h\"\n"
                                  "int main(void) { return SHEAF_OK; }\n";
    const char *source = support_printf("%s/main.c", support_tmp());
    support_write_file(source, program, sizeof program - 1);
    const char *command = support_printf(
        "cd %s/usr/local && %s -std=c99 -Wall -Wextra -Wpedantic -Werror -Iinclude %s "
        "$(find . -name libcpu_runtime.a) -o main && ./main && "
        "bin/loader -version",
        tree, support_cc(), source);
    if (support_run(command, &text) != 0)
        fail_msg("%s", text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_installed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
