/*
 * The contractions of test_contract, compiled for other processors, run by qemu and compared with
 * the evaluator: integers bit for bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/contractions.h"
#include "tests/support/cross.h"
#include "tests/support/support.h"

static void check(const char *text, const struct cross_target *t)
{
    struct compiled c;
    struct error err;
    error_init(&err);
    bool ok = cross_open_kernel(&c, text, t, &err);
    struct strbuf report;
    strbuf_init(&report, &c.arena);
    if (ok) {
        contraction_fill(&c);
        ok = pipeline_run_verify(&c.run, &report, &err);
    }
    if (!ok)
        print_error("for %s: %s\n%s%s", t->name, err.text, strbuf_text(&report), text);
    compiled_close(&c);
    assert_true(ok);
}

/* The targets whose tools are there; the others are named, once. */
static const struct cross_target *const *targets(size_t *out_n)
{
    static const struct cross_target *found[N_CROSS_TARGETS];
    static size_t n;
    static bool looked;
    for (size_t i = 0; !looked && i < N_CROSS_TARGETS; i++) {
        const char *missing = cross_missing(&CROSS_TARGETS[i]);
        if (missing)
            print_message("%s skipped for want of %s\n", CROSS_TARGETS[i].name, missing);
        else
            found[n++] = &CROSS_TARGETS[i];
    }
    looked = true;
    *out_n = n;
    return found;
}

/* For every target; where there is no time for that, for one, another each time. */
static void check_everywhere(const char *text)
{
    static size_t turn;
    size_t n;
    const struct cross_target *const *t = targets(&n);
    size_t step = support_full() ? 1 : N_CROSS_TARGETS;
    for (size_t i = turn++ % step; i < n; i += step)
        check(text, t[i]);
}

static void need_targets(void)
{
    size_t n;
    targets(&n);
    SUPPORT_NEED(n ? "" : NULL, "clang, lld and qemu");
}

static void check_convs(const char *x, const char *w, const char *acc,
                        enum contraction_result result)
{
    size_t step = support_full() ? 1 : support_quick() ? 23 : 2;
    conv_each(x, w, acc, result, step, check_everywhere);
}

static void check_products(const struct product *p, size_t n, const char *x, const char *w,
                           const char *acc)
{
    product_each(p, n, x, w, acc, check_everywhere);
}

static void convolutions_of_bytes(void **state)
{
    (void)state;
    need_targets();
    for (int i = 0; i < N_BYTES; i++)
        check_convs(BYTES[i][0], BYTES[i][1], "i32", SUMS);
}

static void convolutions_requantize(void **state)
{
    (void)state;
    need_targets();
    check_convs("u8", "i8", "i32", REQUANTIZED);
    check_convs("i8", "i8", "i32", REQUANTIZED);
}

static void products_of_bytes(void **state)
{
    (void)state;
    need_targets();
    for (int i = 0; i < N_BYTES; i++)
        check_products(PRODUCTS, N_PRODUCTS, BYTES[i][0], BYTES[i][1], "i32");
}

static void sums_of_16_bits(void **state)
{
    (void)state;
    need_targets();
    check_convs("i16", "i16", "i64", SUMS);
    check_products(PRODUCTS, N_PRODUCTS, "i16", "i16", "i64");
}

static void floats(void **state)
{
    (void)state;
    need_targets();
    check_products(PRODUCTS, N_PRODUCTS, "f32", "f32", "f32");
    check_products(WEIGHTS_ONLY, N_WEIGHTS_ONLY, "f32", "i8", "f32");
    check_convs("f32", "f32", "f32", SUMS);
}

static void floats_in_16_bits(void **state)
{
    (void)state;
    need_targets();
    check_products(PRODUCTS, N_PRODUCTS, "f16", "f16", "f32");
    check_products(PRODUCTS, N_PRODUCTS, "bf16", "bf16", "f32");
    check_convs("f16", "f16", "f32", SUMS);
    check_convs("bf16", "bf16", "f32", SUMS);
}

/* ---- what they are made of ---- */

static void assert_schedule(const char *text, const char *triple, const char *cpu, const char *want)
{
    struct compiled c;
    struct error err;
    error_init(&err);
    struct cpu_target_options opt = {.triple = triple, .cpu = cpu};
    bool ok = compiled_emit_kernel(&c, text, &opt, &err);
    const char *got = ok ? compiled_schedules(&c) : err.text;
    bool found = ok && strstr(got, want);
    if (!found)
        print_error("%s %s: '%s' is not in:\n%s", triple, cpu, want, got);
    compiled_close(&c);
    assert_true(found);
}

static void products_take_the_best_instruction(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    const char *blocked = conv_text(&a, &CONVS[0], "i8", "i8", "i32", SUMS);
    assert_schedule(blocked, "aarch64", "cortex-a53", "x8 k d5/64 dot 1 of d5 at once 8");
    assert_schedule(blocked, "aarch64", "cortex-a76", "x4 k d5/64 dot 4 of d5 at once 4");
    assert_schedule(blocked, "aarch64", "neoverse-n2", "x4 k d5/64 dot 2x8x2 of d5");
    assert_schedule(blocked, "armv7", "cortex-a7", "x8 k d5/64 dot 1 of d5 at once 8");
    assert_schedule(blocked, "thumbv7em", "cortex-m4", "x1 k d5/64 dot 2 of d5");
    assert_schedule(blocked, "thumbv8.1m.main", "cortex-m55", "x1 k d5/64 dot 16 of d5");
    assert_schedule(blocked, "riscv64", "sifive-p670", "x16 k d5/64 dot 1 pack");
    assert_schedule(blocked, "wasm32", "generic", "x4 k d5/64 dot 2 of d5");
    const char *floats = conv_text(&a, &CONVS[0], "f32", "f32", "f32", SUMS);
    assert_schedule(floats, "aarch64", "cortex-a53", "x4 k d5/64 of d5 at once 4");
    const char *halves = conv_text(&a, &CONVS[0], "f16", "f16", "f32", SUMS);
    assert_schedule(halves, "aarch64", "cortex-a76", "x4 k d5/64 of d5 at once 4");
    assert_schedule(halves, "aarch64", "apple-m1", "x8 k d5/64 dot 1 of d5 at once 8");
    const char *bf16 = conv_text(&a, &CONVS[0], "bf16", "bf16", "f32", SUMS);
    assert_schedule(bf16, "aarch64", "apple-m1", "x4 k d5/64 of d5 at once 4");
    assert_schedule(bf16, "aarch64", "neoverse-n2", "x8 k d5/64 dot 1 of d5 at once 8");
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_of_bytes),
        cmocka_unit_test(convolutions_requantize),
        cmocka_unit_test(products_of_bytes),
        cmocka_unit_test(sums_of_16_bits),
        cmocka_unit_test(floats),
        cmocka_unit_test(floats_in_16_bits),
        cmocka_unit_test(products_take_the_best_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
