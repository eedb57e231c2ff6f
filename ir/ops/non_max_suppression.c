/*
 * NonMaxSuppression-11.  For each batch and class the boxes are taken in the order of their scores,
 * equal ones in the order of their indices.  The number of results is known only at run time:
 * output 1, which models do not name, holds it.
 */
#include "ir/ops/sort_key.h"

enum { BOXES, SCORES, MOST, OVERLAP, LEAST };

static bool check_number(const struct node *n, size_t i, unsigned types, struct error *err)
{
    if (!ops_check_type(n, i, types, err) || !ops_check_static(n, i, err))
        return false;
    if (ops_has_input(n, i) && shape_elems(&n->in[i]->shape) != 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "input '%s' is not one number", n->in[i]->name);
    return true;
}

/* No more boxes than this are selected of a class. */
static int64_t most_of(const struct node *n)
{
    int64_t boxes = n->in[BOXES]->shape.dims[1];
    if (!ops_has_input(n, MOST))
        return 0;
    if (!value_is_constant(n->in[MOST]))
        return boxes;
    int64_t most = tensor_get_int(n->in[MOST]->constant, 0);
    return most < 0 ? 0 : most < boxes ? most : boxes;
}

bool non_max_suppression_infer(struct graph *g, struct node *n, struct error *err)
{
    const struct shape *boxes = &n->in[BOXES]->shape, *scores = &n->in[SCORES]->shape;
    if (!ops_check_type(n, BOXES, TYPE(F32), err) || !ops_check_type(n, SCORES, TYPE(F32), err) ||
        !ops_check_rank(n, BOXES, 3, err) || !ops_check_rank(n, SCORES, 3, err))
        return false;
    if (boxes->dims[2] != 4 || scores->dims[0] != boxes->dims[0] ||
        scores->dims[2] != boxes->dims[1] || boxes->extent[2] ||
        scores->extent[0] != boxes->extent[0] || scores->extent[2] != boxes->extent[1])
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "boxes [%lld,%lld,%lld] and scores [%lld,%lld,%lld] do not fit together",
                         (long long)boxes->dims[0], (long long)boxes->dims[1],
                         (long long)boxes->dims[2], (long long)scores->dims[0],
                         (long long)scores->dims[1], (long long)scores->dims[2]);
    if (!check_number(n, MOST, TYPES_INDEX, err) || !check_number(n, OVERLAP, TYPE(F32), err) ||
        !check_number(n, LEAST, TYPE(F32), err))
        return false;
    int64_t dims[2] = {scores->dims[0] * scores->dims[1] * most_of(n), 3};
    struct shape y = shape_of_dims(2, dims);
    y.extent[0] = ops_hidden_scalar(g, n, 1, "count");
    return ops_set_output(n, 0, DTYPE_I64, &y, err);
}

struct nms {
    struct lower *l;
    kval lists, classes, boxes; /* a list per batch and class */
    int order;                  /* [list, rank]: boxes, the best first */
    int picked, number, start;  /* [list, place]: boxes; how many; where in the result they begin */
};

/* ---- overlap ---- */

struct box {
    kval low[2], high[2], area;
};

static kval f32_op(const struct nms *s, enum kop op, kval a, kval b)
{
    return kernel_binary(s->l->kernel, op, a, b);
}

static struct box load_box(const struct nms *s, kval batch, kval index)
{
    struct kernel *k = s->l->kernel;
    const struct non_max_suppression_attrs *a = s->l->node->attrs;
    kval v[4], half = kernel_const_float(k, DTYPE_F32, 0.5);
    struct box b;
    for (int i = 0; i < 4; i++) {
        kval at[3] = {batch, index, kernel_const_index(k, i)};
        v[i] = kernel_load(k, s->l->in[BOXES], at);
    }
    for (int i = 0; i < 2; i++) {
        if (a->center_point_box) {
            kval reach = f32_op(s, KOP_MUL, v[2 + i], half);
            b.low[i] = f32_op(s, KOP_SUB, v[i], reach);
            b.high[i] = f32_op(s, KOP_ADD, v[i], reach);
        } else {
            b.low[i] = f32_op(s, KOP_MIN, v[i], v[2 + i]);
            b.high[i] = f32_op(s, KOP_MAX, v[i], v[2 + i]);
        }
    }
    kval height = f32_op(s, KOP_SUB, b.high[0], b.low[0]);
    kval width = f32_op(s, KOP_SUB, b.high[1], b.low[1]);
    b.area = f32_op(s, KOP_MUL, height, width);
    return b;
}

