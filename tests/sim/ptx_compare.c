/*
 * setp, set and testp: a comparison, maybe combined with a predicate.
 */
#include "tests/sim/ptx_decode.h"
#include "tests/sim/ptx_float.h"

typedef uint32_t compare_fn(const void *a, const void *b);

/*
 * COMPARE(name, C type, value of x and y): masks of lanes.  The rows of whole numbers and of floats
 * differ: unordered comparisons, with a u at the end, hold where one is NaN.
 */
#define WHOLE_COMPARES(T, type)                                                                    \
    COMPARE(eq, T, type, x == y)                                                                   \
    COMPARE(ne, T, type, x != y)                                                                   \
    COMPARE(lt, T, type, x < y)                                                                    \
    COMPARE(le, T, type, x <= y)                                                                   \
    COMPARE(gt, T, type, x > y)                                                                    \
    COMPARE(ge, T, type, x >= y)
#define UNSIGNED_COMPARES(T, type)                                                                 \
    COMPARE(lo, T, type, x < y)                                                                    \
    COMPARE(ls, T, type, x <= y)                                                                   \
    COMPARE(hi, T, type, x > y)                                                                    \
    COMPARE(hs, T, type, x >= y)
#define FLOAT_COMPARES(T, type)                                                                    \
    COMPARE(eq, T, type, x == y)                                                                   \
    COMPARE(ne, T, type, x<y || x> y)                                                              \
    COMPARE(lt, T, type, x < y)                                                                    \
    COMPARE(le, T, type, x <= y)                                                                   \
    COMPARE(gt, T, type, x > y)                                                                    \
    COMPARE(ge, T, type, x >= y)                                                                   \
    COMPARE(equ, T, type, !(x < y || x > y))                                                       \
    COMPARE(neu, T, type, !(x == y))                                                               \
    COMPARE(ltu, T, type, !(x >= y))                                                               \
    COMPARE(leu, T, type, !(x > y))                                                                \
    COMPARE(gtu, T, type, !(x <= y))                                                               \
    COMPARE(geu, T, type, !(x < y))                                                                \
    COMPARE(num, T, type, x == x && y == y)                                                        \
    COMPARE(nan, T, type, x != x || y != y)
#define COMPARES                                                                                   \
    WHOLE_COMPARES(u16, uint16_t)                                                                  \
    WHOLE_COMPARES(s16, int16_t)                                                                   \
    WHOLE_COMPARES(u32, uint32_t)                                                                  \
    WHOLE_COMPARES(s32, int32_t)                                                                   \
    WHOLE_COMPARES(u64, uint64_t)                                                                  \
    WHOLE_COMPARES(s64, int64_t)                                                                   \
    UNSIGNED_COMPARES(u16, uint16_t)                                                               \
    UNSIGNED_COMPARES(u32, uint32_t)                                                               \
    UNSIGNED_COMPARES(u64, uint64_t)                                                               \
    FLOAT_COMPARES(f16, uint16_t)                                                                  \
    FLOAT_COMPARES(bf16, uint16_t)                                                                 \
    FLOAT_COMPARES(f32, float)                                                                     \
    FLOAT_COMPARES(f64, double)

#define VALUE_u16(x)  (x)
#define VALUE_s16(x)  (x)
#define VALUE_u32(x)  (x)
#define VALUE_s32(x)  (x)
#define VALUE_u64(x)  (x)
#define VALUE_s64(x)  (x)
#define VALUE_f32(x)  (x)
#define VALUE_f64(x)  (x)
#define VALUE_f16(x)  ptx_from_f16(x)
#define VALUE_bf16(x) ptx_from_bf16(x)
typedef uint16_t value_u16;
typedef int16_t value_s16;
typedef uint32_t value_u32;
typedef int32_t value_s32;
typedef uint64_t value_u64;
typedef int64_t value_s64;
typedef float value_f32;
typedef double value_f64;
typedef float value_f16;
typedef float value_bf16;

