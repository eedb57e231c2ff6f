/*
 * Products of bytes inside a tile: what they take of A and B, and how they add up.
 *
 *   - dot 4 (vpdpbusd, sdot, udot, usdot) multiplies four bytes of each lane of 32 bits and adds
 * all four products to the lane's sum.  Where the processor has no product of these signs the top
 *     bit of A's bytes is flipped, which adds 128 or takes it off; 128 times the sum of the
 * column's weights is kept in an accumulator of its own and taken off or added at the end.
 *   - dot 2 (pmaddwd, smlad, i32x4.dot_i16x8_s) does the same in two halves: the even bytes of each
 *     lane, extended to 16 bits, and the odd ones.  The products of bytes and the sum of two fit 32
 *     bits whatever the signs, where the byte form before VNNI (pmaddubsw) saturates.
 *   - dot 1 (smlal) multiplies single values in 16 bits, with twice the lanes of a plain product.
 *   - dot 16 (vmladav) multiplies sixteen bytes of a row and a column and adds all products to one
 *     sum in a general register.
 *   - dot pairs (the Vector Engine's packed multiply-add) multiplies two floats of K with those of
 * a lane of 64 bits and keeps two sums in the lane.
 *   - dot 2x8x2 (smmla) multiplies eight bytes of two rows with eight of two columns and adds to
 * four sums.  A vector of four columns of two rows is kept as the left pair and the right pair of
 *     columns, in what would be the sums of the first and the second row.
 *
 * Those of bytes are exact: sums wrap modulo 2^32 as they do in the evaluator.
 */
#include <string.h>

#include "bundle/emit/emit_plain.h"
#include "bundle/tile/contract_tile.h"

enum { HALF_LANES = 4 }; /* of a product of 16 bits: half of a vector */

static enum dtype type_of(const struct tile *t, const struct koperand *o)
{
    return t->ek->k->bufs[o->buf].dtype;
}

/* ---- how groups lie ---- */

LLVMTypeRef tile_group_type(const struct tile *t)
{
    struct emit *e = t->ek->e;
    if (t->e->dot == SCHEDULE_DOT_PAIRS)
        return e->i64;
    switch (t->e->group) {
    case 1:
        return emit_memory_type(e, type_of(t, &t->c->a));
    case 4:
        return e->i32;
    case 8:
        return e->i64;
    default:
        return LLVMVectorType(e->i8, (unsigned)t->e->group);
    }
}

LLVMValueRef tile_same_bytes(const struct tile *t, unsigned byte)
{
    LLVMTypeRef type = tile_group_type(t);
    if (LLVMGetTypeKind(type) == LLVMVectorTypeKind)
        return emit_int_like(LLVMGetPoison(type), t->ek->e->i8, byte);
    return LLVMConstInt(type, byte * 0x0101010101010101u, 0);
}

LLVMValueRef tile_put(const struct tile *t, LLVMValueRef group, LLVMValueRef v, int at)
{
    struct emit *e = t->ek->e;
    LLVMTypeRef type = LLVMTypeOf(group);
    unsigned bits = dtype_bits(type_of(t, &t->c->a));
    if (LLVMGetTypeKind(type) == LLVMVectorTypeKind)
        return LLVMBuildInsertElement(e->b, group, v, emit_index(e, at), "");
    v = LLVMBuildBitCast(e->b, v, LLVMIntTypeInContext(e->ctx, bits), "");
    v = LLVMBuildZExt(e->b, v, type, "");
    v = LLVMBuildShl(e->b, v, LLVMConstInt(type, bits * (unsigned)at, 0), "");
    return LLVMBuildOr(e->b, group, v, "");
}

/* ---- extending ---- */

/* Bytes as 16 bits. */
static LLVMValueRef extended(struct tile *t, LLVMValueRef v, enum dtype type)
{
    struct emit *e = t->ek->e;
    LLVMTypeRef to = emit_like(v, e->i16);
    return type == DTYPE_U8 ? LLVMBuildZExt(e->b, v, to, "") : LLVMBuildSExt(e->b, v, to, "");
}

