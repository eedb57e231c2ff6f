/*
 * One step of K inside a tile:
 *
 *     b[j] = vector of B;  for each row i: acc[i][j] += broadcast A[i] * b[j]
 *
 * In general a step takes one value of K; elements pass through the operand's prologue, A's as a
 * scalar, B's as a vector, or are cast to the accumulator's type.
 *
 * Bytes are taken four values of K at a time.  A lane of 32 bits holds the four of one column; B is
 * packed that way, and A's four are read as one word and broadcast.
 *   - dot 4 (vpdpbusd) multiplies unsigned by signed bytes and adds all four to the accumulator.
 *     Signed bytes of A become unsigned with the top bit flipped, which adds 128; 128 times the sum
 *     of the column's weights is kept in an accumulator of its own and taken off at the end.
 *   - dot 2 (pmaddwd) does the same in two halves: the even bytes of each lane, as 16 bits, and
 *     the odd ones.  The products of bytes and the sum of two fit 32 bits whatever the signs, where
 *     the byte form before VNNI (pmaddubsw) saturates.
 * All are exact: sums wrap modulo 2^32 as they do in the evaluator.
 */
#include <assert.h>

#include "cpu_runtime/codegen/contract_tile.h"

enum { LINE_BYTES = 64 };

int64_t tile_extent(const struct tile *t, int i)
{
    return kernel_static_extent(t->ek->k, t->r, i);
}

int tile_k_step(const struct tile *t, int i)
{
    return i == t->e->group_iter ? t->e->group : 1;
}

struct eaffine tile_bound(struct emit_kernel *ek, const struct kaffine *a)
{
    struct eaffine r = eaffine_const(a->offset);
    for (int i = 0; i < a->n_terms; i++)
        eaffine_add(&r, &ek->bind[a->term[i].var], a->term[i].coef);
    return r;
}

static struct eaddress operand_address(struct tile *t, const struct koperand *o)
{
    struct eaffine idx[MAX_RANK];
    int rank = t->ek->k->bufs[o->buf].rank;
    for (int d = 0; d < rank; d++)
        idx[d] = tile_bound(t->ek, &o->dim[d]);
    return emit_address_affine(t->ek, o->buf, idx);
}

/* Row i: value i % inner of row_iter, i / inner of the row outside it. */
void tile_bind_row(struct tile *t, int i)
{
    const struct schedule_entry *e = t->e;
    if (e->row_iter < 0)
        return;
    bool joined = e->row_outer >= 0 && e->tile_outer == 0;
    struct eaffine a = joined ? eaffine_var(t->ek->join.inner) : t->row0;
    a.offset += i % t->inner;
    emit_bind_index(t->ek, t->r->index[e->row_iter], &a);
    if (e->row_outer >= 0 && !joined) {
        struct eaffine o = t->outer0;
        o.offset += i / t->inner;
        emit_bind_index(t->ek, t->r->index[e->row_outer], &o);
    }
}

void tile_bind_col(struct tile *t, int64_t vector, int64_t lane0)
{
    struct eaffine a = t->col0, lane = eaffine_var(EVAR_LANE);
    a.offset += vector * t->e->vector + lane0;
    eaffine_add(&a, &lane, 1);
    emit_bind_index(t->ek, t->r->index[t->e->col_iter], &a);
}

/* ---- where rows fall outside A ---- */

bool tile_is_inside(const struct tile *t, const struct tile_pad *pad, int i, int further)
{
    const struct kaffine *a = &t->c->a.dim[pad->dim];
    int64_t row =
        pad->m == t->e->row_iter ? t->first_row + i % t->inner : t->first_outer + i / t->inner;
    int64_t at = a->offset + row * kaffine_coef(a, t->r->index[pad->m]) +
                 (t->k_at[pad->k] + further) * kaffine_coef(a, t->r->index[pad->k]);
    return at >= 0 && at < t->ek->k->bufs[t->c->a.buf].dims[pad->dim];
}

/* Which of the K values of this step, a bit each, row i finds inside A.  Values behind the end of K
   that can be read all the same count as inside. */
static unsigned values_inside(const struct tile *t, int i)
{
    unsigned all = (1u << t->e->group) - 1, inside = all;
    bool padded = false;
    if (t->outside)
        return 0;
    for (int p = 0; p < t->n_pads; p++) {
        const struct tile_pad *pad = &t->pad[p];
        if (pad->k != t->e->group_iter) {
            inside &= tile_is_inside(t, pad, i, 0) ? all : 0;
            continue;
        }
        padded = true;
        for (int g = 0; g < t->e->group; g++)
            if (!tile_is_inside(t, pad, i, g))
                inside &= ~(1u << g);
    }
    if (!padded && !t->group_may_overrun)
        inside &= (1u << t->group_have) - 1;
    return inside;
}

