/*
 * The routines of bundle/emit/support: made for this machine, linked in memory, and compared with
 * its own arithmetic bit for bit, on edges and on random bits.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/ExecutionEngine.h>

#include "bundle/emit/support.h"
#include "ir/dtype.h"
#include "tests/support/module.h"
#include "tests/support/random.h"
#include "tests/support/support.h"

enum { N_RANDOM = 100000 };

/* ---- the routines in memory ---- */

static LLVMExecutionEngineRef engine;
static const char *tested[256]; /* names that tests asked for */
static size_t n_tested;

/* Their names are taken here, by libc and libgcc. */
static const char *name_here(const char *name)
{
    return support_printf("test_%s", name);
}

static int make_all(void **state)
{
    (void)state;
    LLVMLinkInMCJIT();
    char *triple = LLVMGetDefaultTargetTriple(), *message = NULL;
    LLVMTargetMachineRef tm;
    LLVMModuleRef mod = module_for(triple, "", "", &tm);
    struct support s;
    support_init(&s, mod);
    const char *name;
    LLVMTypeRef index = s.index;
    for (size_t i = 0; (name = support_name(i, false)); i++) {
        /* That of 32-bit processors; the other one is that of 32 bits, made twice as wide. */
        s.index = strcmp(name, "__muldi3") == 0 ? s.i32 : index;
        support_define(&s, name);
    }
    for (size_t i = 0; (name = support_name(i, false)); i++) {
        LLVMValueRef fn = LLVMGetNamedFunction(mod, name);
        assert_non_null(fn);
        LLVMSetLinkage(fn, LLVMExternalLinkage);
        LLVMSetValueName2(fn, name_here(name), strlen(name_here(name)));
    }
    support_done(&s);
    assert_int_equal(LLVMVerifyModule(mod, LLVMPrintMessageAction, &message), 0);
    LLVMDisposeMessage(message);
    assert_int_equal(LLVMCreateMCJITCompilerForModule(&engine, mod, NULL, 0, &message), 0);
    LLVMDisposeTargetMachine(tm);
    LLVMDisposeMessage(triple);
    return 0;
}

static int drop_all(void **state)
{
    (void)state;
    LLVMDisposeExecutionEngine(engine);
    return 0;
}

/* Sets *out_fn, a pointer to a function. */
static void find(const char *name, void *out_fn)
{
    uintptr_t at = (uintptr_t)LLVMGetFunctionAddress(engine, name_here(name));
    assert_true(at != 0);
    memcpy(out_fn, &at, sizeof at);
    tested[n_tested++] = name;
}

/* ---- operands ---- */

static uint64_t seed = 7;

static uint64_t random64(void)
{
    uint64_t v = random_next(&seed);
    v = v << 31 ^ random_next(&seed);
    return v << 31 ^ random_next(&seed);
}

/* Around every place where an exponent or a significand begins or ends, as bits of a format. */
static const uint64_t EDGES32[] = {
    0x00000000, 0x00000001, 0x00000002, 0x00000003, 0x007fffff, 0x00800000, 0x00800001, 0x00ffffff,
    0x01000000, 0x33000000, 0x33000001, 0x337fffff, 0x33800000, 0x34000000, 0x3effffff, 0x3f000000,
    0x3f000001, 0x3f7fffff, 0x3f800000, 0x3f800001, 0x3fc00000, 0x40000000, 0x40200000, 0x40400000,
    0x4affffff, 0x4b000000, 0x4b000001, 0x4b7fffff, 0x4b800000, 0x4b800001, 0x4effffff, 0x4f000000,
    0x4f7fffff, 0x4f800000, 0x5effffff, 0x5f000000, 0x5f7fffff, 0x5f800000, 0x477fe000, 0x477fefff,
    0x477ff000, 0x38800000, 0x387fe000, 0x33800001, 0x38801000, 0x38803000, 0x7e800000, 0x7f000000,
    0x7f7ffffe, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fa00000, 0x7fc00000, 0x7fffffff};
