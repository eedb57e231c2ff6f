/*
 * Runs every example of docs/manual.md, docs/profiles.md, docs/quantization.md, docs/deploy.md and
 * docs/firmware.md: the blocks marked `sh`, one after the other, beside a copy of the example's
 * network and images. A block marked `text` is what the one before it prints; one marked `sh` and a
 * word needs this program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/support.h"

/* Moves *text behind the next block and returns its content, malloc'ed, with its mark ("sh"). */
static char *next_block(const char **text, char mark[32])
{
    const char *start = strstr(*text, "\n```");
    const char *body = start ? strchr(start + 1, '\n') : NULL;
    const char *end = body ? strstr(body, "\n```") : NULL;
    if (!end)
        return NULL;
    snprintf(mark, 32, "%.*s", (int)(body - start - 4), start + 4);
    size_t n = (size_t)(end - body); /* with the newline at its end, not that before it */
    char *block = calloc(n + 1, 1);
    memcpy(block, body + 1, n);
    *text = end + 4;
    return block;
}

/* Whether the program that a mark names beside `sh` is there. */
static bool can_run(const char *mark)
{
    const char *program = mark + strlen("sh");
    if (!*program || support_run(support_printf("command -v%s", program), NULL) == 0)
        return true;
    print_message("left out for want of%s\n", program);
    return false;
}

static void run_page(const char *page, int least_run, int least_compared)
{
    const char *source = support_source(), *tmp = support_tmp();
    char *manual = support_read_file(support_printf("%s/docs/%s", source, page), NULL);
    assert_non_null(manual);
    assert_int_equal(support_run(support_printf("cp -R '%s/examples/compile_resnet50/resnet50' "
                                                "'%s/examples/compile_resnet50/images' '%s'",
                                                source, source, tmp),
                                 NULL),
                     0);
    const char *at = manual;
    char mark[32];
    char *printed = NULL;
    int n_run = 0, n_compared = 0, n_left_out = 0;
    for (char *block; (block = next_block(&at, mark)); free(block)) {
        if (strncmp(mark, "sh", 2) == 0 && !can_run(mark)) {
            n_left_out++;
        } else if (strncmp(mark, "sh", 2) == 0) {
            const char *script = support_printf("%s/example.sh", tmp);
            support_write_file(script, block, strlen(block));
            free(printed);
            int status = support_run(
                support_printf("PATH=\"$(dirname \"$(realpath '%s')\"):$PATH\"; cd '%s' && "
                               "sh -eu example.sh",
                               support_loader(), tmp),
                &printed);
            if (status != 0)
                fail_msg("exit code %d of\n%s%s", status, block, printed);
            n_run++;
        } else if (strcmp(mark, "text") == 0) {
            assert_non_null(printed);
            assert_string_equal(printed, block);
            n_compared++;
        }
    }
    free(printed);
    free(manual);
    assert_true(n_run >= least_run && n_compared >= least_compared);
    if (n_left_out)
        skip();
}

static void test_manual(void **state)
{
    (void)state;
    if (support_quick())
        skip();
    run_page("manual.md", 8, 1);
}

static void test_profiles(void **state)
{
    (void)state;
    if (support_quick())
        skip();
    run_page("profiles.md", 8, 1);
}

static void test_quantization(void **state)
{
    (void)state;
    if (support_quick())
        skip();
    run_page("quantization.md", 9, 2);
}

static void test_deploy(void **state)
{
    (void)state;
    if (support_quick())
        skip();
    run_page("deploy.md", 4, 2);
}

static void test_firmware(void **state)
{
    (void)state;
    if (support_quick())
        skip();
    run_page("firmware.md", 5, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_manual), cmocka_unit_test(test_deploy),
                                       cmocka_unit_test(test_firmware),
                                       cmocka_unit_test(test_profiles),
                                       cmocka_unit_test(test_quantization)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
