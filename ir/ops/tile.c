#include "ir/checked.h"
#include "ir/ops/common.h"

enum { X, REPEATS, EXTENTS };

static bool infer_given(struct node *n, struct error *err)
{
    struct shape y;
    int64_t dims[MAX_RANK];
    size_t rank;
    if (!ops_const_ints(n, REPEATS, "shape", MAX_RANK, dims, &rank, err) ||
        !ops_check_rank(n, X, (int)rank, err) || !ops_stated_shape(rank, dims, &y, err) ||
        !ops_given_extents(n, EXTENTS, &y, err))
        return false;
    if (shape_elems(&n->in[X]->shape) == 0 && shape_elems(&y) > 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "there are no elements to repeat");
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err);
}

bool tile_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct shape y = n->in[0]->shape;
    int64_t repeats[MAX_RANK];
    size_t count;
    if (n->n_in > EXTENTS)
        return infer_given(n, err);
    if (!ops_const_ints(n, 1, "repeats", MAX_RANK, repeats, &count, err))
        return false;
    if (count != (size_t)y.rank)
        return error_set(err, SHEAF_ERROR_SHAPE, "%zu repeats for %d dimensions", count, y.rank);
    for (int d = 0; d < y.rank; d++) {
        if (repeats[d] < 0)
            return error_set(err, SHEAF_ERROR_SHAPE, "dimension %d is to be repeated %lld times", d,
                             (long long)repeats[d]);
        if (y.extent[d] && repeats[d] != 1)
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "dimension %d, whose extent is known only at run time, is repeated",
                             d);
        if (!checked_mul(y.dims[d], repeats[d], &y.dims[d]))
            return error_set(err, SHEAF_ERROR_MEMORY, "the result has too many elements");
    }
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

/* A repeated dimension of no elements has none in the result either, so that 0 divides nothing. */
static void lower_given(struct lower *l)
{
    struct kernel *k = l->kernel;
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < k->bufs[l->in[X]].rank; d++) {
        const struct kbuf *x = &k->bufs[l->in[X]], *y = &k->bufs[l->out[0]];
        bool same = x->extent_buf[d] == y->extent_buf[d] && x->dims[d] == y->dims[d];
        kval one = kernel_const_index(k, 1);
        in[d] = out[d];
        if (!same) {
            kval extent = kernel_extent(k, l->in[X], d);
            extent = kernel_binary(k, KOP_MAX, extent, one);
            in[d] = kernel_binary(k, KOP_REM, out[d], extent);
        }
    }
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[X], in));
    ops_map_end(k, l->out[0]);
}

/* A dimension that is repeated gives two loops, so that all indices are affine, as long as there
   may be so many. */
void tile_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    if (l->node->n_in > EXTENTS) {
        lower_given(l);
        return;
    }
    const struct kbuf x = k->bufs[l->in[0]], y = k->bufs[l->out[0]];
    kval extent[KREGION_MAX_DIMS], at[KREGION_MAX_DIMS];
    kval in[MAX_RANK] = {0}, out[MAX_RANK] = {0};
    bool split[MAX_RANK];
    int n = 0;
    for (int d = 0; d < y.rank; d++) {
        split[d] = x.dims[d] > 1 && x.dims[d] != y.dims[d] && n + y.rank - d < KREGION_MAX_DIMS;
        if (split[d])
            extent[n++] = kernel_const_index(k, y.dims[d] / x.dims[d]);
        extent[n++] = split[d] ? kernel_const_index(k, x.dims[d]) : kernel_extent(k, l->out[0], d);
    }
    if (n)
        kernel_map_begin(k, n, extent, at);
    for (int d = 0, next = 0; d < y.rank; d++) {
        kval from = split[d] ? ops_mul_const(k, at[next++], x.dims[d]) : 0;
        out[d] = in[d] = at[next++];
        if (split[d])
            out[d] = kernel_binary(k, KOP_ADD, from, in[d]);
        else if (x.dims[d] != y.dims[d])
            in[d] = kernel_binary(k, KOP_REM, out[d], kernel_const_index(k, x.dims[d]));
    }
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[0], in));
    if (n)
        kernel_map_end(k);
}
