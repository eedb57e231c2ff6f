/*
 * The tile generator: contractions in f32 on any vector width.
 *
 *   for each batch index and column block
 *     for each row outside the tile (image rows)
 *       for each tile of rows
 *         accumulators = 0
 *         for K, outermost index first, blocks of operand A innermost
 *           b[j] = vector of B;  for each row i: acc[i][j] += broadcast A[i] * b[j]
 *         epilogue on every accumulator
 *
 * Padding costs nothing: where a row index and a K index share a padded dimension of A, that K
 * index is unrolled and the steps that fall outside are left out, tile by tile (tiles with the same
 * pattern share code); for other padded dimensions the range of the K index is computed.
 *
 * The accumulators are stack slots that LLVM's sroa turns into registers.
 *
 * A column block of weights is read from memory by the first tile of rows and from the cache by the
 * others, so without help the first tile waits for memory and the others leave it idle.  Each tile
 * therefore prefetches its share of the next column block.
 */
#include <assert.h>
#include <string.h>

#include "bundle/emit/emit_internal.h"
#include "cpu_runtime/codegen/cpu_target.h"

enum { MAX_ACC = 64, MAX_UNROLL = 8, MIN_FMA_PER_ROUND = 56, LINE_FLOATS = 16 };

struct tile {
    struct emit_kernel *ek;
    const struct kinst *in;
    const struct kregion *r;
    const struct kcontract *c;
    const struct schedule_entry *e;
    int rows;       /* of this tile */
    int vectors;    /* of this column block */
    int last_lanes; /* of the last vector: the columns that exist */
    struct eaffine row0, col0;
    int64_t first_row; /* of the tile, where rows of this class start */
    LLVMValueRef acc[MAX_ACC];
    int pad_dim, pad_k; /* dimension of A shared by rows and an unrolled K index; or -1 */
    int k_order[KREGION_MAX_DIMS];
    int n_k;
    struct eaffine outer_tile; /* tiles in the outer rows before this one */
    struct eaffine tile;       /* position of this tile among those of the column block */
    int64_t n_tiles;           /* of a column block */
};

static int64_t extent_of(const struct tile *t, int i)
{
    int64_t n = 0;
    kernel_is_const_int(t->ek->k, t->r->extent[i], &n);
    return n;
}

static int64_t coef_of(const struct kaffine *a, kval var)
{
    for (int i = 0; i < a->n_terms; i++)
        if (a->term[i].var == var)
            return a->term[i].coef;
    return 0;
}

static struct eaffine bound(struct emit_kernel *ek, const struct kaffine *a)
{
    struct eaffine r = eaffine_const(a->offset);
    for (int i = 0; i < a->n_terms; i++)
        eaffine_add(&r, &ek->bind[a->term[i].var], a->term[i].coef);
    return r;
}

static struct eaddress operand_address(struct tile *t, const struct koperand *o)
{
    struct eaffine idx[MAX_RANK];
    int rank = t->ek->k->bufs[o->buf].rank;
    for (int d = 0; d < rank; d++)
        idx[d] = bound(t->ek, &o->dim[d]);
    return emit_address_affine(t->ek, o->buf, idx);
}

static void bind_row(struct tile *t, int64_t i)
{
    if (t->e->row_iter < 0)
        return;
    struct eaffine a = t->e->row_outer >= 0 ? eaffine_var(t->ek->join.inner) : t->row0;
    a.offset += i;
    emit_bind_index(t->ek, t->r->index[t->e->row_iter], &a);
}

static void bind_col(struct tile *t, int64_t vector, int64_t lane0)
{
    struct eaffine a = t->col0, lane = eaffine_var(EVAR_LANE);
    a.offset += vector * t->e->vector + lane0;
    eaffine_add(&a, &lane, 1);
    emit_bind_index(t->ek, t->r->index[t->e->col_iter], &a);
}

