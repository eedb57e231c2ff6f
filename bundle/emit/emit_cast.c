/* Conversions between element types, as `cast` of kernel IR defines them. */
#include "bundle/emit/emit_internal.h"

/* ---- 16-bit floats ---- */

static LLVMValueRef bf16_to_f32(struct emit *e, LLVMValueRef v)
{
    LLVMValueRef w = LLVMBuildZExt(e->b, v, emit_like(v, e->i32), "");
    w = LLVMBuildShl(e->b, w, emit_int_like(v, e->i32, 16), "");
    return LLVMBuildBitCast(e->b, w, emit_like(v, e->f32), "");
}

static LLVMValueRef f32_to_bf16(struct emit *e, LLVMValueRef v)
{
    LLVMValueRef w = LLVMBuildBitCast(e->b, v, emit_like(v, e->i32), "");
    LLVMValueRef top = LLVMBuildLShr(e->b, w, emit_int_like(v, e->i32, 16), "");
    LLVMValueRef odd = LLVMBuildAnd(e->b, top, emit_int_like(v, e->i32, 1), "");
    LLVMValueRef bias = LLVMBuildAdd(e->b, odd, emit_int_like(v, e->i32, 0x7fff), "");
    LLVMValueRef r =
        LLVMBuildLShr(e->b, LLVMBuildAdd(e->b, w, bias, ""), emit_int_like(v, e->i32, 16), "");
    LLVMValueRef quiet = LLVMBuildOr(e->b, top, emit_int_like(v, e->i32, 0x40), "");
    LLVMValueRef nan = LLVMBuildFCmp(e->b, LLVMRealUNO, v, v, "");
    return LLVMBuildTrunc(e->b, LLVMBuildSelect(e->b, nan, quiet, r, ""), emit_like(v, e->i16), "");
}

static LLVMValueRef f16_to_f32(struct emit *e, LLVMValueRef v)
{
    LLVMBuilderRef b = e->b;
    if (e->target->has_f16)
        return LLVMBuildFPExt(
            b, LLVMBuildBitCast(b, v, emit_like(v, LLVMHalfTypeInContext(e->ctx)), ""),
            emit_like(v, e->f32), "");
    /* Exponent and mantissa shifted into place and scaled by 2^112 give every finite value,
       subnormals included, exactly; infinities and NaN get the full exponent. */
    LLVMTypeRef i32 = e->i32;
    LLVMValueRef w = LLVMBuildZExt(b, v, emit_like(v, i32), "");
    LLVMValueRef mag = LLVMBuildShl(b, LLVMBuildAnd(b, w, emit_int_like(v, i32, 0x7fff), ""),
                                    emit_int_like(v, i32, 13), "");
    LLVMValueRef sign = LLVMBuildShl(b, LLVMBuildAnd(b, w, emit_int_like(v, i32, 0x8000), ""),
                                     emit_int_like(v, i32, 16), "");
    LLVMValueRef f = LLVMBuildFMul(b, LLVMBuildBitCast(b, mag, emit_like(v, e->f32), ""),
                                   emit_real_like(v, e->f32, 0x1p112), "");
    LLVMValueRef bits = LLVMBuildBitCast(b, f, emit_like(v, i32), "");
    LLVMValueRef special =
        LLVMBuildICmp(b, LLVMIntUGE, mag, emit_int_like(v, i32, 0x7c00 << 13), "");
    LLVMValueRef full = LLVMBuildOr(b, mag, emit_int_like(v, i32, 0x7f800000), "");
    bits = LLVMBuildOr(b, LLVMBuildSelect(b, special, full, bits, ""), sign, "");
    return LLVMBuildBitCast(b, bits, emit_like(v, e->f32), "");
}

static LLVMValueRef f32_to_f16(struct emit *e, LLVMValueRef v)
{
    LLVMBuilderRef b = e->b;
    if (e->target->has_f16)
        return LLVMBuildBitCast(
            b, LLVMBuildFPTrunc(b, v, emit_like(v, LLVMHalfTypeInContext(e->ctx)), ""),
            emit_like(v, e->i16), "");
    LLVMTypeRef i32 = e->i32;
    LLVMValueRef w = LLVMBuildBitCast(b, v, emit_like(v, i32), "");
    LLVMValueRef sign = LLVMBuildAnd(b, LLVMBuildLShr(b, w, emit_int_like(v, i32, 16), ""),
                                     emit_int_like(v, i32, 0x8000), "");
    LLVMValueRef mag = LLVMBuildAnd(b, w, emit_int_like(v, i32, 0x7fffffff), "");
    /* Normal results: round the 13 lost bits to even, then rebias. */
    LLVMValueRef odd = LLVMBuildAnd(b, LLVMBuildLShr(b, mag, emit_int_like(v, i32, 13), ""),
                                    emit_int_like(v, i32, 1), "");
    LLVMValueRef normal = LLVMBuildAdd(b, mag, emit_int_like(v, i32, 0xfff - (112 << 23)), "");
    normal = LLVMBuildLShr(b, LLVMBuildAdd(b, normal, odd, ""), emit_int_like(v, i32, 13), "");
    /* Subnormal results: adding 0.5 lets the float adder round at the right bit. */
    LLVMValueRef half = LLVMBuildFAdd(b, LLVMBuildBitCast(b, mag, emit_like(v, e->f32), ""),
                                      emit_real_like(v, e->f32, 0.5), "");
    LLVMValueRef sub = LLVMBuildSub(b, LLVMBuildBitCast(b, half, emit_like(v, i32), ""),
                                    emit_int_like(v, i32, 0x3f000000), "");
    LLVMValueRef is_sub = LLVMBuildICmp(b, LLVMIntULT, mag, emit_int_like(v, i32, 113 << 23), "");
    LLVMValueRef r = LLVMBuildSelect(b, is_sub, sub, normal, "");
    LLVMValueRef over = LLVMBuildICmp(b, LLVMIntUGE, mag, emit_int_like(v, i32, 0x477ff000), "");
    r = LLVMBuildSelect(b, over, emit_int_like(v, i32, 0x7c00), r, "");
    LLVMValueRef nan = LLVMBuildICmp(b, LLVMIntUGT, mag, emit_int_like(v, i32, 0x7f800000), "");
    LLVMValueRef payload = LLVMBuildAnd(b, LLVMBuildLShr(b, mag, emit_int_like(v, i32, 13), ""),
                                        emit_int_like(v, i32, 0x3ff), "");
    r = LLVMBuildSelect(b, nan, LLVMBuildOr(b, payload, emit_int_like(v, i32, 0x7e00), ""), r, "");
    return LLVMBuildTrunc(b, LLVMBuildOr(b, r, sign, ""), emit_like(v, e->i16), "");
}

