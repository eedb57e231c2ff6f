/*
 * Maps: loops over their points, or points spread over the threads of a device.
 *
 * Spread points are numbered in the order of the loops, so that neighbouring threads touch
 * neighbouring elements, and a thread takes its number apart into the indices.
 */
#include <assert.h>

#include "bundle/emit/emit_internal.h"

struct map {
    const struct kregion *region;
    const struct schedule_loop *loops;
    int n_loops;
    int lanes;
    int together; /* points that are taken together, of index `together_dim`, so far apart: */
    int together_dim, together_step;
    struct eaffine part[KREGION_MAX_DIMS]; /* of each index, as far as its loops are open */
    int64_t limit[KREGION_MAX_DIMS];       /* of the inner part; set by the outer loop */
};

static void map_level(struct emit_kernel *ek, struct map *m, int level);

static void with_part(struct emit_kernel *ek, struct map *m, int level, const struct eaffine *add)
{
    int dim = m->loops[level].dim;
    struct eaffine saved = m->part[dim];
    eaffine_add(&m->part[dim], add, 1);
    map_level(ek, m, level + 1);
    m->part[dim] = saved;
}

/* A loop 0 .. count over one more variable, which counts `times` times in the index. */
static void scalar_loop(struct emit_kernel *ek, struct map *m, int level, LLVMValueRef from,
                        LLVMValueRef count, int64_t known, int64_t times)
{
    struct eaffine add = eaffine_const(0);
    if (known == 1 && LLVMIsAConstantInt(from)) {
        add.offset = LLVMConstIntGetSExtValue(from) * times;
        with_part(ek, m, level, &add);
        return;
    }
    struct eloop l = emit_loop_begin(ek, from, count, 1);
    struct eaffine var = eaffine_var(emit_add_var(ek, l.phi, known));
    eaffine_add(&add, &var, times);
    with_part(ek, m, level, &add);
    emit_loop_end(ek, &l);
}

static void outer_loop(struct emit_kernel *ek, struct map *m, int level, int64_t extent)
{
    const struct schedule_loop *l = &m->loops[level];
    int64_t full = extent / l->block, rest = extent % l->block;
    if (full > 0) {
        m->limit[l->dim] = l->block;
        scalar_loop(ek, m, level, emit_index(ek->e, 0), emit_index(ek->e, full), full, l->block);
    }
    if (rest > 0) {
        m->limit[l->dim] = rest;
        struct eaffine last = eaffine_const(full * l->block);
        with_part(ek, m, level, &last);
    }
}

/* One group of lanes at a constant position. */
static void lanes_at(struct emit_kernel *ek, struct map *m, int level, int64_t at, int lanes)
{
    emit_set_lanes(ek, lanes);
    struct eaffine add = eaffine_const(at);
    if (lanes > 1) {
        struct eaffine lane = eaffine_var(EVAR_LANE);
        eaffine_add(&add, &lane, 1);
    }
    with_part(ek, m, level, &add);
    emit_set_lanes(ek, 1);
}

static void vector_loop(struct emit_kernel *ek, struct map *m, int level, LLVMValueRef count,
                        int64_t known)
{
    struct emit *e = ek->e;
    int64_t main = known >= 0 ? known / m->lanes : -1;
    if (main == 1) {
        lanes_at(ek, m, level, 0, m->lanes);
    } else if (main != 0) {
        LLVMValueRef n = main > 0 ? emit_index(e, main)
                                  : LLVMBuildSDiv(e->b, count, emit_index(e, m->lanes), "");
        struct eloop l = emit_loop_begin(ek, emit_index(e, 0), n, 1);
        emit_set_lanes(ek, m->lanes);
        struct eaffine add = eaffine_const(0);
        struct eaffine var = eaffine_var(emit_add_var(ek, l.phi, main > 0 ? main : 0));
        struct eaffine lane = eaffine_var(EVAR_LANE);
        eaffine_add(&add, &var, m->lanes);
        eaffine_add(&add, &lane, 1);
        with_part(ek, m, level, &add);
        emit_set_lanes(ek, 1);
        emit_loop_end(ek, &l);
    }
    if (known < 0) {
        LLVMValueRef done =
            LLVMBuildMul(e->b, LLVMBuildSDiv(e->b, count, emit_index(e, m->lanes), ""),
                         emit_index(e, m->lanes), "");
        scalar_loop(ek, m, level, done, count, 0, 1);
        return;
    }
    int64_t at = main * m->lanes;
    if (e->target->has_any_lanes && at < known) {
        lanes_at(ek, m, level, at, (int)(known - at));
        return;
    }
    for (int lanes = m->lanes / 2; lanes >= 1; lanes /= 2) {
        if (known - at < lanes)
            continue;
        lanes_at(ek, m, level, at, lanes);
        at += lanes;
    }
}

