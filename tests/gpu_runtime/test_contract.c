/*
 * Contractions on a GPU, which is simulated, compared with the evaluator: integers bit for bit,
 * floats within the tolerances of pipeline_run_verify.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/assemble.h"
#include "tests/support/contractions.h"
#include "tests/support/support.h"

static void check(const char *text)
{
    contraction_check(text, "nvidia");
}

static void check_tf32(const char *text)
{
    contraction_check(text, "nvidia,tf32");
}

static void check_tf32x3(const char *text)
{
    contraction_check(text, "nvidia,tf32x3");
}

static int need_simulator(void **state)
{
    (void)state;
    return !compiled_host_runs("nvidia");
}

#define STEP                               (support_quick() ? 17 : support_full() ? 1 : 2)
#define PRODUCTS_EACH(p, x, w, acc, check) product_each(p, sizeof p / sizeof p[0], x, w, acc, check)

static void convolutions_of_bytes(void **state)
{
    (void)state;
    for (int i = 0; i < N_BYTES; i++)
        conv_each(BYTES[i][0], BYTES[i][1], "i32", SUMS, STEP, check);
}

static void convolutions_requantize(void **state)
{
    (void)state;
    conv_each("u8", "i8", "i32", REQUANTIZED, STEP, check);
}

static void products_of_bytes(void **state)
{
    (void)state;
    for (int i = 0; i < N_BYTES; i++)
        PRODUCTS_EACH(PRODUCTS, BYTES[i][0], BYTES[i][1], "i32", check);
}

static void sums_of_16_bits(void **state)
{
    (void)state;
    conv_each("i16", "i16", "i64", SUMS, 5, check);
    PRODUCTS_EACH(PRODUCTS, "i16", "i16", "i64", check);
    PRODUCTS_EACH(PRODUCTS, "i16", "u8", "i32", check);
}

static void floats(void **state)
{
    (void)state;
    PRODUCTS_EACH(PRODUCTS, "f32", "f32", "f32", check);
    conv_each("f32", "f32", "f32", SUMS, STEP, check);
}

static void floats_as_tf32(void **state)
{
    (void)state;
    PRODUCTS_EACH(PRODUCTS, "f32", "f32", "f32", check_tf32);
    conv_each("f32", "f32", "f32", SUMS, STEP, check_tf32);
}

static void floats_as_three_tf32(void **state)
{
    (void)state;
    PRODUCTS_EACH(PRODUCTS, "f32", "f32", "f32", check_tf32x3);
    conv_each("f32", "f32", "f32", SUMS, STEP, check_tf32x3);
}

static void floats_in_16_bits(void **state)
{
    (void)state;
    PRODUCTS_EACH(PRODUCTS, "f16", "f16", "f32", check);
    PRODUCTS_EACH(PRODUCTS, "bf16", "bf16", "f32", check);
    conv_each("f16", "f16", "f32", SUMS, STEP, check);
    conv_each("bf16", "bf16", "f32", SUMS, STEP, check);
}

static void weights_only(void **state)
{
    (void)state;
    static const char *const TYPES[] = {"i8", "i4", "u4", "f16"};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        PRODUCTS_EACH(WEIGHTS_ONLY, "f32", TYPES[i], "f32", check);
        PRODUCTS_EACH(WEIGHTS_ONLY, "f16", TYPES[i], "f32", check);
    }
}

/* What is converted by vectors on its way: along K, where K ends inside a stage or a scale is of a
   block of K, and along N. */
static const struct product CONVERTED[] = {
    {.m = 40, .k = 48, .n = 32, .constant = true, .scale = 16},
    {.m = 64, .k = 160, .n = 70, .constant = true, .scale = 32},
    {.m = 130, .k = 104, .n = 64, .constant = true, .scale = 1},
    {.m = 33, .k = 70, .n = 80, .constant = false, .scale = 1},
    {.m = 40, .k = 48, .n = 33, .constant = false, .scale = 16},
    {.m = 600, .k = 64, .n = 1024, .constant = true, .scale = 32},
};

