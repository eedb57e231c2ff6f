#include "bundle/emit/emit_plain.h"

static LLVMValueRef function_at_hand(struct emit *e)
{
    return LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->b));
}

LLVMValueRef plain_function(struct emit *e, const char *name, LLVMTypeRef result,
                            const LLVMTypeRef *params, size_t n, LLVMLinkage linkage)
{
    LLVMTypeRef *types = arena_array(e->arena, n, sizeof *types);
    for (size_t i = 0; i < n; i++)
        types[i] = params[i];
    LLVMTypeRef type = LLVMFunctionType(result, types, (unsigned)n, 0);
    LLVMValueRef fn = LLVMAddFunction(e->mod, name, type);
    LLVMSetLinkage(fn, linkage);
    LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->ctx, fn, ""));
    return fn;
}

LLVMValueRef plain_param(struct emit *e, unsigned i)
{
    return LLVMGetParam(function_at_hand(e), i);
}

LLVMBasicBlockRef plain_block(struct emit *e)
{
    return LLVMAppendBasicBlockInContext(e->ctx, function_at_hand(e), "");
}

LLVMValueRef plain_call(struct emit *e, LLVMValueRef fn, const LLVMValueRef *args, size_t n)
{
    LLVMValueRef *values = arena_array(e->arena, n, sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = args[i];
    return LLVMBuildCall2(e->b, LLVMGlobalGetValueType(fn), fn, values, (unsigned)n, "");
}

LLVMValueRef plain_call_extern(struct emit *e, const char *name, LLVMTypeRef result,
                               const LLVMValueRef *args, size_t n)
{
    LLVMValueRef fn = LLVMGetNamedFunction(e->mod, name);
    if (!fn) {
        LLVMTypeRef *types = arena_array(e->arena, n, sizeof *types);
        for (size_t i = 0; i < n; i++)
            types[i] = LLVMTypeOf(args[i]);
        fn = LLVMAddFunction(e->mod, name, LLVMFunctionType(result, types, (unsigned)n, 0));
    }
    return plain_call(e, fn, args, n);
}

void plain_branch_if(struct emit *e, LLVMValueRef condition, LLVMBasicBlockRef to)
{
    LLVMBasicBlockRef next = plain_block(e);
    LLVMBuildCondBr(e->b, condition, to, next);
    LLVMPositionBuilderAtEnd(e->b, next);
}

void plain_return_if(struct emit *e, LLVMValueRef condition, LLVMValueRef value)
{
    LLVMBasicBlockRef out = plain_block(e);
    plain_branch_if(e, condition, out);
    LLVMBasicBlockRef next = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderAtEnd(e->b, out);
    LLVMBuildRet(e->b, value);
    LLVMPositionBuilderAtEnd(e->b, next);
}

void plain_go(struct emit *e, LLVMBasicBlockRef to)
{
    LLVMBuildBr(e->b, to);
    LLVMPositionBuilderAtEnd(e->b, to);
}

LLVMValueRef plain_is_null(struct emit *e, LLVMValueRef pointer)
{
    return LLVMBuildICmp(e->b, LLVMIntEQ, pointer, LLVMConstNull(e->ptr), "");
}

LLVMValueRef plain_equals(struct emit *e, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildICmp(e->b, LLVMIntEQ, a, b, "");
}

LLVMValueRef plain_at(struct emit *e, LLVMValueRef base, LLVMValueRef offset_bytes)
{
    return LLVMBuildGEP2(e->b, e->i8, base, &offset_bytes, 1, "");
}

LLVMValueRef plain_i32(struct emit *e, int64_t v)
{
    return LLVMConstInt(e->i32, (uint64_t)v, 1);
}

LLVMValueRef plain_i64(struct emit *e, uint64_t v)
{
    return LLVMConstInt(e->i64, v, 0);
}

LLVMValueRef plain_load(struct emit *e, LLVMTypeRef type, LLVMValueRef at)
{
    LLVMValueRef v = LLVMBuildLoad2(e->b, type, at, "");
    LLVMSetAlignment(v, 1);
    return v;
}

void plain_store(struct emit *e, LLVMValueRef v, LLVMValueRef at)
{
    LLVMSetAlignment(LLVMBuildStore(e->b, v, at), 1);
}

LLVMValueRef plain_load_atomic(struct emit *e, LLVMTypeRef type, LLVMValueRef at,
                               LLVMAtomicOrdering ordering)
{
    LLVMValueRef v = LLVMBuildLoad2(e->b, type, at, "");
    LLVMSetOrdering(v, ordering);
    LLVMSetAlignment(v, (unsigned)LLVMABISizeOfType(LLVMGetModuleDataLayout(e->mod), type));
    return v;
}

void plain_store_atomic(struct emit *e, LLVMValueRef v, LLVMValueRef at,
                        LLVMAtomicOrdering ordering)
{
    LLVMValueRef store = LLVMBuildStore(e->b, v, at);
    LLVMSetOrdering(store, ordering);
    LLVMSetAlignment(store,
                     (unsigned)LLVMABISizeOfType(LLVMGetModuleDataLayout(e->mod), LLVMTypeOf(v)));
}
