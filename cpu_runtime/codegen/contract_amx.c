/*
 * Contractions of bytes in AMX's tile registers.
 *
 *   for each batch index, pair of column tiles, M index outside, pair of row tiles
 *     C[0..1][0..1] = 0
 *     for K, blocks of at most 64 bytes innermost
 *       load A[0], A[1], B[0], B[1];  C[i][j] += A[i] * B[j]
 *     store C to scratch; the epilogue on its rows, in vectors
 *
 * Four loads feed four products: tile loads take 8 cycles each, products 16, so the products set
 * the pace.  Where the weights fit the first-level cache the columns run innermost, so that A is
 * read once; else the rows do, so that a column block of weights is.
 *
 * A column block of weights comes from memory for the first rows and from the cache for all others,
 * and tile loads alone have few lines of memory on their way at a time.  So each step prefetches
 * its share of the next column block to the second-level cache; behind the last block lie the
 * constants that are needed next.
 *
 * Tile registers: 0 to 3 sums, 4 and 5 operand A, 6 and 7 operand B.  The configuration is loaded
 * where the contraction starts and released at its end: tiles in use would make each switch between
 * threads save 8 KiB.  The explicit intrinsics are used, which name the registers; LLVM neither
 * assigns nor spills any.
 */
#include <assert.h>
#include <string.h>

#include "cpu_runtime/codegen/contract_amx.h"
#include "cpu_runtime/codegen/contract_tile.h"
#include "cpu_runtime/codegen/cpu_target.h"

enum { TILE_A = 4, TILE_B = 6, PER_SIDE = 2, L1_SHARE_BYTES = 24 * 1024, LINE_BYTES = 64 };

/* Tiles along one direction.  All have the same span; the last one overlaps the one before where
   they do not come out even, unless the operand is padded beyond its end. */
struct axis {
    int64_t extent;
    int span;
    bool padded;
    int per;              /* tiles in a block */
    int n;                /* of the block being emitted */
    struct eaffine block; /* its number */
    struct eaffine at[PER_SIDE];
};

enum level { COLUMNS, ROWS_OUTSIDE, OUTER, INNER, N_LEVELS };

struct amx {
    struct emit_kernel *ek;
    const struct kregion *r;
    const struct kcontract *c;
    const struct schedule_entry *e;
    struct axis columns, outer, inner; /* outer: of row_outer, where it is not joined */
    bool joined;
    int64_t row_stride; /* of A, in bytes */
    int pitch;          /* rows of a tile between rows outside */
    int tile_rows;
    enum level order[N_LEVELS];
    struct eaffine outside; /* rows outside of all tiles before the present ones */
    int64_t n_outside;
    struct eaffine step; /* steps of K before the present one */
    int64_t n_steps;
    LLVMValueRef sums; /* scratch: PER_SIDE tiles of rows, each PER_SIDE tiles of columns wide */
};

static int64_t extent_of(const struct amx *x, int i)
{
    return i < 0 ? 1 : kernel_static_extent(x->ek->k, x->r, i);
}

/* ---- instructions ---- */

static LLVMValueRef tile_number(struct amx *x, int n)
{
    return LLVMConstInt(x->ek->e->i8, (unsigned)n, 0);
}

static int sum_tile(int i, int j)
{
    return i * PER_SIDE + j;
}

static void tile_memory(struct amx *x, const char *name, int tile, LLVMValueRef p, int64_t stride)
{
    LLVMValueRef args[3] = {tile_number(x, tile), p, emit_i64(x->ek->e, stride)};
    emit_intrinsic(x->ek->e, name, NULL, 0, args, 3);
}

static void tile_product(struct amx *x, int sum, int a, int b)
{
    static const char *const NAMES[2][2] = {{"llvm.x86.tdpbuud", "llvm.x86.tdpbusd"},
                                            {"llvm.x86.tdpbsud", "llvm.x86.tdpbssd"}};
    const struct kbuf *bufs = x->ek->k->bufs;
    bool a_signed = bufs[x->c->a.buf].dtype == DTYPE_I8;
    bool b_signed = bufs[x->c->b.buf].dtype == DTYPE_I8;
    LLVMValueRef args[3] = {tile_number(x, sum), tile_number(x, a), tile_number(x, b)};
    emit_intrinsic(x->ek->e, NAMES[a_signed][b_signed], NULL, 0, args, 3);
}

