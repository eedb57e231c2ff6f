/*
 * Resize where sizes, scales or extents are known only at run time: the places that each result
 * takes its value from are computed by the network itself, in f32, and gathered axis by axis.
 */
#include <math.h>

#include "loader/import/extent.h"
#include "loader/import/onnx/compose/resize.h"

enum { MAX_TAPS = 4 };

/* One axis; scalars of f32, and a vector of the places in the input, one for each result. */
struct open_axis {
    struct importer *im;
    const char *node;
    const struct resize *r;
    struct value *in, *out, *scale, *width;
    struct value *position, *place;
};

static struct value *number(const struct open_axis *a, double v)
{
    return build_float(a->im, NULL, DTYPE_F32, v);
}

static struct value *op(const struct open_axis *a, enum op op, struct value *x, struct value *y)
{
    return build_binary(a->im, op, a->node, x, y);
}

static struct value *with(const struct open_axis *a, enum op o, struct value *x, double y)
{
    return op(a, o, x, number(a, y));
}

static struct value *either(const struct open_axis *a, struct value *which, struct value *yes,
                            struct value *no)
{
    struct value *in[] = {which, yes, no};
    return which && yes && no ? build_op(a->im, OP_where, a->node, in, 3, NULL) : NULL;
}

/* ---- places ---- */

static struct value *source(const struct open_axis *a)
{
    struct value *middle = with(a, OP_add, a->position, 0.5), *zero = number(a, 0), *x;
    switch (a->r->coordinates) {
    case ALIGN_CORNERS: {
        struct value *single = with(a, OP_equal, a->width, 1), *one = number(a, 1);
        struct value *by = with(a, OP_sub, a->width, 1);
        by = either(a, single, one, by);
        x = op(a, OP_mul, a->position, with(a, OP_sub, a->in, 1));
        x = op(a, OP_div, x, by);
        return either(a, single, zero, x);
    }
    case ASYMMETRIC:
        return op(a, OP_div, a->position, a->scale);
    case TF_HALF_PIXEL_FOR_NN:
        return op(a, OP_div, middle, a->scale);
    case HALF_PIXEL_SYMMETRIC: {
        struct value *missing = with(a, OP_mul, op(a, OP_div, a->out, a->width), -1);
        missing = with(a, OP_add, missing, 1);
        missing = op(a, OP_mul, with(a, OP_mul, a->in, 0.5), missing);
        x = with(a, OP_sub, op(a, OP_div, middle, a->scale), 0.5);
        return op(a, OP_add, missing, x);
    }
    default:
        break;
    }
    x = with(a, OP_sub, op(a, OP_div, middle, a->scale), 0.5);
    if (a->r->coordinates != PYTORCH_HALF_PIXEL)
        return x;
    return either(a, with(a, OP_equal, a->out, 1), zero, x);
}

static struct value *rounded(const struct open_axis *a)
{
    struct importer *im = a->im;
    switch (a->r->rounding) {
    case ROUND_PREFER_FLOOR:
        return build_unary(im, OP_ceil, a->node, with(a, OP_sub, a->place, 0.5));
    case ROUND_PREFER_CEIL:
        return build_unary(im, OP_floor, a->node, with(a, OP_add, a->place, 0.5));
    case FLOOR:
        return build_unary(im, OP_floor, a->node, a->place);
    case CEIL:
        return build_unary(im, OP_ceil, a->node, a->place);
    case SIMPLE:
        break;
    }
    struct value *up = build_unary(im, OP_ceil, a->node, a->place);
    struct value *down = build_unary(im, OP_floor, a->node, a->place);
    return either(a, with(a, OP_less, a->scale, 1), up, down);
}

/* The elements at these places, or at the nearest ones that there are. */
static struct value *gathered(const struct open_axis *a, struct value *x, int axis,
                              struct value *place)
{
    place = op(a, OP_min, place, with(a, OP_sub, a->in, 1));
    place = build_cast(a->im, a->node, with(a, OP_max, place, 0), DTYPE_I64, NULL);
    struct value *in[] = {x, place};
    if (!place)
        return NULL;
    struct node *n = build_begin(a->im, OP_gather, a->node, in, 2, 1);
    ((struct gather_attrs *)n->attrs)->axis = axis;
    return build_end1(a->im, n, NULL);
}

/* ---- weights ---- */

/* By how much an element counts that lies x from the place. */
static struct value *weight(const struct open_axis *a, struct value *x)
{
    double c = a->r->cubic_a;
    x = build_unary(a->im, OP_abs, a->node, x);
    if (a->r->mode == LINEAR)
        return with(a, OP_max, with(a, OP_add, with(a, OP_mul, x, -1), 1), 0);
    struct value *near = with(a, OP_sub, with(a, OP_mul, x, c + 2), c + 3);
    near = with(a, OP_add, op(a, OP_mul, op(a, OP_mul, near, x), x), 1);
    struct value *far = with(a, OP_sub, with(a, OP_mul, x, c), 5 * c);
    far = with(a, OP_add, op(a, OP_mul, far, x), 8 * c);
    far = with(a, OP_sub, op(a, OP_mul, far, x), 4 * c);
    struct value *zero = number(a, 0);
    far = either(a, with(a, OP_less, x, 2), far, zero);
    return either(a, with(a, OP_less_or_equal, x, 1), near, far);
}

