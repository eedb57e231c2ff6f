/*
 * test_plan.c: packings are valid, never below the bound, and at the bound on the recorded traces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ir/plan.h"
#include "tests/support/random.h"
#include "tests/support/support.h"

static void check_valid(const struct plan_item *items, size_t n, int64_t align, int64_t area)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(items[i].offset >= 0);
        assert_int_equal(items[i].offset % align, 0);
        assert_true(items[i].offset + items[i].bytes <= area);
        for (size_t j = 0; j < i; j++) {
            if (items[i].first > items[j].last || items[j].first > items[i].last)
                continue;
            assert_true(items[i].offset + items[i].bytes <= items[j].offset ||
                        items[j].offset + items[j].bytes <= items[i].offset);
        }
    }
}

static int64_t pack(struct plan_item *items, size_t n, int64_t align)
{
    struct arena arena;
    arena_init(&arena);
    int64_t area = plan_pack(&arena, items, n, align);
    arena_done(&arena);
    check_valid(items, n, align, area);
    assert_true(area >= plan_peak_live(items, n, align));
    return area;
}

static void test_nothing(void **state)
{
    (void)state;
    assert_int_equal(pack(NULL, 0, 64), 0);
    assert_int_equal(plan_peak_live(NULL, 0, 64), 0);
}

static void test_shares_storage(void **state)
{
    (void)state;
    struct plan_item items[] = {
        {.bytes = 100, .first = 0, .last = 1},
        {.bytes = 60, .first = 1, .last = 2},
        {.bytes = 128, .first = 2, .last = 3},
    };
    assert_int_equal(plan_peak_live(items, 3, 64), 192);
    assert_int_equal(pack(items, 3, 64), 192);
}

static void test_end_of_time(void **state)
{
    (void)state;
    struct plan_item items[] = {
        {.bytes = 64, .first = 0, .last = UINT32_MAX},
        {.bytes = 64, .first = UINT32_MAX, .last = UINT32_MAX},
    };
    assert_int_equal(pack(items, 2, 64), 128);
}

/* The others go around items that have their places, also where these leave a gap. */
static void test_pinned(void **state)
{
    (void)state;
    struct plan_item items[] = {
        {.bytes = 64, .first = 1, .last = 2, .offset = 192, .pinned = true},
        {.bytes = 128, .first = 0, .last = 3},
        {.bytes = 64, .first = 0, .last = 1, .offset = 64, .pinned = true},
        {.bytes = 64, .first = 0, .last = 0},
        {.bytes = 100, .first = 2, .last = 3},
    };
    assert_int_equal(pack(items, 5, 64), 384);
    assert_int_equal(items[0].offset, 192);
    assert_int_equal(items[2].offset, 64);
    assert_int_equal(items[4].offset, 0);
    assert_int_equal(pack(items, 1, 64), 256);

    /* Many, of which every third has the place that a packing gave it. */
    enum { N = 60 };
    struct plan_item many[N];
    uint64_t seed = 5;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < N; i++) {
            uint32_t first = (uint32_t)(random_next(&seed) % 40);
            many[i] = (struct plan_item){.bytes = (int64_t)(random_next(&seed) % 1000) + 1,
                                         .first = first,
                                         .last = first + (uint32_t)(random_next(&seed) % 9)};
        }
        int64_t free_area = pack(many, N, 64), place[N];
        for (size_t i = 0; i < N; i++) {
            many[i].pinned = i % 3 == 0;
            place[i] = many[i].offset;
        }
        assert_in_range(pack(many, N, 64), 1, 2 * free_area);
        for (size_t i = 0; i < N; i += 3)
            assert_int_equal(many[i].offset, place[i]);
    }
}

/* Greedy orders take more than the bound in each; one method alone finds the packing. */
static void test_each_method(void **state)
{
    (void)state;
    struct plan_item forwards[] = {
        {.bytes = 6, .first = 0, .last = 4}, {.bytes = 1, .first = 1, .last = 2},
        {.bytes = 6, .first = 2, .last = 3}, {.bytes = 4, .first = 3, .last = 4},
        {.bytes = 2, .first = 3, .last = 4}, {.bytes = 4, .first = 4, .last = 6},
        {.bytes = 2, .first = 4, .last = 5}, {.bytes = 5, .first = 5, .last = 9},
        {.bytes = 4, .first = 5, .last = 7}, {.bytes = 5, .first = 6, .last = 7},
        {.bytes = 1, .first = 7, .last = 11}};
    assert_int_equal(plan_peak_live(forwards, 11, 1), 18);
    assert_int_equal(pack(forwards, 11, 1), 18);
    struct plan_item backwards[] = {
        {.bytes = 4, .first = 0, .last = 4}, {.bytes = 3, .first = 1, .last = 3},
        {.bytes = 2, .first = 2, .last = 6}, {.bytes = 1, .first = 3, .last = 4},
        {.bytes = 4, .first = 3, .last = 3}, {.bytes = 5, .first = 3, .last = 5},
        {.bytes = 6, .first = 3, .last = 5}, {.bytes = 6, .first = 4, .last = 8},
        {.bytes = 6, .first = 5, .last = 5}, {.bytes = 5, .first = 6, .last = 12}};
    assert_int_equal(plan_peak_live(backwards, 10, 1), 25);
    assert_int_equal(pack(backwards, 10, 1), 25);
    struct plan_item repair[] = {
        {.bytes = 2, .first = 0, .last = 3}, {.bytes = 5, .first = 1, .last = 3},
        {.bytes = 5, .first = 2, .last = 5}, {.bytes = 6, .first = 2, .last = 2},
        {.bytes = 1, .first = 3, .last = 7}, {.bytes = 2, .first = 3, .last = 5},
        {.bytes = 6, .first = 4, .last = 7}, {.bytes = 4, .first = 5, .last = 10},
        {.bytes = 6, .first = 6, .last = 6}, {.bytes = 5, .first = 7, .last = 12}};
    assert_int_equal(plan_peak_live(repair, 10, 1), 18);
    assert_int_equal(pack(repair, 10, 1), 18);
}

