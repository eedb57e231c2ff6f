/*
 * The evaluator: every instruction on edge values against C arithmetic, memory, regions, programs.
 * Contractions are in test_eval_contract.c.
 */
#include <math.h>

#include "ir/kernel_scalar.h"
#include "tests/ir/kernel_run.h"

/* ---- arithmetic: one instruction over all pairs of edge values ---- */

enum { MAX_EDGES = 32 };

struct edges {
    int n;
    union kscalar v[MAX_EDGES];
};

static struct edges edges_of(enum dtype t)
{
    struct edges e = {0};
    if (dtype_is_float(t)) {
        const double v[] = {0,    -0.0,  1,    -1,    0.5,    -0.5,     1.5,       2.5,
                            -2.5, 3e9,   -3e9, 1e30,  -1e30,  INFINITY, -INFINITY, NAN,
                            0.1,  65504, 6e-8, 1e-45, -1e-40, 3.4e38};
        for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
            e.v[e.n++].f = kscalar_round(t, v[i]);
        return e;
    }
    const int64_t v[] = {0, 1, -1, 2, 3, -3, 7, 100, INT8_MAX, INT8_MIN, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        e.v[e.n++].i = kscalar_wrap(t, v[i]);
    if (t != DTYPE_BOOL) {
        e.v[e.n++].i = dtype_int_min(t);
        e.v[e.n++].i = dtype_int_max(t);
    }
    return e;
}

/* y[i, j] = op(a[i], b[j]) with the result in type `out`. */
static struct kernel *pair_kernel(enum kop op, enum dtype t, enum dtype out, int n)
{
    struct kernel *k = kernel_create(&arena, "pair");
    int64_t dims[2] = {n, n};
    int a = kernel_add_buf(k, "a", t, KBUF_IN, 1, dims);
    int b = kernel_add_buf(k, "b", t, KBUF_IN, 1, dims);
    int y = kernel_add_buf(k, "y", out, KBUF_OUT, 2, dims);
    kval extent[2] = {kernel_const_index(k, n), kernel_const_index(k, n)}, i[2], r;
    kernel_map_begin(k, 2, extent, i);
    kval va = kernel_load(k, a, &i[0]), vb = kernel_load(k, b, &i[1]);
    if (kop_kind(op) == KOP_KIND_UNARY)
        r = kernel_unary(k, op, va);
    else if (kop_kind(op) == KOP_KIND_COMPARE)
        r = kernel_compare(k, op, va, vb);
    else if (op == KOP_CAST)
        r = kernel_cast(k, out, va);
    else if (op == KOP_BITCAST)
        r = kernel_bitcast(k, out, va);
    else
        r = kernel_binary(k, op, va, vb);
    kernel_store(k, y, i, r);
    kernel_map_end(k);
    return k;
}

static union kscalar expected(enum kop op, enum dtype t, enum dtype out, union kscalar a,
                              union kscalar b)
{
    union kscalar r;
    if (kop_kind(op) == KOP_KIND_UNARY)
        return kscalar_unary(op, t, a);
    if (kop_kind(op) == KOP_KIND_COMPARE) {
        r.i = kscalar_compare(op, t, a, b);
        return r;
    }
    if (op == KOP_CAST)
        return kscalar_cast(out, t, a);
    if (op == KOP_BITCAST)
        return kscalar_bitcast(out, t, a);
    return kscalar_binary(op, t, a, b);
}

static bool same(enum dtype t, union kscalar a, union kscalar b)
{
    if (!dtype_is_float(t))
        return a.i == b.i;
    return isnan(a.f) ? isnan(b.f) : a.f == b.f && !signbit(a.f) == !signbit(b.f);
}

static void check_op(enum kop op, enum dtype t, enum dtype out)
{
    struct edges e = edges_of(t);
    if (op == KOP_SHL || op == KOP_SHR) {
        /* Shift counts below the width only. */
        for (int i = 0; i < e.n; i++)
            e.v[i].i = kscalar_wrap(t, i) & (dtype_bits(t) - 1);
        e.v[0].i = dtype_kind(t) == DTYPE_KIND_INT ? e.v[0].i : 1;
    }
    uint8_t a[MAX_EDGES * 8] = {0};
    uint8_t *y = arena_alloc(&arena, sizeof(uint64_t) * MAX_EDGES * MAX_EDGES);
    for (int i = 0; i < e.n; i++)
        kscalar_write(t, a, i, e.v[i]);
    run(pair_kernel(op, t, out, e.n), (void *[]){a, a, y}, false);
    for (int i = 0; i < e.n; i++)
        for (int j = 0; j < e.n; j++) {
            union kscalar want = expected(op, t, out, e.v[i], e.v[j]);
            if (!same(out, kscalar_read(out, y, i * e.n + j), want))
                fail_msg("%s %s -> %s at %d, %d", kop_name(op), dtype_name(t), dtype_name(out), i,
                         j);
        }
}

static void test_arithmetic(void **state)
{
    (void)state;
    const enum kop floats[] = {KOP_ADD, KOP_SUB,  KOP_MUL,   KOP_DIV,  KOP_MIN,   KOP_MAX, KOP_NEG,
                               KOP_ABS, KOP_SQRT, KOP_FLOOR, KOP_CEIL, KOP_TRUNC, KOP_RINT};
    const enum kop ints[] = {KOP_ADD, KOP_SUB, KOP_MUL, KOP_DIV, KOP_REM, KOP_MIN, KOP_MAX, KOP_AND,
                             KOP_OR,  KOP_XOR, KOP_SHL, KOP_SHR, KOP_NEG, KOP_ABS, KOP_NOT};
    const enum kop bools[] = {KOP_AND, KOP_OR, KOP_XOR, KOP_NOT};
    for (int t = 1; t < DTYPE_COUNT; t++) {
        enum dtype type = (enum dtype)t;
        for (size_t i = 0; dtype_is_float(type) && i < sizeof floats / sizeof floats[0]; i++)
            check_op(floats[i], type, type);
        for (size_t i = 0; dtype_is_integer(type) && i < sizeof ints / sizeof ints[0]; i++)
            check_op(ints[i], type, type);
        for (size_t i = 0; type == DTYPE_BOOL && i < sizeof bools / sizeof bools[0]; i++)
            check_op(bools[i], type, type);
        for (enum kop op = KOP_EQ; op <= KOP_LE && !dtype_is_coded(type); op++)
            check_op(op, type, DTYPE_BOOL);
        for (int to = 1; to < DTYPE_COUNT; to++) {
            if (!dtype_is_coded(type) && !dtype_is_coded((enum dtype)to))
                check_op(KOP_CAST, type, (enum dtype)to);
            if (dtype_bits(type) == dtype_bits((enum dtype)to) && to != DTYPE_BOOL)
                check_op(KOP_BITCAST, type, (enum dtype)to);
        }
    }
}

/* The same once more against C itself, for the types that C has. */
static void test_against_c(void **state)
{
    (void)state;
    enum { N = 9 };
    float f[N] = {1.5f, -0.0f, 1e30f, -3.25f, INFINITY, 1e-30f, 7, NAN, 0.1f}, fy[N * N];
    int32_t s[N] = {0, 1, -1, 7, -7, INT32_MAX, INT32_MIN, 1000, 65536}, sy[N * N];
    const enum kop ops[] = {KOP_ADD, KOP_SUB, KOP_MUL, KOP_DIV, KOP_MIN, KOP_MAX};
    for (size_t o = 0; o < sizeof ops / sizeof ops[0]; o++) {
        run(pair_kernel(ops[o], DTYPE_F32, DTYPE_F32, N), (void *[]){f, f, fy}, false);
        run(pair_kernel(ops[o], DTYPE_I32, DTYPE_I32, N), (void *[]){s, s, sy}, false);
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++) {
                float x = f[i], y = f[j];
                float want = ops[o] == KOP_ADD   ? x + y
                             : ops[o] == KOP_SUB ? x - y
                             : ops[o] == KOP_MUL ? x * y
                             : ops[o] == KOP_DIV ? x / y
                             : ops[o] == KOP_MIN ? (x < y ? x : y)
                                                 : (x > y ? x : y);
                float got = fy[i * N + j];
                assert_true(isnan(want) ? isnan(got)
                                        : want == got && !signbit(want) == !signbit(got));
                uint32_t u = (uint32_t)s[i], v = (uint32_t)s[j];
                int64_t quotient = s[j] == 0 ? 0 : (int64_t)s[i] / s[j];
                int32_t iwant = ops[o] == KOP_ADD   ? (int32_t)(u + v)
                                : ops[o] == KOP_SUB ? (int32_t)(u - v)
                                : ops[o] == KOP_MUL ? (int32_t)(u * v)
                                : ops[o] == KOP_DIV ? (int32_t)(uint32_t)(uint64_t)quotient
                                : ops[o] == KOP_MIN ? (s[i] < s[j] ? s[i] : s[j])
                                                    : (s[i] > s[j] ? s[i] : s[j]);
                assert_int_equal(sy[i * N + j], iwant);
            }
        }
    }
}

