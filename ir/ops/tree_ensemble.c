/*
 * Decision trees.  Each row of x walks each tree on its own; then each result combines the entries
 * that the leaves reached have for its target, in the order of the trees.
 */
#include "ir/ops/common.h"

enum { X, NODES, SPLITS, ROOTS, STARTS, TARGETS, WEIGHTS };
enum { FEATURE, MODE, IF_TRUE, IF_FALSE, NAN_IS_TRUE, COLUMNS };
enum { AVERAGE, SUM, LEAST, GREATEST };
enum { LEQ, LT, GTE, GT, EQ, NEQ, MODES };

/* ---- infer ---- */

/* Integers of a constant table lie in 0 .. n - 1; `step` apart, from `first` on. */
static bool check_range(const struct node *n, size_t i, const char *what, int64_t first,
                        int64_t step, int64_t limit, struct error *err)
{
    const struct tensor *t = n->in[i]->constant;
    int64_t count = tensor_elems(t);
    for (int64_t e = first; e < count; e += step)
        if (tensor_get_int(t, e) < 0 || tensor_get_int(t, e) >= limit)
            return error_set(err, SHEAF_ERROR_FORMAT,
                             "a tree has %s %lld where there are %lld of these", what,
                             (long long)tensor_get_int(t, e), (long long)limit);
    return true;
}

static bool check_tables(const struct node *n, struct error *err)
{
    const struct tree_ensemble_attrs *a = n->attrs;
    int64_t nodes = n->in[NODES]->shape.dims[0], leaves = n->in[STARTS]->shape.dims[0] - 1;
    int64_t entries = n->in[TARGETS]->shape.dims[0], features = n->in[X]->shape.dims[1];
    if (nodes < 1 || leaves < 1 || entries < 1 || features < 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "a tree has no nodes, leaves or entries");
    const struct tensor *starts = n->in[STARTS]->constant;
    for (int64_t i = 0; i < leaves; i++)
        if (tensor_get_int(starts, i) > tensor_get_int(starts, i + 1))
            return error_set(err, SHEAF_ERROR_FORMAT,
                             "the entries of leaf %lld end before they "
                             "begin",
                             (long long)i);
    return check_range(n, NODES, "feature", FEATURE, COLUMNS, features, err) &&
           check_range(n, NODES, "mode", MODE, COLUMNS, MODES, err) &&
           check_range(n, NODES, "node", IF_TRUE, COLUMNS, nodes + leaves, err) &&
           check_range(n, NODES, "node", IF_FALSE, COLUMNS, nodes + leaves, err) &&
           check_range(n, ROOTS, "root", 0, 1, nodes + leaves, err) &&
           check_range(n, STARTS, "entry", 0, 1, entries + 1, err) &&
           check_range(n, TARGETS, "target", 0, 1, a->n_targets, err);
}

bool tree_ensemble_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct tree_ensemble_attrs *a = n->attrs;
    if (!ops_check_type(n, X, TYPE(F32) | TYPE(F64), err) || !ops_check_rank(n, X, 2, err) ||
        !ops_check_same_type(n, X, SPLITS, err) || !ops_check_same_type(n, X, WEIGHTS, err))
        return false;
    for (size_t i = NODES; i <= WEIGHTS; i++) {
        bool numbers = i == SPLITS || i == WEIGHTS;
        if ((!numbers && !ops_check_type(n, i, TYPE(I32), err)) ||
            !ops_check_rank(n, i, i == NODES ? 2 : 1, err))
            return false;
        if (!value_is_constant(n->in[i]))
            return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the table '%s' must be constant",
                             n->in[i]->name);
    }
    const int64_t nodes[2] = {n->in[NODES]->shape.dims[0], COLUMNS};
    if (!ops_check_dims(n, NODES, 2, nodes, err) || !ops_check_dims(n, SPLITS, 1, nodes, err) ||
        !ops_check_dims(n, WEIGHTS, 1, n->in[TARGETS]->shape.dims, err) || !check_tables(n, err))
        return false;
    if (a->aggregate < AVERAGE || a->aggregate > GREATEST)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "aggregate %lld is not known",
                         (long long)a->aggregate);
    if (a->depth < 0 || a->depth > nodes[0])
        return error_set(err, SHEAF_ERROR_SHAPE, "depth %lld is not possible with %lld nodes",
                         (long long)a->depth, (long long)nodes[0]);
    struct shape y = n->in[X]->shape;
    y.dims[1] = a->n_targets;
    y.extent[1] = NULL;
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err);
}

/* ---- lower ---- */

static kval table_at(struct lower *l, int input, kval i)
{
    return kernel_cast(l->kernel, DTYPE_I64, kernel_load(l->kernel, l->in[input], &i));
}

static kval node_at(struct lower *l, kval node, int column)
{
    kval at[2] = {node, kernel_const_index(l->kernel, column)};
    return kernel_cast(l->kernel, DTYPE_I64, kernel_load(l->kernel, l->in[NODES], at));
}

/* Which columns and modes the tables have at all. */
static bool has_value(struct lower *l, int column, int64_t value)
{
    const struct tensor *t = l->node->in[NODES]->constant;
    int64_t count = tensor_elems(t);
    for (int64_t e = column; e < count; e += COLUMNS)
        if (tensor_get_int(t, e) == value)
            return true;
    return false;
}

