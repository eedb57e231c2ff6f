/*
 * eval_program.c: walks the tree of steps on the three areas of a bundle.
 */
#include <assert.h>
#include <string.h>

#include "ir/eval.h"

struct run {
    const struct program *p;
    uint8_t *area[AREA_COUNT];
    const struct eval_options *opt;
};

static uint8_t *storage(const struct run *r, int buf)
{
    const struct pbuf *b = &r->p->bufs[buf];
    return r->area[b->area] + b->offset;
}

static void run_call(const struct run *r, const struct step *s)
{
    struct arena scratch;
    arena_init(&scratch);
    void **data = arena_array(&scratch, s->kernel->n_bufs, sizeof *data);
    for (size_t i = 0; i < s->kernel->n_bufs; i++)
        data[i] = storage(r, s->args[i]);
    eval_kernel(s->kernel, data, &scratch, r->opt);
    arena_done(&scratch);
}

static bool read_bool(const struct run *r, int buf)
{
    return *storage(r, buf) != 0;
}

static void run_steps(const struct run *r, const struct steps *steps);

static void run_loop(const struct run *r, const struct step *s)
{
    int64_t i = 0;
    for (;; i++) {
        int64_t trip = INT64_MAX;
        if (s->trip >= 0)
            memcpy(&trip, storage(r, s->trip), sizeof trip);
        if (s->index >= 0)
            memcpy(storage(r, s->index), &i, sizeof i);
        if (i >= trip || (s->cond >= 0 && !read_bool(r, s->cond)))
            return;
        run_steps(r, &s->bodies[0]);
    }
}

static void run_steps(const struct run *r, const struct steps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *s = steps->step[i];
        switch (s->kind) {
        case STEP_CALL:
            run_call(r, s);
            break;
        case STEP_IF:
            run_steps(r, &s->bodies[read_bool(r, s->cond) ? 0 : 1]);
            break;
        case STEP_LOOP:
            run_loop(r, s);
            break;
        }
    }
}

void eval_program(const struct program *p, uint8_t *constants, uint8_t *mutables,
                  uint8_t *activations, const struct eval_options *opt)
{
    struct run r = {.p = p, .opt = opt};
    r.area[AREA_CONSTANT] = constants;
    r.area[AREA_MUTABLE] = mutables;
    r.area[AREA_ACTIVATION] = activations;
    run_steps(&r, &p->body);
}
