/* The plan of a device's launches: the structs of bundle.h as constant data of the host. */
#include <assert.h>

#include "bundle/emit/emit_internal.h"
#include "bundle/emit/emit_plain.h"

struct plan {
    struct emit *e;
    const struct emit_part *part;
    LLVMValueRef *steps, *pointers;
    size_t n_steps, cap_steps, n_pointers, cap_pointers;
};

/* A buffer's place, or none where it is -1; returns its position. */
static uint32_t add_pointer(struct plan *p, int buf)
{
    const struct program *program = p->part->program;
    struct edata f = {.e = p->e};
    edata_put(&f, plain_i64(p->e, buf < 0 ? 0 : (uint64_t)program->bufs[buf].offset));
    edata_put(&f, plain_i32(p->e, buf < 0 ? SHEAF_NO_AREA : (uint32_t)program->bufs[buf].area));
    edata_put(&f, plain_i32(p->e, 0));
    ARENA_PUSH(p->e->arena, p->pointers, p->n_pointers, p->cap_pointers) = edata_finish(&f);
    return (uint32_t)p->n_pointers - 1;
}

static void set_step(struct plan *p, size_t at, enum sheaf_step_kind kind, uint32_t kernel,
                     uint32_t pointer, size_t to, int64_t rounds)
{
    struct edata f = {.e = p->e};
    edata_put(&f, plain_i32(p->e, (uint32_t)kind));
    edata_put(&f, plain_i32(p->e, kernel));
    edata_put(&f, plain_i32(p->e, pointer));
    edata_put(&f, plain_i32(p->e, (uint32_t)to));
    edata_put(&f, plain_i64(p->e, (uint64_t)rounds));
    p->steps[at] = edata_finish(&f);
}

static size_t add_step(struct plan *p)
{
    ARENA_PUSH(p->e->arena, p->steps, p->n_steps, p->cap_steps) = NULL;
    return p->n_steps - 1;
}

static void add_marker(struct plan *p, enum sheaf_step_kind kind)
{
    size_t at = add_step(p);
    set_step(p, at, kind, 0, 0, 0, 0);
}

static void add_steps(struct plan *p, const struct steps *steps);

static void add_launch(struct plan *p, const struct step *s)
{
    uint32_t first = (uint32_t)p->n_pointers;
    for (size_t i = 0; i < s->kernel->n_bufs; i++)
        add_pointer(p, s->args[i]);
    size_t at = add_step(p);
    set_step(p, at, SHEAF_STEP_LAUNCH, p->part->schedules->of_step[s->id], first, 0, 0);
}

static void add_branch(struct plan *p, const struct step *s)
{
    size_t at = add_step(p);
    uint32_t cond = add_pointer(p, s->cond);
    add_steps(p, &s->bodies[0]);
    size_t otherwise = add_step(p);
    set_step(p, at, SHEAF_STEP_IF, 0, cond, otherwise, 0);
    add_steps(p, &s->bodies[1]);
    set_step(p, otherwise, SHEAF_STEP_ELSE, 0, 0, p->n_steps, 0);
    add_marker(p, SHEAF_STEP_END);
}

static void add_rounds(struct plan *p, const struct step *s)
{
    const struct program *program = p->part->program;
    size_t at = add_step(p);
    uint32_t trip = add_pointer(p, s->trip);
    add_pointer(p, s->cond);
    add_pointer(p, s->index);
    int64_t rounds = -1;
    if (s->trip >= 0 && s->cond < 0 && program->bufs[s->trip].constant)
        rounds = tensor_get_int(program->bufs[s->trip].constant, 0);
    add_steps(p, &s->bodies[0]);
    set_step(p, at, SHEAF_STEP_LOOP, 0, trip, p->n_steps, rounds);
    add_marker(p, SHEAF_STEP_END);
}

static void add_steps(struct plan *p, const struct steps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *s = steps->step[i];
        if (s->kind == STEP_CALL)
            add_launch(p, s);
        else if (s->kind == STEP_IF)
            add_branch(p, s);
        else
            add_rounds(p, s);
    }
}

static LLVMValueRef kernel_rows(struct emit *e, const struct emit_part *part, const char **name)
{
    const struct emit_schedules *s = part->schedules;
    LLVMValueRef *rows = arena_array(e->arena, s->n + 1, sizeof *rows);
    for (size_t i = 0; i < s->n; i++) {
        const struct schedule *schedule = s->kernel[i].schedule;
        struct edata f = {.e = e};
        edata_put(&f, edata_string(e, name[i]));
        edata_put(&f, plain_i32(e, (uint32_t)schedule->blocks));
        edata_put(&f, plain_i32(e, (uint32_t)schedule->threads));
        edata_put(&f, plain_i32(e, (uint32_t)schedule->shared_bytes));
        edata_put(&f, plain_i32(e, (uint32_t)s->kernel[i].kernel->n_bufs));
        rows[i] = edata_finish(&f);
    }
    return edata_rows(e, rows, s->n);
}

static LLVMValueRef image_rows(struct emit *e, const struct emit_images *images)
{
    LLVMValueRef *rows = arena_array(e->arena, images->n + 1, sizeof *rows);
    for (size_t i = 0; i < images->n; i++) {
        struct edata f = {.e = e};
        edata_put(&f, plain_i32(e, images->image[i].kind));
        edata_put(&f, plain_i32(e, images->image[i].arch));
        edata_put(&f, edata_bytes(e, &images->image[i].code));
        edata_put(&f, plain_i64(e, images->image[i].code.size));
        rows[i] = edata_finish(&f);
    }
    return edata_rows(e, rows, images->n);
}

LLVMValueRef emit_plan(struct emit *e, const struct emit_entry *entry)
{
    const struct emit_images *images = e->images;
    struct plan p = {.e = e, .part = &entry->parts[0]};
    add_steps(&p, &p.part->program->body);
    LLVMValueRef image_table = image_rows(e, images);
    LLVMValueRef kernels = kernel_rows(e, p.part, images->kernel_name[entry - images->entries]);
    struct edata f = {.e = e};
    edata_put(&f, plain_i32(e, 0)); /* its size, see below */
    edata_put(&f, plain_i32(e, (uint32_t)p.part->target->device));
    edata_put(&f, plain_i32(e, (uint32_t)images->n));
    edata_put(&f, plain_i32(e, (uint32_t)p.part->schedules->n));
    edata_put(&f, plain_i32(e, (uint32_t)p.n_steps));
    edata_put(&f, plain_i32(e, (uint32_t)p.n_pointers));
    edata_put(&f, image_table);
    edata_put(&f, kernels);
    edata_put(&f, edata_rows(e, p.steps, p.n_steps));
    edata_put(&f, edata_rows(e, p.pointers, p.n_pointers));
    f.v[0] = plain_i32(e, (uint32_t)LLVMABISizeOfType(e->layout, LLVMTypeOf(edata_finish(&f))));
    return edata_private(e, edata_finish(&f));
}
