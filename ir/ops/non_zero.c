/*
 * NonZero-13.  The number of results is known only at run time: output 1, which models do not
 * name, holds it and is the extent of the result's second dimension.
 */
#include "ir/ops/common.h"

bool non_zero_infer(struct graph *g, struct node *n, struct error *err)
{
    const struct shape *x = &n->in[0]->shape;
    if (!ops_check_type(n, 0, TYPES_NUMBER | TYPE(BOOL), err))
        return false;
    if (x->rank == 0)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the input is a scalar");
    int64_t dims[2] = {x->rank, shape_elems(x)};
    struct shape y = shape_of_dims(2, dims);
    y.extent[1] = ops_hidden_scalar(g, n, 1, "count");
    return ops_set_output(n, 0, DTYPE_I64, &y, err);
}

/* 1 where element `linear` is not zero, else 0; its indices go to out_idx. */
static kval is_set(struct kernel *k, int x, kval linear, kval *out_idx)
{
    ops_unflatten_in(k, linear, x, out_idx);
    return kernel_cast(k, DTYPE_BOOL, ops_load(k, x, out_idx));
}

/* The count comes first, because it places the rows of the result. */
void non_zero_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    int x = l->in[0], rank = k->bufs[x].rank;
    kval n = ops_elems(k, x), zero = kernel_const_index(k, 0);
    kval i, idx[MAX_RANK], count, v, at;

    kernel_reduce_begin(k, KCOMBINE_ADD, 1, 1, &n, 1, &zero, &i);
    v = kernel_cast(k, DTYPE_I64, is_set(k, x, i, idx));
    kernel_reduce_end(k, &v, &count);
    kernel_store(k, l->out[1], NULL, count);

    kernel_scan_begin(k, KCOMBINE_ADD, n, 1, &zero, &i);
    v = kernel_cast(k, DTYPE_I64, is_set(k, x, i, idx));
    kernel_scan_emit(k, &v, &at);
    kernel_if_begin(k, is_set(k, x, i, idx));
    for (int d = 0; d < rank; d++) {
        kval to[2] = {kernel_const_index(k, d), at};
        kernel_store(k, l->out[0], to, idx[d]);
    }
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
    kernel_scan_end(k, &v);
}
