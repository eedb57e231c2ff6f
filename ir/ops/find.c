/*
 * Rows looked up among constant ones, by halves: keys ascend, compared element by element.
 */
#include "ir/ops/sort_key.h"

enum { X, KEYS };

/* -1, 0 or 1: how row `a` of keys compares to row `b`, on this side. */
static int compare_keys(const struct tensor *t, int64_t a, int64_t b)
{
    int64_t width = t->dims[1];
    for (int64_t i = 0; i < width; i++) {
        if (!dtype_is_float(t->dtype)) {
            int64_t u = tensor_get_int(t, a * width + i), v = tensor_get_int(t, b * width + i);
            bool less = t->dtype == DTYPE_U64 ? (uint64_t)u < (uint64_t)v : u < v;
            if (u != v)
                return less ? -1 : 1;
            continue;
        }
        double u = tensor_get(t, a * width + i), v = tensor_get(t, b * width + i);
        bool nan_u = u != u, nan_v = v != v;
        if (nan_u != nan_v)
            return nan_u ? 1 : -1;
        if (!nan_u && (u < v || v < u))
            return u < v ? -1 : 1;
    }
    return 0;
}

bool find_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct value *x = n->in[X], *keys = n->in[KEYS];
    if (!ops_check_type(n, X, TYPES_NUMBER | TYPE(BOOL), err) ||
        !ops_check_same_type(n, X, KEYS, err) || !ops_check_rank(n, KEYS, 2, err))
        return false;
    if (!value_is_constant(keys))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the keys, input '%s', must be constant",
                         keys->name);
    if (!x->shape.rank || x->shape.extent[x->shape.rank - 1] ||
        x->shape.dims[x->shape.rank - 1] != keys->shape.dims[1])
        return error_set(err, SHEAF_ERROR_SHAPE, "rows of '%s' are not as long as keys", x->name);
    if (!keys->shape.dims[0])
        return error_set(err, SHEAF_ERROR_SHAPE, "there are no keys");
    for (int64_t i = 1; i < keys->shape.dims[0]; i++)
        if (compare_keys(keys->constant, i - 1, i) >= 0)
            return error_set(err, SHEAF_ERROR_FORMAT, "key %lld is not greater than the one before",
                             (long long)i);
    struct shape y = x->shape;
    y.rank--;
    y.extent[y.rank] = NULL;
    return ops_set_output(n, 0, DTYPE_I64, &y, err);
}

/* -1, 0 or 1: how a key compares to the row of x that idx[0 .. rank - 2] names. */
static kval compare_to(struct lower *l, kval key, kval *idx, int rank)
{
    struct kernel *k = l->kernel;
    kval zero = kernel_const_index(k, 0), so_far, result;
    kval at[2] = {key};
    kval width = kernel_const_index(k, k->bufs[l->in[KEYS]].dims[1]);
    kernel_loop_begin(k, width, 1, &zero, &at[1], &so_far);
    idx[rank - 1] = at[1];
    kval a = sort_key(k, ops_load(k, l->in[KEYS], at), false);
    kval b = sort_key(k, ops_load(k, l->in[X], idx), false);
    kval next = sort_key_then(k, so_far, a, b);
    kernel_loop_end(k, &next, &result);
    return result;
}

void find_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    int rank = k->bufs[l->in[X]].rank;
    int64_t n = k->bufs[l->in[KEYS]].dims[0], steps = 1;
    while (((int64_t)1 << steps) <= n)
        steps++;
    kval zero = kernel_const_index(k, 0), count = kernel_const_index(k, n);
    kval last = kernel_const_index(k, n - 1), one = kernel_const_index(k, 1);
    kval idx[MAX_RANK], step, bounds[2] = {zero, count}, now[2], next[2], found[2];
    ops_map_begin(k, l->out[0], idx);
    kernel_loop_begin(k, kernel_const_index(k, steps), 2, bounds, &step, now);
    kval middle = kernel_binary(k, KOP_SHR, kernel_binary(k, KOP_ADD, now[0], now[1]), one);
    kval order = compare_to(l, kernel_binary(k, KOP_MIN, middle, last), idx, rank);
    kval open = kernel_compare(k, KOP_LT, now[0], now[1]);
    kval below = kernel_compare(k, KOP_LT, order, zero);
    kval up = kernel_binary(k, KOP_AND, open, below);
    next[0] = kernel_select(k, up, ops_add_const(k, middle, 1), now[0]);
    next[1] = kernel_select(k, below, now[1], kernel_binary(k, KOP_MIN, middle, now[1]));
    kernel_loop_end(k, next, found);
    order = compare_to(l, kernel_binary(k, KOP_MIN, found[0], last), idx, rank);
    kval hit = kernel_compare(k, KOP_EQ, order, zero);
    kval inside = kernel_compare(k, KOP_LT, found[0], count);
    hit = kernel_binary(k, KOP_AND, hit, inside);
    kernel_store(k, l->out[0], idx, kernel_select(k, hit, found[0], count));
    ops_map_end(k, l->out[0]);
}
