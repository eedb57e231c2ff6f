/*
 * Schedules of contractions: which indices the rows and columns of register tiles run over, whether
 * the generator takes them at all.  What a step takes is chosen in schedule_dot.c, the tile in
 * schedule_tile.c, the layout of operand B in schedule_pack.c.
 */
#include "bundle/tile/schedule_contract.h"

#include "bundle/emit/emit_internal.h"
#include "ir/schedule_order.h"

enum { MIN_COLUMNS = 4 };

/* The generator restricts ranges of K per dimension: a padded dimension may depend on one M and one
   K index only. */
static bool padding_fits(const struct kernel *k, const struct kregion *r, const struct koperand *a)
{
    if (!a->padded)
        return true;
    for (int d = 0; d < k->bufs[a->buf].rank; d++) {
        if (!schedule_can_leave(k, r, a, d))
            continue;
        int n_m = 0, n_k = 0, n_other = 0;
        for (int i = 0; i < a->dim[d].n_terms; i++) {
            int j = kregion_index_of(r, a->dim[d].term[i].var);
            bool moves_on = j >= 0 && a->dim[d].term[i].coef > 0;
            if (moves_on && r->contract->kind[j] == KITER_M)
                n_m++;
            else if (moves_on && r->contract->kind[j] == KITER_K)
                n_k++;
            else
                n_other++;
        }
        if (n_m != 1 || n_k != 1 || n_other != 0)
            return false;
    }
    return true;
}

