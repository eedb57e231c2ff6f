/*
 * Register tiles of contractions.
 *
 * The result is computed in tiles of `tile_m` rows (pixels of an image row, rows of a matrix) by
 * `tile_n` vectors of columns (output channels).  A step of K loads tile_n vectors of operand B,
 * which is packed in exactly the order it is read, and one broadcast scalar of operand A per row;
 * each feeds tile_m * tile_n multiply-adds.  The tile is the one with the least estimated time
 * among those that fit the registers.
 */
#include <string.h>

#include "bundle/emit/emit_internal.h"
#include "cpu_runtime/codegen/cpu_target.h"

enum { MIN_COLUMNS = 4, MAX_TILE_ROWS = 28, MAX_TILE_VECTORS = 8, MAX_UNROLLED_STEPS = 1024 };

static bool all_static(const struct kernel *k, const struct kregion *r)
{
    int64_t n;
    for (int i = 0; i < r->n_dims; i++)
        if (!kernel_is_const_int(k, r->extent[i], &n) || n <= 0)
            return false;
    return true;
}

/* Whether dimension d of a padded operand can leave its buffer at all. */
static bool can_leave(const struct kernel *k, const struct kregion *r, const struct koperand *o,
                      int d)
{
    int64_t least = o->dim[d].offset, most = o->dim[d].offset;
    for (int i = 0; i < o->dim[d].n_terms; i++) {
        int64_t n = 0;
        for (int j = 0; j < r->n_dims; j++)
            if (r->index[j] == o->dim[d].term[i].var)
                n = kernel_static_extent(k, r, j);
        if (n == 0)
            return true; /* an index from outside */
        int64_t span = o->dim[d].term[i].coef * (n - 1);
        least += span < 0 ? span : 0;
        most += span > 0 ? span : 0;
    }
    return least < 0 || most >= k->bufs[o->buf].dims[d];
}

/* The generator restricts ranges of K per dimension: a padded dimension may depend on one M and one
   K index only. */
static bool padding_fits(const struct kernel *k, const struct kregion *r, const struct koperand *a)
{
    if (!a->padded)
        return true;
    for (int d = 0; d < k->bufs[a->buf].rank; d++) {
        if (!can_leave(k, r, a, d))
            continue;
        int n_m = 0, n_k = 0, n_other = 0;
        for (int i = 0; i < a->dim[d].n_terms; i++) {
            enum kiter kind = KITER_BATCH;
            bool own = false;
            for (int j = 0; j < r->n_dims; j++)
                if (r->index[j] == a->dim[d].term[i].var) {
                    kind = r->contract->kind[j];
                    own = true;
                }
            if (own && kind == KITER_M && a->dim[d].term[i].coef > 0)
                n_m++;
            else if (own && kind == KITER_K && a->dim[d].term[i].coef > 0)
                n_k++;
            else
                n_other++;
        }
        if (n_m != 1 || n_k != 1 || n_other != 0)
            return false;
    }
    return true;
}

/* Whether stepping `outer` once equals stepping `inner` n times, in an access. */
static bool joins(const struct kbuf *b, const struct kaffine *dims, kval outer, kval inner,
                  int64_t n)
{
    int64_t so, si;
    return cpu_access_stride(b, dims, outer, &so) && cpu_access_stride(b, dims, inner, &si) &&
           so == si * n;
}

static bool epilogue_joins(const struct kernel *k, const struct kblock *blk, kval outer, kval inner,
                           int64_t n)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        if (in->region)
            return false;
        if (in->op != KOP_LOAD && in->op != KOP_STORE) {
            /* An index that is used as a number needs its own value. */
            for (int j = 0; j < in->n_args; j++)
                if (kernel_inst(k, in->args[j])->type == DTYPE_I64)
                    return false;
            continue;
        }
        struct kaffine dims[MAX_RANK];
        for (int d = 0; d < k->bufs[in->buf].rank; d++)
            if (!kernel_affine_of(k, in->args[d], &dims[d]))
                return false;
        if (!joins(&k->bufs[in->buf], dims, outer, inner, n))
            return false;
    }
    return true;
}

/* Cycles per step of K for one tile: two multiply-adds and two loads a cycle, four cycles of
   latency per accumulator chain, vectors of B that come from the second-level cache, and about a
   cycle for the loop itself, which is what makes a large tile better than a small one. */
static double step_cost(int rows, int vectors, double vector_bytes)
{
    double fma = rows * vectors / 2.0, loads = (rows + vectors) / 2.0;
    double stream = vectors * vector_bytes / 40.0;
    double cost = fma;
    if (loads > cost)
        cost = loads;
    if (stream > cost)
        cost = stream;
    return (cost < 4.0 ? 4.0 : cost) + 1.0;
}

struct shape_of_result {
    int64_t outer, rows, columns; /* outer: rows outside that a tile may span; 1: none */
    int vector;
};