static void converted_operands(void **state)
{
    (void)state;
    static const char *const TYPES[] = {"i8", "u8", "i4", "u4", "f16", "bf16"};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        PRODUCTS_EACH(CONVERTED, "f32", TYPES[i], "f32", check);
        if (support_full())
            PRODUCTS_EACH(CONVERTED, "f16", TYPES[i], "f32", check_tf32x3);
    }
    PRODUCTS_EACH(CONVERTED, "f16", "i8", "f32", check_tf32);
    PRODUCTS_EACH(PRODUCTS, "f16", "f32", "f32", check);
}

/* Sizes about those of tiles, every kind of product. */
static void tiles(void **state)
{
    (void)state;
    for (int i = 0; i < N_BYTES; i++)
        PRODUCTS_EACH(TILED, BYTES[i][0], BYTES[i][1], "i32", check);
    PRODUCTS_EACH(TILED, "f32", "f32", "f32", check);
    PRODUCTS_EACH(TILED, "f32", "f32", "f32", check_tf32);
    PRODUCTS_EACH(TILED, "f32", "f32", "f32", check_tf32x3);
    PRODUCTS_EACH(TILED, "f16", "f16", "f32", check);
    PRODUCTS_EACH(TILED, "bf16", "bf16", "f32", check);
}

static void batches(void **state)
{
    (void)state;
    batched_each(BATCHED, N_BATCHED, "f32", "f32", check);
    batched_each(BATCHED, N_BATCHED, "f32", "f32", check_tf32);
    batched_each(BATCHED, N_BATCHED, "f32", "f32", check_tf32x3);
    batched_each(BATCHED, N_BATCHED, "f16", "f32", check);
    batched_each(BATCHED, N_BATCHED, "bf16", "f32", check);
    batched_each(BATCHED, N_BATCHED, "i8", "i32", check);
}

static void neighbours_across_k(void **state)
{
    (void)state;
    size_t n = support_full() ? N_ACROSS : N_ACROSS - 3;
    batched_each(ACROSS, n, "f32", "f32", check);
    batched_each(ACROSS, n, "f32", "f32", check_tf32);
    batched_each(ACROSS, n, "f32", "f32", check_tf32x3);
    batched_each(ACROSS, n, "f16", "f32", check);
    batched_each(ACROSS, n, "bf16", "f32", check);
    batched_each(ACROSS, n, "i8", "i32", check);
    /* Every tile. */
    batched_each(ACROSS + N_ACROSS - 1, 1, "f16", "f32", check);
    batched_each(ACROSS + N_ACROSS - 3, 1, "i8", "i32", check);
}

/* As the target itself lays images out. */
static void check_last(const char *x, const char *w, const char *acc, size_t step)
{
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < N_CONVS; i += step) {
        struct conv c = CONVS[i];
        c.block = CHANNELS_LAST;
        check(conv_text(&a, &c, x, w, acc, SUMS));
        if (*x == 'u')
            check(conv_text(&a, &c, x, w, acc, REQUANTIZED));
    }
    arena_done(&a);
}

static void channels_last(void **state)
{
    (void)state;
    check_last("u8", "i8", "i32", STEP);
    check_last("i8", "i8", "i32", 2 * STEP);
    check_last("f16", "f16", "f32", STEP);
    check_last("f32", "f32", "f32", STEP);
}

