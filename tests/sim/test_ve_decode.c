/*
 * Every instruction of the simulator's table, with operands of every kind, reads as LLVM's
 * disassembler prints it; and what LLVM's assembler emits is found again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/ve_insn.h"
#include "tests/support/support.h"

enum { N_TRIES = 60, TEXT_CHARS = 200 };

static uint32_t seed = 1;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)seed * n >> 32);
}

/* The fields of a format, random where the form has them and 0 elsewhere. */
struct fields {
    uint64_t x, y, z, vx, vy, vz, vw, m, low;
    bool cy, cz;
};

static void random_scalars(struct fields *f, unsigned n_y, bool z_is_mask)
{
    f->cy = random_below(2);
    f->y = f->cy ? random_below(VE_SCALARS) : random_below(n_y);
    f->cz = random_below(2);
    f->z = f->cz ? random_below(VE_SCALARS) : z_is_mask ? random_below(128) : 0;
    f->x = random_below(VE_SCALARS);
}

/* Whole numbers have no conditions about NaN. */
static unsigned random_condition(const struct ve_row *row)
{
    char type = strchr(row->name, '.')[1];
    unsigned condition = random_below(16);
    bool is_float = type == 'd' || type == 's';
    return is_float || condition < 7 ? condition : 15;
}

static void only_y(struct fields *f)
{
    f->cz = false;
    f->z = 0;
}

static void random_scalar_form(struct fields *f, const struct ve_row *row)
{
    random_scalars(f, row->form == VE_FORM_ATOMIC ? 127 : 128, true);
    switch (row->form) {
    case VE_FORM_FENCE:
        *f = (struct fields){.x = random_below(4)};
        break;
    case VE_FORM_NONE:
    case VE_FORM_X:
        *f = (struct fields){.x = row->form == VE_FORM_X ? f->x : 0};
        break;
    case VE_FORM_Y:
        only_y(f);
        f->x = 0;
        break;
    case VE_FORM_XY:
        only_y(f);
        break;
    case VE_FORM_XZ:
        f->cy = false;
        f->y = 0;
        break;
    case VE_FORM_BSWP:
        f->cy = false;
        f->y = random_below(2);
        break;
    case VE_FORM_ROUND:
        f->cz = false;
        f->z = random_below(6) ? 7 + random_below(5) + 1 : 0;
        break;
    case VE_FORM_CMOV:
        f->low = random_condition(row);
        break;
    default:
        break;
    }
}

static void random_address_form(struct fields *f, const struct ve_row *row)
{
    enum ve_form form = row->form;
    random_scalars(f, 128, false);
    f->low = random_below(3) ? random_below(UINT32_MAX) : 0;
    if (form == VE_FORM_PREFETCH)
        f->x = 0;
    if (form == VE_FORM_HOST) {
        f->cy = false;
        f->y = 3; /* of 8 bytes */
        f->cz = true;
        f->z %= VE_SCALARS;
    }
    if (form == VE_FORM_RELATIVE || form == VE_FORM_BRANCH_TO) {
        /* condition and hint: none, not taken, taken; without operands where it is constant */
        static const unsigned hints[] = {0, 2, 3};
        f->x = random_condition(row) | hints[random_below(3)] << 4;
        if (f->x % 16 == 0 || f->x % 16 == 15) {
            f->cy = false;
            f->y = 0;
            if (form == VE_FORM_RELATIVE)
                only_y(f);
        }
    }
}

/* Of vectors: bits 53 and 52 choose scalars for Vy and Vz. */
static void random_vector_form(struct fields *f, const struct ve_row *row)
{
    enum ve_form form = row->form;
    unsigned y = random_below(VE_VECTORS), z = random_below(VE_VECTORS);
    random_scalars(f, 128, form == VE_FORM_VSFA || form == VE_FORM_LSV || form == VE_FORM_LVM);
    f->vx = random_below(VE_VECTORS);
    f->x = form == VE_FORM_LVS || form == VE_FORM_SVM || form == VE_FORM_XM ? f->x : 0;
    bool memory = form == VE_FORM_VLD || form == VE_FORM_VST || form == VE_FORM_VGT ||
                  form == VE_FORM_VPREFETCH;
    if (!memory && form != VE_FORM_VSFA && form != VE_FORM_LSV && form != VE_FORM_LVM)
        only_y(f);
    if (form != VE_FORM_VLD && form != VE_FORM_VPREFETCH && form != VE_FORM_VSHF &&
        form < VE_FORM_MMM && (form >= VE_FORM_V || memory) && random_below(2))
        f->m = 1 + random_below(15);
    bool vy = false, vz = false, has_scalar = memory;
    switch (form) {
    case VE_FORM_VGT:
        vy = random_below(2);
        if (!vy) {
            f->x = 0x20; /* Cs */
            f->vw = random_below(VE_SCALARS);
        }
        break;
    case VE_FORM_VPREFETCH:
        f->vx = 0;
        break;
    case VE_FORM_VLD:
    case VE_FORM_VST:
        break;
    case VE_FORM_VY:
        vy = true;
        break;
    case VE_FORM_VZ:
        vz = true;
        break;
    case VE_FORM_VROUND:
        vy = true;
        z = random_below(6) ? 8 + random_below(5) : 0;
        vz = true;
        break;
    case VE_FORM_VFMK:
        f->vx = 1 + random_below(15);
        y = random_condition(row);
        vy = true;
        vz = y != 0 && y != 15;
        break;
    case VE_FORM_MMM:
    case VE_FORM_MM:
    case VE_FORM_XM:
        f->vx = form == VE_FORM_XM ? 0 : random_below(16);
        vy = true;
        y = random_below(16);
        vz = form == VE_FORM_MMM;
        z = random_below(16);
        break;
    case VE_FORM_LVM:
    case VE_FORM_SVM:
        has_scalar = true;
        if (!f->cy)
            f->y = random_below(4);
        f->vx = form == VE_FORM_LVM ? random_below(16) : 0;
        vz = form == VE_FORM_SVM;
        z = random_below(16);
        break;
    case VE_FORM_LSV:
    case VE_FORM_LVS:
    case VE_FORM_VBRD:
        has_scalar = true;
        break;
    case VE_FORM_VSFA:
        if (!f->cy)
            f->y = random_below(8);
        vz = has_scalar = true;
        break;
    case VE_FORM_VMV:
        vz = has_scalar = true;
        break;
    case VE_FORM_VSHF:
        if (!f->cy)
            f->y = random_below(16);
        vy = vz = has_scalar = true;
        break;
    case VE_FORM_V:
        break;
    case VE_FORM_VDIV:
    case VE_FORM_VFMAD: {
        unsigned scalar = random_below(3);
        vy = scalar != 1;
        vz = scalar != 2;
        has_scalar = scalar != 0;
        f->x = scalar == 1 ? 0x20 : scalar == 2 ? 0x10 : 0;
        f->vw = form == VE_FORM_VFMAD ? random_below(VE_VECTORS) : 0;
        break;
    }
    default: /* the other forms with two sources */
        vz = true;
        vy = random_below(2);
        has_scalar = !vy;
        f->x = vy ? 0 : 0x20;
    }
    f->vy = vy ? y : 0;
    f->vz = vz ? z : 0;
    if (!has_scalar) {
        f->cy = f->cz = false;
        f->y = f->z = 0;
    }
}

