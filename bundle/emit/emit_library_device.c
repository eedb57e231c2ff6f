/*
 * The functions of a library for a device: each puts its parameters into a struct device_call, and
 * the device's runtime, which is another object of the library, does the rest
 * (bundle/device_library.h).
 */
#include <assert.h>
#include <string.h>

#include "bundle/device_library.h"
#include "bundle/emit/emit_library_internal.h"

LLVMValueRef library_call_device(struct library *l, const char *name, LLVMTypeRef result,
                                 const LLVMValueRef *args, size_t n)
{
    const char *full = arena_printf(l->e.arena, "%s%s", emit_library_runtime(l->req->device), name);
    return plain_call_extern(&l->e, full, result, args, n);
}

/* ---- what the runtime is told of the functions ---- */

/* Constant data of the bundle, in another object. */
static LLVMValueRef bundle_data(struct library *l, const char *suffix)
{
    struct emit *e = &l->e;
    const char *name = arena_printf(e->arena, "%s_%s", l->fn->entry, suffix);
    LLVMValueRef g = LLVMAddGlobal(e->mod, e->i8, name);
    LLVMSetVisibility(g, LLVMHiddenVisibility);
    LLVMSetGlobalConstant(g, 1);
    return g;
}

/* The client's tensors are symbols of the bundle. */
static uint32_t position_of(const struct emit_library_function *fn, int buf)
{
    size_t i = 0;
    while (i < fn->n_symbols && fn->symbols[i].buf != buf)
        i++;
    assert(i < fn->n_symbols);
    return (uint32_t)i;
}

