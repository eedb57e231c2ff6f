/*
 * What each operator makes of extents that are known only at run time.
 */
#include <assert.h>
#include <math.h>

#include "ir/checked.h"
#include "ir/passes/rewrite.h"
#include "loader/import/extent_internal.h"

bool extent_refuse(struct importer *im, const struct node *n, const char *why)
{
    return import_node_error(im, n->name, SHEAF_ERROR_UNSUPPORTED, "%s", why);
}

bool extent_has(const struct node *n, size_t i)
{
    return i < n->n_in && n->in[i];
}

bool extent_is_open(const struct node *n, size_t i)
{
    return extent_has(n, i) && !shape_is_static(&n->in[i]->shape);
}

bool extent_is_computed(const struct node *n, size_t i)
{
    return extent_has(n, i) && !value_is_constant(n->in[i]);
}

/* ---- reshape ---- */

static bool all_of(struct importer *im, const struct extents *e, struct known *out)
{
    *out = known_number(1);
    for (int d = 0; d < e->rank; d++)
        if (!extent_mul(im, out, &e->dim[d], out))
            return false;
    return true;
}

/* Sizes that may be 0 (copied from x) or -1 (the rest) only at run time.  One that cannot be
   negative is an extent, and 0 where there is nothing. */
static bool settle_sizes(struct importer *im, const struct extents *x, const struct known *elems,
                         bool allowzero, struct extents *y)
{
    struct known one = known_number(1), others = one, rest;
    bool any = false;
    for (int d = 0; d < y->rank; d++) {
        struct known size = y->dim[d], factor;
        if (!allowzero && d < x->rank && !(known_low(&size) >= 0 && known_high(&size) > 0) &&
            !extent_if_equal(im, &size, 0, &x->dim[d], &size, &size))
            return false;
        any |= known_low(&size) < 0;
        y->dim[d] = size;
        if (!extent_if_less(im, &size, 0, &one, &size, &factor) ||
            !extent_mul(im, &others, &factor, &others))
            return false;
    }
    if (!any)
        return true;
    if (!extent_div(im, elems, &others, &rest))
        return false;
    for (int d = 0; d < y->rank; d++)
        if (known_low(&y->dim[d]) < 0 &&
            !extent_if_less(im, &y->dim[d], 0, &rest, &y->dim[d], &y->dim[d]))
            return false;
    return true;
}

/* A size without a bound is no larger than all the elements that there may be. */
static bool limit_sizes(struct importer *im, const struct known *elems, struct extents *y)
{
    double most = known_high(elems);
    struct known limit = known_number(most <= (double)LIMIT_TENSOR_ELEMS ? (int64_t)most : 0);
    if (most == 0)
        return true; /* of none there may be rows of any length */
    for (int d = 0; d < y->rank; d++)
        if (isinf(known_high(&y->dim[d])) && !extent_min(im, &y->dim[d], &limit, &y->dim[d]))
            return false;
    return true;
}

bool extent_reshape(struct importer *im, struct node *n)
{
    const struct reshape_attrs *a = n->attrs;
    struct extents x = extents_of(im, n->in[0]), y;
    struct known elems;
    if (!extents_from(im, n->name, n->in[1], &y))
        return false;
    return all_of(im, &x, &elems) && settle_sizes(im, &x, &elems, a->allowzero != 0, &y) &&
           limit_sizes(im, &elems, &y) && extents_give(im, n, 1, 2, &y);
}

bool extent_flatten(struct importer *im, struct node *n)
{
    const struct flatten_attrs *a = n->attrs;
    struct extents x = extents_of(im, n->in[0]), y = {.rank = 2};
    int64_t axis = a->axis < 0 ? a->axis + x.rank : a->axis;
    if (axis < 0 || axis > x.rank)
        return true; /* inference says so */
    y.dim[0] = y.dim[1] = known_number(1);
    for (int d = 0; d < x.rank; d++)
        if (!extent_mul(im, &y.dim[d >= axis], &x.dim[d], &y.dim[d >= axis]))
            return false;
    rewrite_node(im->g, n, OP_reshape, 1, n->in);
    return extents_give(im, n, 1, 2, &y);
}

/* ---- joining ---- */

bool extent_concat(struct importer *im, struct node *n)
{
    const struct concat_attrs *a = n->attrs;
    struct known sum = known_number(0);
    int rank = n->in[0] ? n->in[0]->shape.rank : 0;
    int64_t axis = a->axis < 0 ? a->axis + rank : a->axis;
    bool open = false;
    for (size_t i = 0; i < n->n_in; i++) {
        if (!n->in[i] || n->in[i]->shape.rank != rank || axis < 0 || axis >= rank)
            return true;
        open |= n->in[i]->shape.extent[axis] != NULL;
        struct known extent = known_extent(im, &n->in[i]->shape, (int)axis);
        if (!extent_add(im, &sum, &extent, &sum))
            return false;
    }
    if (!open || n->n_in == 1)
        return true;
    struct value **in = arena_array(im->arena, n->n_in + 1, sizeof *in);
    in[0] = extent_scalar(im, &sum);
    memcpy(in + 1, n->in, n->n_in * sizeof *in);
    if (!in[0])
        return false;
    rewrite_node(im->g, n, OP_join, n->n_in + 1, in);
    ((struct join_attrs *)n->attrs)->axis = axis;
    return true;
}

/* ---- the table ---- */