static uint64_t seed;

static uint32_t below(uint32_t n)
{
    return random_next(&seed) % n;
}

static void test_same_offsets_twice(void **state)
{
    (void)state;
    struct plan_item a[40], b[40];
    seed = 7;
    for (size_t i = 0; i < 40; i++) {
        uint32_t first = below(60);
        a[i] =
            (struct plan_item){.bytes = 1 + below(1000), .first = first, .last = first + below(12)};
        b[i] = a[i];
    }
    assert_int_equal(pack(a, 40, 64), pack(b, 40, 64));
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(a[i].offset, b[i].offset);
}

/* Networks' shape: short lives, a few long ones, a small set of sizes.  Most reach the bound. */
static void test_random(void **state)
{
    (void)state;
    size_t at_bound = 0, runs = support_quick() ? 40 : 200;
    seed = 1;
    for (size_t run = 0; run < runs; run++) {
        struct plan_item items[120];
        size_t n = 2 + below(118);
        int64_t align = below(2) ? 64 : 1;
        for (size_t i = 0; i < n; i++) {
            uint32_t life = below(8) ? below(3) : below(20);
            items[i] = (struct plan_item){.bytes = (int64_t)(1u << below(12)) * 37,
                                          .first = (uint32_t)i,
                                          .last = (uint32_t)i + life};
        }
        at_bound += pack(items, n, align) == plan_peak_live(items, n, align);
    }
    assert_true(at_bound * 10 >= runs * 8);
}

/* Thousands of buffers stay affordable. */
static void test_large(void **state)
{
    (void)state;
    size_t n = 4000;
    struct plan_item *items = calloc(n, sizeof *items);
    assert_non_null(items);
    seed = 2;
    for (size_t i = 0; i < n; i++)
        items[i] = (struct plan_item){.bytes = 64 * (1 + (int64_t)below(5000)),
                                      .first = (uint32_t)i,
                                      .last = (uint32_t)i + below(30)};
    int64_t area = pack(items, n, 64);
    assert_true(area <= plan_peak_live(items, n, 64) * 5 / 4);
    free(items);
}

/* ---- recorded traces ---- */

struct trace {
    char model[128];
    int64_t align, mem;
    uint32_t clock;
    size_t n;
    struct plan_item items[1024];
    char id[1024][16];
};

static double seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool trace_is_packed(struct trace *t)
{
    double start = seconds();
    int64_t bound = plan_peak_live(t->items, t->n, t->align);
    int64_t area = pack(t->items, t->n, t->align);
    if (area == bound && area <= t->mem && seconds() - start < 2)
        return true;
    print_message("%s: %lld bytes, bound %lld, recorded %lld, %.2f s\n", t->model, (long long)area,
                  (long long)bound, (long long)t->mem, seconds() - start);
    return false;
}

static void test_traces(void **state)
{
    (void)state;
    const char *path = support_data("traces/glow_allocator_models.txt");
    SUPPORT_NEED(path, "traces/glow_allocator_models.txt");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    struct trace *t = calloc(1, sizeof *t);
    assert_non_null(t);
    size_t models = 0, missed = 0;
    char line[256];
    while (fgets(line, sizeof line, f)) {
        char id[16];
        long long value;
        if (sscanf(line, "MODEL %127s", t->model) == 1) {
            t->n = 0;
            t->clock = 0;
        } else if (sscanf(line, "ALIGN %lld", &value) == 1) {
            t->align = value;
        } else if (sscanf(line, "ALLOC %15s %lld", id, &value) == 2) {
            assert_true(t->n < 1024);
            t->items[t->n] = (struct plan_item){.bytes = value, .first = t->clock};
            strcpy(t->id[t->n++], id);
            t->clock++;
        } else if (sscanf(line, "FREE %15s", id) == 1) {
            size_t i = 0;
            while (i < t->n && strcmp(t->id[i], id) != 0)
                i++;
            assert_true(i < t->n);
            t->items[i].last = t->clock - 1;
        } else if (sscanf(line, "MEM %lld", &value) == 1) {
            t->mem = value;
            models++;
            missed += !trace_is_packed(t);
        }
    }
    fclose(f);
    free(t);
    assert_true(models >= 79);
    assert_int_equal(missed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),     cmocka_unit_test(test_shares_storage),
        cmocka_unit_test(test_each_method), cmocka_unit_test(test_end_of_time),
        cmocka_unit_test(test_pinned),      cmocka_unit_test(test_same_offsets_twice),
        cmocka_unit_test(test_random),      cmocka_unit_test(test_large),
        cmocka_unit_test(test_traces),
    };
    return cmocka_run_group_tests_name("ir/plan", tests, NULL, NULL);
}