static struct value *weighted(const struct open_axis *a, struct value *x, int axis)
{
    int taps = a->r->mode == LINEAR ? 2 : 4;
    struct value *at[MAX_TAPS], *w[MAX_TAPS], *sum = NULL, *y = NULL;
    struct value *first = build_unary(a->im, OP_ceil, a->node, a->place);
    for (int t = 0; t < taps; t++) {
        at[t] = with(a, OP_add, first, t - taps / 2);
        w[t] = weight(a, op(a, OP_sub, at[t], a->place));
        if (a->r->exclude_outside) {
            struct value *before = with(a, OP_less, at[t], 0);
            struct value *behind = op(a, OP_greater_or_equal, at[t], a->in);
            struct value *none = number(a, 0);
            w[t] = either(a, op(a, OP_or, before, behind), none, w[t]);
        }
        sum = t ? op(a, OP_add, sum, w[t]) : w[t];
    }
    for (int t = 0; t < taps; t++) {
        struct value *by = a->r->exclude_outside ? op(a, OP_div, w[t], sum) : w[t];
        by = by ? build_align(a->im, a->node, by, x->shape.rank, axis) : NULL;
        struct value *v = op(a, OP_mul, gathered(a, x, axis, at[t]), by);
        y = t ? op(a, OP_add, y, v) : v;
    }
    return y;
}

/* ---- the node ---- */

static struct value *as_float(struct importer *im, const struct known *k)
{
    return build_cast(im, NULL, extent_scalar(im, k), DTYPE_F32, NULL);
}

/* Element i as a scalar of f32. */
static struct value *scale_at(struct importer *im, const char *node, struct value *scales, size_t i)
{
    struct tensor *at = tensor_new(im->arena, DTYPE_I64, 0, NULL);
    tensor_set_int(at, 0, (int64_t)i);
    struct value *in[] = {scales, graph_add_constant(im->g, NULL, at)};
    return build_op(im, OP_gather, node, in, 2, NULL);
}

/* Extents of the result along axis i, scale and width. */
static bool measure(struct open_axis *a, struct draft *d, size_t i, struct value *scales,
                    const struct value *sizes, struct known *out)
{
    struct known in = known_extent(a->im, &d->in[0]->shape, a->r->axis[i].d);
    a->in = as_float(a->im, &in);
    if (sizes) {
        *out = known_element(a->im, sizes, (int64_t)i);
        a->out = a->width = as_float(a->im, out);
        a->scale = op(a, OP_div, a->out, a->in);
        return a->scale != NULL;
    }
    a->scale = scale_at(a->im, d->name, scales, i);
    a->width = op(a, OP_mul, a->scale, a->in);
    a->out = build_unary(a->im, OP_floor, a->node, a->width);
    struct value *whole = build_cast(a->im, a->node, a->out, DTYPE_I64, NULL);
    if (!whole)
        return false;
    *out = known_element(a->im, whole, 0);
    return true;
}

static struct value *resize_axis(struct open_axis *a, struct value *x, int axis,
                                 const struct known *out)
{
    struct known zero = known_number(0), one = known_number(1);
    struct value *in[3] = {extent_scalar(a->im, &zero)};
    in[1] = extent_scalar(a->im, out);
    in[2] = extent_scalar(a->im, &one);
    struct value *i = in[1] ? build_op(a->im, OP_range, a->node, in, 3, NULL) : NULL;
    a->position = build_cast(a->im, a->node, i, DTYPE_F32, NULL);
    a->place = source(a);
    return a->r->mode == NEAREST ? gathered(a, x, axis, rounded(a)) : weighted(a, x, axis);
}

/* Whether nothing is to be done along the axis. */
static bool is_same(const struct open_axis *a, const struct draft *d, int axis,
                    const struct known *out, bool by_sizes)
{
    struct known in = known_extent(a->im, &d->in[0]->shape, axis);
    struct known scale = known_element(a->im, a->scale, 0), one = known_number(1);
    return known_equal(&in, out) && (by_sizes || known_equal(&scale, &one));
}

bool onnx_resize_open(struct onnx *o, struct draft *d, const struct resize *r, size_t scales,
                      size_t sizes)
{
    struct value *x = d->in[0], *by = draft_input(d, scales);
    struct value *to = sizes ? draft_input(d, sizes) : NULL;
    enum dtype type = x->dtype;
    bool by_sizes = to && shape_elems(&to->shape) > 0;
    const struct value *given = by_sizes ? to : by;
    if (r->coordinates == TF_CROP_AND_RESIZE || (r->antialias && r->mode != NEAREST))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "Resize to sizes of the run does not crop and has no antialias");
    if (!given || given->shape.rank != 1 || !shape_is_static(&given->shape) ||
        given->shape.dims[0] != (int64_t)r->n)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "Resize has not %zu scales or sizes", r->n);
    if (r->mode != NEAREST && type != DTYPE_F64)
        x = build_cast(&o->im, d->name, x, DTYPE_F32, NULL);
    for (size_t i = 0; x && i < r->n; i++) {
        struct open_axis a = {.im = &o->im, .node = d->name, .r = r};
        struct known out;
        int axis = r->axis[i].d;
        if (!measure(&a, d, i, by, by_sizes ? to : NULL, &out))
            return false;
        if (isinf(known_high(&out)))
            return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                               "'%s' is known only at run time and has no bound: the most that it "
                               "can be must be given, as in -onnx-define-symbol=%s,16",
                               given->name, given->name);
        if (!is_same(&a, d, axis, &out, by_sizes))
            x = resize_axis(&a, x, axis, &out);
    }
    if (x && r->mode != NEAREST && !dtype_is_float(type))
        x = build_unary(&o->im, OP_round, d->name, x);
    return x && draft_finish(o, d, build_cast(&o->im, d->name, x, type, draft_output_name(d)));
}
