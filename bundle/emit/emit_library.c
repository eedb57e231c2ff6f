/*
 * The functions of a library.  Work memory is one block: a mark by which a context is known, then
 * at a multiple of PROGRAM_ALIGNMENT the mutable area and the activations.
 */
#include "bundle/emit/emit_library_internal.h"

#include <assert.h>
#include <string.h>

enum { MARK_BYTES = 8 };

/* ---- tensors ---- */

struct areas {
    LLVMValueRef p[AREA_COUNT];
};

static const struct pbuf *pbuf_of(const struct library *l, int buf)
{
    return &l->fn->program->bufs[buf];
}

bool emit_library_has_extents(const struct pbuf *b)
{
    for (int d = 0; d < b->rank; d++)
        if (b->extent_buf[d] >= 0)
            return true;
    return false;
}

bool emit_library_is_counted(const struct emit_library_function *fn, int buf)
{
    return fn->items >= 0 && buf != fn->items && fn->program->bufs[buf].role == SHEAF_ROLE_INPUT;
}

bool emit_library_is_sized(const struct emit_library_function *fn)
{
    for (size_t i = 0; i < fn->n_out; i++)
        if (emit_library_has_extents(&fn->program->bufs[fn->out[i]]))
            return true;
    return false;
}

static LLVMValueRef pointer(struct library *l, const struct areas *areas, int buf)
{
    const struct pbuf *b = pbuf_of(l, buf);
    return plain_at(&l->e, areas->p[b->area], emit_index(&l->e, b->offset));
}

/* The extent of dimension d as an i64. */
static LLVMValueRef extent(struct library *l, const struct areas *areas, int buf, int d)
{
    const struct pbuf *b = pbuf_of(l, buf);
    int from = d == 0 && emit_library_is_counted(l->fn, buf) ? l->fn->items : b->extent_buf[d];
    if (from < 0)
        return plain_i64(&l->e, (uint64_t)b->dims[d]);
    return plain_load(&l->e, l->e.i64, pointer(l, areas, from));
}

/* How many bytes of the tensor are used, as an index. */
static LLVMValueRef used_bytes(struct library *l, const struct areas *areas, int buf)
{
    struct emit *e = &l->e;
    const struct pbuf *b = pbuf_of(l, buf);
    LLVMValueRef bits = plain_i64(e, dtype_bits(b->dtype));
    for (int d = 0; d < b->rank; d++)
        bits = LLVMBuildMul(e->b, bits, extent(l, areas, buf, d), "");
    LLVMValueRef whole = LLVMBuildAdd(e->b, bits, plain_i64(e, 7), "");
    return emit_to_index(e, LLVMBuildLShr(e->b, whole, plain_i64(e, 3), ""));
}

static void copy(struct library *l, LLVMValueRef to, LLVMValueRef from, LLVMValueRef n_bytes)
{
    LLVMBuildMemCpy(l->e.b, to, 1, from, 1, n_bytes);
}

/* ---- work memory ---- */

bool emit_library_can_queue(const struct emit_library *lib, const struct emit_library_function *fn)
{
    return emit_library_is_on_device(lib->device) && fn->items < 0 && !emit_library_is_sized(fn);
}

uint64_t emit_library_context_bytes(const struct emit_library_function *fn)
{
    const int64_t *area = fn->program->area_bytes;
    return (uint64_t)(MARK_BYTES + PROGRAM_ALIGNMENT - 1 + program_align_up(area[AREA_MUTABLE]) +
                      area[AREA_ACTIVATION]);
}

/* FNV-1a of what makes contexts of two functions different. */
static uint64_t mark_of(const struct emit_library_function *fn)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ emit_library_context_bytes(fn);
    for (const char *s = fn->func; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return h;
}

LLVMValueRef library_constants(struct library *l)
{
    struct emit *e = &l->e;
    if (l->req->weights_path)
        return LLVMBuildLoad2(e->b, e->ptr, library_field(l, LIBRARY_CONSTANTS), "");
    const char *name = arena_printf(e->arena, "%s_constants", l->req->functions[0].func);
    LLVMValueRef data = LLVMGetNamedGlobal(e->mod, name);
    if (!data) {
        data = LLVMAddGlobal(e->mod, e->i8, name);
        LLVMSetVisibility(data, LLVMHiddenVisibility);
        LLVMSetGlobalConstant(data, 1);
    }
    return data;
}

