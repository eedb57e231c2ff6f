/*
 * The normalizations of LayerNormalization, RMSNormalization, GroupNormalization,
 * InstanceNormalization and MeanVarianceNormalization: over the axes together
 *     y = (x - mean) / sqrt(mean of (x - mean)^2 + epsilon) * scale + bias,
 * without `center` with 0 for the mean.  Two passes over the elements, so that the variance is not
 * the difference of two large sums.
 */
#include "ir/ops/reduce.h"

enum { X, SCALE, BIAS };
enum { Y, MEAN, INV_STD };

static bool axes_of(const struct node *n, bool *out_set, struct error *err)
{
    const struct normalize_attrs *a = n->attrs;
    return ops_axes(a->axes.v, a->axes.n, n->in[X]->shape.rank, out_set, err);
}

/* Scale or bias broadcasts to x alone. */
static bool check_factor(const struct node *n, size_t i, struct error *err)
{
    if (!ops_has_input(n, i))
        return true;
    struct shape both = n->in[X]->shape;
    if (!ops_check_type(n, i, TYPES_FLOAT, err) || !ops_broadcast(&both, &n->in[i]->shape, err))
        return false;
    if (!shape_equal(&both, &n->in[X]->shape))
        return error_set(err, SHEAF_ERROR_SHAPE, "input '%s' is larger than input '%s'",
                         n->in[i]->name, n->in[X]->name);
    return true;
}

bool normalize_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct normalize_attrs *a = n->attrs;
    bool axis[MAX_RANK] = {false};
    if (!ops_check_type(n, X, TYPES_FLOAT, err) || !axes_of(n, axis, err) ||
        !check_factor(n, SCALE, err) || !check_factor(n, BIAS, err))
        return false;
    enum dtype stash = dtype_from_code(a->stash_type);
    if (!(TYPES_FLOAT & (1u << stash)))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "mean and deviation of ONNX type %lld are not possible",
                         (long long)a->stash_type);
    struct shape each = n->in[X]->shape;
    for (int d = 0; d < each.rank; d++) {
        each.dims[d] = axis[d] ? 1 : each.dims[d];
        each.extent[d] = axis[d] ? NULL : each.extent[d];
    }
    enum dtype type = ops_has_input(n, SCALE) ? n->in[SCALE]->dtype : n->in[X]->dtype;
    return ops_set_output(n, Y, type, &n->in[X]->shape, err) &&
           ops_set_output(n, MEAN, stash, &each, err) &&
           ops_set_output(n, INV_STD, stash, &each, err);
}

static kval mean_over(struct kernel *k, int x, const int *dims, int n, kval *idx, kval count,
                      reduce_element *element, kval with)
{
    kval zero = kernel_const(k, kernel_inst(k, count)->type, 0);
    kval sum = reduce_over(k, KCOMBINE_ADD, x, dims, n, idx, zero, element, with);
    return kernel_binary(k, KOP_DIV, sum, count);
}

/* One of the optional outputs, for the elements that idx has outside of the axes. */
static void store_each(struct lower *l, size_t i, const bool *axis, const kval *idx, kval v)
{
    struct kernel *k = l->kernel;
    if (!ops_has_output(l->node, i))
        return;
    kval at[MAX_RANK];
    for (int d = 0; d < k->bufs[l->in[X]].rank; d++)
        at[d] = axis[d] ? kernel_const_index(k, 0) : idx[d];
    ops_store(k, l->out[i], at, v);
}

/* (x - mean) * inverse * scale + bias; mean 0: there is none */
static kval normalized(struct lower *l, const kval *idx, kval mean, kval inverse)
{
    struct kernel *k = l->kernel;
    int rank = k->bufs[l->in[X]].rank;
    enum dtype type = kernel_inst(k, inverse)->type;
    kval v = ops_load(k, l->in[X], idx);
    if (mean)
        v = kernel_binary(k, KOP_SUB, v, mean);
    v = kernel_binary(k, KOP_MUL, v, inverse);
    for (size_t i = SCALE; i <= BIAS; i++) {
        if (!ops_has_input(l->node, i))
            continue;
        kval factor = kernel_cast(k, type, ops_load_broadcast(k, l->in[i], rank, idx));
        v = kernel_binary(k, i == SCALE ? KOP_MUL : KOP_ADD, v, factor);
    }
    return v;
}

void normalize_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct normalize_attrs *a = l->node->attrs;
    int x = l->in[X], rank = k->bufs[x].rank, inner[MAX_RANK], n_inner = 0, n_outer = 0;
    enum dtype type = ops_compute_type(k->bufs[x].dtype);
    bool axis[MAX_RANK] = {false};
    kval extent[MAX_RANK], outer[MAX_RANK], idx[MAX_RANK];
    axes_of(l->node, axis, NULL);
    for (int d = 0; d < rank; d++) {
        if (axis[d])
            inner[n_inner++] = d;
        else
            extent[n_outer++] = kernel_extent(k, x, d);
    }
    if (n_outer)
        kernel_map_begin(k, n_outer, extent, outer);
    for (int d = 0, o = 0; d < rank; d++)
        if (!axis[d])
            idx[d] = outer[o++];

    kval count = reduce_count(k, x, inner, n_inner, type), mean = 0;
    if (a->center)
        mean = mean_over(k, x, inner, n_inner, idx, count, NULL, 0);
    kval var = mean_over(k, x, inner, n_inner, idx, count,
                         a->center ? reduce_square_from : reduce_square, mean);
    var = kernel_binary(k, KOP_ADD, var, kernel_const_float(k, type, (double)a->epsilon));
    kval one = kernel_const_float(k, type, 1);
    kval inverse = kernel_binary(k, KOP_DIV, one, kernel_unary(k, KOP_SQRT, var));
    store_each(l, MEAN, axis, idx, mean ? mean : kernel_const_float(k, type, 0));
    store_each(l, INV_STD, axis, idx, inverse);

    kval at[MAX_RANK];
    for (int i = 0; i < n_inner; i++)
        extent[i] = kernel_extent(k, x, inner[i]);
    if (n_inner)
        kernel_map_begin(k, n_inner, extent, at);
    for (int i = 0; i < n_inner; i++)
        idx[inner[i]] = at[i];
    ops_store(k, l->out[Y], idx, normalized(l, idx, mean, inverse));
    if (n_inner)
        kernel_map_end(k);
    if (n_outer)
        kernel_map_end(k);
}