static LLVMValueRef positions(struct library *l, const int *bufs, size_t n)
{
    struct emit *e = &l->e;
    LLVMValueRef *rows = arena_array(e->arena, n, sizeof *rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = plain_i32(e, position_of(l->fn, bufs[i]));
    return edata_rows(e, rows, n);
}

static uint32_t items_of(const struct emit_library_function *fn)
{
    uint32_t i = 0;
    while (i < fn->n_in && fn->in[i] != fn->items)
        i++;
    return fn->items >= 0 ? i : DEVICE_NONE;
}

/* An element of the state as a constant address. */
static LLVMValueRef own_address(struct library *l, enum library_field field)
{
    struct emit *e = &l->e;
    LLVMValueRef index[] = {plain_i32(e, 0), plain_i32(e, field),
                            plain_i32(e, l->fn - l->req->functions)};
    return LLVMConstInBoundsGEP2(l->state_type, l->state, index, sizeof index / sizeof *index);
}

static LLVMValueRef network_row(struct library *l)
{
    struct emit *e = &l->e;
    const struct emit_library_function *fn = l->fn;
    struct edata f = {.e = e};
    edata_put(&f, bundle_data(l, "config"));
    edata_put(&f, bundle_data(l, "info"));
    edata_put(&f, positions(l, fn->in, fn->n_in));
    edata_put(&f, positions(l, fn->out, fn->n_out));
    edata_put(&f, positions(l, fn->random, fn->n_random));
    edata_put(&f, own_address(l, LIBRARY_SEED));
    edata_put(&f, own_address(l, LIBRARY_STREAMS));
    edata_put(&f, plain_i32(e, (int64_t)fn->n_in));
    edata_put(&f, plain_i32(e, (int64_t)fn->n_out));
    edata_put(&f, plain_i32(e, (int64_t)fn->n_random));
    edata_put(&f, plain_i32(e, items_of(fn)));
    edata_put(&f, plain_i64(e, (uint64_t)fn->max_items));
    return edata_finish(&f);
}

static LLVMValueRef hook(struct library *l, const char *name, LLVMTypeRef result, LLVMTypeRef param)
{
    const char *full =
        arena_printf(l->e.arena, "%s%s", emit_library_hook_names(l->req->device), name);
    return LLVMAddFunction(l->e.mod, full, LLVMFunctionType(result, &param, 1, 0));
}

static LLVMValueRef networks(struct library *l)
{
    struct emit *e = &l->e;
    size_t n = l->req->n_functions;
    LLVMValueRef *rows = arena_array(e->arena, n, sizeof *rows);
    const struct emit_library_function *at_hand = l->fn;
    for (size_t i = 0; i < n; i++) {
        l->fn = &l->req->functions[i];
        rows[i] = network_row(l);
    }
    l->fn = at_hand;
    struct edata f = {.e = e};
    edata_put(&f, edata_rows(e, rows, n));
    edata_put(&f, plain_i64(e, n));
    edata_put(&f, hook(l, "malloc", e->ptr, e->index));
    edata_put(&f, hook(l, "free", e->void_, e->ptr));
    return edata_private(e, edata_finish(&f));
}

LLVMValueRef library_open_device(struct library *l, LLVMValueRef constants)
{
    struct emit *e = &l->e;
    LLVMValueRef number = plain_load_atomic(e, e->i32, library_field(l, LIBRARY_DEVICE_NUMBER),
                                            LLVMAtomicOrderingMonotonic);
    LLVMValueRef args[] = {library_field(l, LIBRARY_DEVICE), networks(l), constants, number};
    return library_call_device(l, "open", e->i32, args, sizeof args / sizeof *args);
}

LLVMTypeRef library_device_type(struct emit *e)
{
    LLVMTypeRef fields[] = {e->ptr, LLVMArrayType2(e->i8, DEVICE_SENTENCE_BYTES)};
    return LLVMStructTypeInContext(e->ctx, fields, sizeof fields / sizeof *fields, 0);
}

/* ---- becoming ready ---- */

/* The device is chosen by the first call that finds one: after a fault another may be tried. */
void library_emit_device_init(struct library *l)
{
    struct emit *e = &l->e;
    LLVMValueRef none = LLVMConstNull(e->ptr);
    library_export(l, "init", e->void_, &e->i32, 1);
    LLVMBasicBlockRef out = plain_block(e), go = plain_block(e);
    LLVMValueRef phase = library_field(l, LIBRARY_PHASE);
    LLVMValueRef seen = plain_load_atomic(e, e->i32, phase, LLVMAtomicOrderingAcquire);
    plain_branch_if(e, plain_equals(e, seen, plain_i32(e, LIBRARY_READY)), out);
    plain_store_atomic(e, plain_param(e, 0), library_field(l, LIBRARY_DEVICE_NUMBER),
                       LLVMAtomicOrderingMonotonic);
    LLVMValueRef busy_or_new = LLVMBuildICmp(e->b, LLVMIntSLE, seen, plain_i32(e, SHEAF_OK), "");
    plain_branch_if(e, busy_or_new, go);
    LLVMBuildAtomicCmpXchg(e->b, phase, seen, plain_i32(e, SHEAF_OK), LLVMAtomicOrderingMonotonic,
                           LLVMAtomicOrderingMonotonic, /* one thread only */ 0);
    plain_go(e, go);
    plain_call(e, l->init, &none, 1);
    plain_go(e, out);
    LLVMBuildRetVoid(e->b);
    library_export(l, "message", e->ptr, NULL, 0);
    LLVMValueRef at = emit_index(e, offsetof(struct device_library, sentence));
    LLVMBuildRet(e->b, plain_at(e, library_field(l, LIBRARY_DEVICE), at));
}

/* ---- contexts ---- */

static void return_unless_ready(struct library *l)
{
    struct emit *e = &l->e;
    LLVMValueRef none = LLVMConstNull(e->ptr), status = plain_call(e, l->init, &none, 1);
    plain_return_if(e, LLVMBuildICmp(e->b, LLVMIntNE, status, plain_i32(e, SHEAF_OK), ""), status);
}

static LLVMValueRef number_of(struct library *l)
{
    return plain_i64(&l->e, (uint64_t)(l->fn - l->req->functions));
}

static void emit_contexts(struct library *l)
{
    struct emit *e = &l->e;
    library_export(l, "context_size", e->index, NULL, 0);
    LLVMBuildRet(e->b, emit_index(e, DEVICE_CONTEXT_BYTES));

    library_export(l, "context_init", e->i32, &e->ptr, 1);
    LLVMValueRef memory = plain_param(e, 0);
    plain_return_if(e, plain_is_null(e, memory), plain_i32(e, SHEAF_ERROR_ARGUMENT));
    return_unless_ready(l);
    LLVMValueRef args[] = {library_field(l, LIBRARY_DEVICE), number_of(l), memory};
    LLVMBuildRet(e->b,
                 library_call_device(l, "context_init", e->i32, args, sizeof args / sizeof *args));

    library_export(l, "context_done", e->void_, &e->ptr, 1);
    memory = plain_param(e, 0);
    library_call_device(l, "context_done", e->void_, &memory, 1);
    LLVMBuildRetVoid(e->b);
}

/* ---- runs ---- */

/* Where the parameters of a function stand: -1: it has no such one. */
struct placing {
    int stream, first_in, *out, *dims;
    enum device_call_kind kind;
};

static struct placing placing_of(struct library *l, enum device_call_kind kind, bool sized,
                                 int *out_n)
{
    const struct emit_library_function *f = l->fn;
    struct placing s = {.stream = -1, .kind = kind};
    int n = 1;
    if (kind == DEVICE_CALL_QUEUE)
        s.stream = n++;
    s.first_in = n;
    n += (int)f->n_in;
    s.out = arena_array(l->e.arena, f->n_out, sizeof *s.out);
    s.dims = arena_array(l->e.arena, f->n_out, sizeof *s.dims);
    for (size_t i = 0; i < f->n_out; i++) {
        s.out[i] = n++;
        bool has = sized && emit_library_has_extents(&f->program->bufs[f->out[i]]);
        s.dims[i] = has ? n++ : -1;
    }
    *out_n = n;
    return s;
}

/* A pointer of the function at hand, or NULL. */
static LLVMValueRef parameter(struct library *l, int i)
{
    return i < 0 ? LLVMConstNull(l->e.ptr) : plain_param(&l->e, (unsigned)i);
}

static LLVMValueRef array_of(struct library *l, size_t n)
{
    return LLVMBuildAlloca(l->e.b, LLVMArrayType2(l->e.ptr, n), "");
}

static void set(struct library *l, LLVMValueRef array, size_t i, LLVMValueRef v)
{
    plain_store(&l->e, v, plain_at(&l->e, array, emit_index(&l->e, (int64_t)(i * sizeof(void *)))));
}

/* The struct device_call of the parameters. */
static LLVMValueRef call_of(struct library *l, const struct placing *s)
{
    struct emit *e = &l->e;
    const struct emit_library_function *f = l->fn;
    LLVMValueRef in = array_of(l, f->n_in), out = array_of(l, f->n_out);
    LLVMValueRef dims = array_of(l, f->n_out);
    for (size_t i = 0; i < f->n_in; i++)
        set(l, in, i, parameter(l, s->first_in + (int)i));
    for (size_t i = 0; i < f->n_out; i++) {
        set(l, out, i, parameter(l, s->out[i]));
        set(l, dims, i, parameter(l, s->dims[i]));
    }
    LLVMValueRef fields[] = {parameter(l, 0),      parameter(l, s->stream), in, out, dims,
                             plain_i64(e, s->kind)};
    enum { N_FIELDS = sizeof fields / sizeof *fields };
    LLVMTypeRef types[N_FIELDS];
    for (size_t i = 0; i < N_FIELDS; i++)
        types[i] = LLVMTypeOf(fields[i]);
    LLVMTypeRef type = LLVMStructTypeInContext(e->ctx, types, N_FIELDS, 0);
    LLVMValueRef call = LLVMBuildAlloca(e->b, type, "");
    for (unsigned i = 0; i < N_FIELDS; i++)
        LLVMBuildStore(e->b, fields[i], LLVMBuildStructGEP2(e->b, type, call, i, ""));
    return call;
}

static LLVMValueRef run(struct library *l, const struct placing *s)
{
    LLVMValueRef args[] = {library_field(l, LIBRARY_DEVICE), number_of(l), call_of(l, s)};
    return library_call_device(l, "run", l->e.i32, args, sizeof args / sizeof *args);
}

static void emit_checked(struct library *l, const char *suffix, enum device_call_kind kind,
                         bool sized, const LLVMTypeRef *pointers)
{
    int n;
    struct placing s = placing_of(l, kind, sized, &n);
    library_export(l, suffix, l->e.i32, pointers, (size_t)n);
    return_unless_ready(l);
    LLVMBuildRet(l->e.b, run(l, &s));
}

static void emit_plain_run(struct library *l, const LLVMTypeRef *pointers)
{
    struct emit *e = &l->e;
    int n;
    struct placing s = placing_of(l, DEVICE_CALL_ALLOCATE, false, &n);
    plain_function(e, l->fn->func, e->void_, pointers, (size_t)n, LLVMExternalLinkage);
    LLVMBasicBlockRef fail = plain_block(e);
    LLVMValueRef none = LLVMConstNull(e->ptr), ok = plain_i32(e, SHEAF_OK);
    LLVMValueRef status = plain_call(e, l->init, &none, 1);
    plain_branch_if(e, LLVMBuildICmp(e->b, LLVMIntNE, status, ok, ""), fail);
    status = run(l, &s);
    plain_branch_if(e, LLVMBuildICmp(e->b, LLVMIntNE, status, ok, ""), fail);
    LLVMBuildRetVoid(e->b);
    LLVMPositionBuilderAtEnd(e->b, fail);
    plain_call_extern(e, "abort", e->void_, NULL, 0);
    LLVMBuildUnreachable(e->b);
}

/* So that a program has memory and code of its own beside the library's. */
static void emit_process(struct library *l)
{
    struct emit *e = &l->e;
    library_export(l, "process", e->ptr, NULL, 0);
    LLVMValueRef none = LLVMConstNull(e->ptr), status = plain_call(e, l->init, &none, 1);
    plain_return_if(e, LLVMBuildICmp(e->b, LLVMIntNE, status, plain_i32(e, SHEAF_OK), ""), none);
    LLVMValueRef device = library_field(l, LIBRARY_DEVICE);
    LLVMBuildRet(e->b, library_call_device(l, "process", e->ptr, &device, 1));
}

void library_emit_device_runs(struct library *l, const LLVMTypeRef *pointers)
{
    emit_contexts(l);
    emit_plain_run(l, pointers);
    emit_checked(l, "run", DEVICE_CALL_RUN, false, pointers);
    if (emit_library_is_sized(l->fn))
        emit_checked(l, "run_sized", DEVICE_CALL_RUN, true, pointers);
    if (l->req->device == SHEAF_DEVICE_VE)
        emit_process(l);
    if (emit_library_can_queue(l->req, l->fn))
        emit_checked(l, "queue", DEVICE_CALL_QUEUE, false, pointers);
}
