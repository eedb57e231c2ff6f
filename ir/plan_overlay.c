/*
 * plan_overlay.c: inputs and outputs among the activations.
 *
 * A network compiled for several processors has a program for each, and its client knows one place
 * of each tensor.  The places that the first program was planned with serve where the others allow
 * them: where no two tensors that are alive at one time in some program overlap.  Else the tensors
 * are placed first, largest first, at the lowest offset that all programs allow.  Either way each
 * program is planned around them.
 */
#include <assert.h>
#include <string.h>

#include "ir/plan_program.h"

/* ---- one program ---- */

static int64_t bytes_to_write(const struct program *p)
{
    return program_align_up(p->area_bytes[AREA_MUTABLE]) + p->area_bytes[AREA_ACTIVATION];
}

void plan_overlay_io(struct program *p, bool keep_all)
{
    plan_program(p, keep_all);
    int64_t before = bytes_to_write(p);
    for (size_t i = 0; i < p->n_bufs; i++) {
        struct pbuf *b = &p->bufs[i];
        if (b->area == AREA_MUTABLE &&
            (b->role == SHEAF_ROLE_INPUT || b->role == SHEAF_ROLE_OUTPUT))
            b->area = AREA_ACTIVATION;
    }
    plan_program(p, keep_all);
    p->overlay_saved_bytes = before - bytes_to_write(p);
}

/* ---- several ---- */

struct overlay {
    const struct program_group *group;
    size_t n;     /* tensors of the client */
    size_t **buf; /* by program and tensor */
    const struct plan_life **life;
    int64_t *bytes, *offset; /* by tensor; offset -1: not placed yet */
};

static void find_tensors(struct overlay *o, struct arena *scratch)
{
    const struct program_group *g = o->group;
    o->buf = arena_array(scratch, g->n, sizeof *o->buf);
    o->life = arena_array(scratch, g->n, sizeof *o->life);
    for (size_t k = 0; k < g->n; k++) {
        const struct program *p = g->programs[k];
        size_t n = 0;
        o->buf[k] = arena_array(scratch, p->n_bufs, sizeof *o->buf[k]);
        o->life[k] = plan_lives(p, scratch);
        for (size_t i = 0; i < p->n_bufs; i++)
            if (program_is_overlaid(&p->bufs[i]) && p->bufs[i].bytes)
                o->buf[k][n++] = i;
        assert(k == 0 || n == o->n);
        o->n = n;
    }
    o->bytes = arena_array(scratch, o->n, sizeof *o->bytes);
    o->offset = arena_array(scratch, o->n, sizeof *o->offset);
    for (size_t t = 0; t < o->n; t++) {
        const struct pbuf *first = &g->programs[0]->bufs[o->buf[0][t]];
        for (size_t k = 1; k < g->n; k++)
            assert(strcmp(g->programs[k]->bufs[o->buf[k][t]].name, first->name) == 0);
        o->bytes[t] = program_align_up(first->bytes);
        o->offset[t] = first->offset;
    }
}

/* Whether both are needed at one time in some program. */
static bool meet(const struct overlay *o, size_t a, size_t b)
{
    for (size_t k = 0; k < o->group->n; k++) {
        const struct plan_life *x = &o->life[k][o->buf[k][a]], *y = &o->life[k][o->buf[k][b]];
        if (x->first <= y->last && y->first <= x->last)
            return true;
    }
    return false;
}

/* Whether tensor t can lie at the offset beside those that are placed. */
static bool fits(const struct overlay *o, size_t t, int64_t offset)
{
    for (size_t i = 0; i < o->n; i++)
        if (i != t && o->offset[i] >= 0 && offset < o->offset[i] + o->bytes[i] &&
            o->offset[i] < offset + o->bytes[t] && meet(o, i, t))
            return false;
    return true;
}

/* The lowest: the start, or the end of another. */
static void place(struct overlay *o, size_t t)
{
    int64_t best = fits(o, t, 0) ? 0 : -1;
    for (size_t i = 0; i < o->n; i++) {
        int64_t end = o->offset[i] + o->bytes[i];
        if (o->offset[i] >= 0 && (best < 0 || end < best) && fits(o, t, end))
            best = end;
    }
    assert(best >= 0);
    o->offset[t] = best;
}

static void place_all(struct overlay *o)
{
    for (size_t t = 0; t < o->n; t++)
        o->offset[t] = -1;
    for (size_t round = 0; round < o->n; round++) {
        size_t next = o->n;
        for (size_t t = 0; t < o->n; t++)
            if (o->offset[t] < 0 && (next == o->n || o->bytes[t] > o->bytes[next]))
                next = t;
        place(o, next);
    }
}

void plan_overlay_group(const struct program_group *g)
{
    struct arena scratch;
    arena_init(&scratch);
    struct overlay o = {.group = g};
    find_tensors(&o, &scratch);
    bool all_fit = true;
    for (size_t t = 0; t < o.n; t++)
        all_fit &= fits(&o, t, o.offset[t]);
    if (!all_fit)
        place_all(&o);
    int64_t before = 0, after = 0;
    for (size_t k = 0; k < g->n; k++) {
        struct program *p = g->programs[k];
        int64_t own = bytes_to_write(p) + p->overlay_saved_bytes;
        before = own > before ? own : before;
        int64_t *pins = arena_array(&scratch, p->n_bufs, sizeof *pins);
        for (size_t i = 0; i < p->n_bufs; i++)
            pins[i] = -1;
        for (size_t t = 0; t < o.n; t++)
            pins[o.buf[k][t]] = o.offset[t];
        plan_around(p, false, pins);
        after = bytes_to_write(p) > after ? bytes_to_write(p) : after;
    }
    for (size_t k = 0; k < g->n; k++)
        g->programs[k]->overlay_saved_bytes = before > after ? before - after : 0;
    arena_done(&scratch);
}
