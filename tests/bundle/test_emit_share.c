/*
 * Small code: kernels that differ in numbers only share a function, which computes for each of them
 * what its own would; others do not.
 */
#include <string.h>

#include "bundle/read/object.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "tests/support/compiled.h"
#include "tests/support/fixture.h"

/* Three convolutions with other numbers of channels and other weights, and something else. */
static const char NET[] = "graph \"t\" {\n"
                          "input %x f32 [1,4,13,9]\n"
                          "const %u f32 [8,4,3,3] = fill 0.25\n"
                          "const %v f32 [12,8,3,3] = fill 0.5\n"
                          "const %w f32 [16,12,3,3] = fill -0.125\n"
                          "%a = conv (%x, %u) {pads=[1,1,1,1]}\n"
                          "%b = conv (%a, %v) {pads=[1,1,1,1]}\n"
                          "%c = conv (%b, %w) {pads=[1,1,1,1]}\n"
                          "%y = softmax (%c) {axis=1}\n"
                          "return %y\n}\n";

/* Functions whose names are those of kernels. */
static size_t kernels_in(const struct bytes *code)
{
    struct object o;
    size_t n = 0;
    assert_null(object_open(code->data, code->size, &o));
    for (uint32_t i = 1; i < o.n_symbols; i++) {
        struct object_symbol s;
        n += object_symbol(&o, i, &s) && s.is_function && s.name[0] == 'k' && strchr(s.name, '.');
    }
    return n;
}

static size_t kernels_of(const char *text, struct cpu_target_options opt)
{
    struct compiled c;
    if (!compiled_emit(&c, text, &opt, &err))
        fail_msg("%s", err.text);
    size_t n = kernels_in(&c.code.object);
    compiled_close(&c);
    return n;
}

static void kernels_that_differ_in_numbers_are_one(void **state)
{
    (void)state;
    static const struct {
        const char *triple, *cpu;
    } targets[] = {{"thumbv7em", "cortex-m4"}, {"thumbv6m", NULL}, {"riscv32", NULL}};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct cpu_target_options opt = {.triple = targets[i].triple, .cpu = targets[i].cpu};
        assert_int_equal(kernels_of(NET, opt), 4);
        opt.optimize_size = true;
        assert_int_equal(kernels_of(NET, opt), 2);
    }
}

/* What is not worth a table stays: one element each. */
static void little_kernels_stay(void **state)
{
    (void)state;
    static const char text[] = "graph \"t\" {\n"
                               "input %x f32 [1]\ninput %z f32 [1]\n"
                               "const %c f32 [] = {0.25}\nconst %d f32 [] = {0.5}\n"
                               "%a = mul (%x, %c)\n%b = mul (%z, %d)\n"
                               "return %a, %b\n}\n";
    struct cpu_target_options opt = {.triple = "thumbv7em", .cpu = "cortex-m4"};
    size_t n = kernels_of(text, opt);
    opt.optimize_size = true;
    assert_int_equal(kernels_of(text, opt), n);
}

static void shared_kernels_compute_the_same(void **state)
{
    (void)state;
    static const char *const cpus[] = {"x86-64,-Os", "x86-64-v3,-Os", "native,-Os"};
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        struct compiled c;
        struct strbuf report;
        if (!compiled_host_runs(cpus[i]))
            continue;
        compiled_must_open(&c, NET, cpus[i]);
        compiled_fill(&c, COMPILED_RANDOM, 1);
        strbuf_init(&report, &c.arena);
        if (!pipeline_run_verify(&c.run, &report, &err))
            fail_msg("%s: %s", cpus[i], err.text);
        compiled_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kernels_that_differ_in_numbers_are_one, setup, teardown),
        cmocka_unit_test_setup_teardown(little_kernels_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(shared_kernels_compute_the_same, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
