/*
 * Each way in which the simulator of the Vector Engine ends a call, and what its loader refuses.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/ve.h"
#include "tests/sim/ve_build.h"
#include "tests/support/support.h"

/*
 * %s0 is the address of an area of 64 bytes of which the first 48 are written, %s1 of one that was
 * freed, %s2 of the function itself.
 */
static const struct {
    const char *text, *fault;
} cases[] = {
    {"ld %s3, 64(, %s0)",
     "f+0x0: ld %s3, 64(, %s0): reads 8 bytes at 0x*, outside of all memory; the nearest "
     "before are 64 bytes at 0x* (memory of the host's)"},
    {"st %s3, -8(, %s0)", "outside of all memory"},
    {"nop; ld1b.zx %s3, 64(, %s0)",
     "f+0x8: ld1b.zx %s3, 64(, %s0): reads 1 bytes at 0x*, outside of all memory"},
    {"ld %s3, 40(, %s0)", ""},
    {"ld %s3, 48(, %s0)",
     "reads 8 bytes at 0x*, byte 48 of 64 at 0x* (memory of the host's), which nobody wrote"},
    {"st %s3, 56(, %s0); ld %s3, 56(, %s0)", ""},
    {"ld1b.zx %s3, 48(, %s0)", "reads 1 bytes at 0x*, byte 48 of 64"},
    {"ld %s3, 4(, %s0)", "reads 8 bytes at 0x*, which is no multiple of that"},
    {"ldl.sx %s3, 2(, %s0)", "reads 4 bytes at 0x*, which is no multiple of that"},
    {"st2b %s3, 1(, %s0)", "writes 2 bytes at 0x*, which is no multiple of that"},
    {"ld %s3, (, %s1)", "which was freed"},
    {"st %s3, (, %s1)", "which was freed"},
    {"ld %s3, 16", "reads 8 bytes at 0x10, outside of all memory"},
    {"st %s3, (, %s2)", "writes 8 bytes at 0x*, which is constant (a library)"},
    {"lvl 6; vld %v0, 8, %s0", ""},
    {"lvl 7; vld %v0, 8, %s0",
     "vld %v0, 8, %s0: reads 56 bytes at 0x*, byte 0 of 64 at 0x* (memory of the "
     "host's), which nobody wrote"},
    {"lvl 9; vld %v0, 8, %s0", "reads 72 bytes at 0x*, outside of all memory"},
    {"lvl 3; vld %v0, 40, %s0", "reads 8 bytes at 0x*, outside of all memory"},
    {"lvl 3; vld %v0, 4, %s0", "reads 8 bytes at 0x*, which is no multiple of that"},
    {"lea %s3, 4(, %s0); lvl 1; vldu %v0, 4, %s3", ""},
    {"lea %s3, 4(, %s0); lvl 2; vldu %v0, 4, %s3; vstu %v0, 4, %s3", ""},
    {"lea %s3, 4(, %s0); lvl 3; vldu %v0, 4, %s3; vstu %v0, 4, %s3", ""},
    {"lea %s3, 2(, %s0); lvl 1; vldu %v0, 4, %s3",
     "reads 4 bytes at 0x*, which is no multiple of that"},
    {"lvl 9; vbrd %v0, 1; vst %v0, 8, %s0", "writes 72 bytes at 0x*, outside of all memory"},
    {"lvl 4; vbrd %v0, 1; vgt %v1, %v0, 0, 0",
     "reads 8 bytes at 0x1, which is no multiple of that"},
    {"lvl 2; vbrd %v0, 8; vgt %v1, %v0, 0, 0", "reads 8 bytes at 0x8, outside of all memory"},
    {"lvl 2; vbrd %v0, 8; vsc %v0, %v0, 0, 0", "writes 8 bytes at 0x8, outside of all memory"},
    {"lvl 2; vbrd %v0, 8; vgt %v1, %v0, 0, %s0", "has bounds for its addresses"},
    {"lvl 2; vst %v3, 8, %s0", "reads elements 0 to 1 of %v3, which this call has not written"},
    {"lvl 2; vbrd %v0, 8; lvl 4; vadds.l %v1, 1, %v0; vst %v1, 8, %s0",
     "reads elements 2 to 3 of %v1"},
    {"lvl 2; vbrd %v0, 8; lvl 4; vor %v1, (0)1, %v0; lvl 2; vst %v1, 8, %s0", ""},
    {"lvl 2; vfmk.l.gt %vm1, %v9", "reads elements 0 to 1 of %v9"},
    {"lvl 2; vsum.l %v1, %v9", "reads elements 0 to 1 of %v9"},
    {"lvs %s3, %v9(3)", "reads element 3 of %v9, which this call has not written"},
    {"lea %s3, 257; lvl %s3", "sets the vector length to 257, more than 256"},
    {"lea %s3, 256; lvs %s3, %v0(%s3)", "names element 256 of a vector of 256"},
    {"negm %vm0, %vm1", "writes %vm0, which is constant"},
    {"or %s3, 0, (0)1; divs.l %s3, %s0, %s3", "divides by 0"},
    {"lvl 2; vbrd %v0, 0; vdivs.l %v1, %v0, %v0", "divides element 0 by 0"},
    {"lvl 2; vbrd %v0, 0; vfmk.l.ne %vm1, %v0; vdivs.l %v1, %v0, %v0, %vm1", ""},
    {"monc", "calls the operating system"},
    {"lhm.l %s3, (%s0)", "the instruction 0x2103038000000000 (lhm.l %s3, (%s0)) is not known"},
    {"fencei", "the instruction 0x2080000000000000 (fencei) is not known"},
    {"b.l 8", "b.l 8: goes to 0x8, where no code is"},
    {"b.l (, %s0)", "where no code is"},
    {"or %s20, 1, (0)1", "returns with %s20 changed"},
    {"lea %s11, -16(, %s11)", "returns with %s11 changed"},
    {"or %s40, 1, (0)1; lvl 4; vbrd %v60, 1", ""},
};
enum { N_CASES = sizeof cases / sizeof *cases };

