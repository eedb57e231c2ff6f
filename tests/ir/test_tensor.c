/*
 * Constant tensors: elements as numbers, and packing against layout_offset.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/tensor.h"
#include "tests/ir/random_layout.h"

static uint64_t seed = 7;

static const enum dtype all_types[] = {DTYPE_F32, DTYPE_F64, DTYPE_F16,    DTYPE_BF16,  DTYPE_I8,
                                       DTYPE_I16, DTYPE_I32, DTYPE_I64,    DTYPE_U8,    DTYPE_U16,
                                       DTYPE_U32, DTYPE_U64, DTYPE_BOOL,   DTYPE_I4,    DTYPE_U4,
                                       DTYPE_I2,  DTYPE_U2,  DTYPE_F8E5M2, DTYPE_F4E2M1};
enum { N_TYPES = sizeof all_types / sizeof all_types[0] };

static void test_numbers(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    const int64_t dims[1] = {5};
    for (int i = 0; i < N_TYPES; i++) {
        struct tensor *t = tensor_new(&a, all_types[i], 1, dims);
        if (dtype_bits(all_types[i]) == 2 || dtype_is_coded(all_types[i]))
            continue; /* below */
        bool is_bool = all_types[i] == DTYPE_BOOL;
        for (int64_t k = 0; k < 5; k++)
            tensor_set_int(t, k, k);
        tensor_set(t, 1, 3.0); /* writing one leaves its neighbours, 4-bit ones too */
        assert_int_equal(tensor_get_int(t, 0), 0);
        assert_int_equal(tensor_get_int(t, 1), is_bool ? 1 : 3);
        assert_int_equal(tensor_get_int(t, 2), is_bool ? 1 : 2);
        assert_true(tensor_get(t, 4) == (is_bool ? 1 : 4));
        assert_int_equal(tensor_bytes(t), dtype_bytes(all_types[i], 5));
    }
    arena_done(&a);
}

/* Parts of bytes; and codes, of which numbers are made. */
static void test_packed(void **state)
{
    (void)state;
    struct arena a;
    const int64_t dims[1] = {5};
    arena_init(&a);
    struct tensor *i2 = tensor_new(&a, DTYPE_I2, 1, dims), *u2 = tensor_new(&a, DTYPE_U2, 1, dims);
    struct tensor *f4 = tensor_new(&a, DTYPE_F4E2M1, 1, dims);
    for (int64_t k = 0; k < 5; k++) {
        tensor_set_int(i2, k, k % 4 - 2);
        tensor_set_int(u2, k, k % 4);
        tensor_set_int(f4, k, k);
    }
    assert_memory_equal(i2->data, ((uint8_t[]){0x4e, 0x02}), 2);
    assert_memory_equal(u2->data, ((uint8_t[]){0xe4, 0x00}), 2);
    assert_memory_equal(f4->data, ((uint8_t[]){0x10, 0x32, 0x04}), 3);
    tensor_set(u2, 1, 9); /* saturates, and leaves its neighbours */
    tensor_set(f4, 1, -3);
    assert_true(tensor_get(u2, 0) == 0 && tensor_get(u2, 1) == 3 && tensor_get(u2, 2) == 2);
    assert_true(tensor_get(f4, 0) == 0 && tensor_get(f4, 1) == -3 && tensor_get(f4, 2) == 1);
    assert_int_equal(tensor_get_int(f4, 1), 13);
    assert_true(tensor_get(i2, 4) == -2);
    arena_done(&a);
}