/* ---- points ---- */

struct points {
    struct emit_kernel *ek;
    const struct map *m;
};

static void bind_point(void *arg, int i)
{
    const struct points *p = arg;
    for (int d = 0; d < p->m->region->n_dims; d++) {
        struct eaffine index = p->m->part[d];
        if (d == p->m->together_dim)
            index.offset += (int64_t)i * p->m->together_step;
        emit_bind_index(p->ek, p->m->region->index[d], &index);
    }
}

static bool is_together(void *arg, kval index)
{
    const struct points *p = arg;
    return index == p->m->region->index[p->m->together_dim];
}

static void at_indices(struct emit_kernel *ek, const struct map *m)
{
    struct points p = {ek, m};
    struct epoints points = {
        .n = m->together, .bind = bind_point, .differs = is_together, .arg = &p};
    bind_point(&p, 0);
    if (m->together > 1)
        emit_block_together(ek, &m->region->block[0], &points);
    else
        emit_block_inside(ek, &m->region->block[0]);
}

static void map_level(struct emit_kernel *ek, struct map *m, int level)
{
    const struct kregion *r = m->region;
    if (level == m->n_loops) {
        at_indices(ek, m);
        return;
    }
    const struct schedule_loop *l = &m->loops[level];
    int64_t extent;
    bool known = kernel_is_const_int(ek->k, r->extent[l->dim], &extent);
    if (l->part == SCHEDULE_OUTER) {
        assert(known);
        outer_loop(ek, m, level, extent);
        return;
    }
    if (l->part == SCHEDULE_INNER) {
        known = true;
        extent = m->limit[l->dim];
    }
    if (known && extent == 0)
        return;
    LLVMValueRef count = known ? emit_index(ek->e, extent) : emit_extent(ek, r, l->dim);
    if (m->lanes > 1 && level == m->n_loops - 1)
        vector_loop(ek, m, level, count, known ? extent : -1);
    else
        scalar_loop(ek, m, level, emit_index(ek->e, 0), count, known ? extent : 0, 1);
}

/* ---- spread over threads ---- */

/* The points of the loops that are spread. */
struct spread {
    struct map *m;
    int n;                                    /* loops, the outermost first */
    LLVMTypeRef type;                         /* of point numbers: 32 bits where they suffice */
    LLVMValueRef count[2 * KREGION_MAX_DIMS]; /* rounds of each loop */
    int64_t known[2 * KREGION_MAX_DIMS];      /* 0: not known */
    int64_t step[2 * KREGION_MAX_DIMS];       /* of the index, in a round */
    LLVMValueRef total;
};

static LLVMValueRef narrowed(struct emit *e, LLVMValueRef v, LLVMTypeRef type)
{
    return LLVMBuildIntCast2(e->b, v, type, 0, "");
}

/* Values of the index in a round of a loop: all lanes, of the loop that runs in lanes. */
static int lanes_in_step(const struct map *m, int loop)
{
    return m->lanes > 1 && loop == m->n_loops - 1 ? m->lanes : 1;
}

static int64_t rounds_of(const struct emit_kernel *ek, const struct map *m, int loop)
{
    return kernel_static_extent(ek->k, m->region, m->loops[loop].dim) / lanes_in_step(m, loop);
}

/* Points of one of the loops that are spread, with all outside of the lanes, are taken together: as
   many as divide it and leave some for each core, of that loop where they are most. */
