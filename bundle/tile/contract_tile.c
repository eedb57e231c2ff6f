/*
 * The tile generator: contractions on any vector width.
 *
 *   for each batch index and column block
 *     for each row outside the tile (image rows)
 *       for each tile of rows
 *         accumulators = 0
 *         for K, outermost index first, blocks of operand A innermost
 *           a step (contract_step.c): every accumulator takes in the next products
 *         epilogue on every accumulator
 *
 * Padding with zero costs nothing: where a row index and a K index share a padded dimension of A,
 * that K index is unrolled and the steps that fall outside are left out, tile by tile (tiles with
 * the same pattern share code); for other padded dimensions the range of the K index is computed.
 * Other padding, the zero point of quantized inputs, is multiplied like an element.
 *
 * The accumulators are stack slots that LLVM's sroa turns into registers.
 *
 * A column block of weights is read from memory by the first tile of rows and from the cache by the
 * others, so without help the first tile waits for memory and the others leave it idle.  Each tile
 * therefore prefetches its share of the next column block.
 */
#include <assert.h>

#include "bundle/tile/contract_tile.h"

enum { MAX_UNROLL = 8, MIN_FMA_PER_ROUND = 56, MAX_AHEAD = 4 };

static void k_level(struct tile *t, int level);

/* ---- vectors of B that take long to come ---- */

/* Steps in groups: at the start of each the vectors of B of the next group are loaded, all at once,
   for what follows a load waits behind it.  Those of two groups are in slots, which are variables.
 */
struct ahead {
    struct tile *t;
    int i; /* K index */
    const struct eaffine *base;
    int64_t steps;
    int n; /* steps in a group */
    LLVMValueRef slot[2 * MAX_AHEAD][MAX_TILE_VECTORS];
};

/* As many steps as it takes until a vector that is asked for is there, as far as registers go. */
static int steps_in_group(const struct tile *t, int64_t steps)
{
    const struct dot_kind *d = t->dot->kind;
    double cycles =
        dot_cost_of_product(t->dot, t->e->vector) * t->rows * t->vectors / d->cost.per_cycle;
    int n = 1, left = t->ek->e->target->n_vector_regs - d->regs.spare - t->rows * t->vectors;
    while (n < MAX_AHEAD && 2 * n < steps && n * cycles < d->cost.latency &&
           2 * (n + 1) * t->vectors <= left)
        n++;
    return n;
}

/* Of a group from `step` on, into its slots.  Behind the last step there is none: it is the last
   again. */
static void load_group(struct ahead *x, LLVMValueRef step, int first_slot)
{
    struct tile *t = x->t;
    struct emit *e = t->ek->e;
    LLVMValueRef b[MAX_TILE_VECTORS];
    for (int n = 0; n < x->n; n++) {
        LLVMValueRef args[2] = {LLVMBuildAdd(e->b, step, emit_index(e, n), ""),
                                emit_index(e, x->steps - 1)};
        LLVMValueRef at = emit_intrinsic(e, "llvm.umin", &e->index, 1, args, 2);
        struct eaffine index = *x->base;
        eaffine_add_term(&index, emit_add_var(t->ek, at, x->steps), tile_k_step(t, x->i));
        emit_bind_index(t->ek, t->r->index[x->i], &index);
        tile_load_b(t, b);
        for (int j = 0; j < t->vectors; j++) {
            LLVMValueRef *slot = &x->slot[first_slot + n][j];
            if (!*slot)
                *slot = emit_alloca(t->ek, LLVMTypeOf(b[j]));
            LLVMBuildStore(e->b, b[j], *slot);
        }
    }
}

/* Step `step`, whose vectors of B are in slot n. */
static void step_from(struct ahead *x, int level, int n, LLVMValueRef step)
{
    struct tile *t = x->t;
    struct emit *e = t->ek->e;
    LLVMValueRef b[MAX_TILE_VECTORS];
    struct eaffine now = *x->base;
    if (n % x->n == 0)
        load_group(x, LLVMBuildAdd(e->b, step, emit_index(e, x->n), ""), n ? 0 : x->n);
    for (int j = 0; j < t->vectors; j++)
        b[j] = LLVMBuildLoad2(e->b, LLVMGetAllocatedType(x->slot[n][j]), x->slot[n][j], "");
    eaffine_add_term(&now, emit_add_var(t->ek, step, x->steps), tile_k_step(t, x->i));
    emit_bind_index(t->ek, t->r->index[x->i], &now);
    t->b = b;
    k_level(t, level + 1);
    t->b = NULL;
}