/* Whether row i of the tile is inside A for the value kw of the unrolled K index. */
static bool row_is_inside(const struct tile *t, int64_t row, int64_t kw)
{
    const struct kaffine *a = &t->c->a.dim[t->pad_dim];
    int64_t at = a->offset + row * coef_of(a, t->r->index[t->e->row_iter]) +
                 kw * coef_of(a, t->r->index[t->pad_k]);
    return at >= 0 && at < t->ek->k->bufs[t->c->a.buf].dims[t->pad_dim];
}

/* acc + a * b */
static LLVMValueRef multiply_add(struct emit_kernel *ek, LLVMValueRef a, LLVMValueRef b,
                                 LLVMValueRef acc)
{
    struct emit *e = ek->e;
    if (e->target->has_fma) {
        LLVMTypeRef t = LLVMTypeOf(acc);
        LLVMValueRef args[3] = {a, b, acc};
        return emit_intrinsic(e, "llvm.fma", &t, 1, args, 3);
    }
    return LLVMBuildFAdd(e->b, LLVMBuildFMul(e->b, a, b, ""), acc, "");
}

/* One step of K with all indices bound; kw: value of the unrolled index. */
static void step(struct tile *t, int64_t kw)
{
    struct emit_kernel *ek = t->ek;
    LLVMBuilderRef b = ek->e->b;
    LLVMTypeRef vec = emit_lane_type(ek, DTYPE_F32, true);
    LLVMValueRef bv[MAX_ACC];
    for (int j = 0; j < t->vectors; j++) {
        bool varying;
        bind_col(t, j, 0);
        struct eaddress at = operand_address(t, &t->c->b);
        bv[j] = emit_load(ek, &at, &varying);
        if (!varying)
            bv[j] = emit_splat(ek, bv[j]);
    }
    for (int i = 0; i < t->rows; i++) {
        if (t->pad_k >= 0 && !row_is_inside(t, t->first_row + i, kw))
            continue;
        bool varying;
        bind_row(t, i);
        struct eaddress at = operand_address(t, &t->c->a);
        LLVMValueRef av = emit_load(ek, &at, &varying);
        assert(!varying);
        av = emit_splat(ek, av);
        for (int j = 0; j < t->vectors; j++) {
            LLVMValueRef slot = t->acc[i * t->vectors + j];
            LLVMValueRef sum = LLVMBuildLoad2(b, vec, slot, "");
            LLVMBuildStore(b, multiply_add(ek, av, bv[j], sum), slot);
        }
    }
}

/*
 * This tile's share of the lines of B that `steps` steps of the next column block will read, to the
 * second-level cache.  Behind the last block lie the constants that are needed next.
 */
static void prefetch_share(struct tile *t, int64_t steps)
{
    struct emit_kernel *ek = t->ek;
    struct emit *e = ek->e;
    int64_t lines = steps * t->e->tile_n * t->e->vector / LINE_FLOATS;
    if (!ek->k->bufs[t->c->b.buf].constant || t->n_tiles < 2 || t->n_tiles > lines)
        return;
    int64_t share = (lines + t->n_tiles - 1) / t->n_tiles;
    bind_col(t, t->e->tile_n, 0);
    struct eaddress at = operand_address(t, &t->c->b);
    struct eaffine first = at.affine;
    eaffine_add(&first, &t->tile, share * LINE_FLOATS);
    for (int64_t i = 0; i < share; i++) {
        LLVMValueRef off = eaffine_value(ek, &first);
        LLVMValueRef args[4] = {
            LLVMBuildGEP2(e->b, e->f32, ek->buf[t->c->b.buf], &off, 1, ""),
            LLVMConstInt(e->i32, 0, 0), /* read */
            LLVMConstInt(e->i32, 2, 0), /* second-level cache */
            LLVMConstInt(e->i32, 1, 0), /* data */
        };
        LLVMTypeRef type = e->ptr;
        emit_intrinsic(e, "llvm.prefetch", &type, 1, args, 4);
        first.offset += LINE_FLOATS;
    }
}

static void k_level(struct tile *t, int level, int64_t kw);

