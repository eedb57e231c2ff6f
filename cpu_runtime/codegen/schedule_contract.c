/*
 * Register tiles of contractions.
 *
 * The result is computed in tiles of `tile_m` rows (pixels of an image row, rows of a matrix) by
 * `tile_n` vectors of columns (output channels).  A step of K loads tile_n vectors of operand B,
 * which is packed in exactly the order it is read, and one broadcast scalar of operand A per row;
 * each feeds tile_m * tile_n multiply-adds.  The tile is the one with the least estimated time
 * among those that fit the registers.
 *
 * Bytes are taken four values of K at a time where the processor has a dot product for them, or at
 * least a product of pairs (contract_step.c).  The four should lie side by side in A: channels where
 * they are in blocks, the window along an image row where the image is row-major, K of a matrix.
 * Else they are put together one by one.
 */
#include <string.h>

#include "bundle/emit/emit_internal.h"
#include "cpu_runtime/codegen/contract_amx.h"
#include "cpu_runtime/codegen/cpu_target.h"

enum {
    MIN_COLUMNS = 4,
    MAX_TILE_ROWS = 28,
    MAX_VECTORS = 8,
    MAX_UNROLLED_STEPS = 1024,
    GROUP = 4 /* bytes of K in a lane of 32 bits */
};

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

