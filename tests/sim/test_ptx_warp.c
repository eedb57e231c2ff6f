/*
 * What the lanes of a warp do together, and products of matrices, against plain C.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/kernels.h"
#include "tests/sim/ptx_float.h"
#include "tests/support/support.h"

enum { WARP = 32, MAX_WORDS = 20 };

static uint32_t in[WARP * MAX_WORDS], out[WARP * MAX_WORDS];

/* Each lane finds n_in words as %r1 and so on, and leaves n_out from %r10 on. */
static void run(const char *module, const char *body, int n_in, int n_out)
{
    char text[4000];
    size_t n = (size_t)snprintf(text, sizeof text,
                                "mul.wide.u32 %%d0, %%r20, %d; add.s64 %%d0, %%d0, %%d20;\n"
                                "mul.wide.u32 %%d1, %%r20, %d; add.s64 %%d1, %%d1, %%d21;\n",
                                4 * n_in, 4 * n_out);
    for (int i = 0; i < n_in; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "ld.global.u32 %%r%d, [%%d0+%d];\n", i + 1,
                              4 * i);
    n += (size_t)snprintf(text + n, sizeof text - n, "%s\n", body);
    for (int i = 0; i < n_out; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "st.global.u32 [%%d1+%d], %%r%d;\n", 4 * i,
                              i + 10);
    assert_true(n < sizeof text);
    struct kernel_case c = {.module = module,
                            .body = text,
                            .block = WARP,
                            .in = in,
                            .in_bytes = sizeof in,
                            .out = out,
                            .out_bytes = sizeof out,
                            .out_is_written = true};
    const char *failure = kernel_run(&c);
    if (failure)
        print_message("%s\n", failure);
    assert_null(failure);
}

static uint32_t random_word(void)
{
    static uint32_t seed = 1;
    return seed = seed * 1664525u + 1013904223u;
}

static void fill(void)
{
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        in[i] = random_word();
}

/* ---- shuffles, votes ---- */

/* The example of a sum by butterflies, and single steps at the borders. */
static void test_shuffles(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < WARP; i++)
        in[i] = 100 + i;
    run(NULL,
        "shfl.sync.up.b32 %r10|%p1, %r1, 3, 0, -1; selp.b32 %r11, 1, 0, %p1;"
        "shfl.sync.down.b32 %r12|%p1, %r1, 5, 31, -1; selp.b32 %r13, 1, 0, %p1;"
        "shfl.sync.bfly.b32 %r14, %r1, 16, 31, -1;"
        "shfl.sync.idx.b32 %r15, %r1, %r1, 31, -1;"
        "shfl.sync.idx.b32 %r16, %r1, 2, 0x181f, -1;" /* segments of 8 */
        "shfl.sync.down.b32 %r17|%p1, %r1, 1, 0x1c1f, -1; selp.b32 %r18, 1, 0, %p1;", /* of 4 */
        1, 9);
    for (uint32_t i = 0; i < WARP; i++) {
        const uint32_t *got = out + 9 * i;
        assert_int_equal(got[0], i >= 3 ? 100 + i - 3 : 100 + i);
        assert_int_equal(got[1], i >= 3);
        assert_int_equal(got[2], i + 5 < WARP ? 100 + i + 5 : 100 + i);
        assert_int_equal(got[3], i + 5 < WARP);
        assert_int_equal(got[4], 100 + (i ^ 16));
        assert_int_equal(got[5], 100 + (100 + i) % 32);
        assert_int_equal(got[6], 100 + i / 8 * 8 + 2);
        assert_int_equal(got[7], i % 4 < 3 ? 100 + i + 1 : 100 + i);
        assert_int_equal(got[8], i % 4 < 3);
    }
}

