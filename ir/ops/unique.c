/*
 * Unique-11 along an axis.  Slices are sorted, equal ones by their place, so that the first of each
 * group of equal ones leads it.  All NaN are one value.  The number of groups is known only at run
 * time: output 4, which models do not name, holds it.
 */
#include "ir/ops/sort_key.h"

enum { Y, INDICES, INVERSE, COUNTS, NUMBER };

bool unique_infer(struct graph *g, struct node *n, struct error *err)
{
    const struct unique_attrs *a = n->attrs;
    struct shape y = n->in[0]->shape;
    int axis;
    if (!ops_check_type(n, 0, TYPES_NUMBER | TYPE(BOOL), err) || !ops_check_static(n, 0, err) ||
        !ops_axis(a->axis, y.rank, &axis, err))
        return false;
    struct shape slices = shape_of_dims(1, &y.dims[axis]), groups = slices;
    y.extent[axis] = groups.extent[0] = ops_hidden_scalar(g, n, NUMBER, "count");
    return ops_set_output(n, Y, n->in[0]->dtype, &y, err) &&
           ops_set_output(n, INDICES, DTYPE_I64, &groups, err) &&
           ops_set_output(n, INVERSE, DTYPE_I64, &slices, err) &&
           ops_set_output(n, COUNTS, DTYPE_I64, &groups, err);
}

struct unique {
    struct lower *l;
    int axis, rank;
    int64_t dims[MAX_RANK]; /* of x, but 1 along the axis */
    kval n;                 /* slices */
    kval length;            /* elements of one */
    /* By rank: the slice, whether (1 or 0) it leads a group. */
    int order, leads;
    /* By slice: its group.  By group: its first slice, that one's rank, the place in the result. */
    int group, first, start, place;
};

/* ---- order ---- */

static kval key_at(const struct unique *u, kval slice, kval element)
{
    kval at[MAX_RANK];
    ops_unflatten(u->l->kernel, element, u->rank, u->dims, at);
    at[u->axis] = slice;
    return sort_key(u->l->kernel, ops_load(u->l->kernel, u->l->in[0], at), false);
}

/* -1, 0 or 1: how slice a compares to b, by the first elements that differ. */
static kval compare_slices(const struct unique *u, kval a, kval b)
{
    struct kernel *k = u->l->kernel;
    kval zero = kernel_const_index(k, 0), e, so_far, result;
    kernel_loop_begin(k, u->length, 1, &zero, &e, &so_far);
    kval key_a = key_at(u, a, e), key_b = key_at(u, b, e);
    kval next = sort_key_then(k, so_far, key_a, key_b);
    kernel_loop_end(k, &next, &result);
    return result;
}

static void sort_slices(struct unique *u)
{
    struct kernel *k = u->l->kernel;
    kval index[2], element[2], a[2], b[2], sorted[2], zero = kernel_const_index(k, 0);
    int64_t length;
    bool single = kernel_is_const_int(k, u->length, &length) && length == 1;
    kernel_sort_begin(k, u->n, u->n, index);
    element[0] = index[0];
    element[1] = single ? key_at(u, index[0], zero) : 0;
    kernel_sort_order(k, single ? 2 : 1, element, a, b);
    kval order;
    if (single) {
        kval less = kernel_cast(k, DTYPE_I64, kernel_compare(k, KOP_LT, a[1], b[1]));
        kval more = kernel_cast(k, DTYPE_I64, kernel_compare(k, KOP_LT, b[1], a[1]));
        order = kernel_binary(k, KOP_SUB, more, less);
    } else {
        order = compare_slices(u, a[0], b[0]);
    }
    kval equal = kernel_compare(k, KOP_EQ, order, zero);
    kval nearer = ops_and(k, equal, kernel_compare(k, KOP_LT, a[0], b[0]));
    kval less = kernel_compare(k, KOP_LT, order, zero);
    kernel_sort_emit(k, kernel_binary(k, KOP_OR, less, nearer), sorted);
    kernel_store(k, u->order, &index[1], sorted[0]);
    kernel_sort_end(k);
}

/* ---- groups ---- */

static void find_leaders(struct unique *u)
{
    struct kernel *k = u->l->kernel;
    kval rank, zero = kernel_const_index(k, 0);
    kernel_map_begin(k, 1, &u->n, &rank);
    kval before = kernel_binary(k, KOP_MAX, zero, ops_add_const(k, rank, -1));
    kval a = kernel_load(k, u->order, &before), b = kernel_load(k, u->order, &rank);
    kval differs = kernel_compare(k, KOP_NE, compare_slices(u, a, b), zero);
    kval leads = kernel_binary(k, KOP_OR, differs, kernel_compare(k, KOP_EQ, rank, zero));
    kernel_store(k, u->leads, &rank, kernel_cast(k, DTYPE_I64, leads));
    kernel_map_end(k);
}