/* `count` steps of index i from a base, several per round where the tile is small. */
static void k_run(struct tile *t, int level, int i, const struct eaffine *base, int64_t count,
                  int64_t kw)
{
    struct emit_kernel *ek = t->ek;
    bool innermost = level + 1 == t->n_k + (t->e->k_iter >= 0);
    int unroll = 1;
    while (innermost && unroll < MAX_UNROLL && t->rows * t->vectors * unroll < MIN_FMA_PER_ROUND &&
           count % (unroll * 2) == 0)
        unroll *= 2;
    struct eloop l = {0};
    struct eaffine round = eaffine_const(0);
    if (innermost && t->e->k_iter >= 0)
        prefetch_share(t, count);
    if (count > unroll) {
        l = emit_loop_begin(ek, emit_i64(ek->e, 0), emit_i64(ek->e, count / unroll), 1);
        struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, count / unroll));
        eaffine_add(&round, &v, unroll);
    }
    for (int u = 0; u < unroll; u++) {
        struct eaffine a = *base;
        eaffine_add(&a, &round, 1);
        a.offset += u;
        emit_bind_index(ek, t->r->index[i], &a);
        k_level(t, level + 1, kw);
    }
    if (count > unroll)
        emit_loop_end(ek, &l);
}

/* The blocked index: full blocks in a loop, the rest behind it. */
static void k_blocks(struct tile *t, int level, int i, int64_t kw)
{
    struct emit_kernel *ek = t->ek;
    int64_t n = extent_of(t, i), block = t->e->k_block, full = n / block;
    if (full > 0) {
        struct eloop l = {0};
        struct eaffine base = eaffine_const(0);
        if (full > 1) {
            l = emit_loop_begin(ek, emit_i64(ek->e, 0), emit_i64(ek->e, full), 1);
            struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, full));
            eaffine_add(&base, &v, block);
        }
        emit_bind_index(ek, t->r->index[i], &base);
        k_level(t, level + 1, kw);
        if (full > 1)
            emit_loop_end(ek, &l);
    }
    if (n % block) {
        struct eaffine base = eaffine_const(full * block);
        emit_bind_index(ek, t->r->index[i], &base);
        k_level(t, level + 1, kw);
    }
}

/* The values of the unrolled index that reach inside A for any row of the tile. */
static void k_unrolled(struct tile *t, int level, int i)
{
    for (int64_t kw = 0; kw < extent_of(t, i); kw++) {
        bool any = false;
        for (int row = 0; row < t->rows; row++)
            any = any || row_is_inside(t, t->first_row + row, kw);
        if (!any)
            continue;
        struct eaffine a = eaffine_const(kw);
        emit_bind_index(t->ek, t->r->index[i], &a);
        k_level(t, level + 1, kw);
    }
}

/* The dimension of padded A that K index i shares with a row outside the tile, or -1. */
static int ranged_dim(const struct tile *t, int i)
{
    const struct koperand *a = &t->c->a;
    if (!a->padded)
        return -1;
    for (int d = 0; d < t->ek->k->bufs[a->buf].rank; d++) {
        if (coef_of(&a->dim[d], t->r->index[i]) == 0 || d == t->pad_dim)
            continue;
        for (int j = 0; j < t->r->n_dims; j++)
            if (t->c->kind[j] == KITER_M && j != t->e->row_iter &&
                coef_of(&a->dim[d], t->r->index[j]))
                return d;
    }
    return -1;
}

static LLVMValueRef clamp(struct emit *e, LLVMValueRef v, int64_t least, int64_t most)
{
    LLVMValueRef lo = emit_i64(e, least), hi = emit_i64(e, most);
    v = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, v, lo, ""), lo, v, "");
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, v, hi, ""), hi, v, "");
}

/*
 * 0 <= s + c k < n, with s the part that the row outside sets: k from ceil(-s / c) up to
 * floor((n - 1 - s) / c).  The divisions are of non-negative numbers after adding c times the
 * extent of k, and truncate.
 */
