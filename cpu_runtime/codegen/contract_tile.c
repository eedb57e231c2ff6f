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

#include "cpu_runtime/codegen/contract_tile.h"

enum { MAX_UNROLL = 8, MIN_FMA_PER_ROUND = 56, LINE_FLOATS = 16 };

int64_t tile_extent(const struct tile *t, int i)
{
    return kernel_static_extent(t->ek->k, t->r, i);
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

/* Row i: value i % inner of row_iter, i / inner of the row outside it. */
static void bind_row(struct tile *t, int i)
{
    const struct schedule_entry *e = t->e;
    if (e->row_iter < 0)
        return;
    bool joined = e->row_outer >= 0 && e->tile_outer == 0;
    struct eaffine a = joined ? eaffine_var(t->ek->join.inner) : t->row0;
    a.offset += i % t->inner;
    emit_bind_index(t->ek, t->r->index[e->row_iter], &a);
    if (e->row_outer >= 0 && !joined) {
        struct eaffine o = t->outer0;
        o.offset += i / t->inner;
        emit_bind_index(t->ek, t->r->index[e->row_outer], &o);
    }
}

static void bind_col(struct tile *t, int64_t vector, int64_t lane0)
{
    struct eaffine a = t->col0, lane = eaffine_var(EVAR_LANE);
    a.offset += vector * t->e->vector + lane0;
    eaffine_add(&a, &lane, 1);
    emit_bind_index(t->ek, t->r->index[t->e->col_iter], &a);
}

bool tile_is_inside(const struct tile *t, const struct tile_pad *pad, int i)
{
    const struct kaffine *a = &t->c->a.dim[pad->dim];
    int64_t row =
        pad->m == t->e->row_iter ? t->first_row + i % t->inner : t->first_outer + i / t->inner;
    int64_t at = a->offset + row * kaffine_coef(a, t->r->index[pad->m]) +
                 t->k_at[pad->k] * kaffine_coef(a, t->r->index[pad->k]);
    return at >= 0 && at < t->ek->k->bufs[t->c->a.buf].dims[pad->dim];
}

static bool row_is_inside(const struct tile *t, int i)
{
    for (int p = 0; p < t->n_pads; p++)
        if (!tile_is_inside(t, &t->pad[p], i))
            return false;
    return true;
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

/* One step of K with all indices bound. */
static void step(struct tile *t)
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
        if (!row_is_inside(t, i))
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

static void k_level(struct tile *t, int level);

/* `count` steps of index i from a base, several per round where the tile is small. */
static void k_run(struct tile *t, int level, int i, const struct eaffine *base, int64_t count)
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
        k_level(t, level + 1);
    }
    if (count > unroll)
        emit_loop_end(ek, &l);
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
            l = emit_loop_begin(ek, emit_i64(ek->e, 0), emit_i64(ek->e, full), 1);
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

/* The values of an unrolled index that reach inside A for some row of the tile. */
static void k_unrolled(struct tile *t, int level, const struct tile_pad *pad)
{
    for (int64_t k = 0; k < tile_extent(t, pad->k); k++) {
        bool any = false;
        t->k_at[pad->k] = k;
        for (int i = 0; i < t->rows; i++)
            any = any || tile_is_inside(t, pad, i);
        if (!any)
            continue;
        struct eaffine a = eaffine_const(k);
        emit_bind_index(t->ek, t->r->index[pad->k], &a);
        k_level(t, level + 1);
    }
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
    LLVMValueRef lo = emit_i64(e, least), hi = emit_i64(e, most);
    v = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, v, lo, ""), lo, v, "");
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, v, hi, ""), hi, v, "");
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
    k_level(t, level + 1);
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
        step(t);
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
        k_ranged(t, level, i, d);
    else
        k_run(t, level, i, &zero, tile_extent(t, i));
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

void tile_emit(struct tile *t)
{
    struct emit_kernel *ek = t->ek;
    LLVMTypeRef vec = emit_lane_type(ek, DTYPE_F32, true);
    int n = t->rows * t->vectors;
    assert(n <= MAX_ACC);
    for (int i = 0; i < n; i++) {
        t->acc[i] = emit_alloca(ek, vec);
        LLVMBuildStore(ek->e->b, LLVMConstNull(vec), t->acc[i]);
    }
    k_level(t, 0);
    epilogue(t);
}
