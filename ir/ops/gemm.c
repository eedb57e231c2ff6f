#include "ir/ops/common.h"

#define TYPES_GEMM (TYPES_FLOAT | TYPES_INDEX | TYPE(U32) | TYPE(U64))

bool gemm_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct gemm_attrs *attr = n->attrs;
    for (size_t i = 0; i < n->n_in; i++)
        if (!ops_check_type(n, i, TYPES_GEMM, err) || !ops_check_same_type(n, 0, i, err) ||
            !ops_check_static(n, i, err) || (i < 2 && !ops_check_rank(n, i, 2, err)))
            return false;
    const int64_t *a = n->in[0]->shape.dims, *b = n->in[1]->shape.dims;
    int64_t ak = a[attr->transA ? 0 : 1], bk = b[attr->transB ? 1 : 0];
    if (ak != bk)
        return error_set(err, SHEAF_ERROR_SHAPE, "%lld columns of '%s' meet %lld rows of '%s'",
                         (long long)ak, n->in[0]->name, (long long)bk, n->in[1]->name);
    int64_t dims[2] = {a[attr->transA ? 1 : 0], b[attr->transB ? 0 : 1]};
    struct shape y = shape_of_dims(2, dims);
    if (ops_has_input(n, 2)) {
        struct shape c = y;
        if (!ops_broadcast(&c, &n->in[2]->shape, err))
            return false;
        if (!shape_equal(&c, &y))
            return error_set(err, SHEAF_ERROR_SHAPE, "'%s' does not broadcast to [%lld,%lld]",
                             n->in[2]->name, (long long)dims[0], (long long)dims[1]);
    }
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

/* v * factor in the type of v; integers are scaled in f64 and truncated. */
static kval scaled(struct kernel *k, kval v, float factor)
{
    enum dtype type = kernel_inst(k, v)->type;
    if (factor == 1.0f)
        return v;
    if (dtype_is_float(type))
        return kernel_binary(k, KOP_MUL, v, kernel_const_float(k, type, (double)factor));
    kval wide = kernel_binary(k, KOP_MUL, kernel_cast(k, DTYPE_F64, v),
                              kernel_const_float(k, DTYPE_F64, (double)factor));
    return kernel_cast(k, type, wide);
}

void gemm_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct gemm_attrs *attr = l->node->attrs;
    const struct kbuf a = k->bufs[l->in[0]], y = k->bufs[l->out[0]];
    int64_t extent[3] = {y.dims[0], y.dims[1], a.dims[attr->transA ? 0 : 1]};
    const enum kiter kind[3] = {KITER_M, KITER_N, KITER_K};
    kval idx[3];
    struct kcontract *con =
        kernel_contract_begin(k, ops_compute_type(a.dtype), 3, extent, kind, idx);
    con->a.buf = l->in[0];
    con->a.dim[attr->transA ? 1 : 0] = kaffine_var(idx[0], 1, 0);
    con->a.dim[attr->transA ? 0 : 1] = kaffine_var(idx[2], 1, 0);
    con->b.buf = l->in[1];
    con->b.dim[attr->transB ? 1 : 0] = kaffine_var(idx[2], 1, 0);
    con->b.dim[attr->transB ? 0 : 1] = kaffine_var(idx[1], 1, 0);

    kval v = scaled(k, kernel_contract_epilogue(k), attr->alpha);
    if (ops_has_input(l->node, 2)) {
        kval c = ops_load_broadcast(k, l->in[2], 2, idx);
        v = kernel_binary(k, KOP_ADD, v, scaled(k, c, attr->beta));
    }
    ops_store(k, l->out[0], idx, v);
    kernel_contract_end(k);
}
