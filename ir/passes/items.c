/*
 * items.c: walks the nodes in order and keeps for each value whether its first dimension is that of
 * the items.  What is not known to keep it so is refused.
 */
#include "ir/passes/items.h"

#include "ir/ops/common.h"

struct items {
    const struct graph *g;
    int64_t n;
    bool
        *varies; /* by value id: has items along its first dimension; else it is the same for all */
};

static bool varies(const struct items *t, const struct node *n, size_t i)
{
    return i < n->n_in && n->in[i] && t->varies[n->in[i]->id];
}

static bool only_first_varies(const struct items *t, const struct node *n)
{
    for (size_t i = 1; i < n->n_in; i++)
        if (varies(t, n, i))
            return false;
    return varies(t, n, 0);
}

/* Inputs that are the same for all items broadcast along them; the others have all dimensions. */
static bool is_elementwise(const struct items *t, const struct node *n)
{
    int rank = n->out[0]->shape.rank;
    for (size_t i = 0; i < n->n_in; i++) {
        const struct value *v = n->in[i];
        if (v && (t->varies[v->id] ? v->shape.rank != rank
                                   : v->shape.rank == rank && v->shape.dims[0] != 1))
            return false;
    }
    return true;
}

static bool is_other_axis(int64_t axis, const struct value *v)
{
    return axis != 0 && axis != -(int64_t)v->shape.rank;
}

static bool are_other_axes(const struct value *axes, const struct value *v)
{
    if (!axes || axes->role != VALUE_CONST)
        return false;
    for (int64_t i = 0; i < tensor_elems(axes->constant); i++)
        if (!is_other_axis(tensor_get_int(axes->constant, i), v))
            return false;
    return true;
}

static bool all_vary(const struct items *t, const struct node *n)
{
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && !varies(t, n, i))
            return false;
    return true;
}

static bool is_product_apart(const struct items *t, const struct node *n)
{
    const struct shape *a = &n->in[0]->shape, *b = &n->in[1]->shape;
    if (n->op == OP_gemm) {
        const struct gemm_attrs *attrs = n->attrs;
        const struct value *c = n->n_in > 2 ? n->in[2] : NULL;
        return only_first_varies(t, n) && !attrs->transA &&
               (!c || c->shape.rank < 2 || c->shape.dims[0] == 1);
    }
    if (!varies(t, n, 1))
        return varies(t, n, 0) && b->rank <= a->rank && (b->rank == 2 || b->dims[0] == 1);
    if (!varies(t, n, 0))
        return b->rank >= 3 && a->rank <= b->rank && (a->rank == 2 || a->dims[0] == 1);
    return a->rank >= 3 && a->rank == b->rank;
}

static bool pads_others_only(const struct node *n)
{
    if (n->in[1]->role != VALUE_CONST || (n->n_in > 3 && n->in[3]))
        return false;
    const struct tensor *pads = n->in[1]->constant;
    return tensor_get_int(pads, 0) == 0 && tensor_get_int(pads, tensor_elems(pads) / 2) == 0;
}

static bool is_gather_apart(const struct items *t, const struct node *n)
{
    const struct gather_attrs *a = n->attrs;
    if (varies(t, n, 1))
        return !varies(t, n, 0) && !is_other_axis(a->axis, n->in[0]);
    return is_other_axis(a->axis, n->in[0]);
}

static bool is_transpose_apart(const struct node *n)
{
    const struct transpose_attrs *a = n->attrs;
    return a->perm.n && a->perm.v[0] == 0;
}

/* Scale and bias are the same for all items. */
static bool is_normalize_apart(const struct items *t, const struct node *n)
{
    const struct normalize_attrs *a = n->attrs;
    for (size_t i = 0; i < a->axes.n; i++)
        if (!is_other_axis(a->axes.v[i], n->in[0]))
            return false;
    for (size_t i = 1; i < n->n_in; i++)
        if (n->in[i] && n->in[i]->shape.rank == n->in[0]->shape.rank &&
            n->in[i]->shape.dims[0] != 1)
            return false;
    return only_first_varies(t, n);
}