/* The 64 bytes that ldtilecfg reads: palette, bytes a row of each tile from 16 on, rows from 48. */
static LLVMValueRef configuration(struct amx *x)
{
    struct emit *e = x->ek->e;
    char c[64] = {1};
    for (int t = 0; t < 8; t++) {
        bool is_a = t >= TILE_A && t < TILE_B, is_b = t >= TILE_B;
        c[16 + 2 * t] = (char)(is_a ? x->e->k_block : AMX_ROW_BYTES);
        c[48 + t] = (char)(is_b ? x->e->k_block / AMX_GROUP : x->tile_rows);
    }
    LLVMValueRef value = LLVMConstStringInContext(e->ctx, c, sizeof c, 1);
    LLVMValueRef global = LLVMAddGlobal(e->mod, LLVMTypeOf(value), "tiles");
    LLVMSetInitializer(global, value);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    LLVMSetAlignment(global, sizeof c);
    return global;
}

/* ---- positions ---- */

/* Rows of tile i of the block start at row `row` of it, `outside` rows further outside. */
static void bind_rows(struct amx *x, int i, const struct eaffine *row,
                      const struct eaffine *outside)
{
    struct emit_kernel *ek = x->ek;
    struct eaffine at = x->inner.at[i % x->inner.n];
    if (x->e->row_iter < 0)
        return;
    eaffine_add(&at, row, 1);
    if (x->joined) {
        /* Both indices are variables without a value of their own; addresses see the pair. */
        struct eaffine inner = eaffine_var(ek->join.inner), outer = eaffine_var(ek->join.outer);
        emit_bind_index(ek, x->r->index[x->e->row_iter], &inner);
        emit_bind_index(ek, x->r->index[x->e->row_outer], &outer);
        ek->join.joined = -1;
        ek->join.joined = emit_add_var(ek, eaffine_value(ek, &at), 0);
        return;
    }
    emit_bind_index(ek, x->r->index[x->e->row_iter], &at);
    if (x->e->row_outer < 0)
        return;
    at = x->outer.at[i / x->inner.n];
    eaffine_add(&at, outside, 1);
    emit_bind_index(ek, x->r->index[x->e->row_outer], &at);
}

static LLVMValueRef operand_pointer(struct amx *x, const struct koperand *o)
{
    struct eaffine idx[MAX_RANK];
    for (int d = 0; d < x->ek->k->bufs[o->buf].rank; d++)
        idx[d] = tile_bound(x->ek, &o->dim[d]);
    struct eaddress at = emit_address_affine(x->ek, o->buf, idx);
    assert(!at.varying);
    return emit_pointer(x->ek, o->buf, &at.affine);
}

/* ---- prefetching ---- */

static int64_t n_blocks(const struct axis *a)
{
    int64_t tiles = (a->extent + a->span - 1) / a->span;
    return (tiles + a->per - 1) / a->per;
}

/* Where the next column block starts. */
static struct eaffine next_columns(struct amx *x)
{
    struct emit_kernel *ek = x->ek;
    struct eaffine saved[KREGION_MAX_DIMS], idx[MAX_RANK], zero = eaffine_const(0);
    struct eaffine column = x->columns.at[0];
    column.offset += x->columns.n * AMX_COLUMNS;
    for (int i = 0; i < x->r->n_dims; i++) {
        saved[i] = ek->bind[x->r->index[i]];
        if (x->c->kind[i] == KITER_K)
            emit_bind_index(ek, x->r->index[i], &zero);
    }
    emit_bind_index(ek, x->r->index[x->e->col_iter], &column);
    for (int d = 0; d < ek->k->bufs[x->c->b.buf].rank; d++)
        idx[d] = tile_bound(ek, &x->c->b.dim[d]);
    struct eaddress at = emit_address_affine(ek, x->c->b.buf, idx);
    for (int i = 0; i < x->r->n_dims; i++)
        emit_bind_index(ek, x->r->index[i], &saved[i]);
    return at.affine;
}

/* This step's share of the weights of the next column block, which all steps of all rows read. */
static void prefetch(struct amx *x)
{
    struct emit *e = x->ek->e;
    int64_t lines = x->columns.n * AMX_COLUMNS * x->e->k_block / LINE_BYTES;
    int64_t blocks = x->n_outside * n_blocks(&x->outer) * n_blocks(&x->inner);
    if (x->order[0] != COLUMNS || blocks > lines)
        return;
    int64_t share = (lines + blocks - 1) / blocks;
    struct eaffine block = eaffine_const(0), at = next_columns(x);
    eaffine_add(&block, &x->outside, n_blocks(&x->outer) * n_blocks(&x->inner));
    eaffine_add(&block, &x->outer.block, n_blocks(&x->inner));
    eaffine_add(&block, &x->inner.block, 1);
    eaffine_add(&at, &block, x->n_steps * share * LINE_BYTES);
    eaffine_add(&at, &x->step, share * LINE_BYTES);
    for (int64_t i = 0; i < share; i++) {
        LLVMValueRef off = eaffine_value(x->ek, &at);
        LLVMValueRef args[4] = {
            LLVMBuildGEP2(e->b, e->i8, x->ek->buf[x->c->b.buf], &off, 1, ""),
            LLVMConstInt(e->i32, 0, 0), /* read */
            LLVMConstInt(e->i32, 2, 0), /* second-level cache */
            LLVMConstInt(e->i32, 1, 0), /* data */
        };
        emit_intrinsic(e, "llvm.prefetch", &e->ptr, 1, args, 4);
        at.offset += LINE_BYTES;
    }
}