/* ---- accumulators ---- */

static LLVMTypeRef sum_type(struct tile *t)
{
    return emit_lane_type(t->ek, t->c->acc, true);
}

static enum dtype operand_type(const struct tile *t, const struct koperand *o)
{
    return t->ek->k->bufs[o->buf].dtype;
}

/* Whether dot 4 reads signed bytes of A as unsigned ones. */
static bool has_excess(const struct tile *t)
{
    return t->e->dot == SCHEDULE_DOT4 && operand_type(t, &t->c->a) == DTYPE_I8 &&
           operand_type(t, &t->c->b) == DTYPE_I8;
}

static LLVMValueRef cleared_slot(struct tile *t)
{
    LLVMTypeRef vec = sum_type(t);
    LLVMValueRef slot = emit_alloca(t->ek, vec);
    LLVMBuildStore(t->ek->e->b, LLVMConstNull(vec), slot);
    return slot;
}

void tile_clear(struct tile *t)
{
    assert(t->rows * t->vectors <= MAX_ACC && t->vectors <= MAX_TILE_VECTORS);
    for (int i = 0; i < t->rows * t->vectors; i++)
        t->acc[i] = cleared_slot(t);
    for (int j = 0; has_excess(t) && j < t->vectors; j++)
        t->excess[j] = cleared_slot(t);
}

LLVMValueRef tile_sum(struct tile *t, int row, int vector)
{
    LLVMBuilderRef b = t->ek->e->b;
    LLVMTypeRef vec = sum_type(t);
    LLVMValueRef sum = LLVMBuildLoad2(b, vec, t->acc[row * t->vectors + vector], "");
    if (!has_excess(t))
        return sum;
    return LLVMBuildSub(b, sum, LLVMBuildLoad2(b, vec, t->excess[vector], ""), "");
}

/* ---- one value of K ---- */

/* An element as it enters the product. */
static LLVMValueRef prepared(struct tile *t, const struct koperand *o, LLVMValueRef raw,
                             bool varying)
{
    struct emit_kernel *ek = t->ek;
    if (!o->prologue.n)
        return emit_cast(ek, operand_type(t, o), t->c->acc, raw);
    emit_set(ek, o->prologue.param[0], raw, varying);
    emit_block(ek, &o->prologue);
    kval result = emit_block_yield(ek, &o->prologue)->args[0];
    return emit_get(ek, result, varying || ek->varying[result]);
}

static LLVMValueRef vector_of_b(struct tile *t, int j)
{
    bool varying;
    tile_bind_col(t, j, 0);
    struct eaddress at = operand_address(t, &t->c->b);
    LLVMValueRef v = emit_load(t->ek, &at, &varying);
    v = prepared(t, &t->c->b, v, varying);
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind ? v : emit_splat(t->ek, v);
}

/* NULL where the row adds nothing. */
static LLVMValueRef splat_of_a(struct tile *t, int i)
{
    struct emit_kernel *ek = t->ek;
    LLVMValueRef raw;
    tile_bind_row(t, i);
    if (!values_inside(t, i)) {
        if (!t->pad_counts)
            return NULL;
        raw = emit_get(ek, t->c->a.pad, false);
    } else {
        bool varying;
        struct eaddress at = operand_address(t, &t->c->a);
        raw = emit_load(ek, &at, &varying);
        assert(!varying);
    }
    return emit_splat(ek, prepared(t, &t->c->a, raw, false));
}

/* acc + a * b */
static LLVMValueRef multiply_add(struct emit_kernel *ek, enum dtype type, LLVMValueRef a,
                                 LLVMValueRef b, LLVMValueRef acc)
{
    struct emit *e = ek->e;
    if (!dtype_is_float(type))
        return LLVMBuildAdd(e->b, acc, LLVMBuildMul(e->b, a, b, ""), "");
    if (e->target->has_fma) {
        LLVMTypeRef t = LLVMTypeOf(acc);
        LLVMValueRef args[3] = {a, b, acc};
        return emit_intrinsic(e, "llvm.fma", &t, 1, args, 3);
    }
    return LLVMBuildFAdd(e->b, LLVMBuildFMul(e->b, a, b, ""), acc, "");
}

/* ---- four bytes of K ---- */

static LLVMValueRef word(struct emit *e, unsigned byte)
{
    return LLVMConstInt(e->i32, byte * 0x01010101u, 0);
}

static LLVMValueRef load_word(struct emit_kernel *ek, const struct eaddress *at, LLVMTypeRef type)
{
    LLVMValueRef v = LLVMBuildLoad2(ek->e->b, type, emit_pointer(ek, at->buf, &at->affine), "");
    LLVMSetAlignment(v, 1);
    return v;
}

