/*
 * Loads and stores of lanes.
 *
 * The Vector Engine loads and stores words of 32 and 64 bits.  Narrower elements are taken out of
 * the words they lie in, and put into them: together where they fill whole words, else one after
 * the other of those that share a word.
 */
#include <assert.h>

#include "ve_runtime/codegen/vel.h"

enum { WORD = 4 /* bytes */ };

static bool is_narrow(enum vel_class c)
{
    return c == VEL_I8 || c == VEL_I16;
}

/* The ending of the instructions' names by what they load into an element, or store from it. */
static const char *kind_of(enum vel_class c, bool loads)
{
    switch (c) {
    case VEL_F32:
        return "u";
    case VEL_I64:
    case VEL_F64:
        return "";
    default:
        return loads ? "lzx" : "l";
    }
}

static const char *form(struct vel *p, const char *verb, enum vel_class c, bool loads,
                        const char *operands)
{
    return arena_printf(p->e->arena, "%s%s.%s", verb, kind_of(c, loads), operands);
}

/* ---- by addresses ---- */

/* Lanes whose bit is not set read nothing; no mask: all read. */
static LLVMValueRef gather_words(struct vel *p, enum vel_class c, LLVMValueRef at,
                                 LLVMValueRef mask)
{
    LLVMValueRef args[4] = {at, vel_i64(p, 0), vel_i64(p, 0), mask};
    return vel_op(p, form(p, "vgt", c, true, mask ? "vvssml" : "vvssl"), args, mask ? 4 : 3);
}

static void scatter_words(struct vel *p, enum vel_class c, LLVMValueRef v, LLVMValueRef at,
                          LLVMValueRef mask)
{
    LLVMValueRef args[5] = {v, at, vel_i64(p, 0), vel_i64(p, 0), mask};
    vel_op(p, form(p, "vsc", c, false, mask ? "vvssml" : "vvssl"), args, mask ? 5 : 4);
}

static LLVMValueRef word_of(struct vel *p, LLVMValueRef at)
{
    return vel_op2(p, "vand.vsvl", vel_i64(p, ~(uint64_t)(WORD - 1)), at);
}

static LLVMValueRef byte_in_word(struct vel *p, LLVMValueRef at)
{
    return vel_op2(p, "vand.vsvl", vel_i64(p, WORD - 1), at);
}

static LLVMValueRef gather(struct vel *p, enum vel_class c, LLVMValueRef at, LLVMValueRef mask)
{
    if (!is_narrow(c))
        return gather_words(p, c, at, mask);
    LLVMValueRef word = gather_words(p, VEL_I32, word_of(p, at), mask);
    LLVMValueRef bit = vel_op2(p, "vsll.vvsl", byte_in_word(p, at), vel_i64(p, 3));
    word = vel_op2(p, "vsrl.vvvl", word, bit);
    LLVMValueRef by = vel_i64(p, 32 - vel_bits(c));
    return vel_op2(p, "vsrawsx.vvsl", vel_op2(p, "vslawsx.vvsl", word, by), by);
}

static LLVMValueRef lane(struct vel *p, enum vel_class c, LLVMValueRef v, LLVMValueRef at);

/* One lane after the other from `first` on: a word may hold elements of others, which another core
   may be writing. */
static void store_lanes(struct vel *p, enum vel_class c, LLVMValueRef v, LLVMValueRef at,
                        unsigned first)
{
    struct emit *e = p->e;
    LLVMTypeRef type = LLVMIntTypeInContext(e->ctx, vel_bits(c));
    for (unsigned i = first; i < p->lanes; i++) {
        LLVMValueRef number = LLVMConstInt(e->i32, i, 0);
        LLVMValueRef to = lane(p, VEL_I64, at, number);
        LLVMValueRef element = LLVMBuildTrunc(p->b, lane(p, c, v, number), type, "");
        LLVMBuildStore(p->b, element, LLVMBuildIntToPtr(p->b, to, e->ptr, ""));
    }
}

static void scatter(struct vel *p, enum vel_class c, LLVMValueRef v, LLVMValueRef at,
                    LLVMValueRef mask)
{
    assert(!mask || !is_narrow(c));
    if (is_narrow(c))
        store_lanes(p, c, v, at, 0);
    else
        scatter_words(p, c, v, at, mask);
}

/* NULL where it is set for all lanes. */
static LLVMValueRef mask_of(struct vel *p, LLVMValueRef old)
{
    LLVMValueRef scalar = vel_get_scalar(p, old);
    bool all = scalar && LLVMIsAConstantInt(scalar) && LLVMConstIntGetZExtValue(scalar);
    return all ? NULL : vel_get(p, old);
}

static LLVMValueRef load_words(struct vel *p, enum vel_class c, int64_t stride, LLVMValueRef from)
{
    from = LLVMBuildIntToPtr(p->b, from, p->e->ptr, "");
    return vel_op2(p, form(p, "vld", c, true, "vssl"), vel_i64(p, (uint64_t)stride), from);
}