/* The even or the odd bytes of each lane as 16 bits. */
static LLVMValueRef half_of(struct tile *t, LLVMValueRef v, enum dtype type, int odd)
{
    struct emit *e = t->ek->e;
    if (t->e->vector == 1) {
        LLVMValueRef eight[3] = {v, v, LLVMConstInt(e->i32, 8, 0)};
        LLVMValueRef turned = odd ? emit_intrinsic(e, "llvm.fshr", &e->i32, 1, eight, 3) : v;
        return emit_intrinsic(e, type == DTYPE_U8 ? "llvm.arm.uxtb16" : "llvm.arm.sxtb16", NULL, 0,
                              &turned, 1);
    }
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

/* ---- factors ---- */

/* Floats of 16 bits, which are their bits elsewhere. */
static LLVMValueRef as_floats(struct tile *t, LLVMValueRef v)
{
    LLVMContextRef ctx = t->ek->e->ctx;
    bool is_half = t->dot->kind->floats == DTYPE_F16;
    LLVMTypeRef type = is_half ? LLVMHalfTypeInContext(ctx) : LLVMBFloatTypeInContext(ctx);
    return LLVMBuildBitCast(t->ek->e->b, v, emit_like(v, type), "");
}

/* A value as products of 16 bits take it. */
static LLVMValueRef in_16_bits(struct tile *t, LLVMValueRef v, enum dtype type)
{
    return t->dot->kind->floats ? as_floats(t, v) : extended(t, v, type);
}

static LLVMValueRef flipped(struct tile *t, LLVMValueRef v)
{
    if (!t->product.flipped)
        return v;
    LLVMTypeRef type = LLVMTypeOf(v);
    bool is_vector = LLVMGetTypeKind(type) == LLVMVectorTypeKind;
    LLVMTypeRef lane = is_vector ? LLVMGetElementType(type) : type;
    return LLVMBuildXor(t->ek->e->b, v, emit_int_like(v, lane, (int64_t)0x8080808080808080), "");
}

static struct factor halves(struct tile *t, LLVMValueRef v, enum dtype type)
{
    struct factor f;
    f.v[0] = half_of(t, v, type, 0);
    f.v[1] = half_of(t, v, type, 1);
    return f;
}

/* Lane `lane` of a vector in `lanes` of another. */
static LLVMValueRef spread(struct tile *t, LLVMValueRef v, int lane, int lanes)
{
    struct emit *e = t->ek->e;
    LLVMValueRef index[64];
    for (int i = 0; i < lanes; i++)
        index[i] = LLVMConstInt(e->i32, (unsigned)lane, 0);
    return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                  LLVMConstVector(index, (unsigned)lanes), "");
}

/* Of a vector that holds one value of A. */
static int lanes_of_a(const struct tile *t)
{
    return t->e->dot == SCHEDULE_DOT1 && !t->dot->kind->floats ? HALF_LANES : t->e->vector;
}

struct factor tile_factor_of_a(struct tile *t, LLVMValueRef group)
{
    struct emit *e = t->ek->e;
    enum dtype type = type_of(t, &t->c->a);
    switch (t->e->dot) {
    case SCHEDULE_DOT1: {
        LLVMValueRef one = in_16_bits(t, group, type);
        if (t->dot->kind->takes_number)
            return (struct factor){{one}};
        unsigned lanes = (unsigned)lanes_of_a(t);
        LLVMValueRef none = LLVMGetPoison(LLVMVectorType(LLVMTypeOf(one), lanes));
        one = LLVMBuildInsertElement(e->b, none, one, emit_index(e, 0), "");
        return (struct factor){{spread(t, one, 0, (int)lanes)}};
    }
    case SCHEDULE_DOT2:
        return halves(t, emit_splat(t->ek, group), type);
    case SCHEDULE_DOT4:
        return (struct factor){{flipped(t, emit_splat(t->ek, group))}};
    default:
        return (struct factor){{flipped(t, group)}};
    }
}

