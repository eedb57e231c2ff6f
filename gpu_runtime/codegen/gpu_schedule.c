/*
 * Schedules of whole kernels for GPUs.
 *
 * A kernel is one region that is spread over the launch, or else small: then one block runs it as a
 * group.  A point of the launch that holds regions of its own, such as a row of softmax, is run by
 * a warp or a block, among whose threads those regions are divided.
 */
#include <assert.h>

#include "bundle/emit/emit_internal.h"
#include "gpu_runtime/codegen/contract.h"
#include "ir/kernel_raw.h"
#include "ir/schedule_order.h"

enum {
    WARP = 32,
    BLOCK = 256,         /* threads of a block */
    MOST_THREADS = 1024, /* of a block, by the hardware */
    MOST_BLOCKS = 1 << 16,
    LEAST_BLOCK = 64,
    PROCESSORS = 128,     /* that should have a block each, about as many as large GPUs have */
    UNKNOWN_EXTENT = 4096 /* where only a run tells */
};

struct pass {
    struct arena *a;
    struct kernel *k;
    struct schedule *s;
};

/* ---- extents ---- */

static int64_t most_points(const struct kernel *k, const struct kregion *r)
{
    int64_t points = 1;
    for (int d = 0; d < r->n_dims; d++) {
        int64_t n = kernel_extent_bound(k, r->extent[d]);
        n = n >= 0 ? n : UNKNOWN_EXTENT;
        points = n && points > INT64_MAX / 4 / n ? INT64_MAX / 4 : points * n;
    }
    return points;
}

/* ---- regions inside a group ---- */

/* From so many points on, a reduction is worth dividing; so many points of the launch are enough
   for a device without that. */
enum { LONG_REDUCTION = 64, ENOUGH_POINTS = 1 << 14 };

/* The points of a region that the threads of a group share, of which `outer` run; 0: they do not.
   The order of a block is not ours to change. */
static int64_t shared_points(const struct kernel *k, kval v, int64_t outer)
{
    const struct kinst *in = kernel_inst(k, v);
    if (in->op != KOP_MAP && in->op != KOP_REDUCE && in->op != KOP_SCAN)
        return 0;
    int64_t points = most_points(k, in->region);
    if (in->op == KOP_MAP || in->region->lanes > 1)
        return points;
    bool may = emit_is_order_free(k, in) ||
               (in->op == KOP_REDUCE && in->region->combine != KCOMBINE_BLOCK);
    return may && points >= LONG_REDUCTION && outer < ENOUGH_POINTS ? points : 0;
}

/* Parts that a reduction of floats is divided into, more than the kernel states; 0: as it states.
   A sum of many is rounded less so. */
static int parts_of(const struct kernel *k, kval v, int group)
{
    const struct kinst *in = kernel_inst(k, v);
    if (in->op != KOP_REDUCE || in->region->combine == KCOMBINE_BLOCK ||
        emit_is_order_free(k, in) || in->region->lanes >= group)
        return 0;
    int64_t points = most_points(k, in->region);
    bool is_long = points / in->region->lanes >= LONG_REDUCTION || points >= 2 * group;
    return is_long ? group : 0;
}

/* The most points of a region in the block that a group's threads could share, 0: there is none. */
static int64_t divided_points(const struct kernel *k, const struct kblock *blk, int64_t outer)
{
    int64_t most = 0;
    for (size_t i = 0; i < blk->n; i++) {
        kval v = blk->insts[i];
        const struct kinst *in = kernel_inst(k, v);
        if (!in->region)
            continue;
        int64_t n = shared_points(k, v, outer);
        if (n == 0 && (in->op == KOP_LOOP || in->op == KOP_IF || in->op == KOP_REDUCE))
            for (int b = 0; b < 2; b++) {
                int64_t inner = divided_points(k, &in->region->block[b], outer);
                n = inner > n ? inner : n;
            }
        most = n > most ? n : most;
    }
    return most;
}

/* Where memory has an index in blocks, the points are in the order of what lies inside them. */
static void join_parts(struct schedule_entry *e)
{
    int n = 0;
    for (int i = 0; i < e->n_loops; i++)
        if (e->loop[i].part != SCHEDULE_OUTER)
            e->loop[n++] = (struct schedule_loop){.dim = e->loop[i].dim, .part = SCHEDULE_WHOLE};
    e->n_loops = n;
}

static struct schedule_entry map_entry(const struct pass *p, kval map)
{
    const struct kregion *r = kernel_inst(p->k, map)->region;
    struct schedule_entry e = {
        .region = map, .lanes = 1, .row_iter = -1, .row_outer = -1, .k_iter = -1};
    int64_t span;
    if (!schedule_order_loops(p->k, r, false, &e, &span)) {
        e.n_loops = 0;
        for (int d = 0; d < r->n_dims; d++)
            e.loop[e.n_loops++] = (struct schedule_loop){.dim = d, .part = SCHEDULE_WHOLE};
    }
    join_parts(&e);
    e.n_spread = e.n_loops;
    return e;
}

static void divide_block(struct pass *p, const struct kblock *blk, int group, int64_t outer)
{
    for (size_t i = 0; i < blk->n; i++) {
        kval v = blk->insts[i];
        const struct kinst *in = kernel_inst(p->k, v);
        if (!in->region)
            continue;
        if (in->op == KOP_MAP) {
            struct schedule_entry e = map_entry(p, v);
            e.place = SCHEDULE_GROUP;
            ARENA_PUSH(p->a, p->s->entries, p->s->n, p->s->cap) = e;
        } else if (shared_points(p->k, v, outer)) {
            struct schedule_entry e = {.region = v, .place = SCHEDULE_GROUP};
            e.lanes = parts_of(p->k, v, group);
            if (e.lanes)
                ARENA_PUSH(p->a, p->s->entries, p->s->n, p->s->cap) = e;
        } else if (in->op == KOP_LOOP || in->op == KOP_IF || in->op == KOP_REDUCE) {
            divide_block(p, &in->region->block[0], group, outer);
            divide_block(p, &in->region->block[1], group, outer);
        }
    }
}

