/* Scalar and lane-wise instructions: arithmetic, comparison, conversion. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "bundle/emit/emit_internal.h"

/* 16-bit floats travel as their bits; arithmetic on them goes through f32 (one rounding per
   operation, as kernel IR asks).  4-bit integers travel as i8 within their range. */
LLVMTypeRef emit_type(struct emit *e, enum dtype t)
{
    switch (t) {
    case DTYPE_F32:
        return e->f32;
    case DTYPE_F64:
        return e->f64;
    case DTYPE_BOOL:
        return e->i1;
    default:
        return emit_memory_type(e, t);
    }
}

LLVMTypeRef emit_memory_type(struct emit *e, enum dtype t)
{
    if (t == DTYPE_F32)
        return e->f32;
    if (t == DTYPE_F64)
        return e->f64;
    switch (dtype_bits(t)) {
    case 64:
        return e->i64;
    case 32:
        return e->i32;
    case 16:
        return e->i16;
    default:
        return e->i8;
    }
}

LLVMTypeRef emit_lane_type(struct emit_kernel *ek, enum dtype t, bool varying)
{
    LLVMTypeRef s = emit_type(ek->e, t);
    return varying ? LLVMVectorType(s, (unsigned)ek->lanes) : s;
}

LLVMValueRef emit_i64(struct emit *e, int64_t v)
{
    return LLVMConstInt(e->i64, (uint64_t)v, 1);
}

static bool is_vector(LLVMValueRef v)
{
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
}

/* The type with the shape (scalar or vector) of v and elements of type s. */
static LLVMTypeRef like(LLVMValueRef v, LLVMTypeRef s)
{
    return is_vector(v) ? LLVMVectorType(s, LLVMGetVectorSize(LLVMTypeOf(v))) : s;
}

static LLVMValueRef const_like(LLVMValueRef v, LLVMTypeRef s, LLVMValueRef scalar)
{
    if (!is_vector(v))
        return scalar;
    unsigned n = LLVMGetVectorSize(LLVMTypeOf(v));
    LLVMValueRef elem[64];
    assert(n <= 64);
    for (unsigned i = 0; i < n; i++)
        elem[i] = scalar;
    (void)s;
    return LLVMConstVector(elem, n);
}

static LLVMValueRef int_like(LLVMValueRef v, LLVMTypeRef s, int64_t c)
{
    return const_like(v, s, LLVMConstInt(s, (uint64_t)c, 1));
}

static LLVMValueRef real_like(LLVMValueRef v, LLVMTypeRef s, double c)
{
    return const_like(v, s, LLVMConstReal(s, c));
}

LLVMValueRef emit_splat(struct emit_kernel *ek, LLVMValueRef v)
{
    struct emit *e = ek->e;
    LLVMTypeRef t = LLVMVectorType(LLVMTypeOf(v), (unsigned)ek->lanes);
    if (LLVMIsConstant(v)) {
        LLVMValueRef elem[64];
        for (int i = 0; i < ek->lanes; i++)
            elem[i] = v;
        return LLVMConstVector(elem, (unsigned)ek->lanes);
    }
    LLVMValueRef one = LLVMBuildInsertElement(e->b, LLVMGetPoison(t), v, emit_i64(e, 0), "");
    return LLVMBuildShuffleVector(e->b, one, LLVMGetPoison(t),
                                  LLVMConstNull(LLVMVectorType(e->i32, (unsigned)ek->lanes)), "");
}

LLVMValueRef emit_get(struct emit_kernel *ek, kval v, bool varying)
{
    const struct kinst *in = kernel_inst(ek->k, v);
    LLVMValueRef value;
    bool is_varying;
    if (in->op == KOP_INDEX) {
        value = eaffine_full(ek, &ek->bind[v], &is_varying);
    } else {
        value = ek->val[v];
        is_varying = ek->varying[v];
    }
    assert(value && (varying || !is_varying));
    return varying && !is_varying ? emit_splat(ek, value) : value;
}

void emit_set(struct emit_kernel *ek, kval v, LLVMValueRef value, bool varying)
{
    ek->val[v] = value;
    ek->varying[v] = varying;
}

