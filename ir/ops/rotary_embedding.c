/*
 * RotaryEmbedding-23: pairs (a, b) of a head's first `rotary_embedding_dim` elements (0: all)
 * become (a cos - b sin, a sin + b cos); partners are neighbours with `interleaved`, else half that
 * many elements apart.  The other elements are copied.
 */
#include "ir/ops/common.h"

enum { X, COS, SIN, POSITIONS };

struct rotary {
    bool packed; /* x is [batch, length, heads * size], else [batch, heads, length, size] */
    int64_t batch, heads, length, size, pairs;
};

static bool plan(const struct node *n, struct rotary *out, struct error *err)
{
    const struct rotary_embedding_attrs *a = n->attrs;
    const struct shape *x = &n->in[X]->shape;
    struct rotary p = {.packed = x->rank == 3, .heads = a->num_heads};
    if (x->rank != 3 && x->rank != 4)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "input '%s' has %d dimensions where 3 or 4 are "
                         "needed",
                         n->in[X]->name, x->rank);
    p.batch = x->dims[0];
    if (p.packed) {
        if (p.heads < 1 || x->dims[2] % p.heads)
            return error_set(err, SHEAF_ERROR_SHAPE, "%lld heads do not divide %lld columns",
                             (long long)p.heads, (long long)x->dims[2]);
        p.length = x->dims[1];
        p.size = x->dims[2] / p.heads;
    } else {
        p.heads = x->dims[1];
        p.length = x->dims[2];
        p.size = x->dims[3];
    }
    int64_t rotated = a->rotary_embedding_dim ? a->rotary_embedding_dim : p.size;
    if (rotated < 0 || rotated > p.size || rotated % 2)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "%lld of %lld elements of a head cannot be rotated in pairs",
                         (long long)rotated, (long long)p.size);
    p.pairs = rotated / 2;
    *out = p;
    return true;
}

/* Angles per position [positions, pairs], or per element [batch, length, pairs]. */
static bool check_angles(const struct node *n, size_t i, const struct rotary *p, struct error *err)
{
    int64_t dims[3] = {p->batch, p->length, p->pairs};
    if (!ops_has_input(n, POSITIONS))
        return ops_check_dims(n, i, 3, dims, err);
    const struct shape *s = &n->in[i]->shape;
    if (!ops_check_rank(n, i, 2, err))
        return false;
    if (s->dims[0] < 1 || s->dims[1] != p->pairs)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "'%s' is [%lld,%lld] where one row of %lld angles per position is needed",
                         n->in[i]->name, (long long)s->dims[0], (long long)s->dims[1],
                         (long long)p->pairs);
    return true;
}

bool rotary_embedding_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct rotary p;
    for (size_t i = 0; i < n->n_in; i++)
        if (!ops_check_static(n, i, err))
            return false;
    for (size_t i = X; i <= SIN; i++)
        if (!ops_check_type(n, i, TYPES_FLOAT, err) || !ops_check_same_type(n, X, i, err))
            return false;
    if (!plan(n, &p, err) || !check_angles(n, COS, &p, err) || !check_angles(n, SIN, &p, err))
        return false;
    int64_t positions[2] = {p.batch, p.length};
    return ops_check_type(n, POSITIONS, TYPES_INDEX, err) &&
           ops_check_dims(n, POSITIONS, 2, positions, err) &&
           ops_set_output(n, 0, n->in[X]->dtype, &n->in[X]->shape, err);
}

/* ---- lower ---- */

enum { BATCH, HEAD, ROW, COLUMN }; /* loops */

static void begin(struct lower *l, const struct rotary *p, int64_t columns, kval *out_at)
{
    struct kernel *k = l->kernel;
    int64_t size[4];
    kval extent[4], idx[4];
    /* In the order of x. */
    int head = p->packed ? 2 : 1, row = p->packed ? 1 : 2;
    size[0] = p->batch;
    size[head] = p->heads;
    size[row] = p->length;
    size[3] = columns;
    for (int d = 0; d < 4; d++)
        extent[d] = kernel_const_index(k, size[d]);
    kernel_map_begin(k, 4, extent, idx);
    out_at[BATCH] = idx[0];
    out_at[HEAD] = idx[head];
    out_at[ROW] = idx[row];
    out_at[COLUMN] = idx[3];
}

/* Element `column` of the head in x and y. */
static void element(struct kernel *k, const struct rotary *p, const kval *at, kval column,
                    kval *out)
{
    out[0] = at[BATCH];
    out[1] = p->packed ? at[ROW] : at[HEAD];
    out[2] = p->packed ? kernel_binary(k, KOP_ADD, ops_mul_const(k, at[HEAD], p->size), column)
                       : at[ROW];
    out[3] = column;
}

/* A position outside the table is the caller's fault; it is clamped, so that it reads nothing
   else. */
static kval angle(struct lower *l, int buf, const kval *at)
{
    struct kernel *k = l->kernel;
    kval idx[3] = {at[BATCH], at[ROW], at[COLUMN]};
    if (!ops_has_input(l->node, POSITIONS))
        return ops_load(k, buf, idx);
    kval position = kernel_cast(k, DTYPE_I64, kernel_load(k, l->in[POSITIONS], idx));
    kval row[2] = {ops_clamp_index(k, position, kernel_extent(k, buf, 0)), at[COLUMN]};
    return ops_load(k, buf, row);
}

void rotary_embedding_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct rotary_embedding_attrs *a = l->node->attrs;
    struct rotary p;
    plan(l->node, &p, NULL);
    kval at[4], first[4], second[4];
    begin(l, &p, p.pairs, at);
    kval column = a->interleaved ? ops_mul_const(k, at[COLUMN], 2) : at[COLUMN];
    element(k, &p, at, column, first);
    element(k, &p, at, ops_add_const(k, column, a->interleaved ? 1 : p.pairs), second);
    kval x = ops_load(k, l->in[X], first), y = ops_load(k, l->in[X], second);
    kval c = angle(l, l->in[COS], at), s = angle(l, l->in[SIN], at);
    kval xc = kernel_binary(k, KOP_MUL, x, c), ys = kernel_binary(k, KOP_MUL, y, s);
    kval xs = kernel_binary(k, KOP_MUL, x, s), yc = kernel_binary(k, KOP_MUL, y, c);
    ops_store(k, l->out[0], first, kernel_binary(k, KOP_SUB, xc, ys));
    ops_store(k, l->out[0], second, kernel_binary(k, KOP_ADD, xs, yc));
    kernel_map_end(k);
    if (p.size == 2 * p.pairs)
        return;
    begin(l, &p, p.size - 2 * p.pairs, at);
    element(k, &p, at, ops_add_const(k, at[COLUMN], 2 * p.pairs), first);
    kernel_store(k, l->out[0], first, kernel_load(k, l->in[X], first));
    kernel_map_end(k);
}
