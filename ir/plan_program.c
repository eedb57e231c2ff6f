/*
 * plan_program.c: offsets of a program's buffers in the three areas.
 *
 * The clock is the steps' depth-first order.  A buffer is alive from its first to its last access;
 * an access inside a loop to a buffer that is also accessed outside of it counts as one during the
 * whole loop, since the next round may come back to it.  Views count as accesses to their source.
 * Inputs and outputs that lie among the activations are accessed by the client too: before the
 * first step, or behind the last.  The tensors of the client keep their graph order; constants keep
 * theirs.
 */
#include <assert.h>
#include <string.h>

#include "ir/plan.h"
#include "ir/plan_program.h"

/* The loops around a step; the outermost has no loop step. */
struct plan_scope {
    const struct plan_scope *outer;
    uint32_t first, last; /* ids of the steps inside, the loop's own included */
    int depth;
};

struct liveness {
    const struct program *p;
    struct arena *arena;
    struct plan_life *life; /* per buffer; of views, at their source */
};

/* An access at step `id` in `scope`. */
static void access_buf(struct liveness *l, int buf, uint32_t id, const struct plan_scope *scope)
{
    if (buf < 0)
        return;
    for (int d = 0; d < l->p->bufs[buf].rank; d++)
        access_buf(l, l->p->bufs[buf].extent_buf[d], id, scope);
    struct plan_life *life = &l->life[program_storage_of(l->p, buf)];
    uint32_t first = id, last = id;
    if (!life->home) {
        *life = (struct plan_life){.first = first, .last = last, .home = scope};
        return;
    }
    /* Up to the scope that both share; each loop that is left counts whole. */
    const struct plan_scope *home = life->home;
    while (home != scope) {
        if (home->depth >= scope->depth) {
            life->first = home->first < life->first ? home->first : life->first;
            life->last = home->last > life->last ? home->last : life->last;
            home = home->outer;
        } else {
            first = scope->first;
            last = scope->last;
            scope = scope->outer;
        }
    }
    life->home = home;
    life->first = first < life->first ? first : life->first;
    life->last = last > life->last ? last : life->last;
}

static uint32_t last_id(const struct step *s)
{
    uint32_t last = s->id;
    for (int i = 0; i < 2; i++)
        if (s->bodies[i].n)
            last = last_id(s->bodies[i].step[s->bodies[i].n - 1]);
    return last;
}

static void walk_steps(struct liveness *l, const struct steps *steps,
                       const struct plan_scope *scope)
{
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *s = steps->step[i];
        if (s->kind == STEP_CALL) {
            for (size_t j = 0; j < s->kernel->n_bufs; j++)
                access_buf(l, s->args[j], s->id, scope);
            continue;
        }
        const struct plan_scope *inner = scope;
        if (s->kind == STEP_LOOP) {
            struct plan_scope *loop = arena_new(l->arena, struct plan_scope);
            *loop = (struct plan_scope){
                .outer = scope, .first = s->id, .last = last_id(s), .depth = scope->depth + 1};
            inner = loop;
            /* Read and written between the rounds. */
            int control[] = {s->cond, s->trip, s->index};
            for (int j = 0; j < 3; j++) {
                access_buf(l, control[j], s->id, scope);
                access_buf(l, control[j], loop->last, scope);
            }
        } else {
            access_buf(l, s->cond, s->id, scope);
        }
        walk_steps(l, &s->bodies[0], inner);
        walk_steps(l, &s->bodies[1], inner);
    }
}

/* The client reads extents of outputs after the run, and outputs; it wrote inputs before. */
static void access_by_client(struct liveness *l, const struct plan_scope *scope)
{
    for (size_t i = 0; i < l->p->n_bufs; i++) {
        const struct pbuf *b = &l->p->bufs[i];
        bool overlaid = program_is_overlaid(b);
        for (int d = 0; d < b->rank && (overlaid || b->area == AREA_MUTABLE); d++)
            access_buf(l, b->extent_buf[d], l->p->n_steps, scope);
        if (overlaid)
            access_buf(l, (int)i, b->role == SHEAF_ROLE_INPUT ? 0 : l->p->n_steps, scope);
    }
}

bool program_is_overlaid(const struct pbuf *b)
{
    return b->area == AREA_ACTIVATION && b->view_of < 0 &&
           (b->role == SHEAF_ROLE_INPUT || b->role == SHEAF_ROLE_OUTPUT);
}

