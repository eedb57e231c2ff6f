/* An entry point: the program's steps as calls of kernel functions on the three areas; of several
   parts, the functions that choose one. */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "bundle/emit/emit_plain.h"

struct entry {
    struct emit *e;
    const struct emit_part *part;
    LLVMValueRef fn;
    LLVMValueRef area[AREA_COUNT];
    LLVMValueRef *kernel; /* function of each distinct kernel */
    /* Where the network runs in several cores: which this is, of how many, and where they meet. */
    LLVMValueRef rank, n_ranks, barrier;
};

static LLVMValueRef buffer_pointer(struct entry *t, int buf)
{
    struct emit *e = t->e;
    const struct pbuf *b = &t->part->program->bufs[buf];
    LLVMValueRef off = emit_index(e, b->offset);
    return LLVMBuildInBoundsGEP2(e->b, e->i8, t->area[b->area], &off, 1, "");
}

static void emit_steps(struct entry *t, const struct steps *steps);

/* What any core has written all see from here on. */
static void meet(struct entry *t)
{
    if (t->barrier)
        emit_meeting(t->e, t->barrier, t->n_ranks);
}

static void emit_call(struct entry *t, const struct step *s)
{
    struct emit *e = t->e;
    size_t n = s->kernel->n_bufs;
    unsigned n_params = emit_kernel_params(e, s->kernel);
    LLVMValueRef *args = arena_array(e->arena, n_params, sizeof *args);
    for (size_t i = 0; i < n; i++)
        args[i] = buffer_pointer(t, s->args[i]);
    if (t->barrier) {
        args[n] = t->rank;
        args[n + 1] = t->n_ranks;
    } else if (n_params > n) {
        args[n] = LLVMGetPoison(e->ptr);
    }
    LLVMValueRef fn = t->kernel[t->part->schedules->of_step[s->id]];
    emit_debug_step(e, s);
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(fn), fn, args, n_params, "");
    meet(t);
}

/* A bool scalar buffer as i1. */
static LLVMValueRef read_bool(struct entry *t, int buf)
{
    struct emit *e = t->e;
    LLVMValueRef v = LLVMBuildLoad2(e->b, e->i8, buffer_pointer(t, buf), "");
    return LLVMBuildICmp(e->b, LLVMIntNE, v, LLVMConstInt(e->i8, 0, 0), "");
}

static void emit_branch(struct entry *t, const struct step *s)
{
    struct emit *e = t->e;
    LLVMBasicBlockRef side[2], end;
    side[0] = plain_block(e);
    side[1] = plain_block(e);
    end = plain_block(e);
    LLVMValueRef go = read_bool(t, s->cond);
    meet(t); /* none changes it before all have read it */
    LLVMBuildCondBr(e->b, go, side[0], side[1]);
    for (int i = 0; i < 2; i++) {
        LLVMPositionBuilderAtEnd(e->b, side[i]);
        emit_steps(t, &s->bodies[i]);
        LLVMBuildBr(e->b, end);
    }
    LLVMPositionBuilderAtEnd(e->b, end);
}

/* Of several cores each counts by itself, and all write the same. */
static void store_round(struct entry *t, const struct step *s, LLVMValueRef own, LLVMValueRef i)
{
    struct emit *e = t->e;
    LLVMBuildStore(e->b, i, buffer_pointer(t, s->index));
    if (own)
        LLVMBuildStore(e->b, i, own);
}

static LLVMValueRef load_round(struct entry *t, const struct step *s, LLVMValueRef own)
{
    return LLVMBuildLoad2(t->e->b, t->e->i64, own ? own : buffer_pointer(t, s->index), "");
}

