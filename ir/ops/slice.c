/*
 * Slice-13.  Bounds are constant; or the start is known only at run time and the end lies a
 * constant number of elements behind it (as in x[i:i+1] inside a loop): then the extent is known,
 * and only the place is computed.  A start for which such a slice would leave x is moved so that
 * it does not.  All else that a run computes the importers have worked out: there is a start for
 * each dimension, and the extents are inputs.
 */
#include "ir/checked.h"
#include "ir/ops/common.h"

enum { X, STARTS, ENDS, AXES, STEPS, EXTENTS };

struct slice_plan {
    int64_t start[MAX_RANK], step[MAX_RANK], extent[MAX_RANK];
    int moving_axis; /* whose start is the element of input STARTS; -1: all are constant */
};

/* The source of a one-element value behind views, and what was added to it on the way; NULL: it is
   the constant *offset alone. */
static const struct value *trace(const struct value *v, int64_t *offset)
{
    for (;;) {
        if (value_is_constant(v)) {
            *offset += tensor_get_int(v->constant, 0);
            return NULL;
        }
        const struct node *n = v->role == VALUE_TEMP ? v->producer : NULL;
        if (n && (op_desc(n->op)->flags & OP_VIEW)) {
            v = n->in[0];
        } else if (n && n->op == OP_add && value_is_constant(n->in[1])) {
            *offset += tensor_get_int(n->in[1]->constant, 0);
            v = n->in[0];
        } else if (n && n->op == OP_add && value_is_constant(n->in[0])) {
            *offset += tensor_get_int(n->in[0]->constant, 0);
            v = n->in[1];
        } else {
            return v;
        }
    }
}

static bool plan_moving(const struct node *n, struct slice_plan *p, struct error *err)
{
    const struct shape *x = &n->in[X]->shape;
    int64_t axis = 0, from = 0, to = 0;
    size_t count = 1;
    if (shape_elems(&n->in[STARTS]->shape) != 1 || shape_elems(&n->in[ENDS]->shape) != 1)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "bounds '%s' and '%s' are known only at run time, for more than one axis",
                         n->in[STARTS]->name, n->in[ENDS]->name);
    if (!ops_check_type(n, STARTS, TYPES_INDEX, err) || !ops_check_type(n, ENDS, TYPES_INDEX, err))
        return false;
    if (ops_has_input(n, AXES) && !ops_const_ints(n, AXES, "axes", 1, &axis, &count, err))
        return false;
    if (!ops_axis(axis, x->rank, &p->moving_axis, err) || !ops_check_static(n, X, err))
        return false;
    const struct value *start = trace(n->in[STARTS], &from), *end = trace(n->in[ENDS], &to);
    int64_t extent = to - from;
    if (start != end || extent < 0 || extent > x->dims[p->moving_axis])
        return error_set(
            err, SHEAF_ERROR_UNSUPPORTED,
            "bounds '%s' and '%s' are known only at run time and do not lie a constant "
            "distance apart",
            n->in[STARTS]->name, n->in[ENDS]->name);
    p->extent[p->moving_axis] = extent;
    return true;
}

/* Python's rule for one axis; INT64_MIN and INT64_MAX stand for "as far as possible". */
static void plan_axis(struct slice_plan *p, int d, int64_t extent, int64_t start, int64_t end,
                      int64_t step)
{
    int64_t lo = step > 0 ? 0 : -1, hi = step > 0 ? extent : extent - 1;
    if (start < 0)
        start = start < -extent ? lo : start + extent;
    if (end < 0)
        end = end < -extent ? lo : end + extent;
    start = start < 0 ? 0 : start;
    start = start > hi ? hi : start; /* of nothing, backwards: -1, as far as the end */
    end = end < lo ? lo : end > extent ? extent : end;
    p->start[d] = start;
    p->step[d] = step;
    int64_t span = step > 0 ? end - start : start - end;
    /* A step beyond the extent takes one element; so its size does not matter. */
    int64_t stride = step > extent    ? extent + 1
                     : step < -extent ? extent + 1
                     : step < 0       ? -step
                                      : step;
    p->extent[d] = span > 0 ? (span - 1) / stride + 1 : 0;
}

static bool plan_slice(const struct node *n, struct slice_plan *out, struct error *err)
{
    const struct shape *x = &n->in[X]->shape;
    struct slice_plan p = {.moving_axis = -1};
    for (int d = 0; d < x->rank; d++) {
        p.step[d] = 1;
        p.extent[d] = x->dims[d];
    }
    int64_t list[5][MAX_RANK];
    size_t count[5] = {0};
    if (ops_has_input(n, STEPS) &&
        !ops_const_ints(n, STEPS, "steps", MAX_RANK, list[STEPS], &count[STEPS], err))
        return false;
    bool unit_steps = true;
    for (size_t i = 0; i < count[STEPS]; i++)
        unit_steps &= list[STEPS][i] == 1;
    bool constant = value_is_constant(n->in[STARTS]) && value_is_constant(n->in[ENDS]);
    if (!constant && unit_steps) {
        if (!plan_moving(n, &p, err))
            return false;
        *out = p;
        return true;
    }
    static const char *const names[] = {"", "starts", "ends", "axes"};
    for (size_t i = STARTS; i <= AXES; i++)
        if (ops_has_input(n, i) &&
            !ops_const_ints(n, i, names[i], MAX_RANK, list[i], &count[i], err))
            return false;
    size_t n_axes = count[STARTS];
    if (count[ENDS] != n_axes || (ops_has_input(n, AXES) && count[AXES] != n_axes) ||
        (ops_has_input(n, STEPS) && count[STEPS] != n_axes) || n_axes > (size_t)x->rank)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "%zu starts, %zu ends, %zu axes and %zu steps do not fit %d dimensions",
                         n_axes, count[ENDS], count[AXES], count[STEPS], x->rank);
    bool seen[MAX_RANK];
    if (!ops_axes(list[AXES], count[AXES], x->rank, seen, err))
        return false;
    for (size_t i = 0; i < n_axes; i++) {
        int d = (int)i;
        if (ops_has_input(n, AXES))
            ops_axis(list[AXES][i], x->rank, &d, NULL);
        int64_t step = ops_has_input(n, STEPS) ? list[STEPS][i] : 1;
        if (step == 0)
            return error_set(err, SHEAF_ERROR_SHAPE, "the step along axis %d is 0", d);
        if (x->extent[d])
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "the extent along axis %d is known only at run time", d);
        plan_axis(&p, d, x->dims[d], list[STARTS][i], list[ENDS][i], step);
    }
    *out = p;
    return true;
}

