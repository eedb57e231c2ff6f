/*
 * Protobuf's text form: everything that its grammar allows gives the message that the binary form
 * would, and what it does not allow is a sentence with a line.
 */
#include <math.h>

#include "loader/import/onnx.pb-c.h"
#include "loader/import/wire.h"
#include "tests/loader/import_run.h"

static ProtobufCMessage *read(const ProtobufCMessageDescriptor *desc, const char *text)
{
    error_init(&err);
    const struct wire_kind kind = {"an ONNX model", desc, NULL};
    return wire_unpack(&arena, &kind, "net.txt", (const uint8_t *)text, strlen(text), &err);
}

static const Onnx__AttributeProto *attribute(const char *text)
{
    const void *a = read(&onnx__attribute_proto__descriptor, text);
    if (!a)
        fail_msg("%s", err.text);
    return a;
}

static void numbers_of_every_form(void **state)
{
    (void)state;
    static const int64_t ints[] = {0, -7, 31, 8, 9223372036854775807, INT64_MIN};
    const Onnx__AttributeProto *a =
        attribute("name: \"a\" ints: 0 ints: -7, ints: 0x1F; ints: 010\n"
                  "ints: [9223372036854775807, "
                  "-9223372036854775808]\n floats: []");
    assert_int_equal(a->n_ints, 6);
    assert_memory_equal(a->ints, ints, sizeof ints);
    assert_int_equal(a->n_floats, 0);
    a = attribute("floats: [1.5, -2, 3e2, 0.25f, inf, -infinity, nan, 1F] # the end");
    static const float floats[] = {1.5f, -2, 300, 0.25f, INFINITY, -INFINITY};
    assert_int_equal(a->n_floats, 8);
    assert_memory_equal(a->floats, floats, sizeof floats);
    assert_true(isnan(a->floats[6]) && a->floats[7] == 1);
}

static void texts_of_every_form(void **state)
{
    (void)state;
    const Onnx__AttributeProto *a = attribute("name: 'it\\'s' s: \"a\\n\\x41\\102\\0\"\n"
                                              "  # in between\n 'b\"' strings: [\"x\", 'y']");
    assert_string_equal(a->name, "it's");
    assert_int_equal(a->s.len, 7);
    assert_memory_equal(a->s.data, "a\nAB\0b\"", 7);
    assert_int_equal(a->n_strings, 2);
}

static void messages_of_every_form(void **state)
{
    (void)state;
    const Onnx__ModelProto *m =
        (const void *)read(&onnx__model_proto__descriptor,
                           "ir_version: 8 graph < node { op_type: 'Relu' } node: { op_type: 'Exp' "
                           "attribute { type: INTS } attribute { type: 1 } }, > "
                           "opset_import: [{ version: 13 }, < domain: 'x' >]");
    assert_non_null(m);
    assert_int_equal(m->graph->n_node, 2);
    assert_string_equal(m->graph->node[1]->op_type, "Exp");
    assert_int_equal(m->graph->node[1]->attribute[0]->type,
                     ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    assert_int_equal(m->graph->node[1]->attribute[1]->type,
                     ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    assert_int_equal(m->n_opset_import, 2);
}

/* Those that the reader has no use for. */
static void other_fields_are_left_out(void **state)
{
    (void)state;
    const Onnx__AttributeProto *a =
        attribute("doc: 'x' 'y' other { a: [1, { b: c }], d < > } more: [1, 2] i: 5");
    assert_int_equal(a->i, 5);
}

static void faults_have_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"i: 1\ni: x", "a whole number is not one, in line 2"},
        {"i: 1.5", "a whole number is not one"},
        {"i: 99999999999999999999", "a number is too large"},
        {"f: 1.5x", "a number is not one"},
        {"name: 'a\n'", "a text has no end, in line 1"},
        {"name: 'a\\q'", "a backslash before a letter that means nothing"},
        {"name: 5", "a field holds a text or a message, not a number"},
        {"\n\ni: 'a'", "a field holds no text, in line 3"},
        {"i { }", "a field holds no message"},
        {"g: 'a'", "a field holds no text"},
        {"i: [1]", "a field holds no list"},
        {"ints: [1, 2", "a list has no end"},
        {"g { name: 'a'", "it ends inside a message"},
        {"g { name: 'a' >", "a field has no name"},
        {"i 5 f: 1", "a colon is missing"},
        {"i: ", "a field has no value"},
        {"type: SOMETHING", "a name stands for no value that is known"},
        {"g { name: 'a' } g { name: 'b' }", "a part that may come once comes twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (read(&onnx__attribute_proto__descriptor, cases[i].text))
            fail_msg("is read: %s", cases[i].text);
        if (!strstr(err.text, cases[i].want))
            fail_msg("'%s' is not in: %s", cases[i].want, err.text);
    }
}

static void nesting_has_an_end(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, &arena);
    for (int i = 0; i < 1000; i++)
        strbuf_add(&text, "other {");
    assert_null(read(&onnx__attribute_proto__descriptor, strbuf_text(&text)));
    assert_non_null(strstr(err.text, "messages are nested too deeply, in line 1"));
}

static void models_may_be_text(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, &arena);
    strbuf_add(&text, "ir_version: 8\nproducer_name: \"by hand\"\ngraph {\n"
                      "  node { input: \"x\" output: \"y\" op_type: \"Relu\" }\n"
                      "  input { name: \"x\" type { tensor_type { elem_type: 1\n"
                      "    shape { dim { dim_value: 2 } } } } }\n"
                      "  output { name: \"y\" }\n}\nopset_import { version: 13 }\n");
    expect_text(import_onnx_bytes(&text, (struct import_options){0}), "%y f32 [2] = relu (%x)");
}

/* Arguments stay unread in binary nets, and have fields in text. */
static void nets_may_be_text(void **state)
{
    (void)state;
    struct strbuf net, weights;
    strbuf_init(&net, &arena);
    strbuf_init(&weights, &arena);
    strbuf_add(&net, "name: \"net\"\nop {\n  input: \"x\"\n  output: \"y\"\n  type: \"LeakyRelu\"\n"
                     "  arg {\n    name: \"alpha\"\n    f: 0.25\n  }\n"
                     "  device_option {\n    device_type: 1\n  }\n}\n"
                     "external_input: \"x\"\nexternal_output: \"y\"\n");
    strbuf_add(&weights, "name: 'init' op { output: 'x' type: 'ConstantFill' arg { name: 'shape' "
                         "ints: [2, 3] } }");
    struct import_input x = {.name = "x", .rank = 2, .dims = {2, 3}};
    struct graph *g =
        import_caffe2(&net, &weights, (struct import_options){.inputs = &x, .n_inputs = 1});
    expect_text(g, "leaky_relu (%x) {alpha=0.25}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_of_every_form, setup_import, teardown),
        cmocka_unit_test_setup_teardown(texts_of_every_form, setup_import, teardown),
        cmocka_unit_test_setup_teardown(messages_of_every_form, setup_import, teardown),
        cmocka_unit_test_setup_teardown(other_fields_are_left_out, setup_import, teardown),
        cmocka_unit_test_setup_teardown(faults_have_lines, setup_import, teardown),
        cmocka_unit_test_setup_teardown(nesting_has_an_end, setup_import, teardown),
        cmocka_unit_test_setup_teardown(models_may_be_text, setup_import, teardown),
        cmocka_unit_test_setup_teardown(nets_may_be_text, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
