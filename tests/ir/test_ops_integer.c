/*
 * Operators on quantized integers, and those that lead there and back: cases worked out by hand as
 * in test_ops, and random ones beside sums in plain C.
 */
#include "tests/ir/ops_run.h"

#include "tests/support/random.h"

enum { MAX_RESULTS = 75 };

/* ---- random operands ---- */

static int64_t random_int(uint64_t *seed, enum dtype t)
{
    int64_t lo = dtype_int_min(t), hi = dtype_int_max(t);
    int what = random_below(seed, 8);
    return what == 0 ? lo : what == 1 ? hi : lo + random_below(seed, (int)(hi - lo + 1));
}

struct ints {
    int64_t v[256];
    int n;
};

/* A constant of random elements, which also stand in `out`; `text` receives its declaration. */
static void random_constant(uint64_t *seed, struct strbuf *text, const char *name, enum dtype t,
                            const char *dims, int n, struct ints *out)
{
    assert_true(n <= (int)(sizeof out->v / sizeof out->v[0]));
    out->n = n;
    strbuf_printf(text, "const %%%s %s %s = {", name, dtype_name(t), dims);
    for (int i = 0; i < n; i++) {
        out->v[i] = random_int(seed, t);
        strbuf_printf(text, "%s%lld", i ? ", " : "", (long long)out->v[i]);
    }
    strbuf_printf(text, "} ");
}

static void compute_ints(const char *body, const char *type, int64_t *out, int n)
{
    struct run r;
    run_begin(&r, body);
    run_once(&r);
    struct tensor t = output_tensor(&r, 0);
    assert_string_equal(dtype_name(t.dtype), type);
    assert_int_equal(tensor_elems(&t), n);
    for (int i = 0; i < n; i++)
        out[i] = tensor_get_int(&t, i);
    arena_done(&r.arena);
}

static void expect_ints(const char *body, const char *type, const int64_t *want, int n)
{
    int64_t got[MAX_RESULTS];
    assert_true(n <= MAX_RESULTS);
    compute_ints(body, type, got, n);
    for (int i = 0; i < n; i++)
        if (got[i] != want[i])
            fail_msg("element %d is %lld, not %lld, of: %s", i, (long long)got[i],
                     (long long)want[i], body);
}

static const enum dtype small_types[] = {DTYPE_I8, DTYPE_U8, DTYPE_I16, DTYPE_U16};

/* One case of a product of two operands of random types; `text` gets the operands. */
struct product {
    struct arena arena;
    struct strbuf text;
    enum dtype a, b;
};

static void product_begin(struct product *p, uint64_t *seed)
{
    arena_init(&p->arena);
    strbuf_init(&p->text, &p->arena);
    p->a = small_types[random_below(seed, 4)];
    p->b = small_types[random_below(seed, 4)];
}

static void product_expect(struct product *p, const char *node, const int64_t *want, int n)
{
    strbuf_printf(&p->text, "%%y = %s return %%y", node);
    bool wide = dtype_bits(p->a) + dtype_bits(p->b) > 16;
    expect_ints(strbuf_text(&p->text), wide ? "i64" : "i32", want, n);
    arena_done(&p->arena);
}

/* ---- contractions ---- */