static void put_together(const struct emit_kernel *ek, struct spread *s)
{
    enum { MOST = 8 };
    struct map *m = s->m;
    if (m->lanes == 1 || s->n < m->n_loops - 1 || !emit_can_be_together(ek, &m->region->block[0]))
        return;
    int64_t all = 1;
    for (int l = 0; l < s->n; l++)
        all *= rounds_of(ek, m, l);
    for (int l = s->n - 1; l >= 0 && all > 0; l--) {
        int n = MOST;
        while (n > 1 && (rounds_of(ek, m, l) % n != 0 || all / n < ek->e->target->cores))
            n--;
        if (n <= m->together)
            continue;
        m->together = n;
        m->together_dim = m->loops[l].dim;
        m->together_step = lanes_in_step(m, l);
    }
}

static void count_points(struct emit_kernel *ek, struct spread *s)
{
    struct emit *e = ek->e;
    const struct kregion *r = s->m->region;
    int64_t bound = 1;
    for (int l = 0; l < s->n; l++) {
        const struct schedule_loop *loop = &s->m->loops[l];
        assert(loop->part == SCHEDULE_WHOLE);
        s->step[l] = lanes_in_step(s->m, l);
        if (loop->dim == s->m->together_dim)
            s->step[l] *= s->m->together;
        s->known[l] = kernel_static_extent(ek->k, r, loop->dim) / s->step[l];
        bound = s->known[l] && bound ? bound * s->known[l] : 0;
    }
    s->type = bound && bound <= INT32_MAX ? e->i32 : e->index;
    s->total = LLVMConstInt(s->type, 1, 0);
    for (int l = 0; l < s->n; l++) {
        s->count[l] = s->known[l] ? LLVMConstInt(s->type, (unsigned long long)s->known[l], 0)
                                  : emit_extent(ek, r, s->m->loops[l].dim);
        s->total = LLVMBuildMul(e->b, s->total, s->count[l], "");
    }
}

/* The body at point number `at`, which is taken apart from the innermost loop outwards. */
static void at_point(struct emit_kernel *ek, struct spread *s, LLVMValueRef at)
{
    struct emit *e = ek->e;
    struct map *m = s->m;
    struct eaffine saved[KREGION_MAX_DIMS];
    for (int d = 0; d < m->region->n_dims; d++)
        saved[d] = m->part[d];
    bool in_lanes = m->lanes > 1 && s->n == m->n_loops;
    for (int l = s->n - 1; l >= 0; l--) {
        LLVMValueRef i = l ? LLVMBuildURem(e->b, at, s->count[l], "") : at;
        if (l)
            at = LLVMBuildUDiv(e->b, at, s->count[l], "");
        int dim = m->loops[l].dim;
        m->limit[dim] = s->step[l];
        if (s->known[l] != 1)
            eaffine_add_term(&m->part[dim], emit_add_var(ek, narrowed(e, i, e->index), s->known[l]),
                             s->step[l]);
    }
    if (in_lanes) {
        emit_set_lanes(ek, m->lanes);
        eaffine_add_term(&m->part[m->loops[s->n - 1].dim], EVAR_LANE, 1);
    }
    map_level(ek, m, s->n);
    emit_set_lanes(ek, 1);
    for (int d = 0; d < m->region->n_dims; d++)
        m->part[d] = saved[d];
}

/* Whether the launch has a group for each point. */
static bool has_all(const struct emit_kernel *ek, const struct spread *s, int per_block)
{
    return LLVMIsAConstantInt(s->total) &&
           LLVMConstIntGetSExtValue(s->total) <= ek->schedule->blocks * per_block;
}

/* Where the number of points is known and a launch can have so many groups, it has one for each;
   else they go round. */
static void points_of_launch(struct emit_kernel *ek, struct spread *s, LLVMValueRef at,
                             int per_block)
{
    struct emit *e = ek->e;
    if (!has_all(ek, s, per_block)) {
        struct eloop l = emit_loop_begin(ek, at, s->total, ek->schedule->blocks * per_block);
        at_point(ek, s, l.phi);
        emit_loop_end(ek, &l);
        return;
    }
    LLVMBasicBlockRef inside = emit_append_block(ek), end = emit_append_block(ek);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntULT, at, s->total, ""), inside, end);
    LLVMPositionBuilderAtEnd(e->b, inside);
    at_point(ek, s, at);
    LLVMBuildBr(e->b, end);
    LLVMPositionBuilderAtEnd(e->b, end);
}

