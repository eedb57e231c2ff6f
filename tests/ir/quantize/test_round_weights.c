/*
 * Weights as integers: each within a step of the weight, nearly as close as the nearest, and the
 * errors of one output's weights without a sum.
 */
#include <math.h>

#include "ir/quantize/round_weights.h"
#include "tests/support/fixture.h"
#include "tests/support/random.h"

enum { LO = -128, HI = 127, N = 300 };

static void test_by_hand(void **state)
{
    (void)state;
    /* The errors .4 .3 .2 .4 -.1 sum to 1.2: the first of the two largest goes up. */
    static const double up[] = {1.4, 2.3, -0.8, 3.4, 4.9}, want_up[] = {2, 2, -1, 3, 5};
    /* -.4 -.45 -.3 .1 sum to -1.05: the second goes down. */
    static const double down[] = {0.6, -3.45, 7.7, 9.1}, want_down[] = {1, -4, 8, 9};
    /* .3 -.2 sum to less than half a step. */
    static const double stay[] = {1.3, 1.8}, want_stay[] = {1, 2};
    double got[5];
    round_weights(up, 5, LO, HI, got);
    assert_memory_equal(got, want_up, sizeof want_up);
    round_weights(down, 4, LO, HI, got);
    assert_memory_equal(got, want_down, sizeof want_down);
    round_weights(stay, 2, LO, HI, got);
    assert_memory_equal(got, want_stay, sizeof want_stay);
}

static void test_sum_of_errors(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 200; round++) {
        double x[N], got[N], sum = 0, squared = 0, nearest = 0;
        for (int i = 0; i < N; i++)
            x[i] = (double)random_below(&seed, 1 << 20) * (200.0 / (1 << 20)) - 100;
        round_weights(x, N, LO, HI, got);
        for (int i = 0; i < N; i++) {
            double error = x[i] - got[i];
            assert_true(got[i] == rint(got[i]) && fabs(error) < 1);
            sum += error;
            squared += error * error;
            nearest += (x[i] - rint(x[i])) * (x[i] - rint(x[i]));
        }
        assert_true(fabs(sum) <= 0.5 + 1e-9);
        assert_true(squared < 1.1 * nearest);
    }
}

/* What lies beyond the integers is cut off, and no weight leaves them to make up for it. */
static void test_limits(void **state)
{
    (void)state;
    static const double beyond[] = {200, 126.6, 126.7, -3.2, 5.2}, want[] = {127, 127, 127, -3, 6};
    static const double lost[] = {NAN, INFINITY, 2.4, 2.4}, want_lost[] = {LO, HI, 2, 2};
    double got[5];
    round_weights(beyond, 5, LO, HI, got);
    assert_memory_equal(got, want, sizeof want);
    round_weights(lost, 4, LO, HI, got);
    assert_memory_equal(got, want_lost, sizeof want_lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_sum_of_errors),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