LLVMValueRef emit_intrinsic(struct emit *e, const char *name, LLVMTypeRef *types, unsigned n_types,
                            LLVMValueRef *args, unsigned n_args)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    assert(id);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->mod, id, types, n_types);
    LLVMTypeRef t = LLVMIntrinsicGetType(e->ctx, id, types, n_types);
    return LLVMBuildCall2(e->b, t, fn, args, n_args, "");
}

static LLVMValueRef intrinsic1(struct emit *e, const char *name, LLVMValueRef a)
{
    LLVMTypeRef t = LLVMTypeOf(a);
    return emit_intrinsic(e, name, &t, 1, &a, 1);
}

/* ---- 16-bit floats ---- */

static LLVMValueRef bf16_to_f32(struct emit *e, LLVMValueRef v)
{
    LLVMValueRef w = LLVMBuildZExt(e->b, v, like(v, e->i32), "");
    w = LLVMBuildShl(e->b, w, int_like(v, e->i32, 16), "");
    return LLVMBuildBitCast(e->b, w, like(v, e->f32), "");
}

static LLVMValueRef f32_to_bf16(struct emit *e, LLVMValueRef v)
{
    LLVMValueRef w = LLVMBuildBitCast(e->b, v, like(v, e->i32), "");
    LLVMValueRef top = LLVMBuildLShr(e->b, w, int_like(v, e->i32, 16), "");
    LLVMValueRef odd = LLVMBuildAnd(e->b, top, int_like(v, e->i32, 1), "");
    LLVMValueRef bias = LLVMBuildAdd(e->b, odd, int_like(v, e->i32, 0x7fff), "");
    LLVMValueRef r = LLVMBuildLShr(e->b, LLVMBuildAdd(e->b, w, bias, ""),
                                   int_like(v, e->i32, 16), "");
    LLVMValueRef quiet = LLVMBuildOr(e->b, top, int_like(v, e->i32, 0x40), "");
    LLVMValueRef nan = LLVMBuildFCmp(e->b, LLVMRealUNO, v, v, "");
    return LLVMBuildTrunc(e->b, LLVMBuildSelect(e->b, nan, quiet, r, ""), like(v, e->i16), "");
}

static LLVMValueRef f16_to_f32(struct emit *e, LLVMValueRef v)
{
    LLVMBuilderRef b = e->b;
    if (e->has_f16)
        return LLVMBuildFPExt(
            b, LLVMBuildBitCast(b, v, like(v, LLVMHalfTypeInContext(e->ctx)), ""), like(v, e->f32),
            "");
    /* Exponent and mantissa shifted into place and scaled by 2^112 give every finite value,
       subnormals included, exactly; infinities and NaN get the full exponent. */
    LLVMTypeRef i32 = e->i32;
    LLVMValueRef w = LLVMBuildZExt(b, v, like(v, i32), "");
    LLVMValueRef mag = LLVMBuildShl(b, LLVMBuildAnd(b, w, int_like(v, i32, 0x7fff), ""),
                                    int_like(v, i32, 13), "");
    LLVMValueRef sign = LLVMBuildShl(b, LLVMBuildAnd(b, w, int_like(v, i32, 0x8000), ""),
                                     int_like(v, i32, 16), "");
    LLVMValueRef f = LLVMBuildFMul(b, LLVMBuildBitCast(b, mag, like(v, e->f32), ""),
                                   real_like(v, e->f32, 0x1p112), "");
    LLVMValueRef bits = LLVMBuildBitCast(b, f, like(v, i32), "");
    LLVMValueRef special = LLVMBuildICmp(b, LLVMIntUGE, mag, int_like(v, i32, 0x7c00 << 13), "");
    LLVMValueRef full = LLVMBuildOr(b, mag, int_like(v, i32, 0x7f800000), "");
    bits = LLVMBuildOr(b, LLVMBuildSelect(b, special, full, bits, ""), sign, "");
    return LLVMBuildBitCast(b, bits, like(v, e->f32), "");
}