static void k_ranged(struct tile *t, int level, int i, int d, int64_t kw)
{
    struct emit_kernel *ek = t->ek;
    struct emit *e = ek->e;
    const struct kaffine *a = &t->c->a.dim[d];
    int64_t n = ek->k->bufs[t->c->a.buf].dims[d], extent = extent_of(t, i);
    int64_t c = coef_of(a, t->r->index[i]);
    struct eaffine zero = eaffine_const(0);
    emit_bind_index(ek, t->r->index[i], &zero);
    struct eaffine start = bound(ek, a);
    LLVMValueRef s = eaffine_value(ek, &start);
    LLVMValueRef lo = LLVMBuildSub(e->b, emit_i64(e, c - 1), s, "");
    lo = LLVMBuildSDiv(e->b, clamp(e, lo, 0, c * extent), emit_i64(e, c), "");
    LLVMValueRef hi = LLVMBuildSub(e->b, emit_i64(e, n - 1 + c), s, "");
    hi = clamp(e, LLVMBuildSDiv(e->b, clamp(e, hi, 0, c * (extent + 1)), emit_i64(e, c), ""), 0,
               extent);
    struct eloop l = emit_loop_begin(ek, lo, hi, 1);
    struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, extent));
    emit_bind_index(ek, t->r->index[i], &v);
    k_level(t, level + 1, kw);
    emit_loop_end(ek, &l);
}

/* Levels 0 .. n_k-1 are the K indices; one more runs inside the blocks of A. */
static void k_level(struct tile *t, int level, int64_t kw)
{
    struct emit_kernel *ek = t->ek;
    if (level == t->n_k && t->e->k_iter >= 0) {
        int i = t->e->k_iter;
        struct eaffine base = ek->bind[t->r->index[i]];
        int64_t n = extent_of(t, i), block = t->e->k_block;
        bool rest = base.n_terms == 0 && base.offset == n / block * block && n % block;
        k_run(t, level, i, &base, rest ? n % block : block, kw);
        emit_bind_index(ek, t->r->index[i], &base);
        return;
    }
    if (level >= t->n_k) {
        step(t, kw);
        return;
    }
    int i = t->k_order[level];
    int d = ranged_dim(t, i);
    struct eaffine zero = eaffine_const(0);
    if (i == t->e->k_iter)
        k_blocks(t, level, i, kw);
    else if (i == t->pad_k)
        k_unrolled(t, level, i);
    else if (d >= 0)
        k_ranged(t, level, i, d, kw);
    else
        k_run(t, level, i, &zero, extent_of(t, i), kw);
}

/* A part of an accumulator: `lanes` lanes from lane0. */
static LLVMValueRef lanes_of(struct emit_kernel *ek, LLVMValueRef v, int lane0, int lanes, int of)
{
    struct emit *e = ek->e;
    if (lanes == of)
        return v;
    if (lanes == 1)
        return LLVMBuildExtractElement(e->b, v, emit_i64(e, lane0), "");
    LLVMValueRef index[64];
    for (int i = 0; i < lanes; i++)
        index[i] = LLVMConstInt(e->i32, (unsigned)(lane0 + i), 0);
    return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                  LLVMConstVector(index, (unsigned)lanes), "");
}

static void epilogue(struct tile *t)
{
    struct emit_kernel *ek = t->ek;
    LLVMTypeRef vec = emit_lane_type(ek, DTYPE_F32, true);
    int width = t->e->vector;
    for (int i = 0; i < t->rows; i++) {
        for (int j = 0; j < t->vectors; j++) {
            LLVMValueRef sum = LLVMBuildLoad2(ek->e->b, vec, t->acc[i * t->vectors + j], "");
            int exist = j + 1 == t->vectors ? t->last_lanes : width;
            int at = 0;
            for (int lanes = width; lanes >= 1; lanes /= 2) {
                if (exist - at < lanes)
                    continue;
                emit_set_lanes(ek, lanes);
                bind_row(t, i);
                bind_col(t, j, at);
                if (lanes == 1) {
                    /* A single column: no lane takes part. */
                    struct eaffine a = t->col0;
                    a.offset += j * width + at;
                    emit_bind_index(ek, t->r->index[t->e->col_iter], &a);
                }
                emit_set(ek, t->r->block[0].param[0], lanes_of(ek, sum, at, lanes, width),
                         lanes > 1);
                emit_block(ek, &t->r->block[0]);
                at += lanes;
            }
            emit_set_lanes(ek, width);
        }
    }
}