static void test_conv_integer(void **state)
{
    (void)state;
    CHECK("const %x u8 [1,1,3,3] = {2, 3, 4, 5, 6, 7, 8, 9, 10} const %w u8 [1,1,2,2] = fill 1 "
          "const %z u8 [] = {1} %y = conv_integer (%x, %w, %z) {pads=[1,1,1,1]} return %y",
          "i32 [1,1,4,4]", 1, 3, 5, 3, 5, 12, 16, 9, 11, 24, 28, 15, 7, 15, 17, 9);
    /* Zero points are folded elsewhere: padding holds what stands for 0. */
    CHECK("const %x u8 [1,1,2] = {130, 126} const %w i8 [1,1,3] = {1, 2, 3}"
          "%y = conv_integer (%x, %w) {pads=[1,1], pad_value=128} return %y",
          "i32 [1,1,2]", 128 + 260 + 378, 130 + 252 + 384);
    CHECK("const %x i16 [1,1,2] = {32767, -32768} const %w i16 [1,1,2] = {32767, -32768}"
          "%y = conv_integer (%x, %w) return %y",
          "i64 [1,1,1]", 32767. * 32767 + 32768. * 32768);
    CHECK("const %x u8 [1,1,1] = {255} const %w i16 [1,1,1] = {-32768}"
          "%y = conv_integer (%x, %w) return %y",
          "i64 [1,1,1]", -255. * 32768);
    /* A zero point that is computed lies around x as well. */
    CHECK("const %x u8 [1,1,3,3] = {2, 3, 4, 5, 6, 7, 8, 9, 10} const %w u8 [1,1,2,2] = fill 1 "
          "const %m u8 [] = {1} %z = identity (%m)"
          "%y = conv_integer (%x, %w, %z) {pads=[1,1,1,1]} return %y",
          "i32 [1,1,4,4]", 1, 3, 5, 3, 5, 12, 16, 9, 11, 24, 28, 15, 7, 15, 17, 9);
    refused("input %x u8 [1,1,2] const %w u8 [1,1,1] = {1}"
            "%y = conv_integer (%x, %w) {pads=[1,1], pad_value=-1} return %y",
            "pad_value -1 is no u8");
    refused("input %x u8 [1,1,2] const %w u8 [2,1,1] = {1, 1} const %z u8 [3] = {1, 1, 1}"
            "%y = conv_integer (%x, %w, _, %z) return %y",
            "parameter 'z' has 3 elements in 1 dimensions");
    refused("input %x i32 [1,1,2] const %w u8 [1,1,1] = {1} %y = conv_integer (%x, %w) return %y",
            "conv_integer does not take input 'x' of type i32");
}

/* Two groups, stride 2, one column of padding in front. */
static void test_conv_integer_random(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int round = 0; round < 200; round++) {
        struct product p;
        struct ints x, w, xz, wz;
        int64_t want[16];
        product_begin(&p, &seed);
        bool per_channel = random_below(&seed, 2);
        random_constant(&seed, &p.text, "x", p.a, "[1,4,7]", 28, &x);
        random_constant(&seed, &p.text, "w", p.b, "[4,2,3]", 24, &w);
        random_constant(&seed, &p.text, "xz", p.a, "[]", 1, &xz);
        random_constant(&seed, &p.text, "wz", p.b, per_channel ? "[4]" : "[]", per_channel ? 4 : 1,
                        &wz);
        int n = 0;
        for (int m = 0; m < 4; m++)
            for (int o = 0; o < 3; o++) {
                int64_t sum = 0;
                for (int c = 0; c < 2; c++)
                    for (int t = 0; t < 3; t++) {
                        int at = 2 * o + t - 1;
                        int64_t xv = at < 0 ? 0 : x.v[(m / 2 * 2 + c) * 7 + at] - xz.v[0];
                        sum += xv * (w.v[(m * 2 + c) * 3 + t] - wz.v[per_channel ? m : 0]);
                    }
                want[n++] = sum;
            }
        product_expect(&p, "conv_integer (%x, %w, %xz, %wz) {group=2, strides=[2], pads=[1,0]}",
                       want, n);
    }
}

