/*
 * ldmatrix and mma.sync.  How the elements of a matrix lie in the registers of a warp is in the PTX
 * ISA, "Matrix Fragments for mma.m16n8k..": of A and B a register holds e elements that follow each
 * other in K, lane 4g + t having row (or column) g and K from e * t on.
 *
 * Sums are made in f32, in the order of K.  The device's order and rounding are not documented, so
 * its results of floats may differ in the last bits.
 */
#include "tests/sim/ptx_check.h"
#include "tests/sim/ptx_decode.h"
#include "tests/sim/ptx_float.h"

enum { M = 16, N = 8, MAX_K = 32 };

static void need_all(struct ptx_warp *w, uint32_t mask)
{
    if (mask != UINT32_MAX)
        ptx_stop(w, ptx_first_lane(mask), PTX_FAULT_OTHER,
                 "needs all lanes of the warp, but lane %d is not here", ptx_first_lane(~mask));
}

/* ---- ldmatrix ---- */

enum { ROWS = 8, ROW_BYTES = 16 };

static uint64_t row_address(const struct ptx_warp *w, const struct ptx_insn *in, int lane)
{
    const void *base = ptx_reg(w, in->slot[0]);
    uint64_t at = in->more == 4 ? ((const uint32_t *)base)[lane] : ((const uint64_t *)base)[lane];
    return at + (uint64_t)in->value - (in->space == PTX_GENERIC ? PTX_SHARED_WINDOW : 0);
}

/* Lane 8k + r names row r of matrix k. */
static void run_ldmatrix(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    uint32_t all[4][PTX_LANES];
    need_all(w, mask);
    for (int k = 0; k < in->n_elems; k++) {
        uint16_t rows[ROWS][ROW_BYTES / 2];
        for (int r = 0; r < ROWS; r++) {
            int lane = k * ROWS + r;
            uint64_t at = row_address(w, in, lane);
            memcpy(rows[r], ptx_check_shared_read(w, lane, at, ROW_BYTES, 0), ROW_BYTES);
        }
        for (int lane = 0; lane < PTX_LANES; lane++) {
            int g = lane / 4, t = lane % 4 * 2;
            uint16_t low = in->kind ? rows[t][g] : rows[g][t];
            uint16_t high = in->kind ? rows[t + 1][g] : rows[g][t + 1];
            all[k][lane] = (uint32_t)high << 16 | low;
        }
    }
    for (int k = 0; k < in->n_elems; k++)
        memcpy(ptx_reg(w, in->slot[1 + k]), all[k], sizeof all[k]);
}

bool ptx_decode_ldmatrix(struct ptx_decoder *d)
{
    struct ptx_insn *in = d->in;
    in->run = run_ldmatrix;
    in->n_elems = ptx_decode_has(d, "x4") ? 4 : ptx_decode_has(d, "x2") ? 2 : 1;
    in->kind = ptx_decode_has(d, "trans");
    in->space =
        ptx_decode_has(d, "shared") || ptx_decode_has(d, "shared::cta") ? PTX_SHARED : PTX_GENERIC;
    if (!ptx_decode_has(d, "m8n8") || ptx_decode_type(d, 0) != PTX_b16 || d->from->n_operands != 2)
        return ptx_decode_fail(d, "the instruction is not known");
    return ptx_decode_list(d, &d->from->operands[0], in->n_elems, PTX_b32, 1) &&
           ptx_decode_address(d, &d->from->operands[1], 0);
}

/* ---- mma ---- */

/* Slots: d, a, b, c one after the other; n_elems of a, the half of which b has. */
struct shape {
    int k, n_a, n_b, n_c;
};

static struct shape shape_of(const struct ptx_insn *in)
{
    struct shape s = {.k = in->kind, .n_a = in->n_elems, .n_b = in->n_elems / 2};
    s.n_c = in->type == PTX_f16 ? 2 : 4;
    return s;
}

/* Columns of A and of the sums are vectors, which gcc and clang know as types. */
typedef float floats __attribute__((vector_size(4 * M)));
typedef int32_t wholes __attribute__((vector_size(4 * M)));

/* Bits of f32 or of whole numbers of 32 bits. */
struct operands {
    uint32_t a[MAX_K][M], b[MAX_K][N], c[N][M];
};