static uint64_t random_word(const struct ve_row *row)
{
    struct fields f = {0};
    if (row->form >= VE_FORM_VLD)
        random_vector_form(&f, row);
    else if (row->form >= VE_FORM_ADDRESS && row->form != VE_FORM_FENCE)
        random_address_form(&f, row);
    else
        random_scalar_form(&f, row);
    if (strncmp(row->name, "pv", 2) == 0 && !strstr(row->name, ".lo") && !strstr(row->name, ".up"))
        f.m &= ~UINT64_C(1);
    if (strcmp(row->name, "vmrg.w") == 0)
        f.m &= ~UINT64_C(1);
    return (uint64_t)row->opcode << 56 | (uint64_t)(row->variant & 15) << 52 | f.x << 48 |
           f.m << 48 | (uint64_t)f.cy << 47 | f.y << 40 | (uint64_t)f.cz << 39 | f.z << 32 |
           f.vx << 24 | f.vy << 16 | f.vz << 8 | f.vw | f.low |
           (row->variant & VE_W ? 1U << 7 : 0) | (row->variant & VE_X ? 1U << 6 : 0);
}

/* True where both print the same; a word that LLVM refuses is no case. */
static bool reads_the_same(const struct ve_row *row, uint64_t word, unsigned *n_cases)
{
    char own[TEXT_CHARS], theirs[TEXT_CHARS];
    struct ve_insn in = {.word = word};
    const char *why = ve_decode(&in);
    if (!sim_ve_llvm_text(word, theirs, sizeof theirs))
        return true;
    ++*n_cases;
    if (!why)
        ve_text(&in, own, sizeof own);
    if (!why && in.row == row && strcmp(own, theirs) == 0)
        return true;
    print_message("0x%016llx (%s): '%s', LLVM says '%s'\n", (unsigned long long)word, row->name,
                  why ? why : own, theirs);
    return false;
}

static void test_all_rows_read_as_in_llvm(void **state)
{
    (void)state;
    unsigned n_wrong = 0, n_idle = 0;
    for (unsigned i = 0; i < ve_n_rows; i++) {
        unsigned n_cases = 0;
        for (unsigned k = 0; k < N_TRIES; k++)
            n_wrong += !reads_the_same(&ve_rows[i], random_word(&ve_rows[i]), &n_cases);
        if (n_cases < N_TRIES / 3) {
            print_message("%s: only %u cases\n", ve_rows[i].name, n_cases);
            n_idle++;
        }
    }
    assert_int_equal(n_wrong, 0);
    assert_int_equal(n_idle, 0);
}

/* No two rows have the same number and variant. */
static void test_rows_are_distinct(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ve_n_rows; i++)
        for (unsigned k = 0; k < i; k++)
            assert_false(ve_rows[i].opcode == ve_rows[k].opcode &&
                         ve_rows[i].variant == ve_rows[k].variant);
}

static const char *refusal(uint64_t word)
{
    struct ve_insn in = {.word = word};
    return ve_decode(&in);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    assert_string_equal(refusal(0), "is not known");
    /* ld %s1, (%s127, %s3) and ld %s1, (%s63, %s3) */
    assert_string_equal(refusal(UINT64_C(0x0101ff8300000000)),
                        "has a register that does not exist");
    assert_null(refusal(UINT64_C(0x0101bf8300000000)));
    /* a branch of whole numbers on NaN */
    assert_string_equal(refusal(UINT64_C(0x1808810000000008)),
                        "has a condition that only floats have");
    /* pvfadd %v0, %v1, %v2, %vm3 */
    assert_string_equal(refusal(UINT64_C(0xccc3000000010200)),
                        "has a pair of masks that begins with an odd one");
    assert_null(refusal(UINT64_C(0xccc2000000010200)));
    /* vld of the vector with the number that stands for an index */
    assert_string_equal(refusal(UINT64_C(0x81400881ff000000)),
                        "has a register that does not exist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_rows_read_as_in_llvm),
        cmocka_unit_test(test_rows_are_distinct),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
