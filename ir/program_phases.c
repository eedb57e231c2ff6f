/*
 * program_phases.c: kernels as the launches of a device.
 *
 * On a device, nothing inside a launch waits for all of it.  So a kernel whose body is several
 * regions, each spread over the whole device, becomes one call per region, its *phases*; what is
 * too small to be worth a launch stays together.  A loop around such regions, a step in time of an
 * LSTM, becomes a loop of the program.
 *
 * Values that are computed in one phase and used in a later one go through scalar buffers of the
 * program.  Values that depend on nothing the kernel writes are not worth that: each phase computes
 * them for itself.  A phase is made from a copy of the whole kernel, of which it keeps what it
 * needs, so that values keep their numbers on the way.
 *
 * Sorts are taken apart before (kernel_sort_network.c): their steps are phases like others.
 */
#include <assert.h>
#include <string.h>

#include "ir/kernel_effects.h"
#include "ir/kernel_raw.h"
#include "ir/program_build.h"

struct list {
    kval *v;
    size_t n, cap;
};

/* A value that lies in a scalar buffer from the end of its phase on. */
struct spilled {
    kval v;
    int buf; /* of the kernel */
};

/* How often a loop runs, where that is not known before: a scalar buffer. */
struct count {
    kval loop;
    int buf;
};

struct note {
    int arg;      /* buffer of the program; -1: none yet */
    bool changes; /* the kernel writes it */
    bool written; /* by phases so far */
    int n_phases; /* that touch it */
};

struct split {
    struct program *p;
    const struct step *step;
    struct kernel *k;  /* a copy, with a buffer for each spilled value */
    struct note *note; /* by buffer of k */
    size_t n_notes, cap_notes;
    int64_t least_work;
    bool is_counting; /* the first of two rounds: only n_phases is found out */
    int n_loops;      /* around, of those that become loops of the program */
    struct list pure; /* in order */
    struct spilled *spilled;
    size_t n_spilled, cap_spilled;
    struct count *counts;
    size_t n_counts, cap_counts;
    struct steps *out;
};

/* ---- how much there is to do ---- */

enum { UNKNOWN_EXTENT = 1 << 16 };

static int64_t times(int64_t a, int64_t b)
{
    return b != 0 && a > INT64_MAX / 4 / b ? INT64_MAX / 4 : a * b;
}

static int64_t points_of(const struct kernel *k, const struct kregion *r)
{
    int64_t points = 1, n;
    for (int d = 0; d < r->n_dims; d++)
        points = times(points, kernel_is_const_int(k, r->extent[d], &n) ? n : UNKNOWN_EXTENT);
    return points;
}

static int64_t work_of(const struct kernel *k, kval v)
{
    const struct kinst *in = kernel_inst(k, v);
    if (!in->region)
        return 1;
    int64_t inner = 1;
    struct kblock *blocks[KREGION_MAX_BLOCKS];
    int n = kernel_raw_blocks(k, v, blocks);
    for (int b = 0; b < n; b++)
        for (size_t i = 0; i < blocks[b]->n; i++)
            inner += work_of(k, blocks[b]->insts[i]);
    return times(points_of(k, in->region), inner);
}

/* Whether the region is spread over the whole device. */
static bool is_wide(const struct split *s, kval v)
{
    const struct kinst *in = kernel_inst(s->k, v);
    return (in->op == KOP_MAP || in->op == KOP_CONTRACT) && points_of(s->k, in->region) > 1 &&
           work_of(s->k, v) >= s->least_work;
}

static bool holds_wide(const struct split *s, kval v)
{
    const struct kinst *in = kernel_inst(s->k, v);
    if (in->op != KOP_LOOP)
        return false;
    const struct kblock *body = &in->region->block[0];
    for (size_t i = 0; i < body->n; i++)
        if (is_wide(s, body->insts[i]) || holds_wide(s, body->insts[i]))
            return true;
    return false;
}

