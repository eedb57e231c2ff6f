/*
 * test_bundle.c: a bundle's files appear together or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/write/bundle.h"
#include "bundle/write/names.h"
#include "tests/support/support.h"

static struct arena arena;
static struct error err;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    error_init(&err);
    return support_run(support_printf("rm -rf '%s/out'", support_tmp()), NULL);
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static struct bytes compile(const char *source)
{
    const char *dir = support_tmp();
    const char *c = support_printf("%s/net.c", dir), *o = support_printf("%s/net.o", dir);
    support_write_file(c, source, strlen(source));
    assert_int_equal(support_run(support_printf("%s -c '%s' -o '%s'", support_cc(), c, o), NULL),
                     0);
    struct bytes b;
    char *data = support_read_file(o, &b.size);
    assert_non_null(data);
    b.data = arena_copy(&arena, data, b.size);
    free(data);
    return b;
}

static struct bundle_request make_request(const char *dir)
{
    static const struct target target = {.triple = "t", .cpu = "c", .features = "+f"};
    struct tensor *t = tensor_scalar_f32(&arena, 1.5f);
    struct program *p = arena_new(&arena, struct program);
    p->bufs = arena_array(&arena, 1, sizeof *p->bufs);
    p->n_bufs = 1;
    p->bufs[0] = (struct pbuf){.name = "w",
                               .dtype = DTYPE_F32,
                               .layout = layout_plain(0),
                               .area = AREA_CONSTANT,
                               .constant = t,
                               .view_of = -1,
                               .bytes = 4};
    p->area_bytes[AREA_CONSTANT] = 64;
    struct bundle_request req = {.dir = dir,
                                 .name = "net",
                                 .n_entries = 1,
                                 .object = compile("int net(void); int net(void) { return 0; }\n"),
                                 .weights = weights_make(&arena, p)};
    struct emit_part *part = arena_new(&arena, struct emit_part);
    struct emit_entry *entry = arena_new(&arena, struct emit_entry);
    *part = (struct emit_part){.program = p, .target = &target};
    *entry = (struct emit_entry){.name = "net", .model = "net.onnx", .parts = part, .n_parts = 1};
    entry->symbols = names_symbols(&arena, part, 1, &entry->n_symbols);
    req.entries = entry;
    return req;
}

static bool exists(const char *path)
{
    return support_run(support_printf("test -e '%s'", path), NULL) == 0;
}

static void test_files(void **state)
{
    (void)state;
    const char *dir = support_printf("%s/out", support_tmp());
    struct bundle_request req = make_request(dir);
    for (int again = 0; again < 2; again++) {
        if (!bundle_write(&arena, &req, &err))
            fail_msg("%s", err.text);
        char *list;
        assert_int_equal(support_run(support_printf("ls -A '%s'", dir), &list), 0);
        assert_string_equal(list, again ? "net.h\nnet.o\nnet.s\nnet.weights\n"
                                        : "net.h\nnet.o\nnet.weights\n");
        free(list);
        req.assembly = (struct bytes){.data = (const uint8_t *)"ret\n", .size = 4};
    }
    size_t size;
    char *got = support_read_file(support_printf("%s/net.o", dir), &size);
    assert_int_equal(size, req.object.size);
    assert_memory_equal(got, req.object.data, size);
    free(got);
    got = support_read_file(support_printf("%s/net.weights", dir), &size);
    assert_int_equal(size, 64);
    assert_memory_equal(got, "\0\0\xc0\x3f\0\0", 6);
    free(got);
}

static void test_refused_object(void **state)
{
    (void)state;
    const char *dir = support_printf("%s/out", support_tmp());
    struct bundle_request req = make_request(dir);
    static const char *const sources[] = {
        "int other(void); int net(void); int net(void) { return other(); }\n",
        "int n; int net(void); int net(void) { return n++; }\n",
        "int another(void); int another(void) { return 0; }\n",
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        req.object = compile(sources[i]);
        error_init(&err);
        assert_false(bundle_write(&arena, &req, &err));
        assert_int_equal(err.status, SHEAF_ERROR_CODEGEN);
        assert_false(exists(dir));
    }
    req.object.size = 10;
    error_init(&err);
    assert_false(bundle_write(&arena, &req, &err));
    assert_false(exists(dir));
}

static void test_refused_place(void **state)
{
    (void)state;
    struct bundle_request req = make_request("/nowhere/at/all");
    assert_false(bundle_write(&arena, &req, &err));
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    assert_null(strchr(err.text, '\n'));

    const char *file = support_printf("%s/out", support_tmp());
    support_write_file(file, "x", 1);
    req.dir = file;
    error_init(&err);
    assert_false(bundle_write(&arena, &req, &err));
    assert_non_null(strstr(err.text, file));

    error_init(&err);
    req.dir = support_tmp();
    req.name = "../net";
    assert_false(bundle_write(&arena, &req, &err));
    assert_non_null(strstr(err.text, "'../net'"));
}

/* Where one of the files cannot be written, none stays. */
static void test_all_or_none(void **state)
{
    (void)state;
    const char *dir = support_printf("%s/out", support_tmp());
    struct bundle_request req = make_request(dir);
    assert_int_equal(support_run(support_printf("mkdir -p '%s/net.h/in_the_way'", dir), NULL), 0);
    assert_false(bundle_write(&arena, &req, &err));
    char *list;
    assert_int_equal(support_run(support_printf("ls -A '%s'", dir), &list), 0);
    assert_string_equal(list, "net.h\n");
    free(list);
}

static void test_digest(void **state)
{
    (void)state;
    /* The published value for no input at all. */
    static const uint8_t empty[16] = {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8,
                                      0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f};
    uint8_t digest[16];
    weights_digest("", 0, digest);
    assert_memory_equal(digest, empty, 16);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_files),       TEST(test_refused_object), TEST(test_refused_place),
        TEST(test_all_or_none), TEST(test_digest),
    };
    return cmocka_run_group_tests_name("bundle/write/bundle", tests, NULL, NULL);
}
