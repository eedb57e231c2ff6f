/*
 * The worker process that generates code: whatever way it ends, the tool gets one sentence.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bundle/emit/emit_internal.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "ir/passes/passes.h"
#include "tests/support/compiled.h"

static const char CONV[] = "graph \"t\" {\n"
                           "input %x f32 [1,3,8,8]\n"
                           "const %w f32 [16,3,3,3] = fill 0.5\n"
                           "%y = conv (%x, %w)\n"
                           "return %y\n}\n";

/* Emits CONV with a code generator of contractions that does what a test wants. */
static bool emit_with(void (*generator)(struct emit_kernel *, kval, const struct schedule_entry *),
                      struct error *err)
{
    struct compiled c;
    memset(&c, 0, sizeof c);
    arena_init(&c.arena);
    error_init(err);
    struct graph *g = graph_parse(&c.arena, CONV, err);
    struct cpu_target_options opt = {.cpu = "x86-64-v3"};
    assert_non_null(g);
    assert_true(cpu_target_create(&c.arena, &opt, &c.target, err));
    struct target target = *c.target;
    target.emit_contract = generator;
    assert_true(graph_infer(g, err) &&
                passes_run(g, &(struct pass_options){.target = &target}, err));
    struct program *p = program_build(&c.arena, g, err);
    assert_non_null(p);
    struct emit_schedules *s = emit_schedule(&c.arena, p, &target);
    plan_program(p, false);
    struct emit_part part = {p, &target, s};
    struct emit_entry entry = {.name = "net", .parts = &part, .n_parts = 1};
    struct emit_request req = {.source = "net", .entries = &entry, .n_entries = 1};
    struct emit_result result = {0};
    bool ok = emit_object(&c.arena, &req, false, &result, err);
    assert_true(ok || result.object.data == NULL);
    arena_done(&c.arena);
    return ok;
}

static void aborts(struct emit_kernel *ek, kval v, const struct schedule_entry *e)
{
    (void)ek, (void)v, (void)e;
    fprintf(stderr, "LLVM ERROR: Cannot select: this\nand more\n");
    abort();
}

static void exits(struct emit_kernel *ek, kval v, const struct schedule_entry *e)
{
    (void)ek, (void)v, (void)e;
    _exit(3);
}

/* Leaves the kernel without the code it needs: a block that does not end. */
static void emits_nonsense(struct emit_kernel *ek, kval v, const struct schedule_entry *e)
{
    (void)v, (void)e;
    emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, 2), 1);
}

static void an_abort_is_one_sentence(void **state)
{
    (void)state;
    struct error err;
    assert_false(emit_with(aborts, &err));
    assert_int_equal(err.status, SHEAF_ERROR_CODEGEN);
    assert_string_equal(err.text, "code generation was aborted (signal 6): LLVM ERROR: Cannot "
                                  "select: this");
}

static void an_exit_is_one_sentence(void **state)
{
    (void)state;
    struct error err;
    assert_false(emit_with(exits, &err));
    assert_int_equal(err.status, SHEAF_ERROR_CODEGEN);
    assert_string_equal(err.text, "code generation ended with exit code 3");
}

static void invalid_code_is_one_sentence(void **state)
{
    (void)state;
    struct error err;
    assert_false(emit_with(emits_nonsense, &err));
    assert_int_equal(err.status, SHEAF_ERROR_CODEGEN);
    assert_non_null(strstr(err.text, "internal error: invalid LLVM IR"));
    assert_null(strchr(err.text, '\n'));
}

static void an_unknown_triple_is_one_sentence(void **state)
{
    (void)state;
    struct arena a;
    struct error err;
    arena_init(&a);
    error_init(&err);
    const struct target *t;
    struct cpu_target_options opt = {.triple = "z80-unknown-none"};
    assert_false(cpu_target_create(&a, &opt, &t, &err));
    assert_int_equal(err.status, SHEAF_ERROR_UNSUPPORTED);
    error_init(&err);
    opt = (struct cpu_target_options){.cpu = "i8086"};
    assert_false(cpu_target_create(&a, &opt, &t, &err));
    assert_non_null(strstr(err.text, "haswell"));
    error_init(&err);
    opt = (struct cpu_target_options){.features = "+warp"};
    assert_false(cpu_target_create(&a, &opt, &t, &err));
    assert_non_null(strstr(err.text, "option -mattr: feature 'warp' is not known for "));
    arena_done(&a);
}

/* Philox4x32-10 with key 0 and counter 0 gives these words (the known answers that come with
   Random123); the upper 24 bits make the number. */
static void random_numbers_are_philox(void **state)
{
    (void)state;
    static const uint32_t WORDS[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    struct compiled c;
    struct error err;
    error_init(&err);
    compiled_must_open(&c,
                       "graph \"t\" {\nstate %s u64 [2]\n"
                       "%y = random_uniform (%s) {shape=[5]}\nreturn %y\n}\n",
                       "native");
    float first[5];
    assert_true(pipeline_run_once(&c.run, &err));
    memcpy(first, compiled_output(&c, 0), sizeof first);
    for (int i = 0; i < 4; i++)
        assert_true(first[i] == (float)(WORDS[i] >> 8) * 0x1p-24f);
    /* The state moved on; set back to zero it gives the same again. */
    assert_true(pipeline_run_once(&c.run, &err));
    assert_memory_not_equal(first, compiled_output(&c, 0), sizeof first);
    memset(c.run.area[AREA_MUTABLE], 0, (size_t)c.program->area_bytes[AREA_MUTABLE]);
    assert_true(pipeline_run_once(&c.run, &err));
    assert_memory_equal(first, compiled_output(&c, 0), sizeof first);
    compiled_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_abort_is_one_sentence),
        cmocka_unit_test(an_exit_is_one_sentence),
        cmocka_unit_test(invalid_code_is_one_sentence),
        cmocka_unit_test(an_unknown_triple_is_one_sentence),
        cmocka_unit_test(random_numbers_are_philox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
