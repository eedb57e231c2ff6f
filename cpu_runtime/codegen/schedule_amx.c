/*
 * Contractions of bytes in AMX's tile registers: which fit, how they are cut, what they cost.
 *
 * A tile register holds up to 16 rows of 64 bytes.  One instruction multiplies a tile of operand A,
 * 16 rows by 64 values of K, with a tile of packed operand B, [K / 4][16 columns][4], and adds to a
 * tile of 16 by 16 sums.  Two tiles of rows and two of columns are computed at once
 * (contract_amx.c).
 *
 * A tile of A is read from memory with one stride, so its K values must lie side by side and
 * nothing of it may lie outside.  Where the operand is padded or lies differently it is staged: a
 * map brings it, padding included, into a local buffer in blocks of K first (ir/kernel_stage.c).
 *
 * Rows come out even without a second tile configuration: all tiles have the same number of rows,
 * and the last one overlaps the one before, so a few rows are computed twice.
 */
#include <string.h>

#include "bundle/tile/schedule_contract.h"
#include "cpu_runtime/codegen/contract_amx.h"
#include "ir/schedule_order.h"

/* Cycles, from measurements on Sapphire Rapids: a product of full tiles every 16, a tile load from
   the first-level cache every 8, clearing and storing a tile of sums 16, a configuration and its
   release a few hundred.  Staging: a copy of up to 64 bytes that lie side by side 5; a byte of
   those that do not 1.2, in short blocks 2.5.  Two 64-byte dot products of four a cycle (VNNI). */
enum {
    PRODUCT_CYCLES = 16,
    LOAD_CYCLES = 8,
    SUMS_CYCLES = 16,
    SETUP_CYCLES = 300,
    COPY_CYCLES = 5,
    SHORT_BLOCK = 16
};
static const double BYTE_CYCLES = 1.2, SHORT_BYTE_CYCLES = 2.5;
static const double DOTS_PER_CYCLE = 2;

struct plan {
    const struct kernel *k;
    const struct kregion *r;
    const struct koperand *a, *b;
    int outer_m;     /* the M index outside the rows, -1: none */
    int k_dim;       /* dimension of A that k_iter runs over */
    int64_t k_bytes; /* of packed B for the k_iter values of one step and one value of span_iter */
    struct schedule_entry e;
    struct layout staged; /* of A, where it is staged */
};

static int64_t extent_of(const struct plan *p, int i)
{
    return kernel_static_extent(p->k, p->r, i);
}

/* ---- what fits ---- */

static bool all_static(const struct plan *p)
{
    if (!schedule_is_static(p->k, p->r))
        return false;
    for (int d = 0; d < p->k->bufs[p->a->buf].rank; d++)
        if (p->k->bufs[p->a->buf].extent_buf[d] >= 0)
            return false;
    return true;
}

/* Rows that two tiles share are stored twice, so a point of the epilogue may not read what it
   writes. */
static bool epilogue_repeats(const struct kernel *k, const struct kblock *blk)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *store = kernel_inst(k, blk->insts[i]);
        if (store->op != KOP_STORE)
            continue;
        if (k->bufs[store->buf].role == KBUF_INOUT)
            return false;
        for (size_t j = 0; j < blk->n; j++) {
            const struct kinst *load = kernel_inst(k, blk->insts[j]);
            if ((load->op == KOP_LOAD || load->op == KOP_LOAD_OR) && load->buf == store->buf)
                return false;
        }
    }
    return true;
}

static bool is_candidate(const struct plan *p)
{
    return schedule_is_sum_of_bytes(p->k, p->r->contract) && !p->b->padded && all_static(p) &&
           emit_can_vectorize(p->k, &p->r->block[0]) && epilogue_repeats(p->k, &p->r->block[0]);
}

/* The one dimension of an access that index i runs over, with coefficient 1; -1: none such. */
static int unit_dim(const struct plan *p, const struct koperand *o, int i)
{
    int found = -1;
    for (int d = 0; d < p->k->bufs[o->buf].rank; d++) {
        int64_t coef = kaffine_coef(&o->dim[d], p->r->index[i]);
        if (coef == 0)
            continue;
        if (coef != 1 || found >= 0)
            return -1;
        found = d;
    }
    return found;
}