/* The round number lives in the step's index buffer, so that kernels of the body can read it. */
static void emit_rounds(struct entry *t, const struct step *s)
{
    struct emit *e = t->e;
    LLVMBasicBlockRef head = plain_block(e), body = plain_block(e), end = plain_block(e);
    LLVMValueRef own = t->barrier ? LLVMBuildAlloca(e->b, e->i64, "") : NULL;
    store_round(t, s, own, LLVMConstInt(e->i64, 0, 0));
    LLVMBuildBr(e->b, head);
    LLVMPositionBuilderAtEnd(e->b, head);
    LLVMValueRef go = LLVMConstInt(e->i1, 1, 0);
    if (s->trip >= 0) {
        LLVMValueRef i = load_round(t, s, own);
        LLVMValueRef n = LLVMBuildLoad2(e->b, e->i64, buffer_pointer(t, s->trip), "");
        go = LLVMBuildICmp(e->b, LLVMIntSLT, i, n, "");
    }
    if (s->cond >= 0)
        go = LLVMBuildAnd(e->b, go, read_bool(t, s->cond), "");
    meet(t);
    LLVMBuildCondBr(e->b, go, body, end);
    LLVMPositionBuilderAtEnd(e->b, body);
    emit_steps(t, &s->bodies[0]);
    LLVMValueRef i = load_round(t, s, own);
    store_round(t, s, own, LLVMBuildAdd(e->b, i, LLVMConstInt(e->i64, 1, 0), ""));
    LLVMBuildBr(e->b, head);
    LLVMPositionBuilderAtEnd(e->b, end);
}

static void emit_steps(struct entry *t, const struct steps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *s = steps->step[i];
        if (s->kind == STEP_CALL)
            emit_call(t, s);
        else if (s->kind == STEP_IF)
            emit_branch(t, s);
        else
            emit_rounds(t, s);
    }
}

static LLVMTypeRef entry_type(struct emit *e)
{
    LLVMTypeRef params[3] = {e->ptr, e->ptr, e->ptr};
    return LLVMFunctionType(e->i32, params, 3, 0);
}

static void begin_function(struct entry *t, const char *name)
{
    struct emit *e = t->e;
    t->fn = LLVMAddFunction(e->mod, name, entry_type(e));
    for (int a = 0; a < AREA_COUNT; a++)
        t->area[a] = LLVMGetParam(t->fn, (unsigned)a);
    LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->ctx, t->fn, ""));
}

static void end_function(struct entry *t)
{
    LLVMBuildRet(t->e->b, LLVMConstInt(t->e->i32, SHEAF_OK, 0));
}

struct step_naming {
    struct entry *t;
    const char *entry;
};

static void step_function(struct step *s, void *arg)
{
    struct step_naming *n = arg;
    if (s->kind != STEP_CALL)
        return;
    begin_function(n->t, arena_printf(n->t->e->arena, "%s_step_%u", n->entry, s->id));
    emit_call(n->t, s);
    end_function(n->t);
}

static LLVMValueRef find_kernel(const struct emit *e, const char *key)
{
    for (size_t i = 0; i < e->n_kernels; i++) {
        const struct emitted_kernel *k = &e->kernels[i];
        if (strcmp(k->key, key) == 0 && strcmp(k->features, e->target->features) == 0 &&
            strcmp(k->cpu, e->target->cpu) == 0)
            return k->fn;
    }
    return NULL;
}

/* For who reads a profile or a map of the linker: the number in the texts of -dump-schedule, and
   what of the model it is.  No identifier of C, so no entry's name; that of a device's kernel is
   one, for its assembly has no others. */
static const char *function_name(struct emit *e, const struct kernel *k)
{
    enum { MAX_NAME = 60 };
    char *name = arena_printf(e->arena, "k%zu.%.*s", e->n_kernels, MAX_NAME, k->name);
    for (char *c = strchr(name, '.') + !e->target->host; *c; c++)
        if (!isalnum((unsigned char)*c))
            *c = '_';
    return name;
}

LLVMValueRef *emit_part_kernels(struct emit *e, const struct emit_part *part)
{
    const struct emit_schedules *s = part->schedules;
    LLVMValueRef *kernel = arena_array(e->arena, s->n + 1, sizeof *kernel);
    size_t n_before = e->n_kernels;
    for (size_t i = 0; i < s->n; i++) {
        const char *key = s->kernel[i].key;
        if (s->kernel[i].on_host != (e->images != NULL))
            continue;
        kernel[i] = n_before ? find_kernel(e, key) : NULL;
        if (kernel[i])
            continue;
        const char *name = function_name(e, s->kernel[i].kernel);
        kernel[i] = emit_kernel_function(e, s->kernel[i].kernel, s->kernel[i].schedule, name);
        ARENA_PUSH(e->arena, e->kernels, e->n_kernels, e->cap_kernels) = (struct emitted_kernel){
            .key = key, .cpu = e->target->cpu, .features = e->target->features, .fn = kernel[i]};
    }
    return kernel;
}

