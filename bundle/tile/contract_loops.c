/*
 * The loops around the tiles: batch indices, column blocks, rows outside the tile, tiles of rows.
 * Tiles whose rows fall outside the image in the same places share code.
 */
#include <assert.h>

#include "bundle/tile/contract_tile.h"
#include "bundle/tile/schedule_contract.h"

/* ---- tiles of rows ---- */

/* Whether rows from a on and rows from b on fall outside A in the same places, along the padded
   dimension of M index m. */
static bool same_pattern(struct tile *t, int m, int64_t a, int64_t b, int rows)
{
    for (int p = 0; p < t->n_pads; p++) {
        const struct tile_pad *pad = &t->pad[p];
        if (pad->m != m)
            continue;
        struct tile x = *t, y = *t;
        x.inner = y.inner = m == t->e->row_iter ? rows : 1;
        x.first_row = x.first_outer = a;
        y.first_row = y.first_outer = b;
        /* Whole groups: whether a group can be read at once depends on what lies behind K. */
        int64_t step = tile_k_step(t, pad->k), n = tile_extent(t, pad->k);
        for (int64_t k = 0; k < tile_div_ceil(n, step) * step; k++) {
            x.k_at[pad->k] = y.k_at[pad->k] = k;
            for (int i = 0; i < rows; i++)
                if (tile_is_inside(&x, pad, i, 0) != tile_is_inside(&y, pad, i, 0))
                    return false;
        }
    }
    return true;
}

static bool is_joined(const struct schedule_entry *e)
{
    return e->row_outer >= 0 && e->tile_outer == 0;
}

static int64_t rows_of(const struct tile *t)
{
    const struct schedule_entry *e = t->e;
    if (e->row_iter < 0)
        return 1;
    return tile_extent(t, e->row_iter) * (is_joined(e) ? tile_extent(t, e->row_outer) : 1);
}

static int64_t tiles_of(const struct tile *t)
{
    return tile_div_ceil(rows_of(t), t->e->tile_m);
}

/* Tiles over the row outside, where a tile spans several. */
static int64_t outer_tiles_of(const struct tile *t)
{
    const struct schedule_entry *e = t->e;
    if (e->row_outer < 0 || is_joined(e))
        return 1;
    return tile_div_ceil(tile_extent(t, e->row_outer), e->tile_outer);
}

/* The tile, which where cores share them is done by one: they take turns. */
static void own_tile(struct tile *t)
{
    struct emit_kernel *ek = t->ek;
    struct emit *e = ek->e;
    if (t->e->place != SCHEDULE_LAUNCH) {
        tile_emit(t);
        return;
    }
    struct eaffine number = t->before;
    eaffine_add(&number, &t->tile, 1);
    LLVMValueRef turn = LLVMBuildURem(e->b, eaffine_value(ek, &number), ek->n_ranks, "");
    LLVMBasicBlockRef mine = emit_append_block(ek), end = emit_append_block(ek);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, turn, ek->rank, ""), mine, end);
    LLVMPositionBuilderAtEnd(e->b, mine);
    tile_emit(t);
    LLVMBuildBr(e->b, end);
    LLVMPositionBuilderAtEnd(e->b, end);
}

/* `count` tiles of the same code, from row `first` on, of n_outer rows outside. */
static void tile_class(struct tile *t, int64_t first, int64_t first_tile, int inner, int n_outer,
                       int64_t count)
{
    struct emit_kernel *ek = t->ek;
    t->inner = inner;
    t->rows = inner * n_outer;
    t->first_row = first;
    t->row0 = eaffine_const(first);
    t->tile = t->outer_tile;
    t->tile.offset += first_tile;
    struct eloop l = {0};
    if (count > 1) {
        l = emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, count), 1);
        struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, count));
        eaffine_add(&t->row0, &v, inner);
        eaffine_add(&t->tile, &v, 1);
    }
    if (is_joined(t->e))
        ek->join.joined = emit_add_var(ek, eaffine_value(ek, &t->row0), 0);
    own_tile(t);
    if (count > 1)
        emit_loop_end(ek, &l);
}

