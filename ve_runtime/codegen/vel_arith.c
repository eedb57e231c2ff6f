/* Arithmetic on the Vector Engine's vectors. */
#include <assert.h>
#include <string.h>

#include "ve_runtime/codegen/vel.h"

static bool is_float(enum vel_class c)
{
    return c == VEL_F32 || c == VEL_F64;
}

LLVMValueRef vel_sign_extended(struct vel *p, enum vel_class c, LLVMValueRef v)
{
    if (c == VEL_I64)
        return v;
    return vel_op2(p, "vaddswsx.vsvl", vel_i64(p, 0), v);
}

LLVMValueRef vel_zero_extended(struct vel *p, enum vel_class c, LLVMValueRef v)
{
    if (c == VEL_I64)
        return v;
    return vel_op2(p, "vand.vsvl", vel_i64(p, ((uint64_t)1 << vel_bits(c)) - 1), v);
}

/* Results of fewer than 32 bits, cut to them. */
static LLVMValueRef cut(struct vel *p, enum vel_class c, LLVMValueRef v)
{
    if (c != VEL_I8 && c != VEL_I16)
        return v;
    LLVMValueRef by = vel_i64(p, 32 - vel_bits(c));
    return vel_op2(p, "vsrawsx.vvsl", vel_op2(p, "vslawsx.vvsl", v, by), by);
}

/* The names of an operation by what lanes hold; NULL: there is none. */
struct names {
    LLVMOpcode op;
    const char *i32, *i64, *f32, *f64;
    bool either; /* the operands may change places */
};

static const struct names NAMES[] = {
    {LLVMAdd, "vaddswsx", "vaddsl", NULL, NULL, true},
    {LLVMSub, "vsubswsx", "vsubsl", NULL, NULL, false},
    {LLVMMul, "vmulswsx", "vmulsl", NULL, NULL, true},
    {LLVMSDiv, "vdivswsx", "vdivsl", NULL, NULL, false},
    {LLVMUDiv, "vdivuw", "vdivul", NULL, NULL, false},
    {LLVMAnd, "vand", "vand", NULL, NULL, true},
    {LLVMOr, "vor", "vor", NULL, NULL, true},
    {LLVMXor, "vxor", "vxor", NULL, NULL, true},
    {LLVMFAdd, NULL, NULL, "vfadds", "vfaddd", true},
    {LLVMFSub, NULL, NULL, "vfsubs", "vfsubd", false},
    {LLVMFMul, NULL, NULL, "vfmuls", "vfmuld", true},
    {LLVMFDiv, NULL, NULL, "vfdivs", "vfdivd", false},
};

static const char *name_of(const struct names *n, enum vel_class c)
{
    if (is_float(c))
        return c == VEL_F32 ? n->f32 : n->f64;
    return c == VEL_I64 ? n->i64 : n->i32;
}

static const struct names *find(LLVMOpcode op)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (NAMES[i].op == op)
            return &NAMES[i];
    return NULL;
}

/* The first operand may be a number; bits of 32-bit lanes are taken as such of 64. */
static LLVMValueRef apply(struct vel *p, const struct names *n, enum vel_class c, LLVMValueRef a,
                          LLVMValueRef b)
{
    const char *name = name_of(n, c);
    LLVMValueRef scalar = vel_get_scalar(p, a);
    if (!scalar && n->either && (scalar = vel_get_scalar(p, b)))
        b = a;
    if (scalar && !LLVMIsUndef(scalar))
        return vel_op2(p, arena_printf(p->e->arena, "%s.vsvl", name), scalar, vel_get(p, b));
    LLVMValueRef va = vel_get(p, a);
    return vel_op2(p, arena_printf(p->e->arena, "%s.vvvl", name), va, vel_get(p, b));
}

static void mask_operation(struct vel *p, LLVMValueRef in)
{
    LLVMOpcode op = LLVMGetInstructionOpcode(in);
    const char *name = op == LLVMAnd ? "andm.mmm" : op == LLVMOr ? "orm.mmm" : "xorm.mmm";
    LLVMValueRef va = vel_get(p, LLVMGetOperand(in, 0));
    vel_set(p, in, vel_op2(p, name, va, vel_get(p, LLVMGetOperand(in, 1))));
}

