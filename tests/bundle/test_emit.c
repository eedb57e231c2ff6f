/*
 * Compiled code against the evaluator: every case below, for each processor level that this machine
 * runs (a repetition takes turns with them), on random inputs and, where the arithmetic has one
 * defined result, on edge values, and then all bits must agree.  Every object is checked for
 * undefined symbols and writable data on the way.
 */
#define _XOPEN_SOURCE 700 /* setenv */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/write/bundle.h"
#include "ir/ops.h"
#include "tests/support/compiled.h"
#include "tests/support/support.h"

static const char *const CPUS[] = {"x86-64",     "x86-64-v3",     "x86-64-v4", "native",
                                   "x86-64,-Os", "x86-64-v3,-Os", "ve,3"};

struct emit_case {
    const char *name;
    bool edges; /* one defined result: compare on edge values too, and exactly */
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
    /* A part of a byte is stored with the others, which nobody may have written. */
    bool parts = strstr(c->name, "int4") || strstr(c->name, "f4e2m1") || strstr(c->name, "_i2");
    setenv("SHEAF_SIM_VE_UNWRITTEN", parts ? "1" : "0", 1);
    error_init(&err);
    struct compiled net;
    struct strbuf report;
    bool ok = compiled_open(&net, c->text, cpu, &err);
    for (int round = 0; ok && round < (c->edges ? 3 : 2); round++) {
        strbuf_init(&report, &net.arena);
        compiled_fill(&net, round == 2 ? COMPILED_EDGES : COMPILED_RANDOM, (uint64_t)round + 1);
        ok = pipeline_run_verify(&net.run, &report, &err) &&
             (!c->edges || compiled_all_equal(&report, &err));
    }
    if (!ok)
        print_error("%s on %s: %s\n", c->name, cpu, err.text);
    compiled_close(&net);
    assert_true(ok);
}

static void emit_case_agrees(void **state)
{
    const struct emit_case *c = *state;
    size_t step = support_quick() ? 3 : 1;
    for (size_t i = (size_t)(c - CASES) % step; i < sizeof CPUS / sizeof CPUS[0]; i += step)
        if (compiled_host_runs(CPUS[i]))
            check(c, CPUS[i]);
}

/* The same graph gives the same bytes, run by run. */
static void same_input_same_bytes(void **state)
{
    (void)state;
    struct compiled a, b;
    compiled_must_open(&a, CASES[0].text, "x86-64-v3");
    compiled_must_open(&b, CASES[0].text, "x86-64-v3");
    assert_int_equal(a.code.object.size, b.code.object.size);
    assert_memory_equal(a.code.object.data, b.code.object.data, a.code.object.size);
    compiled_close(&a);
    compiled_close(&b);
}

/* The functions of kernels have names of their own; none may take the entry's. */
static void entry_may_be_named_like_a_kernel(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"k0", "k1", "x_config", "entry"};
    struct compiled net;
    struct error err;
    error_init(&err);
    compiled_must_open(&net, CASES[0].text, "x86-64-v3");
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        struct emit_result code;
        net.entry.name = NAMES[i];
        assert_true(emit_object(&net.arena, &net.request, false, &code, &err));
        bool ok = bundle_check_object(&code.object, NAMES[i], &err);
        if (!ok)
            print_error("%s\n", err.text);
        assert_true(ok);
    }
    compiled_close(&net);
}

/* An activations area of no bytes may have no address: padding around nothing reads nothing. */
static void nothing_is_read_from_an_empty_buffer(void **state)
{
    (void)state;
    struct compiled net;
    struct error err;
    error_init(&err);
    compiled_must_open(&net,
                       "graph \"t\" {\ninput %x f32 [2,0]\n"
                       "const %p i64 [4] = {0, 3, 0, 1}\n%r = relu (%x)\n"
                       "%y = pad (%r, %p)\nreturn %y\n}\n",
                       "native");
    assert_int_equal(net.program->area_bytes[AREA_ACTIVATION], 0);
    net.run.area[AREA_ACTIVATION] = NULL;
    float *y = compiled_output(&net, 0);
    for (int i = 0; i < 8; i++)
        y[i] = 1;
    assert_true(pipeline_run_once(&net.run, &err));
    for (int i = 0; i < 8; i++)
        assert_true(y[i] == 0);
    compiled_close(&net);
}

static bool any_case_has(const char *op)
{
    char call[80];
    snprintf(call, sizeof call, "= %s (", op);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        if (strstr(CASES[i].text, call))
            return true;
    return false;
}

static void every_operator_has_a_case(void **state)
{
    (void)state;
    int missing = 0;
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
        const char *id = op_desc((enum op)op)->id;
        bool is_extern = op_desc((enum op)op)->flags & OP_EXTERN; /* tests/loader/test_extern.c */
        if (is_extern || any_case_has(id))
            continue;
        print_error("operator '%s' is in no case of emit_cases.def\n", id);
        missing++;
    }
    assert_int_equal(missing, 0);
}

/* An argument is a pattern of the cases to run, with * and ?. */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    enum { N = sizeof CASES / sizeof CASES[0] };
    struct CMUnitTest tests[N + 4];
    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){.name = CASES[i].name,
                                       .test_func = emit_case_agrees,
                                       .initial_state = (void *)(uintptr_t)&CASES[i]};
    tests[N] = (struct CMUnitTest)cmocka_unit_test(same_input_same_bytes);
    tests[N + 1] = (struct CMUnitTest)cmocka_unit_test(every_operator_has_a_case);
    tests[N + 2] = (struct CMUnitTest)cmocka_unit_test(entry_may_be_named_like_a_kernel);
    tests[N + 3] = (struct CMUnitTest)cmocka_unit_test(nothing_is_read_from_an_empty_buffer);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
