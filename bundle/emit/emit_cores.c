/* Networks that run in several cores at once: where they wait for each other. */
#include "bundle/emit/emit_plain.h"

/*
 * void meet(barrier, n_cores).  The first word of the barrier counts who has come; the second is
 * the number of the round, which the last to come increases: by it the others see that they may go
 * on.
 */
static LLVMValueRef function(struct emit *e)
{
    static const char name[] = "meet";
    const LLVMAtomicOrdering ordered = LLVMAtomicOrderingSequentiallyConsistent;
    LLVMValueRef fn = LLVMGetNamedFunction(e->mod, name);
    if (fn)
        return fn;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[2] = {e->ptr, e->i64};
    fn = plain_function(e, name, e->void_, params, 2, LLVMInternalLinkage);
    LLVMBasicBlockRef last = plain_block(e), wait = plain_block(e), end = plain_block(e);
    LLVMValueRef one = plain_i64(e, 1), count = plain_param(e, 0);
    LLVMValueRef round = plain_at(e, count, plain_i64(e, sizeof(uint64_t)));
    LLVMValueRef now = plain_load_atomic(e, e->i64, round, ordered);
    LLVMValueRef n = LLVMBuildAtomicRMW(e->b, LLVMAtomicRMWBinOpAdd, count, one, ordered, 0);
    n = LLVMBuildAdd(e->b, n, one, "");
    LLVMBuildCondBr(e->b, plain_equals(e, n, plain_param(e, 1)), last, wait);
    LLVMPositionBuilderAtEnd(e->b, last);
    plain_store_atomic(e, plain_i64(e, 0), count, ordered);
    plain_store_atomic(e, LLVMBuildAdd(e->b, now, one, ""), round, ordered);
    LLVMBuildBr(e->b, end);
    LLVMPositionBuilderAtEnd(e->b, wait);
    LLVMValueRef seen = plain_load_atomic(e, e->i64, round, ordered);
    LLVMBuildCondBr(e->b, plain_equals(e, seen, now), wait, end);
    LLVMPositionBuilderAtEnd(e->b, end);
    LLVMBuildRetVoid(e->b);
    LLVMPositionBuilderAtEnd(e->b, before);
    return fn;
}

void emit_meeting(struct emit *e, LLVMValueRef barrier, LLVMValueRef n_cores)
{
    LLVMValueRef args[2] = {barrier, n_cores};
    plain_call(e, function(e), args, 2);
}
