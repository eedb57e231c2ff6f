/*
 * What a step of K takes.
 *
 * Bytes are taken several values of K at a time where the processor has a dot product for them, or
 * at least a product of pairs (dot.c, contract_step.c).  The values should lie side by side in A:
 * channels where they are in blocks, the window along an image row where the image is row-major, K
 * of a matrix. Else they are put together one by one.
 */
#include "bundle/tile/schedule_contract.h"

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

bool schedule_is_sum_of_bytes(const struct kernel *k, const struct kcontract *c)
{
    const struct kbuf *a = &k->bufs[c->a.buf], *b = &k->bufs[c->b.buf];
    return c->acc == DTYPE_I32 && is_byte(a->dtype) && is_byte(b->dtype) && b->constant &&
           is_only_cast(k, &c->a) && is_only_cast(k, &c->b) &&
           (!c->a.padded || kernel_inst(k, c->a.pad)->op == KOP_CONST);
}

bool schedule_multiplies_floats(const struct target *t, const struct kernel *k,
                                const struct kcontract *c)
{
    enum dtype a = k->bufs[c->a.buf].dtype, b = k->bufs[c->b.buf].dtype;
    if (c->acc != DTYPE_F32 || !is_only_cast(k, &c->a) || !is_only_cast(k, &c->b))
        return false;
    for (const struct dot *d = dot_next(t, NULL); d; d = dot_next(t, d)) {
        bool fits = d->kind->dot == SCHEDULE_DOT_PAIRS ? !schedule_padding_counts(k, &c->a)
                                                       : k->bufs[c->b.buf].constant != NULL;
        if (d->kind->floats && dot_product_of(d, a, b).name && fits)
            return true;
    }
    return false;
}

bool schedule_decided_by_tile(const struct kernel *k, const struct kregion *r,
                              const struct schedule_entry *e, int i)
{
    const struct koperand *a = &r->contract->a;
    for (int d = 0; a->padded && d < k->bufs[a->buf].rank; d++)
        if (kaffine_coef(&a->dim[d], r->index[i]) && schedule_can_leave(k, r, a, d) &&
            (e->row_iter < 0 || !kaffine_coef(&a->dim[d], r->index[e->row_iter])))
            return false;
    return true;
}

/* Pairs are not put together: they are side by side, or will be where B is packed. */
static bool lies_in_pairs(const struct kernel *k, const struct kregion *r,
                          const struct schedule_entry *e)
{
    const struct koperand *b = &r->contract->b;
    kval index = r->index[e->group_iter];
    int d = schedule_dim_of_k(k, b, index);
    int64_t read = tile_div_ceil(kernel_static_extent(k, r, e->group_iter), e->group) * e->group;
    return schedule_group_is_adjacent(k, r, e) &&
           (k->bufs[b->buf].constant || (schedule_lies_in_groups(k, b, index, e->group) && d >= 0 &&
                                         k->bufs[b->buf].dims[d] >= read));
}

int schedule_choose_group(const struct kernel *k, const struct kregion *r,
                          const struct schedule_entry *entry)
{
    enum { COST_OF_ASSEMBLING = 4 };
    struct schedule_entry e = *entry;
    e.at_once = 1;
    int64_t best = 0, steps = 1;
    int found = -1;
    for (int i = 0; i < r->n_dims; i++)
        if (r->contract->kind[i] == KITER_K)
            steps *= kernel_static_extent(k, r, i);
    for (int i = 0; i < r->n_dims; i++) {
        int64_t n = kernel_static_extent(k, r, i);
        if (r->contract->kind[i] != KITER_K ||
            schedule_dim_of_k(k, &r->contract->b, r->index[i]) < 0 ||
            !schedule_decided_by_tile(k, r, &e, i) || (e.k_iter >= 0 && i != e.k_iter))
            continue;
        e.group_iter = i;
        int64_t cost = steps / n * tile_div_ceil(n, e.group);
        if (e.dot == SCHEDULE_DOT_PAIRS && !lies_in_pairs(k, r, &e))
            continue;
        if (!schedule_group_is_adjacent(k, r, &e)) {
            cost *= COST_OF_ASSEMBLING;
        }
        if (found >= 0 && cost >= best)
            continue;
        best = cost;
        found = i;
    }
    return found;
}

/* Whether `at_once` groups of index i can be loaded together, more often than not. */
static bool load_together(const struct kernel *k, const struct kregion *r, int i,
                          const struct schedule_entry *entry, int at_once)
{
    struct schedule_entry e = *entry;
    e.group_iter = i;
    e.at_once = at_once;
    return kernel_static_extent(k, r, i) >= e.group * at_once &&
           schedule_decided_by_tile(k, r, &e, i) && schedule_group_is_adjacent(k, r, &e);
}

void schedule_choose_lanes(const struct kernel *k, const struct kregion *r, int at_once,
                           struct schedule_entry *e)
{
    enum { LEAST = 4 };
    int least = e->group > 1 ? 2 : LEAST;
    for (e->at_once = at_once; e->at_once >= least; e->at_once /= 2)
        for (int i = 0; i < r->n_dims; i++) {
            bool is_group = e->group_iter >= 0 ? i == e->group_iter
                            : e->k_iter >= 0   ? i == e->k_iter
                                               : r->contract->kind[i] == KITER_K;
            if (is_group && load_together(k, r, i, e, e->at_once)) {
                e->group_iter = i;
                return;
            }
        }
    e->at_once = 1;
}

bool schedule_takes_lanes(const struct target *t, const struct kcontract *c)
{
    return t->has_lanes && c->acc == DTYPE_F32 && !c->a.prologue.n;
}

/* Where LLVM cannot put a vector register aside, there must be some for what it mixes up of several
   steps of K that are written out. */
enum { MIXED_STEPS = 3 };

/* Beside sums a step needs: each vector of B, twice where its sum is kept; the broadcast of A, the
   product where it is separate, and what extending bytes takes. */
void schedule_cost_of_step(const struct target *t, const struct kernel *k,
                           const struct kcontract *c, const struct dot *d,
                           struct shape_of_result *s)
{
    bool fused = t->has_fma && c->acc == DTYPE_F32;
    bool plain = c->acc == DTYPE_F32 && !c->a.prologue.n && !c->b.prologue.n;
    if (d) {
        s->regs = d->kind->regs;
        s->step = d->kind->cost;
        s->regs.per_sum = (int)tile_div_ceil(s->regs.per_sum * 4 * s->vector, d->bytes);
        if (d->kind->dot == SCHEDULE_DOT_PAIRS)
            s->step.product = dot_cost_of_product(d, s->vector);
        if (dot_product_of(d, k->bufs[c->a.buf].dtype, k->bufs[c->b.buf].dtype).flipped) {
            s->regs.per_vector++;
            s->regs.spare++;
        }
    } else {
        s->regs = (struct dot_registers){
            .per_sum = 1, .per_vector = 1, .spare = (fused ? 1 : 2) + (plain ? 0 : 1)};
        s->step = (struct dot_cost){.product = 1, .per_cycle = 2};
        if (s->at_once > 1)
            s->regs.spare = 4;
        if (schedule_takes_lanes(t, c))
            s->regs.per_row = 1;
        if (s->vector == 1 && !dtype_is_float(c->acc))
            s->regs.all = -1;
        if (t->has_any_lanes)
            s->regs.all = t->n_vector_regs / MIXED_STEPS;
    }
    if (s->regs.all <= 0)
        s->regs.all = s->regs.all < 0 ? t->n_general_regs : t->n_vector_regs;
}
