/* One LLVM module from the request to object bytes.  Runs in the worker process. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/Target.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include "bundle/emit/emit_internal.h"
#include "bundle/emit/support.h"
#include "bundle/read/object.h"
#include "bundle/read/object_wasm.h"
#include "ir/hash.h"

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

static void add_text(struct emit *e, LLVMValueRef fn, const char *key, const char *value)
{
    LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(e->ctx, key, (unsigned)strlen(key), value,
                                                      (unsigned)strlen(value)));
}

bool emit_is_arm(const struct emit *e)
{
    return strncmp(e->target->triple, "arm", 3) == 0 || strncmp(e->target->triple, "thumb", 5) == 0;
}

void emit_function_attributes(struct emit *e, LLVMValueRef after)
{
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMValueRef fn = after ? LLVMGetNextFunction(after) : LLVMGetFirstFunction(e->mod);
    for (; fn; fn = LLVMGetNextFunction(fn)) {
        if (LLVMIsDeclaration(fn))
            continue;
        LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                LLVMCreateEnumAttribute(e->ctx, nounwind, 0));
        add_text(e, fn, "no-builtins", "");
        add_text(e, fn, "frame-pointer", "none");
        if (e->target->optimize_size)
            support_make_small(fn);
        add_text(e, fn, "tune-cpu", e->target->tune_cpu);
        add_text(e, fn, "warn-stack-size", "0"); /* every frame is reported, see emit_stack.c */
        if (!e->target->realigns_frames)
            add_text(e, fn, "no-realign-stack", "");
        if (e->target->has_function_sections) {
            size_t length;
            const char *name = LLVMGetValueName2(fn, &length);
            LLVMSetSection(fn, arena_printf(e->arena, ".text.%s", name));
        }
        if (strcmp(e->target->features, e->features) != 0)
            add_text(e, fn, "target-features", e->target->features);
        if (e->target->vector_bytes >= 64)
            add_text(e, fn, "prefer-vector-width", "512");
    }
}

static bool create_machine(struct emit *e, struct error *err)
{
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
    LLVMInitializeAllAsmParsers(); /* of inline assembly */
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
    LLVMTargetMachineOptionsRef opt = LLVMCreateTargetMachineOptions();
    LLVMTargetMachineOptionsSetCPU(opt, t->plain_cpu);
    const char *comma = *t->dropped && *e->features ? "," : "";
    /* For ARM's 32-bit processors LLVM heeds how many registers are in use only where asked to. */
    const char *order = emit_is_arm(e) ? ",+use-misched" : "";
    LLVMTargetMachineOptionsSetFeatures(
        opt, arena_printf(e->arena, "%s%s%s%s", t->dropped, comma, e->features, order));
    LLVMTargetMachineOptionsSetABI(opt, t->abi);
    LLVMTargetMachineOptionsSetRelocMode(opt, t->is_position_independent ? LLVMRelocPIC
                                                                         : LLVMRelocStatic);
    e->machine = LLVMCreateTargetMachineWithOptions(target, t->triple, opt);
    LLVMDisposeTargetMachineOptions(opt);
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

bool emit_to_bytes(struct emit *e, LLVMCodeGenFileType type, struct bytes *out, struct error *err)
{
    LLVMMemoryBufferRef buffer;
    char *message = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(e->machine, e->mod, type, &message, &buffer)) {
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
    struct emit *e = arg;
    char *text = LLVMGetDiagInfoDescription(info);
    if (LLVMGetDiagInfoSeverity(info) == LLVMDSError)
        codegen_error(e->err, "code generation failed", text);
    else
        emit_stack_note(e, text);
    LLVMDisposeMessage(text);
}

static bool run_passes(struct emit *e, const char *passes, struct error *err)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef failed = LLVMRunPasses(e->mod, passes, e->machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!failed)
        return true;
    char *text = LLVMGetErrorMessage(failed);
    codegen_error(err, "optimization failed", text);
    LLVMDisposeErrorMessage(text);
    return false;
}