#define COMPARE(name, T, type, value)                                                              \
    static uint32_t compare_##name##_##T(const void *a, const void *b)                             \
    {                                                                                              \
        uint32_t mask = 0;                                                                         \
        for (int i = 0; i < PTX_LANES; i++) {                                                      \
            const value_##T x = VALUE_##T(((const type *)a)[i]);                                   \
            const value_##T y = VALUE_##T(((const type *)b)[i]);                                   \
            mask |= (uint32_t)(value) << i;                                                        \
        }                                                                                          \
        return mask;                                                                               \
    }
COMPARES
#undef COMPARE

static const struct compare_row {
    const char *name;
    enum ptx_type type;
    compare_fn *compare;
} rows[] = {
#define COMPARE(name, T, type, value) {#name, PTX_##T, compare_##name##_##T},
    COMPARES
#undef COMPARE
};

static uint32_t compare(const struct ptx_warp *w, const struct ptx_insn *in)
{
    return rows[in->value].compare(ptx_reg(w, in->slot[1]), ptx_reg(w, in->slot[2]));
}

static uint32_t combine(const struct ptx_warp *w, const struct ptx_insn *in, uint32_t r)
{
    if (in->kind == 0)
        return r;
    uint32_t c = ptx_pred(w, in->slot[3]) ^ (in->more ? UINT32_MAX : 0);
    return in->kind == 'a' ? r & c : in->kind == 'o' ? r | c : r ^ c;
}

static void run_setp(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    uint32_t r = compare(w, in);
    uint32_t first = combine(w, in, r), second = combine(w, in, ~r);
    ptx_set_pred(w, in->slot[0], first, mask);
    ptx_set_pred(w, in->slot[4], second, mask);
}

/* Of two halves each: the lower ones give the first predicate, the upper ones the second. */
static void run_setp_pair(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    const uint32_t *a = ptx_reg(w, in->slot[1]), *b = ptx_reg(w, in->slot[2]);
    for (int upper = 0; upper < 2; upper++) {
        uint16_t x[PTX_LANES], y[PTX_LANES];
        for (int i = 0; i < PTX_LANES; i++) {
            x[i] = (uint16_t)(a[i] >> 16 * upper);
            y[i] = (uint16_t)(b[i] >> 16 * upper);
        }
        ptx_set_pred(w, in->slot[upper ? 4 : 0], combine(w, in, rows[in->value].compare(x, y)),
                     mask);
    }
}

/* All ones or 1.0 where it holds. */
static void run_set(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    uint32_t holds = combine(w, in, compare(w, in)), r[PTX_LANES];
    uint32_t yes = in->type == PTX_f32 ? 0x3f800000 : UINT32_MAX;
    for (int i = 0; i < PTX_LANES; i++)
        r[i] = holds >> i & 1 ? yes : 0;
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, 4, mask);
}

enum { TEST_FINITE, TEST_INFINITE, TEST_NUMBER, TEST_NAN, TEST_NORMAL, TEST_SUBNORMAL };

static bool test(int kind, double x, double least_normal)
{
    switch (kind) {
    case TEST_FINITE:
        return isfinite(x);
    case TEST_INFINITE:
        return isinf(x);
    case TEST_NUMBER:
        return !isnan(x);
    case TEST_NAN:
        return isnan(x);
    case TEST_NORMAL:
        return isfinite(x) && fabs(x) >= least_normal;
    default:
        return x != 0 && fabs(x) < least_normal;
    }
}

static void run_testp(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    uint32_t r = 0;
    const float *f = ptx_reg(w, in->slot[1]);
    const double *d = ptx_reg(w, in->slot[1]);
    for (int i = 0; i < PTX_LANES; i++)
        r |= (uint32_t)(in->type == PTX_f32 ? test(in->kind, (double)f[i], 0x1p-126)
                                            : test(in->kind, d[i], 0x1p-1022))
             << i;
    ptx_set_pred(w, in->slot[0], r, mask);
}

