/*
 * The error bounds that ir/kernel_math.c states for f64, and its special values, through the
 * evaluator; test_functions.c has those of f32.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/eval.h"
#include "tests/support/support.h"

enum { CHUNK = 1 << 16 };

typedef kval (*build_fn)(struct kernel *, kval);

/* out[i] = fn(in[i]) over CHUNK elements. */
static struct kernel *unary_kernel(struct arena *a, build_fn fn, enum dtype type)
{
    struct kernel *k = kernel_create(a, "unary");
    int64_t dims[1] = {CHUNK};
    int in = kernel_add_buf(k, "x", type, KBUF_IN, 1, dims);
    int out = kernel_add_buf(k, "y", type, KBUF_OUT, 1, dims);
    kval extent = kernel_const_index(k, CHUNK), i;
    kernel_map_begin(k, 1, &extent, &i);
    kernel_store(k, out, &i, fn(k, kernel_load(k, in, &i)));
    kernel_map_end(k);
    struct error err;
    error_init(&err);
    if (!kernel_validate(k, &err))
        fail_msg("%s", err.text);
    return k;
}

static void run(const struct kernel *k, void *const *data)
{
    struct arena scratch;
    struct eval_options opt = {.blas = false};
    arena_init(&scratch);
    eval_kernel(k, data, &scratch, &opt);
    arena_done(&scratch);
}

/* ---- f64, against long double ---- */

static uint64_t random_bits(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static double uniform(uint64_t *s, double lo, double hi)
{
    return lo + (hi - lo) * ((double)(random_bits(s) >> 11) * 0x1p-53);
}

static double error_f64(double got, long double exact)
{
    int e;
    frexpl(exact, &e);
    long double ulp = fabsl(exact) < 0x1p-1022L ? 0x1p-1074L : ldexpl(1, e - 53);
    return (double)(fabsl((long double)got - exact) / ulp);
}

static void check_f64(build_fn fn, long double (*exact)(long double), double lo, double hi,
                      double bound)
{
    struct arena a;
    arena_init(&a);
    struct kernel *k = unary_kernel(&a, fn, DTYPE_F64);
    double *x = malloc(CHUNK * sizeof *x), *y = malloc(CHUNK * sizeof *y);
    double worst = 0, worst_at = 0;
    uint64_t s = 0x9e3779b97f4a7c15;
    for (int round = 0; round < (support_quick() ? 1 : 8); round++) {
        for (int i = 0; i < CHUNK; i++)
            x[i] = uniform(&s, lo, hi);
        run(k, (void *[]){x, y});
        for (int i = 0; i < CHUNK; i++) {
            double e = error_f64(y[i], exact((long double)x[i]));
            if (!(e <= worst)) {
                worst = e;
                worst_at = x[i];
            }
        }
    }
    free(x);
    free(y);
    arena_done(&a);
    print_message("worst error %.3f ULP at %.17g\n", worst, worst_at);
    if (!(worst <= bound))
        fail_msg("error of %.3f ULP at %.17g", worst, worst_at);
}

static long double sigmoid_long(long double x)
{
    return 1 / (1 + expl(-x));
}

static long double gelu_long(long double x)
{
    return x * (0.5L * erfcl(-x * 0.70710678118654752440084436210484903928L));
}

static long double gelu_tanh_long(long double x)
{
    long double root = 0.79788456080286535587989211986876373695L;
    return 0.5L * x * (1 + tanhl(root * (x + 0.044715L * x * x * x)));
}

static long double mish_long(long double x)
{
    return x * tanhl(log1pl(expl(x)));
}

static kval swish(struct kernel *k, kval x)
{
    return kernel_swish(k, x, 1);
}

static long double swish_long(long double x)
{
    return x / (1 + expl(-x));
}

static void test_f64(void **state)
{
    (void)state;
    if (sizeof(long double) <= sizeof(double)) {
        print_message("skipped for want of a long double beyond double\n");
        skip();
    }
    check_f64(kernel_exp, expl, -746, 709.7, 1);
    check_f64(kernel_exp, expl, -1, 1, 1);
    check_f64(kernel_log, logl, 1e-300, 1e300, 1);
    check_f64(kernel_log, logl, 0, 4, 1);
    check_f64(kernel_log, logl, 0, 1e-308, 1);
    check_f64(kernel_tanh, tanhl, -3, 3, 2);
    check_f64(kernel_sigmoid, sigmoid_long, -740, 40, 1.5);
    check_f64(kernel_sigmoid, sigmoid_long, -4, 4, 1.5);
    check_f64(kernel_erf, erfl, -7, 7, 2);
    check_f64(kernel_gelu, gelu_long, -1, 30, 8);
    check_f64(kernel_gelu, gelu_long, -3, -1, 12);
    check_f64(kernel_gelu, gelu_long, -37, -3, 1300);
    check_f64(kernel_gelu_tanh, gelu_tanh_long, -1, 9, 8);
    check_f64(kernel_mish, mish_long, -700, 30, 4);
    check_f64(swish, swish_long, -700, 40, 4);
    check_f64(swish, swish_long, -4, 4, 4);
}

static void test_trigonometry_f64(void **state)
{
    (void)state;
    if (sizeof(long double) <= sizeof(double)) {
        print_message("skipped for want of a long double beyond double\n");
        skip();
    }
    static const double ends[] = {0.8, 20, 1e6, 1e20, 1e307};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        check_f64(kernel_sin, sinl, -ends[i], ends[i], 1);
        check_f64(kernel_cos, cosl, -ends[i], ends[i], 1);
        check_f64(kernel_tan, tanl, -ends[i], ends[i], 2.5);
    }
    check_f64(kernel_asin, asinl, -1, 1, 1);
    check_f64(kernel_acos, acosl, -1, 1, 1.5);
    check_f64(kernel_atan, atanl, -1, 1, 1.5);
    check_f64(kernel_atan, atanl, -20, 20, 1.5);
}

