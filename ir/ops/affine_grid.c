#include "ir/ops/common.h"

enum { THETA, SIZE };
enum { SPATIAL = 2 };

bool affine_grid_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    int64_t size[MAX_RANK];
    size_t rank;
    struct shape said;
    if (!ops_check_type(n, THETA, TYPES_FLOAT, err) ||
        !ops_const_ints(n, SIZE, "size", MAX_RANK, size, &rank, err) ||
        !ops_stated_shape(rank, size, &said, err))
        return false;
    if (rank <= SPATIAL)
        return error_set(err, SHEAF_ERROR_SHAPE, "a size of %zu dimensions has no places", rank);
    int64_t spatial = (int64_t)rank - SPATIAL;
    int64_t dims[3] = {size[0], spatial, spatial + 1};
    if (!ops_check_dims(n, THETA, 3, dims, err))
        return false;
    struct shape y = {.rank = (int)rank, .dims = {size[0]}};
    for (int d = 1; d < y.rank; d++)
        y.dims[d] = d + 1 < y.rank ? size[d + 1] : spatial;
    return ops_set_output(n, 0, n->in[THETA]->dtype, &y, err);
}

/* Of place i among `extent`: -1 to 1 from the first to the last, or from edge to edge. */
static kval coordinate(struct kernel *k, enum dtype t, bool align, kval i, int64_t extent)
{
    kval twice = kernel_cast(k, t, ops_mul_const(k, i, 2)), one = kernel_const_float(k, t, 1);
    if (align && extent == 1)
        return kernel_const_float(k, t, 0);
    if (!align)
        twice = kernel_binary(k, KOP_ADD, twice, one);
    kval span = kernel_const_float(k, t, (double)(align ? extent - 1 : extent));
    return kernel_binary(k, KOP_SUB, kernel_binary(k, KOP_DIV, twice, span), one);
}

void affine_grid_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct affine_grid_attrs *a = l->node->attrs;
    const struct kbuf y = k->bufs[l->out[0]];
    enum dtype t = ops_compute_type(y.dtype);
    int n = y.rank - SPATIAL;
    kval out[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    kval at[3] = {out[0], out[y.rank - 1], kernel_const_index(k, n)};
    kval sum = ops_load(k, l->in[THETA], at);
    for (int i = 0; i < n; i++) { /* the last dimension is the first coordinate */
        int d = n - i;
        at[2] = kernel_const_index(k, i);
        kval theta = ops_load(k, l->in[THETA], at);
        kval x = coordinate(k, t, a->align_corners != 0, out[d], y.dims[d]);
        sum = kernel_binary(k, KOP_ADD, sum, kernel_binary(k, KOP_MUL, theta, x));
    }
    ops_store(k, l->out[0], out, sum);
    ops_map_end(k, l->out[0]);
}
