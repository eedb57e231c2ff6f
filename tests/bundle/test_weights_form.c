/*
 * test_weights_form.c: weights as a file, as C, as an object and as nothing at all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bundle/read/object.h"
#include "bundle/write/bundle.h"
#include "bundle/write/weights_form.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "tests/support/compiled.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

static const char CONV[] = "graph \"t\" {\n"
                           "input %x f32 [1,3,8,8]\n"
                           "const %w f32 [16,3,3,3] = fill 0.5\n"
                           "%y = conv (%x, %w)\n"
                           "return %y\n}\n";

static struct compiled compiled;

static struct bundle_request request(enum weights_format format, const char *section)
{
    memset(&compiled, 0, sizeof compiled);
    if (!compiled_open(&compiled, CONV, "x86-64", &err))
        fail_msg("%s", err.text);
    compiled.entry.name = "net";
    return (struct bundle_request){.dir = support_printf("%s/out", support_tmp()),
                                   .name = "net",
                                   .entries = &compiled.entry,
                                   .n_entries = 1,
                                   .object = compiled.code.object,
                                   .weights = compiled.weights,
                                   .weights_format = format,
                                   .weights_section = section};
}

static void write_bundle(const struct bundle_request *req)
{
    support_run(support_printf("rm -rf %s", req->dir), NULL);
    if (!bundle_write(&arena, req, &err))
        fail_msg("%s", err.text);
}

static void expect_files(const char *want)
{
    char *list;
    support_run(support_printf("LC_ALL=C ls -A %s/out | tr '\\n' ' '", support_tmp()), &list);
    assert_string_equal(list, want);
    free(list);
}

/* A program that includes the header and the weights in question, and compares with the file. */
static void expect_same(const struct bundle_request *req, const char *compiler, const char *with)
{
    static const char program[] =
        "#include <stdio.h>\n"
        "#include \"net.h\"\n"
        "int main(void)\n"
        "{\n"
        "    size_t at = (size_t)(uintptr_t)net_weights;\n"
        "    if (at % NET_MEM_ALIGN != 0)\n"
        "        return 1;\n"
        "    return fwrite(net_weights, 1, NET_CONSTANT_MEM_SIZE, stdout) != "
        "NET_CONSTANT_MEM_SIZE;\n"
        "}\n";
    support_write_file(support_printf("%s/main.c", req->dir), program, strlen(program));
    const char *command =
        support_printf("cd %s && %s -Wall -Wextra -Wpedantic -Werror main.c %s -o main && "
                       "./main >content",
                       req->dir, compiler, with);
    char *text;
    if (support_run(command, &text) != 0)
        fail_msg("%s: %s", command, text);
    free(text);
    size_t size;
    char *content = support_read_file(support_printf("%s/content", req->dir), &size);
    assert_non_null(content);
    assert_int_equal(size, req->weights.size);
    assert_memory_equal(content, req->weights.data, size);
    free(content);
}

static void c_is_an_array(void **state)
{
    (void)state;
    struct bundle_request req = request(WEIGHTS_C, NULL);
    write_bundle(&req);
    expect_files("net.h net.o net_weights.c ");
    expect_same(&req, support_printf("%s -std=c99", support_cc()), "net_weights.c");
    expect_same(&req, support_printf("%s -std=c++11 -x c++", support_cc()), "net_weights.c");
    compiled_close(&compiled);
}

/* The section that holds the symbol, in an object file. */
static const char *section_of(const char *path, const char *symbol)
{
    static char name[64];
    size_t size;
    struct object o;
    struct object_symbol s;
    struct object_section section;
    char *data = support_read_file(path, &size);
    assert_non_null(data);
    assert_null(object_open(data, size, &o));
    name[0] = '\0';
    for (uint32_t i = 1; i < o.n_symbols; i++)
        if (object_symbol(&o, i, &s) && strcmp(s.name, symbol) == 0 &&
            object_section(&o, s.section, &section))
            snprintf(name, sizeof name, "%s", section.name);
    assert_null(object_writable(&o));
    free(data);
    return name;
}

static void c_lies_in_the_section(void **state)
{
    (void)state;
    struct bundle_request req = request(WEIGHTS_C, ".flash.nets");
    write_bundle(&req);
    expect_same(&req, support_cc(), "net_weights.c");
    const char *command = support_printf("cd %s && %s -c net_weights.c", req.dir, support_cc());
    assert_int_equal(support_run(command, NULL), 0);
    assert_string_equal(section_of(support_printf("%s/net_weights.o", req.dir), "net_weights"),
                        ".flash.nets");
    compiled_close(&compiled);
}

static void an_object_is_linked(void **state)
{
    (void)state;
    struct bundle_request req = request(WEIGHTS_OBJECT, NULL);
    write_bundle(&req);
    expect_files("net.h net.o net_weights.o ");
    expect_same(&req, support_cc(), "net_weights.o");
    const char *o = support_printf("%s/net_weights.o", req.dir);
    assert_int_equal(strncmp(section_of(o, "net_weights"), ".rodata", 7), 0);

    req.weights_section = ".flash.nets";
    write_bundle(&req);
    expect_same(&req, support_cc(), "net_weights.o");
    assert_string_equal(section_of(o, "net_weights"), ".flash.nets");
    compiled_close(&compiled);
}