/* Left, and right by zeros or the sign.  Right by zeros goes through 64 bits. */
static LLVMValueRef shift(struct vel *p, LLVMOpcode op, enum vel_class c, LLVMValueRef a,
                          LLVMValueRef b)
{
    bool wide = c == VEL_I64;
    const char *name = op == LLVMShl    ? wide ? "vsll" : "vslawsx"
                       : op == LLVMAShr ? wide ? "vsral" : "vsrawsx"
                                        : "vsrl";
    LLVMValueRef v = vel_get(p, a), by = vel_get_scalar(p, b);
    if (op == LLVMLShr)
        v = vel_zero_extended(p, c, v);
    const char *form = by ? "vvsl" : "vvvl";
    LLVMValueRef r =
        vel_op2(p, arena_printf(p->e->arena, "%s.%s", name, form), v, by ? by : vel_get(p, b));
    return op == LLVMAShr ? r : cut(p, c, r);
}

/* Division of the lanes' numbers as they are in 32 or 64 bits. */
static LLVMValueRef divide(struct vel *p, LLVMOpcode op, enum vel_class c, LLVMValueRef a,
                           LLVMValueRef b)
{
    bool is_signed = op == LLVMSDiv || op == LLVMSRem;
    const struct names *n = find(is_signed ? LLVMSDiv : LLVMUDiv);
    LLVMValueRef va = vel_get(p, a), vb = vel_get(p, b);
    if (!is_signed) {
        va = vel_zero_extended(p, c, va);
        vb = vel_zero_extended(p, c, vb);
    }
    LLVMValueRef q = vel_op2(p, arena_printf(p->e->arena, "%s.vvvl", name_of(n, c)), va, vb);
    if (op == LLVMSDiv || op == LLVMUDiv)
        return cut(p, c, q);
    bool wide = c == VEL_I64;
    LLVMValueRef back = vel_op2(p, wide ? "vmulsl.vvvl" : "vmulswsx.vvvl", q, vb);
    return cut(p, c, vel_op2(p, wide ? "vsubsl.vvvl" : "vsubswsx.vvvl", va, back));
}

/* Sums of numbers of 64 bits that grow from lane to lane, and products with constants, grow so. */
static bool grows(struct vel *p, LLVMValueRef in)
{
    LLVMOpcode op = LLVMGetInstructionOpcode(in);
    int64_t step[2];
    LLVMValueRef first[2];
    if ((op != LLVMAdd && op != LLVMMul) || vel_class_of(LLVMTypeOf(in)) != VEL_I64)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        first[i] = vel_get_first(p, LLVMGetOperand(in, i), &step[i]);
        if (!first[i] || LLVMIsUndef(first[i]))
            return false;
    }
    if (op == LLVMAdd) {
        vel_set_first(p, in, LLVMBuildAdd(p->b, first[0], first[1], ""), step[0] + step[1]);
        return true;
    }
    int by = LLVMIsAConstantInt(first[1]) ? 1 : 0;
    if (!LLVMIsAConstantInt(first[by]) || step[by] != 0)
        return false;
    int64_t times = LLVMConstIntGetSExtValue(first[by]);
    vel_set_first(p, in, LLVMBuildMul(p->b, first[0], first[1], ""), step[!by] * times);
    return true;
}

void vel_binary(struct vel *p, LLVMValueRef in)
{
    if (grows(p, in))
        return;
    LLVMOpcode op = LLVMGetInstructionOpcode(in);
    LLVMValueRef a = LLVMGetOperand(in, 0), b = LLVMGetOperand(in, 1);
    enum vel_class c = vel_class_of(LLVMTypeOf(in));
    if (c == VEL_MASK) {
        assert(op == LLVMAnd || op == LLVMOr || op == LLVMXor);
        mask_operation(p, in);
    } else if (op == LLVMShl || op == LLVMLShr || op == LLVMAShr) {
        vel_set(p, in, shift(p, op, c, a, b));
    } else if (op == LLVMSDiv || op == LLVMUDiv || op == LLVMSRem || op == LLVMURem) {
        vel_set(p, in, divide(p, op, c, a, b));
    } else {
        const struct names *n = find(op);
        assert(n && name_of(n, c));
        bool may_overflow = op == LLVMAdd || op == LLVMSub || op == LLVMMul;
        LLVMValueRef r = apply(p, n, c, a, b);
        vel_set(p, in, may_overflow ? cut(p, c, r) : r);
    }
}

