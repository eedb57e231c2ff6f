/*
 * docs/kernel-ir.md says what is so: each ```kernel block is what the printer writes, each ```graph
 * block lowers to the kernels of the block after it, and the table of instructions is
 * ir/kernel_ops.def.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/program.h"
#include "tests/support/support.h"

static char *doc;

static int read_doc(void **state)
{
    (void)state;
    doc = support_read_file(support_printf("%s/docs/kernel-ir.md", support_source()), NULL);
    return doc ? 0 : -1;
}

static int free_doc(void **state)
{
    (void)state;
    free(doc);
    return 0;
}

/* The content of the next block that starts with the fence, after *at; NULL where there is none. */
static const char *next_block(struct arena *a, const char *fence, const char **at)
{
    const char *start = strstr(*at, fence);
    if (!start)
        return NULL;
    start += strlen(fence);
    const char *end = strstr(start, "```\n");
    assert_non_null(end);
    *at = end + 4;
    return arena_strndup(a, start, (size_t)(end - start));
}

static void test_kernels(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    const char *at = doc;
    int n = 0;
    for (const char *text; (text = next_block(&a, "```kernel\n", &at)); n++) {
        struct error err;
        struct strbuf s;
        error_init(&err);
        strbuf_init(&s, &a);
        struct kernel *k = kernel_parse(&a, text, &err);
        if (!k)
            fail_msg("%s in\n%s", err.text, text);
        kernel_print(k, &s);
        assert_string_equal(strbuf_text(&s), text);
    }
    assert_true(n >= 9);
    arena_done(&a);
}

static void print_calls(const struct steps *steps, struct strbuf *out)
{
    for (size_t i = 0; i < steps->n; i++)
        if (steps->step[i]->kind == STEP_CALL)
            kernel_print(steps->step[i]->kernel, out);
}

static void test_graphs(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    const char *at = doc;
    int n = 0;
    for (const char *text; (text = next_block(&a, "```graph\n", &at)); n++) {
        struct error err;
        struct strbuf s;
        error_init(&err);
        strbuf_init(&s, &a);
        struct graph *g = graph_parse(&a, text, &err);
        struct program *p = g && graph_infer(g, &err) ? program_build(&a, g, &err) : NULL;
        if (!p)
            fail_msg("%s in\n%s", err.text, text);
        print_calls(&p->body, &s);
        assert_string_equal(next_block(&a, "```kernel\n", &at), strbuf_text(&s));
    }
    assert_true(n >= 6);
    arena_done(&a);
}

static void check_row(const char *row)
{
    if (!strstr(doc, row))
        fail_msg("docs/kernel-ir.md lacks the row\n%s", row);
}

static void test_instructions(void **state)
{
    (void)state;
#define ROW(text, kind, meaning)                                                                   \
    check_row(support_printf("| `%s` | %s | %s |\n", text, kind, meaning));
#define LEAF                         "leaf"
#define UNARY                        "unary"
#define BINARY                       "binary"
#define COMPARE                      "compare"
#define OTHER                        "other"
#define REGION                       "region"
#define KOP(id, text, kind, meaning) ROW(text, kind, meaning)
#include "ir/kernel_ops.def"
#undef KOP
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_graphs),
        cmocka_unit_test(test_instructions),
    };
    return cmocka_run_group_tests(tests, read_doc, free_doc);
}
