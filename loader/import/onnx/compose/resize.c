/*
 * Resize and Upsample.  Where scales and sizes are constant, the places in the input that each
 * result takes its value from, and their weights, are computed here, one table per axis; `pick` and
 * `resample` only look them up.
 *
 * Coordinates are those of Resize-19.  As in ONNX's reference, the width of the result that
 * align_corners divides by is scale * width, not rounded to whole elements.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/checked.h"
#include "loader/import/onnx/compose/resize.h"

/* ---- one axis ---- */

/* A scale of 0.7 is less in f32, so 3.5 / 0.7 is a little more than 5.  Where a coordinate is
   rounded to an element, quotients are f32 too, as they are in ONNX Runtime, and 5 again. */
static double quotient(const struct resize *r, double x, double by)
{
    return r->mode == NEAREST ? (double)((float)x / (float)by) : x / by;
}

static double source_of(const struct resize *r, const struct resize_axis *a, int64_t i)
{
    double x = (double)i, in = (double)a->in;
    switch (r->coordinates) {
    case ALIGN_CORNERS:
        return a->width == 1 ? 0 : quotient(r, x * (in - 1), a->width - 1);
    case ASYMMETRIC: /* the ratio of two sizes is exact, so that halves stay halves */
        return a->width == (double)a->out ? x * in / a->width : quotient(r, x, a->scale);
    case TF_CROP_AND_RESIZE: {
        double span = (a->roi_end - a->roi_start) * (in - 1);
        return a->roi_start * (in - 1) + (a->out == 1 ? span / 2 : x * span / (double)(a->out - 1));
    }
    case TF_HALF_PIXEL_FOR_NN:
        return quotient(r, x + 0.5, a->scale);
    case HALF_PIXEL_SYMMETRIC:
        return in / 2 * (1 - (double)a->out / a->width) + quotient(r, x + 0.5, a->scale) - 0.5;
    case PYTORCH_HALF_PIXEL:
        if (a->out == 1)
            return 0;
        break;
    case HALF_PIXEL:
        break;
    }
    return quotient(r, x + 0.5, a->scale) - 0.5;
}

static bool lies_outside(const struct resize *r, const struct resize_axis *a, double x)
{
    return r->coordinates == TF_CROP_AND_RESIZE && !(x >= 0 && x <= (double)(a->in - 1));
}

static int64_t clamp_place(const struct resize_axis *a, double x)
{
    return x <= 0 ? 0 : x >= (double)a->in ? a->in - 1 : (int64_t)x;
}

static double round_place(const struct resize *r, const struct resize_axis *a, double x)
{
    switch (r->rounding) {
    case ROUND_PREFER_FLOOR:
        return ceil(x - 0.5);
    case ROUND_PREFER_CEIL:
        return floor(x + 0.5);
    case FLOOR:
        return floor(x);
    case CEIL:
        return ceil(x);
    case SIMPLE:
        break;
    }
    return a->scale < 1 ? ceil(x) : floor(x);
}

