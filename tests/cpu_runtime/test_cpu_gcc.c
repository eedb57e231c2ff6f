/*
 * GCC's names of processors: what each stands for exists here, and what is unknown is refused.
 */
#include "cpu_runtime/codegen/cpu_gcc.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "tests/support/fixture.h"

/* The features that a library for -march=`march` may use. */
static const char *features_of(const char *device, const char *march)
{
    const struct cpu_arch *arch = cpu_arch_find(device, &err);
    const char *cpu, *changes;
    const struct target *t;
    assert_non_null(arch);
    if (!cpu_gcc_march(&arena, arch, march, &cpu, &changes, &err))
        fail_msg("%s", err.text);
    struct cpu_target_options opt = {
        .triple = device, .cpu = cpu, .features = *changes ? changes : NULL};
    if (!cpu_target_create(&arena, &opt, &t, &err))
        fail_msg("%s: %s", march, err.text);
    return t->features;
}

static bool lists(const char *features, const char *name)
{
    return target_lists(features, name, strlen(name));
}

static void names_stand_for_features(void **state)
{
    (void)state;
    assert_true(lists(features_of("x86_64", "x86-64-v3"), "avx2"));
    assert_true(lists(features_of("x86_64", "core-avx2"), "fma"));
    assert_true(lists(features_of("x86_64", "sandybridge"), "avx"));
    assert_false(lists(features_of("x86_64", "sandybridge"), "avx2"));
    assert_false(lists(features_of("x86_64", "core2"), "sse4.1"));
    assert_true(lists(features_of("x86_64", "nocona"), "sse3"));
    assert_true(lists(features_of("x86_64", "btver2"), "f16c"));
    assert_false(lists(features_of("x86_64", "btver2"), "avx2"));
    assert_true(lists(features_of("x86_64", "bdver2"), "fma"));
    assert_true(lists(features_of("x86_64", "cooperlake"), "avx512bf16"));
    assert_false(lists(features_of("aarch64", "armv8-a"), "dotprod"));
    assert_true(lists(features_of("aarch64", "armv8.4-a"), "dotprod"));
    assert_true(lists(features_of("aarch64", "armv8.6-a"), "i8mm"));
    assert_true(lists(features_of("armv7", "armv7-a+neon-vfpv4"), "neon"));
    assert_true(lists(features_of("armv7", "armv7-a+neon-vfpv4"), "vfp4"));
    assert_true(lists(features_of("riscv64", "rv64gcv"), "v"));
    assert_false(lists(features_of("riscv64", "rv64gc"), "v"));
}

static void extensions_add_and_remove(void **state)
{
    (void)state;
    const char *f = features_of("aarch64", "armv8.2-a+dotprod+fp16+crc");
    assert_true(lists(f, "dotprod") && lists(f, "fullfp16") && !lists(f, "crc"));
    f = features_of("aarch64", "armv8.6-a+noi8mm");
    assert_true(lists(f, "dotprod") && !lists(f, "i8mm"));
}

/* What all code for the architecture uses is not left out, and not silently used either. */
static void what_code_cannot_do_without(void **state)
{
    (void)state;
    static const char *const marches[] = {"armv8.2-a+nosimd", "armv8-a+crc+nofp"};
    const struct cpu_arch *arch = cpu_arch_find("aarch64", &err);
    for (size_t i = 0; i < sizeof marches / sizeof *marches; i++) {
        const char *cpu, *changes;
        error_init(&err);
        assert_false(cpu_gcc_march(&arena, arch, marches[i], &cpu, &changes, &err));
        assert_non_null(strstr(err.text, "code for aarch64 cannot do without '"));
    }
    assert_true(lists(features_of("aarch64", "armv8-a+simd+fp"), "neon"));
}

static void what_is_unknown_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"x86_64", "armv8-a"},          {"x86_64", ""},          {"x86_64", "haswell+avx"},
        {"aarch64", "armv8-a+"},        {"aarch64", "haswell"},  {"aarch64", "native"},
        {"aarch64", "armv8-a+nothing"}, {"riscv64", "rv64gcvx"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *cpu = NULL, *changes = NULL;
        const struct cpu_arch *arch = cpu_arch_find(cases[i][0], &err);
        error_init(&err);
        bool is_host = arch == cpu_arch_host() && strcmp(cases[i][1], "native") == 0;
        if (!is_host && cpu_gcc_march(&arena, arch, cases[i][1], &cpu, &changes, &err))
            fail_msg("'%s' is taken for %s", cases[i][1], cases[i][0]);
        assert_null(cpu);
        if (!is_host)
            assert_non_null(strstr(err.text, "(known: "));
    }
}

/* Every name in the list of an error is taken, and names a processor that exists. */
static void what_is_listed_is_known(void **state)
{
    (void)state;
    static const char *const archs[] = {"x86_64", "aarch64", "armv7", "riscv64"};
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        const struct cpu_arch *arch = cpu_arch_find(archs[i], &err);
        const char *cpu, *changes;
        error_init(&err);
        assert_false(cpu_gcc_march(&arena, arch, "?", &cpu, &changes, &err));
        const char *p = strstr(err.text, "(known: ") + strlen("(known: ");
        int n_names = 0;
        while (*p && *p != ')') {
            size_t n = strcspn(p, ",)");
            const char *name = arena_strndup(&arena, p, n);
            if (strcmp(name, "native") != 0)
                features_of(archs[i],
                            *name == '+'
                                ? arena_printf(&arena, "%s%s", i == 1 ? "armv8-a" : "armv7-a", name)
                                : name);
            n_names++;
            p += n + strspn(p + n, ", ");
        }
        assert_true(n_names > 3);
    }
}

static void processors_to_tune_for(void **state)
{
    (void)state;
    const struct cpu_arch *arch = cpu_arch_find("x86_64", &err);
    const char *cpu;
    assert_true(cpu_gcc_mtune(&arena, arch, "znver2", &cpu, &err));
    assert_string_equal(cpu, "znver2");
    assert_true(cpu_gcc_mtune(&arena, arch, "generic", &cpu, &err));
    assert_string_equal(cpu, "x86-64");
    assert_true(cpu_gcc_mtune(&arena, arch, "intel", &cpu, &err));
    assert_false(cpu_gcc_mtune(&arena, arch, "z80", &cpu, &err));
    assert_non_null(strstr(err.text, "option -mtune: 'z80' is not known for x86_64"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_stand_for_features, setup, teardown),
        cmocka_unit_test_setup_teardown(extensions_add_and_remove, setup, teardown),
        cmocka_unit_test_setup_teardown(what_code_cannot_do_without, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_unknown_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_listed_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(processors_to_tune_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
