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
 *   - dot 2x8x2 (smmla) multiplies eight bytes of two rows with eight of two columns and adds to
 * four sums.  A vector of four columns of two rows is kept as the left pair and the right pair of
 *     columns, in what would be the sums of the first and the second row.
 *
 * All are exact: sums wrap modulo 2^32 as they do in the evaluator.
 */
#include <string.h>

#include "cpu_runtime/codegen/contract_tile.h"

enum { HALF_LANES = 4 }; /* of a product of 16 bits: half of a vector */

static enum dtype type_of(const struct tile *t, const struct koperand *o)
{
    return t->ek->k->bufs[o->buf].dtype;
}

/* ---- how groups lie ---- */

LLVMTypeRef tile_group_type(const struct tile *t)
{
    struct emit *e = t->ek->e;
    switch (t->e->group) {
    case 1:
        return e->i8;
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

LLVMValueRef tile_put_byte(const struct tile *t, LLVMValueRef group, LLVMValueRef byte, int at)
{
    struct emit *e = t->ek->e;
    LLVMTypeRef type = LLVMTypeOf(group);
    if (LLVMGetTypeKind(type) == LLVMVectorTypeKind)
        return LLVMBuildInsertElement(e->b, group, byte, emit_index(e, at), "");
    byte = LLVMBuildZExt(e->b, byte, type, "");
    byte = LLVMBuildShl(e->b, byte, LLVMConstInt(type, (unsigned)(8 * at), 0), "");
    return LLVMBuildOr(e->b, group, byte, "");
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

struct factor tile_factor_of_a(struct tile *t, LLVMValueRef group)
{
    struct emit *e = t->ek->e;
    enum dtype type = type_of(t, &t->c->a);
    switch (t->e->dot) {
    case SCHEDULE_DOT1: {
        LLVMValueRef one = extended(t, group, type);
        LLVMValueRef none = LLVMGetPoison(LLVMVectorType(e->i16, HALF_LANES));
        one = LLVMBuildInsertElement(e->b, none, one, emit_index(e, 0), "");
        return (struct factor){{spread(t, one, 0, HALF_LANES)}};
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
    return t->e->dot == SCHEDULE_DOT1 ? extended(t, groups, type_of(t, &t->c->a))
                                      : flipped(t, groups);
}

struct factor tile_lane_of(struct tile *t, LLVMValueRef groups, int lane)
{
    int lanes = t->e->dot == SCHEDULE_DOT1 ? HALF_LANES : t->e->vector;
    return (struct factor){{spread(t, groups, lane, lanes)}};
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
    if (by_byte && t->e->dot != SCHEDULE_DOT2)
        return LLVMVectorType(e->i8, (unsigned)(t->e->vector * t->e->group));
    return emit_lane_type(t->ek, DTYPE_I32, true);
}

struct factor tile_factor_of_b(struct tile *t, LLVMValueRef v)
{
    enum dtype type = type_of(t, &t->c->b);
    if (t->e->dot == SCHEDULE_DOT1)
        return (struct factor){{extended(t, v, type)}};
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
    LLVMValueRef v = emit_intrinsic(t->ek->e, t->product.name, NULL, 0, args, t->only_adds ? 2 : 3);
    return t->only_adds ? LLVMBuildAdd(t->ek->e->b, acc, v, "") : v;
}

/* acc + the product of 16-bit lanes, four at a time */
static LLVMValueRef widening(struct tile *t, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b)
{
    struct emit *e = t->ek->e;
    LLVMTypeRef four = LLVMVectorType(e->i32, HALF_LANES);
    LLVMValueRef part[2] = {NULL, NULL}, index[2 * HALF_LANES];
    for (int i = 0; i < 2 * HALF_LANES; i++)
        index[i] = LLVMConstInt(e->i32, (unsigned)i, 0);
    for (int i = 0; i * HALF_LANES < t->e->vector; i++) {
        LLVMValueRef half = b;
        if (t->e->vector > HALF_LANES)
            half = LLVMBuildShuffleVector(e->b, b, LLVMGetPoison(LLVMTypeOf(b)),
                                          LLVMConstVector(index + i * HALF_LANES, HALF_LANES), "");
        LLVMValueRef args[2] = {half, a};
        part[i] = emit_intrinsic(e, t->product.name, &four, 1, args, 2);
    }
    if (part[1])
        part[0] = LLVMBuildShuffleVector(e->b, part[0], part[1],
                                         LLVMConstVector(index, 2 * HALF_LANES), "");
    return LLVMBuildAdd(e->b, acc, part[0], "");
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

LLVMValueRef tile_add_product(struct tile *t, LLVMValueRef acc, const struct factor *a,
                              const struct factor *b)
{
    switch (t->e->dot) {
    case SCHEDULE_DOT1:
        return widening(t, acc, a->v[0], b->v[0]);
    case SCHEDULE_DOT2:
        acc = pairs(t, acc, a->v[0], b->v[0]);
        return pairs(t, acc, a->v[1], b->v[1]);
    case SCHEDULE_DOT16:
        return across(t, acc, a->v[0], b->v[0]);
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
