/*
 * Schedules of whole kernels for the Vector Engine: maps run in lanes of their longest index, the
 * one that takes the fewest vectors.
 */
#include "bundle/emit/emit_internal.h"
#include "bundle/tile/tile.h"
#include "ir/kernel_raw.h"
#include "ir/schedule_order.h"
#include "ve_runtime/codegen/ve_target.h"
#include "ve_runtime/codegen/vel.h"

struct pass {
    struct arena *a;
    struct kernel *k;
    struct schedule *s;
};

/* Vectors that so many elements take. */
static int64_t vectors(int64_t extent)
{
    return (extent + VEL_LANES - 1) / VEL_LANES;
}

/*
 * What running a loop in lanes costs per point, in arbitrary units: an operation takes a cycle
 * for 32 elements and some to begin, and elements that lie apart take about four times as long to
 * load and store.
 */
static double cost_of(const struct kernel *k, const struct kregion *r,
                      const struct schedule_loop *loop, int64_t extent)
{
    enum { BEGIN = 8, PER_CYCLE = 32, APART = 4 };
    struct schedule_tally tally = {.index = r->index[loop->dim], .widest_bytes = 1};
    schedule_count(k, &(struct schedule_nest){NULL, r}, &r->block[0], &tally);
    double n = (double)extent, whole = (double)vectors(extent) * BEGIN + n / PER_CYCLE;
    int apart = tally.strided + tally.strided_constants;
    return whole / n * (1 + tally.contiguous + APART * apart);
}

static int64_t extent_of(const struct kernel *k, const struct kregion *r,
                         const struct schedule_loop *loop, int64_t span)
{
    int64_t extent;
    if (loop->part == SCHEDULE_INNER)
        return span;
    return loop->part == SCHEDULE_WHOLE && kernel_is_const_int(k, r->extent[loop->dim], &extent)
               ? extent
               : 0;
}

/* The loop to run in lanes, moved to the end. */
static int64_t move_best_in(const struct kernel *k, const struct kregion *r,
                            struct schedule_entry *e, int64_t span)
{
    int best = -1;
    double least = 0;
    for (int i = e->n_loops - 1; i >= 0; i--) {
        int64_t extent = extent_of(k, r, &e->loop[i], span);
        if (extent < 2 || (e->loop[i].part == SCHEDULE_INNER && i < e->n_loops - 1))
            continue;
        double cost = cost_of(k, r, &e->loop[i], extent);
        if (best >= 0 && cost >= least)
            continue;
        best = i;
        least = cost;
    }
    if (best < 0)
        return 0;
    struct schedule_loop chosen = e->loop[best];
    for (int i = best; i + 1 < e->n_loops; i++)
        e->loop[i] = e->loop[i + 1];
    e->loop[e->n_loops - 1] = chosen;
    return extent_of(k, r, &chosen, span);
}

static void schedule_map(struct pass *p, kval map)
{
    const struct kregion *r = kernel_inst(p->k, map)->region;
    struct schedule_entry e = {
        .region = map, .lanes = 1, .row_iter = -1, .row_outer = -1, .k_iter = -1};
    int64_t span;
    if (!schedule_order_loops(p->k, r, false, &e, &span))
        return;
    if (emit_can_vectorize(p->k, &r->block[0])) {
        int64_t extent = move_best_in(p->k, r, &e, span);
        /* As many in each vector, not a long one and a short one. */
        if (extent > 1)
            e.lanes = (int)((extent + vectors(extent) - 1) / vectors(extent));
    }
    ARENA_PUSH(p->a, p->s->entries, p->s->n, p->s->cap) = e;
}

/* Outermost maps first; inside one that runs in lanes all else follows its lanes. */
static void schedule_block(struct pass *p, const struct kblock *blk)
{
    for (size_t i = 0; i < blk->n; i++) {
        kval v = blk->insts[i];
        const struct kinst *in = kernel_inst(p->k, v);
        if (!in->region || in->op == KOP_CONTRACT)
            continue;
        if (in->op == KOP_MAP) {
            schedule_map(p, v);
            const struct schedule_entry *e = schedule_find(p->s, v);
            if (e && e->lanes > 1)
                continue;
        }
        schedule_block(p, &in->region->block[0]);
        schedule_block(p, &in->region->block[1]);
    }
}

/* All cores have the same scratch, and one that stores half a byte stores the other half, too. */
static bool may_spread(const struct kernel *k)
{
    for (size_t b = 0; b < k->n_bufs; b++) {
        const struct kbuf *buf = &k->bufs[b];
        if (buf->role == KBUF_LOCAL || (buf->role != KBUF_IN && dtype_bits(buf->dtype) < 8))
            return false;
    }
    return true;
}

/* The only loop, which runs in lanes: its vectors are divided, if as many elements are in each. */
static void spread_vectors(const struct kernel *k, struct schedule_entry *e)
{
    const struct kregion *r = kernel_inst(k, e->region)->region;
    int64_t extent = kernel_static_extent(k, r, e->loop[0].dim);
    if (extent <= VEL_LANES)
        return;
    int lanes = (int)ve_even_lanes(extent);
    /* Much shorter vectors would cost more than other cores take over. */
    if (lanes < VEL_LANES / 4)
        return;
    e->lanes = lanes;
    e->n_spread = 1;
}

/* A map that is all that the kernel does is divided among the cores. */
static bool spread(struct pass *p)
{
    kval found = may_spread(p->k) ? kernel_only_region(p->k) : 0;
    struct schedule_entry *e = found ? schedule_find(p->s, found) : NULL;
    if (!e)
        return false;
    e->place = SCHEDULE_LAUNCH;
    if (kernel_inst(p->k, found)->op == KOP_CONTRACT)
        return true;
    e->n_spread = e->lanes > 1 ? e->n_loops - 1 : e->n_loops;
    for (int i = 0; i < e->n_spread; i++)
        if (e->loop[i].part != SCHEDULE_WHOLE)
            e->n_spread = i;
    if (e->lanes > 1 && e->n_loops == 1 && e->loop[0].part == SCHEDULE_WHOLE)
        spread_vectors(p->k, e);
    return true;
}

struct schedule *ve_schedule(const struct target *t, struct arena *a, struct kernel *k)
{
    struct pass p = {.a = a, .k = k, .s = arena_new(a, struct schedule)};
    kernel_sort_in_turn(k);
    kernel_collapse(k);
    tile_schedule_contracts(t, a, k, p.s, ve_schedule_contract);
    schedule_block(&p, &k->body);
    p.s->is_spread = spread(&p);
    return p.s;
}