static const uint64_t EDGES64[] = {
    0x0000000000000000, 0x0000000000000001, 0x0000000000000002, 0x0000000000000003,
    0x000fffffffffffff, 0x0010000000000000, 0x0010000000000001, 0x001fffffffffffff,
    0x3690000000000000, 0x3690000000000001, 0x36a0000000000000, 0x380fffffe0000000,
    0x380ffffff0000000, 0x3810000000000000, 0x3ca0000000000000, 0x3ca0000000000001,
    0x3cb0000000000000, 0x3fdfffffffffffff, 0x3fe0000000000000, 0x3fe0000000000001,
    0x3fefffffffffffff, 0x3ff0000000000000, 0x3ff0000000000001, 0x3ff0000010000000,
    0x3ff0000030000000, 0x3ff8000000000000, 0x4000000000000000, 0x4004000000000000,
    0x4008000000000000, 0x41dfffffffc00000, 0x41e0000000000000, 0x41efffffffe00000,
    0x41f0000000000000, 0x432fffffffffffff, 0x4330000000000000, 0x4330000000000001,
    0x433fffffffffffff, 0x4340000000000000, 0x43dfffffffffffff, 0x43e0000000000000,
    0x43efffffffffffff, 0x43f0000000000000, 0x47efffffe0000000, 0x47efffffefffffff,
    0x47effffff0000000, 0x47f0000000000000, 0x7fdfffffffffffff, 0x7fe0000000000000,
    0x7feffffffffffffe, 0x7fefffffffffffff, 0x7ff0000000000000, 0x7ff0000000000001,
    0x7ff8000000000000, 0x7fffffffffffffff};
static const uint64_t EDGES_INT[] = {0,
                                     1,
                                     2,
                                     3,
                                     5,
                                     7,
                                     10,
                                     0x7f,
                                     0xff,
                                     0x7fff,
                                     0xffff,
                                     0x10000,
                                     0xffffff,
                                     0x1000000,
                                     0x1000001,
                                     0x1000003,
                                     0x2000002,
                                     0x2000006,
                                     0x7fffff80,
                                     0x7fffffbf,
                                     0x7fffffc0,
                                     0x7fffffff,
                                     0x80000000,
                                     0x80000001,
                                     0xffffff7f,
                                     0xffffff80,
                                     0xfffffffe,
                                     0xffffffff,
                                     1ull << 32,
                                     1ull << 53,
                                     (1ull << 53) + 1,
                                     (1ull << 54) + 2,
                                     (1ull << 54) + 6,
                                     (1ull << 40) + (1 << 16),
                                     (1ull << 40) + (1 << 16) + 1,
                                     (1ull << 40) + (3 << 16),
                                     INT64_MAX - 0x1ff,
                                     INT64_MAX,
                                     1ull << 63,
                                     (1ull << 63) + 1,
                                     UINT64_MAX - 0x400,
                                     UINT64_MAX - 1,
                                     UINT64_MAX};
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* Bits of a float of that width: random ones, or near 1 and with few bits set, for such give halves
   when they are rounded. */
static uint64_t random_float(unsigned width)
{
    uint64_t v = random64(), r = random64();
    unsigned mantissa = width == 64 ? 52 : 23, bias = width == 64 ? 1023 : 127;
    if (r & 1) {
        uint64_t e = bias - 40 + (r >> 8) % 80;
        uint64_t m = v & (((uint64_t)1 << mantissa) - 1);
        if (r & 2)
            m &= ~(uint64_t)0 << (r >> 32) % mantissa;
        v = (r >> 2 & 1) << (width - 1) | e << mantissa | m;
    }
    return width == 64 ? v : v & UINT32_MAX;
}

/* Operand pair i of a format: all pairs of edges with both signs, then random ones. */
static size_t n_pairs(unsigned width)
{
    size_t n = 2 * (width == 64 ? COUNT(EDGES64) : COUNT(EDGES32));
    return n * n + N_RANDOM;
}