/* By how much a tap counts that lies x elements from the place, on either side. */
static double kernel_weight(const struct resize *r, double x)
{
    double a = r->cubic_a;
    x = fabs(x);
    if (r->mode == LINEAR)
        return x < 1 ? 1 - x : 0;
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* With antialias the kernel is as much wider as there are more elements than results. */
static double stretch_of(const struct resize *r, const struct resize_axis *a)
{
    return r->antialias && a->scale < 1 && a->scale > 0 ? a->scale : 1;
}

/* Always even. */
static int64_t taps_of(const struct resize *r, const struct resize_axis *a)
{
    double reach = r->mode == LINEAR ? 1 : 2;
    return 2 * (int64_t)ceil(reach / stretch_of(r, a));
}

/* Row i of both tables. */
static void fill_row(const struct resize *r, const struct resize_axis *a, int64_t i, int64_t taps,
                     struct tensor *places, struct tensor *weights)
{
    double x = source_of(r, a, i), first = ceil(x) - (double)(taps / 2), sum = 0;
    bool outside = lies_outside(r, a, x);
    for (int64_t t = 0; t < taps; t++) {
        double at = first + (double)t, w = kernel_weight(r, (at - x) * stretch_of(r, a));
        if (r->exclude_outside && (at < 0 || at >= (double)a->in))
            w = 0;
        if (outside)
            w = t == 0;
        sum += w;
        tensor_set_int(places, i * taps + t, outside ? -1 : clamp_place(a, at));
        tensor_set(weights, i * taps + t, w);
    }
    bool scaled = r->antialias || r->exclude_outside;
    for (int64_t t = 0; scaled && sum != 0 && t < taps; t++)
        tensor_set(weights, i * taps + t, tensor_get(weights, i * taps + t) / sum);
}

static void add_weighted(struct onnx *o, const struct resize *r, const struct resize_axis *a,
                         enum dtype type, struct value **in)
{
    int64_t dims[2] = {a->out, taps_of(r, a)};
    struct tensor *places = tensor_new(o->im.arena, DTYPE_I64, 2, dims);
    struct tensor *weights = tensor_new(o->im.arena, type, 2, dims);
    for (int64_t i = 0; i < a->out; i++)
        fill_row(r, a, i, dims[1], places, weights);
    in[0] = graph_add_constant(o->im.g, NULL, places);
    in[1] = graph_add_constant(o->im.g, NULL, weights);
}

static struct value *nearest_table(struct onnx *o, const struct resize *r,
                                   const struct resize_axis *a)
{
    struct tensor *t = tensor_new(o->im.arena, DTYPE_I64, 1, &a->out);
    for (int64_t i = 0; i < a->out; i++)
        tensor_set_int(t, i, clamp_place(a, round_place(r, a, (double)(float)source_of(r, a, i))));
    return graph_add_constant(o->im.g, NULL, t);
}

/* v, but `outside` where a place along the axis lies outside. */
static struct value *replace_outside(struct onnx *o, struct draft *d, const struct resize *r,
                                     const struct resize_axis *a, struct value *v)
{
    int64_t dims[MAX_RANK];
    bool any = false;
    for (int i = 0; i < MAX_RANK; i++)
        dims[i] = i == 0 ? a->out : 1;
    struct tensor *t = tensor_new(o->im.arena, DTYPE_BOOL, d->in[0]->shape.rank - a->d, dims);
    for (int64_t i = 0; i < a->out; i++) {
        bool outside = lies_outside(r, a, source_of(r, a, i));
        tensor_set_int(t, i, outside);
        any |= outside;
    }
    if (!any || !v)
        return v;
    struct value *in[3] = {graph_add_constant(o->im.g, NULL, t), NULL, v};
    in[1] = build_number(&o->im, v, (double)r->outside);
    return in[1] ? build_op(&o->im, OP_where, d->name, in, 3, NULL) : NULL;
}

/* ---- the node ---- */

static bool is_same(const struct resize *r, const struct resize_axis *a)
{
    bool whole = r->coordinates != TF_CROP_AND_RESIZE || (a->roi_start == 0 && a->roi_end == 1);
    return a->scale == 1 && a->in == a->out && whole;
}

/* The files state sizes, so memory for them is limited as that of filled constants. */
static bool tables_fit(struct onnx *o, const struct resize *r, const struct resize_axis *a)
{
    double row = r->mode == NEAREST ? 8 : 16 * (double)taps_of(r, a);
    double bytes = row * (double)a->out;
    if (bytes > (double)(BUILD_MAX_FILLED_BYTES - o->im.filled_bytes))
        return false;
    o->im.filled_bytes += (int64_t)bytes;
    return true;
}

static bool emit(struct onnx *o, struct draft *d, const struct resize *r)
{
    struct value *in[1 + 2 * MAX_RANK] = {d->in[0]};
    int64_t axes[MAX_RANK];
    size_t n = 0, per_axis = r->mode == NEAREST ? 1 : 2;
    for (size_t i = 0; i < r->n; i++) {
        const struct resize_axis *a = &r->axis[i];
        if (is_same(r, a))
            continue;
        if (a->in == 0 && a->out > 0)
            return draft_error(o, d, SHEAF_ERROR_SHAPE, "dimension %d has no elements", a->d);
        if (!tables_fit(o, r, a))
            return draft_error(o, d, SHEAF_ERROR_MEMORY,
                               "tables for %lld elements from %lld are too large",
                               (long long)a->out, (long long)a->in);
        enum dtype type = d->in[0]->dtype == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
        if (r->mode == NEAREST)
            in[1 + n] = nearest_table(o, r, a);
        else
            add_weighted(o, r, a, type, &in[1 + 2 * n]);
        axes[n++] = a->d;
    }
    enum op op = n == 0 ? OP_identity : r->mode == NEAREST ? OP_pick : OP_resample;
    struct node *node = build_begin(&o->im, op, d->name, in, 1 + per_axis * n, 1);
    struct attr_ints list = {arena_copy(o->im.arena, axes, n * sizeof *axes), n};
    if (op == OP_pick)
        ((struct pick_attrs *)node->attrs)->axes = list;
    if (op == OP_resample) {
        struct resample_attrs *a = node->attrs;
        a->axes = list;
        a->outside = r->outside;
    }
    struct value *v = build_end1(&o->im, node, draft_output_name(d));
    bool crops = r->coordinates == TF_CROP_AND_RESIZE;
    for (size_t i = 0; op == OP_pick && crops && i < r->n; i++)
        v = replace_outside(o, d, r, &r->axis[i], v);
    return draft_finish(o, d, v);
}

/* ---- attributes and inputs ---- */

/* The position of the attribute's value in `names`, which ends with NULL. */
static bool take_choice(struct onnx *o, struct draft *d, const char *attr, const char *const *names,
                        int otherwise, int *out)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, attr, ATTR_KIND_STRING, &a))
        return false;
    *out = otherwise;
    if (!a)
        return true;
    for (*out = 0; names[*out]; (*out)++)
        if (!strcmp(names[*out], a->u.s))
            return true;
    return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "%s '%s' of %s is not known", attr, a->u.s,
                       d->op_type);
}

