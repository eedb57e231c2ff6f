/*
 * -g: the lines of the object are those of NAME.kernels, and the code is what it is without.
 */
#define _XOPEN_SOURCE 700
#include "tests/loader/bundle_run.h"

static int setup(void **state)
{
    (void)state;
    write_net("net.onnx", "2", 2);
    compile("-m net.onnx -emit-bundle plain");
    compile("-m net.onnx -g -emit-bundle debug");
    return 0;
}

/* Line `number` of the text, counted from 1, without its end. */
static const char *line_of(const char *text, long number)
{
    for (long i = 1; text && i < number; i++) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    return text ? support_printf("%.*s", (int)strcspn(text, "\n"), text) : "";
}

static void code_is_the_same(void **state)
{
    (void)state;
    static const char *const dirs[] = {"plain", "debug"};
    char *code[2];
    for (int i = 0; i < 2; i++)
        run_or_fail(support_printf("cd '%s' && objdump -d --no-show-raw-insn %s/net.o | sed 1,3d",
                                   support_tmp(), dirs[i]),
                    &code[i]);
    support_assert_same_text("code", code[1], code[0]);
    free(code[0]);
    free(code[1]);
    assert_null(support_read_file(path_of("plain/net.kernels"), NULL));
}

/* No line that the object names is empty, a closing brace or a buffer; both matrix products' are
   among them. */
static void lines_are_of_the_listing(void **state)
{
    (void)state;
    char *listing = support_read_file(path_of("debug/net.kernels"), NULL), *lines;
    assert_non_null(listing);
    run_or_fail(support_printf("cd '%s' && objdump --dwarf=decodedline debug/net.o | "
                               "awk '$1 == \"net.kernels\" && $2 > 0 { print $2 }' | sort -nu",
                               support_tmp()),
                &lines);
    int n = 0, n_contract = 0;
    for (const char *p = lines; *p; p = strchr(p, '\n') + 1, n++) {
        const char *line = line_of(listing, strtol(p, NULL, 10));
        const char *word = line + strspn(line, " ");
        n_contract += strncmp(word, "contract ", 9) == 0;
        if (!*word || *word == '}' || strncmp(word, "in @", 4) == 0 ||
            strncmp(word, "out @", 5) == 0)
            fail_msg("a line of code is '%s'", line);
    }
    assert_true(n > 5);
    assert_int_equal(n_contract, 2);
    free(listing);
    free(lines);
}

/* A debugger's names of functions are the model's nodes. */
static void functions_are_named_as_nodes(void **state)
{
    (void)state;
    char *names;
    run_or_fail(support_printf("cd '%s' && objdump --dwarf=info debug/net.o | grep DW_AT_name",
                               support_tmp()),
                &names);
    assert_non_null(strstr(names, ": h+r\n"));
    assert_non_null(strstr(names, ": net\n"));
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_is_the_same),
        cmocka_unit_test(lines_are_of_the_listing),
        cmocka_unit_test(functions_are_named_as_nodes),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
