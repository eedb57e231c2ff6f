/*
 * Contractions in the evaluator against plain loops in this file, and against the same contraction
 * expanded into map and reduce, which must agree to the bit.
 */
#include <math.h>
#include <stdlib.h>

#include "ir/kernel_scalar.h"
#include "tests/ir/kernel_run.h"

static float next_float(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) * 0x1p-23f - 1;
}

/* ---- grouped, strided, dilated convolution with bias and residual ---- */

struct conv {
    int n, c, h, w, m, kh, kw, stride, pad, dilation, group;
    const char *x_layout, *w_layout, *y_layout;
};

static int out_size(int in, int kernel, const struct conv *c)
{
    return (in + 2 * c->pad - c->dilation * (kernel - 1) - 1) / c->stride + 1;
}

static struct kernel *conv_kernel(const struct conv *c)
{
    int oh = out_size(c->h, c->kh, c), ow = out_size(c->w, c->kw, c);
    int cg = c->c / c->group, mg = c->m / c->group;
    return parse(arena_printf(
        &arena,
        "kernel \"conv\" { in @0 \"x\": f32[%d,%d,%d,%d] %s\n in @1 \"w\": f32[%d,%d,%d,%d] %s\n"
        "in @2 \"b\": f32[%d] plain\n out @3 \"y\": f32[%d,%d,%d,%d] %s\n"
        "contract %%0 f32 (m %%1 < %d, batch %%2 < %d, n %%3 < %d, m %%4 < %d, m %%5 < %d,\n"
        "k %%6 < %d, k %%7 < %d, k %%8 < %d) {\n"
        "a @0[%%1, %d*%%2 + %%6, %d*%%4 + %d*%%7 - %d, %d*%%5 + %d*%%8 - %d] pad 0.0\n"
        "b @1[%d*%%2 + %%3, %%6, %%7, %%8]\n"
        "epilogue (%%9) { %%10 = mul %%2, %d %%11 = add %%10, %%3\n"
        "%%12 = load @2[%%11] %%13 = add %%9, %%12 store @3[%%1, %%11, %%4, %%5] = %%13 } } }",
        c->n, c->c, c->h, c->w, c->x_layout, c->m, cg, c->kh, c->kw, c->w_layout, c->m, c->n, c->m,
        oh, ow, c->y_layout, c->n, c->group, mg, oh, ow, cg, c->kh, c->kw, cg, c->stride,
        c->dilation, c->pad, c->stride, c->dilation, c->pad, mg, mg));
}

/* A tensor by logical index. */
struct view {
    const struct kbuf *buf;
    float *data;
};

static float *at4(const struct view *v, int a, int b, int c, int d)
{
    int64_t idx[4] = {a, b, c, d};
    return v->data + layout_offset(&v->buf->layout, v->buf->dims, idx);
}

static float conv_point(const struct conv *c, const struct view *x, const struct view *w, int n,
                        int m, int oh, int ow)
{
    int cg = c->c / c->group, g = m / (c->m / c->group);
    float sum = 0;
    for (int i = 0; i < cg; i++) {
        for (int r = 0; r < c->kh; r++) {
            for (int s = 0; s < c->kw; s++) {
                int h = oh * c->stride + r * c->dilation - c->pad;
                int v = ow * c->stride + s * c->dilation - c->pad;
                bool inside = h >= 0 && h < c->h && v >= 0 && v < c->w;
                float product = (inside ? *at4(x, n, g * cg + i, h, v) : 0) * *at4(w, m, i, r, s);
                sum = sum + product;
            }
        }
    }
    return sum;
}

static struct view make_view(const struct kernel *k, int buf, uint32_t *seed)
{
    const struct kbuf *b = &k->bufs[buf];
    int64_t n = layout_elems(&b->layout, b->dims);
    struct view v = {b, arena_array(&arena, (size_t)n, sizeof(float))};
    for (int64_t i = 0; i < n; i++)
        v.data[i] = next_float(seed);
    return v;
}

