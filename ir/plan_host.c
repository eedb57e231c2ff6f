/*
 * plan_host.c: what the steps of a device's network that stay on the host need there, and what is
 * copied around them.
 *
 * The device has every buffer in its areas; an area of the host has those that steps on the host
 * touch.  What such a step writes is copied to the device at once, unless nothing but steps on the
 * host has to do with the buffer: so kernels, branches, loops and the client find all of theirs on
 * the device, whichever way a run took.  What a step reads is copied to the host only where it does
 * not lie there already: where a step there has read or written it, on every way that leads here,
 * and the device has not written it since.
 */
#include "ir/plan.h"
#include "ir/plan_program.h"

struct transfers {
    struct program *p;
    struct arena *scratch;
    /* By buffer that is no view. */
    bool *on_host, *on_device; /* something there has to do with it */
    bool *held;                /* where the walk is: the host has what the device has */
};

/* The buffer whose content kernel buffer i is; -1: a constant, which host and device both have. */
static int content_of(const struct transfers *t, const struct step *s, size_t i)
{
    int buf = program_storage_of(t->p, s->args[i]);
    return t->p->bufs[buf].area == AREA_CONSTANT ? -1 : buf;
}

static bool reads(const struct step *s, size_t i)
{
    return s->kernel->bufs[i].role == KBUF_IN || s->kernel->bufs[i].role == KBUF_INOUT;
}

static bool writes(const struct step *s, size_t i)
{
    return s->kernel->bufs[i].role == KBUF_OUT || s->kernel->bufs[i].role == KBUF_INOUT;
}

/* ---- who has to do with what ---- */

static void note_device(struct transfers *t, int buf)
{
    if (buf >= 0)
        t->on_device[program_storage_of(t->p, buf)] = true;
}

static void note_step(struct step *s, void *arg)
{
    struct transfers *t = arg;
    note_device(t, s->cond);
    note_device(t, s->trip);
    note_device(t, s->index);
    for (size_t i = 0; s->kind == STEP_CALL && i < s->kernel->n_bufs; i++) {
        int buf = content_of(t, s, i);
        if (buf >= 0 && s->on_host)
            t->on_host[buf] = true;
        else if (buf >= 0)
            t->on_device[buf] |= reads(s, i) || writes(s, i);
    }
}

/* The client's tensors are those on the device; their extents are among the activations. */
static void note_client(struct transfers *t, bool keep_all)
{
    for (size_t i = 0; i < t->p->n_bufs; i++) {
        const struct pbuf *b = &t->p->bufs[i];
        if (!keep_all && b->area != AREA_MUTABLE && !program_is_overlaid(b))
            continue;
        note_device(t, (int)i);
        for (int d = 0; d < b->rank; d++)
            note_device(t, b->extent_buf[d]);
    }
}

/* ---- the area ---- */

static void place(struct transfers *t)
{
    struct program *p = t->p;
    const struct plan_life *life = plan_lives(p, t->scratch);
    struct plan_item *items = arena_array(t->scratch, p->n_bufs, sizeof *items);
    size_t *buf_of = arena_array(t->scratch, p->n_bufs, sizeof *buf_of), n = 0;
    for (size_t i = 0; i < p->n_bufs; i++) {
        p->bufs[i].host_offset = t->on_host[i] ? 0 : -1;
        if (!t->on_host[i] || p->bufs[i].bytes == 0)
            continue;
        items[n] = (struct plan_item){
            .bytes = p->bufs[i].bytes, .first = life[i].first, .last = life[i].last};
        buf_of[n++] = i;
    }
    p->host_bytes = plan_pack(t->scratch, items, n, PROGRAM_ALIGNMENT);
    for (size_t i = 0; i < n; i++)
        p->bufs[buf_of[i]].host_offset = items[i].offset;
    for (size_t i = 0; i < p->n_bufs; i++)
        p->bufs[i].host_offset = p->bufs[program_storage_of(p, (int)i)].host_offset;
}

/* ---- what is copied ---- */

/* Kernel buffers may share one; of no bytes there is nothing to copy. */
static void add(const struct transfers *t, int *list, size_t *n, int buf)
{
    for (size_t i = 0; i < *n; i++)
        if (list[i] == buf)
            return;
    if (t->on_device[buf] && t->p->bufs[buf].bytes)
        list[(*n)++] = buf;
}

static void walk_host_call(struct transfers *t, struct step *s)
{
    struct arena *a = t->p->arena;
    size_t n = s->kernel->n_bufs;
    int *fetched = arena_array(a, n, sizeof *fetched),
        *brought = arena_array(a, n, sizeof *brought);
    s->n_fetched = s->n_brought = 0;
    for (size_t i = 0; i < n; i++) {
        int buf = content_of(t, s, i);
        if (buf >= 0 && reads(s, i) && !t->held[buf])
            add(t, fetched, &s->n_fetched, buf);
        if (buf >= 0 && writes(s, i))
            add(t, brought, &s->n_brought, buf);
    }
    for (size_t i = 0; i < n; i++) {
        int buf = content_of(t, s, i);
        if (buf >= 0 && (reads(s, i) || writes(s, i)))
            t->held[buf] = true;
    }
    s->fetched = fetched;
    s->brought = brought;
}

/* What the device writes the host has no longer. */
static void forget(struct step *s, void *arg)
{
    struct transfers *t = arg;
    if (s->kind == STEP_LOOP)
        t->held[program_storage_of(t->p, s->index)] = false;
    for (size_t i = 0; s->kind == STEP_CALL && !s->on_host && i < s->kernel->n_bufs; i++) {
        int buf = content_of(t, s, i);
        if (buf >= 0 && writes(s, i))
            t->held[buf] = false;
    }
}

static bool *copy_held(const struct transfers *t)
{
    return arena_copy(t->scratch, t->held, t->p->n_bufs * sizeof *t->held);
}

static void walk(struct transfers *t, const struct steps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        struct step *s = steps->step[i];
        if (s->kind == STEP_CALL && s->on_host) {
            walk_host_call(t, s);
            continue;
        }
        forget(s, t);
        if (s->kind == STEP_IF) {
            bool *before = copy_held(t), *after = t->held;
            walk(t, &s->bodies[0]);
            t->held = before;
            walk(t, &s->bodies[1]);
            for (size_t b = 0; b < t->p->n_bufs; b++)
                t->held[b] &= after[b];
        } else if (s->kind == STEP_LOOP) {
            /* A round begins with what the one before left; maybe there is none. */
            program_each_step(&s->bodies[0], forget, t);
            bool *before = copy_held(t);
            walk(t, &s->bodies[0]);
            t->held = before;
        }
    }
}

void plan_host(struct program *p, bool keep_all)
{
    struct arena scratch;
    arena_init(&scratch);
    struct transfers t = {.p = p, .scratch = &scratch};
    t.on_host = arena_array(&scratch, p->n_bufs, sizeof(bool));
    t.on_device = arena_array(&scratch, p->n_bufs, sizeof(bool));
    t.held = arena_array(&scratch, p->n_bufs, sizeof(bool));
    program_each_step(&p->body, note_step, &t);
    note_client(&t, keep_all);
    place(&t);
    walk(&t, &p->body);
    arena_done(&scratch);
}
