/* Conversions of lanes. */
#include <assert.h>
#include <string.h>

#include "ve_runtime/codegen/vel.h"

static bool is_float(enum vel_class c)
{
    return c == VEL_F32 || c == VEL_F64;
}

static LLVMValueRef real_splat(struct vel *p, double v)
{
    return vel_op1(p, "vbrdd.vsl", LLVMConstReal(p->e->f64, v));
}

static LLVMValueRef to_f64(struct vel *p, enum vel_class from, LLVMValueRef v)
{
    return from == VEL_F32 ? vel_op1(p, "vcvtds.vvl", v) : v;
}

static LLVMValueRef from_f64(struct vel *p, enum vel_class to, LLVMValueRef v)
{
    return to == VEL_F32 ? vel_op1(p, "vcvtsd.vvl", v) : v;
}

/*
 * Numbers of 64 bits to f32 go through f64, which would round twice.  So of those with more bits
 * than f64 has, the last eleven become one that tells whether any was set.
 */
static LLVMValueRef with_sticky_bit(struct vel *p, LLVMValueRef v)
{
    enum { REST = 0x7ff };
    LLVMValueRef low = vel_op2(p, "vand.vsvl", vel_i64(p, REST), v);
    low = vel_op2(p, "vaddsl.vsvl", vel_i64(p, REST), low);
    LLVMValueRef cut = vel_op2(p, "vor.vvvl", v, low);
    cut = vel_op2(p, "vand.vsvl", vel_i64(p, ~(uint64_t)REST), cut);
    LLVMValueRef top = vel_op2(p, "vsral.vvsl", v, vel_i64(p, 53));
    LLVMValueRef next = vel_op2(p, "vaddsl.vsvl", vel_i64(p, 1), top);
    LLVMValueRef order = vel_op2(p, "vcmpul.vsvl", vel_i64(p, 1), next);
    return vel_select(p, vel_op1(p, "vfmklge.mvl", order), v, cut); /* top is 0 or -1 */
}

static LLVMValueRef signed_to_float(struct vel *p, enum vel_class from, enum vel_class to,
                                    LLVMValueRef v)
{
    if (from != VEL_I64)
        return vel_op1(p, to == VEL_F32 ? "vcvtsw.vvl" : "vcvtdw.vvl", v);
    if (to == VEL_F32)
        v = with_sticky_bit(p, v);
    return from_f64(p, to, vel_op1(p, "vcvtdl.vvl", v));
}

/* From 2^63 on: of half the number, its last bit kept where one is lost, twice. */
static LLVMValueRef unsigned_to_float(struct vel *p, enum vel_class from, enum vel_class to,
                                      LLVMValueRef v)
{
    if (from != VEL_I64)
        return signed_to_float(p, VEL_I64, to, vel_zero_extended(p, from, v));
    LLVMValueRef half = vel_op2(p, "vsrl.vvsl", v, vel_i64(p, 1));
    LLVMValueRef last = vel_op2(p, "vand.vsvl", vel_i64(p, 1), v);
    half = signed_to_float(p, VEL_I64, to, vel_op2(p, "vor.vvvl", half, last));
    LLVMValueRef twice = vel_op2(p, to == VEL_F32 ? "vfadds.vvvl" : "vfaddd.vvvl", half, half);
    LLVMValueRef is_small = vel_op1(p, "vfmklge.mvl", v);
    return vel_select(p, is_small, signed_to_float(p, VEL_I64, to, v), twice);
}

/* A bit as one of two numbers. */
static LLVMValueRef from_mask(struct vel *p, enum vel_class to, LLVMValueRef mask, bool is_signed)
{
    LLVMValueRef set;
    if (to == VEL_F32)
        set = vel_op1(p, "vbrds.vsl", LLVMConstReal(p->e->f32, is_signed ? -1 : 1));
    else if (to == VEL_F64)
        set = real_splat(p, is_signed ? -1 : 1);
    else
        set = vel_splat_bits(p, is_signed ? UINT64_MAX : 1);
    return vel_select(p, mask, set, vel_splat_bits(p, 0));
}

static LLVMValueRef to_mask(struct vel *p, enum vel_class from, LLVMValueRef v)
{
    assert(!is_float(from));
    (void)from;
    v = vel_op2(p, "vand.vsvl", vel_i64(p, 1), v);
    return vel_op1(p, "vfmklne.mvl", v);
}

/* The lower bits of a wider number, extended by their sign again. */
static LLVMValueRef truncated(struct vel *p, enum vel_class to, LLVMValueRef v)
{
    if (to != VEL_I8 && to != VEL_I16)
        return v;
    LLVMValueRef by = vel_i64(p, 32 - vel_bits(to));
    return vel_op2(p, "vsrawsx.vvsl", vel_op2(p, "vslawsx.vvsl", v, by), by);
}

/* Into 8 or 16 bits with zeros above the value, which is then no longer extended by its sign. */
static LLVMValueRef widened(struct vel *p, enum vel_class from, enum vel_class to, LLVMValueRef v,
                            bool is_signed)
{
    if (!is_signed)
        return vel_zero_extended(p, from, v);
    return to == VEL_I64 ? vel_sign_extended(p, from, v) : v;
}