/* True where `pattern`, of which * stands for digits, is found in the text. */
static bool is_found(const char *text, const char *pattern)
{
    for (; *text; text++) {
        const char *t = text, *p = pattern;
        while (*p && (*p == '*' || *p == *t)) {
            if (*p == '*')
                t += strspn(t, "0123456789abcdef");
            else
                t++;
            p++;
        }
        if (!*p)
            return true;
    }
    return false;
}

static struct sim_ve_library *load(struct sim_ve *ve, const char *text)
{
    size_t n_bytes = 0;
    struct error err;
    error_init(&err);
    void *object = ve_assemble(text, &n_bytes);
    assert_non_null(object);
    struct sim_ve_library *l = sim_ve_load(ve, "object", object, n_bytes, &err);
    assert_non_null(l);
    free(object);
    return l;
}

static bool holds(const char *body, const char *fault)
{
    const uint64_t numbers[6] = {1, 2, 3, 4, 5, 6};
    char text[500];
    struct error err;
    error_init(&err);
    snprintf(text, sizeof text, ".globl f\n.type f, @function\nf:\n%s\nb.l.t (, %%s10)\n", body);
    struct sim_ve *ve = sim_ve_create(1 << 30);
    assert_non_null(ve);
    sim_ve_options(ve)->reference = sim_ve_llvm_text;
    struct sim_ve_library *l = load(ve, text);
    struct sim_ve_context *c = sim_ve_open(ve, 0);
    uint64_t f = sim_ve_symbol(ve, l, "f");
    uint64_t args[] = {sim_ve_alloc(ve, 64), sim_ve_alloc(ve, 64), f};
    sim_ve_write(ve, args[0], numbers, sizeof numbers, &err);
    sim_ve_free(ve, args[1]);
    sim_ve_call(c, f, args, 3);
    sim_ve_run(ve, c, 0);
    bool ok = *fault ? sim_ve_state(c) == SIM_VE_FAULT && is_found(sim_ve_fault(c), fault)
                     : sim_ve_state(c) == SIM_VE_DONE;
    if (!ok)
        print_message("%s: '%s', not '%s'\n", body, sim_ve_fault(c), fault);
    sim_ve_destroy(ve);
    return ok;
}

static void test_faults(void **state)
{
    (void)state;
    int n_wrong = 0;
    for (unsigned i = 0; i < N_CASES; i++)
        n_wrong += !holds(cases[i].text, cases[i].fault);
    assert_int_equal(n_wrong, 0);
}