static void test_votes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < WARP; i++)
        in[i] = i % 3;
    run(NULL,
        "setp.eq.u32 %p1, %r1, 0; vote.sync.ballot.b32 %r10, %p1, -1;"
        "vote.sync.ballot.b32 %r11, !%p1, -1;"
        "vote.sync.any.pred %p2, %p1, -1; selp.b32 %r12, 1, 0, %p2;"
        "vote.sync.all.pred %p2, %p1, -1; selp.b32 %r13, 1, 0, %p2;"
        "setp.lt.u32 %p3, %r1, 3; vote.sync.all.pred %p2, %p3, -1; selp.b32 %r14, 1, 0, %p2;"
        "vote.sync.uni.pred %p2, %p1, -1; selp.b32 %r15, 1, 0, %p2;"
        "match.any.sync.b32 %r16, %r1, -1; match.all.sync.b32 %r17|%p2, %r1, -1;"
        "selp.b32 %r18, 1, 0, %p2; @%p1 activemask.b32 %r19;",
        1, 10);
    for (uint32_t i = 0; i < WARP; i++) {
        const uint32_t *got = out + 10 * i, same = 0x49249249u << i % 3;
        assert_int_equal(got[0], 0x49249249u);
        assert_int_equal(got[1], ~0x49249249u);
        assert_int_equal(got[2], 1);
        assert_int_equal(got[3], 0);
        assert_int_equal(got[4], 1);
        assert_int_equal(got[5], 0);
        assert_int_equal(got[6], same);
        assert_int_equal(got[7], 0);
        assert_int_equal(got[8], 0);
        if (i % 3 == 0)
            assert_int_equal(got[9], 0x49249249u);
    }
}

static void test_reductions(void **state)
{
    (void)state;
    fill();
    run(NULL,
        "redux.sync.add.s32 %r10, %r1, -1; redux.sync.min.s32 %r11, %r1, -1;"
        "redux.sync.max.u32 %r12, %r1, -1; redux.sync.and.b32 %r13, %r1, -1;"
        "redux.sync.or.b32 %r14, %r1, -1; redux.sync.xor.b32 %r15, %r1, -1;",
        1, 6);
    uint32_t sum = 0, most = 0, all = UINT32_MAX, any = 0, odd = 0;
    int32_t least = INT32_MAX;
    for (uint32_t i = 0; i < WARP; i++) {
        sum += in[i];
        least = (int32_t)in[i] < least ? (int32_t)in[i] : least;
        most = in[i] > most ? in[i] : most;
        all &= in[i];
        any |= in[i];
        odd ^= in[i];
    }
    for (uint32_t i = 0; i < WARP; i++) {
        const uint32_t want[] = {sum, (uint32_t)least, most, all, any, odd};
        assert_memory_equal(out + 6 * i, want, sizeof want);
    }
}

/* ---- matrices ---- */

static void test_ldmatrix(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < WARP; i++)
        for (uint32_t j = 0; j < 4; j++)
            in[4 * i + j] = (8 * i + 2 * j) | (8 * i + 2 * j + 1) << 16;
    static const char body[] =
        "mov.u32 %%r5, s; mul.lo.u32 %%r6, %%r20, 16; add.u32 %%r5, %%r5, %%r6;"
        "st.shared.v4.u32 [%%r5], {%%r1, %%r2, %%r3, %%r4}; bar.warp.sync -1;"
        "ldmatrix.sync.aligned.m8n8.x4%s.shared.b16 {%%r10, %%r11, %%r12, %%r13}, [%%r5];";
    for (uint32_t trans = 0; trans < 2; trans++) {
        char text[500];
        snprintf(text, sizeof text, body, trans ? ".trans" : "");
        run(".shared .align 16 .b8 s[512];", text, 4, 4);
        for (uint32_t lane = 0; lane < WARP; lane++)
            for (uint32_t m = 0; m < 4; m++) {
                uint32_t g = lane / 4, t = lane % 4 * 2, from = 64 * m;
                uint32_t low = trans ? 8 * t + g : 8 * g + t;
                uint32_t high = trans ? 8 * (t + 1) + g : 8 * g + t + 1;
                assert_int_equal(out[4 * lane + m], (from + high) << 16 | (from + low));
            }
    }
}

/*
 * Products.  A is 16 x k and B k x 8 of small whole numbers, so that sums of floats are exact; they
 * are put into registers element by element, as the ISA's formulas for each shape say.
 */
