/*
 * Processors and features: what a bundle says it needs is what its code was made with.
 */
#include <stdlib.h>

#include "cpu_runtime/codegen/cpu_arch.h"
#include "cpu_runtime/codegen/cpu_host.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "cpu_runtime/processor_features.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

static const struct target *target_of(const char *cpu, const char *features)
{
    const struct target *t;
    struct cpu_target_options opt = {
        .triple = "x86_64-linux-gnu", .cpu = cpu, .features = features};
    assert_true(cpu_target_create(&arena, &opt, &t, &err));
    return t;
}

/* `feature` with its sign. */
static bool lists(const struct target *t, const char *feature)
{
    return target_has(t, feature + 1);
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
    assert_string_equal(target_of(NULL, NULL)->cpu, "x86-64-v3");
    assert_int_equal(target_of("sapphirerapids", NULL)->vector_bytes, 64);
    assert_string_equal(target_of(NULL, NULL)->triple, "x86_64-unknown-linux-gnu");
}

static const struct target *made(struct cpu_target_options opt)
{
    const struct target *t = NULL;
    error_init(&err);
    if (!cpu_target_create(&arena, &opt, &t, &err))
        fail_msg("%s %s: %s", opt.triple, opt.cpu ? opt.cpu : "", err.text);
    return t;
}

static void refused(struct cpu_target_options opt, enum sheaf_status status, const char *words)
{
    const struct target *t = NULL;
    error_init(&err);
    if (cpu_target_create(&arena, &opt, &t, &err))
        fail_msg("%s %s is accepted", opt.triple, opt.cpu ? opt.cpu : "");
    assert_int_equal(err.status, status);
    if (!strstr(err.text, words))
        fail_msg("'%s', not with: %s", err.text, words);
    assert_null(strchr(err.text, '\n'));
}

/* ---- every architecture ---- */

/* As it is without options, and how it can be asked for. */
static const struct {
    const char *name, *triple, *other, *cpu;
    int vector_bytes;
    bool fma, independent, floats;
    const char *hard, *soft_abi;
} archs[] = {
    {"x86_64", "x86_64-unknown-linux-gnu", "x86", "x86-64-v3", 32, true, true, true, NULL, NULL},
    {"aarch64", "aarch64-unknown-linux-gnu", "arm64", "generic", 16, true, true, true, NULL, NULL},
    {"armv7", "armv7-unknown-linux-gnueabihf", "armv7-linux-gnueabihf", "generic", 4, false, true,
     true, "armv7-unknown-linux-gnueabihf", NULL},
    {"thumbv6m", "thumbv6m-unknown-none-eabi", "thumbv6m-none-eabi", "cortex-m0", 4, false, false,
     false, NULL, NULL},
    {"thumbv7m", "thumbv7m-unknown-none-eabi", "thumbv7m-none-eabi", "cortex-m3", 4, false, false,
     false, NULL, NULL},
    {"thumbv7em", "thumbv7em-unknown-none-eabi", "thumbv7em-none-eabi", "generic", 4, false, false,
     false, "thumbv7em-unknown-none-eabihf", NULL},
    {"thumbv8m.main", "thumbv8m.main-unknown-none-eabi", "thumbv8m.main-none-eabi", "generic", 4,
     false, false, false, "thumbv8m.main-unknown-none-eabihf", NULL},
    {"thumbv8.1m.main", "thumbv8.1m.main-unknown-none-eabi", "thumbv8.1m.main-none-eabi", "generic",
     4, false, false, false, "thumbv8.1m.main-unknown-none-eabihf", NULL},
    {"riscv64", "riscv64-unknown-linux-gnu", "riscv64-linux-gnu", "generic", 4, true, true, true,
     NULL, "lp64"},
    {"riscv32", "riscv32-unknown-none-elf", "riscv32-none-elf", "generic", 4, false, false, false,
     NULL, "ilp32"},
    {"wasm32", "wasm32-unknown-unknown", "wasm32", "generic", 16, false, false, true, NULL, NULL},
};
enum { N_ARCHS = sizeof archs / sizeof archs[0] };

static void architectures_are_as_stated(void **state)
{
    (void)state;
    for (int i = 0; i < N_ARCHS; i++) {
        const struct target *t = made((struct cpu_target_options){.triple = archs[i].name});
        print_message("%s\n", archs[i].name);
        assert_string_equal(t->triple, archs[i].triple);
        assert_string_equal(t->cpu, archs[i].cpu);
        assert_string_equal(t->abi, "");
        assert_int_equal(t->vector_bytes, archs[i].vector_bytes);
        assert_int_equal(t->has_fma, archs[i].fma);
        assert_int_equal(t->is_position_independent, archs[i].independent);
        assert_int_equal(t->has_float_registers, archs[i].floats);
        const struct target *u = made((struct cpu_target_options){.triple = archs[i].other});
        assert_string_equal(u->triple, archs[i].triple);
        assert_string_equal(u->features, t->features);
    }
}