LLVMValueRef tile_groups_of_a(struct tile *t, LLVMValueRef groups)
{
    return t->e->dot == SCHEDULE_DOT1 ? in_16_bits(t, groups, type_of(t, &t->c->a))
                                      : flipped(t, groups);
}

struct factor tile_lane_of(struct tile *t, LLVMValueRef groups, int lane)
{
    return (struct factor){{spread(t, groups, lane, lanes_of_a(t))}};
}

/* One above the other: eight bytes each. */
struct factor tile_pair_of_a(struct tile *t, LLVMValueRef upper, LLVMValueRef lower)
{
    struct emit *e = t->ek->e;
    LLVMValueRef v = LLVMGetPoison(LLVMVectorType(e->i64, 2));
    v = LLVMBuildInsertElement(e->b, v, upper, emit_index(e, 0), "");
    v = LLVMBuildInsertElement(e->b, v, lower, emit_index(e, 1), "");
    return (struct factor){{v}};
}

LLVMTypeRef tile_type_of_b(const struct tile *t)
{
    struct emit *e = t->ek->e;
    bool by_byte = t->e->dot == SCHEDULE_DOT1 || t->e->vector == 1;
    if (t->e->dot == SCHEDULE_DOT_SQUARE)
        return LLVMVectorType(e->i64, 2);
    if (t->e->dot == SCHEDULE_DOT_PAIRS)
        return LLVMVectorType(e->f64, (unsigned)t->e->vector);
    if (by_byte && t->e->dot != SCHEDULE_DOT2)
        return LLVMVectorType(emit_memory_type(e, type_of(t, &t->c->b)),
                              (unsigned)(t->e->vector * t->e->group));
    return emit_lane_type(t->ek, DTYPE_I32, true);
}

struct factor tile_factor_of_b(struct tile *t, LLVMValueRef v)
{
    enum dtype type = type_of(t, &t->c->b);
    if (t->e->dot == SCHEDULE_DOT1)
        return (struct factor){{in_16_bits(t, v, type)}};
    return t->e->dot == SCHEDULE_DOT2 ? halves(t, v, type) : (struct factor){{v}};
}

/* ---- products ---- */

/* ARM's instructions take vectors of bytes, x86's the lanes that hold them. */
static LLVMValueRef by_lanes(struct tile *t, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b)
{
    struct emit *e = t->ek->e;
    const char *name = t->product.name;
    LLVMTypeRef types[2] = {LLVMTypeOf(acc), LLVMVectorType(e->i8, 4 * (unsigned)t->e->vector)};
    bool of_bytes = LLVMIntrinsicIsOverloaded(LLVMLookupIntrinsicID(name, strlen(name)));
    if (of_bytes) {
        a = LLVMBuildBitCast(e->b, a, types[1], "");
        b = LLVMBuildBitCast(e->b, b, types[1], "");
    }
    LLVMValueRef args[3] = {acc, t->product.exchanged ? b : a, t->product.exchanged ? a : b};
    return emit_intrinsic(e, name, types, of_bytes ? 2 : 0, args, 3);
}

static LLVMValueRef pairs(struct tile *t, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef args[3] = {a, b, acc};
    LLVMValueRef v =
        emit_intrinsic(t->ek->e, t->product.name, NULL, 0, args, t->dot->kind->only_adds ? 2 : 3);
    return t->dot->kind->only_adds ? LLVMBuildAdd(t->ek->e->b, acc, v, "") : v;
}

/* Four lanes of eight, from `first` on in steps. */
static LLVMValueRef four_of(struct emit *e, LLVMValueRef v, unsigned first, unsigned step)
{
    LLVMValueRef index[HALF_LANES];
    for (unsigned i = 0; i < HALF_LANES; i++)
        index[i] = LLVMConstInt(e->i32, first + i * step, 0);
    return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                  LLVMConstVector(index, HALF_LANES), "");
}

