/*
 * Objects for processors that lack instructions: whatever the network, nothing is left undefined,
 * for the routines of bundle/emit/support lie in the object, and only those that are needed.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/emit/support.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "tests/support/compiled.h"
#include "tests/support/cross.h"
#include "tests/support/module.h"
#include "tests/support/random.h"
#include "tests/support/support.h"

static const char *const CASES[][2] = {
#define CASE(name, edges, text) {name, "graph \"t\" {\n" text "\n}\n"},
#include "tests/bundle/emit_cases.def"
#undef CASE
};
enum { N_CASES = sizeof CASES / sizeof CASES[0] };

static const struct cpu_target_options TARGETS[] = {
    {.triple = "thumbv6m", .cpu = "cortex-m0"},
    {.triple = "thumbv7m", .cpu = "cortex-m3"},
    {.triple = "thumbv7em", .cpu = "cortex-m4"},
    {.triple = "thumbv7em", .cpu = "cortex-m4", .float_abi = CPU_FLOAT_ABI_HARD},
    {.triple = "thumbv7em", .cpu = "cortex-m7"},
    {.triple = "thumbv8m.main", .cpu = "cortex-m33"},
    {.triple = "thumbv8.1m.main", .cpu = "cortex-m55"},
    {.triple = "armv7", .cpu = "generic"},
    {.triple = "armv7", .cpu = "cortex-a7"},
    {.triple = "riscv32", .cpu = "generic"},
    {.triple = "riscv32", .cpu = "generic", .features = "-m"},
    {.triple = "riscv32", .cpu = "sifive-e76"},
    {.triple = "riscv64", .cpu = "generic"},
    {.triple = "riscv64", .cpu = "generic", .features = "-d,-f,-m"},
    {.triple = "aarch64", .cpu = "generic"},
};
enum { N_TARGETS = sizeof TARGETS / sizeof TARGETS[0] };

/* All cases on the processor that lacks most; of the others each target gets a share. */
static bool is_left_out(size_t i, size_t t)
{
    if (support_full())
        return false;
    return t == 0 ? support_quick() && i % 4 : i % N_TARGETS != t;
}

static void nothing_is_undefined(void **state)
{
    (void)state;
    size_t n_bad = 0;
    for (size_t t = 0; t < N_TARGETS; t++)
        for (size_t i = 0; i < N_CASES; i++) {
            if (is_left_out(i, t))
                continue;
            struct compiled c;
            struct error err;
            error_init(&err);
            if (!compiled_emit(&c, CASES[i][1], &TARGETS[t], &err)) {
                print_error("%s on %s %s: %s\n", CASES[i][0], TARGETS[t].triple, TARGETS[t].cpu,
                            err.text);
                n_bad++;
            }
            compiled_close(&c);
        }
    assert_int_equal(n_bad, 0);
}

/* ---- what the back ends make of the routines ---- */

enum { MAX_ROUTINES = 160 };

/* Who calls whom, from the assembly text; routines are numbered as support_name does. */
struct calls {
    bool from[MAX_ROUTINES][MAX_ROUTINES];
    int depth[MAX_ROUTINES]; /* -1: being walked */
};

static size_t number_of(const char *name, size_t length, bool is_arm)
{
    const char *known;
    size_t i = 0;
    for (; (known = support_name(i, is_arm)); i++)
        if (strlen(known) == length && strncmp(known, name, length) == 0)
            break;
    assert_true(i < MAX_ROUTINES);
    return i;
}

/* Where the callee's name begins in the operands: first, or where they load its address. */
static const char *callee_in(const char *operands)
{
    const char *at = memchr(operands, '@', strcspn(operands, "\n"));
    if (!at || strncmp(at, "@plt_lo", 7) != 0)
        return operands;
    while (at[-1] != ' ')
        at--;
    return at;
}

/* A line is "NAME:", or a tab, an instruction, and its operands. */
static void read_calls(const char *text, bool is_arm, struct calls *out_calls)
{
    size_t caller = 0;
    memset(out_calls, 0, sizeof *out_calls);
    for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        size_t n = strcspn(p, ":\n");
        bool is_label = p[n] == ':' && *p != '\t' && *p != '.' && *p != '@' && *p != '#';
        if (is_label && support_name(number_of(p, n, is_arm), is_arm))
            caller = number_of(p, n, is_arm);
        if (p[0] != '\t' || p[1] == '.')
            continue;
        const char *operand = p + 1 + strcspn(p + 1, "\t \n");
        operand = callee_in(operand + strspn(operand, "\t "));
        size_t callee = number_of(operand, strcspn(operand, "\t\n @"), is_arm);
        if (support_name(callee, is_arm))
            out_calls->from[caller][callee] = true;
    }
}