/* The rows are dealt out evenly: the first tiles have one row more where they do not come out. */
static void all_tiles(struct tile *t, int n_outer)
{
    int64_t rows = rows_of(t), tiles = tiles_of(t);
    int base = (int)(rows / tiles);
    int64_t large = rows - base * tiles;
    int64_t at = 0;
    for (int64_t i = 0; i < tiles;) {
        int size = base + (i < large);
        int64_t count = 1;
        while (i + count < tiles && base + (i + count < large) == size &&
               same_pattern(t, t->e->row_iter, at, at + count * size, size))
            count++;
        tile_class(t, at, i, size, n_outer, count);
        at += count * size;
        i += count;
    }
}

/* `count` groups of n_outer rows outside, from `first` on, of the same code. */
static void outer_class(struct tile *t, int64_t first, int64_t first_group, int n_outer,
                        int64_t count)
{
    struct emit_kernel *ek = t->ek;
    struct eaffine saved = t->outer_tile, group = eaffine_const(first_group);
    t->first_outer = first;
    t->outer0 = eaffine_const(first);
    struct eloop l = {0};
    if (count > 1) {
        l = emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, count), 1);
        struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, count));
        eaffine_add(&t->outer0, &v, n_outer);
        eaffine_add(&group, &v, 1);
    }
    t->outer_tile = eaffine_const(0);
    eaffine_add(&t->outer_tile, &saved, outer_tiles_of(t));
    eaffine_add(&t->outer_tile, &group, tiles_of(t));
    all_tiles(t, n_outer);
    t->outer_tile = saved;
    if (count > 1)
        emit_loop_end(ek, &l);
}

/* ---- loops outside the tile ---- */

/* A joined pair of row indices runs as one; addresses see through it (emit_affine.c). */
static void rows_level(struct tile *t)
{
    const struct schedule_entry *e = t->e;
    if (e->row_iter < 0) {
        t->rows = t->inner = 1;
        t->row0 = eaffine_const(0);
        t->tile = t->outer_tile;
        own_tile(t);
        return;
    }
    if (e->row_outer < 0 || is_joined(e)) {
        all_tiles(t, 1);
        return;
    }
    int64_t n = tile_extent(t, e->row_outer), at = 0;
    for (int64_t i = 0; at < n;) {
        int size = n - at < e->tile_outer ? (int)(n - at) : e->tile_outer;
        int64_t count = 1;
        while (at + (count + 1) * size <= n &&
               same_pattern(t, e->row_outer, at, at + count * size, size))
            count++;
        outer_class(t, at, i, size, count);
        at += count * size;
        i += count;
    }
}

static void outer_rows(struct tile *t, int i)
{
    struct emit_kernel *ek = t->ek;
    while (i < t->r->n_dims &&
           (t->c->kind[i] != KITER_M || i == t->e->row_iter || i == t->e->row_outer))
        i++;
    if (i == t->r->n_dims) {
        rows_level(t);
        return;
    }
    struct eloop l =
        emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, tile_extent(t, i)), 1);
    struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, tile_extent(t, i)));
    struct eaffine saved = t->outer_tile;
    emit_bind_index(ek, t->r->index[i], &v);
    /* Outermost first: what was counted so far is in units of this index. */
    t->outer_tile = eaffine_const(0);
    eaffine_add(&t->outer_tile, &saved, tile_extent(t, i));
    eaffine_add(&t->outer_tile, &v, tiles_of(t) * outer_tiles_of(t));
    outer_rows(t, i + 1);
    t->outer_tile = saved;
    emit_loop_end(ek, &l);
}

static void columns_level(struct tile *t)
{
    struct emit_kernel *ek = t->ek;
    int width = t->e->vector, block = t->e->tile_n * width;
    int64_t columns = tile_extent(t, t->e->col_iter), full = columns / block;
    int rest = (int)(columns % block);
    if (full > 0) {
        t->vectors = t->e->tile_n;
        t->last_lanes = width;
        struct eloop l = {0};
        t->col0 = t->before = eaffine_const(0);
        if (full > 1) {
            l = emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, full), 1);
            struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, full));
            eaffine_add(&t->col0, &v, block);
            eaffine_add(&t->before, &v, t->n_tiles);
        }
        outer_rows(t, 0);
        if (full > 1)
            emit_loop_end(ek, &l);
    }
    if (rest > 0) {
        t->vectors = (rest + width - 1) / width;
        t->last_lanes = rest - (t->vectors - 1) * width;
        t->col0 = eaffine_const(full * block);
        t->before = eaffine_const(full * t->n_tiles);
        outer_rows(t, 0);
    }
}