static void test_matmul_integer(void **state)
{
    (void)state;
    CHECK("const %a u8 [2,2] = {11, 7, 3, 10} const %b u8 [2,2] = {1, 4, 2, 5}"
          "const %z u8 [] = {12} %y = matmul_integer (%a, %b, %z) return %y",
          "i32 [2,2]", -11, -29, -13, -46);
    /* One zero point per row, per column; as vectors and as matrices. */
    CHECK("const %a u8 [2,1] = {5, 6} const %b i8 [1,2] = {3, 4} const %az u8 [2] = {1, 2}"
          "const %bz i8 [1,2] = {1, -1} %y = matmul_integer (%a, %b, %az, %bz) return %y",
          "i32 [2,2]", 8, 20, 8, 20);
    CHECK("const %a i8 [3] = {1, 2, 3} const %b i8 [3] = {4, 5, 6} const %z i8 [] = {1}"
          "%y = matmul_integer (%a, %b, %z) return %y",
          "i32 []", 17);
    CHECK("const %a i16 [1,2] = {-32768, 32767} const %b u8 [2,1] = {255, 1}"
          "%y = matmul_integer (%a, %b) return %y",
          "i64 [1,1]", -32768. * 255 + 32767);
    refused(
        "input %a u8 [2,2] input %b u8 [2,3] input %z u8 [2] %y = matmul_integer (%a, %b, _, %z)"
        "return %y",
        "parameter 'z' is neither a scalar nor one per column");
    refused("input %a u8 [2,2] input %b u8 [2,3] input %z u8 [1,2] %y = matmul_integer (%a, %b, %z)"
            "return %y",
            "parameter 'z' is neither a scalar nor one per row");
    refused("input %a u8 [2] input %b u8 [2] input %z u8 [2] %y = matmul_integer (%a, %b, %z)"
            "return %y",
            "parameter 'z' is neither a scalar nor one per row");
}

/* Batches that broadcast, zero points per row of a in its own shape. */
static void test_matmul_integer_random(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int round = 0; round < 200; round++) {
        struct product p;
        struct ints a, b, az, bz;
        int64_t want[48];
        product_begin(&p, &seed);
        random_constant(&seed, &p.text, "a", p.a, "[2,1,3,5]", 30, &a);
        random_constant(&seed, &p.text, "b", p.b, "[2,5,4]", 40, &b);
        random_constant(&seed, &p.text, "az", p.a, "[2,1,3,1]", 6, &az);
        random_constant(&seed, &p.text, "bz", p.b, "[4]", 4, &bz);
        for (int i = 0; i < 48; i++) {
            int col = i % 4, row = i / 4 % 3, b1 = i / 12 % 2, b0 = i / 24;
            want[i] = 0;
            for (int k = 0; k < 5; k++)
                want[i] += (a.v[(b0 * 3 + row) * 5 + k] - az.v[b0 * 3 + row]) *
                           (b.v[(b1 * 5 + k) * 4 + col] - bz.v[col]);
        }
        product_expect(&p, "matmul_integer (%a, %b, %az, %bz)", want, 48);
    }
}

/* sum (x - zx) w = sum x w - zx sum w, at the borders too, where zx is the padding. */
static void test_folded_zero_points(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (int round = 0; round < 200; round++) {
        enum dtype xt = small_types[random_below(&seed, 2)];
        struct arena a;
        struct strbuf text;
        struct ints x, w, xz;
        arena_init(&a);
        strbuf_init(&text, &a);
        random_constant(&seed, &text, "x", xt, "[1,2,5,5]", 50, &x);
        random_constant(&seed, &text, "w", DTYPE_I8, "[3,2,3,3]", 54, &w);
        random_constant(&seed, &text, "xz", xt, "[]", 1, &xz);
        const char *given = arena_strdup(&a, strbuf_text(&text));
        int64_t offset[3] = {0};
        for (int i = 0; i < 54; i++)
            offset[i / 18] -= xz.v[0] * w.v[i];
        const char *apart = arena_printf(
            &a, "%s %%y = conv_integer (%%x, %%w, %%xz) {pads=[1,1,1,1]} return %%y", given);
        const char *computed = arena_printf(
            &a,
            "%s %%z = identity (%%xz) %%y = conv_integer (%%x, %%w, %%z) {pads=[1,1,1,1]} "
            "return %%y",
            given);
        const char *folded =
            arena_printf(&a,
                         "%s const %%k i32 [1,3,1,1] = {%lld, %lld, %lld}"
                         "%%s = conv_integer (%%x, %%w) {pads=[1,1,1,1], pad_value=%lld}"
                         "%%y = add (%%s, %%k) return %%y",
                         given, (long long)offset[0], (long long)offset[1], (long long)offset[2],
                         (long long)xz.v[0]);
        int64_t want[75];
        compute_ints(apart, "i32", want, 75);
        expect_ints(computed, "i32", want, 75);
        expect_ints(folded, "i32", want, 75);
        arena_done(&a);
    }
}

