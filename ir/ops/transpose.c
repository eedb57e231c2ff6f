#include "ir/ops/common.h"

/* Which dimension of the input each one of the output is. */
static bool permutation(const struct node *n, int *out_perm, struct error *err)
{
    const struct transpose_attrs *a = n->attrs;
    int rank = n->in[0]->shape.rank;
    bool seen[MAX_RANK];
    if (a->perm.n && a->perm.n != (size_t)rank)
        return error_set(err, SHEAF_ERROR_SHAPE, "perm has %zu entries for %d dimensions",
                         a->perm.n, rank);
    if (!ops_axes(a->perm.v, a->perm.n, rank, seen, err))
        return false;
    for (int d = 0; d < rank; d++) {
        int64_t from = a->perm.n ? a->perm.v[d] : rank - 1 - d;
        out_perm[d] = (int)(from < 0 ? from + rank : from);
    }
    return true;
}

bool transpose_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    int perm[MAX_RANK];
    const struct shape *x = &n->in[0]->shape;
    if (!permutation(n, perm, err))
        return false;
    struct shape y = {.rank = x->rank};
    for (int d = 0; d < x->rank; d++) {
        y.dims[d] = x->dims[perm[d]];
        y.extent[d] = x->extent[perm[d]];
    }
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void transpose_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    int perm[MAX_RANK], rank = k->bufs[l->out[0]].rank;
    permutation(l->node, perm, NULL);
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < rank; d++)
        in[perm[d]] = out[d];
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[0], in));
    ops_map_end(k, l->out[0]);
}