static LLVMValueRef f32_to_f16(struct emit *e, LLVMValueRef v)
{
    LLVMBuilderRef b = e->b;
    if (e->has_f16)
        return LLVMBuildBitCast(
            b, LLVMBuildFPTrunc(b, v, like(v, LLVMHalfTypeInContext(e->ctx)), ""),
            like(v, e->i16), "");
    LLVMTypeRef i32 = e->i32;
    LLVMValueRef w = LLVMBuildBitCast(b, v, like(v, i32), "");
    LLVMValueRef sign = LLVMBuildAnd(b, LLVMBuildLShr(b, w, int_like(v, i32, 16), ""),
                                     int_like(v, i32, 0x8000), "");
    LLVMValueRef mag = LLVMBuildAnd(b, w, int_like(v, i32, 0x7fffffff), "");
    /* Normal results: round the 13 lost bits to even, then rebias. */
    LLVMValueRef odd = LLVMBuildAnd(b, LLVMBuildLShr(b, mag, int_like(v, i32, 13), ""),
                                    int_like(v, i32, 1), "");
    LLVMValueRef normal = LLVMBuildAdd(b, mag, int_like(v, i32, 0xfff - (112 << 23)), "");
    normal = LLVMBuildLShr(b, LLVMBuildAdd(b, normal, odd, ""), int_like(v, i32, 13), "");
    /* Subnormal results: adding 0.5 lets the float adder round at the right bit. */
    LLVMValueRef half = LLVMBuildFAdd(b, LLVMBuildBitCast(b, mag, like(v, e->f32), ""),
                                      real_like(v, e->f32, 0.5), "");
    LLVMValueRef sub = LLVMBuildSub(b, LLVMBuildBitCast(b, half, like(v, i32), ""),
                                    int_like(v, i32, 0x3f000000), "");
    LLVMValueRef is_sub = LLVMBuildICmp(b, LLVMIntULT, mag, int_like(v, i32, 113 << 23), "");
    LLVMValueRef r = LLVMBuildSelect(b, is_sub, sub, normal, "");
    LLVMValueRef over = LLVMBuildICmp(b, LLVMIntUGE, mag, int_like(v, i32, 0x477ff000), "");
    r = LLVMBuildSelect(b, over, int_like(v, i32, 0x7c00), r, "");
    LLVMValueRef nan = LLVMBuildICmp(b, LLVMIntUGT, mag, int_like(v, i32, 0x7f800000), "");
    LLVMValueRef payload = LLVMBuildAnd(b, LLVMBuildLShr(b, mag, int_like(v, i32, 13), ""),
                                        int_like(v, i32, 0x3ff), "");
    r = LLVMBuildSelect(b, nan, LLVMBuildOr(b, payload, int_like(v, i32, 0x7e00), ""), r, "");
    return LLVMBuildTrunc(b, LLVMBuildOr(b, r, sign, ""), like(v, e->i16), "");
}

/* ---- rounding without rounding instructions ---- */

/* Values of at least 2^52 (2^23 for f32) are integers already; below, the conversion to an integer
   of the same width is exact.  The sign is copied so that -0.5 becomes -0. */
static LLVMValueRef expand_round(struct emit *e, enum kop op, LLVMValueRef x, bool f64)
{
    LLVMBuilderRef b = e->b;
    LLVMTypeRef s = f64 ? e->f64 : e->f32;
    LLVMTypeRef i = f64 ? e->i64 : e->i32;
    double limit = f64 ? 0x1p52 : 0x1p23;
    LLVMValueRef mag = intrinsic1(e, "llvm.fabs", x);
    LLVMValueRef small = LLVMBuildFCmp(b, LLVMRealOLT, mag, real_like(x, s, limit), "");
    LLVMValueRef r;
    if (op == KOP_RINT) {
        LLVMValueRef big = real_like(x, s, limit);
        r = LLVMBuildFSub(b, LLVMBuildFAdd(b, mag, big, ""), big, "");
    } else {
        LLVMValueRef safe = LLVMBuildSelect(b, small, x, real_like(x, s, 0), "");
        r = LLVMBuildSIToFP(b, LLVMBuildFPToSI(b, safe, like(x, i), ""), like(x, s), "");
        if (op != KOP_TRUNC) {
            bool floor = op == KOP_FLOOR;
            LLVMValueRef off =
                LLVMBuildFCmp(b, floor ? LLVMRealOGT : LLVMRealOLT, r, safe, "");
            LLVMValueRef moved = LLVMBuildFAdd(b, r, real_like(x, s, floor ? -1 : 1), "");
            r = LLVMBuildSelect(b, off, moved, r, "");
        }
    }
    LLVMValueRef args[2] = {r, x};
    LLVMTypeRef t = LLVMTypeOf(x);
    r = emit_intrinsic(e, "llvm.copysign", &t, 1, args, 2);
    return LLVMBuildSelect(b, small, r, x, "");
}