static void test_conversions(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    const int64_t one[1] = {1};
    struct tensor *i8 = tensor_new(&a, DTYPE_I8, 1, one), *u8 = tensor_new(&a, DTYPE_U8, 1, one);
    struct tensor *i4 = tensor_new(&a, DTYPE_I4, 1, one), *u64 = tensor_new(&a, DTYPE_U64, 1, one);
    struct tensor *f32 = tensor_new(&a, DTYPE_F32, 1, one);
    struct tensor *f16 = tensor_new(&a, DTYPE_F16, 1, one);
    tensor_set(i8, 0, -2.9);
    assert_int_equal(tensor_get_int(i8, 0), -2); /* towards zero */
    tensor_set(i8, 0, 1e30);
    assert_int_equal(tensor_get_int(i8, 0), 127); /* saturates */
    tensor_set(i8, 0, (double)NAN);
    assert_int_equal(tensor_get_int(i8, 0), 0);
    tensor_set(u8, 0, -5);
    assert_int_equal(tensor_get_int(u8, 0), 0);
    tensor_set(i4, 0, -8);
    assert_int_equal(tensor_get_int(i4, 0), -8);
    assert_true(tensor_get(i4, 0) == -8);
    tensor_set(u64, 0, 0x1p63);
    assert_true(tensor_get(u64, 0) == 0x1p63);
    tensor_set(f32, 0, -7.75);
    assert_int_equal(tensor_get_int(f32, 0), -7);
    /* Just above the middle of two f16 values: f32 alone would round to the middle, then down. */
    tensor_set(f16, 0, 1 + 0x1p-11 + 0x1p-40);
    assert_true(tensor_get(f16, 0) == 1 + 0x1p-10);
    tensor_set(f16, 0, 1 + 0x1p-11 - 0x1p-40);
    assert_true(tensor_get(f16, 0) == 1);
    tensor_set(f16, 0, -1e300);
    assert_true(isinf(tensor_get(f16, 0)) && tensor_get(f16, 0) < 0);
    arena_done(&a);
}

/* Element i of raw storage. */
static unsigned raw(const uint8_t *data, unsigned bits, int64_t i)
{
    if (bits == 4)
        return (unsigned)data[i / 2] >> (i % 2 * 4) & 15u;
    unsigned sum = 0; /* all bytes of the element count */
    for (unsigned k = 0; k < bits / 8; k++)
        sum = sum * 31 + data[(size_t)i * (bits / 8) + k];
    return sum;
}

static void test_pack_follows_the_layout(void **state)
{
    (void)state;
    for (int round = 0; round < 600; round++) {
        struct arena a;
        arena_init(&a);
        int rank = random_below(&seed, 5);
        int64_t dims[MAX_RANK], bytes;
        for (int d = 0; d < rank; d++)
            dims[d] = random_below(&seed, 8) ? 1 + random_below(&seed, 6) : 0;
        struct layout l = random_layout(&seed, rank);
        enum dtype type = all_types[random_below(&seed, N_TYPES)];
        unsigned bits = dtype_bits(type);
        struct tensor *t = tensor_new(&a, type, rank, dims);
        for (int64_t i = 0; i < tensor_bytes(t); i++)
            ((uint8_t *)tensor_data(t))[i] = (uint8_t)(1 + random_below(&seed, 255));

        const uint8_t *packed = tensor_pack(&a, t, &l, &bytes);
        int64_t elems = layout_elems(&l, dims), idx[MAX_RANK] = {0};
        assert_int_equal(bytes, dtype_bytes(type, elems));
        char *filled = calloc((size_t)elems + 1, 1);
        for (int64_t i = 0; i < tensor_elems(t); i++) {
            int64_t rest = i;
            for (int d = rank; d-- > 0; rest /= dims[d])
                idx[d] = rest % dims[d];
            int64_t at = layout_offset(&l, dims, idx);
            assert_int_equal(raw(packed, bits, at), raw(t->data, bits, i));
            filled[at] = 1;
        }
        for (int64_t i = 0; i < elems; i++)
            if (!filled[i])
                assert_int_equal(raw(packed, bits, i), 0);
        free(filled);
        arena_done(&a);
    }
}

static void test_constructors(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    const int64_t v[3] = {-1, 0, INT64_MAX};
    struct tensor *ints = tensor_from_ints(&a, v, 3), *none = tensor_from_ints(&a, NULL, 0);
    assert_true(ints->dtype == DTYPE_I64 && ints->rank == 1 && ints->dims[0] == 3);
    assert_true(tensor_get_int(ints, 0) == -1 && tensor_get_int(ints, 2) == INT64_MAX);
    assert_int_equal(tensor_elems(none), 0);
    struct tensor *s = tensor_scalar_f32(&a, 0.5f);
    assert_true(s->rank == 0 && tensor_elems(s) == 1 && tensor_get(s, 0) == 0.5);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),      cmocka_unit_test(test_packed),
        cmocka_unit_test(test_conversions),  cmocka_unit_test(test_pack_follows_the_layout),
        cmocka_unit_test(test_constructors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