static uint64_t edge(unsigned width, size_t i)
{
    const uint64_t *table = width == 64 ? EDGES64 : EDGES32;
    return table[i / 2] | (uint64_t)(i % 2) << (width - 1);
}

static void pair(unsigned width, size_t i, uint64_t *out_a, uint64_t *out_b)
{
    size_t n = 2 * (width == 64 ? COUNT(EDGES64) : COUNT(EDGES32));
    bool is_edge = i < n * n;
    *out_a = is_edge ? edge(width, i / n) : random_float(width);
    *out_b = is_edge ? edge(width, i % n) : random_float(width);
    /* Neighbours cancel each other. */
    if (!is_edge && i % 8 == 0)
        *out_b = *out_a ^ (random64() & 7) ^ (uint64_t)(i / 8 % 2) << (width - 1);
}

static uint64_t int_operand(size_t i)
{
    if (i < 2 * COUNT(EDGES_INT))
        return i % 2 ? -EDGES_INT[i / 2] : EDGES_INT[i / 2];
    return random64() >> random_below(&seed, 64);
}

static float as_f32(uint64_t bits)
{
    uint32_t b = (uint32_t)bits;
    float v;
    memcpy(&v, &b, sizeof v);
    return v;
}

static double as_f64(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static uint64_t bits_f32(float v)
{
    uint32_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

static uint64_t bits_f64(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

static void same(const char *name, uint64_t a, uint64_t b, uint64_t got, uint64_t want)
{
    if (got != want)
        fail_msg("%s(%#llx, %#llx) is %#llx, not %#llx", name, (unsigned long long)a,
                 (unsigned long long)b, (unsigned long long)got, (unsigned long long)want);
}

/* Of NaN there is one here. */
static uint64_t result_f32(float v)
{
    return isnan(v) ? 0x7fc00000 : bits_f32(v);
}

static uint64_t result_f64(double v)
{
    return isnan(v) ? 0x7ff8000000000000 : bits_f64(v);
}

/* ---- arithmetic on floats ---- */

#define FLOAT_OPERATION(what, op)                                                                  \
    static float what##_f32(float a, float b)                                                      \
    {                                                                                              \
        return a op b;                                                                             \
    }                                                                                              \
    static double what##_f64(double a, double b)                                                   \
    {                                                                                              \
        return a op b;                                                                             \
    }
FLOAT_OPERATION(add, +)
FLOAT_OPERATION(sub, -)
FLOAT_OPERATION(mul, *)
FLOAT_OPERATION(divide, /)

static void floats_of_two(void **state)
{
    (void)state;
    static const struct {
        const char *name_f32, *name_f64;
        float (*f32)(float, float);
        double (*f64)(double, double);
    } rows[] = {{"__addsf3", "__adddf3", add_f32, add_f64},
                {"__subsf3", "__subdf3", sub_f32, sub_f64},
                {"__mulsf3", "__muldf3", mul_f32, mul_f64},
                {"__divsf3", "__divdf3", divide_f32, divide_f64}};
    for (size_t r = 0; r < COUNT(rows); r++) {
        float (*f32)(float, float);
        double (*f64)(double, double);
        uint64_t a, b;
        find(rows[r].name_f32, &f32);
        find(rows[r].name_f64, &f64);
        for (size_t i = 0; i < n_pairs(32); i++) {
            pair(32, i, &a, &b);
            same(rows[r].name_f32, a, b, bits_f32(f32(as_f32(a), as_f32(b))),
                 result_f32(rows[r].f32(as_f32(a), as_f32(b))));
        }
        for (size_t i = 0; i < n_pairs(64); i++) {
            pair(64, i, &a, &b);
            same(rows[r].name_f64, a, b, bits_f64(f64(as_f64(a), as_f64(b))),
                 result_f64(rows[r].f64(as_f64(a), as_f64(b))));
        }
    }
}

/* A rounding leaves NaN as it is. */
static uint64_t kept_f32(uint64_t a, float v)
{
    return isnan(v) ? a : bits_f32(v);
}

static uint64_t kept_f64(uint64_t a, double v)
{
    return isnan(v) ? a : bits_f64(v);
}

static void floats_of_one(void **state)
{
    (void)state;
    static const struct {
        const char *name_f32, *name_f64;
        float (*f32)(float);
        double (*f64)(double);
    } rows[] = {{"sqrtf", "sqrt", sqrtf, sqrt}, {"floorf", "floor", floorf, floor},
                {"ceilf", "ceil", ceilf, ceil}, {"truncf", "trunc", truncf, trunc},
                {"rintf", "rint", rintf, rint}, {"nearbyintf", "nearbyint", rintf, rint}};
    for (size_t r = 0; r < COUNT(rows); r++) {
        float (*f32)(float);
        double (*f64)(double);
        bool keeps = rows[r].f32 != sqrtf;
        find(rows[r].name_f32, &f32);
        find(rows[r].name_f64, &f64);
        for (size_t i = 0; i < N_RANDOM; i++) {
            uint64_t a = i < 2 * COUNT(EDGES32) ? edge(32, i) : random_float(32);
            float v = rows[r].f32(as_f32(a));
            same(rows[r].name_f32, a, 0, bits_f32(f32(as_f32(a))),
                 keeps ? kept_f32(a, v) : result_f32(v));
        }
        for (size_t i = 0; i < N_RANDOM; i++) {
            uint64_t a = i < 2 * COUNT(EDGES64) ? edge(64, i) : random_float(64);
            double v = rows[r].f64(as_f64(a));
            same(rows[r].name_f64, a, 0, bits_f64(f64(as_f64(a))),
                 keeps ? kept_f64(a, v) : result_f64(v));
        }
    }
}

/* ---- comparisons ---- */

enum { LESS = 1, EQUAL = 2, MORE = 4, UNORDERED = 8 };

static unsigned relation(double a, double b)
{
    return a < b ? LESS : a == b ? EQUAL : a > b ? MORE : UNORDERED;
}

/* Whether `v` says by its sign, or by being 1, which of the relations holds. */
static void comparisons(void **state)
{
    (void)state;
    static const struct {
        const char *name[2];
        unsigned negative, zero, positive;
    } rows[] = {
        {{"__eqsf2", "__eqdf2"}, LESS, EQUAL, MORE | UNORDERED},
        {{"__nesf2", "__nedf2"}, LESS, EQUAL, MORE | UNORDERED},
        {{"__ltsf2", "__ltdf2"}, LESS, EQUAL, MORE | UNORDERED},
        {{"__lesf2", "__ledf2"}, LESS, EQUAL, MORE | UNORDERED},
        {{"__gtsf2", "__gtdf2"}, LESS | UNORDERED, EQUAL, MORE},
        {{"__gesf2", "__gedf2"}, LESS | UNORDERED, EQUAL, MORE},
        {{"__unordsf2", "__unorddf2"}, 0, LESS | EQUAL | MORE, UNORDERED},
        {{"__aeabi_fcmpeq", "__aeabi_dcmpeq"}, 0, LESS | MORE | UNORDERED, EQUAL},
        {{"__aeabi_fcmplt", "__aeabi_dcmplt"}, 0, EQUAL | MORE | UNORDERED, LESS},
        {{"__aeabi_fcmple", "__aeabi_dcmple"}, 0, MORE | UNORDERED, LESS | EQUAL},
        {{"__aeabi_fcmpge", "__aeabi_dcmpge"}, 0, LESS | UNORDERED, MORE | EQUAL},
        {{"__aeabi_fcmpgt", "__aeabi_dcmpgt"}, 0, LESS | EQUAL | UNORDERED, MORE},
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        int (*f32)(float, float);
        int (*f64)(double, double);
        find(rows[r].name[0], &f32);
        find(rows[r].name[1], &f64);
        for (unsigned width = 32; width <= 64; width += 32)
            for (size_t i = 0; i < n_pairs(width); i++) {
                uint64_t a, b;
                pair(width, i, &a, &b);
                bool is64 = width == 64;
                unsigned is = is64 ? relation(as_f64(a), as_f64(b))
                                   : relation((double)as_f32(a), (double)as_f32(b));
                int v = is64 ? f64(as_f64(a), as_f64(b)) : f32(as_f32(a), as_f32(b));
                int sign = v < 0 ? -1 : v > 0;
                int want = rows[r].negative & is ? -1 : rows[r].positive & is ? 1 : 0;
                assert_true(want != 0 || (rows[r].zero & is));
                assert_true(rows[r].negative || v == 0 || v == 1);
                same(rows[r].name[is64], a, b, (uint64_t)sign, (uint64_t)want);
            }
    }
}

/* ---- conversions ---- */

/* As the routines do it: what is beyond a bound becomes the bound; NaN goes by its sign. */
static uint64_t to_int(double v, unsigned bits, bool is_signed)
{
    double end = ldexp(1, (int)bits - (is_signed ? 1 : 0));
    uint64_t all = bits == 64 ? UINT64_MAX : UINT32_MAX;
    uint64_t top = (uint64_t)1 << (bits - 1);
    if (isnan(v))
        v = signbit(v) ? -INFINITY : INFINITY;
    if (v >= end)
        return is_signed ? top - 1 : all;
    if (is_signed)
        return v < -end ? top : (uint64_t)(int64_t)v & all;
    return v <= -1 ? 0 : (uint64_t)v;
}

static void floats_to_integers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned width, bits;
        bool is_signed;
    } rows[] = {{"__fixsfsi", 32, 32, true}, {"__fixunssfsi", 32, 32, false},
                {"__fixsfdi", 32, 64, true}, {"__fixunssfdi", 32, 64, false},
                {"__fixdfsi", 64, 32, true}, {"__fixunsdfsi", 64, 32, false},
                {"__fixdfdi", 64, 64, true}, {"__fixunsdfdi", 64, 64, false}};
    for (size_t r = 0; r < COUNT(rows); r++) {
        uint32_t (*f32_i32)(float);
        uint64_t (*f32_i64)(float);
        uint32_t (*f64_i32)(double);
        uint64_t (*f64_i64)(double);
        unsigned width = rows[r].width, bits = rows[r].bits;
        find(rows[r].name, width == 32  ? bits == 32 ? (void *)&f32_i32 : (void *)&f32_i64
                           : bits == 32 ? (void *)&f64_i32
                                        : (void *)&f64_i64);
        size_t n_edges = 2 * (width == 64 ? COUNT(EDGES64) : COUNT(EDGES32));
        for (size_t i = 0; i < N_RANDOM; i++) {
            uint64_t a = i < n_edges ? edge(width, i) : random_float(width);
            uint64_t got = width == 32  ? bits == 32 ? f32_i32(as_f32(a)) : f32_i64(as_f32(a))
                            : bits == 32 ? f64_i32(as_f64(a))
                                        : f64_i64(as_f64(a));
            double v = width == 32 ? (double)as_f32(a) : as_f64(a);
            same(rows[r].name, a, 0, got, to_int(v, bits, rows[r].is_signed));
        }
    }
}

#define FROM_INTEGERS(name, to, bits_of, from)                                                     \
    do {                                                                                           \
        to (*fn)(from);                                                                            \
        find(name, &fn);                                                                           \
        for (size_t i = 0; i < N_RANDOM; i++) {                                                    \
            from v = (from)int_operand(i);                                                         \
            same(name, (uint64_t)v, 0, bits_of(fn(v)), bits_of((to)v));                            \
        }                                                                                          \
    } while (0)

static void integers_to_floats(void **state)
{
    (void)state;
    FROM_INTEGERS("__floatsisf", float, bits_f32, int32_t);
    FROM_INTEGERS("__floatunsisf", float, bits_f32, uint32_t);
    FROM_INTEGERS("__floatdisf", float, bits_f32, int64_t);
    FROM_INTEGERS("__floatundisf", float, bits_f32, uint64_t);
    FROM_INTEGERS("__floatsidf", double, bits_f64, int32_t);
    FROM_INTEGERS("__floatunsidf", double, bits_f64, uint32_t);
    FROM_INTEGERS("__floatdidf", double, bits_f64, int64_t);
    FROM_INTEGERS("__floatundidf", double, bits_f64, uint64_t);
}

static uint64_t result_f16(uint16_t v)
{
    return (v & 0x7fff) > 0x7c00 ? 0x7e00 : v;
}

/* A double rounded to half at once: rounding to odd on the way keeps what the second rounding needs
   to know. */
static uint16_t f64_to_f16(double v)
{
    float f = (float)v;
    uint64_t bits = bits_f64(fabs(v)), cut = bits & 0x1fffffff;
    if (cut && fabs(v) < 0x1p17 && fabs(v) > 0x1p-30) {
        float down = (float)as_f64(bits - cut);
        f = copysignf(as_f32(bits_f32(down) | 1), (float)v);
    }
    return dtype_f32_to_f16(f);
}

static void between_formats(void **state)
{
    (void)state;
    double (*extend)(float);
    float (*truncate)(double);
    find("__extendsfdf2", &extend);
    find("__truncdfsf2", &truncate);
    for (size_t i = 0; i < N_RANDOM; i++) {
        uint64_t a = i < 2 * COUNT(EDGES32) ? edge(32, i) : random_float(32);
        same("__extendsfdf2", a, 0, bits_f64(extend(as_f32(a))), result_f64((double)as_f32(a)));
        a = i < 2 * COUNT(EDGES64) ? edge(64, i) : random_float(64);
        same("__truncdfsf2", a, 0, bits_f32(truncate(as_f64(a))), result_f32((float)as_f64(a)));
    }
    static const char *const TO[2] = {"__gnu_f2h_ieee", "__truncsfhf2"};
    static const char *const FROM[2] = {"__gnu_h2f_ieee", "__extendhfsf2"};
    for (int k = 0; k < 2; k++) {
        uint16_t (*to)(float);
        float (*from)(uint16_t);
        find(TO[k], &to);
        find(FROM[k], &from);
        for (uint32_t a = 0; a <= UINT16_MAX; a++)
            same(FROM[k], a, 0, bits_f32(from((uint16_t)a)),
                 result_f32(dtype_f16_to_f32((uint16_t)a)));
        for (size_t i = 0; i < N_RANDOM; i++) {
            uint64_t a = i < 2 * COUNT(EDGES32) ? edge(32, i) : random_float(32);
            same(TO[k], a, 0, to(as_f32(a)), result_f16(dtype_f32_to_f16(as_f32(a))));
        }
    }
    uint16_t (*halve)(double);
    find("__truncdfhf2", &halve);
    for (size_t i = 0; i < N_RANDOM; i++) {
        uint64_t a = i < 2 * COUNT(EDGES64) ? edge(64, i) : random_float(64);
        same("__truncdfhf2", a, 0, halve(as_f64(a)), result_f16(f64_to_f16(as_f64(a))));
    }
}

/* ---- integers ---- */

static void products_and_shifts(void **state)
{
    (void)state;
    uint32_t (*mul32)(uint32_t, uint32_t);
    uint64_t (*mul64)(uint64_t, uint64_t);
    uint64_t (*shl)(uint64_t, int), (*lshr)(uint64_t, int);
    int64_t (*ashr)(int64_t, int);
    int (*clz)(uint32_t);
    find("__mulsi3", &mul32);
    find("__muldi3", &mul64);
    find("__ashldi3", &shl);
    find("__lshrdi3", &lshr);
    find("__ashrdi3", &ashr);
    find("__clzsi2", &clz);
    for (size_t i = 0; i < N_RANDOM; i++) {
        uint64_t a = int_operand(i), b = random64() >> random_below(&seed, 64);
        same("__mulsi3", a, b, mul32((uint32_t)a, (uint32_t)b), (uint32_t)(a * b));
        same("__muldi3", a, b, mul64(a, b), a * b);
        int n_zeros = 0;
        while (n_zeros < 31 && !((uint32_t)a >> (31 - n_zeros)))
            n_zeros++;
        if ((uint32_t)a)
            same("__clzsi2", a, 0, (uint64_t)clz((uint32_t)a), (uint64_t)n_zeros);
        for (int n = 0; n < 64; n += i < 100 ? 1 : 13) {
            same("__ashldi3", a, (uint64_t)n, shl(a, n), a << n);
            same("__lshrdi3", a, (uint64_t)n, lshr(a, n), a >> n);
            same("__ashrdi3", a, (uint64_t)n, (uint64_t)ashr((int64_t)a, n),
                 (uint64_t)((int64_t)a >> n));
        }
    }
}

struct two {
    uint64_t quotient, remainder;
};

/* By 0 all is 0; the least integer by -1 is itself. */
static struct two divided(uint64_t a, uint64_t b, bool is_signed)
{
    if (b == 0)
        return (struct two){0, 0};
    if (!is_signed)
        return (struct two){a / b, a % b};
    if (b == UINT64_MAX)
        return (struct two){-a, 0};
    return (struct two){(uint64_t)((int64_t)a / (int64_t)b), (uint64_t)((int64_t)a % (int64_t)b)};
}

static void quotients(void **state)
{
    (void)state;
    static const char *const N32[2][2] = {{"__udivsi3", "__umodsi3"}, {"__divsi3", "__modsi3"}};
    static const char *const N64[2][2] = {{"__udivdi3", "__umoddi3"}, {"__divdi3", "__moddi3"}};
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        uint32_t (*div32)(uint32_t, uint32_t), (*mod32)(uint32_t, uint32_t);
        uint64_t (*div64)(uint64_t, uint64_t), (*mod64)(uint64_t, uint64_t);
        uint64_t (*both32)(uint32_t, uint32_t);
        struct two (*both64)(uint64_t, uint64_t);
        find(N32[is_signed][0], &div32);
        find(N32[is_signed][1], &mod32);
        find(N64[is_signed][0], &div64);
        find(N64[is_signed][1], &mod64);
        find(is_signed ? "sheaf_divmod_32" : "sheaf_udivmod_32", &both32);
        find(is_signed ? "sheaf_divmod_64" : "sheaf_udivmod_64", &both64);
        size_t n = 2 * COUNT(EDGES_INT);
        for (size_t i = 0; i < n * n + N_RANDOM; i++) {
            uint64_t a = int_operand(i < n * n ? i / n : n), b = int_operand(i < n * n ? i % n : n);
            struct two want = divided(a, b, is_signed), got = both64(a, b);
            same(N64[is_signed][0], a, b, div64(a, b), want.quotient);
            same(N64[is_signed][1], a, b, mod64(a, b), want.remainder);
            same(N64[is_signed][0], a, b, got.quotient, want.quotient);
            same(N64[is_signed][1], a, b, got.remainder, want.remainder);
            uint32_t a32 = (uint32_t)a, b32 = (uint32_t)b;
            want = is_signed ? divided((uint64_t)(int32_t)a32, (uint64_t)(int32_t)b32, true)
                             : divided(a32, b32, false);
            same(N32[is_signed][0], a32, b32, div32(a32, b32), (uint32_t)want.quotient);
            same(N32[is_signed][1], a32, b32, mod32(a32, b32), (uint32_t)want.remainder);
            same(N32[is_signed][1], a32, b32, both32(a32, b32),
                 want.remainder << 32 | (uint32_t)want.quotient);
        }
    }
}