static bool ends(struct calls *c, size_t i)
{
    if (c->depth[i])
        return c->depth[i] > 0;
    c->depth[i] = -1;
    for (size_t k = 0; k < MAX_ROUTINES; k++)
        if (c->from[i][k] && !ends(c, k))
            return false;
    c->depth[i] = 1;
    return true;
}

/* LLVM may see through a routine, and make a call of it out of its own body. */
static void no_routine_calls_itself(void **state)
{
    (void)state;
    static const char *const ROUTINE_TARGETS[][3] = {
        {"thumbv6m-unknown-none-eabi", "generic", ""},
        {"thumbv7m-unknown-none-eabi", "generic", ""},
        {"thumbv7em-unknown-none-eabihf", "generic", "+dsp,+vfp4d16sp"},
        {"armv7-unknown-linux-gnueabihf", "generic", "+vfp3d16"},
        {"riscv32-unknown-none-elf", "generic-rv32", "+m"},
        {"riscv32-unknown-none-elf", "generic-rv32", ""},
        {"riscv64-unknown-linux-gnu", "generic-rv64", ""},
        {"wasm32-unknown-unknown", "mvp", ""},
        {"ve-unknown-linux-gnu", "generic", "+vpu"},
    };
    static struct calls calls;
    for (size_t t = 0; t < sizeof ROUTINE_TARGETS / sizeof ROUTINE_TARGETS[0]; t++) {
        LLVMTargetMachineRef tm;
        LLVMModuleRef mod =
            module_for(ROUTINE_TARGETS[t][0], ROUTINE_TARGETS[t][1], ROUTINE_TARGETS[t][2], &tm);
        struct support s;
        support_init(&s, mod);
        bool is_arm = s.is_arm;
        const char *name;
        for (size_t i = 0; (name = support_name(i, is_arm)); i++)
            support_define(&s, name);
        support_done(&s);
        LLVMMemoryBufferRef text;
        char *message = NULL;
        assert_int_equal(
            LLVMTargetMachineEmitToMemoryBuffer(tm, mod, LLVMAssemblyFile, &message, &text), 0);
        read_calls(LLVMGetBufferStart(text), is_arm, &calls);
        size_t n_calls = 0;
        for (size_t i = 0; (name = support_name(i, is_arm)); i++) {
            for (size_t k = 0; k < MAX_ROUTINES; k++)
                n_calls += calls.from[i][k];
            if (!ends(&calls, i))
                fail_msg("on %s '%s' never ends", ROUTINE_TARGETS[t][0], name);
        }
        assert_true(n_calls > 50); /* the text was understood */
        LLVMDisposeMemoryBuffer(text);
        LLVMDisposeModule(mod);
        LLVMDisposeTargetMachine(tm);
    }
}

/* ---- run by qemu ---- */

enum { N_ELEMS = 256 };

/* What is computed of %2 and %3: the result's type, NULL the operands', and its text. */
struct operation {
    const char *type, *text;
};
static const struct operation ON_FLOATS[] = {
    {NULL, "add %2, %3"},   {NULL, "sub %2, %3"},   {NULL, "mul %2, %3"},
    {NULL, "div %2, %3"},   {NULL, "sqrt %2"},      {NULL, "floor %2"},
    {NULL, "ceil %2"},      {NULL, "trunc %2"},     {NULL, "rint %2"},
    {"bool", "lt %2, %3"},  {"bool", "le %2, %3"},  {"bool", "eq %2, %3"},
    {"f32", "cast f32 %2"}, {"f64", "cast f64 %2"}, {"f16", "cast f16 %2"},
    {"i32", "cast i32 %2"}, {"u32", "cast u32 %2"}, {"i64", "cast i64 %2"},
    {"u64", "cast u64 %2"}, {"i8", "cast i8 %2"},   {NULL, NULL}};
static const struct operation ON_INTEGERS[] = {
    {NULL, "mul %2, %3"},   {NULL, "div %2, %3"}, {NULL, "rem %2, %3"}, {"f32", "cast f32 %2"},
    {"f64", "cast f64 %2"}, {NULL, "shl %2, %4"}, {NULL, "shr %2, %4"}, {NULL, NULL}};
static const struct {
    const char *type;
    bool is_float;
} OPERANDS[] = {{"f32", true},  {"f64", true},  {"i32", false},
                {"u32", false}, {"i64", false}, {"u64", false}};