static bool take_flag(struct onnx *o, struct draft *d, const char *name, bool *out)
{
    int64_t v;
    if (!draft_take_int(o, d, name, 0, &v))
        return false;
    *out = v != 0;
    return true;
}

/* Input i as `n` numbers, or none where it is left out or empty. */
static bool constant_numbers(struct onnx *o, struct draft *d, size_t i, size_t n, double *out,
                             bool *out_given)
{
    const struct value *v = draft_input(d, i);
    *out_given = v && shape_elems(&v->shape) > 0;
    if (!*out_given)
        return true;
    if (!value_is_constant(v))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "input '%s' of %s must be constant, but is computed at run time",
                           v->name, d->op_type);
    if (tensor_elems(v->constant) != (int64_t)n)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "input '%s' of %s has %lld elements, not %zu",
                           v->name, d->op_type, (long long)tensor_elems(v->constant), n);
    for (size_t e = 0; e < n; e++)
        out[e] = tensor_get(v->constant, (int64_t)e);
    return true;
}

static bool begin_axis(struct onnx *o, struct draft *d, struct resize *r, int64_t at)
{
    const struct shape *x = &d->in[0]->shape;
    if (at < -x->rank || at >= x->rank)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %d dimensions",
                           (long long)at, x->rank);
    struct resize_axis *a = &r->axis[r->n++];
    *a = (struct resize_axis){.d = (int)(at < 0 ? at + x->rank : at), .roi_end = 1};
    a->in = x->dims[a->d];
    return true;
}