static LLVMValueRef joined(struct emit *e, LLVMValueRef first, LLVMValueRef second)
{
    LLVMValueRef index[2 * HALF_LANES];
    for (unsigned i = 0; i < 2 * HALF_LANES; i++)
        index[i] = LLVMConstInt(e->i32, i, 0);
    return LLVMBuildShuffleVector(e->b, first, second, LLVMConstVector(index, 2 * HALF_LANES), "");
}

/* acc + the product of 16-bit lanes, four at a time */
static LLVMValueRef widening(struct tile *t, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b)
{
    struct emit *e = t->ek->e;
    LLVMTypeRef four = LLVMVectorType(e->i32, HALF_LANES);
    LLVMValueRef part[2] = {NULL, NULL};
    for (int i = 0; i * HALF_LANES < t->e->vector; i++) {
        bool is_half = t->e->vector > HALF_LANES;
        LLVMValueRef half = is_half ? four_of(e, b, (unsigned)(i * HALF_LANES), 1) : b;
        LLVMValueRef args[2] = {half, a};
        part[i] = emit_intrinsic(e, t->product.name, &four, 1, args, 2);
    }
    if (part[1])
        part[0] = joined(e, part[0], part[1]);
    return LLVMBuildAdd(e->b, acc, part[0], "");
}

/* acc + a * b of floats: of the lower half of the columns and then of the upper, or of the even
   ones and then of the odd. */
static LLVMValueRef by_halves(struct tile *t, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b)
{
    struct emit *e = t->ek->e;
    LLVMTypeRef types[2] = {LLVMVectorType(e->f32, HALF_LANES), LLVMTypeOf(b)};
    LLVMValueRef first[3] = {four_of(e, acc, 0, 1), b, a};
    LLVMValueRef second[3] = {four_of(e, acc, HALF_LANES, 1), b, a};
    unsigned n_types = t->dot->kind->floats == DTYPE_F16 ? 2 : 0;
    first[0] = emit_intrinsic(e, t->product.name, types, n_types, first, 3);
    second[0] = emit_intrinsic(e, t->dot->kind->second, types, n_types, second, 3);
    return joined(e, first[0], second[0]);
}

/* One shuffle of all would let LLVM store both halves at once, which ties the sums to neighbouring
   registers and brings the tile out of them. */
LLVMValueRef tile_zipped(struct tile *t, LLVMValueRef v)
{
    struct emit *e = t->ek->e;
    LLVMValueRef half[2];
    for (unsigned h = 0; h < 2; h++) {
        LLVMValueRef index[HALF_LANES];
        for (unsigned i = 0; i < HALF_LANES; i++)
            index[i] = LLVMConstInt(e->i32, h * HALF_LANES / 2 + i / 2 + i % 2 * HALF_LANES, 0);
        half[h] = LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                         LLVMConstVector(index, HALF_LANES), "");
    }
    return joined(e, half[0], half[1]);
}

/* The first lanes of a register group of `type`, or what they are. */
static LLVMValueRef into_group(struct emit *e, LLVMTypeRef type, LLVMValueRef v)
{
    LLVMTypeRef types[2] = {type, LLVMTypeOf(v)};
    LLVMValueRef args[3] = {LLVMGetPoison(type), v, LLVMConstInt(e->i64, 0, 0)};
    return emit_intrinsic(e, "llvm.vector.insert", types, 2, args, 3);
}

static LLVMValueRef out_of_group(struct emit *e, LLVMTypeRef type, LLVMValueRef v)
{
    LLVMTypeRef types[2] = {type, LLVMTypeOf(v)};
    LLVMValueRef args[2] = {v, LLVMConstInt(e->i64, 0, 0)};
    return emit_intrinsic(e, "llvm.vector.extract", types, 2, args, 2);
}

/* acc + a * b with `a` one number of 16 bits.  LLVM's own type of a vector has lanes for each 64
   bits of a register, of which there are two at least. */
