/* The loops around blocks of tiles: columns, rows outside, tiles of rows; and what they start from.
 */
#include <assert.h>
#include <string.h>

#include "bundle/tile/tile.h"
#include "cpu_runtime/codegen/contract_amx.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "ir/schedule_order.h"

enum { L1_SHARE_BYTES = 24 * 1024 };

static void level(struct amx *x, int i);

/* Blocks of tiles along an axis: those that start at multiples of the span in a loop, the
   rest, the last tile among them where it overlaps, behind it. */
static void axis_level(struct amx *x, struct amx_axis *a, int i)
{
    struct emit_kernel *ek = x->ek;
    int per = a->per;
    int64_t tiles = tile_div_ceil(a->extent, a->span);
    int64_t full = a->extent / a->span / per;
    if (full > 0) {
        struct eloop l = {0};
        a->block = eaffine_const(0);
        if (full > 1) {
            l = emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, full), 1);
            a->block = eaffine_var(emit_add_var(ek, l.phi, full));
        }
        a->n = per;
        for (int t = 0; t < per; t++) {
            a->at[t] = eaffine_const((int64_t)t * a->span);
            eaffine_add(&a->at[t], &a->block, (int64_t)per * a->span);
        }
        level(x, i + 1);
        if (full > 1)
            emit_loop_end(ek, &l);
    }
    a->n = (int)(tiles - full * per);
    if (a->n == 0)
        return;
    a->block = eaffine_const(full);
    for (int t = 0; t < a->n; t++) {
        int64_t at = (full * per + t) * a->span;
        if (!a->padded && at > a->extent - a->span)
            at = a->extent - a->span;
        a->at[t] = eaffine_const(at);
    }
    level(x, i + 1);
}

static bool is_batch(const struct amx *x, int i)
{
    return x->c->kind[i] == KITER_BATCH || (x->c->kind[i] == KITER_N && i != x->e->col_iter);
}

static bool is_row_outside(const struct amx *x, int i)
{
    return x->c->kind[i] == KITER_M && i != x->e->row_iter && i != x->e->row_outer;
}

/* Plain loops over the indices for which `wanted` holds, from index i on; then level `next`. */
static void index_loops(struct amx *x, bool (*wanted)(const struct amx *, int), int i, int next)
{
    struct emit_kernel *ek = x->ek;
    while (i < x->r->n_dims && !wanted(x, i))
        i++;
    if (i == x->r->n_dims) {
        level(x, next);
        return;
    }
    int64_t n = amx_extent(x, i);
    struct eloop l = {0};
    struct eaffine at = eaffine_const(0), saved = x->outside;
    if (n > 1) {
        l = emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, n), 1);
        at = eaffine_var(emit_add_var(ek, l.phi, n));
    }
    emit_bind_index(ek, x->r->index[i], &at);
    if (wanted == is_row_outside)
        amx_count_on(&x->outside, n, &at);
    index_loops(x, wanted, i + 1, next);
    x->outside = saved;
    if (n > 1)
        emit_loop_end(ek, &l);
}

static void level(struct amx *x, int i)
{
    if (i == AMX_N_LEVELS) {
        amx_emit_block(x);
        return;
    }
    switch (x->order[i]) {
    case AMX_BY_COLUMNS:
        axis_level(x, &x->columns, i);
        return;
    case AMX_BY_ROWS_OUTSIDE:
        index_loops(x, is_row_outside, 0, i + 1);
        return;
    case AMX_BY_OUTER:
        axis_level(x, &x->outer, i);
        return;
    default:
        axis_level(x, &x->inner, i);
        return;
    }
}