/* The K index that runs inside the blocks of operand A, where A is blocked. */
static void find_k_block(const struct kernel *k, const struct kregion *r, struct schedule_entry *e)
{
    const struct koperand *a = &r->contract->a;
    const struct layout *l = &k->bufs[a->buf].layout;
    e->k_iter = -1;
    e->k_block = 1;
    if (e->dot == SCHEDULE_DOT_PAIRS)
        return;
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
            kval index = b->dim[d].term[i].var;
            if (index == r->index[col] || schedule_is_single(k, r, index))
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

static bool fits_generator(const struct kernel *k, const struct kregion *r)
{
    const struct kcontract *c = r->contract;
    return (c->acc == DTYPE_F32 || c->acc == DTYPE_I32 || c->acc == DTYPE_I64) && !c->b.padded &&
           schedule_is_static(k, r) && padding_fits(k, r, &c->a) &&
           !kernel_has_region(k, &c->a.prologue) && !kernel_has_region(k, &c->b.prologue) &&
           emit_can_vectorize(k, &r->block[0]);
}

/* The tile, and B packed for it. */
static bool choose_packed(struct kernel *k, const struct kregion *r, int outer_m,
                          struct shape_of_result *s, struct schedule_entry *e)
{
    schedule_choose_tile(k, r, outer_m, s, e);
    if (e->dot != SCHEDULE_MULTIPLY_ADD && s->column_starts % (e->tile_n * e->vector) != 0)
        return false;
    return (e->group_iter < 0 || schedule_decided_by_tile(k, r, e, e->group_iter)) &&
           schedule_pack_b(k, r, e, e->tile_n * e->vector, e->k_block);
}

/* The tile where B stays as it lies: its columns must be side by side and come out even. */
static bool choose_in_place(const struct target *t, struct kernel *k, const struct kregion *r,
                            int outer_m, struct shape_of_result *s, struct schedule_entry *e)
{
    const struct koperand *b = &r->contract->b;
    const struct kbuf *buf = &k->bufs[b->buf];
    int64_t stride;
    int least = e->vector < MIN_COLUMNS ? e->vector : MIN_COLUMNS;
    if (dtype_bits(buf->dtype) < 8)
        return false;
    if (e->dot == SCHEDULE_DOT_PAIRS) {
        if (!schedule_lies_in_groups(k, b, r->index[e->group_iter], e->group))
            return false;
    } else if (!schedule_stride(buf, b->dim, r->index[e->col_iter], &stride) || stride != 1) {
        return false;
    }
    while (s->columns % e->vector != 0)
        e->vector = t->has_any_lanes ? e->vector - 1 : e->vector / 2;
    if (e->vector < least)
        return false;
    s->vector = e->vector;
    schedule_choose_tile(k, r, outer_m, s, e);
    return e->group_iter < 0 || schedule_decided_by_tile(k, r, e, e->group_iter);
}

/* What a step takes: a product of groups of bytes, of several groups of A at once where they lie
   side by side. */
static bool choose_step(const struct kernel *k, const struct kregion *r, const struct dot *d,
                        int at_once, struct schedule_entry *e)
{
    e->dot = d ? d->kind->dot : SCHEDULE_MULTIPLY_ADD;
    e->group = d ? d->kind->group : 1;
    e->at_once = 1;
    e->group_iter = -1;
    find_k_block(k, r, e);
    if (e->group > 1) {
        e->group_iter = schedule_choose_group(k, r, e);
        if (e->group_iter < 0 || (e->k_iter >= 0 && e->k_block % e->group))
            return false;
    }
    schedule_choose_lanes(k, r, at_once, e);
    return true;
}

/* Vectors are as long as each other where a target has such of any length. */
static int lanes_of_columns(const struct target *t, int64_t columns, int widest)
{
    if (t->has_any_lanes)
        return (int)tile_div_ceil(columns, tile_div_ceil(columns, widest));
    return tile_pow2_ceil(columns) < widest ? tile_pow2_ceil(columns) : widest;
}

static int64_t values_outside(const struct kernel *k, const struct kregion *r,
                              const struct schedule_entry *e, int outer_m)
{
    int64_t n = 1;
    for (int i = 0; i < r->n_dims; i++)
        if (r->contract->kind[i] != KITER_K && i != e->row_iter && i != e->col_iter && i != outer_m)
            n *= kernel_static_extent(k, r, i);
    return n;
}

static bool schedule_as(const struct target *t, struct kernel *k, kval contract,
                        const struct dot *d, int at_once, struct schedule_entry *out_entry)
{
    const struct kregion *r = kernel_inst(k, contract)->region;
    const struct kcontract *c = r->contract;
    const struct kbuf *a = &k->bufs[c->a.buf], *b = &k->bufs[c->b.buf];
    struct schedule_entry e = {.region = contract, .lanes = 1};
    e.row_outer = -1;
    int outer_m;
    if (!schedule_choose_indices(k, r, true, &e, &outer_m) ||
        kernel_static_extent(k, r, e.col_iter) < MIN_COLUMNS)
        return false;
    int64_t columns = kernel_static_extent(k, r, e.col_iter);
    int64_t rows = e.row_iter >= 0 ? kernel_static_extent(k, r, e.row_iter) : 1;
    if (outer_m >= 0 && !c->a.padded &&
        schedule_joins(a, c->a.dim, r->index[outer_m], r->index[e.row_iter], rows) &&
        schedule_epilogue_joins(k, &r->block[0], r->index[outer_m], r->index[e.row_iter], rows)) {
        e.row_outer = outer_m;
        rows *= kernel_static_extent(k, r, outer_m);
    }
    int acc_bytes = (int)dtype_bits(c->acc) / 8, widest = d ? d->bytes : t->vector_bytes;
    widest = widest > acc_bytes ? widest / acc_bytes : 1;
    e.vector = lanes_of_columns(t, columns, widest);
    if (d && d->kind->second && d->kind->dot == SCHEDULE_DOT1 && e.vector < widest)
        return false;
    if (!choose_step(k, r, d, at_once, &e))
        return false;
    bool joined = e.row_outer >= 0;
    struct shape_of_result shape = {
        .outer = outer_m >= 0 && !joined ? kernel_static_extent(k, r, outer_m) : 1,
        .rows = rows,
        .columns = columns,
        .column_starts = column_starts(k, r, e.col_iter),
        .vector = e.vector,
        .b_bytes = e.vector * e.group * (int)dtype_bits(b->dtype) / 8,
        .is_square = e.dot == SCHEDULE_DOT_SQUARE,
        .is_small = t->optimize_size,
        .at_once = e.at_once,
        .others = values_outside(k, r, &e, outer_m),
        .cores = t->cores};
    if (shape.is_square && shape.rows * shape.outer == 1)
        return false;
    schedule_cost_of_step(t, k, c, d, &shape);
    if (b->constant ? !choose_packed(k, r, outer_m, &shape, &e)
                    : !choose_in_place(t, k, r, outer_m, &shape, &e))
        return false;
    if (joined)
        e.tile_outer = 0;
    else if (e.tile_outer > 1)
        e.row_outer = outer_m;
    *out_entry = e;
    return true;
}

/* The best instruction that takes these bytes; of several with groups of one size the best. */
static bool schedule_as_dot(const struct target *t, struct kernel *k, kval contract,
                            struct schedule_entry *out_entry)
{
    const struct kcontract *c = kernel_inst(k, contract)->region->contract;
    enum dtype a = k->bufs[c->a.buf].dtype, b = k->bufs[c->b.buf].dtype;
    int tried = 0;
    if (!schedule_is_sum_of_bytes(k, c) && !schedule_multiplies_floats(t, k, c))
        return false;
    for (const struct dot *d = dot_next(t, NULL); d; d = dot_next(t, d)) {
        if (d->kind->group == tried || !dot_product_of(d, a, b).name)
            continue;
        if (schedule_as(t, k, contract, d, d->kind->at_once, out_entry))
            return true;
        tried = d->kind->group;
    }
    return false;
}

bool tile_schedule_contract(const struct target *t, struct kernel *k, kval contract,
                            struct schedule_entry *out_entry)
{
    const struct kregion *r = kernel_inst(k, contract)->region;
    if (!fits_generator(k, r))
        return false;
    return schedule_as_dot(t, k, contract, out_entry) ||
           (schedule_takes_lanes(t, r->contract) &&
            schedule_as(t, k, contract, NULL, t->vector_bytes / 4, out_entry)) ||
           schedule_as(t, k, contract, NULL, 1, out_entry);
}

/* ---- all of a kernel ---- */

struct pass {
    const struct target *t;
    struct arena *a;
    struct kernel *k;
    struct schedule *s;
    tile_choice *choose;
    kval *untiled; /* contractions that no generator takes */
    size_t n_untiled, cap_untiled;
};

static void tile_block(struct pass *p, const struct kblock *blk)
{
    for (size_t i = 0; i < blk->n; i++) {
        kval v = blk->insts[i];
        const struct kinst *in = kernel_inst(p->k, v);
        if (in->op == KOP_CONTRACT) {
            struct schedule_entry e;
            if (p->choose(p->t, p->k, v, &e))
                ARENA_PUSH(p->a, p->s->entries, p->s->n, p->s->cap) = e;
            else
                ARENA_PUSH(p->a, p->untiled, p->n_untiled, p->cap_untiled) = v;
        } else if (in->region) {
            tile_block(p, &in->region->block[0]);
            tile_block(p, &in->region->block[1]);
        }
    }
}

void tile_schedule_contracts(const struct target *t, struct arena *a, struct kernel *k,
                             struct schedule *s, tile_choice *choose)
{
    struct pass p = {.t = t, .a = a, .k = k, .s = s, .choose = choose};
    tile_block(&p, &k->body);
    for (size_t i = 0; i < p.n_untiled; i++)
        kernel_expand_contract(k, p.untiled[i]);
}