static unsigned pad_byte(const struct tile *t)
{
    return t->c->a.padded ? (unsigned)kernel_inst(t->ek->k, t->c->a.pad)->imm.i & 0xff : 0;
}

/* The group byte by byte: those that are not inside are the padding. */
static LLVMValueRef assembled_word(struct tile *t, unsigned inside)
{
    struct emit_kernel *ek = t->ek;
    LLVMBuilderRef b = ek->e->b;
    kval index = t->r->index[t->e->group_iter];
    struct eaffine first = ek->bind[index];
    LLVMValueRef sum = LLVMConstInt(ek->e->i32, 0, 0);
    for (int g = 0; g < t->group_have; g++) {
        LLVMValueRef byte = LLVMConstInt(ek->e->i32, pad_byte(t), 0);
        if (inside >> g & 1) {
            bool varying;
            struct eaffine a = first;
            a.offset += g;
            emit_bind_index(ek, index, &a);
            struct eaddress at = operand_address(t, &t->c->a);
            byte = LLVMBuildZExt(b, emit_load(ek, &at, &varying), ek->e->i32, "");
        }
        byte = LLVMBuildShl(b, byte, LLVMConstInt(ek->e->i32, (unsigned)(8 * g), 0), "");
        sum = LLVMBuildOr(b, sum, byte, "");
    }
    emit_bind_index(ek, index, &first);
    return sum;
}

/* NULL where the row adds nothing. */
static LLVMValueRef group_of_a(struct tile *t, int i)
{
    struct emit_kernel *ek = t->ek;
    unsigned all = (1u << t->e->group) - 1, wanted = (1u << t->group_have) - 1;
    unsigned inside = values_inside(t, i);
    LLVMValueRef v;
    tile_bind_row(t, i);
    if (!(inside & wanted) && !t->pad_counts && !has_excess(t))
        return NULL;
    if (!(inside & wanted)) {
        v = word(ek->e, pad_byte(t));
    } else if (inside == all && t->group_is_adjacent) {
        struct eaddress at = operand_address(t, &t->c->a);
        v = load_word(ek, &at, ek->e->i32);
    } else {
        v = assembled_word(t, inside);
    }
    v = emit_splat(ek, v);
    return has_excess(t) ? LLVMBuildXor(ek->e->b, v, emit_splat(ek, word(ek->e, 0x80)), "") : v;
}

static LLVMValueRef group_of_b(struct tile *t, int j)
{
    tile_bind_col(t, j, 0);
    struct eaddress at = operand_address(t, &t->c->b);
    return load_word(t->ek, &at, sum_type(t));
}

/* An instruction of the width that the tile's vectors have. */
static LLVMValueRef by_width(struct tile *t, const char *const *names, LLVMValueRef *args,
                             unsigned n_args)
{
    int lanes = t->e->vector;
    return emit_intrinsic(t->ek->e,
                          names[lanes == 16  ? 2
                                : lanes == 8 ? 1
                                             : 0],
                          NULL, 0, args, n_args);
}

/* acc + dot of the unsigned and the signed bytes of each lane */
static LLVMValueRef dot4(struct tile *t, LLVMValueRef acc, LLVMValueRef u, LLVMValueRef s)
{
    static const char *const NAMES[] = {"llvm.x86.avx512.vpdpbusd.128",
                                        "llvm.x86.avx512.vpdpbusd.256",
                                        "llvm.x86.avx512.vpdpbusd.512"};
    LLVMValueRef args[3] = {acc, u, s};
    return by_width(t, NAMES, args, 3);
}

/* The even or the odd bytes of each lane as 16 bits. */
static LLVMValueRef half_of(struct tile *t, LLVMValueRef v, enum dtype type, int odd)
{
    struct emit *e = t->ek->e;
    LLVMTypeRef vec = LLVMVectorType(e->i16, 2 * (unsigned)t->e->vector);
    LLVMValueRef h = LLVMBuildBitCast(e->b, v, vec, "");
    LLVMValueRef eight = emit_int_like(h, e->i16, 8);
    if (type == DTYPE_U8)
        return odd ? LLVMBuildLShr(e->b, h, eight, "")
                   : LLVMBuildAnd(e->b, h, emit_int_like(h, e->i16, 0xff), "");
    if (!odd)
        h = LLVMBuildShl(e->b, h, eight, "");
    return LLVMBuildAShr(e->b, h, eight, "");
}