static const char *kernel_of(struct arena *a, const char *type, const struct operation *op)
{
    struct strbuf k;
    strbuf_init(&k, a);
    strbuf_printf(&k, "kernel \"t\" {\n  in @0 \"a\": %s[%d] plain\n", type, N_ELEMS);
    strbuf_printf(&k, "  in @1 \"b\": %s[%d] plain\n", type, N_ELEMS);
    for (int i = 0; op[i].text; i++)
        strbuf_printf(&k, "  out @%d \"y%d\": %s[%d] plain\n", i + 2, i,
                      op[i].type ? op[i].type : type, N_ELEMS);
    strbuf_printf(&k, "  map %%0 (%%1 < %d) {\n    %%2 = load @0[%%1]\n    %%3 = load @1[%%1]\n",
                  N_ELEMS);
    if (op == ON_INTEGERS)
        strbuf_printf(&k, "    %%4 = and %%3, 31%s%s\n", strcmp(type, "i64") ? ":" : "",
                      strcmp(type, "i64") ? type : "");
    for (int i = 0; op[i].text; i++)
        strbuf_printf(&k, "    %%%d = %s\n    store @%d[%%1] = %%%d\n", i + 5, op[i].text, i + 2,
                      i + 5);
    strbuf_printf(&k, "  }\n}\n");
    return strbuf_text(&k);
}

/* Any bits, every other number small. */
static void fill(struct compiled *c)
{
    uint64_t seed = 5;
    for (size_t i = 0; i < 2; i++) {
        uint8_t *p = pipeline_run_data(&c->run, (int)i);
        int64_t size = dtype_bytes(c->program->bufs[i].dtype, 1);
        for (int64_t k = 0; k < N_ELEMS * size; k++)
            p[k] = k / size % 2 && k % size > 1 ? 0 : (uint8_t)random_next(&seed);
        for (int64_t k = 0; dtype_is_float(c->program->bufs[i].dtype) && k < N_ELEMS; k += 3) {
            /* Near 1, and now and then an edge. */
            static const double EDGES[] = {0.0, -0.0, INFINITY, -INFINITY, 1.5, -2.5, 1e9, -3e9};
            struct tensor t = {.dtype = c->program->bufs[i].dtype, .rank = 1, .dims = {N_ELEMS}};
            t.data = p;
            tensor_set(&t, k, k % 4 ? (double)random_next(&seed) / 1e9 - 1 : EDGES[k / 4 % 8]);
        }
    }
}

static void check_on(const struct cross_target *t)
{
    for (size_t i = 0; i < sizeof OPERANDS / sizeof OPERANDS[0]; i++) {
        struct arena a;
        struct compiled c;
        struct error err;
        arena_init(&a);
        error_init(&err);
        const char *text =
            kernel_of(&a, OPERANDS[i].type, OPERANDS[i].is_float ? ON_FLOATS : ON_INTEGERS);
        bool ok = cross_open_kernel(&c, text, t, &err);
        struct strbuf report;
        strbuf_init(&report, &a);
        if (ok) {
            fill(&c);
            ok = pipeline_run_verify(&c.run, &report, &err) && compiled_all_equal(&report, &err);
        }
        if (!ok)
            print_error("%s on %s: %s\n%s", OPERANDS[i].type, t->name, err.text, text);
        compiled_close(&c);
        arena_done(&a);
        assert_true(ok);
    }
}

/* Vectors need none of the routines, and those of ARMv7 take denormals for 0. */
static bool has_vectors(const struct cross_target *t)
{
    struct arena a;
    struct error err;
    arena_init(&a);
    error_init(&err);
    const struct target *target;
    assert_true(cpu_target_create(&a, &t->opt, &target, &err));
    bool has = target->vector_bytes > 4;
    arena_done(&a);
    return has;
}

/* Against the evaluator, bit for bit. */
static void arithmetic_is_the_same_everywhere(void **state)
{
    (void)state;
    size_t n = 0;
    for (size_t i = 0; i < N_CROSS_TARGETS; i++) {
        const struct cross_target *t = &CROSS_TARGETS[i];
        if (has_vectors(t))
            continue;
        const char *missing = cross_missing(t);
        if (missing)
            print_message("%s skipped for want of %s\n", t->name, missing);
        else
            check_on(t);
        n += !missing;
    }
    SUPPORT_NEED(n ? "" : NULL, "clang, lld and qemu");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_undefined),
        cmocka_unit_test(no_routine_calls_itself),
        cmocka_unit_test(arithmetic_is_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