/* A NaN's payload survives the way through an integer. */
static void test_bitcast_payload(void **state)
{
    (void)state;
    struct kernel *k = parse("kernel \"payload\" { in @0 \"x\": f32[2] plain\n"
                             "out @1 \"y\": f32[2] plain\n"
                             "map %0 (%1 < 2) { %2 = load @0[%1] %3 = bitcast i32 %2\n"
                             "%4 = xor %3, 1:i32 %5 = bitcast f32 %4 store @1[%1] = %5 } }");
    uint32_t x[2] = {0x7fc01234, 0xff800001}, y[2];
    run(k, (void *[]){x, y}, false);
    assert_int_equal(y[0], 0x7fc01235);
    assert_int_equal(y[1], 0xff800000);
}

/* ---- memory ---- */

static void test_nibbles(void **state)
{
    (void)state;
    struct kernel *k = parse("kernel \"nibbles\" { in @0 \"x\": i8[5] plain\n"
                             "out @1 \"y\": i4[5] plain\n out @2 \"z\": i8[5] plain\n"
                             "map %0 (%1 < 5) { %2 = load @0[%1] %3 = cast i4 %2\n"
                             "store @1[%1] = %3 }\n"
                             "map %4 (%5 < 5) { %6 = load @1[%5] %7 = cast i8 %6\n"
                             "store @2[%5] = %7 } }");
    int8_t x[5] = {1, -1, 7, -8, 9}, z[5];
    uint8_t y[3] = {0};
    run(k, (void *[]){x, y, z}, false);
    assert_int_equal(y[0], 0xf1);
    assert_int_equal(y[1], 0x87);
    assert_int_equal(y[2], 0x09);
    assert_memory_equal(z, ((int8_t[]){1, -1, 7, -8, -7}), 5);
}