/* Group by group in sorted order; the number of them is an output. */
static void form_groups(struct unique *u)
{
    struct kernel *k = u->l->kernel;
    kval rank, zero = kernel_const_index(k, 0), leads, group, count;
    kernel_scan_begin(k, KCOMBINE_ADD, u->n, 1, &zero, &rank);
    leads = kernel_load(k, u->leads, &rank);
    kernel_scan_emit(k, &leads, &group);
    leads = kernel_load(k, u->leads, &rank);
    kval slice = kernel_load(k, u->order, &rank);
    kval own = ops_add_const(k, kernel_binary(k, KOP_ADD, group, leads), -1);
    kernel_store(k, u->group, &slice, own);
    kernel_if_begin(k, kernel_cast(k, DTYPE_BOOL, leads));
    kernel_store(k, u->first, &group, slice);
    kernel_store(k, u->start, &group, rank);
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
    kernel_scan_end(k, &count);
    kernel_store(k, u->l->out[NUMBER], NULL, count);
}

/* 1 for the first slice of a group, else 0. */
static kval is_first(const struct unique *u, kval slice, kval *out_group)
{
    struct kernel *k = u->l->kernel;
    *out_group = kernel_load(k, u->group, &slice);
    kval first = kernel_load(k, u->first, out_group);
    return kernel_cast(k, DTYPE_I64, kernel_compare(k, KOP_EQ, first, slice));
}

/* In the order of the groups' first slices. */
static void place_groups(struct unique *u)
{
    struct kernel *k = u->l->kernel;
    kval slice, zero = kernel_const_index(k, 0), group, first, at, count;
    kernel_scan_begin(k, KCOMBINE_ADD, u->n, 1, &zero, &slice);
    first = is_first(u, slice, &group);
    kernel_scan_emit(k, &first, &at);
    first = is_first(u, slice, &group);
    kernel_if_begin(k, kernel_cast(k, DTYPE_BOOL, first));
    kernel_store(k, u->place, &group, at);
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
    kernel_scan_end(k, &count);
}

/* ---- outputs ---- */

static kval place_of(const struct unique *u, kval group)
{
    const struct unique_attrs *a = u->l->node->attrs;
    return a->sorted ? group : kernel_load(u->l->kernel, u->place, &group);
}

static void store_slices(const struct unique *u)
{
    struct kernel *k = u->l->kernel;
    kval from[MAX_RANK], to[MAX_RANK];
    ops_map_begin(k, u->l->out[Y], from);
    for (int d = 0; d < u->rank; d++)
        to[d] = from[d];
    to[u->axis] = place_of(u, to[u->axis]);
    from[u->axis] = kernel_load(k, u->first, &from[u->axis]);
    kernel_store(k, u->l->out[Y], to, kernel_load(k, u->l->in[0], from));
    ops_map_end(k, u->l->out[Y]);
}

static void store_indices(const struct unique *u)
{
    struct kernel *k = u->l->kernel;
    kval group;
    ops_map_begin(k, u->l->out[INDICES], &group);
    kval to = place_of(u, group);
    kernel_store(k, u->l->out[INDICES], &to, kernel_load(k, u->first, &group));
    ops_map_end(k, u->l->out[INDICES]);
}

static void store_counts(const struct unique *u)
{
    struct kernel *k = u->l->kernel;
    kval group;
    ops_map_begin(k, u->l->out[COUNTS], &group);
    kval last = ops_add_const(k, kernel_extent(k, u->l->out[COUNTS], 0), -1);
    kval next = kernel_binary(k, KOP_MIN, ops_add_const(k, group, 1), last);
    kval is_last = kernel_compare(k, KOP_EQ, group, last);
    kval end = kernel_select(k, is_last, u->n, kernel_load(k, u->start, &next));
    kval count = kernel_binary(k, KOP_SUB, end, kernel_load(k, u->start, &group));
    kval to = place_of(u, group);
    kernel_store(k, u->l->out[COUNTS], &to, count);
    ops_map_end(k, u->l->out[COUNTS]);
}

static void store_inverse(const struct unique *u)
{
    struct kernel *k = u->l->kernel;
    kval slice;
    ops_map_begin(k, u->l->out[INVERSE], &slice);
    kval group = kernel_load(k, u->group, &slice);
    kernel_store(k, u->l->out[INVERSE], &slice, place_of(u, group));
    ops_map_end(k, u->l->out[INVERSE]);
}

void unique_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct unique_attrs *a = l->node->attrs;
    const struct kbuf x = k->bufs[l->in[0]];
    struct unique u = {.l = l, .rank = x.rank};
    ops_axis(a->axis, x.rank, &u.axis, NULL);
    int64_t n = x.dims[u.axis], length = 1;
    for (int d = 0; d < x.rank; d++) {
        u.dims[d] = d == u.axis ? 1 : x.dims[d];
        length *= u.dims[d];
    }
    u.n = kernel_const_index(k, n);
    u.length = kernel_const_index(k, length);
    int *const bufs[] = {&u.order, &u.leads, &u.group, &u.first, &u.start, &u.place};
    static const char *const names[] = {"order", "leads", "group", "first", "start", "place"};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        if (bufs[i] != &u.place || !a->sorted)
            *bufs[i] = ops_add_zeros(k, names[i], 1, &n);
    sort_slices(&u);
    find_leaders(&u);
    form_groups(&u);
    if (!a->sorted)
        place_groups(&u);
    store_slices(&u);
    if (ops_has_output(l->node, INDICES))
        store_indices(&u);
    if (ops_has_output(l->node, INVERSE))
        store_inverse(&u);
    if (ops_has_output(l->node, COUNTS))
        store_counts(&u);
}
