#include "ir/ops/matmul_common.h"

#include "ir/ops/integer.h"

/* The batch dimensions of an operand: all but the matrix. */
static struct shape batch_shape(const struct shape *s)
{
    return shape_of_dims(s->rank > 2 ? s->rank - 2 : 0, s->dims);
}

bool matmul_shape(const struct node *n, size_t b_input, struct shape *out, struct error *err)
{
    if (!ops_check_static(n, 0, err) || !ops_check_static(n, b_input, err))
        return false;
    const struct value *bv = n->in[b_input];
    const struct shape *a = &n->in[0]->shape, *b = &bv->shape;
    if (a->rank < 1 || b->rank < 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "a scalar has no matrix product");
    int64_t ak = a->dims[a->rank - 1], bk = b->dims[b->rank > 1 ? b->rank - 2 : 0];
    if (ak != bk)
        return error_set(err, SHEAF_ERROR_SHAPE, "%lld columns of '%s' meet %lld rows of '%s'",
                         (long long)ak, n->in[0]->name, (long long)bk, bv->name);
    struct shape y = batch_shape(a), b_batch = batch_shape(b);
    if (!ops_broadcast(&y, &b_batch, err))
        return false;
    if (a->rank > 1)
        y.dims[y.rank++] = a->dims[a->rank - 2];
    if (b->rank > 1)
        y.dims[y.rank++] = b->dims[b->rank - 1];
    *out = y;
    return true;
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

struct kcontract *matmul_begin(struct lower *l, size_t b_input, enum dtype acc,
                               struct matmul_indices *out_indices)
{
    struct kernel *k = l->kernel;
    const struct kbuf a = k->bufs[l->in[0]], b = k->bufs[l->in[b_input]], y = k->bufs[l->out[0]];
    int n_batch = y.rank - (a.rank > 1) - (b.rank > 1);
    struct matmul_iters it = {0};
    int batch_iter[MAX_RANK], m_iter = -1, n_iter = -1;
    for (int d = 0; d < n_batch; d++) {
        bool in_a = has_batch(&a, d, n_batch), in_b = has_batch(&b, d, n_batch);
        enum kiter kind = !in_b ? KITER_M : !in_a ? KITER_N : KITER_BATCH;
        batch_iter[d] = in_a || in_b ? add_iter(&it, y.dims[d], kind) : -1;
    }
    if (a.rank > 1)
        m_iter = add_iter(&it, a.dims[a.rank - 2], KITER_M);
    if (b.rank > 1)
        n_iter = add_iter(&it, b.dims[b.rank - 1], KITER_N);
    int k_iter = add_iter(&it, a.dims[a.rank - 1], KITER_K);

    kval idx[KREGION_MAX_DIMS];
    struct kcontract *con = kernel_contract_begin(k, acc, it.n, it.extent, it.kind, idx);
    struct matmul_indices at = {.n_batch = n_batch};
    at.m = m_iter >= 0 ? idx[m_iter] : 0;
    at.n = n_iter >= 0 ? idx[n_iter] : 0;
    con->a.buf = l->in[0];
    con->b.buf = l->in[b_input];
    for (int d = 0; d < n_batch; d++) {
        int ad = d - (n_batch - (a.rank - 2)), bd = d - (n_batch - (b.rank - 2));
        at.batch[d] = batch_iter[d] >= 0 ? idx[batch_iter[d]] : 0;
        if (a.rank > 2 && ad >= 0)
            con->a.dim[ad] = at_index(has_batch(&a, d, n_batch) ? at.batch[d] : 0);
        if (b.rank > 2 && bd >= 0)
            con->b.dim[bd] = at_index(has_batch(&b, d, n_batch) ? at.batch[d] : 0);
    }
    if (at.m)
        con->a.dim[a.rank - 2] = at_index(at.m);
    con->a.dim[a.rank - 1] = at_index(idx[k_iter]);
    con->b.dim[b.rank > 1 ? b.rank - 2 : 0] = at_index(idx[k_iter]);
    if (at.n)
        con->b.dim[b.rank - 1] = at_index(at.n);
    *out_indices = at;
    return con;
}

void matmul_store(struct lower *l, const struct matmul_indices *at, kval v)
{
    struct kernel *k = l->kernel;
    kval idx[MAX_RANK];
    int rank = 0;
    for (; rank < at->n_batch; rank++)
        idx[rank] = at->batch[rank] ? at->batch[rank] : kernel_const_index(k, 0);
    if (at->m)
        idx[rank++] = at->m;
    if (at->n)
        idx[rank++] = at->n;
    ops_store(k, l->out[0], idx, v);
}

/* ---- integers ---- */

bool matmul_check_parameter(const struct node *n, size_t i, enum matmul_side side,
                            const struct shape *operand, struct error *err)
{
    if (!ops_has_input(n, i))
        return true;
    const struct shape *s = &n->in[i]->shape;
    if (!ops_check_static(n, i, err))
        return false;
    if (s->rank <= 1 && shape_elems(s) == 1)
        return true;
    /* The dimension that parameters may have, and the other one of the matrix. */
    int own = operand->rank - (side == MATMUL_B ? 1 : 2);
    bool ok = operand->rank > 1 && (s->rank == 1 || s->rank == operand->rank);
    if (ok && s->rank == 1)
        ok = s->dims[0] == operand->dims[own];
    for (int d = 0; ok && s->rank > 1 && d < s->rank; d++) {
        bool other = d >= operand->rank - 2 && d != own;
        ok = s->dims[d] == 1 || (!other && s->dims[d] == operand->dims[d]);
    }
    return ok ||
           error_set(err, SHEAF_ERROR_SHAPE, "parameter '%s' is neither a scalar nor one per %s",
                     n->in[i]->name, side == MATMUL_B ? "column" : "row");
}

kval matmul_load_parameter(struct lower *l, size_t i, enum matmul_side side,
                           const struct matmul_indices *at)
{
    struct kernel *k = l->kernel;
    const struct kbuf b = k->bufs[l->in[i]];
    kval zero = kernel_const_index(k, 0), idx[MAX_RANK];
    kval own = side == MATMUL_B ? at->n : at->m;
    if (b.rank <= 1)
        idx[0] = b.rank && b.dims[0] != 1 ? own : zero;
    for (int d = 0; b.rank > 1 && d < b.rank; d++) {
        kval batch = d < b.rank - 2 ? at->batch[at->n_batch - (b.rank - 2) + d] : 0;
        bool is_own = d == b.rank - (side == MATMUL_B ? 1 : 2);
        idx[d] = b.dims[d] == 1 ? zero : is_own ? own : batch;
    }
    return kernel_load(k, l->in[i], idx);
}

bool matmul_integer_check(const struct node *n, size_t a_zero, size_t b, size_t b_zero,
                          unsigned types, struct error *err)
{
    return integer_check_operands(n, 0, a_zero, b, b_zero, types, err) &&
           matmul_check_parameter(n, a_zero, MATMUL_A, &n->in[0]->shape, err) &&
           matmul_check_parameter(n, b_zero, MATMUL_B, &n->in[b]->shape, err);
}

kval matmul_integer_begin(struct lower *l, size_t a_zero, size_t b, size_t b_zero,
                          struct matmul_indices *out_indices)
{
    struct kernel *k = l->kernel;
    const struct node *n = l->node;
    enum dtype acc = integer_accumulator(n->in[0]->dtype, n->in[b]->dtype);
    struct kcontract *con = matmul_begin(l, b, acc, out_indices);
    struct koperand *operand[] = {&con->a, &con->b};
    const size_t zero[] = {a_zero, b_zero};
    for (int side = MATMUL_A; side <= MATMUL_B; side++) {
        if (!integer_has_zero(n, zero[side]))
            continue;
        kval raw = kernel_contract_prologue(k, operand[side]);
        kval z = matmul_load_parameter(l, zero[side], (enum matmul_side)side, out_indices);
        integer_prologue_end(k, acc, raw, z);
    }
    return kernel_contract_epilogue(k);
}