/* Whole steps of index i from a base.  Slots are used in turns, so that no vector is copied, and
   after each step is a branch, lest LLVM mix several steps up: there are no registers for more sums
   or vectors than one has.  It must not find out that some are never taken. */
static void k_steps_ahead(struct tile *t, int level, int i, const struct eaffine *base,
                          int64_t steps)
{
    struct emit_kernel *ek = t->ek;
    struct emit *e = ek->e;
    struct ahead x = {.t = t, .i = i, .base = base, .steps = steps};
    LLVMBasicBlockRef first = emit_append_block(ek), end = emit_append_block(ek);
    LLVMValueRef counter = emit_alloca(ek, e->index);
    LLVMValueRef n_steps = tile_made_new(e, emit_index(e, steps));
    x.n = steps_in_group(t, steps);
    load_group(&x, emit_index(e, 0), 0);
    LLVMBuildStore(e->b, emit_index(e, 0), counter);
    LLVMBuildBr(e->b, first);
    LLVMPositionBuilderAtEnd(e->b, first);
    for (int n = 0; n < 2 * x.n; n++) {
        LLVMValueRef step = LLVMBuildLoad2(e->b, e->index, counter, "");
        step_from(&x, level, n, step);
        step = LLVMBuildAdd(e->b, step, emit_index(e, 1), "");
        LLVMBuildStore(e->b, step, counter);
        LLVMBasicBlockRef next = n + 1 < 2 * x.n ? emit_append_block(ek) : first;
        LLVMValueRef done = LLVMBuildICmp(e->b, LLVMIntEQ, step, n_steps, "");
        LLVMBuildCondBr(e->b, done, end, next);
        LLVMPositionBuilderAtEnd(e->b, next);
    }
    LLVMPositionBuilderAtEnd(e->b, end);
}

/* Whole steps of index i from a base, several per round where the tile is small. */
static void k_steps(struct tile *t, int level, int i, const struct eaffine *base, int64_t steps)
{
    struct emit_kernel *ek = t->ek;
    bool innermost = level + 1 == t->n_k + (t->e->k_iter >= 0);
    int unroll = 1, width = tile_k_step(t, i);
    if (innermost && t->e->dot == SCHEDULE_DOT_PAIRS && steps > 1) {
        k_steps_ahead(t, level, i, base, steps);
        return;
    }
    bool unrolls = innermost && !ek->e->target->optimize_size && !ek->e->target->has_any_lanes;
    while (unrolls && unroll < MAX_UNROLL && t->rows * t->vectors * unroll < MIN_FMA_PER_ROUND &&
           steps % (unroll * 2) == 0)
        unroll *= 2;
    struct eloop l = {0};
    struct eaffine round = eaffine_const(0);
    if (steps > unroll) {
        l = emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, steps / unroll), 1);
        struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, steps / unroll));
        eaffine_add(&round, &v, (int64_t)unroll * width);
    }
    for (int u = 0; u < unroll; u++) {
        struct eaffine a = *base;
        eaffine_add(&a, &round, 1);
        a.offset += (int64_t)u * width;
        emit_bind_index(ek, t->r->index[i], &a);
        k_level(t, level + 1);
    }
    if (steps > unroll)
        emit_loop_end(ek, &l);
}

/* `count` values of index i from a base.  A last group that does not come out even is a step of its
   own, unless what it reads too much is harmless: B is zero there. */
