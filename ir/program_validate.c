/*
 * program_validate.c: is a program well formed, and its plan sound?
 *
 * The plan is checked without the planner's notion of liveness: the steps are walked as they would
 * run (loops two rounds, both branches of an If), noting for every buffer whether it holds its
 * content still.  Writing a buffer destroys all others that overlap it; reading one that was
 * destroyed, or never written, is a fault.
 */
#include <inttypes.h>
#include <string.h>

#include "ir/program.h"

struct check {
    const struct program *p;
    struct error *err;
    struct arena *arena;
    uint32_t next_id;
    enum content { NEVER_WRITTEN, INTACT, DESTROYED } * content; /* per buffer that owns storage */
    uint32_t *n_accesses; /* per buffer that owns storage: arguments in the whole program */
};

static const char *buf_name(const struct check *c, int buf)
{
    return c->p->bufs[buf].name;
}

static bool buf_exists(const struct check *c, int buf)
{
    return buf >= 0 && (size_t)buf < c->p->n_bufs;
}

/* ---- form ---- */

static bool check_scalar(const struct check *c, int buf, enum dtype dtype, const char *what)
{
    if (!buf_exists(c, buf))
        return error_set(c->err, SHEAF_ERROR_ARGUMENT, "%s: buffer b%d does not exist", what, buf);
    const struct pbuf *b = &c->p->bufs[buf];
    if (b->dtype != dtype || layout_elems(&b->layout, b->dims) != 1)
        return error_set(c->err, SHEAF_ERROR_SHAPE, "%s: buffer '%s' is no %s scalar", what,
                         b->name, dtype_name(dtype));
    return true;
}

static bool check_buf(const struct check *c, size_t i)
{
    const struct pbuf *b = &c->p->bufs[i];
    if (b->dtype == DTYPE_NONE || b->rank < 0 || b->rank > MAX_RANK || b->area >= AREA_COUNT)
        return error_set(c->err, SHEAF_ERROR_ARGUMENT, "buffer b%zu: no type, rank or area", i);
    for (int d = 0; d < b->rank; d++) {
        if (b->dims[d] < 0)
            return error_set(c->err, SHEAF_ERROR_SHAPE, "buffer '%s': dimension %d is negative",
                             b->name, d);
        if (b->extent_buf[d] < 0)
            continue;
        if (!check_scalar(c, b->extent_buf[d], DTYPE_I64, "extent"))
            return false;
        if (c->p->bufs[b->extent_buf[d]].area != AREA_ACTIVATION || !layout_is_plain(&b->layout))
            return error_set(c->err, SHEAF_ERROR_ARGUMENT,
                             "buffer '%s': extents lie with the activations and need the plain "
                             "layout",
                             b->name);
    }
    if (b->bytes != (b->unused ? 0 : dtype_bytes(b->dtype, layout_elems(&b->layout, b->dims))))
        return error_set(c->err, SHEAF_ERROR_SHAPE,
                         "buffer '%s': %" PRId64 " bytes do not fit its shape", b->name, b->bytes);
    if ((b->area == AREA_CONSTANT) != (b->constant != NULL) && b->view_of < 0)
        return error_set(c->err, SHEAF_ERROR_ARGUMENT,
                         "buffer '%s': only constants have content, and all have", b->name);
    if (b->view_of < 0)
        return true;
    if (!buf_exists(c, b->view_of) || (size_t)b->view_of == i)
        return error_set(c->err, SHEAF_ERROR_ARGUMENT, "buffer '%s': view of no buffer", b->name);
    const struct pbuf *source = &c->p->bufs[b->view_of];
    if (source->area != b->area || source->bytes < b->bytes || source->offset != b->offset)
        return error_set(c->err, SHEAF_ERROR_ARGUMENT, "buffer '%s': does not fit into '%s'",
                         b->name, source->name);
    return true;
}

static bool check_views_end(const struct check *c)
{
    for (size_t i = 0; i < c->p->n_bufs; i++) {
        int buf = (int)i;
        for (size_t n = 0; c->p->bufs[buf].view_of >= 0; n++) {
            if (n > c->p->n_bufs)
                return error_set(c->err, SHEAF_ERROR_ARGUMENT, "buffer '%s': view of itself",
                                 c->p->bufs[i].name);
            buf = c->p->bufs[buf].view_of;
        }
    }
    return true;
}