/* A scale for each item would have to be cut. */
static bool is_quantize_apart(const struct items *t, const struct node *n, int64_t axis)
{
    return only_first_varies(t, n) &&
           (shape_elems(&n->in[1]->shape) == 1 || is_other_axis(axis, n->in[0]));
}

static bool is_apart(const struct items *t, const struct node *n)
{
    switch (n->op) {
    case OP_conv:
    case OP_conv_integer:
    case OP_qlinear_conv:
    case OP_max_pool:
    case OP_average_pool:
    case OP_global_average_pool:
    case OP_lp_pool:
    case OP_lrn:
        return only_first_varies(t, n);
    case OP_gemm:
    case OP_matmul:
    case OP_matmul_integer:
        return is_product_apart(t, n);
    case OP_quantize_linear:
        return is_quantize_apart(t, n, ((const struct quantize_linear_attrs *)n->attrs)->axis);
    case OP_dequantize_linear:
        return is_quantize_apart(t, n, ((const struct dequantize_linear_attrs *)n->attrs)->axis);
    case OP_softmax:
        return is_other_axis(((const struct softmax_attrs *)n->attrs)->axis, n->in[0]);
    case OP_concat:
        return all_vary(t, n) &&
               is_other_axis(((const struct concat_attrs *)n->attrs)->axis, n->in[0]);
    case OP_split:
        return is_other_axis(((const struct split_attrs *)n->attrs)->axis, n->in[0]);
    case OP_slice:
        return n->n_in > 3 && are_other_axes(n->in[3], n->in[0]) && only_first_varies(t, n);
    case OP_gather:
        return is_gather_apart(t, n);
    case OP_transpose:
        return is_transpose_apart(n);
    case OP_pad:
        return only_first_varies(t, n) && pads_others_only(n);
    case OP_log_softmax:
        return is_other_axis(((const struct log_softmax_attrs *)n->attrs)->axis, n->in[0]);
    case OP_normalize:
        return is_normalize_apart(t, n);
    case OP_reduce_mean:
    case OP_reduce_sum:
    case OP_reduce_prod:
    case OP_reduce_max:
    case OP_reduce_min:
    case OP_reduce_l1:
    case OP_reduce_l2:
    case OP_reduce_sum_square:
    case OP_reduce_log_sum:
    case OP_reduce_log_sum_exp:
        return n->n_in > 1 && are_other_axes(n->in[1], n->in[0]);
    case OP_reshape:
    case OP_flatten:
    case OP_squeeze:
    case OP_unsqueeze:
    case OP_expand:
        return only_first_varies(t, n);
    default:
        return (op_desc(n->op)->flags & OP_MAP) && !(op_desc(n->op)->flags & OP_STATE) &&
               is_elementwise(t, n);
    }
}

bool items_are_apart(const struct graph *g, int64_t n, struct error *err)
{
    struct arena scratch;
    arena_init(&scratch);
    struct items t = {.g = g, .n = n};
    t.varies = arena_array(&scratch, g->n_values, sizeof *t.varies);
    for (size_t i = 0; i < g->body.n_in; i++)
        t.varies[g->body.in[i]->id] = true;
    const struct node *fault = NULL;
    for (size_t i = 0; !fault && i < g->body.n_nodes; i++) {
        const struct node *node = g->body.nodes[i];
        bool any = node->n_blocks > 0;
        for (size_t k = 0; k < node->n_in; k++)
            any |= varies(&t, node, k);
        if (!any)
            continue;
        if (node->n_blocks || !is_apart(&t, node))
            fault = node;
        for (size_t k = 0; k < node->n_out; k++) {
            struct value *v = node->out[k];
            if (!v)
                continue;
            t.varies[v->id] = true;
            if (v->shape.rank < 1 || v->shape.dims[0] != n || !shape_is_static(&v->shape))
                fault = node;
        }
    }
    arena_done(&scratch);
    return !fault ||
           error_set(err, SHEAF_ERROR_UNSUPPORTED,
                     "%s: node '%s' (%s) may mix the items of a batch, so their number cannot be "
                     "left open",
                     g->source ? g->source : g->name, fault->name, op_desc(fault->op)->id);
}
