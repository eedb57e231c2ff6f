/*
 * vel.h: vectors of the Vector Engine.
 *
 * Kernels are emitted with LLVM's vectors, <n x float> of up to 256 lanes.  LLVM's back end for the
 * VE takes those in parts only, so before it runs, each instruction on them is replaced by
 * intrinsics of the machine's own vectors (llvm.ve.vl.*): all of the type <256 x double>, with the
 * number of lanes as an operand.
 *
 * A vector register has 256 elements of 64 bits (SX-Aurora TSUBASA Architecture Guide, Rev 1.1,
 * chapter 3).  In one lie
 *   f32                a float in the upper half, anything in the lower
 *   f64, i64, ptr      the value
 *   i32, i16, i8       the value in the lower half, extended by its sign to 32 bits
 *   i1                 nothing: lanes of bits are masks, <256 x i1>
 */
#ifndef SHEAF_VE_VEL_H
#define SHEAF_VE_VEL_H

#include "bundle/emit/emit_internal.h"

enum vel_class { VEL_MASK, VEL_I8, VEL_I16, VEL_I32, VEL_I64, VEL_F32, VEL_F64 };

/* What stands for a vector: itself, or else the number of its first lane, from which on each lane's
   is greater by `step`: 0 where it is the same in all. */
struct vel_value {
    LLVMValueRef of, vector, scalar;
    int64_t step;
};

struct vel {
    struct emit *e;
    LLVMBuilderRef b;
    LLVMTypeRef data, mask;
    struct vel_value *value; /* a hash table by `of` */
    size_t n, cap;           /* cap: a power of 2 */
    unsigned lanes;          /* of the instruction that is being replaced */
};

enum { VEL_LANES = 256 };

/* ---- vel.c ---- */
void vel_init(struct vel *p, struct emit *e);
bool vel_is_vector(LLVMValueRef v);
enum vel_class vel_class_of(LLVMTypeRef vector);
unsigned vel_bits(enum vel_class c);
/* llvm.ve.vl.NAME on operands; the number of lanes is added behind them where it takes that.
   Integers are cut or extended to what the intrinsic takes. */
LLVMValueRef vel_op(struct vel *p, const char *name, const LLVMValueRef *args, unsigned n);
LLVMValueRef vel_op1(struct vel *p, const char *name, LLVMValueRef a);
LLVMValueRef vel_op2(struct vel *p, const char *name, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef vel_i64(struct vel *p, uint64_t v);
/* A vector of the same number in all lanes: by its bits as they lie in an element. */
LLVMValueRef vel_splat_bits(struct vel *p, uint64_t bits);
LLVMValueRef vel_splat(struct vel *p, enum vel_class c, LLVMValueRef scalar);
LLVMValueRef vel_all(struct vel *p, bool set); /* a mask */
/* What stands for an operand: a vector; a number, where it is the same in all lanes (NULL: it is
   not); the number of the first lane where those of the others are so many steps away. */
LLVMValueRef vel_get(struct vel *p, LLVMValueRef old);
LLVMValueRef vel_get_scalar(struct vel *p, LLVMValueRef old);
LLVMValueRef vel_get_first(struct vel *p, LLVMValueRef old, int64_t *out_step);
void vel_set(struct vel *p, LLVMValueRef old, LLVMValueRef vector);
void vel_set_scalar(struct vel *p, LLVMValueRef old, LLVMValueRef scalar);
void vel_set_first(struct vel *p, LLVMValueRef old, LLVMValueRef first, int64_t step);
/* condition ? a : b, lane by lane. */
LLVMValueRef vel_select(struct vel *p, LLVMValueRef mask, LLVMValueRef a, LLVMValueRef b);

/* ---- vel_arith.c ---- */
void vel_binary(struct vel *p, LLVMValueRef in);
void vel_negate(struct vel *p, LLVMValueRef in);
/* Calls of LLVM's own intrinsics on vectors. */
bool vel_call(struct vel *p, LLVMValueRef in, const char *name);
/* The lower bits of lanes, extended by sign; by zeros. */
LLVMValueRef vel_sign_extended(struct vel *p, enum vel_class c, LLVMValueRef v);
LLVMValueRef vel_zero_extended(struct vel *p, enum vel_class c, LLVMValueRef v); /* to 64 bits */

/* ---- vel_compare.c ---- */
void vel_compare(struct vel *p, LLVMValueRef in);
void vel_select_instruction(struct vel *p, LLVMValueRef in);
/* A mask: a float that is no number; one that compares so (a VE condition: "lt") with a constant.
 */
LLVMValueRef vel_is_nan(struct vel *p, enum vel_class c, LLVMValueRef v);
LLVMValueRef vel_compares(struct vel *p, enum vel_class c, const char *condition, LLVMValueRef a,
                          LLVMValueRef b);

/* ---- vel_cast.c ---- */
void vel_cast(struct vel *p, LLVMValueRef in);
/* An instruction on numbers, or a call of the function named, that vectors of one lane do better:
   square roots, for which LLVM calls a function, across which no vector lives; and i64 to f32,
   which it rounds twice.  False, and nothing is done, for others. */
bool vel_scalar(struct vel *p, LLVMValueRef in, const char *called);
/* Of floats to integers, what does not fit to the nearest that does, no number to 0. */
LLVMValueRef vel_saturate(struct vel *p, enum vel_class from, enum vel_class to, bool is_signed,
                          LLVMValueRef v);

/* ---- vel_memory.c ---- */
void vel_load(struct vel *p, LLVMValueRef in);
void vel_store(struct vel *p, LLVMValueRef in);
void vel_address(struct vel *p, LLVMValueRef in); /* getelementptr on vectors */
void vel_gather(struct vel *p, LLVMValueRef in);
void vel_scatter(struct vel *p, LLVMValueRef in);
void vel_extract(struct vel *p, LLVMValueRef in);
void vel_insert(struct vel *p, LLVMValueRef in);

/* ---- vel_pass.c ---- */
/* Replaces all instructions on vectors in the module; false, and e->err is set, on one that it does
   not know. */
bool vel_run(struct emit *e, struct error *err);

/* ---- vel_spill.c ---- */
/* Puts vectors on the stack where there are more at a time than registers. */
void vel_spill(struct emit *e);

#endif
