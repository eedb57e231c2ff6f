/*
 * Instructions that work on each lane by itself.  The compiler makes vectors of the loops: values
 * are collected before they are stored, so that no register needs to be told from another.
 */
#include <fenv.h>

#include "tests/sim/ptx_decode.h"
#include "tests/sim/ptx_float.h"

typedef uint16_t c_u16;
typedef int16_t c_s16;
typedef uint32_t c_u32;
typedef int32_t c_s32;
typedef uint64_t c_u64;
typedef int64_t c_s64;
typedef float c_f32;
typedef double c_f64;

/* ---- what the table's values use ---- */

static inline int32_t saturate_s32(int64_t x)
{
    return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : (int32_t)x;
}

static inline uint64_t multiply_high(uint64_t a, uint64_t b)
{
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32), other = a0 * b1 + (uint32_t)middle;
    return a1 * b1 + (middle >> 32) + (other >> 32);
}

static inline uint32_t dot4(uint32_t a, uint32_t b, bool a_signed, bool b_signed)
{
    int32_t sum = 0;
    for (int i = 0; i < 32; i += 8) {
        int32_t x = (int32_t)(a >> i & 255), y = (int32_t)(b >> i & 255);
        x -= a_signed && x > 127 ? 256 : 0;
        y -= b_signed && y > 127 ? 256 : 0;
        sum += x * y;
    }
    return (uint32_t)sum;
}

static inline uint64_t funnel(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

/* The default mode: four times a byte of {b, a}, or its sign in all bits. */
static inline uint32_t permute(uint32_t a, uint32_t b, uint32_t c)
{
    uint64_t bytes = funnel(a, b);
    uint32_t r = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t selector = c >> 4 * i & 15;
        uint32_t byte = (uint32_t)(bytes >> 8 * (selector & 7)) & 255;
        byte = selector & 8 ? (byte & 128 ? 255 : 0) : byte;
        r |= byte << 8 * i;
    }
    return r;
}

static inline uint32_t count_ones(uint32_t x)
{
    x -= x >> 1 & 0x55555555;
    x = (x & 0x33333333) + (x >> 2 & 0x33333333);
    return ((x + (x >> 4)) & 0x0f0f0f0f) * 0x01010101u >> 24;
}

static inline uint32_t reverse(uint32_t x)
{
    x = (x & 0x55555555) << 1 | (x >> 1 & 0x55555555);
    x = (x & 0x33333333) << 2 | (x >> 2 & 0x33333333);
    x = (x & 0x0f0f0f0f) << 4 | (x >> 4 & 0x0f0f0f0f);
    return x << 24 | (x & 0xff00) << 8 | (x >> 8 & 0xff00) | x >> 24;
}

static inline uint32_t find_sign_end(uint32_t a)
{
    uint32_t x = a & 0x80000000 ? ~a : a;
    return x ? 31 - (uint32_t)__builtin_clz(x) : UINT32_MAX;
}

/* bfe: `bits` at `at`; what lies above the word is its sign, or the field's last bit. */
static inline uint64_t extract(uint64_t a, uint32_t at, uint32_t bits, uint32_t width,
                               bool is_signed)
{
    at &= 255;
    bits &= 255;
    if (bits == 0)
        return 0;
    uint32_t last = at + bits - 1 < width - 1 ? at + bits - 1 : width - 1;
    uint64_t fill = is_signed && (a >> last & 1) ? UINT64_MAX : 0;
    uint64_t field = at < width ? a >> at : fill;
    uint32_t n = at < width ? last - at + 1 : 0;
    uint64_t mask = n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
    return (field & mask) | (fill & ~mask);
}

static inline uint64_t insert(uint64_t a, uint64_t b, uint32_t at, uint32_t bits, uint32_t width)
{
    at &= 255;
    bits &= 255;
    if (bits == 0 || at >= width)
        return b;
    uint64_t mask = (bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1) << at;
    return (b & ~mask) | (a << at & mask);
}

static inline uint32_t logic3(uint32_t a, uint32_t b, uint32_t c, uint32_t table)
{
    uint32_t r = 0;
    for (uint32_t i = 0; i < 8; i++)
        if (table >> i & 1)
            r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
    return r;
}

#define HALF_ADD(x, y)      ((x) + (y))
#define HALF_SUB(x, y)      ((x) - (y))
#define HALF_MUL(x, y)      ((x) * (y))
#define HALF2(to, from, op) to(op(from(a), from(b)))
#define LOW(x)              ((uint16_t)(x))
#define HIGH(x)             ((uint16_t)((x) >> 16))
#define PAIR2(to, from, op)                                                                        \
    (uint32_t)to(op(from(HIGH(a)), from(HIGH(b)))) << 16 | to(op(from(LOW(a)), from(LOW(b))))
#define HALF_FMA(to, from, x, y, z)                                                                \
    to(ptx_round_odd((double)from(x) * (double)from(y) + (double)from(z)))