static bool check_arg(const struct check *c, const struct step *s, size_t i)
{
    const struct kbuf *k = &s->kernel->bufs[i];
    if (!buf_exists(c, s->args[i]))
        return error_set(c->err, SHEAF_ERROR_ARGUMENT, "step '%s': argument %zu is no buffer",
                         s->name, i);
    const struct pbuf *b = &c->p->bufs[s->args[i]];
    if (b->dtype != k->dtype || b->rank != k->rank || !layout_equal(&b->layout, &k->layout) ||
        memcmp(b->dims, k->dims, sizeof b->dims[0] * (size_t)b->rank) != 0)
        return error_set(c->err, SHEAF_ERROR_SHAPE,
                         "step '%s': buffer '%s' has another type, shape or layout than the "
                         "kernel's '%s'",
                         s->name, b->name, k->name);
    bool writes = k->role != KBUF_IN;
    if (writes && (b->area == AREA_CONSTANT || b->role == SHEAF_ROLE_INPUT))
        return error_set(c->err, SHEAF_ERROR_ARGUMENT, "step '%s': writes '%s', which is %s",
                         s->name, b->name,
                         b->area == AREA_CONSTANT ? "constant" : "an input of the client");
    return true;
}

static bool check_steps(struct check *c, const struct steps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *s = steps->step[i];
        if (s->id != c->next_id++)
            return error_set(c->err, SHEAF_ERROR_ARGUMENT,
                             "step '%s': number %" PRIu32 " is not its position", s->name, s->id);
        if (s->kind == STEP_CALL) {
            for (size_t j = 0; j < s->kernel->n_bufs; j++) {
                if (!check_arg(c, s, j))
                    return false;
                c->n_accesses[program_storage_of(c->p, s->args[j])]++;
            }
            continue;
        }
        if ((s->kind == STEP_IF || s->cond >= 0) && !check_scalar(c, s->cond, DTYPE_BOOL, s->name))
            return false;
        if (s->trip >= 0 && !check_scalar(c, s->trip, DTYPE_I64, s->name))
            return false;
        if (s->kind == STEP_LOOP && !check_scalar(c, s->index, DTYPE_I64, s->name))
            return false;
        if (!check_steps(c, &s->bodies[0]) || !check_steps(c, &s->bodies[1]))
            return false;
    }
    return true;
}

/* ---- plan ---- */

static bool check_offsets(const struct check *c)
{
    const struct program *p = c->p;
    for (size_t i = 0; i < p->n_bufs; i++) {
        const struct pbuf *b = &p->bufs[i];
        if (b->offset < 0 || b->offset % PROGRAM_ALIGNMENT ||
            b->offset + b->bytes > p->area_bytes[b->area])
            return error_set(c->err, SHEAF_ERROR_ARGUMENT,
                             "buffer '%s': lies outside its area or is not aligned", b->name);
        if (b->area == AREA_ACTIVATION || b->view_of >= 0)
            continue;
        for (size_t j = 0; j < i; j++) {
            const struct pbuf *o = &p->bufs[j];
            if (o->area == b->area && o->view_of < 0 && o->offset < b->offset + b->bytes &&
                b->offset < o->offset + o->bytes)
                return error_set(c->err, SHEAF_ERROR_ARGUMENT, "buffers '%s' and '%s' overlap",
                                 o->name, b->name);
        }
    }
    return true;
}

static bool read_buf(struct check *c, int buf, const char *step)
{
    const struct pbuf *b = &c->p->bufs[buf];
    enum content content = c->content[program_storage_of(c->p, buf)];
    if (content == INTACT || b->bytes == 0)
        return true;
    return error_set(c->err, SHEAF_ERROR_ARGUMENT, "step '%s': reads '%s', which %s", step, b->name,
                     content == DESTROYED ? "was overwritten" : "nothing has written");
}

static void write_buf(struct check *c, int buf)
{
    const struct program *p = c->p;
    int owner = program_storage_of(p, buf);
    const struct pbuf *b = &p->bufs[owner];
    for (size_t i = 0; i < p->n_bufs && b->area == AREA_ACTIVATION; i++) {
        const struct pbuf *o = &p->bufs[i];
        if (o->area == AREA_ACTIVATION && c->content[i] == INTACT && o->view_of < 0 &&
            o->offset < b->offset + b->bytes && b->offset < o->offset + o->bytes)
            c->content[i] = DESTROYED;
    }
    c->content[owner] = INTACT;
}

static bool run_call(struct check *c, const struct step *s)
{
    const struct kernel *k = s->kernel;
    for (size_t i = 0; i < k->n_bufs; i++) {
        /* The first append to a scan output finds it unwritten. */
        bool fresh = k->bufs[i].role == KBUF_INOUT &&
                     c->content[program_storage_of(c->p, s->args[i])] == NEVER_WRITTEN;
        bool reads = k->bufs[i].role == KBUF_IN || k->bufs[i].role == KBUF_INOUT;
        if (reads && !fresh && !read_buf(c, s->args[i], s->name))
            return false;
    }
    for (size_t i = 0; i < k->n_bufs; i++)
        if (k->bufs[i].role != KBUF_IN)
            write_buf(c, s->args[i]);
    for (size_t i = 0; i < k->n_bufs; i++)
        if (!read_buf(c, s->args[i], s->name))
            return false;
    return true;
}

