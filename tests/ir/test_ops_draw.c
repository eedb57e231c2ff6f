/*
 * What operators that draw random numbers give: mean, variance and the chi-square statistic over
 * bins of equal probability; all are bounded at about five standard deviations of theirs.  The same
 * state and seed give the same numbers, others give others.
 */
#include <stdio.h>

#include "tests/ir/ops_run.h"

enum { N = 1 << 14, BINS = 64 };

/* The N numbers of one call with this key in the state. */
static void draw(const char *op, const char *attrs, uint64_t key, double *out)
{
    struct run r;
    char body[256];
    snprintf(body, sizeof body, "state %%s u64 [2] %%y = %s (%%s) {%sshape=[%d]} return %%y", op,
             attrs, N);
    run_begin(&r, body);
    for (size_t i = 0; i < r.p->n_bufs; i++)
        if (r.p->bufs[i].role == SHEAF_ROLE_STATE)
            memcpy(r.areas[AREA_MUTABLE] + r.p->bufs[i].offset, &key, sizeof key);
    run_once(&r);
    struct tensor t = output_tensor(&r, 0);
    for (int i = 0; i < N; i++)
        out[i] = tensor_get(&t, i);
    arena_done(&r.arena);
}

static double uniform_below(double x)
{
    return (x + 2) / 4; /* from -2 to 2 */
}

static double normal_below(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

/* Moments, and how often numbers fall into parts that all have the same probability. */
static void check_distribution(const double *x, double variance, double fourth,
                               double (*below)(double))
{
    double sum = 0, squares = 0, chi_square = 0;
    int count[BINS] = {0};
    for (int i = 0; i < N; i++) {
        double p = below(x[i]);
        assert_true(p >= 0 && p <= 1);
        count[p < 1 ? (int)(p * BINS) : BINS - 1]++;
        sum += x[i];
        squares += x[i] * x[i];
    }
    for (int b = 0; b < BINS; b++) {
        double expected = (double)N / BINS, off = count[b] - expected;
        chi_square += off * off / expected;
    }
    if (fabs(sum / N) > 5 * sqrt(variance / N))
        fail_msg("the mean is %g", sum / N);
    if (fabs(squares / N - variance) > 5 * sqrt((fourth - variance * variance) / N))
        fail_msg("the variance is %g where %g is right", squares / N, variance);
    if (fabs(chi_square - (BINS - 1)) > 5 * sqrt(2.0 * (BINS - 1)))
        fail_msg("chi-square is %g for %d degrees of freedom", chi_square, BINS - 1);
}

/* Neighbours do not depend on each other. */
static void check_correlation(const double *x, double variance)
{
    for (int lag = 1; lag <= 4; lag++) {
        double sum = 0;
        for (int i = 0; i + lag < N; i++)
            sum += x[i] * x[i + lag];
        if (fabs(sum / N) > 5 * variance / sqrt(N))
            fail_msg("the correlation at distance %d is %g", lag, sum / N / variance);
    }
}

static double drawn[N], other[N];

static void uniform_is_uniform(void **state)
{
    (void)state;
    static const char *const types[] = {"low=-2, high=2, ", "dtype=11, low=-2, high=2, "};
    for (size_t i = 0; i < 2; i++) {
        draw("random_uniform", types[i], 7, drawn);
        check_distribution(drawn, 16.0 / 12, 256.0 / 80, uniform_below);
        check_correlation(drawn, 16.0 / 12);
    }
}

static void normal_is_normal(void **state)
{
    (void)state;
    static const char *const types[] = {"", "dtype=11, "};
    for (size_t i = 0; i < 2; i++) {
        draw("random_normal", types[i], 7, drawn);
        check_distribution(drawn, 1, 3, normal_below);
        check_correlation(drawn, 1);
    }
    draw("random_normal", "mean=10, scale=0.5, ", 7, other);
    draw("random_normal", "", 7, drawn);
    for (int i = 0; i < N; i++)
        assert_true(fabs(other[i] - (10 + 0.5 * drawn[i])) < 1e-5);
}

static int n_equal(void)
{
    int n = 0;
    for (int i = 0; i < N; i++)
        n += drawn[i] == other[i];
    return n;
}

static void seeds_tell_streams_apart(void **state)
{
    (void)state;
    static const char *const ops[] = {"random_uniform", "random_normal"};
    for (size_t i = 0; i < 2; i++) {
        draw(ops[i], "seed=3, ", 0, drawn);
        draw(ops[i], "seed=3, ", 0, other);
        assert_int_equal(n_equal(), N);
        draw(ops[i], "seed=4, ", 0, other);
        assert_true(n_equal() < 30);
        draw(ops[i], "seed=3, ", 1, other);
        assert_true(n_equal() < 30);
    }
}

static void refused_outputs(void **state)
{
    (void)state;
    refused("state %s u64 [2] %y = random_normal (%s) {dtype=7, shape=[2]} return %y",
            "results of ONNX type 7 are not possible");
    refused("state %s u64 [3] %y = random_normal (%s) {shape=[2]} return %y",
            "dimension 0 of input 's' is 3 where 2 is needed");
    refused("const %s u64 [2] = fill 1 %y = random_normal (%s) {shape=[2]} return %y",
            "input 's' is no state");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_is_uniform),
        cmocka_unit_test(normal_is_normal),
        cmocka_unit_test(seeds_tell_streams_apart),
        cmocka_unit_test(refused_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