/* ---- whole kernels ---- */

static int pow2_ceil(int64_t n, int least, int most)
{
    int p = least;
    while (p < n && p < most)
        p *= 2;
    return p;
}

/* Threads that run a point together: more than one only where there is something to divide, a block
   where points are few and long. */
static int choose_group(const struct kernel *k, const struct kregion *r)
{
    enum { FEW_POINTS = 512, MANY_POINTS = 1 << 16, LONG = 1024, RATHER_LONG = 512 };
    int64_t points = most_points(k, r), inner = divided_points(k, &r->block[0], points);
    if (inner < 2 || (inner < WARP && points > MANY_POINTS))
        return 1;
    if (points <= PROCESSORS && inner >= RATHER_LONG)
        return BLOCK;
    return points <= FEW_POINTS && inner >= LONG ? BLOCK : WARP;
}

/* Neighbouring elements that a thread takes at once, in accesses of up to 16 bytes: where all lie
   side by side, and there is still enough to do for all threads. */
static int choose_lanes(const struct pass *p, const struct kregion *r,
                        const struct schedule_entry *e)
{
    enum { ACCESS_BYTES = 16, MOST_LANES = 8 };
    if (e->n_loops == 0)
        return 1;
    const struct schedule_loop *last = &e->loop[e->n_loops - 1];
    int64_t extent = kernel_static_extent(p->k, r, last->dim);
    struct schedule_tally tally = {.index = r->index[last->dim], .widest_bytes = 1};
    schedule_count(p->k, &(struct schedule_nest){NULL, r}, &r->block[0], &tally);
    if (last->part != SCHEDULE_WHOLE || extent == 0 || !tally.memory_bytes ||
        tally.strided + tally.strided_constants || !emit_can_vectorize(p->k, &r->block[0]))
        return 1;
    int lanes = ACCESS_BYTES / (int)tally.memory_bytes;
    lanes = lanes > MOST_LANES ? MOST_LANES : lanes;
    while (lanes > 1 && (extent % lanes != 0 || most_points(p->k, r) / lanes < ENOUGH_POINTS))
        lanes /= 2;
    return lanes < 1 ? 1 : lanes;
}

static bool are_known(const struct kernel *k, const struct kregion *r)
{
    int64_t n;
    for (int d = 0; d < r->n_dims; d++)
        if (!kernel_is_const_int(k, r->extent[d], &n))
            return false;
    return true;
}

static void launch_map(struct pass *p, kval map)
{
    const struct kregion *r = kernel_inst(p->k, map)->region;
    struct schedule_entry e = map_entry(p, map);
    e.place = SCHEDULE_LAUNCH;
    e.point_threads = choose_group(p->k, r);
    if (e.point_threads == 1)
        e.lanes = choose_lanes(p, r, &e);
    int64_t points = most_points(p->k, r) / e.lanes;
    p->s->threads = e.point_threads > BLOCK ? e.point_threads : BLOCK;
    if (points < BLOCK / e.point_threads)
        p->s->threads = pow2_ceil(points * e.point_threads, WARP, BLOCK);
    while (p->s->threads > LEAST_BLOCK && p->s->threads > e.point_threads &&
           points * e.point_threads < (int64_t)p->s->threads * PROCESSORS)
        p->s->threads /= 2;
    int per_block = p->s->threads / e.point_threads;
    p->s->blocks = (points + per_block - 1) / per_block;
    /* Where the number of points is not known, or a grid cannot have so many blocks (CUDA C++
       Programming Guide, compute capabilities), they go round. */
    if (p->s->blocks > (are_known(p->k, r) ? INT32_MAX : MOST_BLOCKS))
        p->s->blocks = MOST_BLOCKS;
    if (p->s->blocks < 1)
        p->s->blocks = 1;
    ARENA_PUSH(p->a, p->s->entries, p->s->n, p->s->cap) = e;
    if (e.point_threads > 1)
        divide_block(p, &r->block[0], e.point_threads, most_points(p->k, r));
    gpu_share_buffers(p->a, p->k, map, e.point_threads, p->s);
}

struct schedule *gpu_schedule(const struct target *t, struct arena *a, struct kernel *k)
{
    struct pass p = {.a = a, .k = k, .s = arena_new(a, struct schedule)};
    struct schedule_entry e;
    kval region = kernel_only_region(k);
    if (region && kernel_inst(k, region)->op == KOP_CONTRACT &&
        gpu_schedule_contract(t, k, region, p.s, &e)) {
        ARENA_PUSH(a, p.s->entries, p.s->n, p.s->cap) = e;
        return p.s;
    }
    kernel_expand_contracts(k);
    region = kernel_only_region(k);
    if (region && kernel_inst(k, region)->op == KOP_MAP) {
        launch_map(&p, region);
        return p.s;
    }
    p.s->is_together = true;
    p.s->blocks = 1;
    p.s->threads = pow2_ceil(divided_points(k, &k->body, 1), WARP, MOST_THREADS);
    divide_block(&p, &k->body, p.s->threads, 1);
    gpu_share_buffers(a, k, 0, p.s->threads, p.s);
    return p.s;
}