/* What lane 4g + t holds goes to element g of row t. */
PTX_INLINE void put(uint32_t *to, int stride, const uint32_t from[PTX_LANES])
{
    for (int t = 0; t < 4; t++)
        for (int g = 0; g < 8; g++)
            to[t * stride + g] = from[4 * g + t];
}

PTX_INLINE void take(uint32_t to[PTX_LANES], const uint32_t *from, int stride)
{
    for (int g = 0; g < 8; g++)
        for (int t = 0; t < 4; t++)
            to[4 * g + t] = from[t * stride + g];
}

static int elements_of(unsigned type)
{
    return 4 / ptx_types[type].bytes;
}

#define WIDEN(name, value)                                                                         \
    static void widen_##name(uint32_t out[PTX_LANES], const uint32_t *from, int j)                 \
    {                                                                                              \
        for (int i = 0; i < PTX_LANES; i++) {                                                      \
            const uint32_t word = from[i];                                                         \
            out[i] = (value);                                                                      \
        }                                                                                          \
    }
WIDEN(f16, dtype_bits_of_f32(ptx_from_f16((uint16_t)(word >> 16 * j))))
WIDEN(bf16, word >> 16 * j << 16)
WIDEN(tf32, (word >> j) & 0xffffe000) /* the device looks at the upper 19 bits only; j is 0 */
WIDEN(s8, (uint32_t)((int32_t)(word << (24 - 8 * j)) >> 24))
WIDEN(u8, word >> 8 * j & 255)

/* Element j of a register. */
static void widen(uint32_t out[PTX_LANES], const uint32_t *from, int j, unsigned type)
{
    switch (type) {
    case PTX_f16:
        widen_f16(out, from, j);
        break;
    case PTX_bf16:
        widen_bf16(out, from, j);
        break;
    case PTX_tf32:
        widen_tf32(out, from, j);
        break;
    case PTX_s8:
        widen_s8(out, from, j);
        break;
    default:
        widen_u8(out, from, j);
    }
}

/* Register 2i + h of A has rows from 8h on, register i of B all columns; K from 4ei on. */
static void gather(const struct ptx_warp *w, const struct ptx_insn *in, struct shape s,
                   struct operands *o)
{
    uint32_t values[PTX_LANES];
    const int e = elements_of(in->from_type);
    for (int r = 0; r < s.n_a; r++)
        for (int j = 0; j < e; j++) {
            widen(values, ptx_reg(w, in->slot[s.n_c + r]), j, in->from_type);
            put(&o->a[r / 2 * 4 * e + j][r % 2 * 8], e * M, values);
        }
    for (int r = 0; r < s.n_b; r++)
        for (int j = 0; j < e; j++) {
            widen(values, ptx_reg(w, in->slot[s.n_c + s.n_a + r]), j, in->more);
            put(o->b[r * 4 * e + j], e * N, values);
        }
    /* Register 2h + j of C: rows from 8h on, columns 2t + j; of f16 both j are in register h. */
    for (int r = 0; r < 4; r++) {
        const int32_t *slot = &in->slot[s.n_c + s.n_a + s.n_b];
        if (s.n_c == 4)
            memcpy(values, ptx_reg(w, slot[r]), sizeof values);
        else
            widen(values, ptx_reg(w, slot[r / 2]), r % 2, PTX_f16);
        put(&o->c[r % 2][r / 2 * 8], 2 * M, values);
    }
}

static void scatter(struct ptx_warp *w, const struct ptx_insn *in, struct shape s,
                    const struct operands *o)
{
    uint32_t values[4][PTX_LANES];
    for (int r = 0; r < 4; r++)
        take(values[r], &o->c[r % 2][r / 2 * 8], 2 * M);
    if (s.n_c == 4) {
        for (int r = 0; r < 4; r++)
            memcpy(ptx_reg(w, in->slot[r]), values[r], sizeof values[r]);
        return;
    }
    for (int r = 0; r < 2; r++) {
        uint32_t *to = ptx_reg(w, in->slot[r]);
        for (int i = 0; i < PTX_LANES; i++)
            to[i] = (uint32_t)ptx_to_f16(dtype_f32_of_bits(values[2 * r + 1][i])) << 16 |
                    ptx_to_f16(dtype_f32_of_bits(values[2 * r][i]));
    }
}

