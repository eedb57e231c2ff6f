/* The Vector Engine's vectors: types, values, the intrinsics. */
#include "ve_runtime/codegen/vel.h"

#include <assert.h>
#include <string.h>

void vel_init(struct vel *p, struct emit *e)
{
    *p = (struct vel){.e = e, .b = e->b, .cap = 1024};
    p->data = LLVMVectorType(e->f64, VEL_LANES);
    p->mask = LLVMVectorType(e->i1, VEL_LANES);
    p->value = arena_array(e->arena, p->cap, sizeof *p->value);
}

bool vel_is_vector(LLVMValueRef v)
{
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
}

enum vel_class vel_class_of(LLVMTypeRef vector)
{
    LLVMTypeRef t = LLVMGetElementType(vector);
    switch (LLVMGetTypeKind(t)) {
    case LLVMFloatTypeKind:
        return VEL_F32;
    case LLVMDoubleTypeKind:
        return VEL_F64;
    case LLVMPointerTypeKind:
        return VEL_I64;
    default:
        break;
    }
    switch (LLVMGetIntTypeWidth(t)) {
    case 1:
        return VEL_MASK;
    case 8:
        return VEL_I8;
    case 16:
        return VEL_I16;
    case 32:
        return VEL_I32;
    default:
        assert(LLVMGetIntTypeWidth(t) == 64);
        return VEL_I64;
    }
}

unsigned vel_bits(enum vel_class c)
{
    static const unsigned bits[] = {1, 8, 16, 32, 64, 32, 64};
    return bits[c];
}

LLVMValueRef vel_i64(struct vel *p, uint64_t v)
{
    return LLVMConstInt(p->e->i64, v, 0);
}

LLVMValueRef vel_op(struct vel *p, const char *name, const LLVMValueRef *args, unsigned n)
{
    enum { MOST = 8 };
    struct emit *e = p->e;
    const char *full = arena_printf(e->arena, "llvm.ve.vl.%s", name);
    unsigned id = LLVMLookupIntrinsicID(full, strlen(full));
    assert(id && n < MOST);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->mod, id, NULL, 0), all[MOST];
    LLVMTypeRef type = LLVMIntrinsicGetType(e->ctx, id, NULL, 0), param[MOST];
    unsigned n_params = LLVMCountParamTypes(type);
    assert(n_params == n || n_params == n + 1);
    LLVMGetParamTypes(type, param);
    for (unsigned i = 0; i < n; i++) {
        bool is_int = LLVMGetTypeKind(param[i]) == LLVMIntegerTypeKind;
        all[i] = is_int ? LLVMBuildIntCast2(p->b, args[i], param[i], 1, "") : args[i];
    }
    all[n] = LLVMConstInt(e->i32, p->lanes, 0);
    return LLVMBuildCall2(p->b, type, fn, all, n_params, "");
}

LLVMValueRef vel_op1(struct vel *p, const char *name, LLVMValueRef a)
{
    return vel_op(p, name, &a, 1);
}

LLVMValueRef vel_op2(struct vel *p, const char *name, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef args[2] = {a, b};
    return vel_op(p, name, args, 2);
}

LLVMValueRef vel_splat_bits(struct vel *p, uint64_t bits)
{
    return vel_op1(p, "vbrdl.vsl", vel_i64(p, bits));
}

LLVMValueRef vel_all(struct vel *p, bool set)
{
    return vel_op(p, set ? "vfmklat.ml" : "vfmklaf.ml", NULL, 0);
}

LLVMValueRef vel_splat(struct vel *p, enum vel_class c, LLVMValueRef scalar)
{
    struct emit *e = p->e;
    switch (c) {
    case VEL_MASK:
        if (LLVMIsAConstantInt(scalar))
            return vel_all(p, LLVMConstIntGetZExtValue(scalar) != 0);
        scalar = LLVMBuildZExt(p->b, scalar, e->i64, "");
        return vel_op1(p, "vfmklne.mvl", vel_op1(p, "vbrdl.vsl", scalar));
    case VEL_I64:
        if (LLVMGetTypeKind(LLVMTypeOf(scalar)) == LLVMPointerTypeKind)
            scalar = LLVMBuildPtrToInt(p->b, scalar, e->i64, "");
        return vel_op1(p, "vbrdl.vsl", scalar);
    case VEL_F32:
        return vel_op1(p, "vbrds.vsl", scalar);
    case VEL_F64:
        return vel_op1(p, "vbrdd.vsl", scalar);
    default:
        return vel_op1(p, "vbrdw.vsl", scalar);
    }
}

/* ---- what stands for what ---- */

static struct vel_value *place_of(struct vel *p, LLVMValueRef old)
{
    size_t at = ((uintptr_t)old >> 4) * 0x9e3779b97f4a7c15u;
    for (at ^= at >> 32;; at++) {
        struct vel_value *v = &p->value[at & (p->cap - 1)];
        if (!v->of || v->of == old)
            return v;
    }
}

static struct vel_value *add(struct vel *p, LLVMValueRef old)
{
    if (2 * ++p->n > p->cap) {
        struct vel_value *before = p->value;
        size_t n = p->cap;
        p->cap *= 2;
        p->value = arena_array(p->e->arena, p->cap, sizeof *p->value);
        for (size_t i = 0; i < n; i++)
            if (before[i].of)
                *place_of(p, before[i].of) = before[i];
    }
    struct vel_value *v = place_of(p, old);
    v->of = old;
    return v;
}

void vel_set(struct vel *p, LLVMValueRef old, LLVMValueRef vector)
{
    add(p, old)->vector = vector;
}

void vel_set_scalar(struct vel *p, LLVMValueRef old, LLVMValueRef scalar)
{
    vel_set_first(p, old, scalar, 0);
}