/* Whether a phase may compute the value again. */
static bool is_pure(const struct split *s, kval v)
{
    const struct kinst *in = kernel_inst(s->k, v);
    if (in->region || in->op == KOP_STORE || in->op == KOP_EXTERN || in->op == KOP_RESULT ||
        in->op == KOP_YIELD)
        return false;
    if (in->buf < 0)
        return true;
    for (int d = 0; d < s->k->bufs[in->buf].rank; d++) {
        int extent = s->k->bufs[in->buf].extent_buf[d];
        if (extent >= 0 && s->note[extent].changes)
            return false;
    }
    return !s->note[in->buf].changes;
}

/* ---- buffers for values ---- */

/* A scalar buffer of the kernel; the program gets one where a phase comes to need it. */
static int new_scalar(struct split *s, enum dtype type)
{
    struct arena *a = s->p->arena;
    const char *name = arena_printf(a, "%s.v%zu", s->step->name, s->n_notes);
    ARENA_PUSH(a, s->note, s->n_notes, s->cap_notes) = (struct note){.arg = -1, .changes = true};
    return kernel_add_buf(s->k, name, type, KBUF_LOCAL, 0, NULL);
}

static int program_buffer(struct split *s, int buf)
{
    const struct kbuf *b = &s->k->bufs[buf];
    struct program_builder builder = {.program = s->p};
    if (s->note[buf].arg < 0)
        s->note[buf].arg = program_add_buf(&builder, b->name, b->dtype, 0, NULL);
    return s->note[buf].arg;
}

static int spilled_buf(const struct split *s, kval v)
{
    for (size_t i = 0; i < s->n_spilled; i++)
        if (s->spilled[i].v == v)
            return s->spilled[i].buf;
    return -1;
}

static void spill_to(struct split *s, kval v, int buf)
{
    if (spilled_buf(s, v) < 0)
        ARENA_PUSH(s->p->arena, s->spilled, s->n_spilled, s->cap_spilled) =
            (struct spilled){v, buf};
}

static int spill(struct split *s, kval v)
{
    if (spilled_buf(s, v) < 0)
        spill_to(s, v, new_scalar(s, kernel_inst(s->k, v)->type));
    return spilled_buf(s, v);
}

/* ---- one phase ---- */

struct store {
    kval v;
    int buf;
};

struct phase {
    const kval *insts; /* of the block, that belong to it */
    size_t n;
    const struct store *stores; /* behind them */
    size_t n_stores;
};

static bool is_in(const struct phase *ph, kval v)
{
    for (size_t i = 0; i < ph->n; i++)
        if (ph->insts[i] == v)
            return true;
    return false;
}

struct marking {
    const struct kernel *k;
    bool *needed;
};

static void mark(kval *use, void *arg)
{
    struct marking *m = arg;
    m->needed[*use] = true;
}

/* Instructions of the body that the ones behind them do not need go. */
static void sweep(struct kernel *k, size_t n_prelude)
{
    struct marking m = {k, arena_array(k->arena, k->n_insts, sizeof(bool))};
    for (size_t i = k->body.n; i-- > 0;)
        if (i >= n_prelude || m.needed[k->body.insts[i]])
            kernel_raw_each_use_within(k, k->body.insts[i], mark, &m);
    size_t n = 0;
    for (size_t i = 0; i < k->body.n; i++)
        if (i >= n_prelude || m.needed[k->body.insts[i]])
            k->body.insts[n++] = k->body.insts[i];
    k->body.n = n;
}

/* The kernel of a phase, with all buffers: spilled values are read, what needs nothing else is
   computed, then what belongs to the phase. */
static struct kernel *phase_kernel(struct split *s, const struct phase *ph)
{
    struct kernel *k = kernel_clone(s->p->arena, s->k);
    k->body = (struct kblock){0};
    k->open[0] = &k->body;
    k->n_open = 1;
    kval *subst = arena_array(k->arena, k->n_insts + s->n_spilled, sizeof *subst);
    for (size_t i = 0; i < s->n_spilled; i++)
        if (!is_in(ph, s->spilled[i].v))
            subst[s->spilled[i].v] = kernel_load(k, s->spilled[i].buf, NULL);
    for (size_t i = 0; i < s->pure.n; i++)
        if (!is_in(ph, s->pure.v[i]))
            kernel_raw_append(k, &k->body, s->pure.v[i]);
    size_t n_prelude = k->body.n;
    for (size_t i = 0; i < ph->n; i++)
        kernel_raw_append(k, &k->body, ph->insts[i]);
    for (size_t i = 0; i < ph->n_stores; i++)
        kernel_store(k, ph->stores[i].buf, NULL, ph->stores[i].v);
    kernel_raw_substitute(k, subst);
    sweep(k, n_prelude);
    return k;
}

