/*
 * Which code each step runs: kernels with the same key share one function, and each distinct kernel
 * gets a schedule.  A schedule may ask for constants in packed layouts; the program's buffers take
 * them here, before the program is planned.
 */
#include <assert.h>
#include <string.h>

#include "bundle/emit/emit_internal.h"

struct collector {
    struct emit_schedules *s;
    struct program *p;
    const struct target *t;
};

/* Host and device have each a schedule of their own. */
static uint32_t find_or_add(struct collector *c, const struct kernel *k, bool on_host)
{
    struct emit_schedules *s = c->s;
    const struct target *t = on_host ? c->t->host : c->t;
    struct strbuf key;
    strbuf_init(&key, s->arena);
    kernel_print_key(k, &key);
    for (size_t i = 0; i < s->n; i++)
        if (s->kernel[i].on_host == on_host && strcmp(s->kernel[i].key, strbuf_text(&key)) == 0)
            return (uint32_t)i;
    struct kernel *own = kernel_clone(s->arena, k);
    struct schedule *schedule = t->schedule(t, s->arena, own);
    struct error err;
    error_init(&err);
    bool valid = kernel_validate(own, &err);
    assert(valid);
    (void)valid;
    size_t at = s->n;
    (void)ARENA_PUSH(s->arena, s->kernel, s->n, s->cap);
    s->kernel[at].kernel = own;
    s->kernel[at].schedule = schedule;
    s->kernel[at].key = strbuf_text(&key);
    s->kernel[at].on_host = on_host;
    return (uint32_t)at;
}

/* A buffer with the content of `buf` in the layout that kernel buffer `want` asks for. */
static int packed_copy(struct collector *c, int buf, const struct layout *layout)
{
    struct program *p = c->p;
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].area == AREA_CONSTANT && p->bufs[i].constant == p->bufs[buf].constant &&
            p->bufs[i].view_of < 0 && p->bufs[i].dtype == p->bufs[buf].dtype &&
            layout_equal(&p->bufs[i].layout, layout))
            return (int)i;
    struct pbuf copy = p->bufs[buf];
    copy.layout = *layout;
    copy.bytes = dtype_bytes(copy.dtype, layout_elems(layout, copy.dims));
    ARENA_PUSH(p->arena, p->bufs, p->n_bufs, p->cap_bufs) = copy;
    return (int)p->n_bufs - 1;
}

/* Scratch that the schedule asks for beside the kernel's own. */
static int scratch_buf(struct program *p, const struct kbuf *k)
{
    struct pbuf b = {.name = k->name,
                     .dtype = k->dtype,
                     .rank = k->rank,
                     .layout = k->layout,
                     .area = AREA_ACTIVATION,
                     .view_of = -1};
    memcpy(b.dims, k->dims, sizeof b.dims);
    memcpy(b.extent_buf, k->extent_buf, sizeof b.extent_buf);
    b.bytes = dtype_bytes(b.dtype, layout_elems(&b.layout, b.dims));
    ARENA_PUSH(p->arena, p->bufs, p->n_bufs, p->cap_bufs) = b;
    return (int)p->n_bufs - 1;
}

static void add_scratch(struct collector *c, struct step *step, const struct kernel *own)
{
    struct kernel *k = step->kernel;
    if (own->n_bufs == k->n_bufs)
        return;
    int *args = arena_array(c->p->arena, own->n_bufs, sizeof *args);
    memcpy(args, step->args, k->n_bufs * sizeof *args);
    for (size_t b = k->n_bufs; b < own->n_bufs; b++) {
        assert(own->bufs[b].role == KBUF_LOCAL);
        args[b] = scratch_buf(c->p, &own->bufs[b]);
        ARENA_PUSH(k->arena, k->bufs, k->n_bufs, k->cap_bufs) = own->bufs[b];
    }
    step->args = args;
}

static void schedule_step(struct step *step, void *arg)
{
    struct collector *c = arg;
    if (step->kind != STEP_CALL)
        return;
    uint32_t i = find_or_add(c, step->kernel, step->on_host);
    c->s->of_step[step->id] = i;
    const struct kernel *own = c->s->kernel[i].kernel;
    add_scratch(c, step, own);
    for (size_t b = 0; b < step->kernel->n_bufs; b++) {
        const struct layout *want = &own->bufs[b].layout;
        if (layout_equal(want, &step->kernel->bufs[b].layout))
            continue;
        assert(step->kernel->bufs[b].constant);
        step->args[b] = packed_copy(c, step->args[b], want);
        step->kernel->bufs[b].layout = *want;
    }
}

static void mark_used(struct step *step, void *arg)
{
    bool *used = arg;
    if (step->kind == STEP_CALL) {
        for (size_t b = 0; b < step->kernel->n_bufs; b++)
            used[step->args[b]] = true;
        return;
    }
    if (step->cond >= 0)
        used[step->cond] = true;
    if (step->trip >= 0)
        used[step->trip] = true;
}

/* A constant that every reader wants packed is not stored in its plain layout any more. */
static void drop_unused_constants(struct program *p, struct arena *a)
{
    bool *used = arena_array(a, p->n_bufs + 1, sizeof *used);
    program_each_step(&p->body, mark_used, used);
    for (size_t i = 0; i < p->n_bufs; i++)
        if (used[i])
            used[program_storage_of(p, (int)i)] = true;
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].area == AREA_CONSTANT && !used[i])
            p->bufs[i].unused = true;
}

struct emit_schedules *emit_schedule(struct arena *a, struct program *p, const struct target *t)
{
    struct emit_schedules *s = arena_new(a, struct emit_schedules);
    s->arena = a;
    s->of_step = arena_array(a, p->n_steps + 1, sizeof *s->of_step);
    struct collector c = {.s = s, .p = p, .t = t};
    program_each_step(&p->body, schedule_step, &c);
    drop_unused_constants(p, a);
    return s;
}

static const char *on_host(const struct emit_schedules *s, size_t i)
{
    return s->kernel[i].on_host ? " on the host" : "";
}

void emit_kernels_print(const struct emit_schedules *s, struct strbuf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        strbuf_printf(out, "\n# k%zu%s\n", i, on_host(s, i));
        kernel_print(s->kernel[i].kernel, out);
    }
}

void emit_schedules_print(const struct emit_schedules *s, struct strbuf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        strbuf_printf(out, "k%zu (%s)%s:\n", i, s->kernel[i].kernel->name, on_host(s, i));
        schedule_print(s->kernel[i].schedule, s->kernel[i].kernel, out);
    }
}
