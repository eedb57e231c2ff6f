/* Types, literals and intrinsics: scalars and vectors of the lanes. */
#include <assert.h>
#include <string.h>

#include "bundle/emit/emit_internal.h"

/* 16-bit floats travel as their bits; arithmetic on them goes through f32 (one rounding per
   operation, as kernel IR asks).  Types of less than 8 bits travel as i8 within their range. */
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
    return varying && ek->lanes > 1 ? LLVMVectorType(s, (unsigned)ek->lanes) : s;
}

LLVMValueRef emit_index(struct emit *e, int64_t v)
{
    return LLVMConstInt(e->index, (uint64_t)v, 1);
}

LLVMValueRef emit_to_index(struct emit *e, LLVMValueRef v)
{
    return LLVMBuildIntCast2(e->b, v, emit_like(v, e->index), 1, "");
}

LLVMValueRef emit_from_index(struct emit *e, LLVMValueRef v)
{
    return LLVMBuildIntCast2(e->b, v, emit_like(v, e->i64), 1, "");
}

static bool is_vector(LLVMValueRef v)
{
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
}

/* The type with the shape (scalar or vector) of v and elements of type s. */
LLVMTypeRef emit_like(LLVMValueRef v, LLVMTypeRef s)
{
    return is_vector(v) ? LLVMVectorType(s, LLVMGetVectorSize(LLVMTypeOf(v))) : s;
}

static LLVMValueRef const_like(LLVMValueRef v, LLVMValueRef scalar)
{
    if (!is_vector(v))
        return scalar;
    unsigned n = LLVMGetVectorSize(LLVMTypeOf(v));
    LLVMValueRef elem[EMIT_MAX_LANES];
    assert(n <= EMIT_MAX_LANES);
    for (unsigned i = 0; i < n; i++)
        elem[i] = scalar;
    return LLVMConstVector(elem, n);
}

LLVMValueRef emit_int_like(LLVMValueRef v, LLVMTypeRef s, int64_t c)
{
    return const_like(v, LLVMConstInt(s, (uint64_t)c, 1));
}

LLVMValueRef emit_real_like(LLVMValueRef v, LLVMTypeRef s, double c)
{
    return const_like(v, LLVMConstReal(s, c));
}

LLVMValueRef emit_splat(struct emit_kernel *ek, LLVMValueRef v)
{
    struct emit *e = ek->e;
    if (ek->lanes == 1)
        return v;
    LLVMTypeRef t = LLVMVectorType(LLVMTypeOf(v), (unsigned)ek->lanes);
    if (LLVMIsConstant(v)) {
        LLVMValueRef elem[EMIT_MAX_LANES];
        for (int i = 0; i < ek->lanes; i++)
            elem[i] = v;
        return LLVMConstVector(elem, (unsigned)ek->lanes);
    }
    LLVMValueRef one = LLVMBuildInsertElement(e->b, LLVMGetPoison(t), v, emit_index(e, 0), "");
    return LLVMBuildShuffleVector(e->b, one, LLVMGetPoison(t),
                                  LLVMConstNull(LLVMVectorType(e->i32, (unsigned)ek->lanes)), "");
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