static void emit_tile(struct tile *t)
{
    struct emit_kernel *ek = t->ek;
    LLVMTypeRef vec = emit_lane_type(ek, DTYPE_F32, true);
    int n = t->rows * t->vectors;
    assert(n <= MAX_ACC);
    for (int i = 0; i < n; i++) {
        t->acc[i] = emit_alloca(ek, vec);
        LLVMBuildStore(ek->e->b, LLVMConstNull(vec), t->acc[i]);
    }
    k_level(t, 0, 0);
    epilogue(t);
}

/* ---- tiles of a row ---- */

static bool same_pattern(const struct tile *t, int64_t a, int64_t b, int rows)
{
    if (t->pad_k < 0)
        return true;
    for (int64_t kw = 0; kw < extent_of(t, t->pad_k); kw++)
        for (int i = 0; i < rows; i++)
            if (row_is_inside(t, a + i, kw) != row_is_inside(t, b + i, kw))
                return false;
    return true;
}

/* `count` tiles of the same code, from row `first` on. */
static void tile_class(struct tile *t, int64_t first, int64_t first_tile, int rows, int64_t count)
{
    struct emit_kernel *ek = t->ek;
    t->rows = rows;
    t->first_row = first;
    t->row0 = eaffine_const(first);
    t->tile = t->outer_tile;
    t->tile.offset += first_tile;
    struct eloop l = {0};
    if (count > 1) {
        l = emit_loop_begin(ek, emit_i64(ek->e, 0), emit_i64(ek->e, count), 1);
        struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, count));
        eaffine_add(&t->row0, &v, rows);
        eaffine_add(&t->tile, &v, 1);
    }
    if (t->e->row_outer >= 0)
        ek->join.joined = emit_add_var(ek, eaffine_value(ek, &t->row0), 0);
    emit_tile(t);
    if (count > 1)
        emit_loop_end(ek, &l);
}

static int64_t rows_of(const struct tile *t)
{
    const struct schedule_entry *e = t->e;
    if (e->row_iter < 0)
        return 1;
    return extent_of(t, e->row_iter) * (e->row_outer >= 0 ? extent_of(t, e->row_outer) : 1);
}

static int64_t tiles_of(const struct tile *t)
{
    return (rows_of(t) + t->e->tile_m - 1) / t->e->tile_m;
}

/* The rows are dealt out evenly: the first tiles have one row more where they do not come out. */
static void all_tiles(struct tile *t)
{
    int64_t rows = rows_of(t), tiles = tiles_of(t);
    int base = (int)(rows / tiles);
    int64_t large = rows - base * tiles;
    int64_t at = 0;
    for (int64_t i = 0; i < tiles;) {
        int size = base + (i < large);
        int64_t count = 1;
        while (i + count < tiles && base + (i + count < large) == size &&
               same_pattern(t, at, at + count * size, size))
            count++;
        tile_class(t, at, i, size, count);
        at += count * size;
        i += count;
    }
}

/* ---- loops outside the tile ---- */

/* A joined pair of row indices runs as one; addresses see through it (emit_address.c). */
static void rows_level(struct tile *t)
{
    const struct schedule_entry *e = t->e;
    if (e->row_iter < 0) {
        t->rows = 1;
        t->row0 = eaffine_const(0);
        emit_tile(t);
        return;
    }
    all_tiles(t);
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
    struct eloop l = emit_loop_begin(ek, emit_i64(ek->e, 0), emit_i64(ek->e, extent_of(t, i)), 1);
    struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, extent_of(t, i)));
    struct eaffine saved = t->outer_tile;
    emit_bind_index(ek, t->r->index[i], &v);
    /* Outermost first: what was counted so far is in units of this index. */
    t->outer_tile = eaffine_const(0);
    eaffine_add(&t->outer_tile, &saved, extent_of(t, i));
    eaffine_add(&t->outer_tile, &v, tiles_of(t));
    outer_rows(t, i + 1);
    t->outer_tile = saved;
    emit_loop_end(ek, &l);
}

