/* How a library becomes ready: once, whichever thread comes first; the others wait for it. */
#include <string.h>

#include "bundle/emit/emit_library_internal.h"

/* ---- the processor ---- */

/*
 * What Linux tells programs of processors that cannot be asked themselves: bits of AT_HWCAP
 * (arch/arm/include/uapi/asm/hwcap.h; on RISC-V bit n is the extension of letter n,
 * Documentation/arch/riscv/uabi.rst).
 */
enum { AT_HWCAP = 16 };
static const struct {
    const char *arch, *feature;
    unsigned bit;
} HWCAPS[] = {
    {"arm", "neon", 12}, {"arm", "vfp3", 13}, {"arm", "vfp3d16", 6}, {"arm", "vfp4", 16},
    {"riscv", "f", 5},   {"riscv", "d", 3},   {"riscv", "v", 21},
};

static LLVMValueRef has_hwcaps(struct library *l)
{
    struct emit *e = &l->e;
    uint64_t mask = 0;
    for (size_t i = 0; i < sizeof HWCAPS / sizeof *HWCAPS; i++)
        if (strncmp(l->req->target->triple, HWCAPS[i].arch, strlen(HWCAPS[i].arch)) == 0 &&
            target_lists(l->req->features, HWCAPS[i].feature, strlen(HWCAPS[i].feature)))
            mask |= UINT64_C(1) << HWCAPS[i].bit;
    if (!mask)
        return LLVMConstInt(e->i1, 1, 0);
    LLVMValueRef which = LLVMConstInt(e->index, AT_HWCAP, 0);
    LLVMValueRef bits = plain_call_extern(e, "getauxval", e->index, &which, 1);
    LLVMValueRef wanted = LLVMConstInt(e->index, mask, 0);
    return plain_equals(e, LLVMBuildAnd(e->b, bits, wanted, ""), wanted);
}

static LLVMValueRef select_variant(struct library *l)
{
    struct emit *e = &l->e;
    LLVMValueRef variant = library_call_bundle(l, "_select", NULL, 0);
    LLVMBuildStore(e->b, variant, library_field(l, LIBRARY_VARIANT));
    LLVMValueRef none = plain_i32(e, (int32_t)SHEAF_NO_VARIANT);
    return LLVMBuildICmp(e->b, LLVMIntNE, variant, none, "");
}

/* Asks the processor, as the function that chooses between variants does. */
static LLVMValueRef has_features(struct library *l)
{
    struct emit *e = &l->e;
    struct target only = *e->target;
    const struct target *variant = &only;
    only.features = l->req->features;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMTypeRef type = LLVMFunctionType(e->i32, NULL, 0, 0);
    LLVMValueRef fn = LLVMAddFunction(e->mod, "sheaf_has_features", type);
    LLVMSetLinkage(fn, LLVMInternalLinkage);
    e->target->emit_select(e, fn, &variant, 1);
    LLVMPositionBuilderAtEnd(e->b, here);
    LLVMValueRef found = LLVMBuildCall2(e->b, type, fn, NULL, 0, "");
    return LLVMBuildICmp(e->b, LLVMIntNE, found, plain_i32(e, (int32_t)SHEAF_NO_VARIANT), "");
}

static void check_processor(struct library *l)
{
    struct emit *e = &l->e;
    LLVMValueRef holds = !l->req->features        ? select_variant(l)
                         : e->target->emit_select ? has_features(l)
                                                  : has_hwcaps(l);
    plain_return_if(e, LLVMBuildNot(e->b, holds, ""), plain_i32(e, SHEAF_ERROR_PROCESSOR));
}

/* ---- the device ---- */

/* Weights that are there stay, where the device was what failed before. */
static void load_once(struct library *l, LLVMValueRef load)
{
    struct emit *e = &l->e;
    LLVMValueRef path = plain_param(e, 0);
    LLVMBasicBlockRef loaded = plain_block(e);
    LLVMValueRef there = LLVMBuildNot(e->b, plain_is_null(e, library_constants(l)), "");
    plain_branch_if(e, LLVMBuildAnd(e->b, there, plain_is_null(e, path), ""), loaded);
    LLVMValueRef status = plain_call(e, load, &path, 1);
    plain_return_if(e, LLVMBuildICmp(e->b, LLVMIntNE, status, plain_i32(e, SHEAF_OK), ""), status);
    plain_go(e, loaded);
}

static void begin_device(struct library *l, LLVMValueRef load)
{
    if (load)
        load_once(l, load);
    LLVMBuildRet(l->e.b, library_open_device(l, library_constants(l)));
}

/* ---- once ---- */