/* The object is for the bundle's processor. */
static void an_object_has_the_target(void **state)
{
    (void)state;
    struct bundle_request req = request(WEIGHTS_OBJECT, NULL);
    struct cpu_target_options opt = {.triple = "thumbv6m", .cpu = "cortex-m0"};
    struct emit_part part = compiled.part;
    struct emit_entry entry = compiled.entry;
    assert_true(cpu_target_create(&arena, &opt, &part.target, &err));
    entry.parts = &part;
    req.entries = &entry;
    const char *suffix;
    struct bytes object;
    struct object o;
    assert_true(weights_file(&arena, &req, &suffix, &object, &err));
    assert_string_equal(suffix, "_weights.o");
    assert_null(object_open(object.data, object.size, &o));
    assert_false(o.is_64);
    assert_int_equal(o.machine, 40); /* ARM */
    assert_true(object_defines(&o, "net_weights"));
    compiled_close(&compiled);
}

static void none_writes_no_file(void **state)
{
    (void)state;
    struct bundle_request req = request(WEIGHTS_NONE, NULL);
    write_bundle(&req);
    expect_files("net.h net.o ");
    char *header = support_read_file(support_printf("%s/net.h", req.dir), NULL);
    assert_null(strstr(header, "net_weights"));
    free(header);
    req.weights_format = WEIGHTS_BIN;
    write_bundle(&req);
    expect_files("net.h net.o net.weights ");
    header = support_read_file(support_printf("%s/net.h", req.dir), NULL);
    assert_null(strstr(header, "net_weights"));
    free(header);
    compiled_close(&compiled);
}

/* C knows no empty array. */
static void no_weights_are_one_byte(void **state)
{
    (void)state;
    struct bundle_request req = request(WEIGHTS_C, NULL);
    req.weights = (struct weights){.size = 0};
    const char *suffix;
    struct bytes text;
    assert_true(weights_file(&arena, &req, &suffix, &text, &err));
    assert_non_null(strstr((const char *)text.data, "net_weights[1] = {\n0,\n};"));
    req.weights_format = WEIGHTS_OBJECT;
    struct object o;
    assert_true(weights_file(&arena, &req, &suffix, &text, &err));
    assert_null(object_open(text.data, text.size, &o));
    assert_true(object_defines(&o, "net_weights"));
    compiled_close(&compiled);
}

static void expect_refused(const struct bundle_request *req, const char *says)
{
    error_init(&err);
    assert_false(bundle_write(&arena, req, &err));
    assert_int_equal(err.status, SHEAF_ERROR_ARGUMENT);
    if (!strstr(err.text, says))
        fail_msg("%s", err.text);
    expect_files("");
}

static void bad_requests_are_refused(void **state)
{
    (void)state;
    static const char *const sections[] = {"", "a b", "x\"y", "a,b", "\\"};
    struct bundle_request req = request(WEIGHTS_C, NULL);
    assert_int_equal(support_run(support_printf("rm -rf %s && mkdir %s", req.dir, req.dir), NULL),
                     0);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        req.weights_section = sections[i];
        expect_refused(&req, i ? "is no section's name" : "the name is empty");
    }
    /* A further entry may be called as the array would be. */
    req.weights_section = NULL;
    static const char source[] = "int net(void); int net(void) { return 0; }"
                                 "int net_weights(void); int net_weights(void) { return 0; }";
    const char *c = support_printf("%s/clash.c", support_tmp());
    support_write_file(c, source, strlen(source));
    assert_int_equal(
        support_run(support_printf("cd %s && %s -c clash.c", support_tmp(), support_cc()), NULL),
        0);
    char *object = support_read_file(support_printf("%s/clash.o", support_tmp()), &req.object.size);
    req.object.data = (const uint8_t *)object;
    expect_refused(&req, "'net_weights', and so is a function");
    free(object);
    compiled_close(&compiled);
}

/* What cannot be written takes the other files with it. */
static void all_or_none(void **state)
{
    (void)state;
    struct bundle_request req = request(WEIGHTS_OBJECT, NULL);
    support_run(
        support_printf("rm -rf %s && mkdir -p %s/net_weights.o/in_the_way", req.dir, req.dir),
        NULL);
    assert_false(bundle_write(&arena, &req, &err));
    expect_files("net_weights.o ");
    support_run(support_printf("rm -rf %s", req.dir), NULL);
    compiled_close(&compiled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(c_is_an_array, setup, teardown),
        cmocka_unit_test_setup_teardown(c_lies_in_the_section, setup, teardown),
        cmocka_unit_test_setup_teardown(an_object_is_linked, setup, teardown),
        cmocka_unit_test_setup_teardown(an_object_has_the_target, setup, teardown),
        cmocka_unit_test_setup_teardown(none_writes_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(no_weights_are_one_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_requests_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(all_or_none, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