static void columns_level(struct tile *t)
{
    struct emit_kernel *ek = t->ek;
    int width = t->e->vector, block = t->e->tile_n * width;
    int64_t columns = extent_of(t, t->e->col_iter), full = columns / block;
    int rest = (int)(columns % block);
    if (full > 0) {
        t->vectors = t->e->tile_n;
        t->last_lanes = width;
        struct eloop l = {0};
        t->col0 = eaffine_const(0);
        if (full > 1) {
            l = emit_loop_begin(ek, emit_i64(ek->e, 0), emit_i64(ek->e, full), 1);
            struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, full));
            eaffine_add(&t->col0, &v, block);
        }
        outer_rows(t, 0);
        if (full > 1)
            emit_loop_end(ek, &l);
    }
    if (rest > 0) {
        t->vectors = (rest + width - 1) / width;
        t->last_lanes = rest - (t->vectors - 1) * width;
        t->col0 = eaffine_const(full * block);
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
    if (extent_of(t, i) == 1) {
        struct eaffine zero = eaffine_const(0);
        emit_bind_index(ek, t->r->index[i], &zero);
        batch_level(t, i + 1);
        return;
    }
    struct eloop l = emit_loop_begin(ek, emit_i64(ek->e, 0), emit_i64(ek->e, extent_of(t, i)), 1);
    struct eaffine v = eaffine_var(emit_add_var(ek, l.phi, extent_of(t, i)));
    emit_bind_index(ek, t->r->index[i], &v);
    batch_level(t, i + 1);
    emit_loop_end(ek, &l);
}

/* The dimension of A where rows of the tile may fall outside, and the K index in it. */
static void find_row_padding(struct tile *t)
{
    t->pad_dim = t->pad_k = -1;
    if (!t->c->a.padded || t->e->row_iter < 0)
        return;
    const struct kernel *k = t->ek->k;
    kval row = t->r->index[t->e->row_iter];
    for (int d = 0; d < k->bufs[t->c->a.buf].rank; d++) {
        const struct kaffine *a = &t->c->a.dim[d];
        int64_t cr = coef_of(a, row);
        if (cr == 0)
            continue;
        for (int i = 0; i < t->r->n_dims; i++) {
            int64_t ck = coef_of(a, t->r->index[i]);
            if (t->c->kind[i] != KITER_K || ck == 0)
                continue;
            int64_t most =
                a->offset + cr * (extent_of(t, t->e->row_iter) - 1) + ck * (extent_of(t, i) - 1);
            if (a->offset < 0 || most >= k->bufs[t->c->a.buf].dims[d]) {
                t->pad_dim = d;
                t->pad_k = i;
            }
        }
    }
}

void cpu_emit_contract(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry)
{
    assert(entry && entry->tiled);
    struct tile t = {.ek = ek, .in = kernel_inst(ek->k, contract), .e = entry};
    t.r = t.in->region;
    t.c = t.r->contract;
    for (int i = 0; i < t.r->n_dims; i++)
        if (t.c->kind[i] == KITER_K)
            t.k_order[t.n_k++] = i;
    find_row_padding(&t);
    t.n_tiles = tiles_of(&t);
    for (int i = 0; i < t.r->n_dims; i++)
        if (t.c->kind[i] == KITER_M && i != entry->row_iter && i != entry->row_outer)
            t.n_tiles *= extent_of(&t, i);
    if (entry->row_outer >= 0) {
        /* Both indices are variables without a value of their own; the row variable that the tiles
           run over is the joined one. */
        int64_t inner = extent_of(&t, entry->row_iter);
        ek->join.inner_extent = inner;
        ek->join.outer = emit_add_var(ek, NULL, extent_of(&t, entry->row_outer));
        ek->join.inner = emit_add_var(ek, NULL, inner);
        struct eaffine outer = eaffine_var(ek->join.outer);
        emit_bind_index(ek, t.r->index[entry->row_outer], &outer);
    }
    batch_level(&t, 0);
    ek->join.joined = -1;
}