/* What 32 bits do not hold is meant modulo 2^32. */
static void test_sums_wrap(void **state)
{
    (void)state;
    CHECK("const %a u8 [1,70000] = fill 255 const %b i8 [70000,1] = fill -128 "
          "%y = matmul_integer (%a, %b) return %y",
          "i32 [1,1]", 4294967296. - 255. * 128 * 70000);
    /* A partial sum may pass 2^31 where the whole does not. */
    CHECK("const %a u8 [1,1,140000] = fill 255 const %p i8 [1,1,70000] = fill 127 "
          "const %n i8 [1,1,70000] = fill -127 %w = concat (%p, %n) {axis=2} "
          "%y = conv_integer (%a, %w) return %y",
          "i32 [1,1,1]", 0);
}

static void test_qlinear_conv(void **state)
{
    (void)state;
    /* Padding has the zero point's meaning: it adds nothing. */
    CHECK("const %x u8 [1,1,2] = {12, 14} const %xs f32 [] = {0.5} const %xz u8 [] = {10}"
          "const %w i8 [2,1,3] = {1, 1, 1, 0, 2, 0} const %ws f32 [2] = {1, 0.5}"
          "const %wz i8 [2] = {0, 1} const %ys f32 [] = {0.25} const %yz u8 [] = {100}"
          "const %b i32 [2] = {1, -1}"
          "%y = qlinear_conv (%x, %xs, %xz, %w, %ws, %wz, %ys, %yz, %b) {pads=[1,1]} return %y",
          "u8 [1,2,2]", 114, 114, 97, 101);
    /* The zero point is added before rounding: 0.5 + 1 goes to 2, -0.5 + 1 to 0. */
    CHECK("const %x i8 [1,1,2] = {1, -1} const %s f32 [] = {1} const %h f32 [] = {0.5}"
          "const %z i8 [] = {0} const %w i8 [1,1,1] = {1} const %yz i8 [] = {1}"
          "%y = qlinear_conv (%x, %h, %z, %w, %s, %z, %s, %yz) return %y",
          "i8 [1,1,2]", 2, 0);
    CHECK("const %x u8 [1,1,2] = {12, 14} const %xs f32 [] = {0.5} const %m u8 [] = {10}"
          "const %w i8 [2,1,3] = {1, 1, 1, 0, 2, 0} const %ws f32 [2] = {1, 0.5}"
          "const %wz i8 [2] = {0, 1} const %ys f32 [] = {0.25} const %yz u8 [] = {100}"
          "const %b i32 [2] = {1, -1} %xz = identity (%m)"
          "%y = qlinear_conv (%x, %xs, %xz, %w, %ws, %wz, %ys, %yz, %b) {pads=[1,1]} return %y",
          "u8 [1,2,2]", 114, 114, 97, 101);
    refused("input %x u8 [1,1,2] const %s f32 [] = {1} const %h f16 [] = {1}"
            "const %w u8 [1,1,1] = {1} const %z u8 [] = {0}"
            "%y = qlinear_conv (%x, %s, %z, %w, %h, %z, %s, %z) return %y",
            "inputs 's' of type f32 and 'h' of type f16 differ");
}

