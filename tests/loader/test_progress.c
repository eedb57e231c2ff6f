/*
 * The line that says how far work has come, and that it is for terminals only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "loader/progress.h"

static void expect(size_t done, size_t total, double seconds, const char *want)
{
    char text[80];
    int n = progress_print(text, sizeof text, done, total, seconds);
    assert_string_equal(text, want);
    assert_int_equal(n, strlen(want));
}

static void test_text(void **state)
{
    (void)state;
    expect(0, 64, 0, "[..............................] 0 of 64, 0.0/s, 0:00:00 left");
    expect(16, 64, 2, "[#######.......................] 16 of 64, 8.0/s, 0:00:06 left");
    expect(64, 64, 8, "[##############################] 64 of 64, 8.0/s, 0:00:00 left");
    expect(1, 20000, 0.5, "[..............................] 1 of 20000, 2.0/s, 2:46:40 left");
    expect(0, 0, 0, "[##############################] 0 of 0, 0.0/s, 0:00:00 left");
}

static void test_no_terminal(void **state)
{
    (void)state;
    FILE *out = tmpfile();
    struct progress p;
    progress_start(&p, out, 10);
    progress_show(&p, 5);
    progress_end(&p);
    assert_int_equal(ftell(out), 0);
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_no_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