/* ---- inside a block of tiles ---- */

/* One step of K with its indices bound. */
static void step(struct amx *x)
{
    struct eaffine zero = eaffine_const(0);
    int n_rows = x->inner.n * x->outer.n;
    for (int i = 0; i < n_rows; i++) {
        bind_rows(x, i, &zero, &zero);
        tile_memory(x, "llvm.x86.tileloadd64", TILE_A + i, operand_pointer(x, &x->c->a),
                    x->row_stride);
        for (int j = 0; j < x->columns.n; j++) {
            if (i == 0) {
                emit_bind_index(x->ek, x->r->index[x->e->col_iter], &x->columns.at[j]);
                tile_memory(x, "llvm.x86.tileloadd64", TILE_B + j, operand_pointer(x, &x->c->b),
                            AMX_ROW_BYTES);
            }
            tile_product(x, sum_tile(i, j), TILE_A + i, TILE_B + j);
        }
    }
    prefetch(x);
}

/* A number so far in digits of other indices gets one more digit, of `count` values. */
static void count_on(struct eaffine *number, int64_t count, const struct eaffine *digit)
{
    struct eaffine before = *number;
    *number = *digit;
    eaffine_add(number, &before, count);
}

/* The K indices in order, the blocked one innermost (i == n_dims). */
static void k_level(struct amx *x, int i)
{
    struct emit_kernel *ek = x->ek;
    while (i < x->r->n_dims && (x->c->kind[i] != KITER_K || i == x->e->k_iter))
        i++;
    if (i > x->r->n_dims) {
        step(x);
        return;
    }
    bool blocks = i == x->r->n_dims;
    int index = blocks ? x->e->k_iter : i, by = blocks ? x->e->k_block : 1;
    int64_t count = (extent_of(x, index) + by - 1) / by;
    struct eaffine at = eaffine_const(0), v = eaffine_const(0), saved = x->step;
    struct eloop l = {0};
    if (count > 1) {
        l = emit_loop_begin(ek, emit_i64(ek->e, 0), emit_i64(ek->e, count), 1);
        v = eaffine_var(emit_add_var(ek, l.phi, count));
    }
    eaffine_add(&at, &v, by);
    emit_bind_index(ek, x->r->index[index], &at);
    count_on(&x->step, count, &v);
    k_level(x, i + 1);
    x->step = saved;
    if (count > 1)
        emit_loop_end(ek, &l);
}

/* Byte offset of a row of sums in the scratch. */
static int64_t sums_at(const struct amx *x, int i, int row)
{
    return (int64_t)(i * AMX_ROWS + row) * x->columns.n * AMX_ROW_BYTES;
}

static LLVMValueRef byte_pointer(struct amx *x, LLVMValueRef base, const struct eaffine *offset)
{
    struct emit *e = x->ek->e;
    LLVMValueRef off = eaffine_value(x->ek, offset);
    return LLVMBuildInBoundsGEP2(e->b, e->i8, base, &off, 1, "");
}

static void store_sums(struct amx *x)
{
    for (int i = 0; i < x->inner.n * x->outer.n; i++)
        for (int j = 0; j < x->columns.n; j++) {
            struct eaffine at = eaffine_const(sums_at(x, i, 0) + j * AMX_ROW_BYTES);
            tile_memory(x, "llvm.x86.tilestored64", sum_tile(i, j), byte_pointer(x, x->sums, &at),
                        x->columns.n * AMX_ROW_BYTES);
        }
}

/* ---- the epilogue ---- */