static void test_hyperbolic_f64(void **state)
{
    (void)state;
    if (sizeof(long double) <= sizeof(double)) {
        print_message("skipped for want of a long double beyond double\n");
        skip();
    }
    check_f64(kernel_expm1, expm1l, -1, 1, 2);
    check_f64(kernel_expm1, expm1l, -50, 709, 2);
    check_f64(kernel_log1p, log1pl, -1, 1, 2);
    check_f64(kernel_log1p, log1pl, 0, 1e300, 2);
    check_f64(kernel_sinh, sinhl, -2, 2, 2);
    check_f64(kernel_sinh, sinhl, -710, 710, 2);
    check_f64(kernel_cosh, coshl, -2, 2, 2);
    check_f64(kernel_cosh, coshl, -710, 710, 2);
    check_f64(kernel_asinh, asinhl, -2, 2, 2.5);
    check_f64(kernel_asinh, asinhl, -1e300, 1e300, 2.5);
    check_f64(kernel_acosh, acoshl, 1, 2, 3);
    check_f64(kernel_acosh, acoshl, 1, 1e12, 3);
    check_f64(kernel_atanh, atanhl, -1, 1, 2);
}

/* The double next to a multiple of pi/2 that is the nearest to one. */
static void test_nearest_to_quadrant(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    double *x = calloc(CHUNK, sizeof *x), *y = calloc(CHUNK, sizeof *y);
    x[0] = 6381956970095103 * 0x1p797;
    x[1] = -0.0;
    x[2] = INFINITY;
    x[3] = 0x1p-1074;
    run(unary_kernel(&a, kernel_cos, DTYPE_F64), (void *[]){x, y});
    assert_true(fabs(y[0] / -4.6871659242546276e-19 - 1) < 1e-15);
    assert_true(y[1] == 1 && isnan(y[2]) && y[3] == 1);
    run(unary_kernel(&a, kernel_sin, DTYPE_F64), (void *[]){x, y});
    assert_true(y[0] == 1 && y[1] == 0 && signbit(y[1]) && isnan(y[2]) && y[3] == x[3]);
    free(x);
    free(y);
    arena_done(&a);
}