#define PAIR_FMA(to, from)                                                                         \
    (uint32_t)HALF_FMA(to, from, HIGH(a), HIGH(b), HIGH(c)) << 16 |                                \
        HALF_FMA(to, from, LOW(a), LOW(b), LOW(c))

/* ---- the table ---- */

#define LOOP(R, value)                                                                             \
    c_##R r[PTX_LANES];                                                                            \
    for (int i = 0; i < PTX_LANES; i++) {                                                          \
        value;                                                                                     \
    }                                                                                              \
    memcpy(to, r, sizeof r)
#define LANE(name, T, at) const c_##T name = ((const c_##T *)from[at])[i]
#define PTX_OP1(name, opcode, R, A, value)                                                         \
    static void lanes_##name(void *to, const void *const from[])                                   \
    {                                                                                              \
        LOOP(R, LANE(a, A, 0); r[i] = (c_##R)(value));                                             \
    }
#define PTX_OP2(name, opcode, R, A, B, value)                                                      \
    static void lanes_##name(void *to, const void *const from[])                                   \
    {                                                                                              \
        LOOP(R, LANE(a, A, 0); LANE(b, B, 1); r[i] = (c_##R)(value));                              \
    }
#define PTX_OP3(name, opcode, R, A, B, C, value)                                                   \
    static void lanes_##name(void *to, const void *const from[])                                   \
    {                                                                                              \
        LOOP(R, LANE(a, A, 0); LANE(b, B, 1); LANE(c, C, 2); r[i] = (c_##R)(value));               \
    }
#define PTX_OP4(name, opcode, R, A, B, C, D, value)                                                \
    static void lanes_##name(void *to, const void *const from[])                                   \
    {                                                                                              \
        LOOP(R, LANE(a, A, 0); LANE(b, B, 1); LANE(c, C, 2); LANE(d, D, 3);                        \
             r[i] = (c_##R)(value));                                                               \
    }
#include "tests/sim/ptx_alu.def"
#undef PTX_OP1
#undef PTX_OP2
#undef PTX_OP3
#undef PTX_OP4

static const struct alu_row {
    const char *opcode;
    ptx_lanes_fn *lanes;
    int n_from;
    enum ptx_type types[5];
} rows[] = {
#define PTX_OP1(name, opcode, R, A, value) {opcode, lanes_##name, 1, {PTX_##R, PTX_##A}},
#define PTX_OP2(name, opcode, R, A, B, value)                                                      \
    {opcode, lanes_##name, 2, {PTX_##R, PTX_##A, PTX_##B}},
#define PTX_OP3(name, opcode, R, A, B, C, value)                                                   \
    {opcode, lanes_##name, 3, {PTX_##R, PTX_##A, PTX_##B, PTX_##C}},
#define PTX_OP4(name, opcode, R, A, B, C, D, value)                                                \
    {opcode, lanes_##name, 4, {PTX_##R, PTX_##A, PTX_##B, PTX_##C, PTX_##D}},
#include "tests/sim/ptx_alu.def"
#undef PTX_OP1
#undef PTX_OP2
#undef PTX_OP3
#undef PTX_OP4
};

/* ---- running them ---- */

#define STORE_LANES(T)                                                                             \
    static void store_##T(T *to, const T *from, uint32_t mask)                                     \
    {                                                                                              \
        T r[PTX_LANES];                                                                            \
        for (int i = 0; i < PTX_LANES; i++)                                                        \
            r[i] = mask >> i & 1 ? from[i] : to[i];                                                \
        memcpy(to, r, sizeof r);                                                                   \
    }
STORE_LANES(uint16_t)
STORE_LANES(uint32_t)
STORE_LANES(uint64_t)

void ptx_store_lanes(void *to, const void *from, unsigned n_bytes, uint32_t mask)
{
    if (mask == UINT32_MAX)
        memcpy(to, from, (size_t)n_bytes * PTX_LANES);
    else if (n_bytes == 2)
        store_uint16_t(to, from, mask);
    else if (n_bytes == 4)
        store_uint32_t(to, from, mask);
    else
        store_uint64_t(to, from, mask);
}

static void run_lanes(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    const void *const from[] = {ptx_reg(w, in->slot[1]), ptx_reg(w, in->slot[2]),
                                ptx_reg(w, in->slot[3]), ptx_reg(w, in->slot[4])};
    if (mask == UINT32_MAX) {
        in->lanes(ptx_reg(w, in->slot[0]), from);
        return;
    }
    uint64_t r[PTX_LANES];
    in->lanes(r, from);
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, in->n_bytes[0], mask);
}

/* Subnormal numbers become 0 of the same sign. */
static void flush(float *x)
{
    for (int i = 0; i < PTX_LANES; i++)
        x[i] = fabsf(x[i]) < 0x1p-126f ? copysignf(0, x[i]) : x[i];
}

/* To [0, 1], NaN to 0. */
static void saturate(void *values, unsigned n_bytes)
{
    float *f = values;
    uint16_t *h = values;
    for (int i = 0; i < PTX_LANES; i++) {
        if (n_bytes == 4)
            f[i] = f[i] > 0 ? (f[i] > 1 ? 1 : f[i]) : 0;
        else if (n_bytes == 2)
            h[i] = ptx_from_f16(h[i]) > 0 ? (ptx_from_f16(h[i]) > 1 ? 0x3c00 : h[i]) : 0;
    }
}

static int rounding(unsigned modifiers)
{
    return modifiers & PTX_ROUND_ZERO   ? FE_TOWARDZERO
           : modifiers & PTX_ROUND_DOWN ? FE_DOWNWARD
           : modifiers & PTX_ROUND_UP   ? FE_UPWARD
                                        : FE_TONEAREST;
}

static void run_modified(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    float flushed[4][PTX_LANES];
    const void *from[4];
    uint64_t r[PTX_LANES];
    bool flushes = in->modifiers & PTX_FLUSH && in->type == PTX_f32;
    for (int k = 0; k < 4; k++) {
        from[k] = ptx_reg(w, in->slot[k + 1]);
        if (!flushes || k >= in->kind)
            continue;
        memcpy(flushed[k], from[k], sizeof flushed[k]);
        flush(flushed[k]);
        from[k] = flushed[k];
    }
    fesetround(rounding(in->modifiers));
    in->lanes(r, from);
    fesetround(FE_TONEAREST);
    if (flushes)
        flush((float *)r);
    if (in->modifiers & PTX_SATURATE)
        saturate(r, in->n_bytes[0]);
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, in->n_bytes[0], mask);
}

static void run_logic(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    uint32_t a = ptx_pred(w, in->slot[1]);
    uint32_t b = in->slot[2] == PTX_NO_SLOT ? 0 : ptx_pred(w, in->slot[2]);
    uint32_t r = in->kind == 'a' ? a & b : in->kind == 'o' ? a | b : in->kind == 'x' ? a ^ b : ~a;
    ptx_set_pred(w, in->slot[0], r, mask);
}

/* ---- decoding them ---- */

static const struct alu_row *find(const char *opcode)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].opcode, opcode) == 0)
            return &rows[i];
    return NULL;
}

static bool modifier(const char *part, unsigned *modifiers)
{
    static const struct {
        const char *part;
        unsigned modifier;
    } known[] = {{"rn", 0},
                 {"approx", 0},
                 {"full", 0},
                 {"ftz", PTX_FLUSH},
                 {"sat", PTX_SATURATE},
                 {"rz", PTX_ROUND_ZERO},
                 {"rm", PTX_ROUND_DOWN},
                 {"rp", PTX_ROUND_UP}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(part, known[i].part) == 0) {
            *modifiers |= known[i].modifier;
            return true;
        }
    return false;
}

static const struct alu_row *find_modified(const struct ptx_decoder *d, unsigned *modifiers)
{
    char opcode[PTX_MAX_PARTS * PTX_PART_CHARS];
    size_t n = 0;
    for (int i = 0; i < d->n_parts; i++) {
        if (i > 0 && modifier(d->parts[i], modifiers))
            continue;
        if (i > 0)
            opcode[n++] = '.';
        memcpy(opcode + n, d->parts[i], strlen(d->parts[i]));
        n += strlen(d->parts[i]);
    }
    opcode[n] = 0;
    return find(opcode);
}

static bool decode_logic(struct ptx_decoder *d)
{
    d->in->run = run_logic;
    d->in->kind = (uint8_t)d->parts[0][0];
    int n = d->in->kind == 'n' ? 2 : 3;
    for (int i = 0; i < n; i++)
        if (!ptx_decode_operand(d, i, PTX_pred))
            return false;
    return true;
}

bool ptx_decode_alu(struct ptx_decoder *d)
{
    unsigned modifiers = 0;
    if (ptx_decode_type(d, 0) == PTX_pred && strchr("aoxn", d->parts[0][0]))
        return decode_logic(d);
    const struct alu_row *row = find(d->from->opcode);
    if (!row)
        row = find_modified(d, &modifiers);
    if (!row)
        return ptx_decode_fail(d, "the instruction is not known");
    if (d->from->n_operands != row->n_from + 1)
        return ptx_decode_fail(d, "the number of operands is wrong");
    for (int i = 0; i <= row->n_from; i++)
        if (!ptx_decode_operand(d, i, row->types[i]))
            return false;
    for (int i = row->n_from + 1; i <= 4; i++)
        d->in->slot[i] = d->in->slot[0];
    d->in->n_bytes[0] = ptx_types[row->types[0]].bytes;
    d->in->type = (uint8_t)row->types[0];
    d->in->kind = (uint8_t)row->n_from;
    d->in->lanes = row->lanes;
    d->in->modifiers = (uint8_t)modifiers;
    d->in->run = modifiers ? run_modified : run_lanes;
    return true;
}