/* None of the above was expanded to loops. */
static void products_are_the_best_ones(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *acc, *target, *want;
    } rows[] = {
        {"f32", "f32", "f32", "nvidia", " fma, K"},
        {"f32", "f32", "f32", "nvidia,tf32", " tf32, K"},
        {"f32", "f32", "f32", "nvidia,tf32x3", " 3xtf32, K"},
        {"f16", "f16", "f32", "nvidia", " f16, K"},
        {"bf16", "bf16", "f32", "nvidia", " bf16, K"},
        {"u8", "i8", "i32", "nvidia", " bytes, K"},
        {"i8", "i8", "i32", "nvidia", " bytes, K"},
        {"u8", "u8", "i32", "nvidia", " bytes, K"},
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conv c = CONVS[0];
        c.block = CHANNELS_LAST;
        compiled_expect_schedule(product_text(&a, &TILED[1], rows[i].a, rows[i].b, rows[i].acc),
                                 rows[i].target, rows[i].want);
        compiled_expect_schedule(conv_text(&a, &c, rows[i].a, rows[i].b, rows[i].acc, SUMS),
                                 rows[i].target, rows[i].want);
    }
    /* But what is too small for a tile, or becomes f32 on its way in. */
    for (size_t i = 0; i < N_BATCHED; i++)
        if (BATCHED[i].m > 8 && !BATCHED[i].scaled)
            compiled_expect_schedule(batched_text(&a, &BATCHED[i], "f16", "f32"), "nvidia",
                                     " f16, K");
    arena_done(&a);
}

/* Nothing that can be copied as it lies goes through registers. */
static void copies_are_the_best_ones(void **state)
{
    (void)state;
    static const char *const types[][2] = {
        {"f32", "f32"}, {"f16", "f32"}, {"bf16", "f32"}, {"i8", "i32"}, {"i32", "i32"}};
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const char *type = types[i][0], *acc = types[i][1];
        compiled_expect_schedule(batched_text(&a, &ACROSS[1], type, acc), "nvidia",
                                 " stages, b across, ");
        for (size_t j = 2; j < N_ACROSS; j++)
            compiled_expect_schedule(batched_text(&a, &ACROSS[j], type, acc), "nvidia",
                                     " stages, a across, b across, ");
        compiled_expect_schedule(batched_text(&a, &BATCHED[0], type, acc), "nvidia",
                                 " stages, about ");
    }
    compiled_expect_schedule(product_text(&a, &CONVERTED[1], "f32", "i8", "f32"), "nvidia",
                             " stages, b by vectors, ");
    compiled_expect_schedule(product_text(&a, &CONVERTED[0], "f32", "u4", "f32"), "nvidia",
                             " stages, b by vectors across, ");
    compiled_expect_schedule(product_text(&a, &CONVERTED[3], "i8", "i8", "f32"), "nvidia",
                             " stages, a by elements, b by vectors across, ");
    /* A row that is no multiple of 16 bytes. */
    compiled_expect_schedule(batched_text(&a, &ACROSS[0], "f16", "f32"), "nvidia",
                             " stages, a by elements, b across, ");
    compiled_expect_schedule(batched_text(&a, &BATCHED[5], "f16", "f32"), "nvidia",
                             " stages, b across, ");
    arena_done(&a);
}

/* That of what is above, one in eight (all in check-full) was assembled. */
static void assembler(void **state)
{
    (void)state;
    SUPPORT_NEED(assemble_program(), "ptxas");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_of_bytes),
        cmocka_unit_test(convolutions_requantize),
        cmocka_unit_test(products_of_bytes),
        cmocka_unit_test(sums_of_16_bits),
        cmocka_unit_test(floats),
        cmocka_unit_test(floats_as_tf32),
        cmocka_unit_test(floats_as_three_tf32),
        cmocka_unit_test(floats_in_16_bits),
        cmocka_unit_test(tiles),
        cmocka_unit_test(batches),
        cmocka_unit_test(converted_operands),
        cmocka_unit_test(neighbours_across_k),
        cmocka_unit_test(channels_last),
        cmocka_unit_test(products_are_the_best_ones),
        cmocka_unit_test(copies_are_the_best_ones),
        cmocka_unit_test(weights_only),
        cmocka_unit_test(assembler),
    };
    return cmocka_run_group_tests(tests, need_simulator, NULL);
}