/* ---- powers ---- */

static struct kernel *pow_kernel(struct arena *a, enum dtype type)
{
    struct kernel *k = kernel_create(a, "pow");
    int64_t dims[1] = {CHUNK};
    int x = kernel_add_buf(k, "x", type, KBUF_IN, 1, dims);
    int y = kernel_add_buf(k, "y", type, KBUF_IN, 1, dims);
    int out = kernel_add_buf(k, "z", type, KBUF_OUT, 1, dims);
    kval extent = kernel_const_index(k, CHUNK), i;
    kernel_map_begin(k, 1, &extent, &i);
    kernel_store(k, out, &i, kernel_pow(k, kernel_load(k, x, &i), kernel_load(k, y, &i)));
    kernel_map_end(k);
    return k;
}

static const double pow_cases[] = {
    0,    -0.0, 1,    -1,   0.5,   -0.5,      2,   -2, 3,   -3, 4,  7,     8.5,  -8.5,    1e3,
    -1e3, 1e30, 1e-9, 3e38, -3e38, -INFINITY, NAN, 63, -63, 64, 65, 1e-40, 0.25, INFINITY};

/* Whole powers of whole numbers are exact in f64: integers are raised by way of it. */
static void test_pow_of_integers(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct kernel *k = pow_kernel(&a, DTYPE_F64);
    double *x = calloc(CHUNK, sizeof *x), *y = calloc(CHUNK, sizeof *y);
    double *z = calloc(CHUNK, sizeof *z);
    int n = 0;
    for (int base = -20; base <= 20; base++)
        for (int e = 0; e < 64 && n < CHUNK; e++, n++) {
            x[n] = base;
            y[n] = e;
        }
    enum { CASES = sizeof pow_cases / sizeof pow_cases[0] };
    int first = n;
    for (int i = 0; i < CASES * CASES; i++, n++) {
        x[n] = pow_cases[i / CASES];
        y[n] = pow_cases[i % CASES];
    }
    run(k, (void *[]){x, y, z});
    for (int i = 0; i < n; i++) {
        double exact = pow(x[i], y[i]);
        double slack = i < first && fabs(exact) < 0x1p53 ? 0 : 1e-12;
        bool same =
            isnan(exact) ? isnan(z[i]) : z[i] == exact || fabs(z[i] - exact) <= slack * fabs(exact);
        if (!same || (!isnan(exact) && !signbit(exact) != !signbit(z[i])))
            fail_msg("pow(%a, %a) gives %a, not %a", x[i], y[i], z[i], exact);
    }
    free(x);
    free(y);
    free(z);
    arena_done(&a);
}

/* f16 and bf16 round the result of f32. */
static void test_half(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    uint16_t *x = malloc(CHUNK * sizeof *x), *y = malloc(CHUNK * sizeof *y);
    for (int i = 0; i < CHUNK; i++)
        x[i] = (uint16_t)i;
    run(unary_kernel(&a, kernel_exp, DTYPE_F16), (void *[]){x, y});
    for (int i = 0; i < CHUNK; i++) {
        float exact = (float)exp((double)dtype_f16_to_f32(x[i]));
        float want = dtype_f16_to_f32(dtype_f32_to_f16(exact)), got = dtype_f16_to_f32(y[i]);
        if (!(isnan(want) && isnan(got)) && want != got)
            assert_true(fabsf(want - got) <= fabsf(want) * 0x1p-10f);
    }
    free(x);
    free(y);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trigonometry_f64),    cmocka_unit_test(test_hyperbolic_f64),
        cmocka_unit_test(test_nearest_to_quadrant), cmocka_unit_test(test_f64),
        cmocka_unit_test(test_pow_of_integers),     cmocka_unit_test(test_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
