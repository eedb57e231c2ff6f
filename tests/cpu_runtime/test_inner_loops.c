/*
 * What the innermost loops of contractions are made of, from their assembly text: instructions for
 * each product of vectors, and sums that go to the stack and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_runtime/codegen/cpu_target.h"
#include "tests/support/contractions.h"
#include "tests/support/support.h"

enum { MAX_LABELS = 256, MAX_NAME = 24, MIN_PRODUCTS = 16 };

/* Up to a place in a function: instructions, products among them, accesses of the stack. */
struct count {
    int instructions, products, spills;
};

struct reading {
    const char *product; /* what the names of those instructions start with */
    struct {
        char name[MAX_NAME];
        struct count at;
    } label[MAX_LABELS];
    int n_labels;
    int last_loop; /* where the loop that ended last starts; -1: none has */
    struct count now;
    struct count worst, loops; /* of the innermost loops, the one with most spills; all of them */
};

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool line_has(const char *line, size_t n, const char *word)
{
    const char *found = strstr(line, word);
    return found && found < line + n;
}

/* Vectors are saved by instructions that are used for nothing else. */
static bool is_spill(const char *line, size_t n)
{
    static const char *const vectors[] = {"vldmia", "vstmia", "vl1r", "vl2r", "vl4r",
                                          "vl8r",   "vs1r",   "vs2r", "vs4r", "vs8r"};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        if (starts(line, vectors[i]))
            return true;
    return line_has(line, n, "[sp") || line_has(line, n, "(sp)");
}

static void add_label(struct reading *r, const char *name, size_t length)
{
    assert_true(r->n_labels < MAX_LABELS && length < MAX_NAME);
    memcpy(r->label[r->n_labels].name, name, length);
    r->label[r->n_labels].name[length] = '\0';
    r->label[r->n_labels++].at = r->now;
}

/* A branch back to a label, with no such pair between them, is an innermost loop. */
static void end_loop(struct reading *r, const struct count *from)
{
    struct count loop = {.instructions = r->now.instructions - from->instructions,
                         .products = r->now.products - from->products,
                         .spills = r->now.spills - from->spills};
    bool is_innermost = r->last_loop < from->instructions;
    if (r->last_loop < from->instructions)
        r->last_loop = from->instructions;
    if (!is_innermost || loop.products < MIN_PRODUCTS)
        return;
    if (loop.spills >= r->worst.spills)
        r->worst = loop;
    r->loops.instructions += loop.instructions;
    r->loops.products += loop.products;
    r->loops.spills += loop.spills;
}

static void read_instruction(struct reading *r, const char *line, size_t n)
{
    r->now.instructions++;
    r->now.products += starts(line, r->product);
    r->now.spills += is_spill(line, n);
    for (int i = 0; i < r->n_labels; i++) {
        size_t length = strlen(r->label[i].name);
        if (n > length && memcmp(line + n - length, r->label[i].name, length) == 0)
            end_loop(r, &r->label[i].at);
    }
}

/* A line is "LABEL:" or a tab and an instruction or directive. */
static void read_text(struct reading *r, const char *text)
{
    for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        size_t n = strcspn(p, "\n"), name = strcspn(p, ":\n");
        if (*p != '\t' && p[name] == ':') {
            if (!starts(p, ".L")) {
                r->n_labels = 0;
                r->last_loop = -1;
            }
            if (starts(p, ".LBB"))
                add_label(r, p, name);
        } else if (*p == '\t' && p[1] != '.') {
            read_instruction(r, p + 1, n - 1);
        }
    }
}

static struct reading loops_of(const char *text, const struct cpu_target_options *opt,
                               const char *product)
{
    struct reading r = {.product = product, .last_loop = -1};
    struct compiled c;
    struct error err;
    error_init(&err);
    bool ok = compiled_emit_kernel(&c, text, opt, &err);
    if (ok)
        read_text(
            &r, arena_strndup(&c.arena, (const char *)c.code.assembly.data, c.code.assembly.size));
    else
        print_error("%s\n", err.text);
    compiled_close(&c);
    assert_true(ok);
    return r;
}

/* `most`: instructions for a hundred products, loads and what a loop itself takes included.
   `spills`: in one loop; where there are some a smaller tile has been found to be slower. */
static const struct expectation {
    const char *triple, *cpu, *types[3]; /* of A, B and the sums */
    struct conv conv;
    const char *product;
    int most, spills;
} EXPECTED[] = {
#define CONV(channels, blocked)                                                                    \
    {.c = channels, .h = 32, .w = 32, .o = 32, .window = 3, .pad = 1, .block = blocked}
    {"thumbv7em", "cortex-m4", {"f32", "f32", "f32"}, CONV(16, 0), "vfma", 150, 0},
    {"thumbv8m.main", "cortex-m33", {"f32", "f32", "f32"}, CONV(16, 0), "vfma", 150, 0},
    {"armv7", "generic", {"f32", "f32", "f32"}, CONV(16, 0), "vmla", 150, 0},
    {"armv7", "cortex-a7", {"f32", "f32", "f32"}, CONV(16, 4), "vfma", 240, 2},
    {"riscv64", "generic", {"f32", "f32", "f32"}, CONV(16, 0), "fmadd", 150, 0},
    {"riscv32", "sifive-e76", {"f32", "f32", "f32"}, CONV(16, 0), "fmadd", 150, 0},
    {"riscv64", "sifive-p670", {"f32", "f32", "f32"}, CONV(16, 4), "vfma", 155, 0},
    {"aarch64", "generic", {"f32", "f32", "f32"}, CONV(3, 0), "fmla", 135, 0},
    {"aarch64", "generic", {"f32", "f32", "f32"}, CONV(16, 4), "fmla", 115, 12},
    {"riscv64", "sifive-p670", {"i8", "i8", "i32"}, CONV(16, 16), "vwmacc.vx", 260, 0},
    {"riscv64", "sifive-p670", {"u8", "i8", "i32"}, CONV(16, 16), "vwmacc.vx", 260, 0},
    {"aarch64", "apple-m1", {"f16", "f16", "f32"}, CONV(16, 8), "fmlal", 110, 4},
    {"aarch64", "neoverse-n2", {"bf16", "bf16", "f32"}, CONV(16, 8), "bfmlal", 110, 4},
};
enum { N_EXPECTED = sizeof EXPECTED / sizeof EXPECTED[0] };

static void loops_hold_products(void **state)
{
    (void)state;
    int n_bad = 0;
    struct arena a;
    arena_init(&a);
    for (int i = 0; i < N_EXPECTED; i++) {
        const struct expectation *want = &EXPECTED[i];
        struct cpu_target_options opt = {.triple = want->triple, .cpu = want->cpu};
        const char *text =
            conv_text(&a, &want->conv, want->types[0], want->types[1], want->types[2], SUMS);
        struct reading r = loops_of(text, &opt, want->product);
        int found = r.loops.products ? 100 * r.loops.instructions / r.loops.products : 0;
        if (found > 0 && found <= want->most && r.worst.spills <= want->spills)
            continue;
        print_error("%s %s %s: %d instructions for 100 '%s' in the innermost loops, at most %d "
                    "accesses of the stack in one\n",
                    want->triple, want->cpu, want->types[0], found, want->product, r.worst.spills);
        n_bad++;
    }
    arena_done(&a);
    assert_int_equal(n_bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_hold_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