/* What it chooses there is code for it: NAME_select is made for these two. */
static void two_can_find_out_their_processor(void **state)
{
    (void)state;
    for (int i = 0; i < N_ARCHS; i++) {
        const struct target *t = made((struct cpu_target_options){.triple = archs[i].name});
        assert_int_equal(t->emit_select != NULL, i < 2);
    }
}

/* Each feature of every processor that can be a variant is one that can be asked for. */
static void every_feature_has_its_bit(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct cpu_arch *arch = cpu_arch_find(archs[i].name, &err);
        assert_non_null(arch);
        for (const char *p = cpu_arch_all_features(&arena, arch); *p;) {
            size_t n = strcspn(p, ",");
            bool known = i == 0 ? sheaf_x86_feature(p + 1, n - 1) != NULL
                                : sheaf_arm64_feature(p + 1, n - 1) != NULL;
            if (!known)
                fail_msg("%.*s of %s", (int)n, p, arch->name);
            p += n + (p[n] == ',');
        }
    }
}

/* ---- features ---- */

static void needs_are_closed_everywhere(void **state)
{
    (void)state;
    static const struct {
        const char *arch, *cpu, *features, *has, *lacks;
    } cases[] = {
        {"aarch64", NULL, "+i8mm", "+i8mm", "+bf16"},
        {"armv7", NULL, "+vfp4", "+vfp3", "+neon"},
        {"armv7", NULL, "+neon", "+vfp3", "+vfp4"},
        {"armv7", "cortex-a7", "-vfp3", "+vfp3d16", "+neon"},
        {"armv7", "cortex-a7", "-vfp3", "+vfp3d16", "+vfp4"},
        {"thumbv7em", NULL, "+fp64", "+vfp4d16sp", "+fp-armv8d16sp"},
        {"thumbv8.1m.main", NULL, "+mve.fp", "+mve", "+fp64"},
        {"thumbv8.1m.main", NULL, "+mve.fp", "+vfp4d16sp", "+fp64"},
        {"thumbv8.1m.main", "cortex-m55", "-dsp", "+fullfp16", "+mve"},
        {"riscv64", NULL, "+v", "+d", "+zfh"},
        {"riscv64", "sifive-p670", "-f", "+m", "+v"},
        {"riscv32", "sifive-e76", "-f", "+c", "+f"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct target *t = made((struct cpu_target_options){
            .triple = cases[i].arch, .cpu = cases[i].cpu, .features = cases[i].features});
        if (!lists(t, cases[i].has) || lists(t, cases[i].lacks))
            fail_msg("%s %s: %s", cases[i].arch, cases[i].features, t->features);
    }
}

/* LLVM's processors of ARMv7-A have NEON and 32 registers, whichever features are given. */
static void what_the_processor_lacks_is_dropped(void **state)
{
    (void)state;
    static const struct {
        const char *cpu, *features, *dropped;
        int vector_bytes;
        bool fma;
    } cases[] = {
        {"generic", NULL, "-neon,-d32", 4, false}, {"generic", "+vfp3", "-neon", 4, false},
        {"cortex-a9", NULL, "", 16, false},        {"cortex-a7", NULL, "", 16, true},
        {"cortex-a7", "-neon", "-neon", 4, true},  {"generic", "-vfp3d16", "-vfp2sp", 4, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct target *t = made((struct cpu_target_options){
            .triple = "armv7-linux-gnueabi", .cpu = cases[i].cpu, .features = cases[i].features});
        assert_string_equal(t->dropped, cases[i].dropped);
        assert_int_equal(t->vector_bytes, cases[i].vector_bytes);
        assert_int_equal(t->has_fma, cases[i].fma);
    }
    assert_string_equal(target_of(NULL, NULL)->dropped, "");
}

static void a_feature_is_of_its_architecture(void **state)
{
    (void)state;
    static const struct {
        const char *arch, *features, *words;
    } cases[] = {
        {"aarch64", "+avx2", "feature 'avx2' is not known for aarch64 (known: +neon"},
        {"x86_64", "+neon", "feature 'neon' is not known for x86_64"},
        {"riscv64", "+mve", "'mve' is not known for riscv64 (known: +m,+a,+f,+d,+c,+v)"},
        {"thumbv7em", "+mve", "'mve' is not known for thumbv7em"},
        {"wasm32", "+neon", "'neon' is not known for wasm32"},
        {"x86_64", "avx2", "'avx2' is not of the form +feature or -feature"},
        {"x86_64", "+avx2,,+fma", "'' is not of the form"},
        {"x86_64", "-sse2", "'sse2' is part of x86_64"},
        {"aarch64", "-neon", "'neon' is part of aarch64"},
        {"thumbv7em", "-dsp", "'dsp' is part of thumbv7em"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused((struct cpu_target_options){.triple = cases[i].arch, .features = cases[i].features},
                SHEAF_ERROR_ARGUMENT, cases[i].words);
}

/* ---- bad targets ---- */

static void native_is_this_machine(void **state)
{
    (void)state;
    const char *host = cpu_arch_host()->name;
    const struct target *t = made((struct cpu_target_options){.cpu = "native"});
    assert_int_equal(strncmp(t->triple, host, strlen(host)), 0);
    assert_string_not_equal(t->cpu, "native");
    for (int i = 0; i < N_ARCHS; i++) {
        struct cpu_target_options opt = {.triple = archs[i].name, .cpu = "native"};
        if (strcmp(archs[i].name, host) == 0)
            made(opt);
        else
            refused(opt, SHEAF_ERROR_ARGUMENT, "option -mcpu: 'native' is this machine's");
    }
}

/* What the tool would be for each of these machines. */
static void the_host_is_known_at_compile_time(void **state)
{
    (void)state;
    static const struct {
        const char *compiler, *want;
    } hosts[] = {
        {"gcc", CPU_HOST},
        {"aarch64-linux-gnu-gcc", "aarch64"},
        {"arm-linux-gnueabihf-gcc", "armv7"},
        {"riscv64-linux-gnu-gcc", "riscv64"},
    };
    assert_string_equal(cpu_arch_host()->name, CPU_HOST);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char *text;
        const char *is_there = support_printf("command -v %s >/dev/null", hosts[i].compiler);
        if (support_run(is_there, NULL) != 0) {
            print_message("left out for want of %s\n", hosts[i].compiler);
            continue;
        }
        assert_int_equal(support_run(support_printf("printf '%%s\\n' "
                                                    "'#include \"cpu_runtime/codegen/cpu_host.h\"' "
                                                    "CPU_HOST | %s -I. -E -P -x c - | tr -d '\\n'",
                                                    hosts[i].compiler),
                                     &text),
                         0);
        assert_string_equal(text, support_printf("\"%s\"", hosts[i].want));
        free(text);
    }
}

static void foreign_targets_are_refused(void **state)
{
    (void)state;
    static const char *const systems[] = {
        "x86_64-apple-darwin",
        "aarch64-apple-macosx14.0",
        "arm64-apple-ios",
        "x86_64-pc-windows-msvc",
        "x86_64-w64-mingw32",
        "aarch64-unknown-linux-gnu_ilp32",
        "x86_64-unknown-linux-gnux32",
        "wasm32-wasi",
        "wasm32-unknown-emscripten",
    };
    static const char *const unknown[] = {
        "mips-linux-gnu", "aarch64_be-linux-gnu", "armv7eb-none", "i686-linux-gnu", "", "x86_64v3",
        "-linux-gnu"};
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
        refused((struct cpu_target_options){.triple = systems[i]}, SHEAF_ERROR_UNSUPPORTED,
                "its system takes no objects in ELF format");
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        refused((struct cpu_target_options){.triple = unknown[i]}, SHEAF_ERROR_UNSUPPORTED,
                "is not supported (known: x86_64, aarch64");
    for (int i = 0; i < N_ARCHS; i++)
        refused((struct cpu_target_options){.triple = "vax"}, SHEAF_ERROR_UNSUPPORTED,
                archs[i].name);
    refused((struct cpu_target_options){.triple = "riscv64", .cpu = "cortex-m4"},
            SHEAF_ERROR_ARGUMENT,
            "processor 'cortex-m4' is not known for riscv64 (known: generic, sifive-u74");
}

/* ---- floats in registers ---- */

static void float_abis_follow_the_target(void **state)
{
    (void)state;
    static const struct {
        const char *triple, *cpu;
        enum cpu_float_abi abi;
        const char *want, *want_abi;
    } cases[] = {
        {"armv7", NULL, CPU_FLOAT_ABI_SOFT, "armv7-unknown-linux-gnueabi", ""},
        {"armv7", NULL, CPU_FLOAT_ABI_HARD, "armv7-unknown-linux-gnueabihf", ""},
        {"armv7-linux-gnueabi", NULL, CPU_FLOAT_ABI_DEFAULT, "armv7-unknown-linux-gnueabi", ""},
        {"armv7-linux-gnueabi", NULL, CPU_FLOAT_ABI_HARD, "armv7-unknown-linux-gnueabihf", ""},
        {"thumbv7em", "cortex-m7", CPU_FLOAT_ABI_DEFAULT, "thumbv7em-unknown-none-eabi", ""},
        {"thumbv7em", "cortex-m7", CPU_FLOAT_ABI_HARD, "thumbv7em-unknown-none-eabihf", ""},
        {"thumbv7em-none-eabihf", "cortex-m4", CPU_FLOAT_ABI_DEFAULT,
         "thumbv7em-unknown-none-eabihf", ""},
        {"thumbv8.1m.main-none-eabihf", "cortex-m55", CPU_FLOAT_ABI_HARD,
         "thumbv8.1m.main-unknown-none-eabihf", ""},
        {"thumbv6m", NULL, CPU_FLOAT_ABI_SOFT, "thumbv6m-unknown-none-eabi", ""},
        {"thumbv7em", "cortex-m4", CPU_FLOAT_ABI_SOFT, "thumbv7em-unknown-none-eabi", ""},
        {"riscv64", NULL, CPU_FLOAT_ABI_SOFT, "riscv64-unknown-linux-gnu", "lp64"},
        {"riscv64", NULL, CPU_FLOAT_ABI_HARD, "riscv64-unknown-linux-gnu", ""},
        {"riscv32", NULL, CPU_FLOAT_ABI_SOFT, "riscv32-unknown-none-elf", "ilp32"},
        {"riscv32", "sifive-e76", CPU_FLOAT_ABI_HARD, "riscv32-unknown-none-elf", ""},
        {"aarch64", NULL, CPU_FLOAT_ABI_HARD, "aarch64-unknown-linux-gnu", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct target *t = made((struct cpu_target_options){
            .triple = cases[i].triple, .cpu = cases[i].cpu, .float_abi = cases[i].abi});
        assert_string_equal(t->triple, cases[i].want);
        assert_string_equal(t->abi, cases[i].want_abi);
    }
    for (int i = 0; i < N_ARCHS; i++)
        if (archs[i].soft_abi)
            assert_string_equal(made((struct cpu_target_options){.triple = archs[i].name,
                                                                 .float_abi = CPU_FLOAT_ABI_SOFT})
                                    ->abi,
                                archs[i].soft_abi);
}

static void float_abis_that_clash_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *triple, *cpu, *features;
        enum cpu_float_abi abi;
        const char *words;
    } cases[] = {
        {"thumbv6m", NULL, NULL, CPU_FLOAT_ABI_HARD,
         "option -float-abi: floats cannot be passed in registers, for processor 'cortex-m0'"},
        {"thumbv7em", NULL, NULL, CPU_FLOAT_ABI_HARD, "'generic' has none for them (-mcpu names"},
        {"thumbv7em-none-eabihf", NULL, NULL, CPU_FLOAT_ABI_DEFAULT, "option -target: floats"},
        {"thumbv7em", "cortex-m4", "-vfp4d16sp", CPU_FLOAT_ABI_HARD,
         "with these features has none"},
        {"riscv32", NULL, NULL, CPU_FLOAT_ABI_HARD, "option -float-abi: floats cannot be passed"},
        {"riscv64", NULL, "-f", CPU_FLOAT_ABI_HARD, "with these features has none"},
        {"armv7-linux-gnueabihf", NULL, NULL, CPU_FLOAT_ABI_SOFT,
         "soft, but target 'armv7-linux-gnueabihf' passes floats in registers"},
        {"x86_64", NULL, NULL, CPU_FLOAT_ABI_SOFT, "code for x86_64 passes floats in registers"},
        {"aarch64", NULL, NULL, CPU_FLOAT_ABI_SOFT, "code for aarch64 passes floats in registers"},
        {"wasm32", NULL, NULL, CPU_FLOAT_ABI_SOFT, "code for wasm32 passes floats in registers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused((struct cpu_target_options){.triple = cases[i].triple,
                                            .cpu = cases[i].cpu,
                                            .features = cases[i].features,
                                            .float_abi = cases[i].abi},
                SHEAF_ERROR_ARGUMENT, cases[i].words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_feature_goes_with_what_needs_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_feature_comes_with_what_it_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(levels_have_their_vectors, setup, teardown),
        cmocka_unit_test_setup_teardown(architectures_are_as_stated, setup, teardown),
        cmocka_unit_test_setup_teardown(two_can_find_out_their_processor, setup, teardown),
        cmocka_unit_test_setup_teardown(every_feature_has_its_bit, setup, teardown),
        cmocka_unit_test_setup_teardown(needs_are_closed_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_processor_lacks_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_feature_is_of_its_architecture, setup, teardown),
        cmocka_unit_test_setup_teardown(native_is_this_machine, setup, teardown),
        cmocka_unit_test_setup_teardown(the_host_is_known_at_compile_time, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_targets_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(float_abis_follow_the_target, setup, teardown),
        cmocka_unit_test_setup_teardown(float_abis_that_clash_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