/* Each core takes as many points, one after the other. */
static void spread_over_cores(struct emit_kernel *ek, struct spread *s)
{
    struct emit *e = ek->e;
    LLVMValueRef total = narrowed(e, s->total, e->index), share[2];
    for (int i = 0; i < 2; i++) {
        LLVMValueRef rank = i ? LLVMBuildAdd(e->b, ek->rank, emit_index(e, 1), "") : ek->rank;
        share[i] = LLVMBuildUDiv(e->b, LLVMBuildMul(e->b, total, rank, ""), ek->n_ranks, "");
    }
    struct eloop l = emit_loop_begin(ek, share[0], share[1], 1);
    at_point(ek, s, narrowed(e, l.phi, s->type));
    emit_loop_end(ek, &l);
}

static void spread_over_launch(struct emit_kernel *ek, struct spread *s, int group)
{
    struct emit *e = ek->e;
    const struct target_threads *threads = e->target->threads;
    int per_block = ek->schedule->threads / group;
    LLVMValueRef block = narrowed(e, threads->block(e), s->type);
    LLVMValueRef thread = threads->thread(e);
    struct egroup outer = ek->group;
    LLVMValueRef at = block;
    if (group > 1) {
        LLVMValueRef size = LLVMConstInt(e->i32, (unsigned)group, 0);
        ek->group = (struct egroup){group, LLVMBuildURem(e->b, thread, size, "")};
        thread = LLVMBuildUDiv(e->b, thread, size, "");
        emit_group_buffers(ek, per_block, thread);
    } else {
        ek->group = (struct egroup){.size = 1};
    }
    if (per_block > 1) {
        at = LLVMBuildMul(e->b, block, LLVMConstInt(s->type, (unsigned)per_block, 0), "");
        at = LLVMBuildAdd(e->b, at, narrowed(e, thread, s->type), "");
    }
    points_of_launch(ek, s, at, per_block);
    ek->group = outer;
}

/* The points go round the threads of the group. */
static void spread_over_group(struct emit_kernel *ek, struct spread *s)
{
    struct emit *e = ek->e;
    struct egroup group = ek->group;
    emit_group_barrier(ek);
    struct eloop l = emit_loop_begin(ek, narrowed(e, group.rank, s->type), s->total, group.size);
    ek->group = (struct egroup){.size = 1};
    at_point(ek, s, l.phi);
    ek->group = group;
    emit_loop_end(ek, &l);
    emit_group_barrier(ek);
}

void emit_map_region(struct emit_kernel *ek, kval v)
{
    const struct kregion *r = kernel_inst(ek->k, v)->region;
    /* In the lanes of a map around it, which has the schedule for both. */
    const struct schedule_entry *entry = ek->lanes > 1 ? NULL : schedule_find(ek->schedule, v);
    struct schedule_loop plain[KREGION_MAX_DIMS];
    struct map m = {.region = r, .lanes = 1, .together = 1, .together_dim = -1};
    if (entry) {
        m.loops = entry->loop;
        m.n_loops = entry->n_loops;
        m.lanes = entry->lanes;
    } else {
        for (int d = 0; d < r->n_dims; d++)
            plain[d] = (struct schedule_loop){.dim = d, .part = SCHEDULE_WHOLE};
        m.loops = plain;
        m.n_loops = r->n_dims;
    }
    if (!entry || entry->place == SCHEDULE_HERE) {
        assert(ek->group.size == 1);
        map_level(ek, &m, 0);
        return;
    }
    struct spread s = {.m = &m, .n = entry->n_spread};
    if (ek->e->target->runs_networks)
        put_together(ek, &s);
    count_points(ek, &s);
    if (ek->e->target->runs_networks)
        spread_over_cores(ek, &s);
    else if (entry->place == SCHEDULE_LAUNCH)
        spread_over_launch(ek, &s, entry->point_threads);
    else
        spread_over_group(ek, &s);
}