static struct areas areas_in(struct library *l, LLVMValueRef memory)
{
    struct emit *e = &l->e;
    LLVMValueRef at = LLVMBuildPtrToInt(e->b, memory, e->index, "");
    at = LLVMBuildAdd(e->b, at, emit_index(e, MARK_BYTES + PROGRAM_ALIGNMENT - 1), "");
    at = LLVMBuildAnd(e->b, at, emit_index(e, -PROGRAM_ALIGNMENT), "");
    int64_t mutable_bytes = program_align_up(l->fn->program->area_bytes[AREA_MUTABLE]);
    struct areas areas;
    areas.p[AREA_CONSTANT] = library_constants(l);
    areas.p[AREA_MUTABLE] = LLVMBuildIntToPtr(e->b, at, e->ptr, "");
    areas.p[AREA_ACTIVATION] = plain_at(e, areas.p[AREA_MUTABLE], emit_index(e, mutable_bytes));
    return areas;
}

static bool has_state(const struct program *p)
{
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].area == AREA_MUTABLE && p->bufs[i].role == SHEAF_ROLE_STATE)
            return true;
    return false;
}

/* Every sequence of random numbers has the seed as its key and counters of its own. */
static void begin_streams(struct library *l, const struct areas *areas)
{
    struct emit *e = &l->e;
    LLVMAtomicOrdering relaxed = LLVMAtomicOrderingMonotonic;
    LLVMValueRef seed = plain_load_atomic(e, e->i32, library_own_field(l, LIBRARY_SEED), relaxed);
    LLVMValueRef streams = library_own_field(l, LIBRARY_STREAMS);
    LLVMValueRef number =
        LLVMBuildAtomicRMW(e->b, LLVMAtomicRMWBinOpAdd, streams, plain_i32(e, 1), relaxed, 0);
    LLVMValueRef key = LLVMBuildZExt(e->b, seed, e->i64, "");
    LLVMValueRef counter = LLVMBuildZExt(e->b, number, e->i64, "");
    counter = LLVMBuildShl(e->b, counter, plain_i64(e, 32), "");
    for (size_t i = 0; i < l->fn->n_random; i++) {
        LLVMValueRef state = pointer(l, areas, l->fn->random[i]);
        plain_store(e, key, state);
        plain_store(e, counter, plain_at(e, state, emit_index(e, 8)));
    }
}

/* void prepare(void *memory): marks it and sets the network's state. */
static LLVMValueRef emit_prepare(struct library *l)
{
    struct emit *e = &l->e;
    const struct program *p = l->fn->program;
    LLVMValueRef fn =
        plain_function(e, library_name(l, "prepare"), e->void_, &e->ptr, 1, LLVMInternalLinkage);
    plain_store(e, plain_i64(e, mark_of(l->fn)), plain_param(e, 0));
    if (has_state(p)) {
        struct areas areas = areas_in(l, plain_param(e, 0));
        LLVMBuildMemSet(e->b, areas.p[AREA_MUTABLE], LLVMConstInt(e->i8, 0, 0),
                        emit_index(e, p->area_bytes[AREA_MUTABLE]), PROGRAM_ALIGNMENT);
        if (l->fn->n_random)
            begin_streams(l, &areas);
    }
    LLVMBuildRetVoid(e->b);
    return fn;
}

static void emit_context(struct library *l, LLVMValueRef prepare)
{
    struct emit *e = &l->e;
    library_export(l, "context_size", e->index, NULL, 0);
    LLVMBuildRet(e->b, emit_index(e, (int64_t)emit_library_context_bytes(l->fn)));
    library_export(l, "context_init", e->i32, &e->ptr, 1);
    LLVMValueRef memory = plain_param(e, 0);
    plain_return_if(e, plain_is_null(e, memory), plain_i32(e, SHEAF_ERROR_ARGUMENT));
    plain_call(e, prepare, &memory, 1);
    LLVMBuildRet(e->b, plain_i32(e, SHEAF_OK));
}

/* ---- a run ---- */