struct product {
    const char *shape, *types; /* "m16n8k16", "f32.f16.f16.f32" */
    int k, per_register;       /* elements of a 32-bit register */
    int kind;                  /* 'h', 'b', 't', 's' or 'u': how elements are encoded */
    int kind_b;
    bool half_sums;
};

static int a[16][32], b[32][8], c[16][8];

static uint32_t encode(int value, int kind)
{
    switch (kind) {
    case 'h':
        return ptx_to_f16((float)value);
    case 'b':
        return ptx_to_bf16((float)value);
    case 't':
        return dtype_bits_of_f32((float)value);
    default:
        return (uint32_t)value & 255;
    }
}

/* The ISA states row and column of a_i, with i counting elements through the registers. */
static void put_a(const struct product *p, uint32_t *words, int lane)
{
    int e = p->per_register, n = p->k * 16 / WARP;
    for (int i = 0; i < n; i++) {
        int reg = i / e, group = lane >> 2, in_group = lane % 4;
        int row = reg % 2 ? group + 8 : group;
        int column = in_group * e + i % e + reg / 2 * 4 * e;
        words[reg] |= encode(a[row][column], p->kind) << 32 / e * (i % e);
    }
}

static void put_b(const struct product *p, uint32_t *words, int lane)
{
    int e = p->per_register, n = p->k * 8 / WARP;
    for (int i = 0; i < n; i++) {
        int reg = i / e, row = lane % 4 * e + i % e + reg * 4 * e;
        words[reg] |= encode(b[row][lane >> 2], p->kind_b) << 32 / e * (i % e);
    }
}

static void prepare(const struct product *p)
{
    bool is_signed = p->kind != 'u', b_signed = p->kind_b != 'u';
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < p->k; k++)
            a[i][k] = (int)(random_word() >> 28) - (is_signed ? 8 : 0);
    for (int k = 0; k < p->k; k++)
        for (int j = 0; j < 8; j++)
            b[k][j] = (int)(random_word() >> 28) - (b_signed ? 8 : 0);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++)
            c[i][j] = (int)(random_word() >> 27) - 16;
    int n_a = p->k * 16 / WARP / p->per_register;
    memset(in, 0, sizeof in);
    for (int lane = 0; lane < WARP; lane++) {
        uint32_t *words = in + 10 * lane;
        put_a(p, words, lane);
        put_b(p, words + n_a, lane);
        for (int i = 0; i < 4; i++) {
            int value = c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
            bool whole = p->kind == 's' || p->kind == 'u';
            if (p->half_sums)
                words[6 + i / 2] |= encode(value, 'h') << 16 * (i % 2);
            else
                words[6 + i] = whole ? (uint32_t)value : encode(value, 't');
        }
    }
}

static float result_of(const struct product *p, int lane, int i)
{
    const uint32_t *words = out + 4 * lane;
    if (p->half_sums)
        return ptx_from_f16((uint16_t)(words[i / 2] >> 16 * (i % 2)));
    return p->kind == 's' || p->kind == 'u' ? (float)(int32_t)words[i]
                                            : dtype_f32_of_bits(words[i]);
}

/* Registers in the list of an operand; floats have registers of their own. */
static void list(char *text, size_t size, const char *prefix, int first, int n)
{
    size_t at = (size_t)snprintf(text, size, "{");
    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%%%s%d", i ? ", " : "", prefix, first + i);
    snprintf(text + at, size - at, "}");
}