static void k_run(struct tile *t, int level, int i, const struct eaffine *base, int64_t count)
{
    int width = tile_k_step(t, i);
    int64_t steps = count / width, rest = count % width;
    if (level + 1 > t->n_k)
        tile_prefetch(t, count);
    if (rest && t->group_may_overrun) {
        steps++;
        rest = 0;
    }
    if (steps > 0)
        k_steps(t, level, i, base, steps);
    if (rest) {
        struct eaffine last = *base;
        last.offset += steps * width;
        emit_bind_index(t->ek, t->r->index[i], &last);
        t->group_have = (int)rest;
        k_level(t, level + 1);
        t->group_have = width;
    }
}

/* The blocked index: full blocks in a loop, the rest behind it. */
static void k_blocks(struct tile *t, int level, int i)
{
    struct emit_kernel *ek = t->ek;
    int64_t n = tile_extent(t, i), block = t->e->k_block, full = n / block;
    if (full > 0) {
        struct eloop l = {0};
        struct eaffine base = eaffine_const(0);
        if (full > 1) {
            l = emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, full), 1);
            struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, full));
            eaffine_add(&base, &v, block);
        }
        emit_bind_index(ek, t->r->index[i], &base);
        k_level(t, level + 1);
        if (full > 1)
            emit_loop_end(ek, &l);
    }
    if (n % block) {
        struct eaffine base = eaffine_const(full * block);
        emit_bind_index(ek, t->r->index[i], &base);
        k_level(t, level + 1);
    }
}

static bool reaches_inside(const struct tile *t, const struct tile_pad *pad)
{
    for (int i = 0; i < t->rows; i++)
        for (int further = 0; further < tile_k_step(t, pad->k); further++)
            if (tile_is_inside(t, pad, i, further))
                return true;
    return false;
}

/* The values of an unrolled index that reach inside A for some row of the tile; all where padding
   counts. */
static void k_unrolled(struct tile *t, int level, const struct tile_pad *pad)
{
    int width = tile_k_step(t, pad->k);
    for (int64_t k = 0, n = tile_extent(t, pad->k); k < n; k += width) {
        t->k_at[pad->k] = k;
        if (!t->pad_counts && !reaches_inside(t, pad))
            continue;
        struct eaffine a = eaffine_const(k);
        emit_bind_index(t->ek, t->r->index[pad->k], &a);
        if (width > 1)
            t->group_have = (int)(n - k < width ? n - k : width);
        k_level(t, level + 1);
    }
    if (width > 1)
        t->group_have = width;
}

static const struct tile_pad *pad_of(const struct tile *t, int i)
{
    for (int p = 0; p < t->n_pads; p++)
        if (t->pad[p].k == i)
            return &t->pad[p];
    return NULL;
}

/* The dimension of padded A that K index i shares with a row outside the tile, or -1. */
static int ranged_dim(const struct tile *t, int i)
{
    const struct koperand *a = &t->c->a;
    if (!a->padded)
        return -1;
    for (int d = 0; d < t->ek->k->bufs[a->buf].rank; d++) {
        if (kaffine_coef(&a->dim[d], t->r->index[i]) == 0)
            continue;
        for (int j = 0; j < t->r->n_dims; j++)
            if (t->c->kind[j] == KITER_M && j != t->e->row_iter && j != t->e->row_outer &&
                kaffine_coef(&a->dim[d], t->r->index[j]))
                return d;
    }
    return -1;
}

static LLVMValueRef clamp(struct emit *e, LLVMValueRef v, int64_t least, int64_t most)
{
    LLVMValueRef lo = emit_index(e, least), hi = emit_index(e, most);
    v = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, v, lo, ""), lo, v, "");
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, v, hi, ""), hi, v, "");
}

/* Values of index i from `from` up to `to`, which lie inside or outside A for every row. */
static void k_between(struct tile *t, int level, int i, LLVMValueRef from, LLVMValueRef to,
                      bool outside)
{
    bool saved = t->outside;
    struct eloop l = emit_loop_begin(t->ek, from, to, 1);
    struct eaffine v = eaffine_var(emit_add_var(t->ek, l.phi, tile_extent(t, i)));
    emit_bind_index(t->ek, t->r->index[i], &v);
    t->outside = saved || outside;
    k_level(t, level + 1);
    t->outside = saved;
    emit_loop_end(t->ek, &l);
}