static void check_conv(const struct conv *c)
{
    struct kernel *k = conv_kernel(c), *expanded = conv_kernel(c);
    uint32_t seed = 7;
    struct view x = make_view(k, 0, &seed), w = make_view(k, 1, &seed), b = make_view(k, 2, &seed);
    struct view y = make_view(k, 3, &seed), ye = make_view(k, 3, &seed),
                yb = make_view(k, 3, &seed);
    assert_true(kernel_expand_contracts(expanded));
    run(k, (void *[]){x.data, w.data, b.data, y.data}, false);
    run(expanded, (void *[]){x.data, w.data, b.data, ye.data}, false);
    run(k, (void *[]){x.data, w.data, b.data, yb.data}, true);
    int oh = out_size(c->h, c->kh, c), ow = out_size(c->w, c->kw, c);
    for (int n = 0; n < c->n; n++) {
        for (int m = 0; m < c->m; m++) {
            for (int i = 0; i < oh * ow; i++) {
                float want = conv_point(c, &x, &w, n, m, i / ow, i % ow) + b.data[m];
                float got = *at4(&y, n, m, i / ow, i % ow);
                if (memcmp(&want, &got, sizeof want) != 0)
                    fail_msg("%d,%d,%d: %a, not %a", n, m, i, (double)got, (double)want);
                assert_memory_equal(&want, at4(&ye, n, m, i / ow, i % ow), sizeof want);
                assert_true(fabsf(*at4(&yb, n, m, i / ow, i % ow) - want) <= 1e-5f * 8);
            }
        }
    }
}