static void choose_order(struct amx *x)
{
    static const enum amx_level COLUMNS_LAST[] = {AMX_BY_ROWS_OUTSIDE, AMX_BY_OUTER, AMX_BY_INNER,
                                                  AMX_BY_COLUMNS};
    static const enum amx_level ROWS_LAST[] = {AMX_BY_COLUMNS, AMX_BY_ROWS_OUTSIDE, AMX_BY_OUTER,
                                               AMX_BY_INNER};
    const struct kbuf *b = &x->ek->k->bufs[x->c->b.buf];
    bool small = dtype_bytes(b->dtype, layout_elems(&b->layout, b->dims)) <= L1_SHARE_BYTES;
    memcpy(x->order, small ? COLUMNS_LAST : ROWS_LAST, sizeof x->order);
}

static void describe_rows(struct amx *x)
{
    const struct schedule_entry *e = x->e;
    const struct kbuf *a = &x->ek->k->bufs[x->c->a.buf];
    int64_t outside = 0;
    x->joined = e->row_outer >= 0 && e->tile_outer == 0;
    x->inner = (struct amx_axis){.extent = amx_extent(x, e->row_iter), .span = e->tile_m, .n = 1};
    x->outer = (struct amx_axis){.extent = 1, .span = 1, .n = 1};
    x->row_stride = AMX_ROW_BYTES;
    if (e->row_iter >= 0)
        schedule_stride(a, x->c->a.dim, x->r->index[e->row_iter], &x->row_stride);
    if (x->joined) {
        x->inner.extent *= amx_extent(x, e->row_outer);
    } else if (e->row_outer >= 0) {
        x->outer.extent = amx_extent(x, e->row_outer);
        x->outer.span = e->tile_outer;
    }
    if (x->outer.span > 1) {
        schedule_stride(a, x->c->a.dim, x->r->index[e->row_outer], &outside);
        x->pitch = (int)(outside / x->row_stride);
    }
    /* Rows are taken in pairs along the run; of runs of one tile two. */
    x->inner.per = x->inner.extent > x->inner.span ? AMX_PER_SIDE : 1;
    x->outer.per = AMX_PER_SIDE / x->inner.per;
    x->tile_rows = (x->outer.span - 1) * x->pitch + x->inner.span;
    assert(x->tile_rows <= AMX_ROWS);
}

/* How many steps of K there are, and rows outside the tiles. */
static void describe_k(struct amx *x)
{
    x->n_steps = x->n_outside = 1;
    x->step = x->outside = eaffine_const(0);
    for (int i = 0; i < x->r->n_dims; i++) {
        if (x->c->kind[i] == KITER_K)
            x->n_steps *= tile_div_ceil(amx_extent(x, i), amx_k_step(x, i));
        else if (is_row_outside(x, i))
            x->n_outside *= amx_extent(x, i);
    }
}

void cpu_emit_amx(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry)
{
    struct emit *e = ek->e;
    struct amx x = {.ek = ek, .r = kernel_inst(ek->k, contract)->region, .e = entry};
    x.c = x.r->contract;
    describe_rows(&x);
    describe_k(&x);
    x.columns = (struct amx_axis){.extent = amx_extent(&x, entry->col_iter),
                                  .span = AMX_COLUMNS,
                                  .padded = true,
                                  .per = AMX_PER_SIDE};
    choose_order(&x);
    if (x.joined) {
        ek->join.inner_extent = amx_extent(&x, entry->row_iter);
        ek->join.outer = emit_add_var(ek, NULL, amx_extent(&x, entry->row_outer));
        ek->join.inner = emit_add_var(ek, NULL, ek->join.inner_extent);
    }
    unsigned bytes = AMX_PER_SIDE * AMX_PER_SIDE * AMX_ROWS * AMX_ROW_BYTES;
    x.sums = emit_alloca(ek, LLVMArrayType2(e->i8, bytes));
    LLVMSetAlignment(x.sums, AMX_ROW_BYTES);
    LLVMValueRef tiles = amx_configuration(&x);
    emit_intrinsic(e, "llvm.x86.ldtilecfg", NULL, 0, &tiles, 1);
    index_loops(&x, is_batch, 0, 0);
    emit_intrinsic(e, "llvm.x86.tilerelease", NULL, 0, NULL, 0);
    ek->join.joined = -1;
}
