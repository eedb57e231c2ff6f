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

static bool has_host_step(const struct step *s)
{
    if (s->kind == STEP_CALL)
        return s->on_host;
    for (int k = 0; k < 2; k++)
        if (emit_host_free(&s->bodies[k], 0) < s->bodies[k].n)
            return true;
    return false;
}

size_t emit_host_free(const struct steps *steps, size_t i)
{
    while (i < steps->n && !has_host_step(steps->step[i]))
        i++;
    return i;
}

bool emit_is_one_call(const struct emit_part *part)
{
    const struct steps *all = &part->program->body;
    return part->target->runs_networks && emit_host_free(all, 0) == all->n;
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