/* Copies between any two layouts of one shape move each element to its place. */
static void test_layouts(void **state)
{
    (void)state;
    const char *layouts[] = {"plain", "acdb", "abcd4b", "abcd2b3d", "bacd2a4b2a"};
    enum { ELEMS = 3 * 6 * 2 * 5 };
    for (int from = 0; from < 5; from++) {
        for (int to = 0; to < 5; to++) {
            struct kernel *k = parse(arena_printf(
                &arena,
                "kernel \"copy\" { in @0 \"x\": i16[3,6,2,5] %s\n"
                "out @1 \"y\": i16[3,6,2,5] %s\n"
                "map %%0 (%%1 < 3, %%2 < 6, %%3 < 2, %%4 < 5) {\n"
                "%%5 = load @0[%%1, %%2, %%3, %%4] store @1[%%1, %%2, %%3, %%4] = %%5 } }",
                layouts[from], layouts[to]));
            int16_t x[1024] = {0}, y[1024];
            const int64_t *dims = k->bufs[0].dims;
            int64_t at[4];
            for (int i = 0; i < ELEMS; i++) {
                at[0] = i / 60, at[1] = i / 10 % 6, at[2] = i / 5 % 2, at[3] = i % 5;
                x[layout_offset(&k->bufs[0].layout, dims, at)] = (int16_t)i;
            }
            run(k, (void *[]){x, y}, false);
            for (int i = 0; i < ELEMS; i++) {
                at[0] = i / 60, at[1] = i / 10 % 6, at[2] = i / 5 % 2, at[3] = i % 5;
                assert_int_equal(y[layout_offset(&k->bufs[1].layout, dims, at)], i);
            }
        }
    }
}

