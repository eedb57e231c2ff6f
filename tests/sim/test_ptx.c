/*
 * Instructions of one lane against results that were computed from the PTX ISA, by ptx_cases.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/kernels.h"
#include "tests/support/support.h"

struct instruction_case {
    const char *text;
    const char *result;
    uint64_t in[4], want;
};

static const struct instruction_case cases[] = {
#define PTX_CASE(text, result, a, b, c, d, want) {text, #result, {a, b, c, d}, want},
#include "tests/ptx_cases.inc"
#undef PTX_CASE
};
enum { N_CASES = sizeof cases / sizeof *cases };

/* The inputs in registers of every kind. */
static const char load_inputs[] =
    "ld.global.u64 %d1, [%d20]; ld.global.u64 %d2, [%d20+8];\n"
    "ld.global.u64 %d3, [%d20+16]; ld.global.u64 %d4, [%d20+24];\n"
    "cvt.u32.u64 %r1, %d1; cvt.u32.u64 %r2, %d2; cvt.u32.u64 %r3, %d3; cvt.u32.u64 %r4, %d4;\n"
    "cvt.u16.u64 %h1, %d1; cvt.u16.u64 %h2, %d2; cvt.u16.u64 %h3, %d3; cvt.u16.u64 %h4, %d4;\n"
    "mov.b32 %f1, %r1; mov.b32 %f2, %r2; mov.b32 %f3, %r3; mov.b32 %f4, %r4;\n"
    "mov.b64 %e1, %d1; mov.b64 %e2, %d2; mov.b64 %e3, %d3; mov.b64 %e4, %d4;\n";

static const char *store_result(const char *result)
{
    switch (*result) {
    case 'h':
        return "cvt.u64.u16 %d0, %h0;\n";
    case 'r':
        return "cvt.u64.u32 %d0, %r0;\n";
    case 'f':
        return "mov.b32 %r0, %f0; cvt.u64.u32 %d0, %r0;\n";
    case 'e':
        return "mov.b64 %d0, %e0;\n";
    default:
        return "";
    }
}

/* What only comes near has other bits on a device: relative to 1, or to the result. */
static double difference(const struct instruction_case *c)
{
    if (*c->result != 'f')
        return 0;
    if (strstr(c->text, "tanh"))
        return 0x1p-10;
    return strstr(c->text, ".approx") || strstr(c->text, ".full") ? 0x1p-20 : 0;
}

/* True where the case has the result that is wanted. */
static bool holds(const struct instruction_case *c)
{
    uint64_t got = 0;
    char body[2000];
    snprintf(body, sizeof body, "%s%s\n%sst.global.u64 [%%d21], %%d0;", load_inputs, c->text,
             store_result(c->result));
    struct kernel_case k = {.body = body, .in = c->in, .in_bytes = sizeof c->in};
    k.out = &got;
    k.out_bytes = sizeof got;
    k.name = c->text;
    k.difference = difference(c);
    const char *failure = kernel_run(&k);
    if (!failure && got == c->want)
        return true;
    print_message("%s of 0x%llx 0x%llx 0x%llx 0x%llx: 0x%llx, not 0x%llx %s\n", c->text,
                  (unsigned long long)c->in[0], (unsigned long long)c->in[1],
                  (unsigned long long)c->in[2], (unsigned long long)c->in[3],
                  (unsigned long long)got, (unsigned long long)c->want, failure ? failure : "");
    return false;
}

static void test_instructions(void **state)
{
    (void)state;
    int n_wrong = 0;
    for (size_t i = 0; i < N_CASES; i++)
        n_wrong += !holds(&cases[i]);
    assert_int_equal(n_wrong, 0);
}

static const char *const opcodes[] = {
#define PTX_OP1(name, opcode, R, A, value)          opcode,
#define PTX_OP2(name, opcode, R, A, B, value)       opcode,
#define PTX_OP3(name, opcode, R, A, B, C, value)    opcode,
#define PTX_OP4(name, opcode, R, A, B, C, D, value) opcode,
#include "tests/sim/ptx_alu.def"
#undef PTX_OP1
#undef PTX_OP2
#undef PTX_OP3
#undef PTX_OP4
};

/* The opcode of a case without rounding and the like; "" where it has none. */
static void plain_opcode(const char *text, char *out, size_t size)
{
    static const char *const modifiers[] = {"rn", "rz", "rm", "rp", "approx", "full", "ftz"};
    size_t n = 0, end = strcspn(text, " ");
    for (size_t at = 0; at < end && n + 24 < size;) {
        size_t length = strcspn(text + at, ". ");
        bool kept = true;
        for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++)
            kept = kept && !(strlen(modifiers[i]) == length &&
                             memcmp(modifiers[i], text + at, length) == 0);
        if (kept) {
            n +=
                (size_t)snprintf(out + n, size - n, "%s%.*s", n ? "." : "", (int)length, text + at);
        }
        at += length + 1;
    }
}

/* Every row of the table has a case. */
static void test_cases_are_complete(void **state)
{
    (void)state;
    int n_missing = 0;
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++) {
        bool found = false;
        for (size_t j = 0; j < N_CASES && !found; j++) {
            char opcode[100] = "";
            plain_opcode(cases[j].text, opcode, sizeof opcode);
            found = strcmp(opcode, opcodes[i]) == 0;
        }
        if (!found)
            print_message("no case of %s\n", opcodes[i]);
        n_missing += !found;
    }
    assert_int_equal(n_missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instructions),
        cmocka_unit_test(test_cases_are_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