/* The number of items, which is an input by itself. */
static void check_items(struct library *l, const struct areas *areas)
{
    struct emit *e = &l->e;
    LLVMValueRef n = plain_load(e, e->i64, pointer(l, areas, l->fn->items));
    LLVMValueRef before_last = LLVMBuildSub(e->b, n, plain_i64(e, 1), "");
    LLVMValueRef most = plain_i64(e, (uint64_t)l->fn->max_items);
    LLVMValueRef beyond = LLVMBuildICmp(e->b, LLVMIntUGE, before_last, most, "");
    plain_return_if(e, beyond, plain_i32(e, SHEAF_ERROR_SHAPE));
}

static void copy_inputs(struct library *l, const struct areas *areas, bool counted)
{
    const struct emit_library_function *f = l->fn;
    for (size_t i = 0; i < f->n_in; i++) {
        int buf = f->in[i];
        if (emit_library_is_counted(f, buf) != counted)
            continue;
        LLVMValueRef to = pointer(l, areas, buf), n_bytes = used_bytes(l, areas, buf);
        copy(l, to, plain_param(&l->e, (unsigned)i + 1), n_bytes);
    }
}

static LLVMValueRef call_network(struct library *l, const struct areas *areas)
{
    struct emit *e = &l->e;
    if (l->req->features)
        return library_call_bundle(l, "", areas->p, AREA_COUNT);
    LLVMValueRef args[1 + AREA_COUNT];
    args[0] = LLVMBuildLoad2(e->b, e->i32, library_field(l, LIBRARY_VARIANT), "");
    memcpy(args + 1, areas->p, sizeof areas->p);
    return library_call_bundle(l, "_run", args, 1 + AREA_COUNT);
}

/* int compute(void *memory, inputs) */
static LLVMValueRef emit_compute(struct library *l, const LLVMTypeRef *pointers)
{
    struct emit *e = &l->e;
    LLVMValueRef fn = plain_function(e, library_name(l, "compute"), e->i32, pointers,
                                     1 + l->fn->n_in, LLVMInternalLinkage);
    struct areas areas = areas_in(l, plain_param(e, 0));
    copy_inputs(l, &areas, false);
    if (l->fn->items >= 0) {
        check_items(l, &areas);
        copy_inputs(l, &areas, true);
    }
    LLVMBuildRet(e->b, call_network(l, &areas));
    return fn;
}

/* void end(void *ctx, void *memory): gives work memory back that is no context. */
static LLVMValueRef emit_end(struct library *l)
{
    struct emit *e = &l->e;
    LLVMTypeRef params[2] = {e->ptr, e->ptr};
    LLVMValueRef fn =
        plain_function(e, library_name(l, "end"), e->void_, params, 2, LLVMInternalLinkage);
    LLVMValueRef ctx = plain_param(e, 0), memory = plain_param(e, 1);
    LLVMBasicBlockRef out = plain_block(e);
    LLVMValueRef given = LLVMBuildNot(e->b, plain_is_null(e, ctx), "");
    plain_branch_if(e, given, out);
    plain_call_extern(e, "sheaf_ext_free", e->void_, &memory, 1);
    plain_go(e, out);
    LLVMBuildRetVoid(e->b);
    return fn;
}

/* The context, where it is one, or memory of this call alone. */
static LLVMValueRef choose_memory(struct library *l, LLVMValueRef ctx, LLVMValueRef prepare)
{
    struct emit *e = &l->e;
    LLVMBasicBlockRef own = plain_block(e), chosen = plain_block(e);
    plain_branch_if(e, plain_is_null(e, ctx), own);
    LLVMValueRef mark = plain_load(e, e->i64, ctx);
    LLVMValueRef known = plain_equals(e, mark, plain_i64(e, mark_of(l->fn)));
    plain_return_if(e, LLVMBuildNot(e->b, known, ""), plain_i32(e, SHEAF_ERROR_ARGUMENT));
    LLVMBasicBlockRef from[2] = {LLVMGetInsertBlock(e->b)};
    LLVMBuildBr(e->b, chosen);

    LLVMPositionBuilderAtEnd(e->b, own);
    LLVMValueRef size = emit_index(e, (int64_t)emit_library_context_bytes(l->fn));
    LLVMValueRef block = plain_call_extern(e, "sheaf_ext_malloc", e->ptr, &size, 1);
    plain_return_if(e, plain_is_null(e, block), plain_i32(e, SHEAF_ERROR_MEMORY));
    plain_call(e, prepare, &block, 1);
    from[1] = LLVMGetInsertBlock(e->b);
    plain_go(e, chosen);
    LLVMValueRef memory = LLVMBuildPhi(e->b, e->ptr, "");
    LLVMValueRef values[2] = {ctx, block};
    LLVMAddIncoming(memory, values, from, 2);
    return memory;
}

