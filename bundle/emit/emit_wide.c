/*
 * Products of 64 bits, as requantization makes them of 32-bit factors.
 *
 * The processor multiplies the even lanes of two vectors of 32 bits and gives 64-bit products
 * (pmuldq).  In natural order every factor would first be spread out, low and high half apart, and
 * the results be gathered again.  So values that are extended to 64 bits for a product are kept in
 * the order "even lanes, then odd lanes": even lanes are where they were, odd ones are one shift
 * away, and back in 32 bits the two halves interleave with one blend.  Arithmetic lane by lane does
 * not mind the order; whatever else uses such a value gets it in natural order (emit_get).
 */
#include "bundle/emit/emit_internal.h"

static bool note_factors(const struct kernel *k, kval v, void *arg)
{
    bool *is_factor = arg;
    const struct kinst *in = kernel_inst(k, v);
    if (in->op == KOP_MUL && in->type == DTYPE_I64)
        for (int i = 0; i < in->n_args; i++)
            is_factor[in->args[i]] = true;
    return true;
}

void emit_find_factors(struct emit_kernel *ek)
{
    ek->is_factor = arena_array(ek->e->arena, ek->k->n_insts, sizeof *ek->is_factor);
    ek->split = arena_array(ek->e->arena, ek->k->n_insts, sizeof *ek->split);
    if (ek->e->target->has_even_products)
        kernel_walk(ek->k, note_factors, ek->is_factor);
}

static LLVMValueRef shuffle(struct emit *e, LLVMValueRef a, LLVMValueRef b, const unsigned *from,
                            unsigned n)
{
    LLVMValueRef index[64];
    for (unsigned i = 0; i < n; i++)
        index[i] = LLVMConstInt(e->i32, from[i], 0);
    return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(index, n), "");
}

static LLVMValueRef split_order(struct emit_kernel *ek, LLVMValueRef v)
{
    unsigned from[64], n = (unsigned)ek->lanes;
    for (unsigned i = 0; i < n; i++)
        from[i] = i < n / 2 ? 2 * i : 2 * (i - n / 2) + 1;
    return shuffle(ek->e, v, LLVMGetPoison(LLVMTypeOf(v)), from, n);
}

LLVMValueRef emit_natural_order(struct emit_kernel *ek, LLVMValueRef v)
{
    unsigned from[64], n = (unsigned)ek->lanes;
    for (unsigned i = 0; i < n; i++)
        from[i] = i / 2 + (i % 2) * (n / 2);
    return shuffle(ek->e, v, LLVMGetPoison(LLVMTypeOf(v)), from, n);
}

static bool is_small_int(enum dtype t)
{
    return t != DTYPE_BOOL && !dtype_is_float(t) && dtype_bits(t) <= 32;
}

/* 32-bit lanes to 64 bits.  LLVM sees that a product needs the low halves only and drops the shifts
   that make the high ones. */
static LLVMValueRef extend_split(struct emit_kernel *ek, LLVMValueRef v, bool is_signed)
{
    struct emit *e = ek->e;
    unsigned from[64], n = (unsigned)ek->lanes;
    LLVMTypeRef half = LLVMVectorType(e->i64, n / 2);
    LLVMValueRef pairs = LLVMBuildBitCast(e->b, v, half, "");
    LLVMValueRef bits = emit_int_like(pairs, e->i64, 32);
    LLVMValueRef even = LLVMBuildShl(e->b, pairs, bits, ""), odd;
    even = is_signed ? LLVMBuildAShr(e->b, even, bits, "") : LLVMBuildLShr(e->b, even, bits, "");
    odd = is_signed ? LLVMBuildAShr(e->b, pairs, bits, "") : LLVMBuildLShr(e->b, pairs, bits, "");
    for (unsigned i = 0; i < n; i++)
        from[i] = i;
    return shuffle(e, even, odd, from, n);
}

/* The same for what loops are left to hoist, a constant per channel, where 64-bit shifts are made
   of others: LLVM then does not know in another block that the result is an extension. */
