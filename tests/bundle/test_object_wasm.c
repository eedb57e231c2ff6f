/*
 * test_object_wasm.c: the symbols of WebAssembly objects, of one that is written here byte by byte
 * and of damaged ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/read/object_wasm.h"
#include "bundle/write/bundle.h"

/* Imports env.expf and the memory; defines "net" and local "k"; data "net_config". */
static const char OBJECT_TEXT[] = "\0asm\1\0\0\0"
                                  "\2\40\2" /* imports */
                                  "\3env\4expf\0\0"
                                  "\3env\14linear_memor\2\0\1"
                                  "\0\50\7linking\2" /* version 2 */
                                  "\10\35\5"         /* symbols */
                                  "\0\20\0"          /* expf, named by its import */
                                  "\0\0\1\3net"
                                  "\0\2\2\1k"
                                  "\1\0\4data\0\0\10"
                                  "\2\20\0"; /* the stack pointer */
#define OBJECT ((const uint8_t *)OBJECT_TEXT)
enum { OBJECT_SIZE = sizeof OBJECT_TEXT - 1 };

struct seen {
    int n, n_undefined, n_local;
    bool net, expf;
};

static void note(const struct wasm_symbol *s, void *arg)
{
    struct seen *seen = arg;
    seen->n++;
    seen->n_undefined += s->is_undefined;
    seen->n_local += s->is_local;
    seen->net |= s->length == 3 && memcmp(s->name, "net", 3) == 0 && s->is_function &&
                 !s->is_undefined && !s->is_local;
    seen->expf |= s->length == 4 && memcmp(s->name, "expf", 4) == 0 && s->is_undefined;
}

static void test_symbols(void **state)
{
    (void)state;
    struct seen seen = {0};
    assert_true(object_wasm_is(OBJECT, OBJECT_SIZE));
    const char *why = object_wasm_each(OBJECT, OBJECT_SIZE, note, &seen);
    if (why)
        fail_msg("%s", why);
    assert_int_equal(seen.n, 6);
    assert_int_equal(seen.n_undefined, 1);
    assert_int_equal(seen.n_local, 1);
    assert_true(seen.net && seen.expf);
}

static void test_check(void **state)
{
    (void)state;
    struct error err;
    error_init(&err);
    struct bytes object = {OBJECT, OBJECT_SIZE};
    assert_false(bundle_check_object(&object, "net", &err));
    assert_string_equal(err.text,
                        "the object code of 'net' needs symbols from elsewhere, the first "
                        "is 'expf'");
}

/* No cut and no changed byte is read beyond its end (the sanitizers watch), and cuts are noticed.
 */
static void test_damage(void **state)
{
    (void)state;
    for (size_t n = 0; n < OBJECT_SIZE; n++) {
        struct seen seen = {0};
        uint8_t *cut = malloc(n ? n : 1);
        assert_non_null(cut);
        memcpy(cut, OBJECT, n);
        assert_non_null(object_wasm_each(cut, n, note, &seen));
        free(cut);
    }
    for (size_t at = 8; at < OBJECT_SIZE; at++)
        for (unsigned v = 1; v < 256; v += 2) {
            struct seen seen = {0};
            uint8_t changed[OBJECT_SIZE];
            memcpy(changed, OBJECT, OBJECT_SIZE);
            changed[at] = (uint8_t)(changed[at] ^ v);
            object_wasm_each(changed, sizeof changed, note, &seen);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
