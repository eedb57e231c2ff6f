/*
 * Det-22: the product of the pivots of each matrix, by Gaussian elimination in a local copy, with
 * the sign of the row exchanges.  In each step the row with the largest element of the column takes
 * the pivot's place; the elements behind the pivot are independent of each other.
 */
#include "ir/ops/common.h"

bool det_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct shape *x = &n->in[0]->shape;
    if (!ops_check_type(n, 0, TYPES_FLOAT, err) || !ops_check_static(n, 0, err))
        return false;
    if (x->rank < 2 || x->dims[x->rank - 2] != x->dims[x->rank - 1])
        return error_set(err, SHEAF_ERROR_SHAPE, "input '%s' does not hold square matrices",
                         n->in[0]->name);
    struct shape y = shape_of_dims(x->rank - 2, x->dims);
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

/* Of the matrices at `at`, whose last two indices are set by the functions. */
struct matrix {
    struct kernel *k;
    int buf, rank;
    enum dtype type;
    int64_t size;
    kval at[MAX_RANK];
};

static void set_index(struct matrix *m, kval row, kval column)
{
    m->at[m->rank - 2] = row;
    m->at[m->rank - 1] = column;
}

static kval load(struct matrix *m, kval row, kval column)
{
    set_index(m, row, column);
    return kernel_load(m->k, m->buf, m->at);
}

static void store(struct matrix *m, kval row, kval column, kval v)
{
    set_index(m, row, column);
    kernel_store(m->k, m->buf, m->at, v);
}

static void copy_input(struct matrix *m, int x)
{
    struct kernel *k = m->k;
    kval size = kernel_const_index(k, m->size), extent[2] = {size, size}, idx[2];
    kernel_map_begin(k, 2, extent, idx);
    set_index(m, idx[0], idx[1]);
    kval v = ops_load(k, x, m->at);
    store(m, idx[0], idx[1], v);
    kernel_map_end(k);
}

/* The row from `step` on with the largest element in that column, the first of equals. */
static kval pivot_row(struct matrix *m, kval step)
{
    struct kernel *k = m->k;
    kval size = kernel_const_index(k, m->size), i, element[2], so_far[2], next[2], best[2];
    kval identity[2] = {kernel_const(k, m->type, -1), size};
    kernel_reduce_begin(k, KCOMBINE_BLOCK, 1, 1, &size, 2, identity, &i);
    kval size_of = kernel_unary(k, KOP_ABS, load(m, i, step));
    kval candidate = kernel_compare(k, KOP_LE, step, i);
    element[0] = kernel_select(k, candidate, size_of, identity[0]);
    element[1] = kernel_select(k, candidate, i, step);
    kernel_reduce_combine(k, element, so_far, next);
    kval take = kernel_compare(k, KOP_LT, so_far[0], next[0]);
    for (int j = 0; j < 2; j++)
        best[j] = kernel_select(k, take, next[j], so_far[j]);
    kernel_reduce_end(k, best, element);
    /* Where all are NaN none was taken. */
    return kernel_select(k, kernel_compare(k, KOP_LT, element[1], size), element[1], step);
}

static void exchange_rows(struct matrix *m, kval a, kval b)
{
    struct kernel *k = m->k;
    kval size = kernel_const_index(k, m->size), column;
    kernel_map_begin(k, 1, &size, &column);
    kval of_a = load(m, a, column), of_b = load(m, b, column);
    store(m, a, column, of_b);
    store(m, b, column, of_a);
    kernel_map_end(k);
}

/* Rows below `step` lose their multiples of it; those of a pivot of 0 are 0 in its column. */
static void eliminate(struct matrix *m, kval step, kval pivot)
{
    struct kernel *k = m->k;
    kval next = ops_add_const(k, step, 1), zero = kernel_const(k, m->type, 0);
    kval rest = kernel_binary(k, KOP_SUB, kernel_const_index(k, m->size), next);
    kval extent[2] = {rest, rest}, idx[2];
    kval none = kernel_compare(k, KOP_EQ, pivot, zero);
    kernel_map_begin(k, 2, extent, idx);
    kval row = kernel_binary(k, KOP_ADD, idx[0], next);
    kval column = kernel_binary(k, KOP_ADD, idx[1], next);
    kval factor = kernel_binary(k, KOP_DIV, load(m, row, step), pivot);
    factor = kernel_select(k, none, zero, factor);
    kval part = kernel_binary(k, KOP_MUL, factor, load(m, step, column));
    kval v = kernel_binary(k, KOP_SUB, load(m, row, column), part);
    store(m, row, column, v);
    kernel_map_end(k);
}

void det_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct kbuf x = k->bufs[l->in[0]];
    struct matrix m = {
        .k = k, .rank = x.rank, .type = ops_compute_type(x.dtype), .size = x.dims[x.rank - 1]};
    m.buf = kernel_add_buf(k, "rest", m.type, KBUF_LOCAL, x.rank, x.dims);
    ops_map_begin(k, l->out[0], m.at);
    copy_input(&m, l->in[0]);
    kval one = kernel_const(k, m.type, 1), step, so_far, det;
    kernel_loop_begin(k, kernel_const_index(k, m.size), 1, &one, &step, &so_far);
    kval row = pivot_row(&m, step);
    exchange_rows(&m, step, row);
    kval pivot = load(&m, step, step);
    eliminate(&m, step, pivot);
    kval next = kernel_binary(k, KOP_MUL, so_far, pivot);
    kval same = kernel_compare(k, KOP_EQ, row, step);
    next = kernel_select(k, same, next, kernel_unary(k, KOP_NEG, next));
    kernel_loop_end(k, &next, &det);
    ops_store(k, l->out[0], m.at, det);
    ops_map_end(k, l->out[0]);
}