/* The functions of a part, the one that runs it under `name`. */
static LLVMValueRef emit_part(struct emit *e, const struct emit_request *req,
                              const struct emit_entry *entry, const struct emit_part *part,
                              const char *name)
{
    struct entry t = {.e = e, .part = part};
    LLVMValueRef last = LLVMGetLastFunction(e->mod);
    e->target = part->target;
    t.kernel = emit_part_kernels(e, part);
    emit_debug_program(e, part->program);
    begin_function(&t, name);
    LLVMValueRef fn = t.fn;
    emit_debug_entry(e, fn, name);
    emit_steps(&t, &part->program->body);
    end_function(&t);
    emit_debug_none(e);
    if (req->step_functions) {
        struct step_naming n = {&t, entry->name};
        program_each_step(&part->program->body, step_function, &n);
    }
    emit_function_attributes(e, last);
    return fn;
}

/* ---- several parts ---- */

/* uint32_t NAME_select(void) */
static LLVMValueRef emit_select(struct emit *e, const struct emit_entry *entry)
{
    const struct target **variants = arena_array(e->arena, entry->n_parts, sizeof *variants);
    for (size_t i = 0; i < entry->n_parts; i++)
        variants[i] = entry->parts[i].target;
    LLVMValueRef fn = LLVMAddFunction(e->mod, arena_printf(e->arena, "%s_select", entry->name),
                                      LLVMFunctionType(e->i32, NULL, 0, 0));
    e->target->emit_select(e, fn, variants, entry->n_parts);
    return fn;
}

/* int NAME_run(uint32_t variant, constants, mutables, activations) */
static LLVMValueRef emit_run(struct emit *e, const struct emit_entry *entry, LLVMValueRef *part)
{
    LLVMTypeRef params[4] = {e->i32, e->ptr, e->ptr, e->ptr};
    LLVMValueRef fn = plain_function(e, arena_printf(e->arena, "%s_run", entry->name), e->i32,
                                     params, 4, LLVMExternalLinkage);
    LLVMBasicBlockRef start = LLVMGetInsertBlock(e->b), none = plain_block(e);
    LLVMPositionBuilderAtEnd(e->b, none);
    LLVMBuildRet(e->b, LLVMConstInt(e->i32, SHEAF_ERROR_PROCESSOR, 0));
    LLVMPositionBuilderAtEnd(e->b, start);
    LLVMValueRef choose =
        LLVMBuildSwitch(e->b, LLVMGetParam(fn, 0), none, (unsigned)entry->n_parts);
    for (size_t i = 0; i < entry->n_parts; i++) {
        LLVMValueRef args[3] = {LLVMGetParam(fn, 1), LLVMGetParam(fn, 2), LLVMGetParam(fn, 3)};
        LLVMBasicBlockRef one = plain_block(e);
        LLVMAddCase(choose, LLVMConstInt(e->i32, i, 0), one);
        LLVMPositionBuilderAtEnd(e->b, one);
        LLVMBuildRet(e->b, LLVMBuildCall2(e->b, entry_type(e), part[i], args, 3, ""));
    }
    return fn;
}

/* NAME itself: finds out at each call, for there is nowhere to keep it. */
static void emit_dispatch(struct emit *e, const struct emit_entry *entry, LLVMValueRef *part)
{
    LLVMValueRef last = LLVMGetLastFunction(e->mod);
    LLVMValueRef select = emit_select(e, entry), run = emit_run(e, entry, part);
    struct entry t = {.e = e};
    begin_function(&t, entry->name);
    LLVMValueRef args[4];
    args[0] = LLVMBuildCall2(e->b, LLVMGlobalGetValueType(select), select, NULL, 0, "");
    for (int a = 0; a < AREA_COUNT; a++)
        args[1 + a] = t.area[a];
    LLVMBuildRet(e->b, LLVMBuildCall2(e->b, LLVMGlobalGetValueType(run), run, args, 4, ""));
    emit_function_attributes(e, last);
}

/* ---- networks that a device runs by itself ---- */