struct steps_of_run {
    LLVMValueRef begin, end;
};

/* int begin(void *ctx, inputs, void **out_memory): after a run without fault, the results lie in
   the memory, which `end` takes. */
static LLVMValueRef emit_begin(struct library *l, const LLVMTypeRef *pointers, LLVMValueRef prepare,
                               LLVMValueRef end)
{
    struct emit *e = &l->e;
    size_t n_in = l->fn->n_in;
    LLVMValueRef compute = emit_compute(l, pointers);
    LLVMValueRef fn = plain_function(e, library_name(l, "begin"), e->i32, pointers, n_in + 2,
                                     LLVMInternalLinkage);
    LLVMValueRef ok = plain_i32(e, SHEAF_OK), none = LLVMConstNull(e->ptr);
    LLVMValueRef *args = arena_array(e->arena, n_in + 1, sizeof *args);
    for (size_t i = 0; i < n_in; i++) {
        args[i + 1] = plain_param(e, (unsigned)i + 1);
        plain_return_if(e, plain_is_null(e, args[i + 1]), plain_i32(e, SHEAF_ERROR_ARGUMENT));
    }
    LLVMValueRef status = plain_call(e, l->init, &none, 1);
    plain_return_if(e, LLVMBuildICmp(e->b, LLVMIntNE, status, ok, ""), status);
    LLVMValueRef ctx = plain_param(e, 0);
    LLVMValueRef memory = args[0] = choose_memory(l, ctx, prepare);
    status = plain_call(e, compute, args, n_in + 1);
    LLVMBasicBlockRef good = plain_block(e);
    plain_branch_if(e, plain_equals(e, status, ok), good);
    LLVMValueRef both[2] = {ctx, memory};
    plain_call(e, end, both, 2);
    LLVMBuildRet(e->b, status);
    LLVMPositionBuilderAtEnd(e->b, good);
    LLVMBuildStore(e->b, memory, plain_param(e, (unsigned)n_in + 1));
    LLVMBuildRet(e->b, ok);
    return fn;
}

/* Calls `begin` with the first parameters of the function at hand; *out_memory is the memory. */
static LLVMValueRef call_begin(struct library *l, const struct steps_of_run *run,
                               LLVMValueRef *out_memory)
{
    struct emit *e = &l->e;
    size_t n_in = l->fn->n_in;
    LLVMValueRef *args = arena_array(e->arena, n_in + 2, sizeof *args);
    for (size_t i = 0; i <= n_in; i++)
        args[i] = plain_param(e, (unsigned)i);
    args[n_in + 1] = LLVMBuildAlloca(e->b, e->ptr, "");
    *out_memory = args[n_in + 1];
    return plain_call(e, run->begin, args, n_in + 2);
}

static void call_end(struct library *l, const struct steps_of_run *run, LLVMValueRef memory)
{
    LLVMValueRef args[2] = {plain_param(&l->e, 0), memory};
    plain_call(&l->e, run->end, args, 2);
}

/* ---- FUNC: results in memory of the hook, no status ---- */