static LLVMValueRef emit_round(struct emit *e, enum kop op, enum dtype t, LLVMValueRef x)
{
    if (!e->has_round)
        return expand_round(e, op, x, t == DTYPE_F64);
    switch (op) {
    case KOP_FLOOR:
        return intrinsic1(e, "llvm.floor", x);
    case KOP_CEIL:
        return intrinsic1(e, "llvm.ceil", x);
    case KOP_TRUNC:
        return intrinsic1(e, "llvm.trunc", x);
    default:
        return intrinsic1(e, "llvm.nearbyint", x);
    }
}

/* ---- arithmetic ---- */

static LLVMValueRef float_op(struct emit *e, enum kop op, enum dtype t, LLVMValueRef a,
                             LLVMValueRef b)
{
    LLVMBuilderRef bl = e->b;
    switch (op) {
    case KOP_ADD:
        return LLVMBuildFAdd(bl, a, b, "");
    case KOP_SUB:
        return LLVMBuildFSub(bl, a, b, "");
    case KOP_MUL:
        return LLVMBuildFMul(bl, a, b, "");
    case KOP_DIV:
        return LLVMBuildFDiv(bl, a, b, "");
    case KOP_MIN:
        return LLVMBuildSelect(bl, LLVMBuildFCmp(bl, LLVMRealOLT, a, b, ""), a, b, "");
    case KOP_MAX:
        return LLVMBuildSelect(bl, LLVMBuildFCmp(bl, LLVMRealOGT, a, b, ""), a, b, "");
    case KOP_EQ:
        return LLVMBuildFCmp(bl, LLVMRealOEQ, a, b, "");
    case KOP_NE:
        return LLVMBuildFCmp(bl, LLVMRealUNE, a, b, "");
    case KOP_LT:
        return LLVMBuildFCmp(bl, LLVMRealOLT, a, b, "");
    case KOP_LE:
        return LLVMBuildFCmp(bl, LLVMRealOLE, a, b, "");
    case KOP_NEG:
        return LLVMBuildFNeg(bl, a, "");
    case KOP_ABS:
        return intrinsic1(e, "llvm.fabs", a);
    case KOP_SQRT:
        return intrinsic1(e, "llvm.sqrt", a);
    case KOP_FLOOR:
    case KOP_CEIL:
    case KOP_TRUNC:
    case KOP_RINT:
        return emit_round(e, op, t, a);
    default:
        assert(!"not an operation on floats");
        return a;
    }
}

/* Division that cannot trap: a divisor of 0 gives 0 (remainder 0), INT_MIN / -1 gives INT_MIN. */
static LLVMValueRef int_div(struct emit *e, enum kop op, bool is_signed, LLVMTypeRef s,
                            LLVMValueRef a, LLVMValueRef b)
{
    LLVMBuilderRef bl = e->b;
    LLVMValueRef zero = int_like(a, s, 0), one = int_like(a, s, 1);
    bool known = LLVMIsAConstantInt(b) && LLVMConstIntGetSExtValue(b) != 0 &&
                 LLVMConstIntGetSExtValue(b) != -1;
    LLVMValueRef by_zero = NULL, by = b;
    if (!known) {
        by_zero = LLVMBuildICmp(bl, LLVMIntEQ, b, zero, "");
        LLVMValueRef bad = by_zero;
        if (is_signed) {
            LLVMValueRef minus = LLVMBuildICmp(bl, LLVMIntEQ, b, int_like(a, s, -1), "");
            int64_t least = (int64_t)((uint64_t)1 << (LLVMGetIntTypeWidth(s) - 1));
            LLVMValueRef min = LLVMBuildICmp(bl, LLVMIntEQ, a, int_like(a, s, least), "");
            bad = LLVMBuildOr(bl, bad, LLVMBuildAnd(bl, minus, min, ""), "");
        }
        by = LLVMBuildSelect(bl, bad, one, b, "");
    }
    LLVMValueRef q;
    if (op == KOP_DIV)
        q = is_signed ? LLVMBuildSDiv(bl, a, by, "") : LLVMBuildUDiv(bl, a, by, "");
    else
        q = is_signed ? LLVMBuildSRem(bl, a, by, "") : LLVMBuildURem(bl, a, by, "");
    return known ? q : LLVMBuildSelect(bl, by_zero, zero, q, "");
}

