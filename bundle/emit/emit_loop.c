/* Loops and blocks of the LLVM function under construction. */
#include "bundle/emit/emit_internal.h"

LLVMBasicBlockRef emit_append_block(struct emit_kernel *ek)
{
    return LLVMAppendBasicBlockInContext(ek->e->ctx, ek->fn, "");
}

LLVMValueRef emit_alloca(struct emit_kernel *ek, LLVMTypeRef type)
{
    struct emit *e = ek->e;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMValueRef first = LLVMGetFirstInstruction(ek->entry);
    if (first)
        LLVMPositionBuilderBefore(e->b, first);
    else
        LLVMPositionBuilderAtEnd(e->b, ek->entry);
    LLVMValueRef p = LLVMBuildAlloca(e->b, type, "");
    LLVMPositionBuilderAtEnd(e->b, here);
    return p;
}

LLVMValueRef emit_extent(struct emit_kernel *ek, const struct kregion *r, int d)
{
    int64_t known;
    if (kernel_is_const_int(ek->k, r->extent[d], &known))
        return emit_index(ek->e, known);
    return emit_to_index(ek->e, emit_get(ek, r->extent[d], false));
}

/* Bottom-tested: the body is entered at once where the first test is known to hold, else behind a
   guard. */
struct eloop emit_loop_begin(struct emit_kernel *ek, LLVMValueRef from, LLVMValueRef to,
                             int64_t step)
{
    struct emit *e = ek->e;
    struct eloop l = {.to = to, .step = step};
    l.from_block = LLVMGetInsertBlock(e->b);
    l.body = emit_append_block(ek);
    l.exit = emit_append_block(ek);
    if (LLVMIsAConstantInt(from) && LLVMIsAConstantInt(to) &&
        LLVMConstIntGetSExtValue(from) < LLVMConstIntGetSExtValue(to))
        LLVMBuildBr(e->b, l.body);
    else
        LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, from, to, ""), l.body, l.exit);
    LLVMPositionBuilderAtEnd(e->b, l.body);
    l.phi = LLVMBuildPhi(e->b, LLVMTypeOf(from), "");
    LLVMAddIncoming(l.phi, &from, &l.from_block, 1);
    return l;
}

void emit_loop_end(struct emit_kernel *ek, struct eloop *l)
{
    struct emit *e = ek->e;
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->b);
    LLVMValueRef next =
        LLVMBuildNSWAdd(e->b, l->phi, LLVMConstInt(LLVMTypeOf(l->phi), (uint64_t)l->step, 1), "");
    LLVMAddIncoming(l->phi, &next, &latch, 1);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, next, l->to, ""), l->body, l->exit);
    LLVMPositionBuilderAtEnd(e->b, l->exit);
}