static void test_qlinear_matmul(void **state)
{
    (void)state;
    /* Row scales 1 and 2, column scales 0.5 and 1, y_scale 0.25 and 1: M = 2 4; 1 2. */
    CHECK("const %a u8 [2,1] = {11, 12} const %as f32 [2] = {1, 2} const %az u8 [2] = {10, 10}"
          "const %b i8 [1,2] = {3, -2} const %bs f32 [2] = {0.5, 1} const %bz i8 [2] = {0, 1}"
          "const %ys f32 [2,1] = {0.25, 1} const %yz i8 [] = {1}"
          "%y = qlinear_matmul (%a, %as, %az, %b, %bs, %bz, %ys, %yz) return %y",
          "i8 [2,2]", 7, -11, 7, -11);
    /* The factor is rounded to f16: 1503 / 6 is 250.44 with it, in f32 just above 250.5. */
    CHECK("const %a u8 [1,1] = {167} const %s f16 [] = {1} const %t f16 [] = {6}"
          "const %z u8 [] = {0} const %b u8 [1,1] = {9}"
          "%y = qlinear_matmul (%a, %s, %z, %b, %s, %z, %t, %z) return %y",
          "u8 [1,1]", 250);
    CHECK("const %a u8 [1,1] = {167} const %s f32 [] = {1} const %t f32 [] = {6}"
          "const %z u8 [] = {0} const %b u8 [1,1] = {9}"
          "%y = qlinear_matmul (%a, %s, %z, %b, %s, %z, %t, %z) return %y",
          "u8 [1,1]", 251);
    refused("input %a u8 [2,2] input %b u8 [2,2] const %s f32 [] = {1} const %z u8 [] = {0}"
            "const %t f32 [3] = {1, 1, 1}"
            "%y = qlinear_matmul (%a, %s, %z, %b, %t, %z, %s, %z) return %y",
            "parameter 't' is neither a scalar nor one per column");
}

/* ---- quantize and dequantize ---- */

static void test_quantize(void **state)
{
    (void)state;
    CHECK("const %x f32 [5] = {0.5, 1.5, 2.5, 1000, -1000} const %s f32 [] = {1}"
          "const %z i8 [] = {1} %y = quantize_linear (%x, %s, %z) return %y",
          "i8 [5]", 1, 3, 3, 127, -128);
    CHECK("const %x f32 [2,2] = {1, 2, 3, 4} const %s f32 [2] = {0.5, 2} const %z u4 [2] = {0, 14}"
          "%y = quantize_linear (%x, %s, %z) {axis=0} return %y",
          "u4 [2,2]", 2, 4, 15, 15);
    CHECK("const %x f32 [4] = {-70000, 70000, 100.5, inf} const %s f32 [] = {1}"
          "const %z u16 [] = {32768} %y = quantize_linear (%x, %s, %z) return %y",
          "u16 [4]", 0, 65535, 32868, 65535);
    CHECK("const %x f32 [3] = {-9, 9, 2.5} const %s f32 [] = {1}"
          "%y = quantize_linear (%x, %s) {output_dtype=22} return %y",
          "i4 [3]", -8, 7, 2);
    /* x / scale is 100.527, in f16 100.5. */
    CHECK("const %x f16 [1] = {100.625} const %s f16 [] = {1.0009765625}"
          "%y = quantize_linear (%x, %s) return %y",
          "u8 [1]", 100);
    CHECK("const %x f16 [1] = {100.625} const %s f16 [] = {1.0009765625}"
          "%y = quantize_linear (%x, %s) {precision=1} return %y",
          "u8 [1]", 101);
    CHECK("const %x i32 [2] = {7, -7} const %s f32 [] = {2} const %z i8 [] = {0}"
          "%y = quantize_linear (%x, %s, %z) return %y",
          "i8 [2]", 4, -4);
    CHECK("const %x f32 [4] = {3, -1000, 0.51, 1e9} const %s f32 [] = {2} const %z f8e5m2 [] = {0}"
          "%y = quantize_linear (%x, %s, %z) return %y",
          "f8e5m2 [4]", 1.5, -512, 0.25, 57344);
    CHECK("const %x f32 [2] = {-0, 5} const %s f8e8m0 [] = {128} const %z f4e2m1 [] = {1}"
          "%y = quantize_linear (%x, %s, %z) return %y",
          "f4e2m1 [2]", 0.5, 3);
    CHECK("const %x f32 [5] = {-9, 9, 0.5, 1.5, -1} const %s f32 [] = {1}"
          "%y = quantize_linear (%x, %s) {output_dtype=26} return %y",
          "i2 [5]", -2, 1, 0, 1, -1);
    refused("input %x f32 [2] const %s f32 [] = {1} const %z i8 [] = {0}"
            "%y = quantize_linear (%x, %s, %z) {output_dtype=2} return %y",
            "the zero point is i8 where the result is to be u8");
    refused("input %x f32 [2] const %s f32 [] = {1}"
            "%y = quantize_linear (%x, %s) {output_dtype=24} return %y",
            "output_dtype: ONNX type 24 is not supported");
    refused("input %x f32 [2] const %s f32 [] = {1}"
            "%y = quantize_linear (%x, %s) {precision=3} return %y",
            "precision: ONNX type 3 is not supported");
}