/* Whether accesses keep lanes of `lanes` columns side by side: their blocks hold them whole. */
static bool blocks_hold(const struct amx *x, int lanes)
{
    const struct kernel *k = x->ek->k;
    const struct kblock *blk = &x->r->block[0];
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        if (in->op != KOP_LOAD && in->op != KOP_LOAD_OR && in->op != KOP_STORE)
            continue;
        for (int d = 0; d < k->bufs[in->buf].rank; d++)
            if (layout_block_size(&k->bufs[in->buf].layout, d) % lanes != 0 &&
                layout_block_size(&k->bufs[in->buf].layout, d) != 1)
                return false;
    }
    return true;
}

/* The columns of one row of sums, in vectors; behind the last that exist in shorter ones. */
static void epilogue_row(struct amx *x, const struct eaffine *row_of_sums)
{
    struct emit_kernel *ek = x->ek;
    int width = x->columns.n * AMX_COLUMNS;
    int64_t exist = width;
    const struct eaffine *first = &x->columns.at[0];
    if (first->n_terms == 0 && x->columns.extent - first->offset < width)
        exist = x->columns.extent - first->offset;
    int lanes = width > AMX_COLUMNS && !blocks_hold(x, width) ? AMX_COLUMNS : width;
    for (int64_t at = 0; at < exist; at += lanes) {
        while (lanes > exist - at)
            lanes /= 2;
        emit_set_lanes(ek, lanes);
        struct eaffine column = *first, offset = *row_of_sums;
        column.offset += at;
        offset.offset += at * 4;
        if (lanes > 1) {
            struct eaffine lane = eaffine_var(EVAR_LANE);
            eaffine_add(&column, &lane, 1);
        }
        emit_bind_index(ek, x->r->index[x->e->col_iter], &column);
        LLVMValueRef sum = LLVMBuildLoad2(ek->e->b, emit_lane_type(ek, DTYPE_I32, lanes > 1),
                                          byte_pointer(x, x->sums, &offset), "");
        LLVMSetAlignment(sum, 4);
        emit_set(ek, x->r->block[0].param[0], sum, lanes > 1);
        emit_block(ek, &x->r->block[0]);
    }
    emit_set_lanes(ek, 1);
}

/* A loop over `count` values where there are several. */
static struct eaffine begin_count(struct amx *x, int count, struct eloop *l)
{
    struct emit_kernel *ek = x->ek;
    if (count == 1)
        return eaffine_const(0);
    *l = emit_loop_begin(ek, emit_i64(ek->e, 0), emit_i64(ek->e, count), 1);
    return eaffine_var(emit_add_var(ek, l->phi, count));
}

static void end_count(struct amx *x, int count, struct eloop *l)
{
    if (count > 1)
        emit_loop_end(x->ek, l);
}

/* Rows of a tile between rows outside belong to no result. */
static void epilogue(struct amx *x, int i)
{
    struct eloop outer_loop, row_loop;
    struct eaffine outside = begin_count(x, x->outer.span, &outer_loop);
    struct eaffine row = begin_count(x, x->inner.span, &row_loop);
    int64_t row_bytes = sums_at(x, 0, 1);
    struct eaffine at = eaffine_const(sums_at(x, i, 0));
    eaffine_add(&at, &outside, x->pitch * row_bytes);
    eaffine_add(&at, &row, row_bytes);
    bind_rows(x, i, &row, &outside);
    epilogue_row(x, &at);
    end_count(x, x->inner.span, &row_loop);
    end_count(x, x->outer.span, &outer_loop);
}

static void block_of_tiles(struct amx *x)
{
    int n_rows = x->inner.n * x->outer.n;
    for (int i = 0; i < n_rows; i++)
        for (int j = 0; j < x->columns.n; j++) {
            LLVMValueRef tile = tile_number(x, sum_tile(i, j));
            emit_intrinsic(x->ek->e, "llvm.x86.tilezero", NULL, 0, &tile, 1);
        }
    k_level(x, 0);
    store_sums(x);
    for (int i = 0; i < n_rows; i++)
        epilogue(x, i);
    x->ek->join.joined = -1;
}

/* ---- the loops around it ---- */

static void level(struct amx *x, int i);

/* Blocks of tiles along an axis: those that start at multiples of the span in a loop, the
   rest, the last tile among them where it overlaps, behind it. */