/* Whether the boxes share more than that part of what both cover. */
static kval overlap(const struct nms *s, const struct box *a, const struct box *b, kval part)
{
    struct kernel *k = s->l->kernel;
    kval zero = kernel_const_float(k, DTYPE_F32, 0), common = 0;
    for (int i = 0; i < 2; i++) {
        kval low = f32_op(s, KOP_MAX, a->low[i], b->low[i]);
        kval high = f32_op(s, KOP_MIN, a->high[i], b->high[i]);
        kval side = f32_op(s, KOP_MAX, f32_op(s, KOP_SUB, high, low), zero);
        common = i ? f32_op(s, KOP_MUL, common, side) : side;
    }
    kval both = f32_op(s, KOP_SUB, f32_op(s, KOP_ADD, a->area, b->area), common);
    kval more = kernel_compare(k, KOP_LT, part, f32_op(s, KOP_DIV, common, both));
    return ops_and(k, more, kernel_compare(k, KOP_LT, zero, common));
}

/* ---- steps ---- */

static void split_list(const struct nms *s, kval list, kval *out_batch, kval *out_class)
{
    *out_batch = kernel_binary(s->l->kernel, KOP_DIV, list, s->classes);
    *out_class = kernel_binary(s->l->kernel, KOP_REM, list, s->classes);
}

static kval load_score(const struct nms *s, kval list, kval box)
{
    kval at[3] = {0, 0, box};
    split_list(s, list, &at[0], &at[1]);
    return kernel_load(s->l->kernel, s->l->in[SCORES], at);
}

static void sort_boxes(const struct nms *s)
{
    struct kernel *k = s->l->kernel;
    kval list, index[2], element[2], a[2], b[2], sorted[2];
    kernel_map_begin(k, 1, &s->lists, &list);
    kernel_sort_begin(k, s->boxes, s->boxes, index);
    element[0] = sort_key(k, load_score(s, list, index[0]), true);
    element[1] = index[0];
    kernel_sort_order(k, 2, element, a, b);
    kval less = kernel_compare(k, KOP_LT, a[0], b[0]),
         equal = kernel_compare(k, KOP_EQ, a[0], b[0]);
    kval nearer = ops_and(k, equal, kernel_compare(k, KOP_LT, a[1], b[1]));
    kernel_sort_emit(k, kernel_binary(k, KOP_OR, less, nearer), sorted);
    kval to[2] = {list, index[1]};
    kernel_store(k, s->order, to, sorted[1]);
    kernel_sort_end(k);
    kernel_map_end(k);
}

/* Whether a box that is picked already overlaps the box. */
static kval is_covered(const struct nms *s, kval list, kval box, kval n_picked)
{
    struct kernel *k = s->l->kernel;
    kval batch, class, i, result, none = kernel_const_int(k, DTYPE_BOOL, 0);
    split_list(s, list, &batch, &class);
    kval part = ops_has_input(s->l->node, OVERLAP) ? ops_load_scalar(k, s->l->in[OVERLAP])
                                                   : kernel_const_float(k, DTYPE_F32, 0);
    struct box own = load_box(s, batch, box);
    kernel_reduce_begin(k, KCOMBINE_OR, 1, 1, &n_picked, 1, &none, &i);
    kval at[2] = {list, i};
    struct box other = load_box(s, batch, kernel_load(k, s->picked, at));
    kval covers = overlap(s, &own, &other, part);
    kernel_reduce_end(k, &covers, &result);
    return result;
}