static void store_words(struct vel *p, enum vel_class c, LLVMValueRef v, int64_t stride,
                        LLVMValueRef to)
{
    to = LLVMBuildIntToPtr(p->b, to, p->e->ptr, "");
    LLVMValueRef args[3] = {v, vel_i64(p, (uint64_t)stride), to};
    vel_op(p, form(p, "vst", c, false, "vssl"), args, 3);
}

/* Whose lanes all load or store, as far apart as the ones before. */
static bool has_stride(struct vel *p, LLVMValueRef at, LLVMValueRef mask, enum vel_class c,
                       LLVMValueRef *out_first, int64_t *out_stride)
{
    *out_first = vel_get_first(p, at, out_stride);
    return *out_first && !mask && !is_narrow(c);
}

void vel_gather(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef at = LLVMGetOperand(in, 0), first;
    LLVMValueRef mask = mask_of(p, LLVMGetOperand(in, 2));
    enum vel_class c = vel_class_of(LLVMTypeOf(in));
    int64_t stride;
    assert(LLVMIsUndef(LLVMGetOperand(in, 3)));
    if (has_stride(p, at, mask, c, &first, &stride))
        vel_set(p, in, load_words(p, c, stride, first));
    else
        vel_set(p, in, gather(p, c, vel_get(p, at), mask));
}

void vel_scatter(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef old = LLVMGetOperand(in, 0), at = LLVMGetOperand(in, 1), first;
    LLVMValueRef v = vel_get(p, old), mask = mask_of(p, LLVMGetOperand(in, 3));
    enum vel_class c = vel_class_of(LLVMTypeOf(old));
    int64_t stride;
    if (has_stride(p, at, mask, c, &first, &stride))
        store_words(p, c, v, stride, first);
    else
        scatter(p, c, v, vel_get(p, at), mask);
}

/* base + index * size, of which either may be a vector. */
void vel_address(struct vel *p, LLVMValueRef in)
{
    struct emit *e = p->e;
    assert(LLVMGetNumOperands(in) == 2);
    LLVMValueRef part[2], first[2];
    int64_t step[2] = {0};
    for (unsigned i = 0; i < 2; i++) {
        part[i] = LLVMGetOperand(in, i);
        first[i] = vel_is_vector(part[i]) ? vel_get_first(p, part[i], &step[i]) : part[i];
    }
    int64_t size = (int64_t)LLVMABISizeOfType(e->layout, LLVMGetGEPSourceElementType(in));
    LLVMValueRef bytes = vel_i64(p, (uint64_t)size);
    if (first[0] && first[1]) {
        LLVMValueRef at = LLVMBuildPtrToInt(p->b, first[0], e->i64, "");
        LLVMValueRef to = LLVMBuildIntCast2(p->b, first[1], e->i64, 1, "");
        to = LLVMBuildMul(p->b, to, bytes, "");
        vel_set_first(p, in, LLVMBuildAdd(p->b, at, to, ""), step[0] + step[1] * size);
        return;
    }
    LLVMValueRef steps;
    if (first[1]) {
        LLVMValueRef to = LLVMBuildIntCast2(p->b, first[1], e->i64, 1, "");
        steps = vel_splat(p, VEL_I64, LLVMBuildMul(p->b, to, bytes, ""));
    } else {
        steps = vel_sign_extended(p, vel_class_of(LLVMTypeOf(part[1])), vel_get(p, part[1]));
        if (size != 1)
            steps = vel_op2(p, "vmulsl.vsvl", bytes, steps);
    }
    if (!first[0]) {
        vel_set(p, in, vel_op2(p, "vaddsl.vvvl", vel_get(p, part[0]), steps));
        return;
    }
    LLVMValueRef at = LLVMBuildPtrToInt(p->b, first[0], e->i64, "");
    vel_set(p, in, vel_op2(p, "vaddsl.vsvl", at, steps));
}

/* ---- side by side ---- */

static LLVMValueRef neighbours(struct vel *p, LLVMValueRef base, unsigned bytes)
{
    LLVMValueRef at = vel_op(p, "vseq.vl", NULL, 0);
    if (bytes > 1)
        at = vel_op2(p, "vmulsl.vsvl", vel_i64(p, bytes), at);
    return vel_op2(p, "vaddsl.vsvl", base, at);
}

void vel_load(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef base = LLVMBuildPtrToInt(p->b, LLVMGetOperand(in, 0), p->e->i64, "");
    enum vel_class c = vel_class_of(LLVMTypeOf(in));
    unsigned bytes = vel_bits(c) / 8;
    if (is_narrow(c))
        vel_set(p, in, gather(p, c, neighbours(p, base, bytes), NULL));
    else
        vel_set(p, in, load_words(p, c, bytes, base));
}

/* A place on the stack for a vector of words. */
static LLVMValueRef words_aside(struct vel *p)
{
    struct emit *e = p->e;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(p->b);
    LLVMBasicBlockRef entry = LLVMGetEntryBasicBlock(LLVMGetBasicBlockParent(here));
    LLVMBuilderRef b = LLVMCreateBuilderInContext(e->ctx);
    LLVMPositionBuilderBefore(b, LLVMGetFirstInstruction(entry));
    LLVMValueRef aside = LLVMBuildAlloca(b, LLVMArrayType2(e->i32, VEL_LANES), "");
    LLVMDisposeBuilder(b);
    return aside;
}