/* ---- integers ---- */

/* Results of less than 8 bits wrap into their range. */
LLVMValueRef emit_wrap_packed(struct emit *e, enum dtype t, LLVMValueRef v)
{
    LLVMValueRef rest = emit_int_like(v, e->i8, 8 - (int)dtype_bits(t));
    v = LLVMBuildShl(e->b, v, rest, "");
    return dtype_kind(t) == DTYPE_KIND_INT ? LLVMBuildAShr(e->b, v, rest, "")
                                           : LLVMBuildLShr(e->b, v, rest, "");
}

/* x, but `bound` where x is not above (below) it or is NaN: one instruction on x86. */
static LLVMValueRef limited(struct emit *e, LLVMRealPredicate keep, LLVMValueRef x, LLVMTypeRef s,
                            double bound)
{
    LLVMValueRef b = emit_real_like(x, s, bound);
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, keep, x, b, ""), x, b, "");
}

/* Integers of up to 16 bits: all of them are floats, so the float is limited to their range and
   goes through i32, for which processors have a conversion. */
static LLVMValueRef float_to_small(struct emit *e, enum dtype from, enum dtype to, LLVMValueRef v)
{
    LLVMTypeRef s = emit_type(e, from);
    if (dtype_int_min(to) < 0) {
        LLVMValueRef nan = LLVMBuildFCmp(e->b, LLVMRealUNO, v, v, "");
        v = LLVMBuildSelect(e->b, nan, emit_real_like(v, s, 0), v, "");
    }
    v = limited(e, LLVMRealOGT, v, s, (double)dtype_int_min(to));
    v = limited(e, LLVMRealOLT, v, s, (double)dtype_int_max(to));
    v = LLVMBuildFPToSI(e->b, v, emit_like(v, e->i32), "");
    return LLVMBuildTrunc(e->b, v, emit_like(v, emit_type(e, to)), "");
}

static LLVMValueRef float_to_int(struct emit *e, enum dtype to, LLVMValueRef v)
{
    LLVMTypeRef dst = emit_like(v, emit_type(e, to));
    bool is_signed = dtype_kind(to) == DTYPE_KIND_INT;
    LLVMTypeRef types[2] = {dst, LLVMTypeOf(v)};
    return emit_intrinsic(e, is_signed ? "llvm.fptosi.sat" : "llvm.fptoui.sat", types, 2, &v, 1);
}

LLVMValueRef emit_cast(struct emit_kernel *ek, enum dtype from, enum dtype to, LLVMValueRef v)
{
    struct emit *e = ek->e;
    LLVMBuilderRef b = e->b;
    if (from == to)
        return v;
    if (from == DTYPE_F16 || from == DTYPE_BF16)
        return emit_cast(ek, DTYPE_F32, to,
                         from == DTYPE_F16 ? f16_to_f32(e, v) : bf16_to_f32(e, v));
    if (to == DTYPE_BOOL)
        return dtype_is_float(from)
                   ? LLVMBuildFCmp(b, LLVMRealUNE, v, emit_real_like(v, emit_type(e, from), 0), "")
                   : LLVMBuildICmp(b, LLVMIntNE, v, emit_int_like(v, emit_type(e, from), 0), "");
    if (to == DTYPE_F16 || to == DTYPE_BF16) {
        /* Everything reaches 16 bits by way of f32, here and in the evaluator. */
        LLVMValueRef f = emit_cast(ek, from, DTYPE_F32, v);
        return to == DTYPE_F16 ? f32_to_f16(e, f) : f32_to_bf16(e, f);
    }
    LLVMTypeRef dst = emit_like(v, emit_type(e, to));
    if (dtype_is_float(from)) {
        if (!dtype_is_float(to))
            return dtype_bits(to) <= 16 ? float_to_small(e, from, to, v) : float_to_int(e, to, v);
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
    return dtype_bits(to) < 8 ? emit_wrap_packed(e, to, v) : v;
}
