/* Values of instructions; arithmetic and comparison, scalar or lane by lane. */
#include <assert.h>

#include "bundle/emit/emit_internal.h"

LLVMValueRef emit_get(struct emit_kernel *ek, kval v, bool varying)
{
    const struct kinst *in = kernel_inst(ek->k, v);
    LLVMValueRef value;
    bool is_varying;
    if (in->op == KOP_INDEX) {
        value = emit_from_index(ek->e, eaffine_full(ek, &ek->bind[v], &is_varying));
    } else {
        value = ek->val[v];
        is_varying = ek->varying[v];
    }
    assert(value && (varying || !is_varying));
    if (ek->split[v])
        return emit_natural_order(ek, value);
    return varying && !is_varying ? emit_splat(ek, value) : value;
}

void emit_set(struct emit_kernel *ek, kval v, LLVMValueRef value, bool varying)
{
    ek->val[v] = value;
    ek->varying[v] = varying;
    ek->split[v] = false;
}

static LLVMValueRef intrinsic1(struct emit *e, const char *name, LLVMValueRef a)
{
    LLVMTypeRef t = LLVMTypeOf(a);
    return emit_intrinsic(e, name, &t, 1, &a, 1);
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
    LLVMValueRef small = LLVMBuildFCmp(b, LLVMRealOLT, mag, emit_real_like(x, s, limit), "");
    LLVMValueRef r;
    if (op == KOP_RINT) {
        LLVMValueRef big = emit_real_like(x, s, limit);
        r = LLVMBuildFSub(b, LLVMBuildFAdd(b, mag, big, ""), big, "");
    } else {
        LLVMValueRef safe = LLVMBuildSelect(b, small, x, emit_real_like(x, s, 0), "");
        r = LLVMBuildSIToFP(b, LLVMBuildFPToSI(b, safe, emit_like(x, i), ""), emit_like(x, s), "");
        if (op != KOP_TRUNC) {
            bool floor = op == KOP_FLOOR;
            LLVMValueRef off = LLVMBuildFCmp(b, floor ? LLVMRealOGT : LLVMRealOLT, r, safe, "");
            LLVMValueRef moved = LLVMBuildFAdd(b, r, emit_real_like(x, s, floor ? -1 : 1), "");
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
    if (!e->target->has_round)
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
        assert(0 && "not an operation on floats");
        return a;
    }
}

/* Division that cannot trap: a divisor of 0 gives 0 (remainder 0), INT_MIN / -1 gives INT_MIN. */
static LLVMValueRef int_div(struct emit *e, enum kop op, bool is_signed, LLVMTypeRef s,
                            LLVMValueRef a, LLVMValueRef b)
{
    LLVMBuilderRef bl = e->b;
    LLVMValueRef zero = emit_int_like(a, s, 0), one = emit_int_like(a, s, 1);
    bool known = LLVMIsAConstantInt(b) && LLVMConstIntGetSExtValue(b) != 0 &&
                 LLVMConstIntGetSExtValue(b) != -1;
    LLVMValueRef by_zero = NULL, by = b;
    if (!known) {
        by_zero = LLVMBuildICmp(bl, LLVMIntEQ, b, zero, "");
        LLVMValueRef bad = by_zero;
        if (is_signed) {
            LLVMValueRef minus = LLVMBuildICmp(bl, LLVMIntEQ, b, emit_int_like(a, s, -1), "");
            int64_t least = (int64_t)((uint64_t)1 << (LLVMGetIntTypeWidth(s) - 1));
            LLVMValueRef min = LLVMBuildICmp(bl, LLVMIntEQ, a, emit_int_like(a, s, least), "");
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
        return LLVMBuildSelect(bl, LLVMBuildICmp(bl, is_signed ? LLVMIntSLT : LLVMIntULT, a, b, ""),
                               a, b, "");
    case KOP_MAX:
        return LLVMBuildSelect(bl, LLVMBuildICmp(bl, is_signed ? LLVMIntSGT : LLVMIntUGT, a, b, ""),
                               a, b, "");
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
        LLVMValueRef neg = LLVMBuildICmp(bl, LLVMIntSLT, a, emit_int_like(a, s, 0), "");
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
        assert(0 && "not an operation on integers");
        return a;
    }
}

static bool is_compare(enum kop op)
{
    return kop_kind(op) == KOP_KIND_COMPARE;
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
    return dtype_bits(t) < 8 && !is_compare(op) ? emit_wrap_packed(e, t, r) : r;
}
