/*
 * test_object.c: the ELF reader on objects that the C compiler made, and on damaged ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/read/object.h"
#include "bundle/write/bundle.h"
#include "tests/support/support.h"

struct built {
    uint8_t *data;
    size_t size;
};

/* NULL data where the compiler cannot do it (-m32 without support). */
static struct built build(const char *source, const char *flags)
{
    const char *dir = support_tmp();
    const char *c = support_printf("%s/part.c", dir), *o = support_printf("%s/part.o", dir);
    support_write_file(c, source, strlen(source));
    struct built b = {0};
    const char *command =
        support_printf("%s -c %s -o %s %s 2>/dev/null", support_cc(), flags, o, c);
    if (support_run(command, NULL) == 0)
        b.data = (uint8_t *)support_read_file(o, &b.size);
    return b;
}

/* The fault of it as an object with the entry of this name; NULL: it has none. */
static const char *fault_of(const struct built *b, const char *entry)
{
    struct error err;
    error_init(&err);
    bool ok = bundle_check_object(&(struct bytes){.data = b->data, .size = b->size}, entry, &err);
    return ok ? NULL : support_printf("%s", err.text);
}

static const char pure[] = "static const int table[3] = {1, 2, 3};\n"
                           "static int twice(int x) { return x + x; }\n"
                           "int pure(int i); int pure(int i) { return twice(table[i]); }\n";

static void test_sections_and_symbols(void **state)
{
    (void)state;
    struct built b = build(pure, "-O0");
    assert_non_null(b.data);
    struct object o;
    assert_null(object_open(b.data, b.size, &o));
    bool text = false, rodata = false, local = false, global = false;
    for (uint32_t i = 0; i < o.n_sections; i++) {
        struct object_section s;
        assert_true(object_section(&o, i, &s));
        text |= strcmp(s.name, ".text") == 0 && s.size > 0;
        rodata |= strncmp(s.name, ".rodata", 7) == 0 && s.size >= 12;
    }
    struct object_section none;
    assert_false(object_section(&o, o.n_sections, &none));
    for (uint32_t i = 0; i < o.n_symbols; i++) {
        struct object_symbol s;
        assert_true(object_symbol(&o, i, &s));
        local |= strcmp(s.name, "twice") == 0 && s.is_local && s.is_function && !s.is_undefined;
        global |= strcmp(s.name, "pure") == 0 && !s.is_local && s.is_function;
    }
    assert_true(text && rodata && local && global);
    assert_true(object_defines(&o, "pure"));
    assert_false(object_defines(&o, "twice"));
    uint32_t n;
    assert_null(object_undefined(&o, &n));
    assert_int_equal(n, 0);
    assert_null(object_writable(&o));
    free(b.data);
}

static void test_undefined(void **state)
{
    (void)state;
    struct built b = build("float expf(float); void *memset(void *, int, unsigned long);\n"
                           "float needy(float x); float needy(float x) { char c[99];\n"
                           "memset(c, (int)x, 99); return expf(x) + c[5]; }\n",
                           "-O0 -fno-builtin");
    assert_non_null(b.data);
    struct object o;
    assert_null(object_open(b.data, b.size, &o));
    uint32_t n;
    const char *first = object_undefined(&o, &n);
    assert_non_null(first);
    assert_true(n >= 2);
    const char *fault = fault_of(&b, "needy");
    assert_non_null(fault);
    assert_non_null(strstr(fault, first));
    assert_null(strchr(fault, '\n'));
    free(b.data);
}

static void test_writable(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "int counter = 1; int count(void); int count(void) { return counter++; }\n",
        "static int zero; int count(void); int count(void) { return zero++; }\n",
    };
    for (size_t i = 0; i < 2; i++) {
        struct built b = build(sources[i], "-O0");
        assert_non_null(b.data);
        struct object o;
        assert_null(object_open(b.data, b.size, &o));
        assert_string_equal(object_writable(&o), i ? ".bss" : ".data");
        const char *fault = fault_of(&b, "count");
        assert_non_null(fault);
        assert_non_null(strstr(fault, "writable"));
        free(b.data);
    }
}

/* Pointers in position-independent code are relocated once and read-only then. */
static void test_relocated_constants(void **state)
{
    (void)state;
    struct built b = build("static const char text[] = \"x\";\n"
                           "const char *const name = text;\n"
                           "const char *get(void); const char *get(void) { return name; }\n",
                           "-O1 -fPIC -fno-stack-protector");
    assert_non_null(b.data);
    assert_null(fault_of(&b, "get"));
    const char *fault = fault_of(&b, "got");
    assert_non_null(fault);
    assert_non_null(strstr(fault, "'got'"));
    free(b.data);
}