static void test_dequantize(void **state)
{
    (void)state;
    CHECK("const %x u8 [2,2] = {0, 10, 20, 255} const %s f32 [2] = {0.5, 2}"
          "const %z u8 [2] = {10, 0} %y = dequantize_linear (%x, %s, %z) return %y",
          "f32 [2,2]", -5, 20, 5, 510);
    CHECK("const %x i4 [3] = {-8, 7, 1} const %s f16 [] = {0.5}"
          "%y = dequantize_linear (%x, %s) return %y",
          "f16 [3]", -4, 3.5, 0.5);
    CHECK(
        "const %x f8e4m3fn [3] = {56, 190, 1} const %s f8e8m0 [] = {129} const %z f8e4m3fn [] = {0}"
        "%y = dequantize_linear (%x, %s, %z) {output_dtype=1} return %y",
        "f32 [3]", 4, -7, 0x1p-7);
    CHECK("const %x u2 [4] = {0, 1, 2, 3} const %s f32 [] = {0.5} const %z u2 [] = {1}"
          "%y = dequantize_linear (%x, %s, %z) return %y",
          "f32 [4]", -0.5, 0, 0.5, 1);
    CHECK("const %x i32 [2] = {-2147483648, 2147483647} const %s f32 [] = {1}"
          "const %z i32 [] = {1} %y = dequantize_linear (%x, %s, %z) return %y",
          "f32 [2]", -2147483649., 2147483646);
    refused(
        "input %x f8e5m2 [2] const %s f8e8m0 [] = {1} %y = dequantize_linear (%x, %s) return %y",
        "output_dtype: ONNX type 24 is not supported");
    CHECK("const %x u16 [1] = {65535} const %s f16 [] = {0.5}"
          "%y = dequantize_linear (%x, %s) {output_dtype=1} return %y",
          "f32 [1]", 32767.5);
}

/* Blocks of 2 along the axis, the last one short. */
static void test_blocked(void **state)
{
    (void)state;
    CHECK("const %x i8 [2,3] = {1, 2, 3, 4, 5, 6} const %s f32 [2,2] = {1, 10, 100, 1000}"
          "const %z i8 [2,2] = {0, 1, 2, 3}"
          "%y = dequantize_linear (%x, %s, %z) {block_size=2} return %y",
          "f32 [2,3]", 1, 2, 20, 200, 300, 3000);
    CHECK("const %x f32 [3,2] = {1, 2, 3, 4, 5, 6} const %s f32 [2,2] = {1, 2, 0.5, 0.25}"
          "const %z u8 [2,2] = {0, 1, 2, 3}"
          "%y = quantize_linear (%x, %s, %z) {axis=-2, block_size=2} return %y",
          "u8 [3,2]", 1, 2, 3, 3, 12, 27);
    refused("input %x i8 [2,3] const %s f32 [2,3] = fill 1 "
            "%y = dequantize_linear (%x, %s) {block_size=2} return %y",
            "dimension 1 of input 's' is 3 where 2 is needed");
    refused(
        "input %x i8 [2,3] const %s f32 [2,3] = fill 1 %y = dequantize_linear (%x, %s) return %y",
        "input 's' has 2 dimensions where 1 are needed");
    refused("input %x i8 [2,3] const %s f32 [2,3] = fill 1 "
            "%y = dequantize_linear (%x, %s) {block_size=-1} return %y",
            "block_size -1 is negative");
}

