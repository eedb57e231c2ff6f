/*
 * Operators that cut, and those that need to know all extents: their inputs are filled up, and
 * their results cut off again.
 */
#include <math.h>

#include "ir/checked.h"
#include "loader/import/extent_internal.h"

/* ---- cutting ---- */

enum { X, STARTS, ENDS, AXES, STEPS };

/* Whether the start alone is computed and the end a constant number of elements behind it, which
   the operator knows best itself. */
static bool is_moving(struct importer *im, const struct node *n, const struct extents *start,
                      const struct extents *end)
{
    struct known d;
    int64_t number;
    (void)im;
    return shape_is_static(&n->in[X]->shape) && start->rank == 1 && end->rank == 1 &&
           known_add(&end->dim[0], &start->dim[0], -1, &d) && known_is_number(&d, &number) &&
           number >= 0 && known_low(&start->dim[0]) < 0;
}

/* Python's rule: negative places count from the end, and none lies outside of low .. high. */
static bool place(struct importer *im, const struct known *at, const struct known *extent,
                  const struct known *low, const struct known *high, struct known *out)
{
    struct known from_end;
    int64_t number;
    if (known_is_number(at, &number) &&
        (number > LIMIT_TENSOR_ELEMS || number < -LIMIT_TENSOR_ELEMS)) {
        *out = number > 0 ? *high : *low;
        return true;
    }
    return extent_add(im, at, extent, &from_end) && extent_if_less(im, at, 0, &from_end, at, out) &&
           extent_max(im, out, low, out) && extent_min(im, out, high, out);
}

/* Of none, backwards, the start is -1, as far as the end. */
static bool cut_axis(struct importer *im, const struct known *extent, int64_t step,
                     struct known *start, struct known *end, struct known *count)
{
    struct known zero = known_number(0), low = known_number(step > 0 ? 0 : -1), high = *extent,
                 one = known_number(1);
    if (step < 0 && !extent_sub(im, extent, &one, &high))
        return false;
    return place(im, start, extent, &zero, &high, start) &&
           place(im, end, extent, &low, &high, end) &&
           extent_count_steps(im, start, end, step, count);
}

static bool constant_list(struct importer *im, const struct node *n, size_t i, int64_t *out,
                          size_t count)
{
    if (!value_is_constant(n->in[i]) || tensor_elems(n->in[i]->constant) != (int64_t)count)
        return import_node_error(im, n->name, SHEAF_ERROR_UNSUPPORTED,
                                 "'%s', input %zu of %s, must be %zu constant numbers",
                                 n->in[i]->name, i, op_desc(n->op)->onnx, count);
    for (size_t e = 0; e < count; e++)
        out[e] = tensor_get_int(n->in[i]->constant, (int64_t)e);
    return true;
}

bool extent_slice(struct importer *im, struct node *n, bool *done)
{
    struct extents y = extents_of(im, n->in[X]), start = {.rank = y.rank}, starts, ends;
    int64_t axes[2 * MAX_RANK], steps[2 * MAX_RANK], step[MAX_RANK];
    if (!extents_from(im, n->name, n->in[STARTS], &starts) ||
        !extents_from(im, n->name, n->in[ENDS], &ends))
        return false;
    size_t count = (size_t)starts.rank;
    for (size_t i = 0; i < count; i++) {
        axes[i] = (int64_t)i;
        steps[i] = 1;
    }
    if (starts.rank != ends.rank || starts.rank > y.rank)
        return extent_refuse(im, n, "starts and ends do not fit the dimensions");
    if ((extent_has(n, AXES) && !constant_list(im, n, AXES, axes, count)) ||
        (extent_has(n, STEPS) && !constant_list(im, n, STEPS, steps, count)))
        return false;
    if (is_moving(im, n, &starts, &ends) && steps[0] == 1)
        return true;
    for (int d = 0; d < y.rank; d++) {
        start.dim[d] = known_number(0);
        step[d] = 1;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t d = axes[i] < 0 ? axes[i] + y.rank : axes[i];
        if (d < 0 || d >= y.rank || steps[i] == 0 || steps[i] > INT32_MAX || steps[i] < -INT32_MAX)
            return extent_refuse(im, n, "an axis does not exist, or its step is not possible");
        step[d] = steps[i];
        start.dim[d] = starts.dim[i];
        if (!cut_axis(im, &y.dim[d], step[d], &start.dim[d], &ends.dim[i], &y.dim[d]))
            return false;
    }
    *done = extents_cut(im, n->in[X], &start, step, &y, n->out[0]) != NULL;
    return *done;
}

bool extent_split(struct importer *im, struct node *n, bool *done)
{
    const struct split_attrs *a = n->attrs;
    struct extents x = extents_of(im, n->in[0]), sizes = {.rank = 0};
    struct extents start = {.rank = x.rank};
    int64_t axis = a->axis < 0 ? a->axis + x.rank : a->axis, step[MAX_RANK];
    if (axis < 0 || axis >= x.rank)
        return true;
    if (extent_has(n, 1) && !extents_from(im, n->name, n->in[1], &sizes))
        return false;
    if (extent_has(n, 1) && sizes.rank != (int)n->n_out)
        return extent_refuse(im, n, "there is not one size for each output");
    struct known parts = known_number((int64_t)n->n_out),
                 each = known_number((int64_t)n->n_out - 1);
    if (!extent_has(n, 1) &&
        (!extent_add(im, &x.dim[axis], &each, &each) || !extent_div(im, &each, &parts, &each)))
        return false;
    for (int d = 0; d < x.rank; d++) {
        start.dim[d] = known_number(0);
        step[d] = 1;
    }
    struct known rest = x.dim[axis], zero = known_number(0);
    for (size_t i = 0; i < n->n_out; i++) {
        struct extents y = x;
        struct known *size = &y.dim[axis];
        *size = extent_has(n, 1) ? sizes.dim[i] : each;
        if (!extent_max(im, size, &zero, size) || !extent_min(im, size, &rest, size))
            return false;
        if (n->out[i] && !extents_cut(im, n->in[0], &start, step, &y, n->out[i]))
            return false;
        if (!extent_add(im, &start.dim[axis], size, &start.dim[axis]) ||
            !extent_sub(im, &rest, size, &rest))
            return false;
    }
    *done = true;
    return true;
}

