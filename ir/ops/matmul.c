/*
 * MatMul-13 (numpy.matmul): the last two dimensions are multiplied, the others broadcast; a vector
 * is a row on the left and a column on the right, without a dimension in the result.
 *
 * Iterations: the batch dimensions larger than 1, then m, n, k.  A batch dimension that only one
 * operand has is one of its own rows (M) or columns (N).
 */
#include "ir/ops/common.h"

#define TYPES_MATMUL (TYPES_FLOAT | TYPES_INDEX | TYPE(U32) | TYPE(U64))

/* The batch dimensions of an operand: all but the matrix. */
static struct shape batch_shape(const struct shape *s)
{
    return shape_of_dims(s->rank > 2 ? s->rank - 2 : 0, s->dims);
}

bool matmul_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    for (size_t i = 0; i < 2; i++)
        if (!ops_check_type(n, i, TYPES_MATMUL, err) || !ops_check_static(n, i, err))
            return false;
    const struct shape *a = &n->in[0]->shape, *b = &n->in[1]->shape;
    if (!ops_check_same_type(n, 0, 1, err))
        return false;
    if (a->rank < 1 || b->rank < 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "a scalar has no matrix product");
    int64_t ak = a->dims[a->rank - 1], bk = b->dims[b->rank > 1 ? b->rank - 2 : 0];
    if (ak != bk)
        return error_set(err, SHEAF_ERROR_SHAPE, "%lld columns of '%s' meet %lld rows of '%s'",
                         (long long)ak, n->in[0]->name, (long long)bk, n->in[1]->name);
    struct shape y = batch_shape(a), b_batch = batch_shape(b);
    if (!ops_broadcast(&y, &b_batch, err))
        return false;
    if (a->rank > 1)
        y.dims[y.rank++] = a->dims[a->rank - 2];
    if (b->rank > 1)
        y.dims[y.rank++] = b->dims[b->rank - 1];
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

struct matmul_iters {
    int n;
    int64_t extent[KREGION_MAX_DIMS];
    enum kiter kind[KREGION_MAX_DIMS];
};

static int add_iter(struct matmul_iters *it, int64_t extent, enum kiter kind)
{
    it->extent[it->n] = extent;
    it->kind[it->n] = kind;
    return it->n++;
}

/* Whether batch dimension d of `rank` is larger than 1 in an operand. */
static bool has_batch(const struct kbuf *b, int d, int rank)
{
    int own = d - (rank - (b->rank - 2));
    return own >= 0 && b->rank > 2 && b->dims[own] != 1;
}

static struct kaffine at_index(kval var)
{
    return var ? kaffine_var(var, 1, 0) : kaffine_const(0);
}

void matmul_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct kbuf a = k->bufs[l->in[0]], b = k->bufs[l->in[1]], y = k->bufs[l->out[0]];
    int n_batch = y.rank - (a.rank > 1) - (b.rank > 1);
    struct matmul_iters it = {0};
    int batch_iter[MAX_RANK], m_iter = -1, n_iter = -1;
    for (int d = 0; d < n_batch; d++) {
        bool in_a = has_batch(&a, d, n_batch), in_b = has_batch(&b, d, n_batch);
        batch_iter[d] = -1;
        if (in_a || in_b)
            batch_iter[d] = add_iter(&it, y.dims[d],
                                     !in_b   ? KITER_M
                                     : !in_a ? KITER_N
                                             : KITER_BATCH);
    }
    if (a.rank > 1)
        m_iter = add_iter(&it, a.dims[a.rank - 2], KITER_M);
    if (b.rank > 1)
        n_iter = add_iter(&it, b.dims[b.rank - 1], KITER_N);
    int k_iter = add_iter(&it, a.dims[a.rank - 1], KITER_K);

    kval idx[KREGION_MAX_DIMS];
    struct kcontract *con =
        kernel_contract_begin(k, ops_compute_type(a.dtype), it.n, it.extent, it.kind, idx);
    con->a.buf = l->in[0];
    con->b.buf = l->in[1];
    for (int d = 0; d < n_batch; d++) {
        int ad = d - (n_batch - (a.rank - 2)), bd = d - (n_batch - (b.rank - 2));
        if (a.rank > 2 && ad >= 0)
            con->a.dim[ad] = at_index(has_batch(&a, d, n_batch) ? idx[batch_iter[d]] : 0);
        if (b.rank > 2 && bd >= 0)
            con->b.dim[bd] = at_index(has_batch(&b, d, n_batch) ? idx[batch_iter[d]] : 0);
    }
    if (m_iter >= 0)
        con->a.dim[a.rank - 2] = at_index(idx[m_iter]);
    con->a.dim[a.rank - 1] = at_index(idx[k_iter]);
    con->b.dim[b.rank > 1 ? b.rank - 2 : 0] = at_index(idx[k_iter]);
    if (n_iter >= 0)
        con->b.dim[b.rank - 1] = at_index(idx[n_iter]);

    kval acc = kernel_contract_epilogue(k);
    kval at[MAX_RANK];
    int rank = 0;
    for (; rank < n_batch; rank++)
        at[rank] = batch_iter[rank] >= 0 ? idx[batch_iter[rank]] : kernel_const_index(k, 0);
    if (m_iter >= 0)
        at[rank++] = idx[m_iter];
    if (n_iter >= 0)
        at[rank++] = idx[n_iter];
    ops_store(k, l->out[0], at, acc);
    kernel_contract_end(k);
}
