/*
 * Instructions of the Vector Engine against results that were computed from its architecture guide,
 * by ve_cases.py; LLVM assembles them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/ve_build.h"
#include "tests/sim/ve_insn.h"
#include "tests/support/support.h"

struct instruction_case {
    const char *text;
    char kind; /* of the result: scalar, vector, mask */
    uint64_t mask, mask_low;
    uint64_t numbers[5][4]; /* %v0 to %v3, the result */
};

#define NUMBERS(...) {__VA_ARGS__}
static const struct instruction_case cases[] = {
#define VE_CASE(text, kind, mask, mask_low, numbers) {text, kind, mask, mask_low, NUMBERS numbers},
#include "tests/ve_cases.inc"
#undef VE_CASE
};
enum { N_CASES = sizeof cases / sizeof *cases };

/* What a case's function gets the address of. */
struct block {
    uint64_t in[4][4];
    uint64_t mask, mask_low;
    uint64_t room[34]; /* from its byte 16 on for the case */
    uint64_t scalar, mask_out, vector[4];
};

static const char before[] = "or %s60, 0, %s0; lvl 4; ld %s59, 128(, %s60); lvm %vm2, 0, %s59\n"
                             "ld %s59, 136(, %s60); lvm %vm3, 0, %s59; nndm %vm1, %vm0, %vm0\n"
                             "vld %v0, 8, %s60; lea %s59, 32(, %s60); vld %v1, 8, %s59\n"
                             "lea %s59, 64(, %s60); vld %v2, 8, %s59; lea %s59, 96(, %s60)\n"
                             "vld %v3, 8, %s59; ld %s0, (, %s60); ld %s1, 32(, %s60)\n"
                             "ld %s2, 64(, %s60); ld %s3, 96(, %s60); or %s4, 0, %s60\n"
                             "lea %s5, 160(, %s60)\n";
static const char after[] = "\nst %s0, 416(, %s60); svm %s59, %vm1, 0; st %s59, 424(, %s60)\n"
                            "lea %s59, 432(, %s60); vst %v0, 8, %s59; b.l.t (, %s10)\n";

static struct sim_ve *ve;
static struct sim_ve_context *context;
static struct sim_ve_library *library;
static uint64_t block_at;

static char *whole_text(void)
{
    size_t size = N_CASES * (sizeof before + sizeof after + 300), n = 0;
    char *text = malloc(size);
    assert_non_null(text);
    for (unsigned i = 0; i < N_CASES; i++)
        n += (size_t)snprintf(text + n, size - n,
                              "\t.globl case%u\n.type case%u, @function\ncase%u:\n%s%s%s", i, i, i,
                              before, cases[i].text, after);
    return text;
}

static int set_up(void **state)
{
    (void)state;
    struct error err;
    size_t n_bytes;
    error_init(&err);
    char *text = whole_text();
    void *object = ve_assemble(text, &n_bytes);
    assert_non_null(object);
    ve = sim_ve_create(UINT64_C(1) << 30);
    assert_non_null(ve);
    sim_ve_options(ve)->reference = sim_ve_llvm_text;
    library = sim_ve_load(ve, "cases", object, n_bytes, &err);
    assert_non_null(library);
    context = sim_ve_open(ve, 0);
    block_at = sim_ve_alloc(ve, sizeof(struct block));
    free(object);
    free(text);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sim_ve_destroy(ve);
    return 0;
}

static const uint64_t *result_of(const struct block *b, char kind)
{
    return kind == 's' ? &b->scalar : kind == 'm' ? &b->mask_out : b->vector;
}

/* True where the case has the result that is wanted. */
static bool holds(unsigned number)
{
    const struct instruction_case *c = &cases[number];
    struct block b = {.mask = c->mask, .mask_low = c->mask_low};
    struct error err;
    char name[30];
    error_init(&err);
    memcpy(b.in, c->numbers, sizeof b.in);
    snprintf(name, sizeof name, "case%u", number);
    sim_ve_write(ve, block_at, &b, sizeof b, &err);
    sim_ve_call(context, sim_ve_symbol(ve, library, name), &block_at, 1);
    sim_ve_run(ve, context, 1000);
    sim_ve_read(ve, &b, block_at, sizeof b, &err);
    const uint64_t *got = result_of(&b, c->kind), *want = c->numbers[4];
    size_t n = c->kind == 'v' ? 4 : 1;
    if (sim_ve_state(context) == SIM_VE_DONE && memcmp(got, want, n * sizeof *got) == 0)
        return true;
    print_message("%s: %s\n", c->text, sim_ve_fault(context));
    for (size_t i = 0; i < n; i++)
        print_message("    0x%016llx, not 0x%016llx, of 0x%016llx 0x%016llx 0x%016llx\n",
                      (unsigned long long)got[i], (unsigned long long)want[i],
                      (unsigned long long)b.in[1][i], (unsigned long long)b.in[2][i],
                      (unsigned long long)b.in[3][i]);
    return false;
}

static void test_instructions(void **state)
{
    (void)state;
    int n_wrong = 0;
    for (unsigned i = 0; i < N_CASES; i++)
        n_wrong += !holds(i);
    assert_int_equal(n_wrong, 0);
}

/* Every row of the table was run by the cases, but for those that only a fault can show. */
static void test_cases_are_complete(void **state)
{
    (void)state;
    int n_missing = 0;
    for (unsigned i = 0; i < ve_n_rows; i++) {
        const char *name = ve_rows[i].name;
        if (sim_ve_ran(ve, name) || strcmp(name, "monc") == 0 || strcmp(name, "shm.l") == 0 ||
            strcmp(name, "bsic") == 0)
            continue;
        print_message("no case of %s\n", name);
        n_missing++;
    }
    assert_int_equal(n_missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instructions),
        cmocka_unit_test(test_cases_are_complete),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
