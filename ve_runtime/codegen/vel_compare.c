/* Comparisons of lanes, which make masks, and choices by masks. */
#include <assert.h>

#include "ve_runtime/codegen/vel.h"

/* The comparison leaves a number below, at or above 0, or none, of which a mask is made. */
struct comparing {
    const char *compare, *mask;
};

static struct comparing comparing(enum vel_class c, bool is_signed)
{
    switch (c) {
    case VEL_F32:
        return (struct comparing){"vfcmps", "vfmks"};
    case VEL_F64:
        return (struct comparing){"vfcmpd", "vfmkd"};
    case VEL_I64:
        return (struct comparing){is_signed ? "vcmpsl" : "vcmpul", "vfmkl"};
    default:
        return (struct comparing){is_signed ? "vcmpswsx" : "vcmpuw", "vfmkw"};
    }
}

static LLVMValueRef compared(struct vel *p, struct comparing how, const char *condition,
                             LLVMValueRef a, LLVMValueRef b)
{
    struct arena *arena = p->e->arena;
    LLVMValueRef order = vel_op2(p, arena_printf(arena, "%s.vvvl", how.compare), a, b);
    return vel_op1(p, arena_printf(arena, "%s%s.mvl", how.mask, condition), order);
}

LLVMValueRef vel_compares(struct vel *p, enum vel_class c, const char *condition, LLVMValueRef a,
                          LLVMValueRef b)
{
    return compared(p, comparing(c, true), condition, a, b);
}

LLVMValueRef vel_is_nan(struct vel *p, enum vel_class c, LLVMValueRef v)
{
    return vel_compares(p, c, "nan", v, v);
}

/* Where no number is in play, the conditions that end in "nan" hold. */
static const char *float_condition(LLVMRealPredicate predicate)
{
    switch (predicate) {
    case LLVMRealOEQ:
        return "eq";
    case LLVMRealOGT:
        return "gt";
    case LLVMRealOGE:
        return "ge";
    case LLVMRealOLT:
        return "lt";
    case LLVMRealOLE:
        return "le";
    case LLVMRealONE:
        return "ne";
    case LLVMRealORD:
        return "num";
    case LLVMRealUNO:
        return "nan";
    case LLVMRealUEQ:
        return "eqnan";
    case LLVMRealUGT:
        return "gtnan";
    case LLVMRealUGE:
        return "genan";
    case LLVMRealULT:
        return "ltnan";
    case LLVMRealULE:
        return "lenan";
    default:
        assert(predicate == LLVMRealUNE);
        return "nenan";
    }
}

static const char *int_condition(LLVMIntPredicate predicate)
{
    switch (predicate) {
    case LLVMIntEQ:
        return "eq";
    case LLVMIntNE:
        return "ne";
    case LLVMIntSGT:
    case LLVMIntUGT:
        return "gt";
    case LLVMIntSGE:
    case LLVMIntUGE:
        return "ge";
    case LLVMIntSLT:
    case LLVMIntULT:
        return "lt";
    default:
        assert(predicate == LLVMIntSLE || predicate == LLVMIntULE);
        return "le";
    }
}

static bool is_signed(LLVMIntPredicate predicate)
{
    return predicate != LLVMIntUGT && predicate != LLVMIntUGE && predicate != LLVMIntULT &&
           predicate != LLVMIntULE;
}

/* Bits are equal or not; kernels order none. */
static LLVMValueRef compare_masks(struct vel *p, LLVMIntPredicate predicate, LLVMValueRef a,
                                  LLVMValueRef b)
{
    assert(predicate == LLVMIntEQ || predicate == LLVMIntNE);
    return vel_op2(p, predicate == LLVMIntEQ ? "eqvm.mmm" : "xorm.mmm", a, b);
}

void vel_compare(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef old_a = LLVMGetOperand(in, 0);
    enum vel_class c = vel_class_of(LLVMTypeOf(old_a));
    LLVMValueRef a = vel_get(p, old_a), b = vel_get(p, LLVMGetOperand(in, 1));
    if (LLVMGetInstructionOpcode(in) == LLVMFCmp) {
        const char *condition = float_condition(LLVMGetFCmpPredicate(in));
        vel_set(p, in, compared(p, comparing(c, true), condition, a, b));
        return;
    }
    LLVMIntPredicate predicate = LLVMGetICmpPredicate(in);
    if (c == VEL_MASK) {
        vel_set(p, in, compare_masks(p, predicate, a, b));
        return;
    }
    bool by_sign = is_signed(predicate);
    if (!by_sign && (c == VEL_I8 || c == VEL_I16)) {
        a = vel_zero_extended(p, c, a);
        b = vel_zero_extended(p, c, b);
    }
    vel_set(p, in, compared(p, comparing(c, by_sign), int_condition(predicate), a, b));
}

/* One condition for all lanes: the bits of one operand and none of the other. */
static LLVMValueRef select_all(struct vel *p, LLVMValueRef condition, LLVMValueRef a,
                               LLVMValueRef b)
{
    LLVMValueRef bits = LLVMBuildSExt(p->b, condition, p->e->i64, "");
    LLVMValueRef of_a = vel_op2(p, "vand.vsvl", bits, a);
    LLVMValueRef of_b = vel_op2(p, "vand.vsvl", LLVMBuildNot(p->b, bits, ""), b);
    return vel_op2(p, "vor.vvvl", of_a, of_b);
}

static LLVMValueRef select_masks(struct vel *p, LLVMValueRef mask, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef of_a = vel_op2(p, "andm.mmm", mask, a);
    LLVMValueRef of_b = vel_op2(p, "nndm.mmm", mask, b); /* not the mask, and b */
    return vel_op2(p, "orm.mmm", of_a, of_b);
}

void vel_select_instruction(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef condition = LLVMGetOperand(in, 0);
    LLVMValueRef a = vel_get(p, LLVMGetOperand(in, 1)), b = vel_get(p, LLVMGetOperand(in, 2));
    bool of_masks = vel_class_of(LLVMTypeOf(in)) == VEL_MASK;
    LLVMValueRef r;
    if (of_masks)
        r = select_masks(
            p, vel_is_vector(condition) ? vel_get(p, condition) : vel_splat(p, VEL_MASK, condition),
            a, b);
    else if (vel_is_vector(condition))
        r = vel_select(p, vel_get(p, condition), a, b);
    else
        r = select_all(p, condition, a, b);
    vel_set(p, in, r);
}