/* ---- decoding ---- */

static bool decode_compare(struct ptx_decoder *d, enum ptx_type type, int n_before)
{
    /* b-types compare as unsigned ones. */
    enum ptx_type as = type == PTX_b16      ? PTX_u16
                       : type == PTX_b32    ? PTX_u32
                       : type == PTX_b64    ? PTX_u64
                       : type == PTX_f16x2  ? PTX_f16
                       : type == PTX_bf16x2 ? PTX_bf16
                                            : type;
    d->in->value = -1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == as && strcmp(rows[i].name, d->parts[1]) == 0)
            d->in->value = (int64_t)i;
    if (d->in->value < 0 || d->n_parts < n_before)
        return ptx_decode_fail(d, "the comparison is not known");
    static const char *const combinations[] = {"and", "or", "xor"};
    for (int i = 0; i < 3; i++)
        if (ptx_decode_has(d, combinations[i]))
            d->in->kind = (uint8_t)combinations[i][0];
    if (ptx_decode_has(d, "ftz"))
        return ptx_decode_fail(d, "comparisons that flush are not simulated");
    if (!ptx_decode_operand(d, 1, type) || !ptx_decode_operand(d, 2, type))
        return false;
    if (d->in->kind == 0)
        return true;
    if (d->from->n_operands < 4 ||
        !ptx_decode_slot(d, &d->from->operands[3], PTX_pred, false, &d->in->slot[3]))
        return ptx_decode_fail(d, "a predicate is missing");
    d->in->more = d->from->operands[3].negated;
    return true;
}

bool ptx_decode_setp(struct ptx_decoder *d)
{
    const struct ptx_operand *o = d->from->operands;
    d->in->run = run_setp;
    if (d->from->n_operands < 3 || d->n_parts < 3)
        return ptx_decode_fail(d, "operands are missing");
    const struct ptx_operand *first = o[0].kind == PTX_OPERAND_PAIR ? &o[0].elems[0] : &o[0];
    if (!ptx_decode_slot(d, first, PTX_pred, false, &d->in->slot[0]))
        return false;
    if (o[0].kind == PTX_OPERAND_PAIR &&
        !ptx_decode_slot(d, &o[0].elems[1], PTX_pred, false, &d->in->slot[4]))
        return false;
    enum ptx_type type = ptx_decode_type(d, 0);
    if (type == PTX_f16x2 || type == PTX_bf16x2)
        d->in->run = run_setp_pair;
    return decode_compare(d, type, 3);
}

bool ptx_decode_set(struct ptx_decoder *d)
{
    enum ptx_type to = ptx_decode_type(d, 1);
    d->in->run = run_set;
    d->in->type = (uint8_t)to;
    if (to != PTX_u32 && to != PTX_s32 && to != PTX_f32)
        return ptx_decode_fail(d, "the result of set is u32, s32 or f32");
    return ptx_decode_operand(d, 0, to) && decode_compare(d, ptx_decode_type(d, 0), 4);
}

bool ptx_decode_testp(struct ptx_decoder *d)
{
    static const char *const kinds[] = {"finite",     "infinite", "number",
                                        "notanumber", "normal",   "subnormal"};
    enum ptx_type type = ptx_decode_type(d, 0);
    int found = -1;
    for (int i = 0; i < 6; i++)
        if (d->n_parts == 3 && strcmp(d->parts[1], kinds[i]) == 0)
            found = i;
    if (found < 0 || (type != PTX_f32 && type != PTX_f64))
        return ptx_decode_fail(d, "the instruction is not known");
    d->in->kind = (uint8_t)found;
    d->in->type = (uint8_t)type;
    d->in->run = run_testp;
    return ptx_decode_operand(d, 0, PTX_pred) && ptx_decode_operand(d, 1, type);
}