static LLVMValueRef int_op(struct emit *e, enum kop op, enum dtype t, LLVMValueRef a,
                           LLVMValueRef b)
{
    LLVMBuilderRef bl = e->b;
    bool is_signed = dtype_kind(t) == DTYPE_KIND_INT;
    LLVMTypeRef s = emit_type(e, t);
    switch (op) {
    case KOP_ADD:
        return LLVMBuildAdd(bl, a, b, "");
    case KOP_SUB:
        return LLVMBuildSub(bl, a, b, "");
    case KOP_MUL:
        return LLVMBuildMul(bl, a, b, "");
    case KOP_DIV:
    case KOP_REM:
        return int_div(e, op, is_signed, s, a, b);
    case KOP_MIN:
        return LLVMBuildSelect(
            bl, LLVMBuildICmp(bl, is_signed ? LLVMIntSLT : LLVMIntULT, a, b, ""), a, b, "");
    case KOP_MAX:
        return LLVMBuildSelect(
            bl, LLVMBuildICmp(bl, is_signed ? LLVMIntSGT : LLVMIntUGT, a, b, ""), a, b, "");
    case KOP_AND:
        return LLVMBuildAnd(bl, a, b, "");
    case KOP_OR:
        return LLVMBuildOr(bl, a, b, "");
    case KOP_XOR:
        return LLVMBuildXor(bl, a, b, "");
    case KOP_SHL:
        return LLVMBuildShl(bl, a, b, "");
    case KOP_SHR:
        return is_signed ? LLVMBuildAShr(bl, a, b, "") : LLVMBuildLShr(bl, a, b, "");
    case KOP_NEG:
        return LLVMBuildNeg(bl, a, "");
    case KOP_NOT:
        return LLVMBuildNot(bl, a, "");
    case KOP_ABS: {
        LLVMValueRef neg = LLVMBuildICmp(bl, LLVMIntSLT, a, int_like(a, s, 0), "");
        return is_signed ? LLVMBuildSelect(bl, neg, LLVMBuildNeg(bl, a, ""), a, "") : a;
    }
    case KOP_EQ:
        return LLVMBuildICmp(bl, LLVMIntEQ, a, b, "");
    case KOP_NE:
        return LLVMBuildICmp(bl, LLVMIntNE, a, b, "");
    case KOP_LT:
        return LLVMBuildICmp(bl, is_signed ? LLVMIntSLT : LLVMIntULT, a, b, "");
    case KOP_LE:
        return LLVMBuildICmp(bl, is_signed ? LLVMIntSLE : LLVMIntULE, a, b, "");
    default:
        assert(!"not an operation on integers");
        return a;
    }
}

static bool is_compare(enum kop op)
{
    return kop_kind(op) == KOP_KIND_COMPARE;
}

/* 4-bit results wrap into their range. */
static LLVMValueRef wrap4(struct emit *e, enum dtype t, LLVMValueRef v)
{
    LLVMValueRef four = int_like(v, e->i8, 4);
    v = LLVMBuildShl(e->b, v, four, "");
    return t == DTYPE_I4 ? LLVMBuildAShr(e->b, v, four, "") : LLVMBuildLShr(e->b, v, four, "");
}