/* Operands broadcast as numpy has it. */
static bool is_broadcast(enum op op)
{
    switch (op) {
    case OP_add:
    case OP_sub:
    case OP_mul:
    case OP_div:
    case OP_mod:
    case OP_pow:
    case OP_min:
    case OP_max:
    case OP_mean:
    case OP_sum:
    case OP_and:
    case OP_or:
    case OP_xor:
    case OP_equal:
    case OP_less:
    case OP_less_or_equal:
    case OP_greater:
    case OP_greater_or_equal:
    case OP_bit_and:
    case OP_bit_or:
    case OP_bit_xor:
    case OP_bit_shift:
    case OP_where:
        return true;
    default:
        return false;
    }
}

static bool any_open(const struct node *n)
{
    for (size_t i = 0; i < n->n_in; i++)
        if (extent_is_open(n, i))
            return true;
    return false;
}

static bool resolve(struct importer *im, struct node *n, bool *done)
{
    bool open = any_open(n);
    switch (n->op) {
    case OP_reshape:
        return n->n_in != 2 || !(open || extent_is_computed(n, 1)) || extent_reshape(im, n);
    case OP_flatten:
        return !open || extent_flatten(im, n);
    case OP_constant_of_shape:
        return n->n_in != 1 || !extent_is_computed(n, 0) || extent_constant_of_shape(im, n);
    case OP_expand:
        return n->n_in != 2 || !(open || extent_is_computed(n, 1)) || extent_expand(im, n);
    case OP_tile:
        return n->n_in != 2 || !(open || extent_is_computed(n, 1)) || extent_tile(im, n);
    case OP_one_hot:
        return n->n_in != 3 || !extent_is_computed(n, 1) || extent_one_hot(im, n);
    case OP_range:
        return n->n_in != 3 ||
               !(extent_is_computed(n, 0) || extent_is_computed(n, 1) ||
                 extent_is_computed(n, 2)) ||
               extent_range(im, n);
    case OP_top_k:
        return n->n_in != 2 || !extent_is_computed(n, 1) || extent_top_k(im, n);
    case OP_slice:
        return n->n_in < 3 || n->n_in > 5 ||
               !(open || extent_is_computed(n, 1) || extent_is_computed(n, 2)) ||
               extent_slice(im, n, done);
    case OP_split:
        return !(open || extent_is_computed(n, 1)) || extent_split(im, n, done);
    case OP_pad:
        return n->n_in > 4 || n->n_in < 2 || !(open || extent_is_computed(n, 1)) ||
               extent_pad(im, n);
    case OP_concat:
        return !open || extent_concat(im, n);
    case OP_scatter_nd:
        return !open || n->n_in != 3 || extent_scatter_nd(im, n);
    case OP_scatter_elements:
        return !open || n->n_in != 3 || extent_scatter_elements(im, n);
    case OP_gemm:
    case OP_matmul:
    case OP_conv:
    case OP_conv_transpose:
    case OP_max_pool:
    case OP_average_pool:
    case OP_lp_pool:
        return !open || n->n_out != 1 || extent_rows(im, n, done);
    default:
        return !open || !is_broadcast(n->op) || extent_broadcast(im, n);
    }
}

bool extent_resolve(struct importer *im, struct node *n, bool *done)
{
    struct block *b = im->block;
    assert(b->nodes[b->n_nodes - 1] == n);
    for (size_t i = 0; i < (size_t)op_desc(n->op)->min_in; i++)
        if (!extent_has(n, i))
            return true; /* inference says so */
    b->n_nodes--;
    if (!resolve(im, n, done))
        return false;
    if (!*done)
        ARENA_PUSH(im->arena, b->nodes, b->n_nodes, b->cap_nodes) = n;
    return true;
}

bool extent_merge(struct importer *im, struct node *n)
{
    struct known_table *t = known_table(im);
    bool counts = n->op == OP_non_zero || n->op == OP_compress || n->op == OP_unique ||
                  n->op == OP_non_max_suppression;
    if (!counts || node_reads_constants(n))
        return false;
    for (size_t i = 0; i < t->n_counts; i++) {
        if (!rewrite_nodes_equal(t->count[i], n))
            continue;
        im->block->n_nodes--;
        for (size_t o = 0; o < n->n_out; o++) {
            if (n->out[o])
                graph_drop_value(im->g, n->out[o]);
            n->out[o] = t->count[i]->out[o];
        }
        return true;
    }
    ARENA_PUSH(im->arena, t->count, t->n_counts, t->cap_counts) = n;
    return false;
}

bool extent_settle(struct importer *im, struct node *n)
{
    struct value *y = n->out[0];
    bool whole = y && (y->dtype == DTYPE_I64 || y->dtype == DTYPE_I32 || y->dtype == DTYPE_BOOL);
    if (n->n_out != 1 || !whole || op_desc(n->op)->flags & (OP_CONTROL | OP_STATE) ||
        node_reads_constants(n) || !shape_is_static(&y->shape) ||
        shape_elems(&y->shape) > 2 * MAX_RANK)
        return false;
    struct tensor *t = tensor_new(im->arena, y->dtype, y->shape.rank, y->shape.dims);
    for (int64_t i = 0; i < tensor_elems(t); i++) {
        struct known k = known_element(im, y, i);
        int64_t number;
        if (!known_is_number(&k, &number))
            return false;
        tensor_set_int(t, i, number);
    }
    value_become_constant(y, t);
    im->block->n_nodes--;
    return true;
}