/* Whether all else that takes part in dimension d of an access moves it in steps of `block`. */
static bool others_step(const struct plan *p, const struct koperand *o, int d, int i, int64_t block)
{
    const struct kaffine *a = &o->dim[d];
    if (a->offset % block != 0)
        return false;
    for (int t = 0; t < a->n_terms; t++)
        if (a->term[t].var != p->r->index[i] && !schedule_is_single(p->k, p->r, a->term[t].var) &&
            a->term[t].coef % block != 0)
            return false;
    return true;
}

/* ---- K ---- */

/* Even steps over n values that lie side by side: as few as make multiples of four. */
static int even_step(int64_t n)
{
    for (int64_t steps = tile_div_ceil(n, AMX_ROW_BYTES);
         steps <= 2 * tile_div_ceil(n, AMX_ROW_BYTES); steps++)
        if (n % steps == 0 && n / steps % AMX_GROUP == 0)
            return (int)(n / steps);
    return 0;
}

/* Bytes of K in a tile of A as it lies; 0: none. */
static int step_in_place(const struct plan *p, int i)
{
    const struct kbuf *a = &p->k->bufs[p->a->buf];
    int d = unit_dim(p, p->a, i);
    int64_t stride, n = extent_of(p, i);
    if (p->a->padded || d < 0 || !schedule_stride(a, p->a->dim, p->r->index[i], &stride) ||
        stride != 1)
        return 0;
    int64_t block = layout_block_size(&a->layout, d);
    if (block == 1)
        return even_step(n);
    /* A block is read whole: what lies behind the last value meets zeros of B. */
    if (block > AMX_ROW_BYTES || block % AMX_GROUP != 0)
        return 0;
    int64_t used = tile_div_ceil(n, AMX_GROUP) * AMX_GROUP;
    return (int)(used < block ? used : block);
}

static int step_staged(const struct plan *p, int i)
{
    int64_t n = extent_of(p, i);
    int64_t per_step = tile_div_ceil(n, tile_div_ceil(n, AMX_ROW_BYTES));
    return (int)(tile_div_ceil(per_step, AMX_GROUP) * AMX_GROUP);
}

/* The K index whose steps are longest, in place or staged. */
static bool choose_k(struct plan *p, bool staged)
{
    struct schedule_entry *e = &p->e;
    e->k_iter = -1;
    e->k_block = 0;
    for (int i = 0; i < p->r->n_dims; i++) {
        if (p->r->contract->kind[i] != KITER_K)
            continue;
        int step = staged ? step_staged(p, i) : step_in_place(p, i);
        int a_dim = unit_dim(p, p->a, i), b_dim = unit_dim(p, p->b, i);
        if (step <= e->k_block || a_dim < 0 || b_dim < 0 || !others_step(p, p->b, b_dim, i, step) ||
            (staged && !others_step(p, p->a, a_dim, i, step)))
            continue;
        e->k_iter = i;
        e->k_block = step;
        p->k_dim = a_dim;
    }
    return e->k_iter >= 0;
}

/*
 * Few channels leave most of a tile's 64 bytes empty.  But where the pixels of a window's row lie
 * one behind the other, one load takes several with all of their channels.
 */
static void choose_span(struct plan *p, const struct kbuf *a, const struct kaffine *dims)
{
    struct schedule_entry *e = &p->e;
    int64_t least = e->k_block;
    e->span = 1;
    p->k_bytes = least;
    for (int i = 0; i < p->r->n_dims && extent_of(p, e->k_iter) <= least; i++) {
        int64_t stride, n = extent_of(p, i);
        int b_dim = unit_dim(p, p->b, i);
        if (p->r->contract->kind[i] != KITER_K || i == e->k_iter || b_dim < 0 ||
            !schedule_even_stride(a, dims, p->r->index[i], &stride) || stride < least ||
            stride % AMX_GROUP != 0 ||
            !others_step(p, p->b, unit_dim(p, p->b, e->k_iter), e->k_iter, stride))
            continue;
        for (int64_t q = n; q > e->span; q--) {
            if (n % q != 0 || q * stride > AMX_ROW_BYTES || !others_step(p, p->b, b_dim, i, q))
                continue;
            e->span = (int)q;
            e->span_iter = i;
            e->k_block = (int)((q - 1) * stride + least);
            p->k_bytes = stride;
        }
    }
}

/* ---- rows ---- */

/* A as it will be read: the range of each dimension from 0 on. */
static struct kbuf staged_buf(const struct plan *p, struct kaffine *dims)
{
    struct kbuf b = p->k->bufs[p->a->buf];
    for (int d = 0; d < b.rank; d++) {
        struct kaffine rest;
        kernel_stage_split(p->k, p->r, &p->a->dim[d], &dims[d], &rest, &b.dims[d]);
    }
    b.layout = p->staged;
    return b;
}

