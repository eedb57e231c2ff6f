/* The entry point: the program's steps as calls of kernel functions on the three areas. */
#include <stdio.h>
#include <string.h>

#include "bundle/emit/emit_internal.h"

struct entry {
    struct emit *e;
    const struct emit_request *req;
    const struct emit_schedules *schedules;
    LLVMValueRef fn;
    LLVMValueRef area[AREA_COUNT];
    LLVMValueRef *kernel; /* function of each distinct kernel */
};

static LLVMValueRef buffer_pointer(struct entry *t, int buf)
{
    struct emit *e = t->e;
    const struct pbuf *b = &t->req->program->bufs[buf];
    LLVMValueRef off = emit_i64(e, b->offset);
    return LLVMBuildInBoundsGEP2(e->b, e->i8, t->area[b->area], &off, 1, "");
}

static void emit_steps(struct entry *t, const struct steps *steps);

static void emit_call(struct entry *t, const struct step *s)
{
    struct emit *e = t->e;
    size_t n = s->kernel->n_bufs;
    LLVMValueRef *args = arena_array(e->arena, n + 1, sizeof *args);
    for (size_t i = 0; i < n; i++)
        args[i] = buffer_pointer(t, s->args[i]);
    LLVMValueRef fn = t->kernel[t->schedules->of_step[s->id]];
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(fn), fn, args, (unsigned)n, "");
}

static LLVMBasicBlockRef append(struct entry *t)
{
    return LLVMAppendBasicBlockInContext(t->e->ctx, t->fn, "");
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
    side[0] = append(t);
    side[1] = append(t);
    end = append(t);
    LLVMBuildCondBr(e->b, read_bool(t, s->cond), side[0], side[1]);
    for (int i = 0; i < 2; i++) {
        LLVMPositionBuilderAtEnd(e->b, side[i]);
        emit_steps(t, &s->bodies[i]);
        LLVMBuildBr(e->b, end);
    }
    LLVMPositionBuilderAtEnd(e->b, end);
}

/* The round number lives in the step's index buffer, so that kernels of the body can read it. */
static void emit_rounds(struct entry *t, const struct step *s)
{
    struct emit *e = t->e;
    LLVMBasicBlockRef head = append(t), body = append(t), end = append(t);
    LLVMBuildStore(e->b, emit_i64(e, 0), buffer_pointer(t, s->index));
    LLVMBuildBr(e->b, head);
    LLVMPositionBuilderAtEnd(e->b, head);
    LLVMValueRef go = LLVMConstInt(e->i1, 1, 0);
    if (s->trip >= 0) {
        LLVMValueRef i = LLVMBuildLoad2(e->b, e->i64, buffer_pointer(t, s->index), "");
        LLVMValueRef n = LLVMBuildLoad2(e->b, e->i64, buffer_pointer(t, s->trip), "");
        go = LLVMBuildICmp(e->b, LLVMIntSLT, i, n, "");
    }
    if (s->cond >= 0)
        go = LLVMBuildAnd(e->b, go, read_bool(t, s->cond), "");
    LLVMBuildCondBr(e->b, go, body, end);
    LLVMPositionBuilderAtEnd(e->b, body);
    emit_steps(t, &s->bodies[0]);
    LLVMValueRef i = LLVMBuildLoad2(e->b, e->i64, buffer_pointer(t, s->index), "");
    LLVMValueRef next = LLVMBuildAdd(e->b, i, emit_i64(e, 1), "");
    LLVMBuildStore(e->b, next, buffer_pointer(t, s->index));
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

static void begin_function(struct entry *t, const char *name)
{
    struct emit *e = t->e;
    LLVMTypeRef params[3] = {e->ptr, e->ptr, e->ptr};
    t->fn = LLVMAddFunction(e->mod, name, LLVMFunctionType(e->i32, params, 3, 0));
    for (int a = 0; a < AREA_COUNT; a++)
        t->area[a] = LLVMGetParam(t->fn, (unsigned)a);
    LLVMPositionBuilderAtEnd(e->b, append(t));
}

static void end_function(struct entry *t)
{
    LLVMBuildRet(t->e->b, LLVMConstInt(t->e->i32, SHEAF_OK, 0));
}

static void step_function(struct step *s, void *arg)
{
    struct entry *t = arg;
    if (s->kind != STEP_CALL)
        return;
    begin_function(t, arena_printf(t->e->arena, "%s_step_%u", t->req->entry, s->id));
    emit_call(t, s);
    end_function(t);
}

void emit_program(struct emit *e, const struct emit_request *req, const struct emit_schedules *s)
{
    struct entry t = {.e = e, .req = req, .schedules = s};
    t.kernel = arena_array(e->arena, s->n + 1, sizeof *t.kernel);
    for (size_t i = 0; i < s->n; i++) {
        char name[32];
        snprintf(name, sizeof name, "k%zu", i);
        if (strcmp(name, req->entry) == 0) /* which is the client's to choose */
            strcat(name, "_");
        t.kernel[i] = emit_kernel_function(e, s->kernel[i].kernel, s->kernel[i].schedule, name);
    }
    begin_function(&t, req->entry);
    emit_steps(&t, &req->program->body);
    end_function(&t);
    if (req->step_functions)
        program_each_step(&req->program->body, step_function, &t);
}