/* Cycles per step of K for all columns, in tiles of m rows and n vectors. */
static double columns_cost(const struct shape_of_result *s, int m, int n)
{
    int64_t vectors = (s->columns + s->vector - 1) / s->vector;
    double cost = (double)(vectors / n) * step_cost(m, n, s->vector * 4.0);
    if (vectors % n)
        cost += step_cost(m, (int)(vectors % n), s->vector * 4.0);
    return cost;
}

/* The same for all rows of the result, o rows outside in a tile; rows are dealt out evenly. */
static double rows_cost(const struct shape_of_result *s, int o, int m, int n)
{
    int64_t tiles = (s->rows + m - 1) / m;
    int base = (int)(s->rows / tiles);
    int64_t large = s->rows - base * tiles;
    double cost = 0;
    for (int part = 0; part < 2; part++) {
        int span = part ? (int)(s->outer % o) : o;
        double groups = part ? 1 : (double)(s->outer / o);
        if (span == 0)
            continue;
        cost += groups * (double)(tiles - large) * columns_cost(s, span * base, n);
        if (large)
            cost += groups * (double)large * columns_cost(s, span * (base + 1), n);
    }
    return cost;
}

static void choose_tile(const struct target *t, const struct shape_of_result *s,
                        struct schedule_entry *e)
{
    double best = 0;
    int64_t vectors = (s->columns + s->vector - 1) / s->vector;
    int spare = t->has_fma ? 1 : 2; /* broadcast, and the product where it is separate */
    for (int n = 1; n <= MAX_TILE_VECTORS && n <= vectors; n++) {
        for (int m = 1; m <= MAX_TILE_ROWS && m <= s->rows; m++) {
            /* Several rows outside only where one is in the tile whole. */
            for (int o = 1; o <= (m == s->rows ? s->outer : 1); o++) {
                if (o * m * n + n + spare > t->n_vector_regs)
                    break;
                double cost = rows_cost(s, o, m, n);
                if (best != 0 && cost >= best * 0.999)
                    continue;
                best = cost;
                e->tile_m = (int)((s->rows + (s->rows + m - 1) / m - 1) / ((s->rows + m - 1) / m));
                e->tile_n = n;
                e->tile_outer = o;
            }
        }
    }
}

/* Steps of K that tiles of `rows` values of M index m are written out as, all patterns of padding
   together: along a padded dimension the generator unrolls K. */
static int64_t unrolled_steps(const struct kernel *k, const struct kregion *r, int m, int rows)
{
    const struct koperand *a = &r->contract->a;
    int64_t steps = 1;
    for (int d = 0; a->padded && d < k->bufs[a->buf].rank; d++) {
        int64_t cm = kaffine_coef(&a->dim[d], r->index[m]);
        if (cm == 0 || !can_leave(k, r, a, d))
            continue;
        for (int i = 0; i < r->n_dims; i++) {
            int64_t ck = kaffine_coef(&a->dim[d], r->index[i]);
            if (r->contract->kind[i] != KITER_K || ck == 0)
                continue;
            int64_t n = kernel_static_extent(k, r, i);
            int64_t reach = (k->bufs[a->buf].dims[d] - 1 + cm * (rows - 1)) / ck + 1;
            n = reach < n ? reach : n;
            int64_t tiles = (kernel_static_extent(k, r, m) + rows - 1) / rows;
            int64_t patterns = 2 * (n * ck / (cm * rows) + 1) + 1;
            steps *= n * (patterns < tiles ? patterns : tiles);
        }
    }
    return steps;
}

/* The tile that choose_tile finds; one row where long windows would make the code too large, for
   then their range is computed. */
static void choose_tile_of_contract(const struct target *t, const struct kernel *k,
                                    const struct kregion *r, int outer_m, struct shape_of_result *s,
                                    struct schedule_entry *e)
{
    choose_tile(t, s, e);
    if (e->row_iter < 0)
        return;
    int64_t steps = unrolled_steps(k, r, e->row_iter, e->tile_m);
    if (e->tile_outer > 1)
        steps *= unrolled_steps(k, r, outer_m, e->tile_outer);
    if (steps <= MAX_UNROLLED_STEPS)
        return;
    e->row_iter = -1;
    s->rows = s->outer = 1;
    choose_tile(t, s, e);
}

