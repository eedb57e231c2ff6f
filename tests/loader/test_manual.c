/*
 * Runs every example of docs/manual.md: the blocks marked `sh`, one after the other, beside a copy
 * of the example's network and images.  A block marked `text` is what the one before it prints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/support.h"

/* Moves *text behind the next block and returns its content, malloc'ed, with its mark ("sh"). */
static char *next_block(const char **text, char mark[16])
{
    const char *start = strstr(*text, "\n```");
    const char *body = start ? strchr(start + 1, '\n') : NULL;
    const char *end = body ? strstr(body, "\n```") : NULL;
    if (!end)
        return NULL;
    snprintf(mark, 16, "%.*s", (int)(body - start - 4), start + 4);
    size_t n = (size_t)(end - body); /* with the newline at its end, not that before it */
    char *block = calloc(n + 1, 1);
    memcpy(block, body + 1, n);
    *text = end + 4;
    return block;
}

static void test_examples(void **state)
{
    (void)state;
    if (support_quick())
        skip();
    const char *source = support_source(), *tmp = support_tmp();
    char *manual = support_read_file(support_printf("%s/docs/manual.md", source), NULL);
    assert_non_null(manual);
    assert_int_equal(support_run(support_printf("cp -R '%s/examples/compile_resnet50/resnet50' "
                                                "'%s/examples/compile_resnet50/images' '%s'",
                                                source, source, tmp),
                                 NULL),
                     0);
    const char *at = manual;
    char mark[16];
    char *printed = NULL;
    int n_run = 0, n_compared = 0;
    for (char *block; (block = next_block(&at, mark)); free(block)) {
        if (strcmp(mark, "sh") == 0) {
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
    assert_true(n_run >= 8 && n_compared >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
