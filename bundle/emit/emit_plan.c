/* The plan of a device's launches: the structs of bundle.h as constant data of the host. */
#include <assert.h>

#include "bundle/emit/emit_internal.h"
#include "bundle/emit/emit_plain.h"

struct plan {
    struct emit *e;
    const struct emit_part *part;
    uint32_t *number; /* by distinct kernel: among those of its processor */
    uint32_t n_kernels, n_host_kernels;
    LLVMValueRef *steps, *pointers;
    size_t n_steps, cap_steps, n_pointers, cap_pointers;
};

/* Returns its position. */
static uint32_t add_place(struct plan *p, uint32_t area, int64_t offset)
{
    struct edata f = {.e = p->e};
    edata_put(&f, plain_i64(p->e, (uint64_t)offset));
    edata_put(&f, plain_i32(p->e, area));
    edata_put(&f, plain_i32(p->e, 0));
    ARENA_PUSH(p->e->arena, p->pointers, p->n_pointers, p->cap_pointers) = edata_finish(&f);
    return (uint32_t)p->n_pointers - 1;
}

/* A buffer's place on the device, or none where it is -1. */
static uint32_t add_pointer(struct plan *p, int buf)
{
    const struct pbuf *b = &p->part->program->bufs[buf < 0 ? 0 : buf];
    return buf < 0 ? add_place(p, SHEAF_NO_AREA, 0) : add_place(p, (uint32_t)b->area, b->offset);
}

static uint32_t add_host_pointer(struct plan *p, int buf)
{
    const struct pbuf *b = &p->part->program->bufs[buf];
    return b->area == AREA_CONSTANT ? add_place(p, SHEAF_AREA_HOST_CONSTANTS, b->offset)
                                    : add_place(p, SHEAF_AREA_HOST, b->host_offset);
}

static uint32_t add_pointer_on(struct plan *p, int buf, bool on_host)
{
    return on_host ? add_host_pointer(p, buf) : add_pointer(p, buf);
}

static void set_step(struct plan *p, size_t at, enum sheaf_step_kind kind, uint32_t kernel,
                     uint32_t pointer, size_t to, int64_t count)
{
    struct edata f = {.e = p->e};
    edata_put(&f, plain_i32(p->e, (uint32_t)kind));
    edata_put(&f, plain_i32(p->e, kernel));
    edata_put(&f, plain_i32(p->e, pointer));
    edata_put(&f, plain_i32(p->e, (uint32_t)to));
    edata_put(&f, plain_i64(p->e, (uint64_t)count));
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

/* Of a kernel, on the device or on the host, and its buffers there. */
static void add_call(struct plan *p, const struct step *s)
{
    uint32_t first = (uint32_t)p->n_pointers;
    for (size_t i = 0; i < s->kernel->n_bufs; i++)
        add_pointer_on(p, s->args[i], s->on_host);
    size_t at = add_step(p);
    uint32_t kernel = p->number[p->part->schedules->of_step[s->id]];
    set_step(p, at, s->on_host ? SHEAF_STEP_HOST : SHEAF_STEP_LAUNCH, kernel, first, 0, 0);
}

static void add_copies(struct plan *p, const int *bufs, size_t n, bool to_host)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t first = add_pointer_on(p, bufs[i], to_host);
        add_pointer_on(p, bufs[i], !to_host);
        size_t at = add_step(p);
        set_step(p, at, SHEAF_STEP_COPY, 0, first, 0, p->part->program->bufs[bufs[i]].bytes);
    }
}

static void add_host_call(struct plan *p, const struct step *s)
{
    add_copies(p, s->fetched, s->n_fetched, true);
    add_call(p, s);
    add_copies(p, s->brought, s->n_brought, false);
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
    if (s->trip >= 0 && s->cond < 0 && program->bufs[s->trip].constant) {
        int64_t n = tensor_get_int(program->bufs[s->trip].constant, 0);
        rounds = n > 0 ? n : 0;
    }
    add_steps(p, &s->bodies[0]);
    set_step(p, at, SHEAF_STEP_LOOP, 0, trip, p->n_steps, rounds);
    add_marker(p, SHEAF_STEP_END);
}

/* What a device that runs networks does in one call; its function finds the areas by itself. */
static void add_segment(struct plan *p)
{
    size_t at = add_step(p);
    set_step(p, at, SHEAF_STEP_LAUNCH, p->n_kernels++, 0, 0, 0);
}

static void add_steps(struct plan *p, const struct steps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *s = steps->step[i];
        size_t behind = p->part->target->runs_networks ? emit_host_free(steps, i) : i;
        if (behind > i) {
            add_segment(p);
            i = behind - 1;
        } else if (s->kind == STEP_CALL && s->on_host)
            add_host_call(p, s);
        else if (s->kind == STEP_CALL)
            add_call(p, s);
        else if (s->kind == STEP_IF)
            add_branch(p, s);
        else
            add_rounds(p, s);
    }
}

