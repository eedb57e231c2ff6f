/*
 * -mcpu=a,b,c: one object with code and weights for several processors.  Each variant computes what
 * a bundle for its processor does, the best one that this machine can run is chosen, and where none
 * can that is said.
 */
#define _XOPEN_SOURCE 700
#include "tests/loader/bundle_run.h"

#include "cpu_runtime/cpu_runtime.h"

/* Each includes those behind it. */
#if defined(__aarch64__)
static const char *const cpus[] = {"neoverse-n2", "cortex-a76", "generic"};
#else
static const char *const cpus[] = {"cascadelake", "x86-64-v3", "x86-64"};
#endif
enum { N_CPUS = 3 };

static bool can_run(const char *features)
{
    size_t length;
    return !sheaf_cpu_missing_feature(features, &length) && sheaf_cpu_permit(features);
}

static int setup(void **state)
{
    (void)state;
    write_net("net.onnx", "2", 2);
    for (int i = 0; i < N_CPUS; i++)
        compile(support_printf("-m net.onnx -mcpu=%s -emit-bundle single%d", cpus[i], i));
    /* The order on the command line does not count. */
    compile(support_printf("-m net.onnx -mcpu=%s,%s,%s -emit-bundle several", cpus[1], cpus[2],
                           cpus[0]));
    return 0;
}

static void each_computes_what_its_own_bundle_does(void **state)
{
    (void)state;
    struct linked_entry several = open_entry("several/net", "net");
    assert_int_equal(several.info->n_variants, N_CPUS);
    assert_int_equal(several.info->struct_size, sizeof *several.info);
    int n_run = 0;
    for (uint32_t v = 0; v < N_CPUS; v++) {
        struct linked_entry single = open_entry(support_printf("single%d/net", (int)v), "net");
        assert_string_equal(several.info->variants[v].cpu, cpus[v]);
        assert_string_equal(several.info->variants[v].features, single.info->features);
        if (!can_run(single.info->features)) {
            print_message("left out for want of %s\n", cpus[v]);
            continue;
        }
        struct result want = run_entry(&single, 3);
        memset(several.activations, 0x5a, several.config->activationsMemSize);
        fill_input(tensor_of(&several, "x"), 3);
        assert_int_equal(
            several.info->run(v, several.constants, several.mutables, several.activations),
            SHEAF_OK);
        struct result got = result_of(&several);
        expect_same(&got, &want);
        n_run++;
    }
    assert_true(n_run > 0);
}

/* -overlay-io: one place of each input and output among the activations of all. */
static void inputs_and_outputs_lie_at_one_place(void **state)
{
    (void)state;
    compile(support_printf("-m net.onnx -mcpu=%s,%s,%s -overlay-io -emit-bundle overlaid", cpus[0],
                           cpus[1], cpus[2]));
    struct linked_entry o = open_entry("overlaid/net", "net"), single;
    assert_int_equal(o.config->mutableWeightVarsMemSize, 0);
    assert_int_equal(o.info->n_overlaid, 3);
    int n_run = 0;
    for (uint32_t v = 0; v < N_CPUS; v++) {
        if (!can_run(o.info->variants[v].features))
            continue;
        single = open_entry(support_printf("single%d/net", (int)v), "net");
        struct result want = run_entry(&single, 6);
        memset(o.activations, 0x5a, o.config->activationsMemSize);
        fill_input(tensor_of(&o, "x"), 6);
        assert_int_equal(o.info->run(v, o.constants, o.mutables, o.activations), SHEAF_OK);
        struct result got = result_of(&o);
        expect_same(&got, &want);
        n_run++;
    }
    assert_true(n_run > 0);
}

