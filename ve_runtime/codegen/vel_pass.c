/* The pass: functions are gone through in an order in which values come before their uses, those of
   loops apart, which are filled in at the end. */
#include <assert.h>
#include <string.h>

#include "ir/error.h"
#include "ve_runtime/codegen/vel.h"

struct pass {
    struct vel vel;
    LLVMBasicBlockRef *order; /* the last first */
    size_t n_order, cap_order;
    LLVMBasicBlockRef *seen;
    size_t n_seen, cap_seen;
    LLVMValueRef *old; /* what was replaced */
    size_t n_old, cap_old;
    LLVMValueRef unknown;
};

static bool see(struct pass *p, LLVMBasicBlockRef block)
{
    for (size_t i = 0; i < p->n_seen; i++)
        if (p->seen[i] == block)
            return false;
    ARENA_PUSH(p->vel.e->arena, p->seen, p->n_seen, p->cap_seen) = block;
    return true;
}

static void order_from(struct pass *p, LLVMBasicBlockRef block)
{
    if (!see(p, block))
        return;
    LLVMValueRef end = LLVMGetBasicBlockTerminator(block);
    for (unsigned i = LLVMGetNumSuccessors(end); i > 0; i--)
        order_from(p, LLVMGetSuccessor(end, i - 1));
    ARENA_PUSH(p->vel.e->arena, p->order, p->n_order, p->cap_order) = block;
}

/* How many lanes an instruction is of; 0: it has none. */
static unsigned lanes_of(LLVMValueRef in)
{
    if (vel_is_vector(in))
        return LLVMGetVectorSize(LLVMTypeOf(in));
    for (unsigned i = 0; i < (unsigned)LLVMGetNumOperands(in); i++)
        if (vel_is_vector(LLVMGetOperand(in, i)))
            return LLVMGetVectorSize(LLVMTypeOf(LLVMGetOperand(in, i)));
    return 0;
}

static bool takes_first(LLVMValueRef in)
{
    unsigned n = LLVMGetNumMaskElements(in);
    for (unsigned i = 0; i < n; i++)
        if (LLVMGetMaskValue(in, i) != (int)i)
            return false;
    return n > 1;
}

/* The first lanes of a longer vector; of the first lane to all. */
static bool shuffle(struct vel *p, LLVMValueRef in)
{
    LLVMValueRef of = LLVMGetOperand(in, 0);
    if (takes_first(in)) {
        vel_set(p, in, vel_get(p, of));
        return true;
    }
    for (unsigned i = 0; i < LLVMGetNumMaskElements(in); i++)
        if (LLVMGetMaskValue(in, i) != 0)
            return false;
    LLVMValueRef scalar = vel_get_scalar(p, of);
    if (scalar)
        vel_set_scalar(p, in, scalar);
    return scalar != NULL;
}

/* "": it is no call of a function by its name. */
static const char *name_called(LLVMValueRef in)
{
    size_t length;
    bool is_call = LLVMGetInstructionOpcode(in) == LLVMCall;
    return is_call && LLVMIsAFunction(LLVMGetCalledValue(in))
               ? LLVMGetValueName2(LLVMGetCalledValue(in), &length)
               : "";
}

