/*
 * TopK-11: the k largest or smallest elements along an axis, in order.  Equal elements are taken in
 * the order of their indices, and NaN is above all numbers.  Where k or the axis is known only at
 * run time, output 2, which models do not name, holds how many there are.
 */
#include "ir/ops/sort_key.h"

enum { X, K };

bool top_k_infer(struct graph *g, struct node *n, struct error *err)
{
    const struct top_k_attrs *a = n->attrs;
    struct shape y = n->in[X]->shape;
    int axis;
    if (!ops_check_type(n, X, TYPES_NUMBER, err) || !ops_axis(a->axis, y.rank, &axis, err) ||
        !ops_check_type(n, K, TYPES_INDEX, err))
        return false;
    if (shape_elems(&n->in[K]->shape) != 1 || !shape_is_static(&n->in[K]->shape))
        return error_set(err, SHEAF_ERROR_SHAPE, "k, input '%s', is not one number",
                         n->in[K]->name);
    if (value_is_constant(n->in[K])) {
        int64_t k = tensor_get_int(n->in[K]->constant, 0);
        if (k < 0 || k > y.dims[axis])
            return error_set(err, SHEAF_ERROR_SHAPE, "k is %lld, but axis %d has %lld elements",
                             (long long)k, axis, (long long)y.dims[axis]);
        y.dims[axis] = k;
    }
    if (a->bound < y.dims[axis])
        y.dims[axis] = a->bound;
    if (y.extent[axis] || !value_is_constant(n->in[K]))
        y.extent[axis] = ops_hidden_scalar(g, n, 2, "count");
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err) &&
           ops_set_output(n, 1, DTYPE_I64, &y, err);
}

/* ---- tuples ---- */

/* What is sorted: key and index, in one number where both have room in it.  The key is above the
   index, of INDEX_BITS. */
enum { INDEX_BITS = 32 };

static bool is_packed(const struct kbuf *x, int axis)
{
    return dtype_bits(x->dtype) <= 64 - INDEX_BITS && x->dims[axis] <= INT32_MAX;
}

static int tuple_of(struct kernel *k, bool packed, kval key, kval index, kval *out)
{
    out[0] = key;
    out[1] = index;
    if (!packed)
        return 2;
    kval bits = kernel_const_index(k, INDEX_BITS);
    out[0] = kernel_binary(k, KOP_OR, kernel_binary(k, KOP_SHL, key, bits), index);
    return 1;
}

static kval index_of(struct kernel *k, bool packed, const kval *tuple)
{
    if (!packed)
        return tuple[1];
    return kernel_binary(k, KOP_AND, tuple[0], kernel_const_index(k, INT32_MAX));
}

static kval before(struct kernel *k, int n, const kval *a, const kval *b)
{
    kval less = kernel_compare(k, KOP_LT, a[0], b[0]);
    if (n == 1)
        return less;
    kval equal = kernel_compare(k, KOP_EQ, a[0], b[0]);
    kval nearer = kernel_compare(k, KOP_LT, a[1], b[1]);
    return kernel_binary(k, KOP_OR, less, ops_and(k, equal, nearer));
}

/* ---- lowering ---- */

/* k, of which there can be no more than there are elements. */
static kval count_of(struct lower *l, kval extent, int64_t bound)
{
    struct kernel *k = l->kernel;
    const struct value *v = l->node->in[K];
    kval count, zero = kernel_const_index(k, 0);
    if (value_is_constant(v))
        count = kernel_const_index(k, tensor_get_int(v->constant, 0));
    else
        count = kernel_cast(k, DTYPE_I64, ops_load_scalar(k, l->in[K]));
    count = kernel_binary(k, KOP_MIN, count, extent);
    count = kernel_binary(k, KOP_MIN, count, kernel_const_index(k, bound));
    count = kernel_binary(k, KOP_MAX, zero, count);
    if (ops_has_output(l->node, 2))
        kernel_store(k, l->out[2], NULL, count);
    return count;
}

void top_k_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct top_k_attrs *a = l->node->attrs;
    int x = l->in[X], rank = k->bufs[x].rank, axis = 0, n_outer = 0;
    kval extent[MAX_RANK], outer[MAX_RANK], from[MAX_RANK], to[MAX_RANK], index[2];
    kval element[2], first[2], second[2], sorted[2];
    ops_axis(a->axis, rank, &axis, NULL);
    bool packed = is_packed(&k->bufs[x], axis);
    kval along = kernel_extent(k, x, axis);
    kval count = count_of(l, along, k->bufs[l->out[0]].dims[axis]);
    for (int d = 0; d < rank; d++)
        if (d != axis)
            extent[n_outer++] = kernel_extent(k, x, d);
    if (n_outer)
        kernel_map_begin(k, n_outer, extent, outer);
    kernel_sort_begin(k, along, count, index);
    for (int d = 0, o = 0; d < rank; d++) {
        from[d] = d == axis ? index[0] : outer[o];
        to[d] = d == axis ? index[1] : outer[o];
        o += d != axis;
    }
    kval key = sort_key(k, ops_load(k, x, from), a->largest != 0);
    int n = tuple_of(k, packed, key, index[0], element);
    kernel_sort_order(k, n, element, first, second);
    kernel_sort_emit(k, before(k, n, first, second), sorted);
    from[axis] = index_of(k, packed, sorted);
    kernel_store(k, l->out[0], to, kernel_load(k, x, from));
    kernel_store(k, l->out[1], to, from[axis]);
    kernel_sort_end(k);
    if (n_outer)
        kernel_map_end(k);
}