/* Every first, second, .. element of a word is read back by itself and put into its place.  The
   lanes that fill no word stand by themselves. */
static void store_whole_words(struct vel *p, enum vel_class c, LLVMValueRef v, LLVMValueRef base)
{
    struct emit *e = p->e;
    LLVMValueRef aside = LLVMBuildPtrToInt(p->b, words_aside(p), e->i64, ""), all = NULL;
    store_words(p, VEL_I32, v, WORD, aside);
    unsigned lanes = p->lanes, bits = vel_bits(c), per_word = 8 * WORD / bits;
    unsigned whole = lanes / per_word;
    p->lanes = whole;
    for (unsigned i = 0; i < per_word; i++) {
        LLVMValueRef from = LLVMBuildAdd(p->b, aside, vel_i64(p, i * WORD), "");
        LLVMValueRef part = load_words(p, VEL_I32, (int64_t)(WORD * per_word), from);
        part = vel_op2(p, "vand.vsvl", vel_i64(p, ((uint64_t)1 << bits) - 1), part);
        if (i > 0)
            part = vel_op2(p, "vsll.vvsl", part, vel_i64(p, i * bits));
        all = all ? vel_op2(p, "vor.vvvl", all, part) : part;
    }
    store_words(p, VEL_I32, all, WORD, base);
    p->lanes = lanes;
    if (whole * per_word < lanes)
        store_lanes(p, c, v, neighbours(p, base, bits / 8), whole * per_word);
}

void vel_store(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef old = LLVMGetOperand(in, 0), v = vel_get(p, old);
    LLVMValueRef base = LLVMBuildPtrToInt(p->b, LLVMGetOperand(in, 1), p->e->i64, "");
    enum vel_class c = vel_class_of(LLVMTypeOf(old));
    unsigned bytes = vel_bits(c) / 8;
    if (!is_narrow(c))
        store_words(p, c, v, bytes, base);
    else if (LLVMGetAlignment(in) % WORD == 0 && p->lanes * bytes >= WORD)
        store_whole_words(p, c, v, base);
    else
        scatter(p, c, v, neighbours(p, base, bytes), NULL);
}

/* ---- single lanes ---- */

/* As the vector's elements are, integers with 64 bits. */
static LLVMValueRef lane(struct vel *p, enum vel_class c, LLVMValueRef v, LLVMValueRef at)
{
    const char *name = c == VEL_F32 ? "lvss.svs" : c == VEL_F64 ? "lvsd.svs" : "lvsl.svs";
    return vel_op2(p, name, v, at);
}

void vel_extract(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef old = LLVMGetOperand(in, 0), at = LLVMGetOperand(in, 1);
    enum vel_class c = vel_class_of(LLVMTypeOf(old));
    LLVMValueRef r = vel_get_scalar(p, old);
    if (!r) {
        LLVMValueRef v = vel_get(p, old);
        if (c == VEL_MASK)
            v = vel_select(p, v, vel_splat_bits(p, 1), vel_splat_bits(p, 0));
        r = lane(p, c, v, at);
        if (LLVMGetTypeKind(LLVMTypeOf(in)) == LLVMPointerTypeKind)
            r = LLVMBuildIntToPtr(p->b, r, LLVMTypeOf(in), "");
        else if (c != VEL_F32 && c != VEL_F64)
            r = LLVMBuildIntCast2(p->b, r, LLVMTypeOf(in), 1, "");
    }
    LLVMReplaceAllUsesWith(in, r);
}

/* The bits of a number as they lie in an element. */
static LLVMValueRef bits_of(struct vel *p, enum vel_class c, LLVMValueRef scalar)
{
    struct emit *e = p->e;
    if (c == VEL_F64)
        return LLVMBuildBitCast(p->b, scalar, e->i64, "");
    if (c != VEL_F32)
        return LLVMBuildIntCast2(p->b, scalar, e->i64, 1, "");
    LLVMValueRef bits = LLVMBuildBitCast(p->b, scalar, e->i32, "");
    bits = LLVMBuildZExt(p->b, bits, e->i64, "");
    return LLVMBuildShl(p->b, bits, vel_i64(p, 32), "");
}

void vel_insert(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef old = LLVMGetOperand(in, 0), scalar = LLVMGetOperand(in, 1);
    LLVMValueRef at = LLVMGetOperand(in, 2);
    /* The other lanes may be anything. */
    if (LLVMIsUndef(old)) {
        vel_set_scalar(p, in, scalar);
        return;
    }
    enum vel_class c = vel_class_of(LLVMTypeOf(in));
    assert(c != VEL_MASK);
    LLVMValueRef args[3] = {vel_get(p, old), at, bits_of(p, c, scalar)};
    vel_set(p, in, vel_op(p, "lsv.vvss", args, 3));
}
