/*
 * Operators that only move elements, as other such operators.
 */
#include <string.h>

#include "ir/checked.h"
#include "loader/import/extent.h"
#include "loader/import/onnx/onnx.h"

/* ---- blocks of pixels as channels ---- */

/* x [N,C,H,W] and `blocksize`, a positive divisor of all `dims` that it has to divide. */
static bool take_block(struct onnx *o, struct draft *d, int64_t *out)
{
    if (!draft_need_inputs(o, d, 1) || !draft_take_int(o, d, "blocksize", 0, out))
        return false;
    const struct shape *x = &d->in[0]->shape;
    if (x->rank != 4 || !shape_is_static(x))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "%s needs 4 dimensions that are known, but '%s' has %s", d->op_type,
                           d->in[0]->name, shape_print(x, o->im.arena));
    bool to_depth = !strcmp(d->op_type, "SpaceToDepth");
    int64_t b = *out;
    if (b < 1 || b > INT32_MAX ||
        (to_depth ? x->dims[2] % b || x->dims[3] % b : x->dims[1] % (b * b)))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "blocks of %lld do not divide '%s' %s",
                           (long long)b, d->in[0]->name, shape_print(x, o->im.arena));
    return true;
}

/* x seen as `wide`, its dimensions permuted, the result seen as `dims`. */
static bool permute(struct onnx *o, struct draft *d, const int64_t *wide, const int64_t *perm,
                    const int64_t *dims)
{
    struct value *v = build_reshape(&o->im, d->in[0], 6, wide, NULL);
    v = v ? build_transpose(&o->im, v, perm, NULL) : NULL;
    return draft_finish(o, d, v ? build_reshape(&o->im, v, 4, dims, draft_output_name(d)) : NULL);
}

bool onnx_compose_depth_to_space(struct onnx *o, struct draft *d)
{
    struct draft_attr *mode;
    int64_t b;
    if (!draft_take_kind(o, d, "mode", ATTR_KIND_STRING, &mode) || !take_block(o, d, &b))
        return false;
    bool crd = mode && !strcmp(mode->u.s, "CRD");
    if (mode && !crd && strcmp(mode->u.s, "DCR"))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "mode '%s' of DepthToSpace is not known",
                           mode->u.s);
    const int64_t *x = d->in[0]->shape.dims;
    int64_t c = x[1] / (b * b), h = x[2], w = x[3];
    static const int64_t crd_perm[6] = {0, 1, 4, 2, 5, 3}, dcr_perm[6] = {0, 3, 4, 1, 5, 2};
    const int64_t crd_wide[6] = {x[0], c, b, b, h, w}, dcr_wide[6] = {x[0], b, b, c, h, w};
    const int64_t dims[4] = {x[0], c, h * b, w * b};
    return permute(o, d, crd ? crd_wide : dcr_wide, crd ? crd_perm : dcr_perm, dims);
}

bool onnx_compose_space_to_depth(struct onnx *o, struct draft *d)
{
    int64_t b;
    if (!take_block(o, d, &b))
        return false;
    const int64_t *x = d->in[0]->shape.dims;
    int64_t c = x[1], h = x[2] / b, w = x[3] / b;
    static const int64_t perm[6] = {0, 3, 5, 1, 2, 4};
    const int64_t wide[6] = {x[0], c, h, b, w, b}, dims[4] = {x[0], b * b * c, h, w};
    return permute(o, d, wide, perm, dims);
}

/* ---- others ---- */

/* The name before version 11. */
bool onnx_adapt_scatter(struct onnx *o, struct draft *d)
{
    (void)o;
    d->op = OP_scatter_elements;
    return true;
}

/* How often, and along which axis, were two scalars. */
bool onnx_adapt_tile(struct onnx *o, struct draft *d)
{
    const struct value *tiles = draft_input(d, 1), *axis = draft_input(d, 2);
    int64_t repeats[MAX_RANK];
    if (!draft_need_inputs(o, d, 3))
        return false;
    if (!value_is_constant(tiles) || !value_is_constant(axis) ||
        tensor_elems(tiles->constant) != 1 || tensor_elems(axis->constant) != 1)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "'%s' and '%s', tiles and axis of Tile, must be constant numbers",
                           tiles->name, axis->name);
    int rank = d->in[0]->shape.rank;
    int64_t at = tensor_get_int(axis->constant, 0);
    if (at < 0 || at >= rank)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %d dimensions",
                           (long long)at, rank);
    for (int i = 0; i < rank; i++)
        repeats[i] = i == at ? tensor_get_int(tiles->constant, 0) : 1;
    d->n_in = 2;
    draft_set_input(o, d, 1, build_ints(&o->im, NULL, repeats, (size_t)rank));
    return true;
}

/* Without an axis all elements are one line. */
bool onnx_adapt_no_axis(struct onnx *o, struct draft *d)
{
    struct draft_attr *axis = draft_take(d, "axis");
    if (!draft_need_inputs(o, d, 1))
        return false;
    if (axis) {
        axis->used = false;
        return true;
    }
    static const int64_t all = -1;
    struct value *in[] = {d->in[0], build_ints(&o->im, NULL, &all, 1)};
    if (d->in[0]->shape.rank != 1)
        d->in[0] = build_op(&o->im, OP_reshape, d->name, in, 2, NULL);
    return d->in[0] != NULL;
}