static void run_mma_float(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    struct shape s = shape_of(in);
    struct operands o;
    floats c[N], a;
    need_all(w, mask);
    gather(w, in, s, &o);
    memcpy(c, o.c, sizeof c);
    for (int k = 0; k < s.k; k++) {
        memcpy(&a, o.a[k], sizeof a);
        for (int j = 0; j < N; j++)
            c[j] += a * dtype_f32_of_bits(o.b[k][j]);
    }
    memcpy(o.c, c, sizeof c);
    scatter(w, in, s, &o);
}

/* The products of 32 bytes fit; with C the sum wraps or, with .satfinite, stops at the end. */
static void run_mma_whole(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    struct shape s = shape_of(in);
    struct operands o;
    wholes sums[N] = {{0}}, a;
    int32_t sum[N][M];
    need_all(w, mask);
    gather(w, in, s, &o);
    for (int k = 0; k < s.k; k++) {
        memcpy(&a, o.a[k], sizeof a);
        for (int j = 0; j < N; j++)
            sums[j] += a * (int32_t)o.b[k][j];
    }
    memcpy(sum, sums, sizeof sum);
    for (int j = 0; j < N; j++)
        for (int i = 0; i < M; i++) {
            int64_t x = (int64_t)(int32_t)o.c[j][i] + sum[j][i];
            if (in->modifiers & PTX_SATURATE)
                x = x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x;
            o.c[j][i] = (uint32_t)(uint64_t)x;
        }
    scatter(w, in, s, &o);
}

/* The shapes that sm_80 has of each type of A. */
static int registers_of_a(const char *shape, enum ptx_type type)
{
    static const struct {
        const char *shape;
        int half, tf32, byte;
    } shapes[] = {
        {"m16n8k4", 0, 2, 0}, {"m16n8k8", 2, 4, 0}, {"m16n8k16", 4, 0, 2}, {"m16n8k32", 0, 0, 4}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].shape, shape) == 0)
            return type == PTX_f16 || type == PTX_bf16 ? shapes[i].half
                   : type == PTX_tf32                  ? shapes[i].tf32
                   : type == PTX_s8 || type == PTX_u8  ? shapes[i].byte
                                                       : 0;
    return 0;
}

/* mma.sync.aligned.SHAPE.row.col.D.A.B.C d, a, b, c */
bool ptx_decode_mma(struct ptx_decoder *d)
{
    struct ptx_insn *in = d->in;
    enum ptx_type c = ptx_decode_type(d, 0), b = ptx_decode_type(d, 1), a = ptx_decode_type(d, 2);
    bool whole = a == PTX_s8 || a == PTX_u8;
    int n_a = d->n_parts > 8 ? registers_of_a(d->parts[3], a) : 0;
    bool sums = whole ? c == PTX_s32 : c == PTX_f32 || (c == PTX_f16 && a == PTX_f16);
    bool same = whole ? b == PTX_s8 || b == PTX_u8 : a == b;
    if (n_a == 0 || !sums || !same || ptx_decode_type(d, 3) != c || d->from->n_operands != 4)
        return ptx_decode_fail(d, "the product is not known");
    in->type = (uint8_t)c;
    in->from_type = (uint8_t)a;
    in->more = (uint8_t)b;
    in->n_elems = (uint8_t)n_a;
    in->kind = (uint8_t)(n_a / 2 * (whole ? 16 : a == PTX_tf32 ? 4 : 8));
    in->modifiers = ptx_decode_has(d, "satfinite") ? PTX_SATURATE : 0;
    in->run = whole ? run_mma_whole : run_mma_float;
    struct shape s = shape_of(in);
    const struct ptx_operand *o = d->from->operands;
    enum ptx_type sum = c == PTX_f16 ? PTX_b32 : c;
    return ptx_decode_list(d, &o[0], s.n_c, sum, 0) &&
           ptx_decode_list(d, &o[1], s.n_a, PTX_b32, s.n_c) &&
           ptx_decode_list(d, &o[2], s.n_b, PTX_b32, s.n_c + s.n_a) &&
           ptx_decode_list(d, &o[3], s.n_c, sum, s.n_c + s.n_a + s.n_b);
}
