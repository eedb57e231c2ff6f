/*
 * The check before unpacking: nesting, lengths and counts of a file that means harm.
 */
#include <stdlib.h>

#include "loader/import/onnx.pb-c.h"
#include "loader/import/wire.h"
#include "tests/loader/pb_write.h"
#include "tests/support/fixture.h"

static const Onnx__ModelProto *unpack(const struct strbuf *b)
{
    error_init(&err);
    static const struct wire_kind kind = {"an ONNX model", &onnx__model_proto__descriptor, NULL};
    return (const Onnx__ModelProto *)wire_unpack(&arena, &kind, "m.onnx",
                                                 (const uint8_t *)strbuf_text(b), b->len, &err);
}

static void expect_fault(const struct strbuf *b, const char *want)
{
    assert_null(unpack(b));
    if (!strstr(err.text, want))
        fail_msg("'%s' is not in '%s'", want, err.text);
    assert_memory_equal(err.text, "m.onnx: ", 8);
}

static void fields_are_read(void **state)
{
    (void)state;
    struct strbuf b, packed;
    struct wire w;
    struct wire_field f;
    strbuf_init(&b, &arena);
    pb_int(&b, 1, -1);
    pb_float(&b, 2, 1.5f);
    pb_string(&b, 536870911, "abc");
    wire_init(&w, (const uint8_t *)strbuf_text(&b), b.len);
    assert_true(wire_next(&w, &f));
    assert_int_equal(f.number, 1);
    assert_true(f.type == WIRE_VARINT && f.value == UINT64_MAX);
    assert_true(wire_next(&w, &f));
    assert_true(f.type == WIRE_FIXED32 && f.value == 0x3fc00000);
    assert_true(wire_next(&w, &f));
    assert_int_equal(f.number, 536870911);
    assert_int_equal(f.size, 3);
    assert_memory_equal(f.data, "abc", 3);
    assert_false(wire_next(&w, &f));
    assert_null(w.fault);

    strbuf_init(&packed, &arena);
    for (int i = 0; i < 11; i++)
        pb_byte(&packed, 0x80);
    uint64_t v;
    wire_init(&w, (const uint8_t *)strbuf_text(&packed), packed.len);
    assert_false(wire_varint(&w, &v));
    assert_non_null(w.fault);
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    /* model { graph { node { attribute { g = graph { ... } } } } } */
    for (int levels = 30; levels <= 40; levels += 10) {
        struct strbuf graph, node, attr, model;
        strbuf_init(&graph, &arena);
        for (int i = 0; i < levels; i++) {
            strbuf_init(&attr, &arena);
            strbuf_init(&node, &arena);
            pb_sub(&attr, 6, &graph);
            pb_sub(&node, 5, &attr);
            strbuf_init(&graph, &arena);
            pb_sub(&graph, 1, &node);
        }
        strbuf_init(&model, &arena);
        pb_sub(&model, 7, &graph);
        if (levels == 30)
            assert_non_null(unpack(&model));
        else
            expect_fault(&model, "nested too deeply");
    }
}

static void counts_are_bounded(void **state)
{
    (void)state;
    /* 2 bytes of the file for a message of some 100 */
    struct strbuf graph, model;
    strbuf_init(&graph, &arena);
    strbuf_init(&model, &arena);
    for (size_t i = 0; i < WIRE_MAX_MESSAGES; i++)
        strbuf_addn(&graph, "\x0a\x00", 2);
    pb_sub(&model, 7, &graph);
    expect_fault(&model, "too many messages");
    /* the same for numbers that are not packed */
    struct strbuf tensor;
    strbuf_init(&tensor, &arena);
    strbuf_init(&graph, &arena);
    strbuf_init(&model, &arena);
    for (size_t i = 0; i <= WIRE_MAX_FIELDS; i++)
        strbuf_addn(&tensor, "\x38\x01", 2);
    pb_sub(&graph, 5, &tensor);
    pb_sub(&model, 7, &graph);
    expect_fault(&model, "too many fields");
}

static void lengths_stay_inside(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *want;
    } cases[] = {
        {"\x3a\x05\x0a\x01", 4, "a length reaches past the end, at byte 2"},
        {"\x3a\x02\x0a\x05", 4, "a length reaches past the end, at byte 4"},
        {"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "a length reaches past the end"},
        {"\x12\x01\x01\x3a", 4, "it ends inside a number"},
        {"\x08\x80", 2, "it ends inside a number"},
        {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12, "more than ten bytes"},
        {"\x00\x00", 2, "impossible number"},
        {"\x0b\x00", 2, "of no known kind"},
        {"\x39\0\0\0\0\0\0\0\0", 9, "a field is of the wrong kind, at byte 0"},
        {"\x3a\x00\x3a\x00", 4, "a part that may come once comes twice, at byte 2"},
        {"\x12\x02\x41\x00", 4, "a name contains a zero byte"},
        /* graph, initializer, packed floats of three bytes */
        {"\x3a\x07\x2a\x05\x22\x03\x00\x00\x00", 9, "a list of numbers ends inside a number"},
        /* graph, initializer, packed int64 that do not end */
        {"\x3a\x05\x2a\x03\x3a\x01\x80", 7, "a list of numbers ends inside a number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf b;
        strbuf_init(&b, &arena);
        strbuf_addn(&b, cases[i].bytes, cases[i].size);
        expect_fault(&b, cases[i].want);
    }
}

/* Fields that nobody knows are no fault. */
static void unknown_fields_are_skipped(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, &arena);
    pb_int(&b, 1, 8);
    pb_string(&b, 1000, "what");
    pb_int(&b, 1001, 5);
    const Onnx__ModelProto *m = unpack(&b);
    assert_non_null(m);
    assert_int_equal(m->ir_version, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fields_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(nesting_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(lengths_stay_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_fields_are_skipped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