/*
 * How many rows a tile takes: of rows joined with those outside into one run where both operands
 * allow it, of whole rows outside where these are short, else of one.  False where the rows of A do
 * not lie at one stride.
 */
static bool choose_rows(struct plan *p, const struct kbuf *a, const struct kaffine *dims)
{
    struct schedule_entry *e = &p->e;
    e->row_outer = p->outer_m;
    e->tile_m = 1;
    e->tile_outer = 1;
    if (e->row_iter < 0)
        return true;
    int64_t inner, outer, rows = extent_of(p, e->row_iter);
    if (!schedule_even_stride(a, dims, p->r->index[e->row_iter], &inner))
        return false;
    if (p->outer_m >= 0 && schedule_even_stride(a, dims, p->r->index[p->outer_m], &outer)) {
        int64_t n = extent_of(p, p->outer_m);
        if (outer == inner * rows &&
            schedule_epilogue_joins(p->k, &p->r->block[0], p->r->index[p->outer_m],
                                    p->r->index[e->row_iter], rows)) {
            e->tile_outer = 0;
            rows *= n;
        } else if (inner > 0 && outer % inner == 0 && outer / inner >= rows &&
                   outer / inner + rows <= AMX_ROWS) {
            int64_t fit = 1 + (AMX_ROWS - rows) / (outer / inner);
            e->tile_outer = (int)(fit < n ? fit : n);
        }
    }
    e->tile_m = (int)tile_div_ceil(rows, tile_div_ceil(rows, AMX_ROWS));
    return true;
}

/* ---- cost ---- */

/* Tiles of rows: of the run, and of rows outside. */
static double tiles_of_rows(const struct plan *p)
{
    const struct schedule_entry *e = &p->e;
    double tiles = 1;
    for (int i = 0; i < p->r->n_dims; i++) {
        enum kiter kind = p->r->contract->kind[i];
        bool in_run = i == e->row_iter || (i == e->row_outer && e->tile_outer == 0);
        if (kind == KITER_BATCH || (kind == KITER_M && !in_run && i != e->row_outer))
            tiles *= (double)extent_of(p, i);
    }
    if (e->row_iter < 0)
        return tiles;
    int64_t run = extent_of(p, e->row_iter);
    if (e->row_outer >= 0 && e->tile_outer == 0)
        run *= extent_of(p, e->row_outer);
    if (e->row_outer >= 0 && e->tile_outer > 0)
        tiles *= (double)tile_div_ceil(extent_of(p, e->row_outer), e->tile_outer);
    return tiles * (double)tile_div_ceil(run, e->tile_m);
}

static double product_of(const struct plan *p, enum kiter kind, int without)
{
    double n = 1;
    for (int i = 0; i < p->r->n_dims; i++)
        if (p->r->contract->kind[i] == kind && i != without)
            n *= (double)extent_of(p, i);
    return n;
}

static double amx_cycles(const struct plan *p)
{
    const struct schedule_entry *e = &p->e;
    double rows = tiles_of_rows(p), columns = (double)tile_div_ceil(extent_of(p, e->col_iter), 16);
    double steps = (double)tile_div_ceil(extent_of(p, e->k_iter), e->k_block) *
                   product_of(p, KITER_K, e->k_iter) / e->span;
    /* Of a pair of tiles of rows and one of columns, each tile is read once per step. */
    double per_rows = rows > 1 ? 2 : 1, per_columns = columns > 1 ? 2 : 1;
    double loads = LOAD_CYCLES * (1 / per_rows + 1 / per_columns);
    double step = loads > PRODUCT_CYCLES ? loads : PRODUCT_CYCLES;
    return rows * columns * (steps * step + SUMS_CYCLES) + SETUP_CYCLES;
}

static double stage_cycles(const struct plan *p)
{
    struct kaffine dims[MAX_RANK];
    struct kbuf to = staged_buf(p, dims);
    const struct kbuf *from = &p->k->bufs[p->a->buf];
    int64_t stride = 0, from_block = layout_block_size(&from->layout, p->k_dim);
    int64_t block = layout_block_size(&to.layout, p->k_dim);
    double bytes = (double)layout_elems(&to.layout, to.dims);
    bool lines = schedule_stride(from, p->a->dim, p->r->index[p->e.k_iter], &stride) &&
                 stride == 1 && (from_block == 1 || from_block >= block);
    if (lines)
        return bytes / (double)block * COPY_CYCLES;
    return bytes * (block < SHORT_BLOCK ? SHORT_BYTE_CYCLES : BYTE_CYCLES);
}