/* ---- memory ---- */

enum { AREA = 96 };

static void begin_area(uint8_t *got, uint8_t *want)
{
    for (int i = 0; i < AREA; i++)
        got[i] = want[i] = (uint8_t)(i * 37 + 11);
}

static void copies(void **state)
{
    (void)state;
    static const char *const SUFFIX[] = {"", "4", "8"};
    uint8_t got[AREA], want[AREA];
    void *(*copy)(void *, const void *, size_t), *(*move)(void *, const void *, size_t);
    find("memcpy", &copy);
    find("memmove", &move);
    for (size_t v = 0; v < 4; v++) {
        void (*copy_arm)(void *, const void *, size_t), (*move_arm)(void *, const void *, size_t);
        if (v < 3) {
            find(support_printf("__aeabi_memcpy%s", SUFFIX[v]), &copy_arm);
            find(support_printf("__aeabi_memmove%s", SUFFIX[v]), &move_arm);
        }
        for (size_t n = 0; n <= 20; n++)
            for (size_t to = 0; to < 40; to++) {
                begin_area(got, want);
                memcpy(want + 60, want + to / 2, n);
                if (v < 3)
                    copy_arm(got + 60, got + to / 2, n);
                else
                    assert_ptr_equal(copy(got + 60, got + to / 2, n), got + 60);
                assert_memory_equal(got, want, AREA);
                memmove(want + to, want + 20, n);
                if (v < 3)
                    move_arm(got + to, got + 20, n);
                else
                    assert_ptr_equal(move(got + to, got + 20, n), got + to);
                assert_memory_equal(got, want, AREA);
            }
    }
}