static void count_accesses(const struct program *p, const struct steps *steps, uint32_t *count)
{
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *s = steps->step[i];
        for (size_t j = 0; s->kind == STEP_CALL && j < s->kernel->n_bufs; j++)
            count[program_storage_of(p, s->args[j])]++;
        count_accesses(p, &s->bodies[0], count);
        count_accesses(p, &s->bodies[1], count);
    }
}

static bool run_steps(struct check *c, const struct steps *steps);

/* Two rounds; what only the body knows starts each of them afresh. */
static bool run_loop(struct check *c, const struct step *s)
{
    size_t n = c->p->n_bufs;
    uint32_t *inside = arena_array(c->arena, n, sizeof *inside);
    count_accesses(c->p, &s->bodies[0], inside);
    if (s->trip >= 0 && !read_buf(c, s->trip, s->name))
        return false;
    write_buf(c, s->index);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < n; i++)
            if (inside[i] && inside[i] == c->n_accesses[i] &&
                c->p->bufs[i].area == AREA_ACTIVATION && !program_is_overlaid(&c->p->bufs[i]) &&
                (int)i != s->cond && (int)i != s->index)
                c->content[i] = NEVER_WRITTEN;
        if (s->cond >= 0 && !read_buf(c, s->cond, s->name))
            return false;
        if (!run_steps(c, &s->bodies[0]))
            return false;
        if (!read_buf(c, s->index, s->name) || (s->trip >= 0 && !read_buf(c, s->trip, s->name)) ||
            (s->cond >= 0 && !read_buf(c, s->cond, s->name)))
            return false;
    }
    return true;
}

static bool run_if(struct check *c, const struct step *s)
{
    size_t size = c->p->n_bufs * sizeof *c->content;
    if (!read_buf(c, s->cond, s->name))
        return false;
    enum content *before = arena_copy(c->arena, c->content, size);
    if (!run_steps(c, &s->bodies[0]))
        return false;
    enum content *then_content = c->content;
    c->content = before;
    if (!run_steps(c, &s->bodies[1]))
        return false;
    for (size_t i = 0; i < c->p->n_bufs; i++)
        if (then_content[i] != INTACT && c->content[i] == INTACT)
            c->content[i] = then_content[i];
    return true;
}

static bool run_steps(struct check *c, const struct steps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *s = steps->step[i];
        if (!(s->kind == STEP_CALL ? run_call(c, s)
              : s->kind == STEP_IF ? run_if(c, s)
                                   : run_loop(c, s)))
            return false;
    }
    return true;
}

static bool check_run(struct check *c)
{
    const struct program *p = c->p;
    for (size_t i = 0; i < p->n_bufs; i++) {
        const struct pbuf *b = &p->bufs[i];
        bool given =
            b->area == AREA_CONSTANT || b->role == SHEAF_ROLE_INPUT || b->role == SHEAF_ROLE_STATE;
        c->content[i] = given ? INTACT : NEVER_WRITTEN;
    }
    if (!run_steps(c, &p->body))
        return false;
    for (size_t i = 0; i < p->n_bufs; i++) {
        const struct pbuf *b = &p->bufs[i];
        if (b->role != SHEAF_ROLE_OUTPUT)
            continue;
        if (!read_buf(c, (int)i, "end"))
            return false;
        for (int d = 0; d < b->rank; d++)
            if (b->extent_buf[d] >= 0 && !read_buf(c, b->extent_buf[d], "end"))
                return error_set(c->err, SHEAF_ERROR_ARGUMENT, "the extent '%s' is lost",
                                 buf_name(c, b->extent_buf[d]));
    }
    return true;
}

bool program_validate(const struct program *p, struct error *err)
{
    struct arena arena;
    arena_init(&arena);
    struct check c = {.p = p, .err = err, .arena = &arena};
    c.content = arena_array(&arena, p->n_bufs, sizeof *c.content);
    c.n_accesses = arena_array(&arena, p->n_bufs, sizeof *c.n_accesses);
    bool planned = false;
    for (int area = 0; area < AREA_COUNT; area++)
        planned |= p->area_bytes[area] > 0;
    bool ok = true;
    for (size_t i = 0; i < p->n_bufs && ok; i++)
        ok = check_buf(&c, i);
    ok = ok && check_views_end(&c) && check_steps(&c, &p->body);
    if (ok && c.next_id != p->n_steps)
        ok = error_set(err, SHEAF_ERROR_ARGUMENT, "the program has %" PRIu32 " steps, not %" PRIu32,
                       c.next_id, p->n_steps);
    if (ok && planned)
        ok = check_offsets(&c) && check_run(&c);
    arena_done(&arena);
    return ok;
}