static void emit_plain_entry(struct library *l, const struct steps_of_run *run,
                             const LLVMTypeRef *pointers)
{
    struct emit *e = &l->e;
    const struct emit_library_function *f = l->fn;
    plain_function(e, f->func, e->void_, pointers, 1 + f->n_in + f->n_out, LLVMExternalLinkage);
    LLVMValueRef memory;
    LLVMValueRef status = call_begin(l, run, &memory);
    LLVMBasicBlockRef fail = plain_block(e);
    plain_branch_if(e, LLVMBuildICmp(e->b, LLVMIntNE, status, plain_i32(e, SHEAF_OK), ""), fail);
    memory = LLVMBuildLoad2(e->b, e->ptr, memory, "");
    struct areas areas = areas_in(l, memory);
    for (size_t i = 0; i < f->n_out; i++) {
        LLVMValueRef to = plain_param(e, (unsigned)(1 + f->n_in + i));
        plain_branch_if(e, plain_is_null(e, to), fail);
        LLVMValueRef n_bytes = used_bytes(l, &areas, f->out[i]);
        /* An empty result is a block to free, too. */
        LLVMValueRef is_empty = plain_equals(e, n_bytes, emit_index(e, 0));
        LLVMValueRef size = LLVMBuildSelect(e->b, is_empty, emit_index(e, 1), n_bytes, "");
        LLVMValueRef block = plain_call_extern(e, "sheaf_ext_malloc", e->ptr, &size, 1);
        plain_branch_if(e, plain_is_null(e, block), fail);
        copy(l, block, pointer(l, &areas, f->out[i]), n_bytes);
        LLVMBuildStore(e->b, block, to);
    }
    call_end(l, run, memory);
    LLVMBuildRetVoid(e->b);
    LLVMPositionBuilderAtEnd(e->b, fail);
    plain_call_extern(e, "abort", e->void_, NULL, 0);
    LLVMBuildUnreachable(e->b);
}

/* ---- FUNC_run and FUNC_run_sized: results in the caller's memory, a status ---- */

static void store_dims(struct library *l, const struct areas *areas, int buf, LLVMValueRef dims)
{
    struct emit *e = &l->e;
    LLVMBasicBlockRef out = plain_block(e);
    plain_branch_if(e, plain_is_null(e, dims), out);
    for (int d = 0; d < pbuf_of(l, buf)->rank; d++) {
        LLVMValueRef v = extent(l, areas, buf, d);
        plain_store(e, v, plain_at(e, dims, emit_index(e, 8 * d)));
    }
    plain_go(e, out);
}

/* Sized: behind each output with extents of its own comes a parameter for all its dimensions. */
static void emit_checked_entry(struct library *l, const struct steps_of_run *run, bool sized,
                               const LLVMTypeRef *pointers)
{
    struct emit *e = &l->e;
    const struct emit_library_function *f = l->fn;
    unsigned *param = arena_array(e->arena, f->n_out, sizeof *param);
    unsigned n = 1 + (unsigned)f->n_in;
    for (size_t i = 0; i < f->n_out; i++) {
        param[i] = n++;
        n += sized && emit_library_has_extents(pbuf_of(l, f->out[i]));
    }
    library_export(l, sized ? "run_sized" : "run", e->i32, pointers, n);
    for (size_t i = 0; i < f->n_out; i++)
        plain_return_if(e, plain_is_null(e, plain_param(e, param[i])),
                        plain_i32(e, SHEAF_ERROR_ARGUMENT));
    LLVMValueRef memory;
    LLVMValueRef status = call_begin(l, run, &memory);
    plain_return_if(e, LLVMBuildICmp(e->b, LLVMIntNE, status, plain_i32(e, SHEAF_OK), ""), status);
    memory = LLVMBuildLoad2(e->b, e->ptr, memory, "");
    struct areas areas = areas_in(l, memory);
    for (size_t i = 0; i < f->n_out; i++) {
        LLVMValueRef n_bytes = used_bytes(l, &areas, f->out[i]);
        copy(l, plain_param(e, param[i]), pointer(l, &areas, f->out[i]), n_bytes);
        if (sized && emit_library_has_extents(pbuf_of(l, f->out[i])))
            store_dims(l, &areas, f->out[i], plain_param(e, param[i] + 1));
    }
    call_end(l, run, memory);
    LLVMBuildRet(e->b, plain_i32(e, SHEAF_OK));
}

/* ---- the module ---- */

const char *library_name(struct library *l, const char *suffix)
{
    const char *name = arena_printf(l->e.arena, "%s_%s", l->fn->func, suffix);
    assert(emit_library_has_name(l->fn->func, name));
    return name;
}

