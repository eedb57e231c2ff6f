#include "ir/ops/tables.h"

bool tables_axes(const struct node *n, const struct attr_ints *axes, size_t per_axis, int *out_axis,
                 struct error *err)
{
    int rank = n->in[0]->shape.rank;
    bool seen[MAX_RANK];
    if (n->n_in != 1 + per_axis * axes->n)
        return error_set(err, SHEAF_ERROR_SHAPE, "%zu axes do not fit %zu tables", axes->n,
                         n->n_in - 1);
    if (!ops_axes(axes->v, axes->n, rank, seen, err))
        return false;
    for (size_t i = 0; i < axes->n; i++)
        ops_axis(axes->v[i], rank, &out_axis[i], NULL);
    return true;
}

bool tables_check(const struct node *n, size_t i, int rank, int64_t least, int64_t extent,
                  struct error *err)
{
    if (!ops_has_input(n, i) || !value_is_constant(n->in[i]))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "table %zu is not constant", i);
    if (!ops_check_type(n, i, TYPES_INDEX, err) || !ops_check_rank(n, i, rank, err))
        return false;
    const struct tensor *t = n->in[i]->constant;
    for (int64_t e = 0; e < tensor_elems(t); e++) {
        int64_t at = tensor_get_int(t, e);
        if (at < least || at >= extent)
            return error_set(err, SHEAF_ERROR_SHAPE, "table '%s' has index %lld of %lld elements",
                             n->in[i]->name, (long long)at, (long long)extent);
    }
    return true;
}