static void batch_level(struct tile *t, int i)
{
    struct emit_kernel *ek = t->ek;
    while (i < t->r->n_dims &&
           !(t->c->kind[i] == KITER_BATCH || (t->c->kind[i] == KITER_N && i != t->e->col_iter)))
        i++;
    if (i == t->r->n_dims) {
        emit_set_lanes(ek, t->e->vector);
        columns_level(t);
        emit_set_lanes(ek, 1);
        return;
    }
    if (tile_extent(t, i) == 1) {
        struct eaffine zero = eaffine_const(0);
        emit_bind_index(ek, t->r->index[i], &zero);
        batch_level(t, i + 1);
        return;
    }
    struct eloop l =
        emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, tile_extent(t, i)), 1);
    struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, tile_extent(t, i)));
    emit_bind_index(ek, t->r->index[i], &v);
    batch_level(t, i + 1);
    emit_loop_end(ek, &l);
}

/* Notes the dimension of A, if any, where M index m of the tile may fall outside, and the K index
   in it. */
static void add_padding(struct tile *t, int m)
{
    if (!t->c->a.padded || m < 0)
        return;
    const struct kernel *k = t->ek->k;
    for (int d = 0; d < k->bufs[t->c->a.buf].rank; d++) {
        const struct kaffine *a = &t->c->a.dim[d];
        int64_t cm = kaffine_coef(a, t->r->index[m]);
        if (cm == 0)
            continue;
        for (int i = 0; i < t->r->n_dims; i++) {
            int64_t ck = kaffine_coef(a, t->r->index[i]);
            if (t->c->kind[i] != KITER_K || ck == 0)
                continue;
            int64_t most = a->offset + cm * (tile_extent(t, m) - 1) + ck * (tile_extent(t, i) - 1);
            if (a->offset < 0 || most >= k->bufs[t->c->a.buf].dims[d])
                t->pad[t->n_pads++] = (struct tile_pad){.dim = d, .m = m, .k = i};
        }
    }
}

/* What the step needs to know of operand A: whether padding is part of the sum, and how groups of K
   values lie. */
static void describe_a(struct tile *t)
{
    const struct kernel *k = t->ek->k;
    t->pad_counts = schedule_padding_counts(k, &t->c->a);
    t->group_have = t->e->group * t->e->at_once;
    if (t->e->group_iter < 0)
        return;
    t->group_is_adjacent = schedule_group_is_adjacent(k, t->r, t->e);
    t->group_may_overrun = schedule_group_may_overrun(k, t->r, t->e);
}

void tile_emit_contract(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry)
{
    assert(entry);
    struct tile t = {.ek = ek, .r = kernel_inst(ek->k, contract)->region, .e = entry};
    t.c = t.r->contract;
    enum dtype a = ek->k->bufs[t.c->a.buf].dtype, b = ek->k->bufs[t.c->b.buf].dtype;
    t.dot = dot_of(ek->e->target, entry, a);
    if (t.dot)
        t.product = dot_product_of(t.dot, a, b);
    int last = schedule_last_k(entry);
    for (int i = 0; i < t.r->n_dims; i++)
        if (t.c->kind[i] == KITER_K && i != last)
            t.k_order[t.n_k++] = i;
    if (last >= 0)
        t.k_order[t.n_k++] = last;
    add_padding(&t, entry->row_iter);
    if (!is_joined(entry))
        add_padding(&t, entry->row_outer);
    describe_a(&t);
    t.n_tiles = tiles_of(&t) * outer_tiles_of(&t);
    for (int i = 0; i < t.r->n_dims; i++)
        if (t.c->kind[i] == KITER_M && i != entry->row_iter && i != entry->row_outer)
            t.n_tiles *= tile_extent(&t, i);
    if (is_joined(entry)) {
        /* Both indices are variables without a value of their own; the row variable that the tiles
           run over is the joined one. */
        int64_t inner = tile_extent(&t, entry->row_iter);
        ek->join.inner_extent = inner;
        ek->join.outer = emit_add_var(ek, NULL, tile_extent(&t, entry->row_outer));
        ek->join.inner = emit_add_var(ek, NULL, inner);
        struct eaffine outer = eaffine_var(ek->join.outer);
        emit_bind_index(ek, t.r->index[entry->row_outer], &outer);
    }
    batch_level(&t, 0);
    ek->join.joined = -1;
}
