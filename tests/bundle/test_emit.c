/*
 * Compiled code against the evaluator: every case below, for each processor level that this machine
 * runs, on random inputs and, where the arithmetic has one defined result, on edge values.  Every
 * object is checked for undefined symbols and writable data on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/compiled.h"
#include "tests/support/support.h"

static const char *const CPUS[] = {"x86-64", "x86-64-v3", "x86-64-v4", "native"};

struct emit_case {
    const char *name;
    bool edges; /* compare on edge values too */
    const char *text;
};

static const struct emit_case CASES[] = {
#define CASE(name, edges, text) {name, edges, "graph \"t\" {\n" text "\n}\n"},
#include "tests/bundle/emit_cases.def"
#undef CASE
};

static void check(const struct emit_case *c, const char *cpu)
{
    struct error err;
    error_init(&err);
    struct compiled net;
    struct strbuf report;
    bool ok = compiled_open(&net, c->text, cpu, &err);
    for (int round = 0; ok && round < (c->edges ? 3 : 2); round++) {
        strbuf_init(&report, &net.arena);
        compiled_fill(&net, round == 2 ? COMPILED_EDGES : COMPILED_RANDOM, (uint64_t)round + 1);
        ok = pipeline_run_verify(&net.run, &report, &err);
    }
    if (!ok)
        print_error("%s on %s: %s\n", c->name, cpu, err.text);
    compiled_close(&net);
    assert_true(ok);
}

static void emit_case_agrees(void **state)
{
    const struct emit_case *c = *state;
    for (size_t i = 0; i < sizeof CPUS / sizeof CPUS[0]; i++)
        if (compiled_host_runs(CPUS[i]))
            check(c, CPUS[i]);
}

/* The same graph gives the same bytes, run by run. */
static void same_input_same_bytes(void **state)
{
    (void)state;
    struct compiled a, b;
    struct error err;
    error_init(&err);
    assert_true(compiled_open(&a, CASES[0].text, "x86-64-v3", &err));
    assert_true(compiled_open(&b, CASES[0].text, "x86-64-v3", &err));
    assert_int_equal(a.code.object.size, b.code.object.size);
    assert_memory_equal(a.code.object.data, b.code.object.data, a.code.object.size);
    compiled_close(&a);
    compiled_close(&b);
}

/* An argument is a pattern of the cases to run, with * and ?. */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    enum { N = sizeof CASES / sizeof CASES[0] };
    struct CMUnitTest tests[N + 1];
    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){.name = CASES[i].name,
                                       .test_func = emit_case_agrees,
                                       .initial_state = (void *)(uintptr_t)&CASES[i]};
    tests[N] = (struct CMUnitTest)cmocka_unit_test(same_input_same_bytes);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