/* Device and host have each a table. */
static void number_kernels(struct plan *p)
{
    const struct emit_schedules *s = p->part->schedules;
    p->number = arena_array(p->e->arena, s->n, sizeof *p->number);
    for (size_t i = 0; i < s->n; i++)
        if (s->kernel[i].on_host)
            p->number[i] = p->n_host_kernels++;
        else if (!p->part->target->runs_networks)
            p->number[i] = p->n_kernels++;
}

static LLVMValueRef kernel_rows(const struct plan *p, const char **name)
{
    struct emit *e = p->e;
    const struct emit_schedules *s = p->part->schedules;
    LLVMValueRef *rows = arena_array(e->arena, p->n_kernels, sizeof *rows);
    for (size_t i = 0; i < s->n; i++) {
        const struct schedule *schedule = s->kernel[i].schedule;
        struct edata f = {.e = e};
        if (s->kernel[i].on_host)
            continue;
        edata_put(&f, edata_string(e, name[i]));
        edata_put(&f, plain_i32(e, (uint32_t)schedule->blocks));
        edata_put(&f, plain_i32(e, (uint32_t)schedule->threads));
        edata_put(&f, plain_i32(e, (uint32_t)schedule->shared_bytes));
        edata_put(&f, plain_i32(e, (uint32_t)s->kernel[i].kernel->n_bufs));
        rows[p->number[i]] = edata_finish(&f);
    }
    return edata_rows(e, rows, p->n_kernels);
}

static LLVMValueRef host_kernel_rows(const struct plan *p)
{
    struct emit *e = p->e;
    const struct emit_schedules *s = p->part->schedules;
    LLVMValueRef *rows = arena_array(e->arena, p->n_host_kernels, sizeof *rows);
    LLVMValueRef *fn = emit_host_functions(e, p->part);
    for (size_t i = 0; i < s->n; i++) {
        struct edata f = {.e = e};
        if (!s->kernel[i].on_host)
            continue;
        edata_put(&f, fn[i]);
        edata_put(&f, plain_i32(e, (uint32_t)s->kernel[i].kernel->n_bufs));
        edata_put(&f, plain_i32(e, 0));
        rows[p->number[i]] = edata_finish(&f);
    }
    return edata_rows(e, rows, p->n_host_kernels);
}

/* The functions that run the network, in any number of cores. */
static LLVMValueRef network_rows(struct emit *e, const char **name, size_t n)
{
    LLVMValueRef *rows = arena_array(e->arena, n, sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        struct edata f = {.e = e};
        edata_put(&f, edata_string(e, name[i]));
        edata_put(&f, plain_i32(e, SHEAF_VE_MAX_RANKS));
        edata_put(&f, plain_i32(e, 1));
        edata_put(&f, plain_i32(e, 0));
        edata_put(&f, plain_i32(e, 1));
        rows[i] = edata_finish(&f);
    }
    return edata_rows(e, rows, n);
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
    struct emit_images *images = e->images;
    struct plan p = {.e = e, .part = &entry->parts[0]};
    const char **name = images->kernel_name[entry - images->entries];
    bool runs_networks = p.part->target->runs_networks;
    size_t n_functions = runs_networks ? images->n_functions[entry - images->entries] : 0;
    number_kernels(&p);
    /* Of a network that is one call there is nothing more to say. */
    if (!emit_is_one_call(p.part))
        add_steps(&p, &p.part->program->body);
    if (runs_networks)
        p.n_kernels = (uint32_t)n_functions;
    if (!images->table)
        images->table = image_rows(e, images);
    LLVMValueRef kernels =
        runs_networks ? network_rows(e, name, n_functions) : kernel_rows(&p, name);
    LLVMValueRef host_kernels = host_kernel_rows(&p);
    const char *features = e->target->features;
    struct edata f = {.e = e};
    edata_put(&f, plain_i32(e, 0)); /* its size, see below */
    edata_put(&f, plain_i32(e, (uint32_t)p.part->target->device));
    edata_put(&f, plain_i32(e, (uint32_t)images->n));
    edata_put(&f, plain_i32(e, p.n_kernels));
    edata_put(&f, plain_i32(e, (uint32_t)p.n_steps));
    edata_put(&f, plain_i32(e, (uint32_t)p.n_pointers));
    edata_put(&f, images->table);
    edata_put(&f, kernels);
    edata_put(&f, edata_rows(e, p.steps, p.n_steps));
    edata_put(&f, edata_rows(e, p.pointers, p.n_pointers));
    edata_put(&f, plain_i32(e, p.n_host_kernels));
    edata_put(&f, plain_i32(e, 0));
    edata_put(&f, plain_i64(e, (uint64_t)p.part->program->host_bytes));
    edata_put(&f, host_kernels);
    edata_put(&f, p.n_host_kernels ? edata_string(e, features) : LLVMConstNull(e->ptr));
    f.v[0] = plain_i32(e, (uint32_t)LLVMABISizeOfType(e->layout, LLVMTypeOf(edata_finish(&f))));
    return edata_private(e, edata_finish(&f));
}