static void test_dynamic_quantize(void **state)
{
    (void)state;
    CHECK("const %x f32 [2,2] = {-1, 1, 0.5, 4.1} %y, %s, %z = dynamic_quantize_linear (%x)"
          "return %y",
          "u8 [2,2]", 0, 100, 75, 255);
    CHECK("const %x f32 [2,2] = {-1, 1, 0.5, 4.1} %y, %s, %z = dynamic_quantize_linear (%x)"
          "return %z, %s",
          "u8 []", 50);
    CHECK("const %x f32 [2] = {0, 0} %y, %s, %z = dynamic_quantize_linear (%x) return %s, %y",
          "f32 []", 1 / 255.);
    /* The range is widened to hold 0, on either side. */
    CHECK("const %x f32 [2] = {-2, -0.5} %y, %s, %z = dynamic_quantize_linear (%x) return %y",
          "u8 [2]", 0, 191);
    CHECK("const %x f32 [] = {3} %y, %s, %z = dynamic_quantize_linear (%x) return %y", "u8 []",
          255);
}

/* ---- tables and sums ---- */

/* Elements i * 3 mod 256: every index shows. */
static void test_lookup(void **state)
{
    (void)state;
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    for (int i = 0; i < 2; i++) {
        strbuf_init(&text, &a);
        strbuf_printf(&text, "const %%x %s [4] = %s const %%t i16 [256] = {", i ? "u8" : "i8",
                      i ? "{128, 255, 0, 127}" : "{-128, -1, 0, 127}");
        for (int e = 0; e < 256; e++)
            strbuf_printf(&text, "%s%d", e ? ", " : "", e * 3);
        strbuf_printf(&text, "} %%y = lookup (%%x, %%t) return %%y");
        CHECK(strbuf_text(&text), "i16 [4]", 384, 765, 0, 381);
    }
    CHECK("const %x i16 [2] = {-32768, 5} const %t u8 [65536] = fill 7 %y = lookup (%x, %t)"
          "return %y",
          "u8 [2]", 7, 7);
    /* A row per index of an axis: 0, 3, 6, .. and 1, 4, 7, .. */
    for (int axis = 0; axis < 2; axis++) {
        strbuf_init(&text, &a);
        strbuf_printf(&text, "const %%x i8 [2,2] = {-128, -1, 0, 127} const %%t i16 [2,256] = {");
        for (int e = 0; e < 512; e++)
            strbuf_printf(&text, "%s%d", e ? ", " : "", e % 256 * 3 + e / 256);
        strbuf_printf(&text, "} %%y = lookup (%%x, %%t) {axis=%d} return %%y", axis ? -1 : 0);
        CHECK(strbuf_text(&text), "i16 [2,2]", 384, 765 + axis, 1 - axis, 382);
    }
    arena_done(&a);
    refused("input %x i8 [3,2] const %t i8 [2,256] = fill 1 %y = lookup (%x, %t) {axis=0} "
            "return %y",
            "dimension 0 of input 't' is 2 where 3 is needed");
    refused("input %x i8 [2] const %t i8 [2,256] = fill 1 %y = lookup (%x, %t) return %y",
            "axis 1");
    refused("input %x i8 [2] const %t i8 [255] = fill 1 %y = lookup (%x, %t) return %y",
            "dimension 0 of input 't' is 255 where 256 is needed");
    refused("input %x i16 [2] const %t i8 [256] = fill 1 %y = lookup (%x, %t) return %y",
            "dimension 0 of input 't' is 256 where 65536 is needed");
    refused("input %x i8 [2] input %t i8 [256] %y = lookup (%x, %t) return %y",
            "the table 't' must be constant");
}