/* Other names before version 20. */
bool onnx_adapt_grid_sample(struct onnx *o, struct draft *d)
{
    struct draft_attr *mode;
    if (!draft_take_kind(o, d, "mode", ATTR_KIND_STRING, &mode))
        return false;
    if (mode && !strcmp(mode->u.s, "bilinear"))
        mode->u.s = "linear";
    else if (mode && !strcmp(mode->u.s, "bicubic"))
        mode->u.s = "cubic";
    if (mode)
        mode->used = false;
    return true;
}

/* Before version 16 coordinates are not shifted. */
bool onnx_adapt_roi_align(struct onnx *o, struct draft *d)
{
    draft_add(o, d, "coordinate_transformation_mode", ATTR_KIND_STRING)->u.s = "output_half_pixel";
    return true;
}

/* Half of what there is more, or less. */
static bool half_of(struct importer *im, const struct known *more, struct known *out)
{
    struct known zero = known_number(0), two = known_number(2), less, half, back;
    return extent_sub(im, &zero, more, &less) && extent_max(im, &less, &zero, &less) &&
           extent_div(im, &less, &two, &less) && extent_sub(im, &zero, &less, &back) &&
           extent_max(im, more, &zero, &half) && extent_div(im, &half, &two, &half) &&
           extent_if_less(im, more, 0, &back, &half, out);
}

/* The same where sizes are known only at run time. */
static bool crop_or_pad_open(struct onnx *o, struct draft *d, const int64_t *axes, size_t n)
{
    struct importer *im = &o->im;
    struct extents x = extents_of(im, d->in[0]), y = x, before = {.rank = x.rank}, want;
    if (!extents_from(im, d->name, d->in[1], &want))
        return false;
    if (want.rank != (int)n)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%zu axes are given %d sizes", n, want.rank);
    for (int i = 0; i < x.rank; i++)
        before.dim[i] = known_number(0);
    for (size_t i = 0; i < n; i++) {
        int64_t at = axes[i] < 0 ? axes[i] + x.rank : axes[i];
        struct known more;
        if (at < 0 || at >= x.rank)
            return draft_error(o, d, SHEAF_ERROR_SHAPE, "axis %lld does not exist",
                               (long long)axes[i]);
        y.dim[at] = want.dim[i];
        if (!extent_sub(im, &want.dim[i], &x.dim[at], &more) ||
            !half_of(im, &more, &before.dim[at]))
            return false;
    }
    return draft_finish(o, d,
                        extents_pad(im, d->name, d->in[0], &before, &y, draft_output_name(d)));
}

/* Cuts off and adds on both sides; of an odd number the larger half is behind. */
static bool crop_or_pad(struct onnx *o, struct draft *d, const int64_t *axes, size_t n)
{
    const struct shape *x = &d->in[0]->shape;
    const struct value *shape = draft_input(d, 1);
    int64_t pads[2 * MAX_RANK];
    if (!value_is_constant(shape) || !shape_is_static(x))
        return crop_or_pad_open(o, d, axes, n);
    if (tensor_elems(shape->constant) != (int64_t)n)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "the shape of CenterCropPad, input '%s', must be %zu numbers",
                           shape->name, n);
    for (size_t i = 0; i < n; i++) {
        int64_t at = axes[i] < 0 ? axes[i] + x->rank : axes[i];
        int64_t want = tensor_get_int(shape->constant, (int64_t)i);
        if (at < 0 || at >= x->rank || want < 0 || want > LIMIT_TENSOR_ELEMS)
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "CenterCropPad of axis %lld of '%s' %s to %lld", (long long)axes[i],
                               d->in[0]->name, shape_print(x, o->im.arena), (long long)want);
        int64_t more = want - x->dims[at];
        int64_t before = more >= 0 ? more / 2 : -(-more / 2);
        pads[i] = before;
        pads[n + i] = more - before;
    }
    struct value *in[4] = {d->in[0], NULL, NULL, NULL};
    in[1] = build_ints(&o->im, NULL, pads, 2 * n);
    in[3] = build_ints(&o->im, NULL, axes, n);
    return draft_finish(o, d, build_op(&o->im, OP_pad, d->name, in, 4, draft_output_name(d)));
}

bool onnx_compose_center_crop_pad(struct onnx *o, struct draft *d)
{
    struct draft_attr *axes;
    int64_t all[MAX_RANK];
    if (!draft_need_inputs(o, d, 2) || !draft_take_kind(o, d, "axes", ATTR_KIND_INTS, &axes))
        return false;
    size_t n = axes ? axes->u.ints.n : (size_t)d->in[0]->shape.rank;
    if (n > (size_t)d->in[0]->shape.rank)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%zu axes for %d dimensions", n,
                           d->in[0]->shape.rank);
    for (size_t i = 0; i < n; i++)
        all[i] = axes ? axes->u.ints.v[i] : (int64_t)i;
    return crop_or_pad(o, d, all, n);
}