static LLVMValueRef by_number(struct tile *t, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b)
{
    struct emit *e = t->ek->e;
    unsigned lanes = (unsigned)t->e->vector;
    LLVMTypeRef sums = LLVMScalableVectorType(e->i32, lanes / 2);
    LLVMTypeRef factors = LLVMScalableVectorType(e->i16, lanes / 2);
    LLVMTypeRef types[4] = {sums, e->i16, factors, e->i64};
    enum { TAIL_AND_MASK_AGNOSTIC = 3 };
    LLVMValueRef args[5] = {into_group(e, sums, acc), a, into_group(e, factors, b),
                            LLVMConstInt(e->i64, lanes, 0),
                            LLVMConstInt(e->i64, TAIL_AND_MASK_AGNOSTIC, 0)};
    return out_of_group(e, LLVMTypeOf(acc), emit_intrinsic(e, t->product.name, types, 4, args, 5));
}

static LLVMValueRef across(struct tile *t, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b)
{
    struct emit *e = t->ek->e;
    LLVMTypeRef type = LLVMTypeOf(b);
    LLVMValueRef none = LLVMConstInt(e->i32, 0, 0);
    LLVMValueRef is_unsigned = LLVMConstInt(e->i32, type_of(t, &t->c->b) == DTYPE_U8, 0);
    LLVMValueRef args[6] = {is_unsigned, none, none, acc, a, b}; /* adds, without exchange */
    return emit_intrinsic(e, t->product.name, &type, 1, args, 6);
}

/* ---- pairs of floats ---- */

/* A function of the target's, which replaces it by instructions: for a vector of so many lanes. */
static LLVMValueRef call_named(struct tile *t, const char *name, LLVMTypeRef result,
                               const LLVMValueRef *args, size_t n)
{
    struct emit *e = t->ek->e;
    return plain_call_extern(e, arena_printf(e->arena, "%s.v%d", name, t->e->vector), result, args,
                             n);
}

LLVMValueRef tile_first_of_pairs(struct tile *t, LLVMValueRef v)
{
    struct emit *e = t->ek->e;
    LLVMTypeRef pairs = LLVMTypeOf(v);
    if (t->ek->k->bufs[t->c->b.buf].constant)
        return v; /* packed so */
    LLVMValueRef bits = LLVMBuildBitCast(e->b, v, emit_like(v, e->i64), "");
    bits = LLVMBuildAnd(e->b, bits, emit_int_like(bits, e->i64, UINT32_MAX), "");
    return LLVMBuildBitCast(e->b, bits, pairs, "");
}

LLVMValueRef tile_sum_of_pairs(struct tile *t, LLVMValueRef sums)
{
    LLVMTypeRef type = emit_lane_type(t->ek, t->c->acc, true);
    return call_named(t, t->dot->kind->second, type, &sums, 1);
}

LLVMValueRef tile_add_product(struct tile *t, LLVMValueRef acc, const struct factor *a,
                              const struct factor *b)
{
    switch (t->e->dot) {
    case SCHEDULE_DOT1:
        if (t->dot->kind->takes_number)
            return by_number(t, acc, a->v[0], b->v[0]);
        if (t->dot->kind->floats)
            return by_halves(t, acc, a->v[0], b->v[0]);
        return widening(t, acc, a->v[0], b->v[0]);
    case SCHEDULE_DOT2:
        acc = pairs(t, acc, a->v[0], b->v[0]);
        return pairs(t, acc, a->v[1], b->v[1]);
    case SCHEDULE_DOT16:
        return across(t, acc, a->v[0], b->v[0]);
    case SCHEDULE_DOT_PAIRS:
        return call_named(t, t->product.name, LLVMTypeOf(acc),
                          (LLVMValueRef[]){acc, a->v[0], b->v[0]}, 3);
    default:
        return by_lanes(t, acc, a->v[0], b->v[0]);
    }
}

LLVMValueRef tile_row_of_square(struct tile *t, LLVMValueRef left, LLVMValueRef right, int row)
{
    struct emit *e = t->ek->e;
    LLVMValueRef index[4];
    for (int i = 0; i < 4; i++)
        index[i] = LLVMConstInt(e->i32, (unsigned)(2 * row + i % 2 + 4 * (i / 2)), 0);
    return LLVMBuildShuffleVector(e->b, left, right, LLVMConstVector(index, 4), "");
}
