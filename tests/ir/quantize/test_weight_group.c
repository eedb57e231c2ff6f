/*
 * Slices of a tensor, read and written.
 */
#include "ir/quantize/weight_group.h"
#include "tests/support/fixture.h"

static void test_groups(void **state)
{
    (void)state;
    struct tensor *t = tensor_new(&arena, DTYPE_I8, 3, (int64_t[]){2, 3, 2});
    for (int64_t i = 0; i < 12; i++)
        tensor_set_int(t, i, i);
    double x[12];
    struct weight_group g = weight_group_of(t, 1, 2);
    assert_int_equal(weight_group_elems(&g), 4);
    weight_group_read(t, &g, x);
    assert_memory_equal(x, ((double[]){4, 5, 10, 11}), 4 * sizeof *x);
    weight_group_write(t, &g, (double[]){-1, -2, -3, -4});
    g = weight_group_of(t, -1, 0);
    assert_int_equal(weight_group_elems(&g), 12);
    weight_group_read(t, &g, x);
    assert_memory_equal(x, ((double[]){0, 1, 2, 3, -1, -2, 6, 7, 8, 9, -3, -4}), sizeof x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_groups, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