/* ---- with given extents ---- */

static bool given_steps(const struct node *n, int64_t *out, struct error *err)
{
    size_t count;
    return ops_const_ints(n, STEPS, "steps", MAX_RANK, out, &count, err) &&
           (count == (size_t)n->in[X]->shape.rank ||
            error_set(err, SHEAF_ERROR_SHAPE, "there are %zu steps", count));
}

static bool infer_given(struct node *n, struct error *err)
{
    int64_t bounds[MAX_RANK], steps[MAX_RANK];
    const struct shape *starts = &n->in[STARTS]->shape;
    size_t rank;
    struct shape y;
    if (!ops_const_ints(n, ENDS, "bounds", MAX_RANK, bounds, &rank, err) ||
        !ops_check_rank(n, X, (int)rank, err) || !ops_stated_shape(rank, bounds, &y, err) ||
        !ops_check_type(n, STARTS, TYPE(I64), err) || !ops_check_rank(n, STARTS, 1, err) ||
        !given_steps(n, steps, err) || !ops_given_extents(n, EXTENTS, &y, err))
        return false;
    if (starts->extent[0] || starts->dims[0] != y.rank || ops_has_input(n, AXES))
        return error_set(err, SHEAF_ERROR_SHAPE, "'%s' is no start for each dimension",
                         n->in[STARTS]->name);
    for (int d = 0; value_is_constant(n->in[STARTS]) && d < y.rank; d++) {
        int64_t first = tensor_get_int(n->in[STARTS]->constant, d), last;
        bool fits = checked_mul(steps[d], y.dims[d] - 1, &last) &&
                    checked_add(first, last, &last) && first >= 0 && last >= 0 &&
                    first < n->in[X]->shape.dims[d] && last < n->in[X]->shape.dims[d];
        if (y.dims[d] > 0 && !fits)
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "dimension %d has no %lld elements from %lld on", d,
                             (long long)y.dims[d], (long long)first);
    }
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err);
}

static kval given_start(struct lower *l, int d)
{
    const struct value *starts = l->node->in[STARTS];
    kval at = kernel_const_index(l->kernel, d);
    if (value_is_constant(starts))
        return kernel_const_index(l->kernel, tensor_get_int(starts->constant, d));
    return kernel_load(l->kernel, l->in[STARTS], &at);
}

static void lower_given(struct lower *l)
{
    struct kernel *k = l->kernel;
    int rank = k->bufs[l->in[X]].rank;
    int64_t steps[MAX_RANK];
    kval start[MAX_RANK], out[MAX_RANK], in[MAX_RANK];
    given_steps(l->node, steps, NULL);
    for (int d = 0; d < rank; d++)
        start[d] = given_start(l, d);
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < rank; d++) {
        in[d] = ops_mul_const(k, out[d], steps[d]);
        in[d] = kernel_binary(k, KOP_ADD, start[d], in[d]);
    }
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[X], in));
    ops_map_end(k, l->out[0]);
}

/* ---- the operator ---- */

bool slice_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct slice_plan p;
    if (n->n_in > EXTENTS)
        return infer_given(n, err);
    if (!plan_slice(n, &p, err))
        return false;
    struct shape y = n->in[X]->shape;
    for (int d = 0; d < y.rank; d++)
        y.dims[d] = p.extent[d];
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err);
}

/* Where a moving slice begins: negative starts count from the end. */
static kval moving_start(struct lower *l, const struct slice_plan *p)
{
    struct kernel *k = l->kernel;
    int64_t extent = k->bufs[l->in[X]].dims[p->moving_axis];
    kval start = kernel_cast(k, DTYPE_I64, ops_load_scalar(k, l->in[STARTS]));
    kval negative = kernel_compare(k, KOP_LT, start, kernel_const_index(k, 0));
    start = kernel_select(k, negative, ops_add_const(k, start, extent), start);
    int64_t places = extent - p->extent[p->moving_axis] + 1;
    return ops_clamp_index(k, start, kernel_const_index(k, places));
}

void slice_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct slice_plan p;
    if (l->node->n_in > EXTENTS) {
        lower_given(l);
        return;
    }
    plan_slice(l->node, &p, NULL);
    kval moving = p.moving_axis >= 0 ? moving_start(l, &p) : 0;
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < k->bufs[l->out[0]].rank; d++) {
        in[d] = ops_mul_const(k, out[d], p.step[d]);
        in[d] = d == p.moving_axis ? kernel_binary(k, KOP_ADD, moving, in[d])
                                   : ops_add_const(k, in[d], p.start[d]);
    }
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[X], in));
    ops_map_end(k, l->out[0]);
}