static struct kernel_effects effects_of(const struct kernel *k)
{
    struct arena *a = k->arena;
    struct kernel_effects all = {arena_array(a, k->n_bufs, sizeof(bool)),
                                 arena_array(a, k->n_bufs, sizeof(bool))};
    for (size_t i = 0; i < k->body.n; i++) {
        struct kernel_effects e = kernel_effects_of(k, k->body.insts[i], a);
        for (size_t b = 0; b < k->n_bufs; b++) {
            all.reads[b] |= e.reads[b];
            all.writes[b] |= e.writes[b];
        }
    }
    return all;
}

/* What the phase has its buffers for.  Scratch that other phases touch too is no scratch of one,
   nor is what a loop may keep from one round to the next. */
static void set_roles(struct split *s, struct kernel *k, const struct kernel_effects *e)
{
    for (size_t b = 0; b < k->n_bufs; b++) {
        enum kbuf_role was = s->k->bufs[b].role;
        bool is_own = s->note[b].n_phases == 1 && s->n_loops == 0;
        if (was == KBUF_IN || (was == KBUF_LOCAL && is_own))
            continue;
        bool is_first = was != KBUF_INOUT && !s->note[b].written;
        k->bufs[b].role = !e->writes[b] ? KBUF_IN : is_first ? KBUF_OUT : KBUF_INOUT;
        s->note[b].written |= e->writes[b];
    }
}

static void add_phase(struct split *s, const struct phase *ph)
{
    struct kernel *k = phase_kernel(s, ph);
    struct kernel_effects e = effects_of(k);
    bool *keep = arena_array(k->arena, k->n_bufs, sizeof *keep);
    for (size_t b = 0; b < k->n_bufs; b++) {
        keep[b] = e.reads[b] || e.writes[b];
        s->note[b].n_phases += keep[b] && s->is_counting;
    }
    if (s->is_counting)
        return;
    set_roles(s, k, &e);
    int *number = arena_array(k->arena, k->n_bufs, sizeof *number);
    size_t n_before = k->n_bufs;
    kernel_raw_keep_bufs(k, keep, number);
    struct program_builder b = {.program = s->p, .steps = s->out};
    struct step *step = program_add_step(&b, STEP_CALL, s->step->name);
    step->kernel = k;
    step->args = arena_array(s->p->arena, n_before, sizeof *step->args);
    for (size_t i = 0; i < n_before; i++)
        if (number[i] >= 0)
            step->args[number[i]] = program_buffer(s, (int)i);
    struct error err;
    error_init(&err);
    bool valid = kernel_validate(k, &err);
    assert(valid && "a phase is an invalid kernel");
    (void)valid;
}

/* ---- blocks ---- */

static void push(struct split *s, struct list *l, kval v)
{
    ARENA_PUSH(s->p->arena, l->v, l->n, l->cap) = v;
}

/* What is too small to be spread, with the values that others may want of it. */
static void end_rest(struct split *s, struct list *rest)
{
    if (rest->n == 0)
        return;
    struct store *stores = arena_array(s->p->arena, rest->n, sizeof *stores);
    size_t n = 0;
    for (size_t i = 0; i < rest->n; i++) {
        kval v = rest->v[i];
        if (kernel_inst(s->k, v)->type == DTYPE_NONE || is_pure(s, v))
            continue;
        int buf = spill(s, v);
        if (s->is_counting || s->note[buf].n_phases > 1)
            stores[n++] = (struct store){v, buf};
    }
    add_phase(s, &(struct phase){rest->v, rest->n, stores, n});
    *rest = (struct list){0};
}

static void store_all(struct split *s, const struct store *stores, size_t n)
{
    if (n)
        add_phase(s, &(struct phase){.stores = stores, .n_stores = n});
}