/* Packings that processors have in common lie once. */
static void constants_are_shared(void **state)
{
    (void)state;
    size_t sum = 0, largest = 0;
    for (int i = 0; i < N_CPUS; i++) {
        size_t n = size_of(support_printf("single%d/net.weights", i));
        sum += n;
        largest = n > largest ? n : largest;
    }
    size_t all = size_of("several/net.weights");
    assert_true(all >= largest && all < sum);
    struct linked_entry o = open_entry("several/net", "net");
    for (size_t i = 0; i < o.config->numSymbols; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(o.config->symbolTable[i].name, o.config->symbolTable[k].name);
}

static void the_best_is_chosen(void **state)
{
    (void)state;
    struct linked_entry o = open_entry("several/net", "net");
    uint32_t chosen = o.info->select();
    assert_true(chosen < N_CPUS);
    for (uint32_t v = 0; v < N_CPUS; v++)
        assert_int_equal(can_run(o.info->variants[v].features), v >= chosen);
    struct result got = run_entry(&o, 4);
    fill_input(tensor_of(&o, "x"), 4);
    assert_int_equal(o.info->run(chosen, o.constants, o.mutables, o.activations), SHEAF_OK);
    struct result want = result_of(&o);
    expect_same(&got, &want);
    assert_int_equal(o.info->run(N_CPUS, o.constants, o.mutables, o.activations),
                     SHEAF_ERROR_PROCESSOR);
    assert_int_equal(o.info->run(SHEAF_NO_VARIANT, o.constants, o.mutables, o.activations),
                     SHEAF_ERROR_PROCESSOR);
}

static void the_runtime_runs_it(void **state)
{
    (void)state;
    struct linked_entry o = open_entry("several/net", "net"), single;
    sheaf_bundle *b;
    struct sheaf_error err;
    struct sheaf_linked linked = {.config = o.config, .info = o.info, .entry = o.entry};
    if (sheaf_open_linked(&linked, path_of("several/net.weights"), &b, &err) != SHEAF_OK)
        fail_msg("%s", err.text);
    struct sheaf_tensor_desc x, y;
    assert_int_equal(sheaf_tensor(b, "x", &x, &err), SHEAF_OK);
    fill_input(x.data, 5);
    assert_int_equal(sheaf_run(b, &err), SHEAF_OK);
    assert_int_equal(sheaf_tensor(b, "y", &y, &err), SHEAF_OK);
    single = open_entry(support_printf("single%u/net", (unsigned)o.info->select()), "net");
    struct result want = run_entry(&single, 5);
    assert_memory_equal(y.data, want.y, sizeof want.y);
    sheaf_close(b);
}

#if defined(__x86_64__)
/* Every variant needs what this machine lacks. */
static void without_a_variant_nothing_runs(void **state)
{
    (void)state;
    if (can_run("+amx-tile")) {
        print_message("skipped for want of a processor without AMX\n");
        skip();
    }
    compile("-m net.onnx -mcpu=cascadelake,sapphirerapids -mattr=+amx-tile -emit-bundle tiles");
    struct linked_entry o = open_entry("tiles/net", "net");
    assert_int_equal(o.info->select(), SHEAF_NO_VARIANT);
    assert_int_equal(o.entry(o.constants, o.mutables, o.activations), SHEAF_ERROR_PROCESSOR);
    sheaf_bundle *b = NULL;
    struct sheaf_error err;
    struct sheaf_linked linked = {.config = o.config, .info = o.info, .entry = o.entry};
    assert_int_equal(sheaf_open_linked(&linked, path_of("tiles/net.weights"), &b, &err),
                     SHEAF_ERROR_PROCESSOR);
    assert_null(b);
    assert_non_null(strstr(err.text, "net: the bundle "));
    assert_null(strchr(err.text, '\n'));
}
#endif

/* What the object says of itself is checked before it is called. */
static void malformed_variants_are_refused(void **state)
{
    (void)state;
    struct linked_entry o = open_entry("several/net", "net");
    struct sheaf_bundle_info info[4];
    for (int i = 0; i < 4; i++) {
        info[i] = *o.info;
        if (i == 0)
            info[i].select = NULL;
        else if (i == 1)
            info[i].run = NULL;
        else if (i == 2)
            info[i].variants = NULL;
        else
            info[i].struct_size = (uint32_t)offsetof(struct sheaf_bundle_info, run);
        sheaf_bundle *b;
        struct sheaf_error err;
        struct sheaf_linked linked = {.config = o.config, .info = &info[i], .entry = o.entry};
        assert_int_equal(sheaf_open_linked(&linked, path_of("several/net.weights"), &b, &err),
                         SHEAF_ERROR_FORMAT);
        assert_string_equal(err.text, "net: the bundle's variants are malformed");
    }
}

/* ---- programs ---- */

/* Prints which variant was chosen and what it computes. */
static const char client[] =
    "#include <stdio.h>\n"
    "#include \"net.h\"\n"
    "SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t c[NET_CONSTANT_MEM_SIZE];\n"
    "SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t m[NET_MUTABLE_MEM_SIZE];\n"
    "SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t a[NET_ACTIVATIONS_MEM_SIZE];\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "    FILE *f = argc > 1 ? fopen(argv[1], \"rb\") : NULL;\n"
    "    if (!f || fread(c, 1, sizeof c, f) != sizeof c)\n"
    "        return 1;\n"
    "    for (int i = 0; i < 32; i++)\n"
    "        net_get_x(m)[i] = (float)((i * 7 + 3 * 5) % 9 - 4);\n"
    "    uint32_t chosen = net_select();\n"
    "    printf(\"%s:\", chosen == SHEAF_NO_VARIANT ? \"none\" : net_info.variants[chosen].cpu);\n"
    "    if (net(c, m, a) || net_run(chosen, c, m, a))\n"
    "        return 2;\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        printf(\" %g\", net_get_y(m)[i]);\n"
    "    printf(\" %d\\n\", (int)net_extent_1_where(a));\n"
    "    return 0;\n"
    "}\n";

static void the_header_suits_c_and_cpp(void **state)
{
    (void)state;
    struct linked_entry o = open_entry("several/net", "net");
    const char *chosen = o.info->variants[o.info->select()].cpu;
    expect_client_prints(client, "several", "net", "several/net.weights",
                         support_printf("%s:", chosen));
}

static bool have(const char *program)
{
    return support_run(support_printf("command -v %s", program), NULL) == 0;
}

static void arm64_chooses_too(void **state)
{
    (void)state;
    static const char *const programs[] = {"qemu-aarch64", "aarch64-linux-gnu-gcc"};
    static const struct {
        const char *machine, *chosen;
    } cases[] = {{"cortex-a53", "generic"}, {"cortex-a76", "cortex-a76"}, {"max", "neoverse-n2"}};
    for (int i = 0; i < 2; i++)
        SUPPORT_NEED(have(programs[i]) ? programs[i] : NULL, programs[i]);
    compile("-m net.onnx -target=aarch64 -mcpu=generic,neoverse-n2,cortex-a76 -emit-bundle arm");
    support_write_file(path_of("client.c"), client, sizeof client - 1);
    run_or_fail(support_printf("cd '%s' && aarch64-linux-gnu-gcc -static -Wall -Wextra -Werror "
                               "-Iarm client.c arm/net.o -o arm/client",
                               support_tmp()),
                NULL);
    const char *rest = NULL;
    char *kept[sizeof cases / sizeof *cases];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *out;
        run_or_fail(support_printf("cd '%s' && qemu-aarch64 -cpu %s arm/client arm/net.weights",
                                   support_tmp(), cases[i].machine),
                    &out);
        size_t n = strlen(cases[i].chosen);
        if (strncmp(out, cases[i].chosen, n) != 0 || out[n] != ':')
            fail_msg("on %s: %s", cases[i].machine, out);
        if (rest)
            assert_string_equal(out + n, rest);
        rest = out + n;
        kept[i] = out;
    }
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        free(kept[i]);
}

/* ---- bad input ---- */

static void wrong_lists_are_refused(void **state)
{
    (void)state;
    tool_expect_fault("-m net.onnx -mcpu=x86-64,x86-64-v3", "option -mcpu names 2 processors: only "
                                                            "a bundle holds code for several");
    tool_expect_fault("-m net.onnx -target=x86_64 -mcpu=haswell,skylake -emit-bundle b",
                      "'haswell' and 'skylake' have the same features, so one of them would never "
                      "run");
    tool_expect_fault("-m net.onnx -target=x86_64 -mcpu=x86-64,x86-64-v3,x86-64 -emit-bundle b",
                      "'x86-64' and 'x86-64' have the same features");
    tool_expect_fault("-m net.onnx -target=armv7 -mcpu=cortex-a9,cortex-a7 -emit-bundle b",
                      "programs for armv7-unknown-linux-gnueabihf cannot find out their processor");
    tool_expect_fault("-m net.onnx -target=x86_64 -mcpu=x86-64,cortex-a53 -emit-bundle b",
                      "processor 'cortex-a53' is not known for x86_64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_computes_what_its_own_bundle_does),
        cmocka_unit_test(inputs_and_outputs_lie_at_one_place),
        cmocka_unit_test(constants_are_shared),
        cmocka_unit_test(the_best_is_chosen),
        cmocka_unit_test(the_runtime_runs_it),
#if defined(__x86_64__)
        cmocka_unit_test(without_a_variant_nothing_runs),
#endif
        cmocka_unit_test(malformed_variants_are_refused),
        cmocka_unit_test(the_header_suits_c_and_cpp),
        cmocka_unit_test(arm64_chooses_too),
        cmocka_unit_test(wrong_lists_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