/* The same contraction with the 64-byte dot products of vector registers. */
static double vector_cycles(const struct plan *p)
{
    double rows = product_of(p, KITER_M, -1) * product_of(p, KITER_BATCH, -1);
    double columns = (double)tile_div_ceil(extent_of(p, p->e.col_iter), 16);
    double all = product_of(p, KITER_K, -1), groups = all;
    for (int i = 0; i < p->r->n_dims; i++) {
        double n = (double)extent_of(p, i);
        double with = all / n * (double)tile_div_ceil(extent_of(p, i), AMX_GROUP);
        if (p->r->contract->kind[i] == KITER_K && with < groups)
            groups = with;
    }
    return rows * columns * groups / DOTS_PER_CYCLE;
}

/* ---- the plan ---- */

static bool plan_as(struct plan *p, bool staged, double *out_cycles)
{
    struct kaffine dims[MAX_RANK];
    struct kbuf a = p->k->bufs[p->a->buf];
    memcpy(dims, p->a->dim, sizeof dims);
    p->e.row_outer = -1;
    if (!schedule_choose_indices(p->k, p->r, false, &p->e, &p->outer_m) || !choose_k(p, staged))
        return false;
    if (staged) {
        p->staged = layout_blocked(layout_plain(a.rank), p->k_dim, p->e.k_block);
        a = staged_buf(p, dims);
    }
    int col_dim = unit_dim(p, p->b, p->e.col_iter);
    if (col_dim < 0 || !others_step(p, p->b, col_dim, p->e.col_iter, AMX_COLUMNS) ||
        !choose_rows(p, &a, dims))
        return false;
    choose_span(p, &a, dims);
    *out_cycles = amx_cycles(p) + (staged ? stage_cycles(p) : 0);
    return true;
}

static bool begin_plan(const struct target *t, const struct kernel *k, kval contract,
                       struct plan *out)
{
    if (!target_has(t, "amx-tile") || !target_has(t, "amx-int8"))
        return false;
    struct plan p = {.k = k, .r = kernel_inst(k, contract)->region};
    p.a = &p.r->contract->a;
    p.b = &p.r->contract->b;
    p.e = (struct schedule_entry){.region = contract,
                                  .lanes = 1,
                                  .vector = AMX_COLUMNS,
                                  .tile_n = 2,
                                  .dot = SCHEDULE_DOT_TILE,
                                  .group = AMX_GROUP};
    *out = p;
    return is_candidate(&p);
}

static void prepare(const struct target *t, struct kernel *k, kval contract)
{
    struct plan in_place, staged;
    double cycles = 0, staged_cycles = 0;
    if (!begin_plan(t, k, contract, &in_place))
        return;
    staged = in_place;
    bool fits = plan_as(&in_place, false, &cycles);
    if (!plan_as(&staged, true, &staged_cycles) || (fits && cycles <= staged_cycles) ||
        staged_cycles >= vector_cycles(&staged))
        return;
    kernel_stage_operand(k, contract, &staged.staged);
}

struct contracts {
    struct arena *arena;
    kval *v;
    size_t n, cap;
};

static bool collect(const struct kernel *k, kval v, void *arg)
{
    struct contracts *c = arg;
    if (kernel_inst(k, v)->op == KOP_CONTRACT)
        ARENA_PUSH(c->arena, c->v, c->n, c->cap) = v;
    return true;
}

void cpu_prepare_amx(const struct target *t, struct kernel *k)
{
    struct contracts c = {.arena = k->arena};
    kernel_walk(k, collect, &c);
    for (size_t i = 0; i < c.n; i++)
        prepare(t, k, c.v[i]);
}

bool cpu_schedule_amx(const struct target *t, struct kernel *k, kval contract,
                      struct schedule_entry *out_entry)
{
    struct plan p;
    double cycles;
    if (!begin_plan(t, k, contract, &p) || !plan_as(&p, false, &cycles) ||
        cycles >= vector_cycles(&p))
        return false;
    p.e.group_iter = p.e.k_iter;
    *out_entry = p.e;
    return schedule_pack_b(k, p.r, &p.e, AMX_COLUMNS, (int)p.k_bytes);
}