int64_t program_align_up(int64_t n)
{
    return (n + PROGRAM_ALIGNMENT - 1) / PROGRAM_ALIGNMENT * PROGRAM_ALIGNMENT;
}

/* One behind the other, in order. */
static void place_in_order(struct program *p, enum area area)
{
    int64_t end = 0;
    for (size_t i = 0; i < p->n_bufs; i++) {
        struct pbuf *b = &p->bufs[i];
        if (b->area != area || b->view_of >= 0)
            continue;
        b->offset = end;
        end += program_align_up(b->bytes);
    }
    p->area_bytes[area] = end;
}

static void place_activations(struct program *p, struct arena *scratch,
                              const struct plan_life *life, bool keep_all, const int64_t *pins)
{
    struct plan_item *items = arena_array(scratch, p->n_bufs, sizeof *items);
    size_t *buf_of = arena_array(scratch, p->n_bufs, sizeof *buf_of);
    size_t n = 0;
    for (size_t i = 0; i < p->n_bufs; i++) {
        const struct pbuf *b = &p->bufs[i];
        if (b->area != AREA_ACTIVATION || b->view_of >= 0 || !life[i].home || b->bytes == 0)
            continue;
        items[n] =
            (struct plan_item){.bytes = b->bytes, .first = life[i].first, .last = life[i].last};
        if (pins && pins[i] >= 0) {
            items[n].offset = pins[i];
            items[n].pinned = true;
        }
        buf_of[n++] = i;
    }
    p->peak_live_bytes = plan_peak_live(items, n, PROGRAM_ALIGNMENT);
    if (keep_all) {
        place_in_order(p, AREA_ACTIVATION);
        return;
    }
    p->area_bytes[AREA_ACTIVATION] = plan_pack(scratch, items, n, PROGRAM_ALIGNMENT);
    for (size_t i = 0; i < n; i++)
        p->bufs[buf_of[i]].offset = items[i].offset;
}

const struct plan_life *plan_lives(const struct program *p, struct arena *scratch)
{
    struct plan_scope *whole = arena_new(scratch, struct plan_scope);
    *whole = (struct plan_scope){.first = 0, .last = p->n_steps};
    struct liveness l = {.p = p,
                         .arena = scratch,
                         .life = arena_array(scratch, p->n_bufs, sizeof(struct plan_life))};
    walk_steps(&l, &p->body, whole);
    access_by_client(&l, whole);
    return l.life;
}

void plan_around(struct program *p, bool keep_all, const int64_t *pins)
{
    struct arena scratch;
    arena_init(&scratch);
    for (size_t i = 0; i < p->n_bufs; i++) {
        struct pbuf *b = &p->bufs[i];
        b->offset = 0;
        /* A target may have packed a constant since the program was built. */
        b->bytes = b->unused ? 0 : dtype_bytes(b->dtype, layout_elems(&b->layout, b->dims));
    }
    const struct plan_life *life = plan_lives(p, &scratch);
    place_in_order(p, AREA_CONSTANT);
    place_in_order(p, AREA_MUTABLE);
    place_activations(p, &scratch, life, keep_all, pins);
    for (size_t i = 0; i < p->n_bufs; i++)
        p->bufs[i].offset = p->bufs[program_storage_of(p, (int)i)].offset;
    arena_done(&scratch);
}

void plan_program(struct program *p, bool keep_all)
{
    plan_around(p, keep_all, NULL);
}

void program_pack_into(const struct program *p, uint8_t *area)
{
    for (size_t i = 0; i < p->n_bufs; i++) {
        const struct pbuf *b = &p->bufs[i];
        if (b->area != AREA_CONSTANT || !b->constant || b->view_of >= 0 || b->unused)
            continue;
        struct arena scratch;
        arena_init(&scratch);
        int64_t bytes;
        const void *packed = tensor_pack(&scratch, b->constant, &b->layout, &bytes);
        assert(bytes == b->bytes);
        if (bytes)
            memcpy(area + b->offset, packed, (size_t)bytes);
        arena_done(&scratch);
    }
}

const uint8_t *program_pack_constants(const struct program *p, struct arena *a)
{
    uint8_t *area = arena_alloc(a, (size_t)p->area_bytes[AREA_CONSTANT]);
    program_pack_into(p, area);
    return area;
}
