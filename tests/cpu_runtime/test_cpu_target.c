/*
 * Processors and features: what a bundle says it needs is what its code was made with.
 */
#include "cpu_runtime/codegen/cpu_target.h"
#include "tests/support/fixture.h"

static const struct target *target_of(const char *cpu, const char *features)
{
    const struct target *t;
    struct cpu_target_options opt = {
        .triple = "x86_64-linux-gnu", .cpu = cpu, .features = features};
    assert_true(cpu_target_create(&arena, &opt, &t, &err));
    return t;
}

static bool lists(const struct target *t, const char *feature)
{
    const char *p = strstr(t->features, feature);
    return p && (p[strlen(feature)] == ',' || p[strlen(feature)] == '\0');
}

/* Without avx there is no avx2, no fma and no vector of 32 bytes. */
static void a_feature_goes_with_what_needs_it(void **state)
{
    (void)state;
    const struct target *t = target_of("x86-64-v4", "-avx");
    assert_true(lists(t, "+sse4.2"));
    assert_null(strstr(t->features, "avx"));
    assert_false(lists(t, "+fma"));
    assert_false(t->has_fma);
    assert_int_equal(t->vector_bytes, 16);

    t = target_of("x86-64-v4", "-fma");
    assert_false(lists(t, "+fma"));
    assert_false(lists(t, "+avx512f"));
    assert_true(lists(t, "+avx2"));
    assert_false(t->has_fma);
    assert_int_equal(t->vector_bytes, 32);
}

static void a_feature_comes_with_what_it_needs(void **state)
{
    (void)state;
    const struct target *t = target_of("x86-64", "+avx512vl");
    assert_true(lists(t, "+avx512f"));
    assert_true(lists(t, "+fma"));
    assert_true(lists(t, "+sse4.1"));
    assert_int_equal(t->vector_bytes, 64);
    assert_int_equal(t->n_vector_regs, 32);
}

static void levels_have_their_vectors(void **state)
{
    (void)state;
    assert_int_equal(target_of("x86-64", NULL)->vector_bytes, 16);
    assert_int_equal(target_of(NULL, NULL)->vector_bytes, 32);
    assert_string_equal(target_of(NULL, NULL)->cpu, CPU_TARGET_BASELINE_X86);
    assert_int_equal(target_of("sapphirerapids", NULL)->vector_bytes, 64);
    assert_string_equal(target_of(NULL, NULL)->triple, "x86_64-unknown-linux-gnu");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_feature_goes_with_what_needs_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_feature_comes_with_what_it_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(levels_have_their_vectors, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