static void split_block(struct split *s, const struct kblock *block);

static int constant_scalar(struct program *p, const char *name, int64_t value)
{
    struct program_builder b = {.program = p};
    int buf = program_add_buf(&b, name, DTYPE_I64, 0, NULL);
    struct tensor *t = tensor_new(p->arena, DTYPE_I64, 0, NULL);
    tensor_set_int(t, 0, value);
    p->bufs[buf].area = AREA_CONSTANT;
    p->bufs[buf].constant = t;
    return buf;
}

static int count_buf(struct split *s, kval loop)
{
    for (size_t i = 0; i < s->n_counts; i++)
        if (s->counts[i].loop == loop)
            return s->counts[i].buf;
    int buf = new_scalar(s, DTYPE_I64);
    s->note[buf].n_phases = 1; /* the loop reads it as well */
    ARENA_PUSH(s->p->arena, s->counts, s->n_counts, s->cap_counts) = (struct count){loop, buf};
    return buf;
}

/* The buffers of a loop's carried values, index and count are found again in the second round. */
static void split_loop(struct split *s, kval v)
{
    const struct kinst *in = kernel_inst(s->k, v);
    const struct kregion *r = in->region;
    const struct kblock *body = &r->block[0];
    struct arena *a = s->p->arena;
    size_t n = (size_t)in->n_args;
    struct store *first = arena_array(a, n + 1, sizeof *first);
    struct store *next = arena_array(a, n + 1, sizeof *next);
    const struct kinst *yield = n ? kernel_inst(s->k, body->insts[body->n - 1]) : NULL;
    for (size_t i = 0; i < n; i++) {
        int buf = spill(s, body->param[i]);
        first[i] = (struct store){in->args[i], buf};
        next[i] = (struct store){yield->args[i], buf};
    }
    int64_t known;
    bool is_static = kernel_is_const_int(s->k, r->extent[0], &known);
    size_t n_first = n;
    int count = is_static ? -1 : count_buf(s, v), index = spill(s, r->index[0]);
    if (!is_static)
        first[n_first++] = (struct store){r->extent[0], count};
    store_all(s, first, n_first);

    struct steps *outer = s->out;
    struct steps ignored = {0};
    size_t n_pure = s->pure.n;
    s->out = &ignored;
    if (!s->is_counting) {
        struct program_builder b = {.program = s->p, .steps = outer};
        struct step *loop = program_add_step(&b, STEP_LOOP, s->step->name);
        loop->trip =
            is_static ? constant_scalar(s->p, s->step->name, known) : program_buffer(s, count);
        loop->index = program_buffer(s, index);
        s->out = &loop->bodies[0];
    }
    s->n_loops++;
    split_block(s, body);
    store_all(s, next, n);
    s->n_loops--;
    s->out = outer;
    s->pure.n = n_pure;
    if (n == 1)
        spill_to(s, v, first[0].buf);
}

static void split_block(struct split *s, const struct kblock *block)
{
    struct list rest = {0};
    for (size_t i = 0; i < block->n; i++) {
        kval v = block->insts[i];
        const struct kinst *in = kernel_inst(s->k, v);
        if (in->op == KOP_YIELD)
            continue;
        if (is_pure(s, v)) {
            push(s, &s->pure, v);
            if (rest.n)
                push(s, &rest, v);
        } else if (holds_wide(s, v)) {
            end_rest(s, &rest);
            split_loop(s, v);
        } else if (is_wide(s, v)) {
            end_rest(s, &rest);
            add_phase(s, &(struct phase){.insts = &v, .n = 1});
        } else if (in->op == KOP_RESULT && holds_wide(s, in->args[0])) {
            const struct kblock *body = &kernel_inst(s->k, in->args[0])->region->block[0];
            spill_to(s, v, spilled_buf(s, body->param[in->imm.i]));
        } else {
            push(s, &rest, v);
        }
    }
    end_rest(s, &rest);
}

/* ---- kernels ---- */

/* A contraction's operands are affine in indices, not in what a buffer holds: those that follow the
   index of a loop around become ordinary sums. */