static void pick_boxes(const struct nms *s, int64_t most)
{
    struct kernel *k = s->l->kernel;
    kval list, rank, zero = kernel_const_index(k, 0), n_picked, number;
    kval limit = kernel_const_index(k, most);
    if (ops_has_input(s->l->node, MOST)) {
        kval said = kernel_cast(k, DTYPE_I64, ops_load_scalar(k, s->l->in[MOST]));
        limit = kernel_binary(k, KOP_MIN, limit, said);
    }
    kernel_map_begin(k, 1, &s->lists, &list);
    kernel_loop_begin(k, s->boxes, 1, &zero, &rank, &n_picked);
    kval from[2] = {list, rank};
    kval box = kernel_load(k, s->order, from);
    kval wanted = kernel_compare(k, KOP_LT, n_picked, limit);
    if (ops_has_input(s->l->node, LEAST)) {
        kval least = ops_load_scalar(k, s->l->in[LEAST]), score = load_score(s, list, box);
        wanted = ops_and(k, wanted, kernel_compare(k, KOP_LT, least, score));
    }
    kval against = kernel_select(k, wanted, n_picked, zero);
    kval covered = is_covered(s, list, box, against);
    kval take = ops_and(k, wanted, kernel_unary(k, KOP_NOT, covered));
    kernel_if_begin(k, take);
    kval to[2] = {list, n_picked};
    kernel_store(k, s->picked, to, box);
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
    kval next = kernel_binary(k, KOP_ADD, n_picked, kernel_cast(k, DTYPE_I64, take));
    kernel_loop_end(k, &next, &number);
    kernel_store(k, s->number, &list, number);
    kernel_map_end(k);
}

static void store_results(const struct nms *s, int64_t most)
{
    struct kernel *k = s->l->kernel;
    kval list, zero = kernel_const_index(k, 0), start, count;
    kernel_scan_begin(k, KCOMBINE_ADD, s->lists, 1, &zero, &list);
    kval number = kernel_load(k, s->number, &list);
    kernel_scan_emit(k, &number, &start);
    kernel_store(k, s->start, &list, start);
    kernel_scan_end(k, &count);
    kernel_store(k, s->l->out[1], NULL, count);

    kval extent[2] = {s->lists, kernel_const_index(k, most)}, at[2], to[2], v[3];
    kernel_map_begin(k, 2, extent, at);
    kernel_if_begin(k, kernel_compare(k, KOP_LT, at[1], kernel_load(k, s->number, &at[0])));
    split_list(s, at[0], &v[0], &v[1]);
    v[2] = kernel_load(k, s->picked, at);
    to[0] = kernel_binary(k, KOP_ADD, kernel_load(k, s->start, &at[0]), at[1]);
    for (int i = 0; i < 3; i++) {
        to[1] = kernel_const_index(k, i);
        kernel_store(k, s->l->out[0], to, v[i]);
    }
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
    kernel_map_end(k);
}

void non_max_suppression_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct kbuf scores = k->bufs[l->in[SCORES]];
    int64_t most = most_of(l->node), lists = scores.dims[0] * scores.dims[1];
    int64_t order_dims[2] = {lists, scores.dims[2]}, picked_dims[2] = {lists, most};
    kval batches = kernel_extent(k, l->in[SCORES], 0);
    struct nms s = {.l = l,
                    .classes = kernel_extent(k, l->in[SCORES], 1),
                    .boxes = kernel_extent(k, l->in[SCORES], 2)};
    s.lists = kernel_binary(k, KOP_MUL, batches, s.classes);
    if (lists == 0 || most == 0) {
        kernel_store(k, l->out[1], NULL, kernel_const_index(k, 0));
        return;
    }
    s.order = kernel_add_buf(k, "order", DTYPE_I64, KBUF_LOCAL, 2, order_dims);
    s.picked = ops_add_zeros(k, "picked", 2, picked_dims);
    s.number = kernel_add_buf(k, "number", DTYPE_I64, KBUF_LOCAL, 1, &lists);
    s.start = kernel_add_buf(k, "start", DTYPE_I64, KBUF_LOCAL, 1, &lists);
    sort_boxes(&s);
    pick_boxes(&s, most);
    store_results(&s, most);
}