static void test_load_or(void **state)
{
    (void)state;
    struct kernel *k = parse("kernel \"shift\" { in @0 \"x\": f32[3,3] plain\n"
                             "in @1 \"none\": f32[0] plain\n"
                             "out @2 \"y\": f32[3,3] plain\n"
                             "map %0 (%1 < 3, %2 < 3) { %3 = sub %1, 1 %4 = add %2, 1\n"
                             "%5 = load_or @1[%1] else -1.0\n"
                             "%6 = load_or @0[%3, %4] else %5 store @2[%1, %2] = %6 } }");
    float x[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, y[9];
    run(k, (void *[]){x, x, y}, false);
    assert_memory_equal(y, ((float[]){-1, -1, -1, 2, 3, -1, 5, 6, -1}), sizeof y);
}

/* Extents that the kernel itself computes: dense at the true ones, though storage is larger. */
static void test_dynamic_extents(void **state)
{
    (void)state;
    struct kernel *k = parse("kernel \"dynamic\" { in @0 \"x\": i64[4] plain\n"
                             "inout @1 \"n\": i64[] plain\n"
                             "out @2 \"y\": i64[2,9@1] plain\n"
                             "%0 = reduce add (%1 < 4) from (0) { %2 = load @0[%1] yield %2 }\n"
                             "store @1[] = %0\n %3 = load @1[]\n"
                             "map %4 (%5 < 2, %6 < %3) { %7 = mul %5, 10 %8 = add %7, %6\n"
                             "store @2[%5, %6] = %8 } }");
    int64_t x[4] = {1, 0, 1, 1}, n = -1, y[18];
    run(k, (void *[]){x, &n, y}, false);
    assert_int_equal(n, 3);
    assert_memory_equal(y, ((int64_t[]){0, 1, 2, 10, 11, 12}), 6 * sizeof *y);
}

/* ---- regions ---- */

/* The tree that kernel.h states, spelled out. */
static float tree_sum(const float *x, int n, int lanes)
{
    float partial[64] = {0};
    for (int i = 0; i < n; i++)
        partial[i % lanes] += x[i];
    for (int half = lanes / 2; half > 0; half /= 2)
        for (int p = 0; p < half; p++)
            partial[p] += partial[p + half];
    return partial[0];
}

static void test_reduce_tree(void **state)
{
    (void)state;
    float x[100], y, rows[5];
    uint32_t seed = 1;
    for (int i = 0; i < 100; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = ldexpf((float)(seed >> 8), (int)(seed % 40) - 40);
    }
    int distinct = 0;
    for (int lanes = 1; lanes <= 64; lanes *= 2) {
        struct kernel *k = parse(arena_printf(&arena,
                                              "kernel \"sum\" { in @0 \"x\": f32[100] plain\n"
                                              "out @1 \"y\": f32[] plain\n"
                                              "%%0 = reduce add lanes %d (%%1 < 99) from (0.0) {\n"
                                              "%%2 = load @0[%%1] yield %%2 }\n store @1[] = %%0 }",
                                              lanes));
        run(k, (void *[]){x, &y}, false);
        float want = tree_sum(x, 99, lanes);
        assert_memory_equal(&y, &want, sizeof y);
        distinct += lanes > 1 && y != tree_sum(x, 99, 1);
        /* The same tree inside a map that runs its points together. */
        k = parse(arena_printf(&arena,
                               "kernel \"rows\" { in @0 \"x\": f32[5,20] plain\n"
                               "out @1 \"y\": f32[5] plain\n map %%0 (%%1 < 5) {\n"
                               "%%2 = reduce add lanes %d (%%3 < 20) from (0.0) {\n"
                               "%%4 = load @0[%%1, %%3] yield %%4 }\n store @1[%%1] = %%2 } }",
                               lanes));
        run(k, (void *[]){x, rows}, false);
        for (int r = 0; r < 5; r++) {
            want = tree_sum(x + 20 * r, 20, lanes);
            assert_memory_equal(&rows[r], &want, sizeof want);
        }
    }
    assert_true(distinct > 0); /* or the data could not tell one order from another */
}

static void test_reduce_several(void **state)
{
    (void)state;
    /* Where the largest element is, first of equals, over two indices; and an empty reduction. */
    struct kernel *k =
        parse("kernel \"argmax\" { in @0 \"x\": f32[20,3,4] plain\n"
              "out @1 \"v\": f32[20] plain\n out @2 \"at\": i64[20] plain\n"
              "out @3 \"none\": i32[] plain\n"
              "map %0 (%1 < 20) {\n"
              "%2, %3 = reduce block lanes 1 (%4 < 3, %5 < 4) from (-inf, -1) {\n"
              "%6 = load @0[%1, %4, %5] %7 = mul %4, 4 %8 = add %7, %5 yield %6, %8\n"
              "} combine (%9, %10, %11, %12) {\n"
              "%13 = lt %9, %11 %14 = select %13, %11, %9 %15 = select %13, %12, %10\n"
              "yield %14, %15 }\n"
              "store @1[%1] = %2 store @2[%1] = %3 }\n"
              "%16 = reduce mul (%17 < 0) from (5:i32) { yield 3:i32 }\n store @3[] = %16 }");
    float x[20][12], v[20];
    int64_t at[20];
    int32_t none;
    for (int r = 0; r < 20; r++)
        for (int i = 0; i < 12; i++)
            x[r][i] = (float)((i * 7 + r * 5) % 11 % 6);
    run(k, (void *[]){x, v, at, &none}, false);
    assert_int_equal(none, 5);
    for (int r = 0; r < 20; r++) {
        int best = 0;
        for (int i = 1; i < 12; i++)
            if (x[r][i] > x[r][best])
                best = i;
        assert_int_equal(at[r], best);
        assert_true(v[r] == x[r][best]);
    }
}

static void test_scan(void **state)
{
    (void)state;
    struct kernel *k = parse("kernel \"scan\" { in @0 \"x\": i32[10,6] plain\n"
                             "out @1 \"y\": i32[10,6] plain\n out @2 \"total\": i32[10] plain\n"
                             "map %0 (%1 < 10) {\n"
                             "%2 = scan add (%3 < 6) from (100:i32) { %4 = load @0[%1, %3]\n"
                             "yield %4 } each (%5) { store @1[%1, %3] = %5 }\n"
                             "store @2[%1] = %2 } }");
    int32_t x[60], y[60], total[10];
    for (int i = 0; i < 60; i++)
        x[i] = i * i % 17;
    run(k, (void *[]){x, y, total}, false);
    for (int r = 0; r < 10; r++) {
        int32_t sum = 100;
        for (int i = 0; i < 6; i++) {
            assert_int_equal(y[6 * r + i], sum);
            sum += x[6 * r + i];
        }
        assert_int_equal(total[r], sum);
    }
}

static void test_sort(void **state)
{
    (void)state;
    struct kernel *k = parse("kernel \"sort\" { in @0 \"x\": f64[3,50] plain\n"
                             "out @1 \"y\": f64[3,9] plain\n out @2 \"at\": i64[3,9] plain\n"
                             "map %0 (%1 < 3) {\n"
                             "sort %2 (%3 < 50, %4 < 9) { %5 = load @0[%1, %3] yield %5, %3 }\n"
                             "before (%6, %7, %8, %9) { %10 = lt %8, %6 %11 = eq %8, %6\n"
                             "%12 = lt %7, %9 %13 = and %11, %12 %14 = or %10, %13 yield %14 }\n"
                             "each (%15, %16) { store @1[%1, %4] = %15\n"
                             "store @2[%1, %4] = %16 } } }");
    double x[150], y[27];
    int64_t at[27];
    for (int i = 0; i < 150; i++)
        x[i] = i * i % 23;
    run(k, (void *[]){x, y, at}, false);
    for (int i = 0; i < 27; i++) {
        const double *row = x + i / 9 * 50;
        int before = 0;
        for (int j = 0; j < 50; j++)
            before += row[j] > y[i] || (row[j] == y[i] && j < at[i]);
        assert_int_equal(before, i % 9);
        assert_true(row[at[i]] == y[i]);
    }
}

/* Carried values are all replaced at once: a yield of the parameters swaps them. */
static void test_loop(void **state)
{
    (void)state;
    struct kernel *k = parse("kernel \"fibonacci\" { out @0 \"y\": i64[2] plain\n"
                             "out @1 \"z\": i64[12] plain\n in @2 \"n\": i64[] plain\n"
                             "%0 = load @2[]\n"
                             "%1, %2 = loop (%3 < %0) with (%4 = 0, %5 = 1) {\n"
                             "%6 = add %4, %5 yield %5, %6 }\n"
                             "store @0[0] = %1 store @0[1] = %2\n"
                             "map %7 (%8 < 12) {\n"
                             "%9, %10 = loop (%11 < 3) with (%12 = %8, %13 = 7) {\n"
                             "yield %13, %12 }\n"
                             "store @1[%8] = %9 } }");
    int64_t y[2], z[12], n = 10;
    run(k, (void *[]){y, z, &n}, false);
    assert_int_equal(y[0], 55);
    assert_int_equal(y[1], 89);
    for (int i = 0; i < 12; i++)
        assert_int_equal(z[i], 7);
    n = 0;
    run(k, (void *[]){y, z, &n}, false);
    assert_int_equal(y[0], 0);
    assert_int_equal(y[1], 1);
}

/* A map whose points take different branches, and loops of different lengths. */
static void test_diverging(void **state)
{
    (void)state;
    struct kernel *k = parse("kernel \"diverging\" { in @0 \"x\": i64[20] plain\n"
                             "out @1 \"y\": i64[20] plain\n out @2 \"z\": i64[20] plain\n"
                             "map %0 (%1 < 20) { %2 = load @0[%1] %3 = lt 10, %2\n"
                             "%4 = if (%3) { %5 = mul %2, 2 yield %5 } else {\n"
                             "%6 = load @0[%2] yield %6 }\n"
                             "store @1[%1] = %4\n"
                             "%7 = reduce add (%8 < %1) from (0) { %9 = load @0[%8] yield %9 }\n"
                             "store @2[%1] = %7 } }");
    int64_t x[20], y[20], z[20], sum = 0;
    for (int i = 0; i < 20; i++)
        x[i] = i * 7 % 20;
    run(k, (void *[]){x, y, z}, false);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(y[i], x[i] > 10 ? 2 * x[i] : x[x[i]]);
        assert_int_equal(z[i], sum);
        sum += x[i];
    }
}