LLVMValueRef library_export(struct library *l, const char *suffix, LLVMTypeRef result,
                            const LLVMTypeRef *params, size_t n)
{
    return plain_function(&l->e, library_name(l, suffix), result, params, n, LLVMExternalLinkage);
}

LLVMValueRef library_call_bundle(struct library *l, const char *suffix, const LLVMValueRef *args,
                                 size_t n)
{
    struct emit *e = &l->e;
    const char *name = arena_printf(e->arena, "%s%s", l->fn->entry, suffix);
    LLVMValueRef result = plain_call_extern(e, name, e->i32, args, n);
    LLVMSetVisibility(LLVMGetNamedFunction(e->mod, name), LLVMHiddenVisibility);
    return result;
}

LLVMValueRef library_field(struct library *l, enum library_field field)
{
    return LLVMBuildStructGEP2(l->e.b, l->state_type, l->state, (unsigned)field, "");
}

LLVMValueRef library_own_field(struct library *l, enum library_field field)
{
    int64_t number = l->fn - l->req->functions;
    return plain_at(&l->e, library_field(l, field), emit_index(&l->e, 4 * number));
}

static void add_state(struct library *l)
{
    struct emit *e = &l->e;
    LLVMTypeRef of_each = LLVMArrayType2(e->i32, l->req->n_functions);
    LLVMTypeRef fields[LIBRARY_N_FIELDS] = {
        [LIBRARY_PHASE] = e->i32,
        [LIBRARY_SEED] = of_each,
        [LIBRARY_STREAMS] = of_each,
        [LIBRARY_VARIANT] = e->i32,
        [LIBRARY_CONSTANTS] = e->ptr,
        [LIBRARY_DEVICE_NUMBER] = e->i32,
        [LIBRARY_DEVICE] = library_device_type(e),
    };
    unsigned n = l->req->device ? LIBRARY_N_FIELDS : LIBRARY_DEVICE_NUMBER;
    l->state_type = LLVMStructTypeInContext(e->ctx, fields, n, 0);
    l->state = LLVMAddGlobal(e->mod, l->state_type, library_name(l, "state"));
    LLVMSetInitializer(l->state, LLVMConstNull(l->state_type));
    LLVMSetLinkage(l->state, LLVMInternalLinkage);
}

static void emit_function(struct library *l)
{
    struct emit *e = &l->e;
    /* All parameters are pointers: the context, a device's stream, inputs, outputs and where their
       extents go. */
    size_t n = 2 + l->fn->n_in + 2 * l->fn->n_out;
    LLVMTypeRef *pointers = arena_array(e->arena, n, sizeof *pointers);
    for (size_t i = 0; i < n; i++)
        pointers[i] = e->ptr;
    library_emit_init(l);
    if (l->req->device) {
        library_emit_device_runs(l, pointers);
        return;
    }
    LLVMValueRef prepare = emit_prepare(l);
    emit_context(l, prepare);
    struct steps_of_run run = {.end = emit_end(l)};
    run.begin = emit_begin(l, pointers, prepare, run.end);
    emit_plain_entry(l, &run, pointers);
    emit_checked_entry(l, &run, false, pointers);
    if (emit_library_is_sized(l->fn))
        emit_checked_entry(l, &run, true, pointers);
}

static bool functions_module(struct arena *a, const void *arg, struct emit_result *out_result,
                             struct error *err)
{
    const struct emit_library *req = arg;
    struct library l = {.req = req, .fn = req->functions};
    struct emit *e = &l.e;
    *e = (struct emit){.arena = a, .target = req->target, .features = req->target->features};
    if (!emit_open(e, l.fn->func, err))
        return false;
    add_state(&l);
    library_emit_ready(&l);
    for (size_t i = 0; i < req->n_functions; i++) {
        l.fn = &req->functions[i];
        emit_function(&l);
    }
    bool ok = emit_to_object(e, emit_library_is_needed, &out_result->object, err);
    emit_close(e);
    return ok;
}

bool emit_library_functions(struct arena *a, const struct emit_library *lib,
                            struct bytes *out_object, struct error *err)
{
    struct emit_result r;
    if (!emit_in_worker(a, functions_module, lib, &r, err))
        return false;
    *out_object = r.object;
    return true;
}