/* uint64_t name(uint64_t call), with the address of a struct sheaf_ve_call: these steps. */
static const char *emit_network(struct entry *t, const char *name, const struct steps *steps)
{
    struct emit *e = t->e;
    t->fn = plain_function(e, name, e->i64, &e->i64, 1, LLVMExternalLinkage);
    LLVMValueRef call = LLVMBuildIntToPtr(e->b, LLVMGetParam(t->fn, 0), e->ptr, "");
    LLVMValueRef *const fields[] = {&t->area[0], &t->area[1], &t->area[2],
                                    &t->rank,    &t->n_ranks, &t->barrier};
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        LLVMValueRef at = plain_i64(e, i);
        LLVMValueRef field = LLVMBuildInBoundsGEP2(e->b, e->i64, call, &at, 1, "");
        bool is_number = fields[i] == &t->rank || fields[i] == &t->n_ranks;
        *fields[i] = LLVMBuildLoad2(e->b, is_number ? e->i64 : e->ptr, field, "");
    }
    emit_steps(t, steps);
    LLVMBuildRet(e->b, LLVMConstInt(e->i64, SHEAF_OK, 0));
    return name;
}

struct segments {
    struct entry t;
    const char *entry;
    const char **name;
    size_t n, cap;
};

static void add_segment(struct segments *s, const struct steps *steps)
{
    struct emit *e = s->t.e;
    const char *name = arena_printf(e->arena, "%s_%s_%zu", s->entry, e->target->name, s->n);
    ARENA_PUSH(e->arena, s->name, s->n, s->cap) = emit_network(&s->t, name, steps);
}

/* In the order of the plan (emit_plan.c). */
static void add_segments(struct segments *s, const struct steps *steps)
{
    for (size_t i = 0; i < steps->n;) {
        struct steps together = {.step = steps->step + i, .n = emit_host_free(steps, i) - i};
        if (together.n) {
            add_segment(s, &together);
            i += together.n;
            continue;
        }
        for (int k = 0; k < 2 && steps->step[i]->kind != STEP_CALL; k++)
            add_segments(s, &steps->step[i]->bodies[k]);
        i++;
    }
}

const char **emit_device_entry(struct emit *e, const struct emit_entry *entry, size_t *out_n)
{
    const struct emit_part *part = &entry->parts[0];
    const struct steps *all = &part->program->body;
    struct segments s = {.t = {.e = e, .part = part, .kernel = emit_part_kernels(e, part)},
                         .entry = entry->name};
    if (emit_is_one_call(part)) {
        const char *name = arena_printf(e->arena, "%s_%s", entry->name, e->target->name);
        ARENA_PUSH(e->arena, s.name, s.n, s.cap) = emit_network(&s.t, name, all);
    } else {
        static const struct steps none;
        add_segments(&s, all);
        if (s.n == 0)
            add_segment(&s, &none); /* a library has something in it */
    }
    *out_n = s.n;
    return s.name;
}

/* A device's network does not run by a call. */
static void emit_refusal(struct emit *e, const struct emit_entry *entry)
{
    struct entry t = {.e = e};
    LLVMValueRef last = LLVMGetLastFunction(e->mod);
    begin_function(&t, entry->name);
    LLVMBuildRet(e->b, LLVMConstInt(e->i32, SHEAF_ERROR_DEVICE, 0));
    emit_function_attributes(e, last);
}

void emit_entry(struct emit *e, const struct emit_request *req, const struct emit_entry *entry)
{
    const struct target *common = e->target;
    if (e->images) {
        emit_refusal(e, entry);
    } else if (entry->n_parts == 1) {
        emit_part(e, req, entry, &entry->parts[0], entry->name);
    } else {
        assert(!req->step_functions);
        LLVMValueRef *part = arena_array(e->arena, entry->n_parts, sizeof *part);
        for (size_t i = 0; i < entry->n_parts; i++) {
            const char *name = arena_printf(e->arena, "%s.v%zu", entry->name, i);
            part[i] = emit_part(e, req, entry, &entry->parts[i], name);
            LLVMSetLinkage(part[i], LLVMInternalLinkage);
        }
        e->target = common;
        emit_dispatch(e, entry, part);
    }
    e->target = common;
}
