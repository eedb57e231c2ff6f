/*
 * program_bind.c: outputs that are inputs of the next call.
 *
 * The input's buffer is the state.  The output shares its storage where nothing reads the input any
 * more once the output is first written; the steps of the body tell, those inside a branch or loop
 * counting as their outermost one.  Otherwise the output is copied into the state at the end.
 *
 * All states change at once: where the new content of one is the old content of another (a delay
 * line), the old one is put aside before any copy.
 */
#include "ir/program_build.h"

struct access {
    const struct program *p;
    int storage;
    bool reads, writes;
};

static bool is_on(const struct access *a, int buf)
{
    return buf >= 0 && program_storage_of(a->p, buf) == a->storage;
}

static void note_step(struct step *s, void *arg)
{
    struct access *a = arg;
    if (s->kind != STEP_CALL) {
        a->reads |= is_on(a, s->cond) || is_on(a, s->trip) || is_on(a, s->index);
        a->writes |= is_on(a, s->index);
        return;
    }
    for (size_t i = 0; i < s->kernel->n_bufs; i++) {
        enum kbuf_role role = s->kernel->bufs[i].role;
        if (!is_on(a, s->args[i]))
            continue;
        a->reads |= role != KBUF_OUT;
        a->writes |= role != KBUF_IN;
    }
}

static struct access access_of(const struct program *p, size_t step, int storage)
{
    struct access a = {.p = p, .storage = storage};
    const struct steps one = {.step = &p->body.step[step], .n = 1};
    program_each_step(&one, note_step, &a);
    return a;
}

/* Whether every read of `from` lies before the first write of `to`. */
static bool is_read_before(const struct program *p, int from, int to)
{
    bool written = false;
    for (size_t i = 0; i < p->body.n; i++) {
        written |= access_of(p, i, to).writes;
        if (written && access_of(p, i, from).reads)
            return false;
    }
    return written;
}

static void share_storage(struct program *p, int buf, int state)
{
    p->bufs[buf].view_of = state;
    for (size_t i = 0; i < p->n_bufs; i++) {
        if (program_storage_of(p, (int)i) != state)
            continue;
        p->bufs[i].area = p->bufs[state].area;
        p->bufs[i].role = p->bufs[state].role;
    }
}

/* An activation that nothing else uses as storage. */
static bool is_own_storage(const struct program *p, const struct value *v, int buf)
{
    const struct pbuf *b = &p->bufs[buf];
    return v->role == VALUE_TEMP && b->area == AREA_ACTIVATION && b->view_of < 0 &&
           layout_is_plain(&b->layout);
}

static bool is_state(const struct program *p, int buf)
{
    return p->bufs[program_storage_of(p, buf)].role == SHEAF_ROLE_STATE &&
           p->bufs[program_storage_of(p, buf)].area == AREA_MUTABLE;
}

void program_bind(struct program_builder *b)
{
    const struct graph *g = b->graph;
    struct program *p = b->program;
    int *from = arena_array(p->arena, g->n_bindings, sizeof *from);
    for (size_t i = 0; i < g->n_bindings; i++) {
        const struct value *out = g->body.out[g->bindings[i].out];
        int state = program_buf_of(b, g->body.in[g->bindings[i].in]);
        int buf = program_buf_of(b, out);
        from[i] = buf;
        if (!is_state(p, buf) || program_storage_of(p, buf) == state)
            continue;
        from[i] = program_add_buf(b, arena_printf(p->arena, "%s.before", out->name), out->dtype,
                                  out->shape.rank, out->shape.dims);
        program_copy(b, buf, from[i]);
    }
    for (size_t i = 0; i < g->n_bindings; i++) {
        const struct value *out = g->body.out[g->bindings[i].out];
        int state = program_buf_of(b, g->body.in[g->bindings[i].in]);
        if (program_storage_of(p, from[i]) == state)
            continue;
        if (is_own_storage(p, out, from[i]) && !b->uses.is_extent[out->id] &&
            is_read_before(p, state, from[i]))
            share_storage(p, from[i], state);
        else
            program_copy(b, from[i], state);
    }
}