static bool take_axes(struct onnx *o, struct draft *d, struct resize *r)
{
    struct draft_attr *axes;
    if (!draft_take_kind(o, d, "axes", ATTR_KIND_INTS, &axes))
        return false;
    size_t n = axes ? axes->u.ints.n : (size_t)d->in[0]->shape.rank;
    if (n > (size_t)d->in[0]->shape.rank)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "Resize has %zu axes for %d dimensions", n,
                           d->in[0]->shape.rank);
    for (size_t i = 0; i < n; i++)
        if (!begin_axis(o, d, r, axes ? axes->u.ints.v[i] : (int64_t)i))
            return false;
    return true;
}

/* As ONNX Runtime: in f32, where 0.7 * 10 is 7. */
static bool set_scale(struct onnx *o, struct draft *d, struct resize_axis *a, double scale)
{
    if (!(scale > 0) || isinf(scale))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%s has a scale of %g", d->op_type, scale);
    float out = floorf((float)scale * (float)a->in);
    a->scale = scale;
    a->width = scale * (double)a->in;
    a->out = out < (float)LIMIT_TENSOR_ELEMS ? (int64_t)out : LIMIT_TENSOR_ELEMS;
    return true;
}

static bool set_scales(struct onnx *o, struct draft *d, struct resize *r, const double *scales)
{
    for (size_t i = 0; i < r->n; i++)
        if (!set_scale(o, d, &r->axis[i], scales[i]))
            return false;
    return true;
}

enum policy { STRETCH, NOT_LARGER, NOT_SMALLER };

static bool set_sizes(struct onnx *o, struct draft *d, struct resize *r, const double *sizes,
                      enum policy policy)
{
    double common = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct resize_axis *a = &r->axis[i];
        if (!(sizes[i] >= 0 && sizes[i] <= (double)LIMIT_TENSOR_ELEMS) || a->in == 0)
            return draft_error(o, d, SHEAF_ERROR_SHAPE, "Resize of %lld elements to %g",
                               (long long)a->in, sizes[i]);
        a->out = (int64_t)sizes[i];
        a->width = sizes[i];
        a->scale = sizes[i] / (double)a->in;
        bool further = policy == NOT_LARGER ? a->scale < common : a->scale > common;
        if (i == 0 || further)
            common = a->scale;
    }
    for (size_t i = 0; policy != STRETCH && i < r->n; i++) {
        struct resize_axis *a = &r->axis[i];
        a->scale = common;
        a->width = common * (double)a->in;
        a->out = (int64_t)(a->width + 0.5);
    }
    return true;
}

static bool set_roi(struct onnx *o, struct draft *d, struct resize *r)
{
    double roi[2 * MAX_RANK];
    bool given;
    if (r->coordinates != TF_CROP_AND_RESIZE)
        return true;
    if (!constant_numbers(o, d, 1, 2 * r->n, roi, &given))
        return false;
    for (size_t i = 0; given && i < r->n; i++) {
        r->axis[i].roi_start = roi[i];
        r->axis[i].roi_end = roi[r->n + i];
    }
    return true;
}

static bool take_modes(struct onnx *o, struct draft *d, struct resize *r)
{
    static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
    static const char *const coordinates[] = {
        "half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "align_corners",
        "asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn", NULL};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                            "ceil", NULL};
    int mode, place, rounding;
    float cubic_a;
    if (!take_choice(o, d, "mode", modes, NEAREST, &mode) ||
        !take_choice(o, d, "coordinate_transformation_mode", coordinates, HALF_PIXEL, &place) ||
        !take_choice(o, d, "nearest_mode", roundings, ROUND_PREFER_FLOOR, &rounding) ||
        !draft_take_float(o, d, "cubic_coeff_a", -0.75f, &cubic_a) ||
        !draft_take_float(o, d, "extrapolation_value", 0, &r->outside) ||
        !take_flag(o, d, "exclude_outside", &r->exclude_outside) ||
        !take_flag(o, d, "antialias", &r->antialias))
        return false;
    r->mode = (enum resize_mode)mode;
    r->coordinates = (enum resize_coordinates)place;
    r->rounding = (enum resize_rounding)rounding;
    r->cubic_a = (double)cubic_a;
    return true;
}