static LLVMValueRef dot2(struct tile *t, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b)
{
    static const char *const NAMES[] = {"llvm.x86.sse2.pmadd.wd", "llvm.x86.avx2.pmadd.wd",
                                        "llvm.x86.avx512.pmaddw.d.512"};
    LLVMValueRef args[2] = {a, b};
    return LLVMBuildAdd(t->ek->e->b, acc, by_width(t, NAMES, args, 2), "");
}

/* ---- the step ---- */

/* B of one vector, as the chosen instruction takes it. */
struct factor {
    LLVMValueRef v[2];
};

static struct factor factor_of(struct tile *t, LLVMValueRef v, enum dtype type)
{
    struct factor f = {{v, NULL}};
    if (t->e->dot == SCHEDULE_DOT2) {
        f.v[0] = half_of(t, v, type, 0);
        f.v[1] = half_of(t, v, type, 1);
    }
    return f;
}

static LLVMValueRef accumulate(struct tile *t, LLVMValueRef acc, const struct factor *a,
                               const struct factor *b)
{
    switch (t->e->dot) {
    case SCHEDULE_DOT4:
        /* Signed activations with unsigned weights are the same with the roles exchanged. */
        return operand_type(t, &t->c->b) == DTYPE_U8 ? dot4(t, acc, b->v[0], a->v[0])
                                                     : dot4(t, acc, a->v[0], b->v[0]);
    case SCHEDULE_DOT2:
        acc = dot2(t, acc, a->v[0], b->v[0]);
        return dot2(t, acc, a->v[1], b->v[1]);
    default:
        return multiply_add(t->ek, t->c->acc, a->v[0], b->v[0], acc);
    }
}

void tile_step(struct tile *t)
{
    LLVMBuilderRef b = t->ek->e->b;
    LLVMTypeRef vec = sum_type(t);
    struct factor fb[MAX_TILE_VECTORS];
    bool grouped = t->e->dot != SCHEDULE_MULTIPLY_ADD;
    for (int j = 0; j < t->vectors; j++) {
        LLVMValueRef v = grouped ? group_of_b(t, j) : vector_of_b(t, j);
        fb[j] = factor_of(t, v, operand_type(t, &t->c->b));
        if (has_excess(t)) {
            LLVMValueRef sum = LLVMBuildLoad2(b, vec, t->excess[j], "");
            sum = dot4(t, sum, emit_splat(t->ek, word(t->ek->e, 0x80)), v);
            LLVMBuildStore(b, sum, t->excess[j]);
        }
    }
    for (int i = 0; i < t->rows; i++) {
        LLVMValueRef v = grouped ? group_of_a(t, i) : splat_of_a(t, i);
        if (!v)
            continue;
        struct factor fa = factor_of(t, v, operand_type(t, &t->c->a));
        for (int j = 0; j < t->vectors; j++) {
            LLVMValueRef slot = t->acc[i * t->vectors + j];
            LLVMValueRef sum = LLVMBuildLoad2(b, vec, slot, "");
            LLVMBuildStore(b, accumulate(t, sum, &fa, &fb[j]), slot);
        }
    }
}

/* ---- prefetching ---- */

/*
 * To the second-level cache.  Behind the last block lie the constants that are needed next.
 */
void tile_prefetch(struct tile *t, int64_t count)
{
    struct emit_kernel *ek = t->ek;
    struct emit *e = ek->e;
    const struct kbuf *b = &ek->k->bufs[t->c->b.buf];
    unsigned bits = dtype_bits(b->dtype);
    if (!b->constant || t->n_tiles < 2 || bits < 8 || t->outside)
        return;
    int64_t per_line = LINE_BYTES * 8 / bits;
    int64_t lines = count * t->e->tile_n * t->e->vector / per_line;
    if (t->n_tiles > lines)
        return;
    int64_t share = cpu_div_ceil(lines, t->n_tiles);
    tile_bind_col(t, t->e->tile_n, 0);
    struct eaddress at = operand_address(t, &t->c->b);
    struct eaffine first = at.affine;
    eaffine_add(&first, &t->tile, share * per_line);
    for (int64_t i = 0; i < share; i++) {
        LLVMValueRef off = eaffine_value(ek, &first);
        LLVMValueRef args[4] = {
            LLVMBuildGEP2(e->b, emit_memory_type(e, b->dtype), ek->buf[t->c->b.buf], &off, 1, ""),
            LLVMConstInt(e->i32, 0, 0), /* read */
            LLVMConstInt(e->i32, 2, 0), /* second-level cache */
            LLVMConstInt(e->i32, 1, 0), /* data */
        };
        LLVMTypeRef type = e->ptr;
        emit_intrinsic(e, "llvm.prefetch", &type, 1, args, 4);
        first.offset += per_line;
    }
}