/* Reading what nobody wrote is allowed where a test says so; the next call is a new one. */
static void test_unwritten_may_be_allowed(void **state)
{
    (void)state;
    struct sim_ve *ve = sim_ve_create(1 << 30);
    struct sim_ve_library *l = load(ve, ".globl f\nf: ld %s0, (, %s0); b.l.t (, %s10)\n");
    struct sim_ve_context *c = sim_ve_open(ve, 0);
    uint64_t at = sim_ve_alloc(ve, 8);
    sim_ve_call(c, sim_ve_symbol(ve, l, "f"), &at, 1);
    sim_ve_run(ve, c, 0);
    assert_int_equal(sim_ve_state(c), SIM_VE_FAULT);
    sim_ve_options(ve)->unwritten_faults = false;
    sim_ve_call(c, sim_ve_symbol(ve, l, "f"), &at, 1);
    sim_ve_run(ve, c, 0);
    assert_int_equal(sim_ve_state(c), SIM_VE_DONE);
    assert_string_equal(sim_ve_fault(c), "");
    sim_ve_unload(ve, l);
    assert_int_equal(sim_ve_symbol(ve, NULL, "f"), 0);
    sim_ve_destroy(ve);
}

/* ---- the host's side ---- */

static void test_memory(void **state)
{
    (void)state;
    uint8_t bytes[100] = {1, 2, 3};
    struct error err;
    error_init(&err);
    struct sim_ve *ve = sim_ve_create(1000);
    uint64_t a = sim_ve_alloc(ve, 100), b = sim_ve_alloc(ve, 900);
    assert_true(a && b && a % 16 == 0 && a % 64 != 0);
    assert_int_equal(sim_ve_alloc(ve, 1), 0);
    assert_int_equal(sim_ve_bytes_in_use(ve), 1000);
    assert_int_equal(sim_ve_allocations(ve), 2);
    assert_true(sim_ve_write(ve, a, bytes, 100, &err));
    memset(bytes, 0, sizeof bytes);
    assert_true(sim_ve_read(ve, bytes, a + 1, 99, &err));
    assert_int_equal(bytes[0], 2);
    assert_false(sim_ve_read(ve, bytes, a + 1, 100, &err));
    assert_non_null(strstr(err.text, "the host reads 100 bytes at 0x"));
    error_init(&err);
    assert_false(sim_ve_write(ve, 0, bytes, 1, &err));
    assert_false(sim_ve_free(ve, a + 1));
    assert_true(sim_ve_free(ve, a));
    assert_false(sim_ve_free(ve, a));
    error_init(&err);
    assert_false(sim_ve_write(ve, a, bytes, 1, &err));
    uint64_t again = sim_ve_alloc(ve, 100);
    assert_true(again && again != a);
    sim_ve_destroy(ve);
}

/* ---- objects that are refused ---- */

static void assert_refused(struct sim_ve *ve, const void *elf, size_t n_bytes, const char *why)
{
    struct error err;
    error_init(&err);
    uint64_t in_use = sim_ve_bytes_in_use(ve);
    assert_null(sim_ve_load(ve, "object", elf, n_bytes, &err));
    if (!is_found(err.text, why))
        fail_msg("'%s', not '%s'", err.text, why);
    assert_int_equal(sim_ve_bytes_in_use(ve), in_use);
}

static void test_objects_that_are_refused(void **state)
{
    (void)state;
    size_t n_bytes = 0;
    struct sim_ve *ve = sim_ve_create(1 << 30);
    uint8_t *object = ve_assemble(".globl f\nf: b.l.t (, %s10)\n", &n_bytes);
    assert_non_null(object);
    assert_refused(ve, object, 10, "object: ");
    Elf64_Ehdr header;
    memcpy(&header, object, sizeof header);
    Elf64_Ehdr other = header;
    other.e_machine = EM_X86_64;
    memcpy(object, &other, sizeof other);
    assert_refused(ve, object, n_bytes, "object: it is not for the Vector Engine");
    other = header;
    other.e_flags = 1;
    memcpy(object, &other, sizeof other);
    assert_refused(ve, object, n_bytes, "object: it is for another engine than the first");
    other = header;
    other.e_type = ET_EXEC;
    memcpy(object, &other, sizeof other);
    assert_refused(ve, object, n_bytes, "object: it is neither a relocatable nor a shared object");
    other = header;
    other.e_type = ET_DYN;
    memcpy(object, &other, sizeof other);
    assert_refused(ve, object, n_bytes, "object: it has no segment with code");
    free(object);
    object = ve_assemble(".globl f\nf: lea %s0, other@pc_lo(-24)\n", &n_bytes);
    assert_refused(ve, object, n_bytes, "object: it needs 'other' from elsewhere");
    free(object);
    sim_ve_destroy(ve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_unwritten_may_be_allowed),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_objects_that_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