/* Input i has numbers that a run computes. */
static bool is_computed(const struct draft *d, size_t i)
{
    const struct value *v = draft_input(d, i);
    return v && shape_elems(&v->shape) > 0 && !value_is_constant(v);
}

static bool is_open(const struct draft *d, const struct resize *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (d->in[0]->shape.extent[r->axis[i].d])
            return true;
    return false;
}

bool onnx_compose_resize(struct onnx *o, struct draft *d)
{
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
    struct resize r = {.mode = NEAREST};
    double scales[MAX_RANK], sizes[MAX_RANK];
    bool by_scale, by_size = false;
    int policy;
    if (!draft_need_inputs(o, d, 1) || !take_modes(o, d, &r) || !take_axes(o, d, &r) ||
        !take_choice(o, d, "keep_aspect_ratio_policy", policies, STRETCH, &policy))
        return false;
    if (o->opset < 11) {
        r.coordinates = ASYMMETRIC;
        r.rounding = SIMPLE;
    }
    size_t at = o->opset < 11 ? 1 : 2;
    if (is_computed(d, at) || (o->opset >= 11 && is_computed(d, 3)) || is_open(d, &r))
        return policy == STRETCH ? onnx_resize_open(o, d, &r, at, o->opset < 11 ? 0 : 3)
                                 : draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                                               "Resize with sizes of the run stretches only");
    if (!constant_numbers(o, d, at, r.n, scales, &by_scale) ||
        (o->opset >= 11 && !constant_numbers(o, d, 3, r.n, sizes, &by_size)) || !set_roi(o, d, &r))
        return false;
    if (by_scale == by_size && r.n > 0)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "Resize has %s",
                           by_scale ? "both scales and sizes" : "neither scales nor sizes");
    if (by_scale ? !set_scales(o, d, &r, scales) : !set_sizes(o, d, &r, sizes, (enum policy)policy))
        return false;
    return emit(o, d, &r);
}

/* Scales are two attributes, a list, then an input. */
bool onnx_compose_upsample(struct onnx *o, struct draft *d)
{
    static const char *const modes[] = {"nearest", "linear", "bilinear", NULL};
    struct resize r = {.coordinates = ASYMMETRIC, .rounding = FLOOR};
    struct draft_attr *list;
    double scales[MAX_RANK];
    bool given = false;
    float height, width;
    int mode;
    if (!draft_need_inputs(o, d, 1) || !take_choice(o, d, "mode", modes, NEAREST, &mode) ||
        !take_axes(o, d, &r))
        return false;
    r.mode = mode == NEAREST ? NEAREST : LINEAR;
    if (is_computed(d, 1) || (draft_input(d, 1) && is_open(d, &r)))
        return onnx_resize_open(o, d, &r, 1, 0);
    if (!draft_take_kind(o, d, "scales", ATTR_KIND_FLOATS, &list) ||
        !draft_take_float(o, d, "height_scale", 0, &height) ||
        !draft_take_float(o, d, "width_scale", 0, &width) ||
        !constant_numbers(o, d, 1, r.n, scales, &given))
        return false;
    if (list && list->u.floats.n == r.n) {
        for (size_t i = 0; i < r.n; i++)
            scales[i] = (double)list->u.floats.v[i];
    } else if (!list && !given && o->opset < 7 && r.n == 4) {
        scales[0] = scales[1] = 1;
        scales[2] = (double)height;
        scales[3] = (double)width;
    } else if (!given) {
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "Upsample lacks scales for %zu dimensions",
                           r.n);
    }
    return set_scales(o, d, &r, scales) && emit(o, d, &r);
}
