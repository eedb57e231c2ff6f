/*
 * test_schedule.c: schedules are found by region and have a text form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ir/schedule.h"

/* y[i][j] = x[i][j]: one map. */
static kval add_map(struct kernel *k)
{
    int x = kernel_add_buf(k, "x", DTYPE_F32, KBUF_IN, 2, (const int64_t[]){8, 64});
    int y = kernel_add_buf(k, "y", DTYPE_F32, KBUF_OUT, 2, (const int64_t[]){8, 64});
    kval extents[] = {kernel_extent(k, y, 0), kernel_extent(k, y, 1)}, index[2];
    kernel_map_begin(k, 2, extents, index);
    kernel_store(k, y, index, kernel_load(k, x, index));
    kernel_map_end(k);
    return k->body.insts[k->body.n - 1];
}

/* y = a w, with packed constant w. */
static kval add_contract(struct kernel *k)
{
    static const float zeroes[16 * 32];
    static const struct tensor w = {
        .dtype = DTYPE_F32, .rank = 2, .dims = {16, 32}, .data = zeroes};
    int a = kernel_add_buf(k, "a", DTYPE_F32, KBUF_IN, 2, (const int64_t[]){4, 16});
    int b = kernel_add_buf(k, "w", DTYPE_F32, KBUF_IN, 2, w.dims);
    int y = kernel_add_buf(k, "z", DTYPE_F32, KBUF_OUT, 2, (const int64_t[]){4, 32});
    k->bufs[b].constant = &w;
    k->bufs[b].layout = layout_blocked(layout_plain(2), 1, 16);
    static const enum kiter kinds[] = {KITER_M, KITER_N, KITER_K};
    kval index[3];
    struct kcontract *c =
        kernel_contract_begin(k, DTYPE_F32, 3, (const int64_t[]){4, 32, 16}, kinds, index);
    c->a.buf = a;
    c->a.dim[0] = kaffine_var(index[0], 1, 0);
    c->a.dim[1] = kaffine_var(index[2], 1, 0);
    c->b.buf = b;
    c->b.dim[0] = kaffine_var(index[2], 1, 0);
    c->b.dim[1] = kaffine_var(index[1], 1, 0);
    kval acc = kernel_contract_epilogue(k);
    kernel_store(k, y, index, acc);
    kernel_contract_end(k);
    return k->body.insts[k->body.n - 1];
}

static void test_find_and_print(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct kernel *k = kernel_create(&arena, "k");
    kval map = add_map(k), contract = add_contract(k);
    struct schedule_entry entries[] = {
        {.region = map,
         .n_loops = 3,
         .loop = {{.dim = 0},
                  {.dim = 1, .part = SCHEDULE_OUTER, .block = 16},
                  {.dim = 1, .part = SCHEDULE_INNER, .block = 16}},
         .lanes = 16},
        {.region = contract,
         .tile_m = 4,
         .tile_n = 2,
         .vector = 16,
         .k_block = 16,
         .row_iter = 0,
         .col_iter = 1,
         .row_outer = -1,
         .k_iter = 2},
    };
    struct schedule s = {.entries = entries, .n = 2};
    assert_ptr_equal(schedule_find(&s, map), &entries[0]);
    assert_ptr_equal(schedule_find(&s, contract), &entries[1]);
    assert_null(schedule_find(&s, map + 1000));
    assert_null(schedule_find(NULL, map));

    struct strbuf out;
    strbuf_init(&out, &arena);
    schedule_print(&s, k, &out);
    entries[1].row_outer = 2;
    entries[1].k_iter = -1;
    entries[1].dot = SCHEDULE_DOT4;
    entries[1].group_iter = 2;
    schedule_print(&(struct schedule){.entries = entries + 1, .n = 1}, k, &out);
    entries[1].dot = SCHEDULE_DOT_SQUARE;
    schedule_print(&(struct schedule){.entries = entries + 1, .n = 1}, k, &out);
    entries[1].dot = SCHEDULE_MULTIPLY_ADD;
    entries[1].at_once = 4;
    schedule_print(&(struct schedule){.entries = entries + 1, .n = 1}, k, &out);
    const uint32_t *number = kernel_number(k, &arena);
    const char *want = arena_printf(
        &arena,
        "map %%%u: for d0 d1/16 d1%%16 vector 16\n"
        "contract %%%u: tile rows d0 4 cols d1 2x16 k d2/16 pack \"ab16b\"\n"
        "contract %%%u: tile rows d2,d0 4 cols d1 2x16 dot 4 of d2 pack \"ab16b\"\n"
        "contract %%%u: tile rows d2,d0 4 cols d1 2x16 dot 2x8x2 of d2 pack \"ab16b\"\n"
        "contract %%%u: tile rows d2,d0 4 cols d1 2x16 of d2 at once 4 pack \"ab16b\"\n",
        number[map], number[contract], number[contract], number[contract], number[contract]);
    assert_string_equal(strbuf_text(&out), want);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find_and_print)};
    return cmocka_run_group_tests_name("ir/schedule", tests, NULL, NULL);
}