/* int work(const char *path): what init does once. */
static LLVMValueRef emit_work(struct library *l)
{
    struct emit *e = &l->e;
    LLVMValueRef load = l->req->weights_path ? library_emit_load(l) : NULL;
    LLVMValueRef fn =
        plain_function(e, library_name(l, "work"), e->i32, &e->ptr, 1, LLVMInternalLinkage);
    if (l->req->device) {
        begin_device(l, load);
        return fn;
    }
    check_processor(l);
    LLVMValueRef path = plain_param(e, 0);
    LLVMBuildRet(e->b, load ? plain_call(e, load, &path, 1) : plain_i32(e, SHEAF_OK));
    return fn;
}

/*
 * int init(const char *path).  The phase is the only thing that threads meet at: who moves it to
 * BUSY does the work, and stores READY or the fault behind it (release), which the others read
 * (acquire).  A fault stays, unless another path is given.
 */
void library_emit_ready(struct library *l)
{
    struct emit *e = &l->e;
    LLVMValueRef work = emit_work(l);
    l->init = plain_function(e, library_name(l, "ready"), e->i32, &e->ptr, 1, LLVMInternalLinkage);
    LLVMValueRef phase = library_field(l, LIBRARY_PHASE);
    LLVMValueRef ready = plain_i32(e, LIBRARY_READY), busy = plain_i32(e, LIBRARY_BUSY);
    LLVMValueRef ok = plain_i32(e, SHEAF_OK);
    LLVMBasicBlockRef again = plain_block(e), wait = plain_block(e), act = plain_block(e);
    plain_go(e, again);
    LLVMValueRef seen = plain_load_atomic(e, e->i32, phase, LLVMAtomicOrderingAcquire);
    plain_return_if(e, plain_equals(e, seen, ready), ok);
    plain_branch_if(e, plain_equals(e, seen, busy), wait);
    LLVMValueRef failed = LLVMBuildICmp(e->b, LLVMIntNE, seen, ok, "");
    LLVMValueRef no_path = plain_is_null(e, plain_param(e, 0));
    plain_return_if(e, LLVMBuildAnd(e->b, failed, no_path, ""), seen);
    LLVMValueRef swap = LLVMBuildAtomicCmpXchg(e->b, phase, seen, busy, LLVMAtomicOrderingAcquire,
                                               LLVMAtomicOrderingAcquire, /* one thread only */ 0);
    LLVMBuildCondBr(e->b, LLVMBuildExtractValue(e->b, swap, 1, ""), act, again);

    LLVMPositionBuilderAtEnd(e->b, wait);
    plain_call_extern(e, "sched_yield", e->i32, NULL, 0);
    LLVMBuildBr(e->b, again);

    LLVMPositionBuilderAtEnd(e->b, act);
    LLVMValueRef path = plain_param(e, 0);
    LLVMValueRef status = plain_call(e, work, &path, 1);
    LLVMValueRef next = LLVMBuildSelect(e->b, plain_equals(e, status, ok), ready, status, "");
    plain_store_atomic(e, next, phase, LLVMAtomicOrderingRelease);
    LLVMBuildRet(e->b, status);
}

static void emit_seed(struct library *l)
{
    struct emit *e = &l->e;
    library_export(l, "seed", e->i32, &e->i32, 1);
    LLVMAtomicOrdering relaxed = LLVMAtomicOrderingMonotonic;
    if (l->fn->n_random) {
        plain_store_atomic(e, plain_param(e, 0), library_own_field(l, LIBRARY_SEED), relaxed);
        plain_store_atomic(e, plain_i32(e, 0), library_own_field(l, LIBRARY_STREAMS), relaxed);
    }
    LLVMBuildRet(e->b, plain_i32(e, SHEAF_OK));
}

void library_emit_init(struct library *l)
{
    struct emit *e = &l->e;
    LLVMValueRef none = LLVMConstNull(e->ptr);
    if (l->req->device) {
        library_emit_device_init(l);
    } else {
        library_export(l, "init", e->void_, &e->i32, 1); /* the number of a device: there is one */
        plain_call(e, l->init, &none, 1);
        LLVMBuildRetVoid(e->b);
    }
    library_export(l, "status", e->i32, NULL, 0);
    LLVMBuildRet(e->b, plain_call(e, l->init, &none, 1));
    emit_seed(l);
    if (!l->req->weights_path)
        return;
    library_export(l, "weights", e->i32, &e->ptr, 1);
    LLVMValueRef path = plain_param(e, 0);
    plain_return_if(e, plain_is_null(e, path), plain_i32(e, SHEAF_ERROR_ARGUMENT));
    LLVMBuildRet(e->b, plain_call(e, l->init, &path, 1));
    library_export(l, "weights_file", e->ptr, NULL, 0);
    LLVMBuildRet(e->b, LLVMBuildGlobalString(e->b, l->req->weights_path, ""));
}