/* Maps inside maps and loops; the inner one uses values of the outer ones. */
static void test_nested(void **state)
{
    (void)state;
    struct kernel *k = parse("kernel \"nested\" { out @0 \"y\": i64[3,4,30] plain\n"
                             "out @1 \"z\": f32[3,20,2] plain\n"
                             "loop %0 (%1 < 3) { %2 = mul %1, 1000\n"
                             "map %3 (%4 < 4) { %5 = mul %4, 100 %6 = add %5, %2\n"
                             "map %7 (%8 < 30) { %9 = add %6, %8 store @0[%1, %4, %8] = %9 } }\n"
                             "%10 = cast f32 %1\n"
                             "map %11 (%12 < 20) { map %13 (%14 < 2) { %15 = cast f32 %14\n"
                             "%16 = add %10, %15 store @1[%1, %12, %14] = %16 } } } }");
    int64_t y[3][4][30];
    float z[3][20][2];
    run(k, (void *[]){y, z}, false);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 120; j++)
            assert_int_equal(y[i][j / 30][j % 30], 1000 * i + 100 * (j / 30) + j % 30);
        for (int j = 0; j < 40; j++)
            assert_true(z[i][j / 2][j % 2] == (float)(i + j % 2));
    }
}

/* ---- programs ---- */

