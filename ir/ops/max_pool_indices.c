/*
 * MaxPool-22 with its output Indices: where in x, taken as one row of elements, the largest element
 * of each window stands.  Of equal ones it is the first; NaN is above all.  With storage_order 1 a
 * plane counts its elements with the first spatial dimension fastest.
 */
#include "ir/ops/arg.h"
#include "ir/ops/window.h"

static struct window_spec spec_of(const struct node *n)
{
    const struct max_pool_indices_attrs *a = n->attrs;
    return WINDOW_SPEC(a, a->ceil_mode != 0);
}

bool max_pool_indices_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct window_spec spec = spec_of(n);
    struct window w;
    if (!window_infer_pool(n, TYPES_NUMBER, &spec, err) ||
        !window_compute(&spec, &n->in[0]->shape, NULL, &w, err))
        return false;
    struct shape y = window_output_shape(&w, &n->in[0]->shape);
    return ops_set_output(n, 1, DTYPE_I64, &y, err);
}

/* The element of the window at position `in` of x, and its place in the plane; outside of x a place
   behind all others, so that it wins over nothing inside. */
static void load_element(struct kernel *k, const struct window *w, int x, const kval *in, kval *out)
{
    enum dtype type = k->bufs[x].dtype;
    kval place = kernel_const_index(k, 0), inside = 0;
    for (int d = 0; d < w->n; d++) {
        kval at = in[2 + d];
        place = kernel_binary(k, KOP_ADD, ops_mul_const(k, place, w->in[d]), at);
        if (!w->outside[d])
            continue;
        inside = ops_and(k, inside, kernel_compare(k, KOP_LE, kernel_const_index(k, 0), at));
        inside = ops_and(k, inside, kernel_compare(k, KOP_LT, at, kernel_const_index(k, w->in[d])));
    }
    kval v = inside ? kernel_load_or(k, x, in, ops_lowest(k, type)) : kernel_load(k, x, in);
    out[0] = kernel_cast(k, ops_compute_type(type), v);
    out[1] = place;
    if (inside)
        out[1] = kernel_select(k, inside, place, kernel_const_index(k, INT64_MAX));
}

/* The largest element of the window of output index `out`, and its place in the plane. */
static void largest(struct kernel *k, const struct window *w, int x, const kval *out, kval *best)
{
    kval tap[WINDOW_MAX_DIMS], size[WINDOW_MAX_DIMS], in[MAX_RANK] = {out[0], out[1]};
    kval element[2], so_far[2], next[2], better[2];
    kval start[2];
    start[0] = ops_lowest(k, ops_compute_type(k->bufs[x].dtype));
    start[1] = kernel_const_index(k, INT64_MAX);
    for (int d = 0; d < w->n; d++)
        size[d] = kernel_const_index(k, w->kernel[d]);
    kernel_reduce_begin(k, KCOMBINE_BLOCK, 1, w->n, size, 2, start, tap);
    kernel_reduce_unordered(k);
    for (int d = 0; d < w->n; d++)
        in[2 + d] = window_position(k, w, d, out[2 + d], tap[d]);
    load_element(k, w, x, in, element);
    kernel_reduce_combine(k, element, so_far, next);
    kval take = arg_beats(k, next, so_far, false, false);
    for (int i = 0; i < 2; i++)
        better[i] = kernel_select(k, take, next[i], so_far[i]);
    kernel_reduce_end(k, better, best);
}

/* The place where the first spatial dimension is fastest. */
static kval column_major(struct kernel *k, const struct window *w, kval place)
{
    kval at[WINDOW_MAX_DIMS];
    ops_unflatten(k, place, w->n, w->in, at);
    place = at[w->n - 1];
    for (int d = w->n - 2; d >= 0; d--)
        place = kernel_binary(k, KOP_ADD, ops_mul_const(k, place, w->in[d]), at[d]);
    return place;
}

void max_pool_indices_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct max_pool_indices_attrs *a = l->node->attrs;
    const struct shape *x = &l->node->in[0]->shape;
    struct window_spec spec = spec_of(l->node);
    struct window w;
    window_compute(&spec, x, NULL, &w, NULL);
    int64_t plane = 1;
    for (int d = 0; d < w.n; d++)
        plane *= w.in[d];

    kval out[MAX_RANK], best[2];
    ops_map_begin(k, l->out[0], out);
    largest(k, &w, l->in[0], out, best);
    ops_store(k, l->out[0], out, best[0]);
    if (ops_has_output(l->node, 1)) {
        /* A window of padding alone has no place; it gets the last. */
        kval place = kernel_binary(k, KOP_MIN, best[1], kernel_const_index(k, plane - 1));
        if (a->storage_order)
            place = column_major(k, &w, place);
        kval planes = kernel_binary(k, KOP_ADD, ops_mul_const(k, out[0], x->dims[1]), out[1]);
        place = kernel_binary(k, KOP_ADD, ops_mul_const(k, planes, plane), place);
        ops_store(k, l->out[1], out, place);
    }
    ops_map_end(k, l->out[0]);
}
