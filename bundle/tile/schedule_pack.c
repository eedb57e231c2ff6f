/*
 * How operand B of a contraction is packed: exactly the order in which it is read, so that it
 * streams from memory front to back.  Outermost are the dimensions of batch and column indices,
 * then K in the order of its loops, then the blocks.
 */
#include "bundle/tile/schedule_contract.h"

static int dim_of(const struct kernel *k, const struct koperand *b, kval index)
{
    int found = -1;
    for (int d = 0; d < k->bufs[b->buf].rank; d++)
        if (kaffine_coef(&b->dim[d], index) != 0)
            found = d;
    return found;
}

static bool has_k(const struct kregion *r, const struct kaffine *a)
{
    for (int i = 0; i < r->n_dims; i++)
        if (r->contract->kind[i] == KITER_K && kaffine_coef(a, r->index[i]))
            return true;
    return false;
}

struct order {
    int dim[MAX_RANK], n;
    bool taken[MAX_RANK];
};

static void take(struct order *o, int d)
{
    if (!o->taken[d])
        o->dim[o->n++] = d;
    o->taken[d] = true;
}

static void take_dims_of(const struct kernel *k, const struct koperand *b, kval index,
                         struct order *o)
{
    for (int d = 0; d < k->bufs[b->buf].rank; d++)
        if (kaffine_coef(&b->dim[d], index) != 0)
            take(o, d);
}

/* Products of tiles run the blocked K index inside all others, those of pairs theirs; the rest has
   it in its place. */
int schedule_last_k(const struct schedule_entry *e)
{
    if (e->dot == SCHEDULE_DOT_PAIRS)
        return e->group_iter;
    return e->dot == SCHEDULE_DOT_TILE ? e->k_iter : -1;
}

static struct order order_of_b(const struct kernel *k, const struct kregion *r,
                               const struct schedule_entry *e)
{
    const struct koperand *b = &r->contract->b;
    int last = schedule_last_k(e);
    struct order o = {.n = 0};
    for (int d = 0; d < k->bufs[b->buf].rank; d++)
        if (!has_k(r, &b->dim[d]))
            take(&o, d);
    for (int i = 0; i < r->n_dims; i++)
        if (r->contract->kind[i] == KITER_K && i != last)
            take_dims_of(k, b, r->index[i], &o);
    if (last >= 0)
        take_dims_of(k, b, r->index[last], &o);
    return o;
}

bool schedule_pack_b(struct kernel *k, const struct kregion *r, const struct schedule_entry *e,
                     int columns, int k_values)
{
    const struct koperand *b = &r->contract->b;
    struct kbuf *buf = &k->bufs[b->buf];
    int col_dim = dim_of(k, b, r->index[e->col_iter]), k_dim = -1;
    if (e->k_iter >= 0) {
        k_dim = dim_of(k, b, r->index[e->k_iter]);
        if (k_dim < 0 || kaffine_coef(&b->dim[k_dim], r->index[e->k_iter]) != 1)
            return false;
    }
    if (col_dim < 0)
        return false;
    int block = e->k_iter == e->group_iter ? k_values / e->group : k_values;
    struct layout l = layout_permuted(buf->rank, order_of_b(k, r, e).dim);
    if (e->span > 1)
        l = layout_blocked(l, dim_of(k, b, r->index[e->span_iter]), e->span);
    if (k_dim >= 0 && block > 1)
        l = layout_blocked(l, k_dim, block);
    l = layout_blocked(l, col_dim, columns);
    if (e->group > 1)
        l = layout_blocked(l, dim_of(k, b, r->index[e->group_iter]), e->group);
    buf->layout = l;
    return true;
}