static LLVMValueRef extend_hoisted(struct emit_kernel *ek, LLVMValueRef v, bool is_signed)
{
    LLVMTypeRef whole = LLVMVectorType(ek->e->i64, (unsigned)ek->lanes);
    v = split_order(ek, v);
    return is_signed ? LLVMBuildSExt(ek->e->b, v, whole, "")
                     : LLVMBuildZExt(ek->e->b, v, whole, "");
}

/* The low halves, interleaved. */
static LLVMValueRef narrow_split(struct emit_kernel *ek, LLVMValueRef v)
{
    struct emit *e = ek->e;
    unsigned from[64], n = (unsigned)ek->lanes;
    LLVMTypeRef whole = LLVMVectorType(e->i32, n);
    LLVMValueRef half[2];
    for (unsigned h = 0; h < 2; h++) {
        for (unsigned i = 0; i < n / 2; i++)
            from[i] = h * (n / 2) + i;
        half[h] = shuffle(e, v, LLVMGetPoison(LLVMTypeOf(v)), from, n / 2);
        if (h == 1) /* its low halves to where they belong */
            half[h] = LLVMBuildShl(e->b, half[h], emit_int_like(half[h], e->i64, 32), "");
        half[h] = LLVMBuildBitCast(e->b, half[h], whole, "");
    }
    for (unsigned i = 0; i < n; i++)
        from[i] = i % 2 ? n + i : i;
    return shuffle(e, half[0], half[1], from, n);
}

static bool is_hoisted(const struct emit_kernel *ek, kval v)
{
    const struct kinst *in = kernel_inst(ek->k, v);
    return in->op == KOP_LOAD && ek->k->bufs[in->buf].constant && !ek->e->target->has_wide_shift;
}

/* A cast that is done in split order; false where it is an ordinary one. */
static bool emit_wide_cast(struct emit_kernel *ek, kval v, const struct kinst *in)
{
    enum dtype from = kernel_inst(ek->k, in->args[0])->type;
    if (in->type == DTYPE_I64 && ek->is_factor[v] && is_small_int(from) && ek->lanes >= 4) {
        LLVMValueRef x = emit_get(ek, in->args[0], true);
        if (from != DTYPE_U32)
            x = emit_cast(ek, from, DTYPE_I32, x);
        bool is_signed = from != DTYPE_U32;
        x = is_hoisted(ek, in->args[0]) ? extend_hoisted(ek, x, is_signed)
                                        : extend_split(ek, x, is_signed);
        emit_set(ek, v, x, true);
        ek->split[v] = true;
        return true;
    }
    if (!ek->split[in->args[0]] || !is_small_int(in->type))
        return false;
    LLVMValueRef x = narrow_split(ek, ek->val[in->args[0]]);
    emit_set(ek, v, emit_cast(ek, DTYPE_I32, in->type, x), true);
    return true;
}

static LLVMValueRef in_split_order(struct emit_kernel *ek, kval v)
{
    if (ek->split[v])
        return ek->val[v];
    bool is_index = kernel_inst(ek->k, v)->op == KOP_INDEX;
    LLVMValueRef x = emit_get(ek, v, true);
    return is_index || ek->varying[v] ? split_order(ek, x) : x;
}

bool emit_wide(struct emit_kernel *ek, kval v)
{
    const struct kinst *in = kernel_inst(ek->k, v);
    if (in->op == KOP_CAST)
        return emit_wide_cast(ek, v, in);
    bool any = false;
    for (int i = 0; i < in->n_args; i++)
        any = any || ek->split[in->args[i]];
    if (!any || (kop_kind(in->op) != KOP_KIND_BINARY && kop_kind(in->op) != KOP_KIND_UNARY))
        return false;
    LLVMValueRef a = in_split_order(ek, in->args[0]);
    LLVMValueRef b = in->n_args > 1 ? in_split_order(ek, in->args[1]) : NULL;
    emit_set(ek, v, emit_scalar_op(ek, in->op, in->type, a, b), true);
    ek->split[v] = true;
    return true;
}