static void test_conv(void **state)
{
    (void)state;
    const struct conv cases[] = {
        {1, 3, 9, 11, 5, 3, 3, 1, 1, 1, 1, "plain", "plain", "plain"},
        {2, 4, 7, 7, 6, 3, 3, 2, 1, 1, 1, "acdb", "plain", "acdb"},
        {1, 6, 8, 5, 6, 3, 2, 1, 2, 2, 1, "abcd4b", "abcd4b8a", "abcd8b"},
        {1, 8, 6, 6, 12, 3, 3, 1, 1, 1, 4, "plain", "plain", "plain"},
        {1, 8, 6, 6, 8, 3, 3, 2, 1, 1, 8, "abcd8b", "plain", "abcd4b"},
        {2, 6, 5, 5, 4, 1, 1, 1, 0, 1, 2, "abcd2b", "plain", "plain"},
        {1, 70, 3, 3, 9, 1, 1, 1, 0, 1, 1, "plain", "plain", "plain"},
        {1, 2, 40, 40, 2, 5, 5, 1, 2, 1, 1, "plain", "abcd4d", "plain"},
        {1, 2, 6, 6, 3, 3, 3, 1, 1, 1, 1, "abcd4c", "plain", "abcd2d"},
        {1, 1, 1, 1, 1, 3, 3, 1, 1, 1, 1, "plain", "plain", "plain"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_conv(&cases[i]);
}

/* Blocks of rows and columns: more of either than one block holds. */
static void test_large(void **state)
{
    (void)state;
    const struct conv wide = {1, 1, 100, 100, 3, 1, 1, 1, 0, 1, 1, "plain", "plain", "plain"};
    const struct conv tall = {1, 2, 1, 300, 310, 1, 1, 1, 0, 1, 1, "plain", "plain", "plain"};
    check_conv(&wide);
    check_conv(&tall);
}

/* ---- other accumulators, prologues ---- */

static void test_quantized(void **state)
{
    (void)state;
    struct kernel *k = parse(
        "kernel \"qconv\" { in @0 \"x\": u8[2,19] plain\n in @1 \"w\": i8[3,2,4] plain\n"
        "in @2 \"zx\": u8[] plain\n in @3 \"zw\": i8[3] plain\n out @4 \"y\": i32[3,19] plain\n"
        "contract %0 i32 (n %1 < 3, m %2 < 19, k %3 < 2, k %4 < 4) {\n"
        "a @0[%3, %2 + %4 - 2] pad 131:u8 prologue (%5) { %6 = load @2[]\n"
        "%7 = cast i32 %5 %8 = cast i32 %6 %9 = sub %7, %8 yield %9 }\n"
        "b @1[%1, %3, %4] prologue (%10) { %11 = load @3[%1]\n"
        "%12 = cast i32 %10 %13 = cast i32 %11 %14 = sub %12, %13 yield %14 }\n"
        "epilogue (%15) { store @4[%1, %2] = %15 } } }");
    struct kernel *expanded = parse("kernel \"x\" { }");
    uint8_t x[2][19], zx = 131;
    int8_t w[3][2][4], zw[3] = {5, -128, 127};
    int32_t y[3][19], ye[3][19];
    for (int i = 0; i < 38; i++)
        x[i / 19][i % 19] = (uint8_t)(i * 37);
    for (int i = 0; i < 24; i++)
        w[i / 8][i / 4 % 2][i % 4] = (int8_t)(uint8_t)(i * 53);
    struct strbuf text;
    strbuf_init(&text, &arena);
    kernel_print(k, &text);
    expanded = parse(strbuf_text(&text));
    assert_true(kernel_expand_contracts(expanded));
    run(k, (void *[]){x, w, &zx, zw, y}, false);
    run(expanded, (void *[]){x, w, &zx, zw, ye}, false);
    for (int n = 0; n < 3; n++) {
        for (int m = 0; m < 19; m++) {
            int32_t want = 0;
            for (int i = 0; i < 8; i++) {
                int at = m + i % 4 - 2;
                int v = at < 0 || at >= 19 ? 131 : x[i / 4][at];
                want += (v - zx) * (w[n][i / 4][i % 4] - zw[n]);
            }
            assert_int_equal(y[n][m], want);
            assert_int_equal(ye[n][m], want);
        }
    }
}

/* Each accumulator type rounds or wraps every product and every sum. */
static void test_accumulators(void **state)
{
    (void)state;
    const enum dtype types[] = {DTYPE_F64, DTYPE_F16, DTYPE_BF16, DTYPE_I8,  DTYPE_I16,
                                DTYPE_U16, DTYPE_U32, DTYPE_I64,  DTYPE_U64, DTYPE_I4};
    enum { M = 9, N = 10, K = 67 };
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        enum dtype type = types[t];
        const char *name = dtype_name(type);
        struct kernel *k = parse(arena_printf(
            &arena,
            "kernel \"dot\" { in @0 \"x\": %s[9,67] plain\n in @1 \"w\": %s[67,10] plain\n"
            "out @2 \"y\": %s[9,10] plain\n"
            "contract %%0 %s (m %%1 < 9, n %%2 < 10, k %%3 < 67) { a @0[%%1, %%3]\n"
            "b @1[%%3, %%2]\n epilogue (%%4) { store @2[%%1, %%2] = %%4 } } }",
            name, name, name, name));
        union kscalar x[M * K], w[K * N];
        uint8_t xs[M * K * 8] = {0}, ws[K * N * 8] = {0}, ys[M * N * 8] = {0};
        uint32_t seed = 3;
        for (int i = 0; i < M * K + K * N; i++) {
            union kscalar v;
            if (dtype_is_float(type))
                v.f = kscalar_round(type, (double)next_float(&seed) * 3);
            else
                v.i = kscalar_wrap(type, (int64_t)((double)next_float(&seed) * 1e10));
            if (i < M * K)
                kscalar_write(type, xs, i, x[i] = v);
            else
                kscalar_write(type, ws, i - M * K, w[i - M * K] = v);
        }
        run(k, (void *[]){xs, ws, ys}, true);
        for (int i = 0; i < M * N; i++) {
            union kscalar sum = {.i = 0}, p;
            if (dtype_is_float(type))
                sum.f = 0;
            for (int j = 0; j < K; j++) {
                p = kscalar_binary(KOP_MUL, type, x[i / N * K + j], w[j * N + i % N]);
                sum = kscalar_binary(KOP_ADD, type, sum, p);
            }
            union kscalar got = kscalar_read(type, ys, i);
            assert_memory_equal(&got, &sum, sizeof sum);
        }
    }
}

/* A batched product inside a loop whose index the operands use; mixed types are cast. */
static void test_batched_in_loop(void **state)
{
    (void)state;
    struct kernel *k = parse(
        "kernel \"batched\" { in @0 \"x\": i8[2,3,4,5] plain\n in @1 \"w\": f16[3,5,6] plain\n"
        "out @2 \"y\": f32[2,3,4,6] plain\n in @3 \"s\": f32[2] plain\n"
        "loop %0 (%1 < 2) { %2 = load @3[%1]\n"
        "contract %3 f32 (batch %4 < 3, m %5 < 4, n %6 < 6, k %7 < 5) {\n"
        "a @0[%1, %4, %5, %7] b @1[%4, %7, %6]\n"
        "epilogue (%8) { %9 = mul %8, %2 store @2[%1, %4, %5, %6] = %9 } } } }");
    int8_t x[2][3][4][5];
    uint16_t w[3][5][6];
    float y[2][3][4][6], s[2] = {2, -0.5f};
    for (int i = 0; i < 120; i++)
        x[i / 60][i / 20 % 3][i / 5 % 4][i % 5] = (int8_t)(i % 13 - 6);
    for (int i = 0; i < 90; i++)
        w[i / 30][i / 6 % 5][i % 6] = dtype_f32_to_f16((float)(i % 7) * 0.25f);
    run(k, (void *[]){x, w, y, s}, false);
    for (int l = 0; l < 2; l++) {
        for (int i = 0; i < 72; i++) {
            float want = 0;
            for (int j = 0; j < 5; j++)
                want += (float)x[l][i / 24][i / 6 % 4][j] * dtype_f16_to_f32(w[i / 24][j][i % 6]);
            assert_true(y[l][i / 24][i / 6 % 4][i % 6] == want * s[l]);
        }
    }
}

/* No K index: one product.  A K index of extent 0: an empty sum.  No rows: nothing. */
static void test_degenerate(void **state)
{
    (void)state;
    float x[3] = {1, 2, 3}, w[2] = {10, 20}, y[6];
    run(parse("kernel \"outer\" { in @0 \"x\": f32[3] plain\n in @1 \"w\": f32[2] plain\n"
              "out @2 \"y\": f32[3,2] plain\n"
              "contract %0 f32 (m %1 < 3, n %2 < 2) { a @0[%1] b @1[%2]\n"
              "epilogue (%3) { store @2[%1, %2] = %3 } } }"),
        (void *[]){x, w, y}, true);
    assert_memory_equal(y, ((float[]){10, 20, 20, 40, 30, 60}), sizeof y);
    run(parse("kernel \"empty\" { in @0 \"x\": f32[3,0] plain\n in @1 \"w\": f32[0,2] plain\n"
              "out @2 \"y\": f32[3,2] plain\n"
              "contract %0 f32 (m %1 < 3, n %2 < 2, k %3 < 0) { a @0[%1, %3] b @1[%3, %2]\n"
              "epilogue (%4) { %5 = add %4, 1.0 store @2[%1, %2] = %5 } } }"),
        (void *[]){x, w, y}, true);
    assert_memory_equal(y, ((float[]){1, 1, 1, 1, 1, 1}), sizeof y);
    run(parse("kernel \"none\" { in @0 \"x\": f32[0,3] plain\n in @1 \"w\": f32[3,2] plain\n"
              "out @2 \"y\": f32[6] plain\n"
              "contract %0 f32 (m %1 < 0, n %2 < 2, k %3 < 3) { a @0[%1, %3] b @1[%3, %2]\n"
              "epilogue (%4) { store @2[%1] = %4 } } }"),
        (void *[]){x, w, y}, true);
    assert_memory_equal(y, ((float[]){1, 1, 1, 1, 1, 1}), sizeof y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_conv, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quantized, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accumulators, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batched_in_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_degenerate, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