LLVMValueRef emit_scalar_op(struct emit_kernel *ek, enum kop op, enum dtype t, LLVMValueRef a,
                            LLVMValueRef b)
{
    struct emit *e = ek->e;
    if (t == DTYPE_F16 || t == DTYPE_BF16) {
        a = emit_cast(ek, t, DTYPE_F32, a);
        b = b ? emit_cast(ek, t, DTYPE_F32, b) : NULL;
        LLVMValueRef r = float_op(e, op, DTYPE_F32, a, b);
        return is_compare(op) ? r : emit_cast(ek, DTYPE_F32, t, r);
    }
    if (dtype_is_float(t))
        return float_op(e, op, t, a, b);
    LLVMValueRef r = int_op(e, op, t, a, b);
    return dtype_bits(t) == 4 && !is_compare(op) ? wrap4(e, t, r) : r;
}

/* ---- conversion ---- */

static LLVMValueRef float_to_int(struct emit *e, enum dtype to, LLVMValueRef v)
{
    LLVMTypeRef dst = like(v, emit_type(e, to));
    bool is_signed = dtype_kind(to) == DTYPE_KIND_INT;
    LLVMTypeRef types[2] = {dst, LLVMTypeOf(v)};
    LLVMValueRef r =
        emit_intrinsic(e, is_signed ? "llvm.fptosi.sat" : "llvm.fptoui.sat", types, 2, &v, 1);
    if (dtype_bits(to) == 4) {
        LLVMValueRef lo = int_like(v, e->i8, dtype_int_min(to));
        LLVMValueRef hi = int_like(v, e->i8, dtype_int_max(to));
        r = int_op(e, KOP_MAX, is_signed ? DTYPE_I8 : DTYPE_U8, r, lo);
        r = int_op(e, KOP_MIN, is_signed ? DTYPE_I8 : DTYPE_U8, r, hi);
    }
    return r;
}

LLVMValueRef emit_cast(struct emit_kernel *ek, enum dtype from, enum dtype to, LLVMValueRef v)
{
    struct emit *e = ek->e;
    LLVMBuilderRef b = e->b;
    if (from == to)
        return v;
    if (from == DTYPE_F16 || from == DTYPE_BF16)
        return emit_cast(ek, DTYPE_F32, to, from == DTYPE_F16 ? f16_to_f32(e, v) : bf16_to_f32(e, v));
    if (to == DTYPE_BOOL)
        return dtype_is_float(from)
                   ? LLVMBuildFCmp(b, LLVMRealUNE, v, real_like(v, emit_type(e, from), 0), "")
                   : LLVMBuildICmp(b, LLVMIntNE, v, int_like(v, emit_type(e, from), 0), "");
    if (to == DTYPE_F16 || to == DTYPE_BF16) {
        /* Everything reaches 16 bits by way of f32, here and in the evaluator. */
        LLVMValueRef f = emit_cast(ek, from, DTYPE_F32, v);
        return to == DTYPE_F16 ? f32_to_f16(e, f) : f32_to_bf16(e, f);
    }
    LLVMTypeRef dst = like(v, emit_type(e, to));
    if (dtype_is_float(from)) {
        if (!dtype_is_float(to))
            return float_to_int(e, to, v);
        return to == DTYPE_F64 ? LLVMBuildFPExt(b, v, dst, "") : LLVMBuildFPTrunc(b, v, dst, "");
    }
    bool is_signed = dtype_kind(from) == DTYPE_KIND_INT;
    if (dtype_is_float(to))
        return is_signed ? LLVMBuildSIToFP(b, v, dst, "") : LLVMBuildUIToFP(b, v, dst, "");
    unsigned have = LLVMGetIntTypeWidth(emit_type(e, from));
    unsigned want = LLVMGetIntTypeWidth(emit_type(e, to));
    if (want > have)
        v = is_signed ? LLVMBuildSExt(b, v, dst, "") : LLVMBuildZExt(b, v, dst, "");
    else if (want < have)
        v = LLVMBuildTrunc(b, v, dst, "");
    return dtype_bits(to) == 4 ? wrap4(e, to, v) : v;
}