static void check_product(const struct product *p)
{
    char d_list[100], a_list[100], b_list[100], c_list[100], text[1500];
    int n_a = p->k * 16 / WARP / p->per_register;
    bool floats = !p->half_sums && p->kind != 's' && p->kind != 'u';
    int n_c = p->half_sums ? 2 : 4;
    list(d_list, sizeof d_list, floats ? "f" : "r", 10, n_c);
    list(a_list, sizeof a_list, "r", 1, n_a);
    list(b_list, sizeof b_list, "r", 1 + n_a, n_a / 2);
    list(c_list, sizeof c_list, floats ? "f" : "r", 7, n_c);
    size_t n = 0;
    for (int i = 0; i < 4 && floats; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "mov.b32 %%f%d, %%r%d;\n", 7 + i, 7 + i);
    n += (size_t)snprintf(text + n, sizeof text - n,
                          "mma.sync.aligned.%s.row.col.%s %s, %s, %s, %s;\n", p->shape, p->types,
                          d_list, a_list, b_list, c_list);
    for (int i = 0; i < 4 && floats; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "mov.b32 %%r%d, %%f%d;\n", 10 + i, 10 + i);
    prepare(p);
    run(NULL, text, 10, 4);
    for (int lane = 0; lane < WARP; lane++)
        for (int i = 0; i < 4; i++) {
            int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2, sum = c[row][column];
            for (int k = 0; k < p->k; k++)
                sum += a[row][k] * b[k][column];
            float got = result_of(p, lane, i);
            if (got != (float)sum)
                print_message("%s %s: lane %d, sum %d is %g, not %d\n", p->shape, p->types, lane, i,
                              (double)got, sum);
            assert_true(got == (float)sum);
        }
}

static void test_products(void **state)
{
    (void)state;
    static const struct product products[] = {
        {"m16n8k16", "f32.f16.f16.f32", 16, 2, 'h', 'h', false},
        {"m16n8k16", "f16.f16.f16.f16", 16, 2, 'h', 'h', true},
        {"m16n8k16", "f32.bf16.bf16.f32", 16, 2, 'b', 'b', false},
        {"m16n8k8", "f32.f16.f16.f32", 8, 2, 'h', 'h', false},
        {"m16n8k8", "f32.bf16.bf16.f32", 8, 2, 'b', 'b', false},
        {"m16n8k8", "f32.tf32.tf32.f32", 8, 1, 't', 't', false},
        {"m16n8k4", "f32.tf32.tf32.f32", 4, 1, 't', 't', false},
        {"m16n8k16", "s32.s8.s8.s32", 16, 4, 's', 's', false},
        {"m16n8k32", "s32.s8.s8.s32", 32, 4, 's', 's', false},
        {"m16n8k32", "s32.u8.s8.s32", 32, 4, 'u', 's', false},
        {"m16n8k32", "s32.s8.u8.s32", 32, 4, 's', 'u', false},
        {"m16n8k32", "satfinite.s32.u8.u8.s32", 32, 4, 'u', 'u', false},
    };
    for (size_t i = 0; i < sizeof products / sizeof *products; i++)
        check_product(&products[i]);
}

/* Sums past the range wrap, or stop there where that is asked for. */
static void test_saturation(void **state)
{
    (void)state;
    memset(in, 1, sizeof in);
    for (int saturates = 0; saturates < 2; saturates++) {
        char text[500];
        snprintf(text, sizeof text,
                 "mov.u32 %%r5, 0x7ffffff0;"
                 "mma.sync.aligned.m16n8k32.row.col%s.s32.s8.s8.s32 {%%r10, %%r11, %%r12, %%r13},"
                 "{%%r1, %%r1, %%r1, %%r1}, {%%r1, %%r1}, {%%r5, %%r5, %%r5, %%r5};",
                 saturates ? ".satfinite" : "");
        run(NULL, text, 1, 4);
        assert_int_equal(out[0], saturates ? 0x7fffffff : 0x80000010);
    }
}

/* The lower 13 bits of a tf32 do not count. */
static void test_tf32_is_cut(void **state)
{
    (void)state;
    memset(in, 0, sizeof in);
    run(NULL,
        "mov.u32 %r1, 0x3f801fff; mov.u32 %r2, 0x3f800000; mov.f32 %f1, 0f00000000;"
        "mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 {%f1, %f2, %f3, %f4}, {%r1, %r1},"
        "{%r2}, {%f1, %f1, %f1, %f1}; mov.b32 %r10, %f1;",
        1, 1);
    assert_int_equal(out[0], dtype_bits_of_f32(4.0f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shuffles),    cmocka_unit_test(test_votes),
        cmocka_unit_test(test_reductions),  cmocka_unit_test(test_ldmatrix),
        cmocka_unit_test(test_products),    cmocka_unit_test(test_saturation),
        cmocka_unit_test(test_tf32_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