static void test_sum_pool(void **state)
{
    (void)state;
    CHECK("const %x u8 [1,1,3] = {10, 255, 0} %y = sum_pool (%x) {kernel_shape=[2], pads=[1,0],"
          "zero_point=5} return %y",
          "i32 [1,1,3]", 5, 255, 245);
    CHECK("const %x i8 [1,1,2,2] = {-128, -128, -128, -128} %y = sum_pool (%x)"
          "{kernel_shape=[2,2], zero_point=127} return %y",
          "i32 [1,1,1,1]", -1020);
    CHECK("const %x i16 [1,2,2] = {-32768, -32768, 32767, 32767} %y = sum_pool (%x)"
          "{kernel_shape=[2]} return %y",
          "i64 [1,2,1]", -65536, 65534);
    refused("input %x u8 [1,1,3] %y = sum_pool (%x) {kernel_shape=[2], zero_point=256} return %y",
            "zero_point 256 is no u8");
    refused("input %x u8 [1,1,8388608] %y = sum_pool (%x) {kernel_shape=[8388608]} return %y",
            "the window is too large for exact sums");
}

/* Operators that only move or compare take every type of a quantized tensor. */
static void test_integers_pass(void **state)
{
    (void)state;
    static const char *const types[] = {"i8", "u8", "i16", "u16", "i32", "i64"};
    static const struct {
        const char *node;
        const char *dims;
        double want[4];
    } nodes[] = {
        {"max_pool (%x) {kernel_shape=[2]}", "[1,2,1]", {5, 100}},
        {"concat (%x, %x) {axis=1}", "[1,4,2]", {3, 5, 7, 100}},
        {"transpose (%x) {perm=[0,2,1]}", "[1,2,2]", {3, 7, 5, 100}},
        {"flatten (%x)", "[1,4]", {3, 5, 7, 100}},
        {"clip (%x, %c)", "[1,2,2]", {6, 6, 7, 100}},
        {"relu (%x)", "[1,2,2]", {3, 5, 7, 100}},
        {"add (%x, %c)", "[1,2,2]", {9, 11, 13, 106}},
        {"sub (%x, %x)", "[1,2,2]", {0, 0, 0, 0}},
        {"max (%x, %c)", "[1,2,2]", {6, 6, 7, 100}},
        {"min (%x, %c)", "[1,2,2]", {3, 5, 6, 6}},
        {"pad (%x, %p, %c)", "[1,2,2]", {5, 6, 100, 6}},
        {"slice (%x, %one, %two, %one)", "[1,1,2]", {7, 100}},
        {"gather (%x, %one) {axis=2}", "[1,2,1]", {5, 100}},
        {"expand (%x, %two)", "[1,2,2]", {3, 5, 7, 100}},
        {"reduce_sum (%x, %two)", "[1,2,1]", {8, 107}},
    };
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
        for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
            struct arena a;
            arena_init(&a);
            const char *body =
                arena_printf(&a,
                             "const %%x %s [1,2,2] = {3, 5, 7, 100} const %%c %s [] = {6}"
                             "const %%p i64 [6] = {0, 0, -1, 0, 0, 1} const %%one i64 [1] = {1}"
                             "const %%two i64 [1] = {2} %%y = %s return %%y",
                             types[t], types[t], nodes[i].node);
            struct run r;
            run_begin(&r, body);
            run_once(&r);
            struct tensor y = output_tensor(&r, 0);
            struct shape s = shape_of_dims(y.rank, y.dims);
            assert_string_equal(dtype_name(y.dtype), types[t]);
            assert_string_equal(shape_print(&s, &a), nodes[i].dims);
            for (int64_t e = 0; e < tensor_elems(&y) && e < 4; e++)
                if (tensor_get(&y, e) != nodes[i].want[e])
                    fail_msg("element %d is %g in %s", (int)e, tensor_get(&y, e), body);
            arena_done(&r.arena);
            arena_done(&a);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_integer),
        cmocka_unit_test(test_conv_integer_random),
        cmocka_unit_test(test_matmul_integer),
        cmocka_unit_test(test_matmul_integer_random),
        cmocka_unit_test(test_folded_zero_points),
        cmocka_unit_test(test_sums_wrap),
        cmocka_unit_test(test_qlinear_conv),
        cmocka_unit_test(test_qlinear_matmul),
        cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_dequantize),
        cmocka_unit_test(test_blocked),
        cmocka_unit_test(test_dynamic_quantize),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_sum_pool),
        cmocka_unit_test(test_integers_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