static void axis_level(struct amx *x, struct axis *a, int i)
{
    struct emit_kernel *ek = x->ek;
    int per = a->per;
    int64_t tiles = (a->extent + a->span - 1) / a->span;
    int64_t full = a->extent / a->span / per;
    if (full > 0) {
        struct eloop l = {0};
        a->block = eaffine_const(0);
        if (full > 1) {
            l = emit_loop_begin(ek, emit_i64(ek->e, 0), emit_i64(ek->e, full), 1);
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
    int64_t n = extent_of(x, i);
    struct eloop l = {0};
    struct eaffine at = eaffine_const(0), saved = x->outside;
    if (n > 1) {
        l = emit_loop_begin(ek, emit_i64(ek->e, 0), emit_i64(ek->e, n), 1);
        at = eaffine_var(emit_add_var(ek, l.phi, n));
    }
    emit_bind_index(ek, x->r->index[i], &at);
    if (wanted == is_row_outside)
        count_on(&x->outside, n, &at);
    index_loops(x, wanted, i + 1, next);
    x->outside = saved;
    if (n > 1)
        emit_loop_end(ek, &l);
}

static void level(struct amx *x, int i)
{
    if (i == N_LEVELS) {
        block_of_tiles(x);
        return;
    }
    switch (x->order[i]) {
    case COLUMNS:
        axis_level(x, &x->columns, i);
        return;
    case ROWS_OUTSIDE:
        index_loops(x, is_row_outside, 0, i + 1);
        return;
    case OUTER:
        axis_level(x, &x->outer, i);
        return;
    default:
        axis_level(x, &x->inner, i);
        return;
    }
}

static void choose_order(struct amx *x)
{
    static const enum level COLUMNS_LAST[] = {ROWS_OUTSIDE, OUTER, INNER, COLUMNS};
    static const enum level ROWS_LAST[] = {COLUMNS, ROWS_OUTSIDE, OUTER, INNER};
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
    x->inner = (struct axis){.extent = extent_of(x, e->row_iter), .span = e->tile_m, .n = 1};
    x->outer = (struct axis){.extent = 1, .span = 1, .n = 1};
    x->row_stride = AMX_ROW_BYTES;
    if (e->row_iter >= 0)
        cpu_access_stride(a, x->c->a.dim, x->r->index[e->row_iter], &x->row_stride);
    if (x->joined) {
        x->inner.extent *= extent_of(x, e->row_outer);
    } else if (e->row_outer >= 0) {
        x->outer.extent = extent_of(x, e->row_outer);
        x->outer.span = e->tile_outer;
    }
    if (x->outer.span > 1) {
        cpu_access_stride(a, x->c->a.dim, x->r->index[e->row_outer], &outside);
        x->pitch = (int)(outside / x->row_stride);
    }
    /* Rows are taken in pairs along the run; of runs of one tile two. */
    x->inner.per = x->inner.extent > x->inner.span ? PER_SIDE : 1;
    x->outer.per = PER_SIDE / x->inner.per;
    x->tile_rows = (x->outer.span - 1) * x->pitch + x->inner.span;
    assert(x->tile_rows <= AMX_ROWS);
}

/* How many steps of K there are, and rows outside the tiles. */
static void describe_k(struct amx *x)
{
    x->n_steps = x->n_outside = 1;
    x->step = x->outside = eaffine_const(0);
    for (int i = 0; i < x->r->n_dims; i++) {
        int64_t by = i == x->e->k_iter ? x->e->k_block : 1;
        if (x->c->kind[i] == KITER_K)
            x->n_steps *= (extent_of(x, i) + by - 1) / by;
        else if (is_row_outside(x, i))
            x->n_outside *= extent_of(x, i);
    }
}

void cpu_emit_amx(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry)
{
    struct emit *e = ek->e;
    struct amx x = {.ek = ek, .r = kernel_inst(ek->k, contract)->region, .e = entry};
    x.c = x.r->contract;
    describe_rows(&x);
    describe_k(&x);
    x.columns = (struct axis){.extent = extent_of(&x, entry->col_iter),
                              .span = AMX_COLUMNS,
                              .padded = true,
                              .per = PER_SIDE};
    choose_order(&x);
    if (x.joined) {
        ek->join.inner_extent = extent_of(&x, entry->row_iter);
        ek->join.outer = emit_add_var(ek, NULL, extent_of(&x, entry->row_outer));
        ek->join.inner = emit_add_var(ek, NULL, ek->join.inner_extent);
    }
    unsigned bytes = PER_SIDE * PER_SIDE * AMX_ROWS * AMX_ROW_BYTES;
    x.sums = emit_alloca(ek, LLVMArrayType2(e->i8, bytes));
    LLVMSetAlignment(x.sums, AMX_ROW_BYTES);
    LLVMValueRef tiles = configuration(&x);
    emit_intrinsic(e, "llvm.x86.ldtilecfg", NULL, 0, &tiles, 1);
    index_loops(&x, is_batch, 0, 0);
    emit_intrinsic(e, "llvm.x86.tilerelease", NULL, 0, NULL, 0);
    ek->join.joined = -1;
}
