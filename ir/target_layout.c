/*
 * The layout of convolutions with channels innermost: K of a contraction over channels is one run,
 * and neighbouring lanes or threads write neighbouring channels.
 */
#include "ir/target.h"

/* Whether dimension d of a store runs over columns or, in a convolution of groups, over groups. */
static bool is_channel(const struct kernel *k, const struct kregion *r, const struct kinst *store,
                       int d)
{
    struct kaffine a;
    if (!kernel_affine_of(k, store->args[d], &a))
        return false;
    for (int i = 0; i < a.n_terms; i++) {
        int j = kregion_index_of(r, a.term[i].var);
        if (j >= 0 && r->contract->kind[j] != KITER_N && r->contract->kind[j] != KITER_BATCH)
            return false;
    }
    return a.n_terms > 0;
}

static struct layout channels_last(int rank)
{
    int order[MAX_RANK], n = 0;
    for (int d = 0; d < rank; d++)
        if (d != 1)
            order[n++] = d;
    order[n] = 1;
    return layout_permuted(rank, order);
}

/* Whether only channels that are summed run along dimension 1 of operand A. */
static bool sums_channels(const struct kregion *r)
{
    const struct kaffine *a = &r->contract->a.dim[1];
    for (int i = 0; i < a->n_terms; i++) {
        int j = kregion_index_of(r, a->term[i].var);
        if (j >= 0 && r->contract->kind[j] != KITER_K)
            return false;
    }
    return a->n_terms > 0;
}

/* What is summed is read 16 bytes at a time where as many channels lie side by side. */
static bool prefer_input_layout(const struct kernel *k, const struct kregion *r,
                                struct layout *layouts)
{
    enum { LEAST_BYTES = 16 };
    int buf = r->contract->a.buf;
    const struct kbuf *a = &k->bufs[buf];
    if (a->rank < 3 || a->role != KBUF_IN || a->constant || !sums_channels(r) ||
        a->dims[1] * dtype_bits(a->dtype) / 8 < LEAST_BYTES)
        return false;
    layouts[buf] = channels_last(a->rank);
    return true;
}

bool target_channels_last(const struct target *t, const struct kernel *k, struct layout *layouts)
{
    (void)t;
    kval contract = kernel_find_contract(k);
    if (!contract)
        return false;
    const struct kregion *r = kernel_inst(k, contract)->region;
    bool any = prefer_input_layout(k, r, layouts);
    for (size_t i = 0; i < r->block[0].n; i++) {
        const struct kinst *in = kernel_inst(k, r->block[0].insts[i]);
        if (in->op != KOP_STORE)
            continue;
        const struct kbuf *b = &k->bufs[in->buf];
        if (b->rank < 3 || b->dims[1] < 2 || !is_channel(k, r, in, 1) ||
            is_channel(k, r, in, b->rank - 1))
            continue;
        layouts[in->buf] = channels_last(b->rank);
        any = true;
    }
    return any;
}
