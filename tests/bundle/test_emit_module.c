/*
 * test_emit_module.c: what the back end calls in a module that is no network's (the functions of a
 * library, say) is made along with it, but for what the caller has elsewhere.
 */
#include <string.h>

#include "bundle/emit/emit_plain.h"
#include "bundle/read/object.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "tests/support/fixture.h"

static bool is_copy(const char *name)
{
    return strcmp(name, "memcpy") == 0 || strcmp(name, "__aeabi_memcpy") == 0;
}

/* A function that divides 64 bits, and copies. */
static struct bytes module_for(const char *triple, bool (*is_outside)(const char *name))
{
    const struct target *t;
    struct bytes object;
    if (!cpu_target_create(&arena, &(struct cpu_target_options){.triple = triple}, &t, &err))
        fail_msg("%s", err.text);
    struct emit e = {.arena = &arena, .target = t, .features = t->features};
    assert_true(emit_open(&e, "m", &err));
    LLVMTypeRef params[3] = {e.ptr, e.i64, e.index};
    plain_function(&e, "f", e.i64, params, 3, LLVMExternalLinkage);
    LLVMValueRef to = plain_at(&e, plain_param(&e, 0), emit_index(&e, 4096));
    LLVMBuildMemCpy(e.b, to, 1, plain_param(&e, 0), 1, plain_param(&e, 2));
    LLVMValueRef v = plain_load(&e, e.i64, plain_param(&e, 0));
    LLVMBuildRet(e.b, LLVMBuildUDiv(e.b, v, plain_param(&e, 1), ""));
    if (!emit_to_object(&e, is_outside, &object, &err))
        fail_msg("%s: %s", triple, err.text);
    emit_close(&e);
    return object;
}

static void it_needs_nothing_from_elsewhere(void **state)
{
    (void)state;
    static const char *const triples[] = {"armv7",   "thumbv6m", "thumbv7em", "riscv32",
                                          "riscv64", "aarch64",  "x86_64"};
    for (size_t i = 0; i < sizeof triples / sizeof *triples; i++) {
        struct object o;
        uint32_t n;
        struct bytes object = module_for(triples[i], NULL);
        assert_null(object_open(object.data, object.size, &o));
        const char *needed = object_undefined(&o, &n);
        if (needed)
            fail_msg("%s needs '%s'", triples[i], needed);
        object = module_for(triples[i], is_copy);
        assert_null(object_open(object.data, object.size, &o));
        needed = object_undefined(&o, &n);
        assert_int_equal(n, 1);
        assert_true(is_copy(needed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_needs_nothing_from_elsewhere, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
