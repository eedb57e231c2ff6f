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

#include "bundle/tile/contract_tile.h"
#include "cpu_runtime/codegen/contract_amx.h"

enum { TILE_A = 4, TILE_B = 6, LINE_BYTES = 64 };

int64_t amx_extent(const struct amx *x, int i)
{
    return i < 0 ? 1 : kernel_static_extent(x->ek->k, x->r, i);
}

int amx_k_step(const struct amx *x, int i)
{
    if (i == x->e->k_iter)
        return x->e->k_block;
    return x->e->span > 1 && i == x->e->span_iter ? x->e->span : 1;
}

/* ---- instructions ---- */

static LLVMValueRef tile_number(struct amx *x, int n)
{
    return LLVMConstInt(x->ek->e->i8, (unsigned)n, 0);
}

static int sum_tile(int i, int j)
{
    return i * AMX_PER_SIDE + j;
}

static void tile_memory(struct amx *x, const char *name, int tile, LLVMValueRef p, int64_t stride)
{
    LLVMValueRef args[3] = {tile_number(x, tile), p, emit_index(x->ek->e, stride)};
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

/* Palette, bytes a row of each tile from 16 on, rows from 48. */
LLVMValueRef amx_configuration(struct amx *x)
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

int64_t amx_n_blocks(const struct amx_axis *a)
{
    return tile_div_ceil(tile_div_ceil(a->extent, a->span), a->per);
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
    int64_t lines = x->columns.n * AMX_COLUMNS * x->e->k_block / LINE_BYTES;
    int64_t blocks = x->n_outside * amx_n_blocks(&x->outer) * amx_n_blocks(&x->inner);
    if (x->order[0] != AMX_BY_COLUMNS || blocks > lines)
        return;
    int64_t share = tile_div_ceil(lines, blocks);
    struct eaffine block = eaffine_const(0), at = next_columns(x);
    eaffine_add(&block, &x->outside, amx_n_blocks(&x->outer) * amx_n_blocks(&x->inner));
    eaffine_add(&block, &x->outer.block, amx_n_blocks(&x->inner));
    eaffine_add(&block, &x->inner.block, 1);
    eaffine_add(&at, &block, x->n_steps * share * LINE_BYTES);
    eaffine_add(&at, &x->step, share * LINE_BYTES);
    tile_prefetch_lines(x->ek, &x->c->b, at, share, LINE_BYTES);
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

void amx_count_on(struct eaffine *number, int64_t count, const struct eaffine *digit)
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
    int index = blocks ? x->e->k_iter : i, by = amx_k_step(x, index);
    int64_t count = tile_div_ceil(amx_extent(x, index), by);
    struct eaffine at = eaffine_const(0), v = eaffine_const(0), saved = x->step;
    struct eloop l = {0};
    if (count > 1) {
        l = emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, count), 1);
        v = eaffine_var(emit_add_var(ek, l.phi, count));
    }
    eaffine_add(&at, &v, by);
    emit_bind_index(ek, x->r->index[index], &at);
    amx_count_on(&x->step, count, &v);
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
    *l = emit_loop_begin(ek, emit_index(ek->e, 0), emit_index(ek->e, count), 1);
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

void amx_emit_block(struct amx *x)
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