bool cpu_epilogue_joins(const struct kernel *k, const struct kblock *blk, kval outer, kval inner,
                        int64_t n)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        if (in->region)
            return false;
        if (in->op != KOP_LOAD && in->op != KOP_STORE) {
            /* An index that is used as a number needs its own value. */
            for (int j = 0; j < in->n_args; j++) {
                struct kaffine x;
                if (kernel_affine_of(k, in->args[j], &x) &&
                    (kaffine_coef(&x, outer) || kaffine_coef(&x, inner)))
                    return false;
            }
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

struct shape_of_result {
    int64_t outer, rows, columns; /* outer: rows outside that a tile may span; 1: none */
    int64_t column_starts;        /* columns start at multiples of it in B (groups); 0: at 0 */
    int vector;
    int b_bytes; /* of a vector of operand B, all of a group */
    enum schedule_dot dot;
    int spare_regs; /* for anything but accumulators and vectors of B */
};

/* Cycles per step of K for one tile: two multiply-adds and two loads a cycle, four cycles of
   latency per accumulator chain, vectors of B that come from the second-level cache, and about a
   cycle for the loop itself, which is what makes a large tile better than a small one.  Bytes as
   pairs of 16 bits take two products and two additions, two instructions per row and three per
   vector of B to extend them. */
static double step_cost(const struct shape_of_result *s, int rows, int vectors)
{
    double work = rows * vectors / 2.0, loads = (rows + vectors) / 2.0;
    double stream = vectors * s->b_bytes / 40.0;
    if (s->dot == SCHEDULE_DOT2)
        work = (4.0 * rows * vectors + 2.0 * rows + 3.0 * vectors) / 2.5;
    double cost = work;
    if (loads > cost)
        cost = loads;
    if (stream > cost)
        cost = stream;
    return (cost < 4.0 ? 4.0 : cost) + 1.0;
}

/* Cycles per step of K for all columns, in tiles of m rows and n vectors. */
static double columns_cost(const struct shape_of_result *s, int m, int n)
{
    int64_t vectors = (s->columns + s->vector - 1) / s->vector;
    double cost = (double)(vectors / n) * step_cost(s, m, n);
    if (vectors % n)
        cost += step_cost(s, m, (int)(vectors % n));
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
    int per_vector = s->dot == SCHEDULE_DOT2 ? 2 : 1;
    for (int n = 1; n <= MAX_VECTORS && n <= vectors; n++) {
        if (n > 1 && s->column_starts % (n * s->vector) != 0)
            continue; /* packed blocks of columns start where the columns do */
        for (int m = 1; m <= MAX_TILE_ROWS && m <= s->rows; m++) {
            /* Several rows outside only where one is in the tile whole. */
            for (int o = 1; o <= (m == s->rows ? s->outer : 1); o++) {
                if (o * m * n + n * per_vector + s->spare_regs > t->n_vector_regs)
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

/* The dimension of B that an index runs over by itself, in steps of one; -1: there is none. */
static int dim_of_k(const struct kernel *k, const struct koperand *b, kval index)
{
    int found = -1;
    for (int d = 0; d < k->bufs[b->buf].rank; d++) {
        if (kaffine_coef(&b->dim[d], index) == 0)
            continue;
        if (found >= 0 || b->dim[d].n_terms != 1 || b->dim[d].term[0].coef != 1 ||
            b->dim[d].offset != 0)
            return -1;
        found = d;
    }
    return found;
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
    int block = e->k_iter == e->group_iter ? e->k_block / e->group : e->k_block;
    if (e->k_iter >= 0) {
        if (k_dim < 0 || kaffine_coef(&b->dim[k_dim], r->index[e->k_iter]) != 1)
            return false;
        if (block > 1)
            l = layout_blocked(l, k_dim, block);
    }
    if (col_dim < 0)
        return false;
    l = layout_blocked(l, col_dim, e->tile_n * e->vector);
    if (e->group_iter >= 0)
        l = layout_blocked(l, dim_of_k(k, b, r->index[e->group_iter]), e->group);
    buf->layout = l;
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

/* The greatest common divisor of the places in B where columns start; 0 where they start at 0. */
static int64_t column_starts(const struct kernel *k, const struct kregion *r, int col)
{
    const struct koperand *b = &r->contract->b;
    int64_t starts = 0;
    for (int d = 0; d < k->bufs[b->buf].rank; d++) {
        if (kaffine_coef(&b->dim[d], r->index[col]) == 0)
            continue;
        starts = b->dim[d].offset;
        for (int i = 0; i < b->dim[d].n_terms; i++) {
            int64_t x = b->dim[d].term[i].coef;
            if (b->dim[d].term[i].var == r->index[col])
                continue;
            while (x != 0) {
                int64_t rest = starts % x;
                starts = x;
                x = rest;
            }
        }
    }
    return starts;
}

/* ---- dot products of bytes ---- */

static bool is_byte(enum dtype t)
{
    return t == DTYPE_U8 || t == DTYPE_I8;
}

/* Whether an element only changes its type on the way into the product. */
static bool is_only_cast(const struct kernel *k, const struct koperand *o)
{
    const struct kblock *p = &o->prologue;
    if (p->n == 0)
        return true;
    const struct kinst *cast = kernel_inst(k, p->insts[0]);
    return p->n == 2 && cast->op == KOP_CAST && cast->args[0] == p->param[0] &&
           kernel_inst(k, p->insts[1])->args[0] == p->insts[0];
}

bool cpu_is_sum_of_bytes(const struct kernel *k, const struct kcontract *c)
{
    const struct kbuf *a = &k->bufs[c->a.buf], *b = &k->bufs[c->b.buf];
    return c->acc == DTYPE_I32 && is_byte(a->dtype) && is_byte(b->dtype) && b->constant &&
           is_only_cast(k, &c->a) && is_only_cast(k, &c->b);
}

static bool has_dot4(const struct target *t, int bytes)
{
    return bytes == 64 ? target_has(t, "avx512vnni")
                       : target_has(t, "avxvnni") ||
                             (target_has(t, "avx512vnni") && target_has(t, "avx512vl"));
}

static bool has_dot2(const struct target *t, int bytes)
{
    return target_has(t, bytes == 64 ? "avx512bw" : bytes == 32 ? "avx2" : "sse2");
}

/* The best instruction for these operands, and the bytes of the vectors that it takes. */
static enum schedule_dot find_dot(const struct target *t, const struct kernel *k,
                                  const struct kcontract *c, int *out_bytes)
{
    enum dtype a = k->bufs[c->a.buf].dtype, b = k->bufs[c->b.buf].dtype;
    if (!cpu_is_sum_of_bytes(k, c))
        return SCHEDULE_MULTIPLY_ADD;
    *out_bytes = t->vector_bytes;
    for (; *out_bytes >= 16 && (a == DTYPE_I8 || b == DTYPE_I8); *out_bytes /= 2)
        if (has_dot4(t, *out_bytes))
            return SCHEDULE_DOT4;
    for (*out_bytes = t->vector_bytes; *out_bytes >= 16; *out_bytes /= 2)
        if (has_dot2(t, *out_bytes))
            return SCHEDULE_DOT2;
    return SCHEDULE_MULTIPLY_ADD;
}

/* Whether the rows of a tile tell at compile time where values of K index i are inside A. */
static bool is_decided_by_tile(const struct kernel *k, const struct kregion *r,
                               const struct schedule_entry *e, int i)
{
    const struct koperand *a = &r->contract->a;
    for (int d = 0; a->padded && d < k->bufs[a->buf].rank; d++)
        if (kaffine_coef(&a->dim[d], r->index[i]) && can_leave(k, r, a, d) &&
            (e->row_iter < 0 || !kaffine_coef(&a->dim[d], r->index[e->row_iter])))
            return false;
    return true;
}

/* The K index whose values make the cheapest groups; -1 where there is none. */
static int choose_group(const struct kernel *k, const struct kregion *r,
                        const struct schedule_entry *entry)
{
    enum { COST_OF_ASSEMBLING = 4 };
    struct schedule_entry e = *entry;
    int64_t best = 0, steps = 1;
    int found = -1;
    for (int i = 0; i < r->n_dims; i++)
        if (r->contract->kind[i] == KITER_K)
            steps *= kernel_static_extent(k, r, i);
    for (int i = 0; i < r->n_dims; i++) {
        int64_t n = kernel_static_extent(k, r, i);
        if (r->contract->kind[i] != KITER_K || dim_of_k(k, &r->contract->b, r->index[i]) < 0 ||
            !is_decided_by_tile(k, r, &e, i) || (e.k_iter >= 0 && i != e.k_iter))
            continue;
        e.group_iter = i;
        int64_t cost = steps / n * ((n + GROUP - 1) / GROUP);
        if (!cpu_group_is_adjacent(k, r, &e))
            cost *= COST_OF_ASSEMBLING;
        if (found >= 0 && cost >= best)
            continue;
        best = cost;
        found = i;
    }
    return found;
}

/* ---- the schedule ---- */

static bool has_region(const struct kernel *k, const struct kblock *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (kernel_inst(k, b->insts[i])->region)
            return true;
    return false;
}

static bool fits_generator(const struct kernel *k, const struct kregion *r)
{
    const struct kcontract *c = r->contract;
    return (c->acc == DTYPE_F32 || c->acc == DTYPE_I32 || c->acc == DTYPE_I64) && !c->b.padded &&
           all_static(k, r) && padding_fits(k, r, &c->a) && !has_region(k, &c->a.prologue) &&
           !has_region(k, &c->b.prologue) && emit_can_vectorize(k, &r->block[0]);
}

/* The indices that rows and columns run over; *out_outer_m is the M index outside the rows. */
static bool choose_indices(const struct kernel *k, const struct kregion *r,
                           struct schedule_entry *e, int *out_outer_m)
{
    const struct kcontract *c = r->contract;
    *out_outer_m = -1;
    for (int i = 0; i < r->n_dims; i++) {
        if (c->kind[i] == KITER_N) {
            if (e->col_iter >= 0 && kernel_static_extent(k, r, e->col_iter) > 1 &&
                kernel_static_extent(k, r, i) > 1)
                return false;
            if (e->col_iter < 0 || kernel_static_extent(k, r, i) > 1)
                e->col_iter = i;
        }
        if (c->kind[i] == KITER_M) {
            *out_outer_m = e->row_iter;
            e->row_iter = i;
        }
    }
    return e->col_iter >= 0 && kernel_static_extent(k, r, e->col_iter) >= MIN_COLUMNS;
}

/* Registers for a step beside accumulators and vectors of B: the broadcast of A, the product where
   it is separate, what extending bytes takes. */
static int spare_registers(const struct target *t, const struct kernel *k,
                           const struct kcontract *c, enum schedule_dot dot)
{
    if (dot == SCHEDULE_DOT2)
        return 4;
    if (dot == SCHEDULE_DOT4) /* and two more for signed bytes of A */
        return k->bufs[c->a.buf].dtype == k->bufs[c->b.buf].dtype ? 4 : 1;
    bool plain = c->acc == DTYPE_F32 && !c->a.prologue.n && !c->b.prologue.n;
    return (t->has_fma && c->acc == DTYPE_F32 ? 1 : 2) + (plain ? 0 : 1);
}

static bool schedule_as(const struct target *t, struct kernel *k, kval contract,
                        enum schedule_dot dot, int vector_bytes, struct schedule_entry *out_entry)
{
    const struct kregion *r = kernel_inst(k, contract)->region;
    const struct kcontract *c = r->contract;
    const struct kbuf *a = &k->bufs[c->a.buf], *b = &k->bufs[c->b.buf];
    struct schedule_entry e = {.region = contract, .lanes = 1, .dot = dot, .group = 1};
    e.row_iter = e.col_iter = e.row_outer = e.group_iter = -1;
    int outer_m;
    if (!choose_indices(k, r, &e, &outer_m))
        return false;
    int64_t columns = kernel_static_extent(k, r, e.col_iter);
    int64_t rows = e.row_iter >= 0 ? kernel_static_extent(k, r, e.row_iter) : 1;
    if (outer_m >= 0 && !c->a.padded &&
        joins(a, c->a.dim, r->index[outer_m], r->index[e.row_iter], rows) &&
        cpu_epilogue_joins(k, &r->block[0], r->index[outer_m], r->index[e.row_iter], rows)) {
        e.row_outer = outer_m;
        rows *= kernel_static_extent(k, r, outer_m);
    }
    int widest = vector_bytes / (int)(dtype_bits(c->acc) / 8);
    e.vector = cpu_pow2_ceil(columns) < widest ? cpu_pow2_ceil(columns) : widest;
    find_k_block(k, r, &e);
    if (dot != SCHEDULE_MULTIPLY_ADD) {
        e.group = GROUP;
        e.group_iter = choose_group(k, r, &e);
        if (e.group_iter < 0 || (e.k_iter >= 0 && e.k_block % GROUP))
            return false;
    }
    bool joined = e.row_outer >= 0;
    struct shape_of_result shape = {
        .outer = outer_m >= 0 && !joined ? kernel_static_extent(k, r, outer_m) : 1,
        .rows = rows,
        .columns = columns,
        .column_starts = column_starts(k, r, e.col_iter),
        .vector = e.vector,
        .b_bytes = e.vector * e.group * (int)dtype_bits(b->dtype) / 8,
        .dot = dot,
        .spare_regs = spare_registers(t, k, c, dot)};
    if (b->constant) {
        choose_tile_of_contract(t, k, r, outer_m, &shape, &e);
        if ((e.group_iter >= 0 && (!is_decided_by_tile(k, r, &e, e.group_iter) ||
                                   shape.column_starts % (e.tile_n * e.vector) != 0)) ||
            !pack_b(k, r, &c->b, &e))
            return false;
    } else {
        /* B as it lies: its columns must be side by side and come out even. */
        int64_t stride;
        if (!cpu_access_stride(b, c->b.dim, r->index[e.col_iter], &stride) || stride != 1 ||
            dtype_bits(b->dtype) < 8)
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

bool cpu_schedule_contract(const struct target *t, struct kernel *k, kval contract,
                           struct schedule_entry *out_entry)
{
    const struct kregion *r = kernel_inst(k, contract)->region;
    if (cpu_schedule_amx(t, k, contract, out_entry))
        return true;
    if (!fits_generator(k, r))
        return false;
    int bytes;
    enum schedule_dot dot = find_dot(t, k, r->contract, &bytes);
    return (dot != SCHEDULE_MULTIPLY_ADD && schedule_as(t, k, contract, dot, bytes, out_entry)) ||
           schedule_as(t, k, contract, SCHEDULE_MULTIPLY_ADD, t->vector_bytes, out_entry);
}
