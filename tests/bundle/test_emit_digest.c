/*
 * test_emit_digest.c: the digest that a library computes of its weights is libxxhash's, for every
 * way that a number of bytes divides into stripes, lanes and rest.
 */
#include <xxhash.h>

#include "bundle/emit/emit_library_internal.h"
#include "bundle/emit/jit.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "tests/support/fixture.h"
#include "tests/support/random.h"

enum { MOST_BYTES = 200 };

/* A module of functions digest_N(data, out, unused) for N = 0 .. MOST_BYTES. */
static struct bytes digests(void)
{
    const struct target *t;
    struct bytes object;
    if (!cpu_target_create(&arena, &(struct cpu_target_options){.cpu = "native"}, &t, &err))
        fail_msg("%s", err.text);
    struct emit e = {.arena = &arena, .target = t, .features = t->features};
    assert_true(emit_open(&e, "digests", &err));
    LLVMTypeRef params[3] = {e.ptr, e.ptr, e.ptr};
    for (unsigned n = 0; n <= MOST_BYTES; n++) {
        plain_function(&e, arena_printf(&arena, "digest_%u", n), e.i32, params, 3,
                       LLVMExternalLinkage);
        plain_store(&e, emit_digest(&e, plain_param(&e, 0), n), plain_param(&e, 1));
        LLVMBuildRet(e.b, plain_i32(&e, 0));
    }
    if (!emit_to_object(&e, NULL, &object, &err))
        fail_msg("%s", err.text);
    emit_close(&e);
    return object;
}

static void it_is_that_of_libxxhash(void **state)
{
    (void)state;
    struct bytes object = digests();
    uint8_t data[MOST_BYTES + 1];
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)random_next(&seed);
    struct jit *jit;
    sheaf_entry_fn fn;
    if (!jit_open(&object, "digest_0", NULL, &jit, &fn, &err))
        fail_msg("%s", err.text);
    for (unsigned n = 0; n <= MOST_BYTES; n++) {
        uint64_t got = 0;
        fn = jit_function(jit, arena_printf(&arena, "digest_%u", n));
        assert_non_null(fn);
        fn(data + 1, (uint8_t *)&got, NULL);
        if (got != XXH64(data + 1, n, 0))
            fail_msg("of %u bytes", n);
    }
    jit_close(jit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_that_of_libxxhash, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