static void put(uint8_t *at, uint64_t v, size_t bytes, bool big)
{
    for (size_t i = 0; i < bytes; i++)
        at[big ? bytes - 1 - i : i] = (uint8_t)(v >> 8 * i);
}

/* An object of 32 bits in the given byte order, with one undefined symbol, made by hand. */
static size_t make_elf32(uint8_t *e, bool big)
{
    enum { EHDR = 52, SHDR = 40, STRINGS = 52, SYMBOLS = 64, TABLE = 96 };
    memset(e, 0, TABLE + 3 * SHDR);
    memcpy(e, "\177ELF", 4);
    e[4] = 1;               /* 32 bits */
    e[5] = big ? 2 : 1;     /* byte order */
    put(e + 16, 1, 2, big); /* relocatable */
    put(e + 32, TABLE, 4, big);
    put(e + 46, SHDR, 2, big);
    put(e + 48, 3, 2, big); /* sections */
    put(e + 50, 1, 2, big); /* section names */
    memcpy(e + STRINGS, "\0tab\0needed", 12);
    put(e + SYMBOLS + 16, 5, 4, big);    /* symbol 1: its name */
    put(e + SYMBOLS + 28, 0x12, 1, big); /* global function */
    uint8_t *s = e + TABLE + SHDR;
    put(s, 1, 4, big);
    put(s + 4, 3, 4, big); /* string table */
    put(s + 16, STRINGS, 4, big);
    put(s + 20, 12, 4, big);
    s += SHDR;
    put(s, 1, 4, big);
    put(s + 4, 2, 4, big); /* symbol table */
    put(s + 16, SYMBOLS, 4, big);
    put(s + 20, 32, 4, big);
    put(s + 24, 1, 4, big); /* its strings */
    put(s + 36, 16, 4, big);
    return TABLE + 3 * SHDR;
}

static void test_32_bits(void **state)
{
    (void)state;
    for (int big = 0; big < 2; big++) {
        uint8_t e[256];
        size_t size = make_elf32(e, big);
        struct object o;
        const char *why = object_open(e, size, &o);
        if (why)
            fail_msg("%s", why);
        assert_false(o.is_64);
        uint32_t n;
        assert_string_equal(object_undefined(&o, &n), "needed");
        assert_int_equal(n, 1);
        /* A name that runs out of its table is no name. */
        put(e + 64 + 16, 12, 4, big);
        assert_null(object_open(e, size, &o));
        assert_string_equal(object_undefined(&o, &n), "?");
    }
}

static void read_everything(const uint8_t *data, size_t size)
{
    struct object o;
    if (object_open(data, size, &o))
        return;
    size_t length = 0;
    for (uint32_t i = 0; i < o.n_sections && i < 100000; i++) {
        struct object_section s;
        if (object_section(&o, i, &s))
            length += strlen(s.name);
    }
    for (uint32_t i = 0; i < o.n_symbols && i < 100000; i++) {
        struct object_symbol s;
        if (object_symbol(&o, i, &s))
            length += strlen(s.name);
    }
    uint32_t n;
    object_undefined(&o, &n);
    object_writable(&o);
    assert_true(length < size * 200000);
}

static void test_damaged(void **state)
{
    (void)state;
    struct object o;
    assert_non_null(object_open("", 0, &o));
    assert_non_null(object_open("not an object at all, but long enough", 38, &o));
    struct built b = build(pure, "-O0");
    assert_non_null(b.data);
    for (size_t size = 0; size < b.size; size++) {
        /* An exact copy, so that a sanitizer sees the end. */
        uint8_t *copy = malloc(size ? size : 1);
        assert_non_null(copy);
        memcpy(copy, b.data, size);
        read_everything(copy, size);
        free(copy);
    }
    for (size_t at = 0; at < b.size; at++) {
        static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
        uint8_t old = b.data[at];
        for (size_t i = 0; i < sizeof values; i++) {
            b.data[at] = values[i];
            read_everything(b.data, b.size);
        }
        b.data[at] = old;
    }
    free(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections_and_symbols),
        cmocka_unit_test(test_undefined),
        cmocka_unit_test(test_writable),
        cmocka_unit_test(test_relocated_constants),
        cmocka_unit_test(test_32_bits),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests_name("bundle/read/object", tests, NULL, NULL);
}