bool emit_run_passes(struct emit *e, struct error *err)
{
    if (e->target->lower && !(run_passes(e, "function(sroa)", err) && e->target->lower(e, err)))
        return false;
    if (!run_passes(e, PASSES, err))
        return false;
    if (e->target->finish)
        e->target->finish(e);
    return true;
}

bool emit_verify(struct emit *e, struct error *err)
{
    char *message = NULL;
    bool broken = LLVMVerifyModule(e->mod, LLVMReturnStatusAction, &message);
    if (broken)
        codegen_error(err, "internal error: invalid LLVM IR", message);
    LLVMDisposeMessage(message);
    return !broken;
}

bool emit_open(struct emit *e, const char *source, struct error *err)
{
    if (!create_machine(e, err))
        return false;
    e->ctx = LLVMContextCreate();
    e->err = err;
    LLVMContextSetDiagnosticHandler(e->ctx, on_diagnostic, e);
    e->mod = LLVMModuleCreateWithNameInContext(source, e->ctx);
    e->b = LLVMCreateBuilderInContext(e->ctx);
    init_types(e);
    LLVMSetTarget(e->mod, e->target->triple);
    e->layout = LLVMCreateTargetDataLayout(e->machine);
    LLVMSetModuleDataLayout(e->mod, e->layout);
    e->index = LLVMIntPtrTypeInContext(e->ctx, e->layout);
    return true;
}

void emit_close(struct emit *e)
{
    LLVMDisposeTargetData(e->layout);
    LLVMDisposeBuilder(e->b);
    LLVMDisposeModule(e->mod);
    LLVMContextDispose(e->ctx);
    LLVMDisposeTargetMachine(e->machine);
}

/* What every part of every entry may use: the functions that choose between them run anywhere. */
static const char *common_features(struct arena *a, const struct emit_request *req)
{
    const char *features = req->entries[0].parts[0].target->features;
    for (size_t i = 0; i < req->n_entries; i++)
        for (size_t j = 0; j < req->entries[i].n_parts; j++)
            features = target_common(a, features, req->entries[i].parts[j].target->features);
    return features;
}

/* Code generation changes the module: a clone, made before, takes its place.  Not the other way
   round: in a clone the uses of values are in another order, and the code comes out a bit
   different. */
static bool generate(struct emit *e, LLVMCodeGenFileType type, struct bytes *out, struct error *err)
{
    LLVMModuleRef spare = LLVMCloneModule(e->mod);
    bool ok = emit_to_bytes(e, type, out, err);
    LLVMDisposeModule(e->mod);
    e->mod = spare;
    return ok && err->status == SHEAF_OK;
}

typedef bool outside_fn(const char *name);

struct needs {
    struct emit *e;
    struct support support;
    outside_fn *is_outside; /* NULL: nothing is */
    bool any;
};

static void add_needed(struct needs *n, const char *name)
{
    if (!(n->is_outside && n->is_outside(name)) && support_define(&n->support, name))
        n->any = true;
}

static void add_needed_of_wasm(const struct wasm_symbol *symbol, void *arg)
{
    struct needs *n = arg;
    if (symbol->is_undefined)
        add_needed(n, arena_strndup(n->e->arena, symbol->name, symbol->length));
}

/* Defines what the object lacks and we know, in the module; false where that is nothing. */
static bool add_support(struct emit *e, outside_fn *is_outside, const struct bytes *object)
{
    struct object o = {0};
    struct needs needs = {.e = e, .is_outside = is_outside};
    bool is_wasm = object_wasm_is(object->data, object->size);
    if (!is_wasm && object_open(object->data, object->size, &o))
        return false;
    support_init(&needs.support, e->mod);
    LLVMValueRef last = LLVMGetLastFunction(e->mod);
    if (is_wasm)
        object_wasm_each(object->data, object->size, add_needed_of_wasm, &needs);
    for (uint32_t i = 1; i < o.n_symbols; i++) {
        struct object_symbol symbol;
        if (object_symbol(&o, i, &symbol) && symbol.is_undefined)
            add_needed(&needs, symbol.name);
    }
    support_done(&needs.support);
    if (needs.any)
        emit_function_attributes(e, last);
    return needs.any;
}

