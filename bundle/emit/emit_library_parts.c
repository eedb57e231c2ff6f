/* The objects of a library that hold little or no code: hooks, weights, and stubs for linkers. */
#include <string.h>

#include "bundle/emit/emit_library_internal.h"
#include "bundle/emit/emit_weights.h"

static bool in_worker(struct arena *a, emit_job *job, const void *arg, struct bytes *out_object,
                      struct error *err)
{
    struct emit_result r;
    if (!emit_in_worker(a, job, arg, &r, err))
        return false;
    *out_object = r.object;
    return true;
}

static bool open_module(struct emit *e, struct arena *a, const struct target *t, const char *name,
                        struct error *err)
{
    *e = (struct emit){.arena = a, .target = t, .features = t->features};
    return emit_open(e, name, err);
}

static bool close_module(struct emit *e, struct emit_result *out_result, struct error *err)
{
    bool ok = emit_to_object(e, emit_library_is_needed, &out_result->object, err);
    emit_close(e);
    return ok;
}

/* ---- the allocator's hooks ---- */

/* The functions of sheaf_ext_set_allocator; NULL: the C library's. */
static LLVMValueRef hook(struct emit *e, const char *name)
{
    LLVMValueRef g = LLVMAddGlobal(e->mod, e->ptr, name);
    LLVMSetInitializer(g, LLVMConstNull(e->ptr));
    LLVMSetLinkage(g, LLVMInternalLinkage);
    return g;
}

/* A weak function that hands its parameter on to what is in the hook, else to `fallback`. */
static void through_hook(struct emit *e, const char *name, LLVMTypeRef result, LLVMTypeRef param,
                         LLVMValueRef hook, const char *fallback)
{
    bool returns = result != e->void_;
    plain_function(e, name, result, &param, 1, LLVMWeakAnyLinkage);
    LLVMBasicBlockRef usual = plain_block(e);
    LLVMValueRef arg = plain_param(e, 0);
    LLVMValueRef set = plain_load_atomic(e, e->ptr, hook, LLVMAtomicOrderingMonotonic);
    plain_branch_if(e, plain_is_null(e, set), usual);
    LLVMTypeRef type = LLVMFunctionType(result, &param, 1, 0);
    LLVMValueRef v = LLVMBuildCall2(e->b, type, set, &arg, 1, "");
    if (returns)
        LLVMBuildRet(e->b, v);
    else
        LLVMBuildRetVoid(e->b);
    LLVMPositionBuilderAtEnd(e->b, usual);
    v = plain_call_extern(e, fallback, result, &arg, 1);
    if (returns)
        LLVMBuildRet(e->b, v);
    else
        LLVMBuildRetVoid(e->b);
}

/* A weak function that calls another, whichever definition of that the program has. */
static void other_name(struct emit *e, const char *name, const char *of)
{
    LLVMTypeRef type = LLVMGlobalGetValueType(LLVMGetNamedFunction(e->mod, of));
    LLVMTypeRef result = LLVMGetReturnType(type), param;
    LLVMGetParamTypes(type, &param);
    plain_function(e, name, result, &param, 1, LLVMWeakAnyLinkage);
    LLVMValueRef arg = plain_param(e, 0);
    LLVMValueRef v = plain_call_extern(e, of, result, &arg, 1);
    if (result == e->void_)
        LLVMBuildRetVoid(e->b);
    else
        LLVMBuildRet(e->b, v);
}

/* What the hooks do by themselves. */
static const char *usual(struct arena *a, const struct emit_library *lib, const char *name)
{
    if (!emit_library_is_on_device(lib->device))
        return name;
    return arena_printf(a, "%s%s", emit_library_runtime(lib->device), name);
}

static bool hooks_module(struct arena *a, const void *arg, struct emit_result *out_result,
                         struct error *err)
{
    const struct emit_library *lib = arg;
    const char *stem = emit_library_hook_names(lib->device);
    const char *allocate = arena_printf(a, "%smalloc", stem),
               *give_back = arena_printf(a, "%sfree", stem);
    struct emit e;
    if (!open_module(&e, a, lib->target, "sheaf_ext", err))
        return false;
    LLVMValueRef malloc_hook = hook(&e, "malloc_hook"), free_hook = hook(&e, "free_hook");
    through_hook(&e, allocate, e.ptr, e.index, malloc_hook, usual(a, lib, "malloc"));
    through_hook(&e, give_back, e.void_, e.ptr, free_hook, usual(a, lib, "free"));
    other_name(&e, "sol_ext_malloc", allocate);
    other_name(&e, "sol_ext_free", give_back);
    LLVMTypeRef params[2] = {e.ptr, e.ptr};
    plain_function(&e, arena_printf(a, "%sset_allocator", stem), e.void_, params, 2,
                   LLVMWeakAnyLinkage);
    plain_store_atomic(&e, plain_param(&e, 0), malloc_hook, LLVMAtomicOrderingMonotonic);
    plain_store_atomic(&e, plain_param(&e, 1), free_hook, LLVMAtomicOrderingMonotonic);
    LLVMBuildRetVoid(e.b);
    return close_module(&e, out_result, err);
}

bool emit_library_hooks(struct arena *a, const struct emit_library *lib, struct bytes *out_object,
                        struct error *err)
{
    return in_worker(a, hooks_module, lib, out_object, err);
}

/* ---- weights ---- */

bool emit_library_weights(struct arena *a, const struct emit_library *lib, struct bytes weights,
                          struct bytes *out_object, struct error *err)
{
    struct emit_weights req = {
        .name = arena_printf(a, "%s_constants", lib->functions[0].func),
        .is_hidden = true,
        .target = lib->target,
        .data = weights,
    };
    return emit_weights(a, &req, out_object, err);
}

/* ---- stubs ---- */

static bool stub_module(struct arena *a, const void *arg, struct emit_result *out_result,
                        struct error *err)
{
    const struct emit_library_stub *stub = arg;
    struct emit e;
    if (!open_module(&e, a, stub->target, "stub", err))
        return false;
    for (int kind = 0; kind <= EMIT_NEED_DL; kind++) {
        enum emit_library_need need = (enum emit_library_need)kind;
        for (size_t i = 0; stub->needed[kind] && emit_library_needs(need, i); i++) {
            plain_function(&e, emit_library_needs(need, i), e.void_, NULL, 0, LLVMExternalLinkage);
            LLVMBuildRetVoid(e.b);
        }
    }
    return close_module(&e, out_result, err);
}

bool emit_library_stub(struct arena *a, const struct emit_library_stub *stub,
                       struct bytes *out_object, struct error *err)
{
    return in_worker(a, stub_module, stub, out_object, err);
}