static int add_pbuf(struct program *p, enum area area, int64_t offset, int view_of)
{
    struct pbuf *b = &ARENA_PUSH(p->arena, p->bufs, p->n_bufs, p->cap_bufs);
    memset(b, 0, sizeof *b);
    b->area = area;
    b->offset = offset;
    b->view_of = view_of;
    return (int)p->n_bufs - 1;
}

static struct step *add_step(struct program *p, struct steps *to, enum step_kind kind)
{
    struct step *s = arena_new(p->arena, struct step);
    s->kind = kind;
    s->cond = s->trip = s->index = -1;
    ARENA_PUSH(p->arena, to->step, to->n, to->cap) = s;
    return s;
}

static void add_call(struct program *p, struct steps *to, const char *text, int a, int b)
{
    struct step *s = add_step(p, to, STEP_CALL);
    s->kernel = parse(text);
    s->args = arena_array(p->arena, 2, sizeof(int));
    s->args[0] = a;
    s->args[1] = b;
}

/* total += index while index < trip and total < bound; then if total is over 5, total = -total. */
static void test_program(void **state)
{
    (void)state;
    struct program p = {.arena = &arena};
    int trip = add_pbuf(&p, AREA_CONSTANT, 0, -1);
    int total = add_pbuf(&p, AREA_MUTABLE, 8, -1);
    int index = add_pbuf(&p, AREA_ACTIVATION, 0, -1);
    int cond = add_pbuf(&p, AREA_ACTIVATION, 64, -1);
    int view = add_pbuf(&p, AREA_MUTABLE, 8, total); /* as the planner fills it in */
    struct step *loop = add_step(&p, &p.body, STEP_LOOP);
    loop->trip = trip;
    loop->index = index;
    loop->cond = cond;
    add_call(&p, &loop->bodies[0],
             "kernel \"add\" { in @0 \"i\": i64[] plain\n inout @1 \"t\": i64[] plain\n"
             "%0 = load @0[] %1 = load @1[] %2 = add %0, %1 store @1[] = %2 }",
             index, view);
    add_call(&p, &loop->bodies[0],
             "kernel \"test\" { in @0 \"t\": i64[] plain\n out @1 \"c\": bool[] plain\n"
             "%0 = load @0[] %1 = lt %0, 10 store @1[] = %1 }",
             total, cond);
    add_call(&p, &p.body,
             "kernel \"test\" { in @0 \"t\": i64[] plain\n out @1 \"c\": bool[] plain\n"
             "%0 = load @0[] %1 = lt 5, %0 store @1[] = %1 }",
             total, cond);
    struct step *branch = add_step(&p, &p.body, STEP_IF);
    branch->cond = cond;
    add_call(&p, &branch->bodies[0],
             "kernel \"neg\" { inout @0 \"t\": i64[] plain\n in @1 \"u\": i64[] plain\n"
             "%0 = load @0[] %1 = neg %0 store @0[] = %1 }",
             total, index);

    struct eval_options opt = {.blas = false};
    const struct {
        int64_t trip, total;
        uint8_t cond;
        int64_t want, rounds;
    } cases[] = {{100, 0, 1, -10, 5}, {3, 0, 1, 3, 3}, {100, 2, 0, 2, 0}, {0, 7, 1, -7, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t constants[1] = {cases[i].trip}, mutables[2] = {0, cases[i].total};
        int64_t activations[16] = {0};
        memcpy(activations + 8, &cases[i].cond, 1);
        eval_program(&p, (uint8_t *)constants, (uint8_t *)mutables, (uint8_t *)activations, &opt);
        assert_int_equal(mutables[1], cases[i].want);
        assert_int_equal(activations[0], cases[i].rounds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_arithmetic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_against_c, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bitcast_payload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nibbles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layouts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load_or, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dynamic_extents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reduce_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reduce_several, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scan, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sort, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_diverging, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nested, setup, teardown),
        cmocka_unit_test_setup_teardown(test_program, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