static bool replace(struct vel *p, LLVMValueRef in)
{
    switch (LLVMGetInstructionOpcode(in)) {
    case LLVMFNeg:
        vel_negate(p, in);
        return true;
    case LLVMICmp:
    case LLVMFCmp:
        vel_compare(p, in);
        return true;
    case LLVMSelect:
        vel_select_instruction(p, in);
        return true;
    case LLVMTrunc:
    case LLVMSExt:
    case LLVMZExt:
    case LLVMSIToFP:
    case LLVMUIToFP:
    case LLVMFPToSI:
    case LLVMFPExt:
    case LLVMFPTrunc:
    case LLVMBitCast:
        vel_cast(p, in);
        return true;
    case LLVMLoad:
        vel_load(p, in);
        return true;
    case LLVMStore:
        vel_store(p, in);
        return true;
    case LLVMGetElementPtr:
        vel_address(p, in);
        return true;
    case LLVMExtractElement:
        vel_extract(p, in);
        return true;
    case LLVMInsertElement:
        vel_insert(p, in);
        return true;
    case LLVMShuffleVector:
        return shuffle(p, in);
    case LLVMPHI: {
        bool is_mask = vel_class_of(LLVMTypeOf(in)) == VEL_MASK;
        vel_set(p, in, LLVMBuildPhi(p->b, is_mask ? p->mask : p->data, ""));
        return true;
    }
    case LLVMCall:
        return vel_call(p, in, name_called(in));
    default:
        if (!LLVMIsABinaryOperator(in))
            return false;
        vel_binary(p, in);
        return true;
    }
}

static bool replace_block(struct pass *p, LLVMBasicBlockRef block)
{
    LLVMValueRef next;
    for (LLVMValueRef in = LLVMGetFirstInstruction(block); in; in = next) {
        next = LLVMGetNextInstruction(in);
        unsigned lanes = lanes_of(in);
        assert(lanes <= VEL_LANES);
        p->vel.lanes = lanes;
        LLVMPositionBuilderBefore(p->vel.b, in);
        if (!lanes && !vel_scalar(&p->vel, in, name_called(in)))
            continue;
        if (lanes && !replace(&p->vel, in)) {
            p->unknown = in;
            return false;
        }
        ARENA_PUSH(p->vel.e->arena, p->old, p->n_old, p->cap_old) = in;
    }
    return true;
}

static void fill_phi(struct pass *p, LLVMValueRef old)
{
    LLVMValueRef phi = vel_get(&p->vel, old);
    p->vel.lanes = LLVMGetVectorSize(LLVMTypeOf(old));
    for (unsigned i = 0; i < LLVMCountIncoming(old); i++) {
        LLVMBasicBlockRef from = LLVMGetIncomingBlock(old, i);
        LLVMPositionBuilderBefore(p->vel.b, LLVMGetBasicBlockTerminator(from));
        LLVMValueRef v = vel_get(&p->vel, LLVMGetIncomingValue(old, i));
        LLVMAddIncoming(phi, &v, &from, 1);
    }
}

static bool run_function(struct emit *e, LLVMValueRef fn, LLVMValueRef *out_unknown)
{
    struct pass p = {0};
    vel_init(&p.vel, e);
    order_from(&p, LLVMGetEntryBasicBlock(fn));
    for (size_t i = p.n_order; i > 0; i--) {
        if (replace_block(&p, p.order[i - 1]))
            continue;
        *out_unknown = p.unknown;
        return false;
    }
    for (size_t i = 0; i < p.n_old; i++)
        if (LLVMGetInstructionOpcode(p.old[i]) == LLVMPHI)
            fill_phi(&p, p.old[i]);
    for (size_t i = p.n_old; i > 0; i--) {
        LLVMTypeRef type = LLVMTypeOf(p.old[i - 1]);
        if (LLVMGetTypeKind(type) != LLVMVoidTypeKind)
            LLVMReplaceAllUsesWith(p.old[i - 1], LLVMGetPoison(type));
        LLVMInstructionEraseFromParent(p.old[i - 1]);
    }
    return true;
}

bool vel_run(struct emit *e, struct error *err)
{
    for (LLVMValueRef fn = LLVMGetFirstFunction(e->mod); fn; fn = LLVMGetNextFunction(fn)) {
        LLVMValueRef unknown;
        if (LLVMIsDeclaration(fn) || run_function(e, fn, &unknown))
            continue;
        char *text = LLVMPrintValueToString(unknown);
        error_set(err, SHEAF_ERROR_CODEGEN,
                  "internal error: no instruction of the Vector Engine is known for '%s'", text);
        LLVMDisposeMessage(text);
        return false;
    }
    return true;
}
