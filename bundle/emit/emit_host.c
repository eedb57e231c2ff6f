/*
 * Kernels of a device's network that stay on the host: the ordinary functions of kernels, and for
 * each one that takes its buffers as the device's runtime passes them (sheaf_host_fn).
 */
#include <assert.h>

#include "bundle/emit/emit_plain.h"

/* void fn(const uint64_t *addresses) */
static LLVMValueRef emit_caller(struct emit *e, LLVMValueRef kernel, const struct kernel *k)
{
    assert(emit_kernel_params(e, k) == k->n_bufs);
    const char *name = arena_printf(e->arena, "%s.host", LLVMGetValueName(kernel));
    LLVMValueRef fn = plain_function(e, name, e->void_, &e->ptr, 1, LLVMInternalLinkage);
    LLVMValueRef *args = arena_array(e->arena, k->n_bufs, sizeof *args);
    for (size_t i = 0; i < k->n_bufs; i++) {
        LLVMValueRef offset = plain_i64(e, i * sizeof(uint64_t));
        LLVMValueRef address = plain_load(e, e->i64, plain_at(e, plain_param(e, 0), offset));
        args[i] = LLVMBuildIntToPtr(e->b, address, e->ptr, "");
    }
    plain_call(e, kernel, args, k->n_bufs);
    LLVMBuildRetVoid(e->b);
    return fn;
}

LLVMValueRef *emit_host_functions(struct emit *e, const struct emit_part *part)
{
    const struct emit_schedules *s = part->schedules;
    LLVMValueRef *kernel = emit_part_kernels(e, part);
    LLVMValueRef *fn = arena_array(e->arena, s->n, sizeof *fn);
    for (size_t i = 0; i < s->n; i++)
        if (kernel[i])
            fn[i] = emit_caller(e, kernel[i], s->kernel[i].kernel);
    return fn;
}