static void fills(void **state)
{
    (void)state;
    static const char *const SUFFIX[] = {"", "4", "8"};
    uint8_t got[AREA], want[AREA];
    void *(*fill)(void *, int, size_t);
    find("memset", &fill);
    for (size_t v = 0; v < 3; v++) {
        void (*fill_arm)(void *, size_t, int), (*clear)(void *, size_t);
        find(support_printf("__aeabi_memset%s", SUFFIX[v]), &fill_arm);
        find(support_printf("__aeabi_memclr%s", SUFFIX[v]), &clear);
        for (size_t n = 0; n <= 20; n++) {
            begin_area(got, want);
            memset(want + 3, 0xa5, n);
            assert_ptr_equal(fill(got + 3, 0x1a5, n), got + 3);
            assert_memory_equal(got, want, AREA);
            memset(want + 30, 0x5a, n);
            fill_arm(got + 30, n, 0x5a);
            memset(want + 60, 0, n);
            clear(got + 60, n);
            assert_memory_equal(got, want, AREA);
        }
    }
}

/* ---- all of them ---- */

/* Runs last: a routine that no test above asked for is not tested. */
static void every_routine_was_tested(void **state)
{
    (void)state;
    const char *name;
    for (size_t i = 0; (name = support_name(i, false)); i++) {
        bool found = strncmp(name, "sheaf_", 6) == 0; /* by those that call them */
        for (size_t k = 0; k < n_tested; k++)
            found = found || strcmp(tested[k], name) == 0;
        if (!found && !getenv("SHEAF_TEST"))
            fail_msg("no test calls %s", name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_of_two),
        cmocka_unit_test(floats_of_one),
        cmocka_unit_test(comparisons),
        cmocka_unit_test(floats_to_integers),
        cmocka_unit_test(integers_to_floats),
        cmocka_unit_test(between_formats),
        cmocka_unit_test(products_and_shifts),
        cmocka_unit_test(quotients),
        cmocka_unit_test(copies),
        cmocka_unit_test(fills),
        cmocka_unit_test(every_routine_was_tested),
    };
    return cmocka_run_group_tests(tests, make_all, drop_all);
}