/* ---- signs of floats ---- */

/* The bit of the sign: f32 lie in the upper half. */
static const uint64_t SIGN = (uint64_t)1 << 63;

void vel_negate(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef v = vel_get(p, LLVMGetOperand(in, 0));
    vel_set(p, in, vel_op2(p, "vxor.vsvl", vel_i64(p, SIGN), v));
}

static LLVMValueRef absolute(struct vel *p, LLVMValueRef v)
{
    return vel_op2(p, "vand.vsvl", vel_i64(p, ~SIGN), v);
}

static LLVMValueRef sign_of(struct vel *p, LLVMValueRef v)
{
    return vel_op2(p, "vand.vsvl", vel_i64(p, SIGN), v);
}

/* acc + a * b, rounded once. */
static void multiply_add(struct vel *p, enum vel_class c, LLVMValueRef in)
{
    LLVMValueRef number = vel_get_scalar(p, LLVMGetOperand(in, 0));
    LLVMValueRef acc = vel_get(p, LLVMGetOperand(in, 2));
    LLVMValueRef a = number ? number : vel_get(p, LLVMGetOperand(in, 0));
    LLVMValueRef args[3] = {acc, a, vel_get(p, LLVMGetOperand(in, 1))};
    const char *name = c == VEL_F32 ? "vfmads" : "vfmadd";
    name = arena_printf(p->e->arena, "%s.%s", name, number ? "vvsvl" : "vvvvl");
    vel_set(p, in, vel_op(p, name, args, 3));
}

/* ---- two floats in each lane ---- */

/* acc + number * vector, both halves. */
static void fma_of_pairs(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef args[3] = {vel_get(p, LLVMGetOperand(in, 0)), LLVMGetOperand(in, 1),
                            vel_get(p, LLVMGetOperand(in, 2))};
    vel_set(p, in, vel_op(p, "pvfmad.vvsvl", args, 3));
}

/* The sum of the halves, in the upper one. */
static void sum_of_pairs(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef v = vel_get(p, LLVMGetOperand(in, 0));
    LLVMValueRef lower = vel_op2(p, "vsll.vvsl", v, vel_i64(p, 32));
    vel_set(p, in, vel_op2(p, "vfadds.vvvl", v, lower));
}

bool vel_call(struct vel *p, LLVMValueRef in, const char *name)
{
    LLVMValueRef first = LLVMGetOperand(in, 0);
    enum vel_class c = vel_is_vector(in) ? vel_class_of(LLVMTypeOf(in)) : VEL_MASK;
    if (strncmp(name, "llvm.fabs.", 10) == 0) {
        vel_set(p, in, absolute(p, vel_get(p, first)));
    } else if (strncmp(name, "llvm.copysign.", 14) == 0) {
        LLVMValueRef magnitude = absolute(p, vel_get(p, first));
        LLVMValueRef sign = sign_of(p, vel_get(p, LLVMGetOperand(in, 1)));
        vel_set(p, in, vel_op2(p, "vor.vvvl", magnitude, sign));
    } else if (strncmp(name, "llvm.sqrt.", 10) == 0) {
        const char *root = c == VEL_F32 ? "vfsqrts.vvl" : "vfsqrtd.vvl";
        vel_set(p, in, vel_op1(p, root, vel_get(p, first)));
    } else if (strncmp(name, "llvm.fptosi.sat.", 16) == 0 ||
               strncmp(name, "llvm.fptoui.sat.", 16) == 0) {
        enum vel_class from = vel_class_of(LLVMTypeOf(first));
        vel_set(p, in, vel_saturate(p, from, c, name[9] == 's', vel_get(p, first)));
    } else if (strncmp(name, "llvm.fma.", 9) == 0) {
        multiply_add(p, c, in);
    } else if (strncmp(name, "sheaf.ve.fma.pairs.", 19) == 0) {
        fma_of_pairs(p, in);
    } else if (strncmp(name, "sheaf.ve.sum.pairs.", 19) == 0) {
        sum_of_pairs(p, in);
    } else if (strncmp(name, "llvm.masked.gather.", 19) == 0) {
        vel_gather(p, in);
    } else if (strncmp(name, "llvm.masked.scatter.", 20) == 0) {
        vel_scatter(p, in);
    } else {
        return false;
    }
    return true;
}
