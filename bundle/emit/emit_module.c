/* One LLVM module from the request to object bytes.  Runs in the worker process. */
#include <stdlib.h>
#include <string.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/Target.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include "bundle/emit/emit_internal.h"

/* The emitter writes vectors, tiles and unrolled loops itself; what is left are scalars in memory,
   common subexpressions and invariants.  The whole -O3 pipeline gives the same code in five times
   the time. */
static const char PASSES[] = "function(sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,"
                             "simplifycfg,loop-mssa(licm),early-cse<memssa>,"
                             "instcombine<no-verify-fixpoint>,dce)";

/* One sentence: LLVM's message may go on over several lines. */
static bool codegen_error(struct error *err, const char *what, const char *message)
{
    return error_set(err, SHEAF_ERROR_CODEGEN, "%s: %.*s", what, (int)strcspn(message, "\n"),
                     message);
}

static void add_function_attributes(struct emit *e)
{
    const char *const text[][2] = {
        {"no-builtins", ""}, {"frame-pointer", "none"}, {"tune-cpu", e->target->cpu}};
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    for (LLVMValueRef fn = LLVMGetFirstFunction(e->mod); fn; fn = LLVMGetNextFunction(fn)) {
        if (LLVMIsDeclaration(fn))
            continue;
        LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                LLVMCreateEnumAttribute(e->ctx, nounwind, 0));
        for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
            LLVMAddAttributeAtIndex(
                fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                LLVMCreateStringAttribute(e->ctx, text[i][0], (unsigned)strlen(text[i][0]),
                                          text[i][1], (unsigned)strlen(text[i][1])));
        if (e->target->vector_bytes >= 64) {
            const char *k = "prefer-vector-width";
            LLVMAddAttributeAtIndex(
                fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                LLVMCreateStringAttribute(e->ctx, k, (unsigned)strlen(k), "512", 3));
        }
    }
}

static bool create_machine(struct emit *e, LLVMTargetMachineRef *out_tm, struct error *err)
{
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
    const struct target *t = e->target;
    LLVMTargetRef target;
    char *message = NULL;
    if (LLVMGetTargetFromTriple(t->triple, &target, &message)) {
        error_set(err, SHEAF_ERROR_UNSUPPORTED, "target '%s': %s", t->triple, message);
        LLVMDisposeMessage(message);
        return false;
    }
    /* The architecture's plain processor: only the listed features may be used, which a named one
       would bring more of.  The named one decides the order of instructions (tune-cpu). */
    const char *plain = strncmp(t->triple, "x86_64", 6) == 0 ? "x86-64" : "generic";
    *out_tm = LLVMCreateTargetMachine(target, t->triple, plain, t->features,
                                      LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelDefault);
    return true;
}

static void init_types(struct emit *e)
{
    e->void_ = LLVMVoidTypeInContext(e->ctx);
    e->i1 = LLVMInt1TypeInContext(e->ctx);
    e->i8 = LLVMInt8TypeInContext(e->ctx);
    e->i16 = LLVMInt16TypeInContext(e->ctx);
    e->i32 = LLVMInt32TypeInContext(e->ctx);
    e->i64 = LLVMInt64TypeInContext(e->ctx);
    e->f32 = LLVMFloatTypeInContext(e->ctx);
    e->f64 = LLVMDoubleTypeInContext(e->ctx);
    e->ptr = LLVMPointerTypeInContext(e->ctx, 0);
}

static bool to_bytes(struct emit *e, LLVMTargetMachineRef tm, LLVMCodeGenFileType type,
                     struct bytes *out, struct error *err)
{
    LLVMMemoryBufferRef buffer;
    char *message = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(tm, e->mod, type, &message, &buffer)) {
        codegen_error(err, "code generation failed", message);
        LLVMDisposeMessage(message);
        return false;
    }
    out->size = LLVMGetBufferSize(buffer);
    out->data = arena_copy(e->arena, LLVMGetBufferStart(buffer), out->size);
    LLVMDisposeMemoryBuffer(buffer);
    return true;
}

/* LLVM reports remarks through the handler too; only errors matter, and those end the worker. */
static void on_diagnostic(LLVMDiagnosticInfoRef info, void *arg)
{
    struct error *err = arg;
    if (LLVMGetDiagInfoSeverity(info) != LLVMDSError)
        return;
    char *text = LLVMGetDiagInfoDescription(info);
    codegen_error(err, "code generation failed", text);
    LLVMDisposeMessage(text);
}

static bool run_passes(struct emit *e, LLVMTargetMachineRef tm, struct error *err)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef failed = LLVMRunPasses(e->mod, PASSES, tm, options);
    LLVMDisposePassBuilderOptions(options);
    if (!failed)
        return true;
    char *text = LLVMGetErrorMessage(failed);
    codegen_error(err, "optimization failed", text);
    LLVMDisposeErrorMessage(text);
    return false;
}

static bool verify(struct emit *e, struct error *err)
{
    char *message = NULL;
    bool broken = LLVMVerifyModule(e->mod, LLVMReturnStatusAction, &message);
    if (broken)
        codegen_error(err, "internal error: invalid LLVM IR", message);
    LLVMDisposeMessage(message);
    return !broken;
}

bool emit_module(struct arena *a, const struct emit_request *req, const struct emit_schedules *s,
                 bool want_text, struct emit_result *out_result, struct error *err)
{
    struct emit e = {.arena = a, .target = req->target};
    LLVMTargetMachineRef tm;
    if (!create_machine(&e, &tm, err))
        return false;
    e.ctx = LLVMContextCreate();
    LLVMContextSetDiagnosticHandler(e.ctx, on_diagnostic, err);
    e.mod = LLVMModuleCreateWithNameInContext(req->source, e.ctx);
    e.b = LLVMCreateBuilderInContext(e.ctx);
    init_types(&e);
    LLVMSetTarget(e.mod, req->target->triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
    LLVMSetModuleDataLayout(e.mod, layout);
    e.size = LLVMIntPtrTypeInContext(e.ctx, layout);
    e.has_round =
        target_has(req->target, "sse4.1") || strncmp(req->target->triple, "aarch64", 7) == 0;
    e.has_f16 = target_has(req->target, "f16c") || strncmp(req->target->triple, "aarch64", 7) == 0;

    emit_program(&e, req, s);
    emit_bundle_data(&e, req);
    add_function_attributes(&e);

    struct emit_result r = {0};
    bool ok = verify(&e, err) && run_passes(&e, tm, err);
    if (ok && want_text) {
        char *text = LLVMPrintModuleToString(e.mod);
        r.llvm_ir.size = strlen(text);
        r.llvm_ir.data = arena_copy(a, text, r.llvm_ir.size);
        LLVMDisposeMessage(text);
        /* Code generation changes the module: the object is made from its own clone. */
        LLVMModuleRef mod = e.mod;
        e.mod = LLVMCloneModule(mod);
        ok = to_bytes(&e, tm, LLVMAssemblyFile, &r.assembly, err);
        LLVMDisposeModule(e.mod);
        e.mod = mod;
    }
    ok = ok && to_bytes(&e, tm, LLVMObjectFile, &r.object, err) && err->status == SHEAF_OK;
    if (ok)
        *out_result = r;
    LLVMDisposeTargetData(layout);
    LLVMDisposeBuilder(e.b);
    LLVMDisposeModule(e.mod);
    LLVMContextDispose(e.ctx);
    LLVMDisposeTargetMachine(tm);
    return ok;
}