static kval compare(struct kernel *k, int mode, kval x, kval split)
{
    switch (mode) {
    case LEQ:
        return kernel_compare(k, KOP_LE, x, split);
    case LT:
        return kernel_compare(k, KOP_LT, x, split);
    case GTE:
        return kernel_compare(k, KOP_LE, split, x);
    case GT:
        return kernel_compare(k, KOP_LT, split, x);
    case EQ:
        return kernel_compare(k, KOP_EQ, x, split);
    default:
        return kernel_compare(k, KOP_NE, x, split);
    }
}

/* Whether the condition of an inner node holds of the row. */
static kval decide(struct lower *l, kval row, kval node)
{
    struct kernel *k = l->kernel;
    kval at[2] = {row, node_at(l, node, FEATURE)};
    kval x = kernel_load(k, l->in[X], at), split = kernel_load(k, l->in[SPLITS], &node);
    kval result = 0;
    for (int mode = 0; mode < MODES; mode++) {
        if (!has_value(l, MODE, mode))
            continue;
        kval holds = compare(k, mode, x, split);
        if (result) {
            kval own = kernel_const_index(k, mode);
            kval is_own = kernel_compare(k, KOP_EQ, node_at(l, node, MODE), own);
            result = kernel_select(k, is_own, holds, result);
        } else {
            result = holds;
        }
    }
    if (!has_value(l, NAN_IS_TRUE, 1))
        return result;
    kval goes = kernel_cast(k, DTYPE_BOOL, node_at(l, node, NAN_IS_TRUE));
    goes = kernel_binary(k, KOP_AND, goes, ops_is_nan(k, x));
    return kernel_binary(k, KOP_OR, result, goes);
}

/* The leaf that each row reaches in each tree; returns the buffer. */
static int walk(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct tree_ensemble_attrs *a = l->node->attrs;
    int64_t nodes = k->bufs[l->in[NODES]].dims[0];
    const int64_t dims[2] = {k->bufs[l->in[X]].dims[0], k->bufs[l->in[ROOTS]].dims[0]};
    int leaves = kernel_add_buf(k, "leaves", DTYPE_I64, KBUF_LOCAL, 2, dims);
    kval extents[2] = {kernel_extent(k, l->in[X], 0), kernel_const_index(k, dims[1])};
    kval limit = kernel_const_index(k, nodes), last = kernel_const_index(k, nodes - 1);
    kval at[2], step, node, end;
    kernel_map_begin(k, 2, extents, at);
    kval root = table_at(l, ROOTS, at[1]);
    kernel_loop_begin(k, kernel_const_index(k, a->depth), 1, &root, &step, &node);
    kval inner = kernel_compare(k, KOP_LT, node, limit);
    kval from = kernel_binary(k, KOP_MIN, node, last);
    kval holds = decide(l, at[0], from);
    kval if_true = node_at(l, from, IF_TRUE), if_false = node_at(l, from, IF_FALSE);
    kval next = kernel_select(k, holds, if_true, if_false);
    next = kernel_select(k, inner, next, node);
    kernel_loop_end(k, &next, &end);
    /* A depth that is too small is the fault of who made the tables. */
    kval zero = kernel_const_index(k, 0);
    kval leaf = kernel_binary(k, KOP_MAX, ops_add_const(k, end, -nodes), zero);
    kernel_store(k, leaves, at, leaf);
    kernel_map_end(k);
    return leaves;
}

/* {result so far, whether there is one} with the entry, if it is of the target. */
static void combine(struct lower *l, kval entry, kval target, const kval *now, kval *next)
{
    struct kernel *k = l->kernel;
    const struct tree_ensemble_attrs *a = l->node->attrs;
    kval own = kernel_compare(k, KOP_EQ, table_at(l, TARGETS, entry), target);
    kval w = kernel_load(k, l->in[WEIGHTS], &entry), v;
    if (a->aggregate <= SUM) {
        v = kernel_binary(k, KOP_ADD, now[0], w);
    } else {
        v = kernel_binary(k, a->aggregate == LEAST ? KOP_MIN : KOP_MAX, now[0], w);
        v = kernel_select(k, now[1], v, w);
    }
    next[0] = kernel_select(k, own, v, now[0]);
    next[1] = kernel_binary(k, KOP_OR, now[1], own);
}

void tree_ensemble_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct tree_ensemble_attrs *a = l->node->attrs;
    int64_t trees = k->bufs[l->in[ROOTS]].dims[0];
    int leaves = walk(l);
    enum dtype type = k->bufs[l->out[0]].dtype;
    kval none[2] = {kernel_const_float(k, type, 0), kernel_const_int(k, DTYPE_BOOL, 0)};
    kval out[2], tree, e, outer[2], inner[2], next[2], of_tree[2], result[2];
    ops_map_begin(k, l->out[0], out);
    kernel_loop_begin(k, kernel_const_index(k, trees), 2, none, &tree, outer);
    kval at[2] = {out[0], tree};
    kval leaf = kernel_load(k, leaves, at);
    kval start = table_at(l, STARTS, leaf);
    kval end = table_at(l, STARTS, ops_add_const(k, leaf, 1));
    kernel_loop_begin(k, kernel_binary(k, KOP_SUB, end, start), 2, outer, &e, inner);
    combine(l, kernel_binary(k, KOP_ADD, start, e), out[1], inner, next);
    kernel_loop_end(k, next, of_tree);
    kernel_loop_end(k, of_tree, result);
    if (a->aggregate == AVERAGE) {
        kval number = kernel_const_float(k, type, (double)trees);
        result[0] = kernel_binary(k, KOP_DIV, result[0], number);
    }
    kernel_store(k, l->out[0], out, result[0]);
    ops_map_end(k, l->out[0]);
}