/*
 * 0 <= s + c k < n, with s the part that the row outside sets: k from ceil(-s / c) up to
 * floor((n - 1 - s) / c).  The divisions are of non-negative numbers after adding c times the
 * extent of k, and truncate.
 */
static void k_ranged(struct tile *t, int level, int i, int d)
{
    struct emit_kernel *ek = t->ek;
    struct emit *e = ek->e;
    const struct kaffine *a = &t->c->a.dim[d];
    int64_t n = ek->k->bufs[t->c->a.buf].dims[d], extent = tile_extent(t, i);
    int64_t c = kaffine_coef(a, t->r->index[i]);
    struct eaffine zero = eaffine_const(0);
    emit_bind_index(ek, t->r->index[i], &zero);
    struct eaffine start = tile_bound(ek, a);
    LLVMValueRef s = eaffine_value(ek, &start);
    LLVMValueRef lo = LLVMBuildSub(e->b, emit_index(e, c - 1), s, "");
    lo = LLVMBuildSDiv(e->b, clamp(e, lo, 0, c * extent), emit_index(e, c), "");
    LLVMValueRef hi = LLVMBuildSub(e->b, emit_index(e, n - 1 + c), s, "");
    hi = clamp(e, LLVMBuildSDiv(e->b, clamp(e, hi, 0, c * (extent + 1)), emit_index(e, c), ""), 0,
               extent);
    if (t->pad_counts)
        k_between(t, level, i, emit_index(e, 0), lo, true);
    k_between(t, level, i, lo, hi, false);
    if (t->pad_counts)
        k_between(t, level, i, hi, emit_index(e, extent), true);
}

/*
 * The same where the padding counts, in few bytes: all of k in one loop, in which a step reads the
 * padding unless 0 <= s + c k < n.
 */
static void k_guarded(struct tile *t, int level, int i, int d)
{
    struct emit_kernel *ek = t->ek;
    struct emit *e = ek->e;
    LLVMValueRef saved = t->guard;
    LLVMValueRef n = emit_index(e, ek->k->bufs[t->c->a.buf].dims[d]);
    struct eloop l = emit_loop_begin(ek, emit_index(e, 0), emit_index(e, tile_extent(t, i)), 1);
    struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, tile_extent(t, i)));
    emit_bind_index(ek, t->r->index[i], &v);
    struct eaffine at = tile_bound(ek, &t->c->a.dim[d]);
    t->guard = LLVMBuildICmp(e->b, LLVMIntULT, eaffine_value(ek, &at), n, "");
    if (saved)
        t->guard = LLVMBuildAnd(e->b, saved, t->guard, "");
    k_level(t, level + 1);
    t->guard = saved;
    emit_loop_end(ek, &l);
}

/* Levels 0 .. n_k-1 are the K indices; one more runs inside the blocks of A. */
static void k_level(struct tile *t, int level)
{
    struct emit_kernel *ek = t->ek;
    if (level == t->n_k && t->e->k_iter >= 0) {
        int i = t->e->k_iter;
        struct eaffine base = ek->bind[t->r->index[i]];
        int64_t n = tile_extent(t, i), block = t->e->k_block;
        bool rest = base.n_terms == 0 && base.offset == n / block * block && n % block;
        k_run(t, level, i, &base, rest ? n % block : block);
        emit_bind_index(ek, t->r->index[i], &base);
        return;
    }
    if (level >= t->n_k) {
        tile_step(t);
        return;
    }
    int i = t->k_order[level];
    const struct tile_pad *pad = pad_of(t, i);
    int d = ranged_dim(t, i);
    struct eaffine zero = eaffine_const(0);
    if (i == t->e->k_iter)
        k_blocks(t, level, i);
    else if (pad)
        k_unrolled(t, level, pad);
    else if (d >= 0)
        (t->pad_counts && ek->e->target->optimize_size ? k_guarded : k_ranged)(t, level, i, d);
    else
        k_run(t, level, i, &zero, tile_extent(t, i));
}

void tile_emit(struct tile *t)
{
    tile_clear(t);
    k_level(t, 0);
    tile_epilogue(t);
}