/* f32 lie in the upper half, integers in the lower. */
static LLVMValueRef same_bits(struct vel *p, enum vel_class from, enum vel_class to, LLVMValueRef v)
{
    if (vel_bits(from) == 64 || from == to)
        return v;
    LLVMValueRef by = vel_i64(p, 32);
    return vel_op2(p, from == VEL_F32 ? "vsrl.vvsl" : "vsll.vvsl", v, by);
}

/* The conversion takes what fits; the rest is replaced before and after. */
LLVMValueRef vel_saturate(struct vel *p, enum vel_class from, enum vel_class to, bool is_signed,
                          LLVMValueRef v)
{
    assert(to == VEL_I32 || to == VEL_I64);
    v = to_f64(p, from, v);
    LLVMValueRef zero = real_splat(p, 0);
    v = vel_select(p, vel_is_nan(p, VEL_F64, v), zero, v);
    unsigned bits = vel_bits(to) - is_signed;
    double below = is_signed ? bits == 63 ? -0x1p63 : -0x1p31 : 0;
    LLVMValueRef least = real_splat(p, below);
    v = vel_select(p, vel_compares(p, VEL_F64, "gt", v, least), v, least);
    if (bits <= 32) {
        LLVMValueRef most = real_splat(p, bits == 32 ? 0x1p32 - 1 : 0x1p31 - 1);
        v = vel_select(p, vel_compares(p, VEL_F64, "lt", v, most), v, most);
        return vel_op1(p, "vcvtldrz.vvl", v);
    }
    LLVMValueRef limit = real_splat(p, 0x1p63);
    LLVMValueRef fits = vel_compares(p, VEL_F64, "lt", v, limit);
    LLVMValueRef low = vel_op1(p, "vcvtldrz.vvl", vel_select(p, fits, v, zero));
    if (is_signed)
        return vel_select(p, fits, low, vel_splat_bits(p, INT64_MAX));
    LLVMValueRef rest = vel_op2(p, "vfsubd.vvvl", v, limit);
    LLVMValueRef rest_fits = vel_compares(p, VEL_F64, "lt", rest, limit);
    rest = vel_select(p, rest_fits, vel_select(p, fits, zero, rest), zero);
    rest = vel_op1(p, "vcvtldrz.vvl", rest);
    rest = vel_op2(p, "vxor.vsvl", vel_i64(p, (uint64_t)1 << 63), rest);
    rest = vel_select(p, rest_fits, rest, vel_splat_bits(p, UINT64_MAX));
    return vel_select(p, fits, low, rest);
}

bool vel_scalar(struct vel *p, LLVMValueRef in, const char *called)
{
    LLVMOpcode op = LLVMGetInstructionOpcode(in);
    LLVMTypeRef type = LLVMTypeOf(in);
    bool is_f32 = type == p->e->f32, root = strncmp(called, "llvm.sqrt.", 10) == 0;
    bool rounds_twice = (op == LLVMSIToFP || op == LLVMUIToFP) && is_f32 &&
                        LLVMTypeOf(LLVMGetOperand(in, 0)) == p->e->i64;
    if (!root && !rounds_twice)
        return false;
    enum vel_class to = is_f32 ? VEL_F32 : VEL_F64;
    p->lanes = 1;
    LLVMValueRef v = vel_splat(p, root ? to : VEL_I64, LLVMGetOperand(in, 0));
    if (root)
        v = vel_op1(p, is_f32 ? "vfsqrts.vvl" : "vfsqrtd.vvl", v);
    else
        v = op == LLVMSIToFP ? signed_to_float(p, VEL_I64, to, v)
                             : unsigned_to_float(p, VEL_I64, to, v);
    LLVMValueRef first = LLVMConstInt(p->e->i32, 0, 0);
    LLVMReplaceAllUsesWith(in, vel_op2(p, is_f32 ? "lvss.svs" : "lvsd.svs", v, first));
    return true;
}

void vel_cast(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef old = LLVMGetOperand(in, 0), v = vel_get(p, old), r;
    enum vel_class from = vel_class_of(LLVMTypeOf(old)), to = vel_class_of(LLVMTypeOf(in));
    LLVMOpcode op = LLVMGetInstructionOpcode(in);
    bool is_signed = op == LLVMSExt || op == LLVMSIToFP;
    if (from == VEL_MASK) {
        r = from_mask(p, to, v, is_signed);
    } else if (op == LLVMTrunc) {
        r = to == VEL_MASK ? to_mask(p, from, v) : truncated(p, to, v);
    } else if (op == LLVMSExt || op == LLVMZExt) {
        r = widened(p, from, to, v, is_signed);
    } else if (op == LLVMSIToFP) {
        r = signed_to_float(p, from, to, v);
    } else if (op == LLVMUIToFP) {
        r = unsigned_to_float(p, from, to, v);
    } else if (op == LLVMFPToSI) {
        v = to_f64(p, from, v);
        r = vel_op1(p, "vcvtldrz.vvl", v);
    } else if (op == LLVMFPExt) {
        r = to_f64(p, from, v);
    } else if (op == LLVMFPTrunc) {
        r = from_f64(p, to, v);
    } else {
        assert(op == LLVMBitCast);
        r = same_bits(p, from, to, v);
    }
    vel_set(p, in, r);
}