/* Which routines the back end calls is known when it has run, and one may need others. */
static bool generate_object(struct emit *e, outside_fn *is_outside, struct bytes *out_object,
                            struct error *err)
{
    do {
        if (!generate(e, LLVMObjectFile, out_object, err))
            return false;
    } while (add_support(e, is_outside, out_object));
    return true;
}

bool emit_to_object(struct emit *e, outside_fn *is_outside, struct bytes *out_object,
                    struct error *err)
{
    emit_function_attributes(e, NULL);
    return emit_verify(e, err) && emit_run_passes(e, err) &&
           generate_object(e, is_outside, out_object, err);
}

void emit_set_layout(struct emit *e, const struct emit_request *req, struct bytes *object)
{
    uint64_t id = hash_bytes(HASH_START, object->data, object->size);
    for (size_t i = 0; req->replaceable_weights && i < req->n_entries; i++)
        emit_set_late(e, &req->entries[i], EMIT_LAYOUT_ID, id ? id : 1, object);
}

/* What is known of the object once it is there. */
static void set_late_fields(struct emit *e, const struct emit_request *req, struct bytes *object)
{
    for (size_t i = 0; i < req->n_entries; i++) {
        uint64_t stack = emit_stack_of(e, req, object, req->entries[i].name);
        emit_set_late(e, &req->entries[i], EMIT_STACK_BYTES, stack, object);
    }
    emit_set_layout(e, req, object);
}

/* Whether the target's pointers reach all of each area: in C no array is larger than half of what
   they can tell apart. */
static bool check_areas(const struct emit *e, const struct emit_request *req, struct error *err)
{
    static const char *const name[AREA_COUNT] = {"constants", "inputs, outputs and state",
                                                 "activations"};
    unsigned bits = 8 * LLVMPointerSize(e->layout);
    int64_t most = INT64_MAX >> (64 - bits);
    for (size_t i = 0; i < req->n_entries; i++)
        for (int area = 0; area < AREA_COUNT; area++) {
            int64_t bytes = req->entries[i].parts[0].program->area_bytes[area];
            if (bytes > most)
                return error_set(err, SHEAF_ERROR_MEMORY,
                                 "%s: the %s take %" PRIi64 " bytes, more than the %" PRIi64
                                 " that pointers of %u bits allow on %s",
                                 req->entries[i].name, name[area], bytes, most, bits,
                                 e->target->triple);
        }
    return true;
}

bool emit_module(struct arena *a, const struct emit_request *req, bool want_text,
                 struct emit_result *out_result, struct error *err)
{
    if (req->entries[0].parts[0].target->host)
        return emit_device_module(a, req, want_text, out_result, err);
    struct target common = *req->entries[0].parts[0].target;
    struct emit e = {.arena = a, .target = &common, .features = common_features(a, req)};
    common.features = e.features;
    if (req->n_entries > 1 || req->entries[0].n_parts > 1)
        common.cpu = common.tune_cpu = common.plain_cpu;
    if (!emit_open(&e, req->source, err))
        return false;
    if (!check_areas(&e, req, err)) {
        emit_close(&e);
        return false;
    }
    if (req->listing_name)
        emit_debug_begin(&e, req->listing_name);
    for (size_t i = 0; i < req->n_entries; i++) {
        emit_entry(&e, req, &req->entries[i]);
        emit_entry_data(&e, req, &req->entries[i]);
    }

    if (common.optimize_size)
        emit_share_kernels(&e);
    struct emit_result r = {.listing = emit_debug_end(&e)};
    bool ok = emit_verify(&e, err) && emit_run_passes(&e, err) &&
              generate_object(&e, NULL, &r.object, err);
    if (ok)
        set_late_fields(&e, req, &r.object);
    if (ok && want_text) {
        char *text = LLVMPrintModuleToString(e.mod);
        r.llvm_ir.size = strlen(text);
        r.llvm_ir.data = arena_copy(a, text, r.llvm_ir.size);
        LLVMDisposeMessage(text);
        ok = generate(&e, LLVMAssemblyFile, &r.assembly, err);
    }
    if (ok)
        *out_result = r;
    emit_close(&e);
    return ok;
}
