/*
 * Layouts: text form, and offsets as a bijection of padded indices onto memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/layout.h"
#include "tests/ir/random_layout.h"

static uint64_t seed = 1;

/* Steps idx through all indices below dims; false at the end. */
static bool next_index(int rank, const int64_t *dims, int64_t *idx)
{
    for (int d = rank; d-- > 0;) {
        if (++idx[d] < dims[d])
            return true;
        idx[d] = 0;
    }
    return false;
}

static void test_offsets_are_a_bijection(void **state)
{
    (void)state;
    for (int round = 0; round < 400; round++) {
        int rank = random_below(&seed, 5);
        int64_t dims[MAX_RANK], padded[MAX_RANK], idx[MAX_RANK] = {0}, elems = 1;
        struct layout l = random_layout(&seed, rank);
        for (int d = 0; d < rank; d++) {
            int64_t block = layout_block_size(&l, d);
            dims[d] = 1 + random_below(&seed, 5);
            padded[d] = (dims[d] + block - 1) / block * block;
            elems *= padded[d];
        }
        assert_int_equal(layout_elems(&l, dims), elems);
        char *seen = calloc((size_t)elems, 1);
        do {
            int64_t at = layout_offset(&l, dims, idx);
            assert_in_range(at, 0, elems - 1);
            assert_false(seen[at]);
            seen[at] = 1;
        } while (next_index(rank, padded, idx));
        assert_null(memchr(seen, 0, (size_t)elems));
        free(seen);
    }
}

static void test_known_offsets(void **state)
{
    (void)state;
    const int64_t dims[4] = {2, 35, 5, 7}, idx[4] = {1, 20, 3, 6};
    struct layout l;
    struct error err;
    error_init(&err);
    l = layout_plain(4);
    assert_int_equal(layout_offset(&l, dims, idx), ((1 * 35 + 20) * 5 + 3) * 7 + 6);
    assert_true(layout_parse("acdb", 4, &l, &err));
    assert_int_equal(layout_offset(&l, dims, idx), ((1 * 5 + 3) * 7 + 6) * 35 + 20);
    assert_true(layout_parse("abcd16b", 4, &l, &err));
    assert_int_equal(layout_elems(&l, dims), 2 * 48 * 5 * 7);
    assert_int_equal(layout_offset(&l, dims, idx), (((1 * 3 + 1) * 5 + 3) * 7 + 6) * 16 + 4);
    /* Two blocks of one dimension: 20 = block 2, then digits 2 and 0 of 4 x 2. */
    assert_true(layout_parse("abcd4b3a2b", 4, &l, &err));
    assert_int_equal(layout_block_size(&l, 1), 8);
    assert_int_equal(layout_offset(&l, dims, idx),
                     ((((0 * 5 + 2) * 5 + 3) * 7 + 6) * 4 + 2) * 6 + 1 * 2 + 0);
}

static void test_strides_give_offsets(void **state)
{
    (void)state;
    struct layout l = layout_blocked(layout_plain(3), 1, 4);
    const int64_t dims[3] = {3, 10, 5};
    struct layout_strides s = layout_strides(&l, dims);
    for (int64_t i = 0; i < 3; i++)
        for (int64_t j = 0; j < 10; j++)
            for (int64_t k = 0; k < 5; k++) {
                const int64_t idx[3] = {i, j, k};
                assert_int_equal(layout_offset(&l, dims, idx), i * s.outer[0] + j / 4 * s.outer[1] +
                                                                   j % 4 * s.inner[0] +
                                                                   k * s.outer[2]);
            }
}

static void test_text_round_trip(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    for (int round = 0; round < 400; round++) {
        int rank = random_below(&seed, MAX_RANK + 1);
        struct layout l = random_layout(&seed, rank), back;
        struct error err;
        error_init(&err);
        const char *text = layout_print(&l, &a);
        assert_true(layout_parse(text, rank, &back, &err));
        assert_true(layout_equal(&l, &back));
        assert_int_equal(!strcmp(text, "plain"), layout_is_plain(&l));
    }
    arena_done(&a);
}

static void test_malformed_text(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "abc",    "abcde",  "abca",          "abcd16",
                                      "abcd1a", "abcd0b", "abcd4e", "abcd 4b",       "abcd99999a",
                                      "ABCD",   "Plain",  "abcdb",  "abcd2a2a2a2a2a"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct layout l;
        struct error err;
        error_init(&err);
        assert_false(layout_parse(bad[i], 4, &l, &err));
        assert_int_equal(err.status, SHEAF_ERROR_FORMAT);
        assert_non_null(strstr(err.text, bad[i]));
    }
    struct layout l;
    struct error err;
    error_init(&err);
    assert_false(layout_parse("plain", MAX_RANK + 1, &l, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets_are_a_bijection), cmocka_unit_test(test_known_offsets),
        cmocka_unit_test(test_strides_give_offsets),    cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_malformed_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
