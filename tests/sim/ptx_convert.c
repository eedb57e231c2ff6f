/*
 * cvt: every pair of types, by way of a 64-bit whole number or of a double.  From a double there is
 * one rounding to the format asked for; whole numbers of 64 bits go to floats directly.
 */
#include <fenv.h>

#include "tests/sim/ptx_decode.h"
#include "tests/sim/ptx_float.h"

/* Rounding of floats, and to whole numbers, in `kind`. */
enum { ROUND_NONE, ROUND_N, ROUND_Z, ROUND_M, ROUND_P, ROUND_AWAY };

static bool is_float(unsigned type)
{
    return ptx_types[type].kind == 'f';
}

/* Whole numbers of narrow types lie in the lower bits of wider registers. */
static void read_whole(int64_t *out, const uint8_t *from, unsigned type, unsigned step)
{
    unsigned n = ptx_types[type].bytes;
    bool is_signed = ptx_types[type].kind == 's';
    unsigned shift = 64 - 8 * n;
    for (unsigned i = 0; i < PTX_LANES; i++) {
        uint64_t u = 0;
        memcpy(&u, from + i * step, n);
        out[i] = is_signed ? (int64_t)(u << shift) >> shift : (int64_t)u;
    }
}

static void read_float(double *out, const void *from, unsigned type)
{
    for (int i = 0; i < PTX_LANES; i++)
        switch (type) {
        case PTX_f16:
            out[i] = (double)ptx_from_f16(((const uint16_t *)from)[i]);
            break;
        case PTX_bf16:
            out[i] = (double)ptx_from_bf16(((const uint16_t *)from)[i]);
            break;
        case PTX_f64:
            out[i] = ((const double *)from)[i];
            break;
        default:
            out[i] = (double)((const float *)from)[i];
        }
}

static int mode_of(unsigned kind)
{
    return kind == ROUND_Z   ? FE_TOWARDZERO
           : kind == ROUND_M ? FE_DOWNWARD
           : kind == ROUND_P ? FE_UPWARD
                             : FE_TONEAREST;
}

/* Towards zero: what rounding to nearest went too far is taken back. */
static uint16_t truncate_half(double x, unsigned type)
{
    float f = ptx_round_odd(x);
    uint16_t h = type == PTX_f16 ? ptx_to_f16(f) : ptx_to_bf16(f);
    double got = (double)(type == PTX_f16 ? ptx_from_f16(h) : ptx_from_bf16(h));
    return fabs(got) > fabs(x) && !isinf(x) ? (uint16_t)(h - 1) : h;
}

static uint16_t to_half(double x, unsigned type, unsigned kind)
{
    if (kind == ROUND_Z)
        return truncate_half(x, type);
    float f = ptx_round_odd(x);
    return type == PTX_f16 ? ptx_to_f16(f) : ptx_to_bf16(f);
}

static void write_float(void *to, const double *from, const struct ptx_insn *in)
{
    uint16_t *h = to;
    uint32_t *u = to;
    float *f = to;
    double *d = to;
    fesetround(in->type == PTX_f32 ? mode_of(in->kind) : FE_TONEAREST);
    for (int i = 0; i < PTX_LANES; i++) {
        double x = from[i];
        if (in->modifiers & PTX_SATURATE)
            x = x > 0 ? (x > 1 ? 1 : x) : 0;
        if (in->type == PTX_f32)
            f[i] = (float)x;
        else if (in->type == PTX_f64)
            d[i] = x;
        else if (in->type == PTX_tf32)
            u[i] = ptx_to_tf32((float)x);
        else
            h[i] = to_half(x, in->type, in->kind);
    }
    fesetround(FE_TONEAREST);
}

static double round_whole(double x, unsigned kind)
{
    switch (kind) {
    case ROUND_N:
        return rint(x);
    case ROUND_Z:
        return trunc(x);
    case ROUND_M:
        return floor(x);
    case ROUND_P:
        return ceil(x);
    default:
        return x;
    }
}

/* Bits of the range that a whole type has, clamped; NaN is 0. */
static uint64_t clamp_float(double x, unsigned type)
{
    unsigned bits = 8u * ptx_types[type].bytes;
    bool is_signed = ptx_types[type].kind == 's';
    double high = ldexp(1, (int)bits - is_signed), low = is_signed ? -high : 0;
    uint64_t all = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    if (x != x)
        return 0;
    if (x >= high)
        return is_signed ? all >> 1 : all;
    if (x <= low)
        return is_signed ? (all >> 1) + 1 : 0;
    return is_signed ? (uint64_t)(int64_t)x : (uint64_t)x;
}