struct followers {
    kval index;
    kval found;
};

static bool find_follower(const struct kernel *k, kval v, void *arg)
{
    struct followers *f = arg;
    const struct kregion *r = kernel_inst(k, v)->region;
    if (!r || !r->contract)
        return true;
    const struct koperand *operand[2] = {&r->contract->a, &r->contract->b};
    for (int o = 0; o < 2; o++)
        for (int d = 0; d < k->bufs[operand[o]->buf].rank; d++)
            if (kaffine_coef(&operand[o]->dim[d], f->index))
                f->found = v;
    return f->found == 0;
}

static void expand_followers(struct split *s, const struct kblock *block)
{
    for (size_t i = 0; i < block->n; i++) {
        if (!holds_wide(s, block->insts[i]))
            continue;
        const struct kregion *r = kernel_inst(s->k, block->insts[i])->region;
        struct followers f = {.index = r->index[0]};
        while (!kernel_walk(s->k, find_follower, &f)) {
            kernel_expand_contract(s->k, f.found);
            f.found = 0;
        }
        expand_followers(s, &r->block[0]);
    }
}

/* Whether there is anything to wait for: more than one part that is no mere value, or a loop. */
static bool is_worth_splitting(const struct split *s)
{
    bool any_wide = false, rest_before = false;
    int n_parts = 0;
    for (size_t i = 0; i < s->k->body.n; i++) {
        kval v = s->k->body.insts[i];
        if (holds_wide(s, v))
            return true;
        if (is_pure(s, v))
            continue;
        bool wide = is_wide(s, v);
        n_parts += wide || !rest_before;
        rest_before = !wide;
        any_wide |= wide;
    }
    return any_wide && n_parts > 1;
}

static void split_call(struct program *p, struct step *step, int64_t least_work, struct steps *out)
{
    struct split s = {.p = p, .step = step, .least_work = least_work, .out = out};
    s.k = kernel_clone(p->arena, step->kernel);
    struct kernel_effects e = effects_of(s.k);
    for (size_t b = 0; b < s.k->n_bufs; b++)
        ARENA_PUSH(p->arena, s.note, s.n_notes, s.cap_notes) =
            (struct note){.arg = step->args[b], .changes = e.writes[b]};
    if (!is_worth_splitting(&s)) {
        ARENA_PUSH(p->arena, out->step, out->n, out->cap) = step;
        return;
    }
    expand_followers(&s, &s.k->body);
    s.is_counting = true;
    split_block(&s, &s.k->body);
    s.is_counting = false;
    s.pure.n = 0;
    split_block(&s, &s.k->body);
}

/* Sorts become steps that a device can take at once, over scratch of the program. */
static void sort_at_once(struct program *p, struct step *step)
{
    struct program_builder builder = {.program = p};
    struct kernel *k = kernel_clone(p->arena, step->kernel);
    size_t n_before = k->n_bufs;
    if (!kernel_sort_at_once(k))
        return;
    int *args = arena_array(p->arena, k->n_bufs, sizeof *args);
    memcpy(args, step->args, n_before * sizeof *args);
    for (size_t b = n_before; b < k->n_bufs; b++)
        args[b] = program_add_buf(&builder, k->bufs[b].name, k->bufs[b].dtype, k->bufs[b].rank,
                                  k->bufs[b].dims);
    step->kernel = k;
    step->args = args;
}

static void split_steps(struct program *p, struct steps *steps, int64_t least_work)
{
    struct steps out = {0};
    for (size_t i = 0; i < steps->n; i++) {
        struct step *s = steps->step[i];
        if (s->kind == STEP_CALL && !s->on_host) {
            sort_at_once(p, s);
            split_call(p, s, least_work, &out);
            continue;
        }
        split_steps(p, &s->bodies[0], least_work);
        split_steps(p, &s->bodies[1], least_work);
        ARENA_PUSH(p->arena, out.step, out.n, out.cap) = s;
    }
    *steps = out;
}

void program_split_phases(struct program *p, int64_t least_work)
{
    split_steps(p, &p->body, least_work);
    p->n_steps = program_number_steps(&p->body, 0);
}