void vel_set_first(struct vel *p, LLVMValueRef old, LLVMValueRef first, int64_t step)
{
    struct vel_value *v = add(p, old);
    v->scalar = first;
    v->step = step;
}

/* The number that is in all lanes of a constant. */
static LLVMValueRef splat_of_constant(LLVMValueRef v)
{
    unsigned n = LLVMGetVectorSize(LLVMTypeOf(v));
    LLVMValueRef first = LLVMGetAggregateElement(v, 0);
    for (unsigned i = 1; i < n; i++)
        if (LLVMGetAggregateElement(v, i) != first)
            return NULL;
    return first;
}

/* Of a constant whose numbers grow by the same step from lane to lane. */
static bool sequence_of_constant(LLVMValueRef v, int64_t *out_first, int64_t *out_step)
{
    enum vel_class c = vel_class_of(LLVMTypeOf(v));
    unsigned n = LLVMGetVectorSize(LLVMTypeOf(v));
    if ((c != VEL_I64 && c != VEL_I32) || n < 2 || LLVMIsUndef(v))
        return false;
    int64_t number[VEL_LANES];
    for (unsigned i = 0; i < n; i++) {
        LLVMValueRef lane = LLVMGetAggregateElement(v, i);
        if (!LLVMIsAConstantInt(lane))
            return false;
        number[i] = LLVMConstIntGetSExtValue(lane);
    }
    *out_first = number[0];
    *out_step = number[1] - number[0];
    for (unsigned i = 1; i < n; i++)
        if (number[i] != *out_first + *out_step * (int64_t)i)
            return false;
    return true;
}

/* first, first + step, first + 2 step, .. */
static LLVMValueRef sequence(struct vel *p, LLVMValueRef first, int64_t step)
{
    LLVMValueRef r = vel_op(p, "vseq.vl", NULL, 0);
    if (step != 1)
        r = vel_op2(p, "vmulsl.vsvl", vel_i64(p, (uint64_t)step), r);
    bool starts_at_0 = LLVMIsAConstantInt(first) && LLVMConstIntGetZExtValue(first) == 0;
    return starts_at_0 ? r : vel_op2(p, "vaddsl.vsvl", first, r);
}

/* The bits of a lane as they lie in an element; of one that may be anything, 0. */
static uint64_t bits_of_constant(enum vel_class c, LLVMValueRef lane)
{
    LLVMBool loses;
    if (LLVMIsUndef(lane))
        return 0;
    if (c != VEL_F32 && c != VEL_F64)
        return (uint64_t)LLVMConstIntGetSExtValue(lane);
    double real = LLVMConstRealGetDouble(lane, &loses);
    float narrow = (float)real;
    uint64_t bits = 0;
    memcpy(&bits, c == VEL_F32 ? (void *)&narrow : (void *)&real, c == VEL_F32 ? 4 : 8);
    return c == VEL_F32 ? bits << 32 : bits;
}

/* From a table. */
static LLVMValueRef table_of_constant(struct vel *p, enum vel_class c, LLVMValueRef v)
{
    struct emit *e = p->e;
    LLVMValueRef lane[VEL_LANES];
    for (unsigned i = 0; i < p->lanes; i++)
        lane[i] = vel_i64(p, bits_of_constant(c, LLVMGetAggregateElement(v, i)));
    LLVMValueRef table = edata_private(e, LLVMConstArray2(e->i64, lane, p->lanes));
    LLVMValueRef r = vel_op2(p, "vld.vssl", vel_i64(p, sizeof(uint64_t)), table);
    return c == VEL_MASK ? vel_op1(p, "vfmklne.mvl", r) : r;
}

static LLVMValueRef constant(struct vel *p, LLVMValueRef v)
{
    enum vel_class c = vel_class_of(LLVMTypeOf(v));
    LLVMValueRef splat = vel_get_scalar(p, v);
    int64_t first, step;
    if (splat)
        return LLVMIsUndef(splat) ? LLVMGetPoison(c == VEL_MASK ? p->mask : p->data)
                                  : vel_splat(p, c, splat);
    if (sequence_of_constant(v, &first, &step))
        return sequence(p, vel_i64(p, (uint64_t)first), step);
    return table_of_constant(p, c, v);
}

LLVMValueRef vel_get_scalar(struct vel *p, LLVMValueRef old)
{
    if (LLVMIsConstant(old))
        return LLVMIsUndef(old) ? LLVMGetUndef(LLVMGetElementType(LLVMTypeOf(old)))
                                : splat_of_constant(old);
    const struct vel_value *v = place_of(p, old);
    return v->step == 0 ? v->scalar : NULL;
}

LLVMValueRef vel_get_first(struct vel *p, LLVMValueRef old, int64_t *out_step)
{
    int64_t first;
    *out_step = 0;
    if (!LLVMIsConstant(old)) {
        *out_step = place_of(p, old)->step;
        return place_of(p, old)->scalar;
    }
    return sequence_of_constant(old, &first, out_step) ? vel_i64(p, (uint64_t)first)
                                                       : vel_get_scalar(p, old);
}

LLVMValueRef vel_get(struct vel *p, LLVMValueRef old)
{
    if (LLVMIsConstant(old))
        return constant(p, old);
    const struct vel_value *v = place_of(p, old);
    assert(v->of);
    /* Not kept: this place need not come before the next use. */
    if (v->vector)
        return v->vector;
    return v->step ? sequence(p, v->scalar, v->step)
                   : vel_splat(p, vel_class_of(LLVMTypeOf(old)), v->scalar);
}

LLVMValueRef vel_select(struct vel *p, LLVMValueRef mask, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef args[3] = {b, a, mask};
    return vel_op(p, "vmrg.vvvml", args, 3);
}