/* cvt.sat between whole types. */
static int64_t clamp_whole(int64_t x, unsigned from, unsigned to)
{
    unsigned bits = 8u * ptx_types[to].bytes;
    bool huge = ptx_types[from].kind != 's' && x < 0; /* as u64 */
    if (ptx_types[to].kind == 's') {
        int64_t high = (int64_t)(UINT64_MAX >> (65 - bits)), low = -high - 1;
        return huge || x > high ? high : x < low ? low : x;
    }
    if (!huge && x < 0)
        return 0;
    uint64_t high = UINT64_MAX >> (64 - bits);
    return (uint64_t)x > high ? (int64_t)high : x;
}

/* To a register that may be wider than the type: signed types are extended. */
static void write_whole(struct ptx_warp *w, const struct ptx_insn *in, const int64_t *from,
                        uint32_t mask)
{
    unsigned n = ptx_types[in->type].bytes, step = in->n_bytes[0], shift = 64 - 8 * n;
    uint8_t r[8 * PTX_LANES];
    for (unsigned i = 0; i < PTX_LANES; i++) {
        uint64_t u = (uint64_t)from[i] << shift;
        u = ptx_types[in->type].kind == 's' ? (uint64_t)((int64_t)u >> shift) : u >> shift;
        memcpy(r + i * step, &u, step);
    }
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, step, mask);
}

static void run_whole_whole(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    int64_t x[PTX_LANES];
    read_whole(x, ptx_reg(w, in->slot[1]), in->from_type, in->n_bytes[1]);
    if (in->modifiers & PTX_SATURATE)
        for (int i = 0; i < PTX_LANES; i++)
            x[i] = clamp_whole(x[i], in->from_type, in->type);
    write_whole(w, in, x, mask);
}

static void run_float_whole(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    double x[PTX_LANES];
    int64_t r[PTX_LANES];
    read_float(x, ptx_reg(w, in->slot[1]), in->from_type);
    for (int i = 0; i < PTX_LANES; i++)
        r[i] = (int64_t)clamp_float(round_whole(x[i], in->kind), in->type);
    write_whole(w, in, r, mask);
}

static void run_whole_float(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    int64_t x[PTX_LANES];
    double d[PTX_LANES];
    uint64_t r[PTX_LANES];
    read_whole(x, ptx_reg(w, in->slot[1]), in->from_type, in->n_bytes[1]);
    bool is_signed = ptx_types[in->from_type].kind == 's';
    fesetround(mode_of(in->kind));
    for (int i = 0; i < PTX_LANES; i++) {
        if (in->type == PTX_f32)
            d[i] = (double)(is_signed ? (float)x[i] : (float)(uint64_t)x[i]);
        else
            d[i] = is_signed ? (double)x[i] : (double)(uint64_t)x[i];
    }
    fesetround(FE_TONEAREST);
    write_float(r, d, in);
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, in->n_bytes[0], mask);
}

static void run_float_float(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    double x[PTX_LANES];
    uint64_t r[PTX_LANES];
    read_float(x, ptx_reg(w, in->slot[1]), in->from_type);
    if (in->more) /* .rni and so on: to a whole number of the same format */
        for (int i = 0; i < PTX_LANES; i++)
            x[i] = round_whole(x[i], in->kind);
    if (in->modifiers & PTX_FLUSH)
        for (int i = 0; i < PTX_LANES; i++)
            x[i] = fabs(x[i]) < 0x1p-126 ? copysign(0, x[i]) : x[i];
    write_float(r, x, in);
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, in->n_bytes[0], mask);
}

/* The frequent ones, which vectors do well. */
static void run_f32_f16(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    const uint16_t *from = ptx_reg(w, in->slot[1]);
    float r[PTX_LANES];
    for (int i = 0; i < PTX_LANES; i++)
        r[i] = ptx_from_f16(from[i]);
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, 4, mask);
}

static void run_f16_f32(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    const float *from = ptx_reg(w, in->slot[1]);
    uint16_t r[PTX_LANES];
    for (int i = 0; i < PTX_LANES; i++)
        r[i] = ptx_to_f16(from[i]);
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, 2, mask);
}

