#include "ir/ops/common.h"

enum { X, SHAPE, EXTENTS };

/* Whether x has no more dimensions, and none that can be neither 1 nor the one of y. */
static bool fits(const struct shape *x, const struct shape *y, struct error *err)
{
    if (x->rank > y->rank)
        return error_set(err, SHEAF_ERROR_SHAPE, "%d dimensions do not broadcast to %d", x->rank,
                         y->rank);
    for (int d = 0; d < x->rank; d++) {
        int to = d + y->rank - x->rank;
        bool same = x->extent[d] || y->extent[to] ? true : x->dims[d] == y->dims[to];
        bool none = x->dims[d] == 0 && y->dims[to] > 0;
        if ((!same && x->dims[d] != 1) || none)
            return error_set(err, SHEAF_ERROR_SHAPE, "extent %lld does not broadcast to %lld",
                             (long long)x->dims[d], (long long)y->dims[to]);
    }
    return true;
}

bool expand_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    int64_t dims[MAX_RANK];
    size_t rank;
    struct shape y;
    if (!ops_const_ints(n, 1, "shape", MAX_RANK, dims, &rank, err) ||
        !ops_stated_shape(rank, dims, &y, err))
        return false;
    if (n->n_in > EXTENTS)
        return ops_given_extents(n, EXTENTS, &y, err) && fits(&n->in[X]->shape, &y, err) &&
               ops_set_output(n, 0, n->in[X]->dtype, &y, err);
    return ops_broadcast(&y, &n->in[0]->shape, err) &&
           ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void expand_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    int rank = k->bufs[l->out[0]].rank, own = k->bufs[l->in[0]].rank;
    ops_broadcast_index(k, l->in[0], rank, out, in);
    for (int d = 0; d < own; d++) {
        int from = k->bufs[l->in[0]].extent_buf[d];
        int to = k->bufs[l->out[0]].extent_buf[d + rank - own];
        /* 1 or as many as in the result, which shows only now. */
        if (from == to || (from < 0 && k->bufs[l->in[0]].dims[d] == 1))
            continue;
        kval extent = kernel_extent(k, l->in[0], d);
        in[d] = ops_clamp_index(k, in[d], extent);
    }
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[0], in));
    ops_map_end(k, l->out[0]);
}