bool extent_pad(struct importer *im, struct node *n)
{
    enum { PADS = 1, PAD_AXES = 3, BOUNDS = 4, EXTENTS = 5 };
    struct extents y = extents_of(im, n->in[0]), pads, before = {.rank = y.rank};
    int64_t axes[MAX_RANK];
    struct known zero = known_number(0);
    if (!extents_from(im, n->name, n->in[PADS], &pads))
        return false;
    size_t count = (size_t)pads.rank / 2;
    if (pads.rank % 2 || count > (size_t)y.rank ||
        (!extent_has(n, PAD_AXES) && count != (size_t)y.rank))
        return extent_refuse(im, n, "the pads do not fit the dimensions");
    for (size_t i = 0; i < count; i++)
        axes[i] = (int64_t)i;
    if (extent_has(n, PAD_AXES) && !constant_list(im, n, PAD_AXES, axes, count))
        return false;
    for (int d = 0; d < y.rank; d++)
        before.dim[d] = zero;
    for (size_t i = 0; i < count; i++) {
        int64_t d = axes[i] < 0 ? axes[i] + y.rank : axes[i];
        if (d < 0 || d >= y.rank)
            return extent_refuse(im, n, "an axis does not exist");
        before.dim[d] = pads.dim[i];
        if (!extent_add(im, &y.dim[d], &pads.dim[i], &y.dim[d]) ||
            !extent_add(im, &y.dim[d], &pads.dim[count + i], &y.dim[d]))
            return false;
    }
    struct value *in[4] = {n->in[0], extent_vector(im, before.dim, before.rank),
                           extent_has(n, 2) ? n->in[2] : NULL, NULL};
    n->in = arena_copy(im->arena, in, sizeof in);
    n->n_in = 4;
    return in[1] && extents_give(im, n, BOUNDS, EXTENTS, &y);
}

/* ---- operators that need to know all extents: rows are added and cut off again ---- */

static void matmul_extents(const struct extents *a, const struct extents *b, struct extents *y)
{
    int batch_a = a->rank > 2 ? a->rank - 2 : 0, batch_b = b->rank > 2 ? b->rank - 2 : 0;
    int batch = batch_a > batch_b ? batch_a : batch_b;
    int64_t number;
    y->rank = batch;
    for (int d = 0; d < batch; d++) {
        int i = d - (batch - batch_a), j = d - (batch - batch_b);
        bool one = i < 0 || (known_is_number(&a->dim[i], &number) && number == 1);
        y->dim[d] = one ? b->dim[j] : a->dim[i];
    }
    if (a->rank > 1)
        y->dim[y->rank++] = a->dim[a->rank - 2];
    if (b->rank > 1)
        y->dim[y->rank++] = b->dim[b->rank - 1];
}

/* The extents of a product; false: its operands are no matrices. */
static bool product_extents(struct importer *im, const struct node *n, struct extents *y)
{
    struct extents a = extents_of(im, n->in[0]), b = extents_of(im, n->in[1]);
    if (n->op == OP_matmul) {
        matmul_extents(&a, &b, y);
        return a.rank > 0 && b.rank > 0;
    }
    const struct gemm_attrs *attrs = n->attrs;
    y->rank = 2;
    if (a.rank != 2 || b.rank != 2)
        return false;
    y->dim[0] = a.dim[attrs->transA ? 1 : 0];
    y->dim[1] = b.dim[attrs->transB ? 0 : 1];
    return true;
}

/* Whether only the first extent of input 0 is known at run time alone. */
static bool has_open_rows(const struct node *n)
{
    for (size_t i = 1; i < n->n_in; i++)
        if (extent_is_open(n, i))
            return false;
    for (int d = 1; d < n->in[0]->shape.rank; d++)
        if (n->in[0]->shape.extent[d])
            return false;
    return true;
}

bool extent_rows(struct importer *im, struct node *n, bool *done)
{
    bool product = n->op == OP_gemm || n->op == OP_matmul;
    struct extents y = {.rank = 0}, start;
    int64_t step[MAX_RANK];
    if (product && !product_extents(im, n, &y))
        return true; /* inference says so */
    if (!product && !has_open_rows(n))
        return extent_refuse(im, n, "more than the first extent is known only at run time");
    struct value **in = arena_copy(im->arena, n->in, n->n_in * sizeof *n->in);
    for (size_t i = 0; i < n->n_in; i++)
        if (in[i] && !(in[i] = extents_fill(im, in[i])))
            return false;
    struct value *out = n->out[0];
    struct node *whole = build_begin(im, n->op, n->name, in, n->n_in, 1);
    whole->attrs = n->attrs;
    struct value *all = build_end1(im, whole, NULL);
    if (!all)
        return false;
    if (!product) {
        y = extents_of(im, all);
        y.dim[0] = known_extent(im, &n->in[0]->shape, 0);
    }
    start.rank = y.rank;
    for (int d = 0; d < y.rank; d++) {
        start.dim[d] = known_number(0);
        step[d] = 1;
    }
    *done = extents_cut(im, all, &start, step, &y, out) != NULL;
    return *done;
}