/* The layout of operand B that is read front to back: column blocks, then K in loop order. */
static bool pack_b(struct kernel *k, const struct kregion *r, const struct koperand *b,
                   const struct schedule_entry *e)
{
    struct kbuf *buf = &k->bufs[b->buf];
    int col_dim = -1, order[MAX_RANK], n = 0;
    bool taken[MAX_RANK] = {false};
    for (int d = 0; d < buf->rank; d++)
        if (kaffine_coef(&b->dim[d], r->index[e->col_iter]) != 0)
            col_dim = d;
    /* Dimensions of batch and column indices stay outermost; K follows in the order of the loops.
     */
    for (int d = 0; d < buf->rank; d++) {
        bool has_k = false;
        for (int i = 0; i < r->n_dims; i++)
            if (r->contract->kind[i] == KITER_K && kaffine_coef(&b->dim[d], r->index[i]))
                has_k = true;
        if (!has_k) {
            order[n++] = d;
            taken[d] = true;
        }
    }
    int k_dim = -1;
    for (int i = 0; i < r->n_dims; i++) {
        if (r->contract->kind[i] != KITER_K)
            continue;
        for (int d = 0; d < buf->rank; d++) {
            if (kaffine_coef(&b->dim[d], r->index[i]) == 0)
                continue;
            if (i == e->k_iter)
                k_dim = d;
            if (!taken[d]) {
                order[n++] = d;
                taken[d] = true;
            }
        }
    }
    struct layout l = layout_permuted(buf->rank, order);
    if (e->k_iter >= 0) {
        if (k_dim < 0 || kaffine_coef(&b->dim[k_dim], r->index[e->k_iter]) != 1)
            return false;
        l = layout_blocked(l, k_dim, e->k_block);
    }
    if (col_dim < 0)
        return false;
    buf->layout = layout_blocked(l, col_dim, e->tile_n * e->vector);
    return true;
}

/* The K index that runs inside the blocks of operand A, where A is blocked. */
static void find_k_block(const struct kernel *k, const struct kregion *r, struct schedule_entry *e)
{
    const struct koperand *a = &r->contract->a;
    const struct layout *l = &k->bufs[a->buf].layout;
    e->k_iter = -1;
    e->k_block = 1;
    for (int d = 0; d < l->rank; d++) {
        int64_t block = layout_block_size(l, d);
        if (block == 1)
            continue;
        for (int i = 0; i < r->n_dims; i++) {
            if (r->contract->kind[i] == KITER_K && kaffine_coef(&a->dim[d], r->index[i]) == 1) {
                e->k_iter = i;
                e->k_block = (int)block;
            }
        }
    }
}

bool cpu_schedule_contract(const struct target *t, struct kernel *k, kval contract,
                           struct schedule_entry *out_entry)
{
    const struct kregion *r = kernel_inst(k, contract)->region;
    const struct kcontract *c = r->contract;
    const struct kbuf *a = &k->bufs[c->a.buf], *b = &k->bufs[c->b.buf];
    if (a->dtype != DTYPE_F32 || b->dtype != DTYPE_F32 || c->acc != DTYPE_F32 || c->a.prologue.n ||
        c->b.prologue.n || c->b.padded || !all_static(k, r) || !padding_fits(k, r, &c->a) ||
        !emit_can_vectorize(k, &r->block[0]))
        return false;

    struct schedule_entry e = {.region = contract, .lanes = 1};
    e.row_iter = e.col_iter = e.row_outer = -1;
    int outer_m = -1;
    for (int i = 0; i < r->n_dims; i++) {
        if (c->kind[i] == KITER_N) {
            if (e.col_iter >= 0 && kernel_static_extent(k, r, e.col_iter) > 1 &&
                kernel_static_extent(k, r, i) > 1)
                return false;
            if (e.col_iter < 0 || kernel_static_extent(k, r, i) > 1)
                e.col_iter = i;
        }
        if (c->kind[i] == KITER_M) {
            outer_m = e.row_iter;
            e.row_iter = i;
        }
    }
    if (e.col_iter < 0)
        return false;
    int64_t columns = kernel_static_extent(k, r, e.col_iter);
    if (columns < MIN_COLUMNS)
        return false;

    int64_t rows = e.row_iter >= 0 ? kernel_static_extent(k, r, e.row_iter) : 1;
    if (outer_m >= 0 && !c->a.padded &&
        joins(a, c->a.dim, r->index[outer_m], r->index[e.row_iter], rows) &&
        epilogue_joins(k, &r->block[0], r->index[outer_m], r->index[e.row_iter], rows)) {
        e.row_outer = outer_m;
        rows *= kernel_static_extent(k, r, outer_m);
    }
    int widest = t->vector_bytes / 4;
    e.vector = cpu_pow2_ceil(columns) < widest ? cpu_pow2_ceil(columns) : widest;
    find_k_block(k, r, &e);
    bool joined = e.row_outer >= 0;
    struct shape_of_result shape = {
        .outer = outer_m >= 0 && !joined ? kernel_static_extent(k, r, outer_m) : 1,
        .rows = rows,
        .columns = columns,
        .vector = e.vector};
    if (b->constant) {
        choose_tile_of_contract(t, k, r, outer_m, &shape, &e);
        if (!pack_b(k, r, &c->b, &e))
            return false;
    } else {
        /* B as it lies: its columns must be side by side and come out even. */
        int64_t stride;
        if (!cpu_access_stride(b, c->b.dim, r->index[e.col_iter], &stride) || stride != 1)
            return false;
        while (columns % e.vector != 0)
            e.vector /= 2;
        if (e.vector < MIN_COLUMNS)
            return false;
        shape.vector = e.vector;
        choose_tile_of_contract(t, k, r, outer_m, &shape, &e);
    }
    if (joined)
        e.tile_outer = 0;
    else if (e.tile_outer > 1)
        e.row_outer = outer_m;
    *out_entry = e;
    return true;
}
