/*
 * emit_plain.h: functions that are no kernels, written with the LLVM builder: declarations, calls,
 * early returns.
 */
#ifndef SHEAF_BUNDLE_EMIT_PLAIN_H
#define SHEAF_BUNDLE_EMIT_PLAIN_H

#include "bundle/emit/emit_internal.h"

/* A function of n parameters; the builder stands in its entry block. */
LLVMValueRef plain_function(struct emit *e, const char *name, LLVMTypeRef result,
                            const LLVMTypeRef *params, size_t n, LLVMLinkage linkage);
LLVMValueRef plain_param(struct emit *e, unsigned i); /* of the function at hand */
LLVMBasicBlockRef plain_block(struct emit *e);        /* a new one of it */

LLVMValueRef plain_call(struct emit *e, LLVMValueRef fn, const LLVMValueRef *args, size_t n);
/* The same of a function of another object, with the types of these arguments. */
LLVMValueRef plain_call_extern(struct emit *e, const char *name, LLVMTypeRef result,
                               const LLVMValueRef *args, size_t n);

/* Returns the value where the condition holds, and goes on where not. */
void plain_return_if(struct emit *e, LLVMValueRef condition, LLVMValueRef value);
/* Goes to the block where the condition holds, and goes on where not. */
void plain_branch_if(struct emit *e, LLVMValueRef condition, LLVMBasicBlockRef to);
void plain_go(struct emit *e, LLVMBasicBlockRef to); /* goes there and continues there */

LLVMValueRef plain_is_null(struct emit *e, LLVMValueRef pointer);
LLVMValueRef plain_equals(struct emit *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef plain_at(struct emit *e, LLVMValueRef base, LLVMValueRef offset_bytes);
LLVMValueRef plain_i32(struct emit *e, int64_t v);
LLVMValueRef plain_i64(struct emit *e, uint64_t v);
/* Loads and stores of whatever address. */
LLVMValueRef plain_load(struct emit *e, LLVMTypeRef type, LLVMValueRef at);
void plain_store(struct emit *e, LLVMValueRef v, LLVMValueRef at);
LLVMValueRef plain_load_atomic(struct emit *e, LLVMTypeRef type, LLVMValueRef at,
                               LLVMAtomicOrdering ordering);
void plain_store_atomic(struct emit *e, LLVMValueRef v, LLVMValueRef at,
                        LLVMAtomicOrdering ordering);

#endif
