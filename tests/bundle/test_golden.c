/*
 * A small network's bundle against the one in tests/bundle/golden: header and weights byte for
 * byte, the code as assembly text, so that a change of what is emitted shows as a difference that
 * can be read.  Where it is meant, SHEAF_BLESS=1 writes the files anew: read them before they are
 * committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/write/bundle.h"
#include "tests/support/compiled.h"
#include "tests/support/support.h"

/* A tiled contraction with a tail in rows and columns, a reduction, a map with a tail. */
static const char NET[] = "graph \"golden\" source \"golden.onnx\" {\n"
                          "input %data f32 [3,5]\n"
                          "const %weight f32 [5,10] = fill 0.25\n"
                          "%scores f32 [3,10] = matmul (%data, %weight)\n"
                          "%\"prob/1\" f32 [3,10] = relu (%scores)\n"
                          "return %\"prob/1\"\n}\n";

static void check_file(const char *name, const void *data, size_t size)
{
    const char *path = support_printf("%s/tests/bundle/golden/%s", support_source(), name);
    if (getenv("SHEAF_BLESS"))
        support_write_file(path, data, size);
    size_t golden_size;
    char *golden = support_read_file(path, &golden_size);
    assert_non_null(golden);
    const char *got = support_printf("%s/%s", support_tmp(), name);
    support_write_file(got, data, size);
    bool same = size == golden_size && memcmp(golden, data, size) == 0;
    free(golden);
    if (!same) {
        char *text;
        support_run(support_printf("diff -u --text %s %s | head -n 60", path, got), &text);
        print_error("%s\n", text);
        free(text);
    }
    assert_true(same);
}

static void check_written(const char *name)
{
    size_t size;
    char *data = support_read_file(support_printf("%s/bundle/%s", support_tmp(), name), &size);
    assert_non_null(data);
    check_file(name, data, size);
    free(data);
}

static void the_bundle_is_as_recorded(void **state)
{
    (void)state;
    struct compiled c;
    struct error err;
    error_init(&err);
    compiled_must_open(&c, NET, "x86-64-v3");
    c.request.source = "golden";
    struct emit_result code;
    assert_true(emit_object(&c.arena, &c.request, true, &code, &err));
    c.entry.model = "golden.onnx";
    struct bundle_request req = {
        .dir = support_printf("%s/bundle", support_tmp()),
        .name = "golden",
        .entries = &c.entry,
        .n_entries = 1,
        .object = code.object,
        .assembly = code.assembly,
        .weights = c.weights,
    };
    if (!bundle_write(&c.arena, &req, &err))
        fail_msg("%s", err.text);
    check_written("golden.h");
    check_written("golden.weights");
    check_written("golden.s");
    compiled_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_bundle_is_as_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