/* cvt.rn.f16x2.f32 d, a, b: a in the upper half. */
static void run_pair(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    const float *high = ptx_reg(w, in->slot[1]), *low = ptx_reg(w, in->slot[2]);
    unsigned half = in->type == PTX_f16x2 ? PTX_f16 : PTX_bf16;
    uint32_t r[PTX_LANES];
    for (int i = 0; i < PTX_LANES; i++) {
        float a = in->more && !(high[i] > 0) ? 0 : high[i]; /* .relu */
        float b = in->more && !(low[i] > 0) ? 0 : low[i];
        r[i] =
            (uint32_t)to_half((double)a, half, in->kind) << 16 | to_half((double)b, half, in->kind);
    }
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, 4, mask);
}

/* ---- decoding ---- */

static void decode_rounding(struct ptx_decoder *d)
{
    static const struct {
        const char *part;
        uint8_t kind;
        bool whole;
    } known[] = {{"rn", ROUND_N, false}, {"rz", ROUND_Z, false},     {"rm", ROUND_M, false},
                 {"rp", ROUND_P, false}, {"rna", ROUND_AWAY, false}, {"rni", ROUND_N, true},
                 {"rzi", ROUND_Z, true}, {"rmi", ROUND_M, true},     {"rpi", ROUND_P, true}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (ptx_decode_has(d, known[i].part)) {
            d->in->kind = known[i].kind;
            d->in->more = known[i].whole;
        }
    d->in->modifiers = (uint8_t)((ptx_decode_has(d, "ftz") ? PTX_FLUSH : 0) |
                                 (ptx_decode_has(d, "sat") ? PTX_SATURATE : 0));
}

static bool decode_pair(struct ptx_decoder *d)
{
    d->in->run = run_pair;
    d->in->more = ptx_decode_has(d, "relu");
    return ptx_decode_operand(d, 0, PTX_b32) && ptx_decode_operand(d, 1, PTX_f32) &&
           ptx_decode_operand(d, 2, PTX_f32);
}

static bool decode_register(struct ptx_decoder *d, int i, enum ptx_type type)
{
    if (i >= d->from->n_operands)
        return ptx_decode_fail(d, "operands are missing");
    const struct ptx_operand *o = &d->from->operands[i];
    bool wide = !is_float(type);
    unsigned bytes = ptx_types[o->kind == PTX_OPERAND_REGISTER ? o->type : type].bytes;
    d->in->n_bytes[i] = (uint8_t)(bytes < 2 ? 2 : bytes);
    return ptx_decode_slot(d, o, type, wide, &d->in->slot[i]);
}

/* Where a float loses bits the ISA wants the rounding to be said. */
static bool needs_rounding(unsigned to, unsigned from)
{
    if (!is_float(from))
        return is_float(to);
    if (!is_float(to))
        return true;
    return ptx_types[to].bytes < ptx_types[from].bytes || to == PTX_tf32;
}

bool ptx_decode_cvt(struct ptx_decoder *d)
{
    struct ptx_insn *in = d->in;
    enum ptx_type from = ptx_decode_type(d, 0), to = ptx_decode_type(d, 1);
    if (from == PTX_N_TYPES || to == PTX_N_TYPES || ptx_types[to].kind == 'b' ||
        ptx_types[from].kind == 'b')
        return ptx_decode_fail(d, "the conversion is not known");
    decode_rounding(d);
    in->type = (uint8_t)to;
    in->from_type = (uint8_t)from;
    if (needs_rounding(to, from) && in->kind == ROUND_NONE)
        return ptx_decode_fail(d, "the conversion must say how it rounds");
    if (to == PTX_f16x2 || to == PTX_bf16x2)
        return decode_pair(d);
    if (in->kind == ROUND_AWAY && to != PTX_tf32)
        return ptx_decode_fail(d, ".rna is of tf32 only");
    if ((to == PTX_f16 || to == PTX_bf16) && in->kind > ROUND_Z && !in->more)
        return ptx_decode_fail(d, "this rounding to 16 bits is not known");
    bool plain = in->kind <= ROUND_N && !in->more && !in->modifiers;
    if (is_float(from))
        in->run = plain && from == PTX_f16 && to == PTX_f32   ? run_f32_f16
                  : plain && from == PTX_f32 && to == PTX_f16 ? run_f16_f32
                  : is_float(to)                              ? run_float_float
                                                              : run_float_whole;
    else
        in->run = is_float(to) ? run_whole_float : run_whole_whole;
    return decode_register(d, 0, to) && decode_register(d, 1, from);
}
