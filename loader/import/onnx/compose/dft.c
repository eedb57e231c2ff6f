/*
 * DFT and STFT: Fourier transforms of rows (fft.c).  STFT is a convolution, whose windows are the
 * frames, or where that is better taken apart the frames become rows.
 */
#include "loader/import/onnx/compose/dft.h"

/* ---- steps ---- */

/* Exchanges two dimensions. */
static struct value *exchange(struct onnx *o, struct value *x, int a, int b)
{
    int64_t perm[MAX_RANK];
    if (!x || a == b)
        return x;
    for (int i = 0; i < x->shape.rank; i++)
        perm[i] = i == a ? b : i == b ? a : i;
    return build_transpose(&o->im, x, perm, NULL);
}

/* A constant scalar; `otherwise` where the input is left out. */
static bool scalar_input(struct onnx *o, const struct draft *d, size_t i, const char *what,
                         int64_t otherwise, int64_t *out)
{
    const struct value *v = draft_input(d, i);
    *out = otherwise;
    if (!v)
        return true;
    if (!value_is_constant(v) || dtype_is_float(v->dtype) || tensor_elems(v->constant) != 1)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "%s ('%s') is not a constant integer",
                           what, v->name);
    *out = tensor_get_int(v->constant, 0);
    return true;
}

/* x is of floats and static, its last dimension 1 (real) or 2 (complex). */
static bool check_signal(struct onnx *o, const struct draft *d, int min_rank, int max_rank)
{
    const struct value *x = d->in[0];
    int rank = x->shape.rank;
    int64_t parts = rank ? x->shape.dims[rank - 1] : 0;
    if (!dtype_is_float(x->dtype))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "%s of %s is not possible", d->op_type,
                           dtype_name(x->dtype));
    if (!shape_is_static(&x->shape))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "the shape of '%s' is known only at run time", x->name);
    if (rank < min_rank || rank > max_rank || (parts != 1 && parts != 2))
        return draft_error(
            o, d, SHEAF_ERROR_SHAPE,
            "'%s' has the shape %s where a signal and behind it 1 for real numbers or 2 "
            "for complex ones is needed",
            x->name, shape_print(&x->shape, o->im.arena));
    return true;
}

/* ---- the operators ---- */

static bool dft_attributes(struct onnx *o, struct draft *d, struct transform *t, int *out_axis)
{
    int64_t inverse, onesided, axis = 1;
    int rank = d->in[0]->shape.rank;
    if (!draft_take_int(o, d, "inverse", 0, &inverse) ||
        !draft_take_int(o, d, "onesided", 0, &onesided))
        return false;
    if (o->opset < 20 ? !draft_take_int(o, d, "axis", 1, &axis)
                      : !scalar_input(o, d, 2, "the axis", -2, &axis))
        return false;
    if (axis < -rank || axis >= rank - 1 || axis == -1)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "axis %lld is not one of %d dimensions",
                           (long long)axis, rank - 1);
    *out_axis = (int)(axis < 0 ? axis + rank : axis);
    int64_t n = d->in[0]->shape.dims[*out_axis];
    t->in_parts = (int)d->in[0]->shape.dims[rank - 1];
    t->inverse = inverse != 0;
    t->half = inverse && onesided;
    t->out_parts = t->half ? 1 : 2;
    if (!scalar_input(o, d, 1, "the length", t->half ? 2 * (n - 1) : n, &t->length))
        return false;
    int64_t most = t->half ? t->length / 2 + 1 : t->length;
    t->bins = onesided && !inverse ? t->length / 2 + 1 : t->length;
    t->used = n < most ? n : most;
    return transform_check(o, d, t);
}

bool onnx_compose_dft(struct onnx *o, struct draft *d)
{
    struct transform t = {.length = 0};
    int axis = 0;
    if (!draft_need_inputs(o, d, 1) || !check_signal(o, d, 2, MAX_RANK) ||
        !dft_attributes(o, d, &t, &axis))
        return false;
    int rank = d->in[0]->shape.rank, last = rank - 2;
    enum dtype type = d->in[0]->dtype, compute = compose_compute_type(type);
    struct value *x = build_cast(&o->im, NULL, d->in[0], compute, NULL);
    x = exchange(o, compose_slice(o, x, axis, 0, t.used, NULL), axis, last);
    if (!x)
        return false;
    struct shape s = x->shape;
    int64_t columns = t.used * t.in_parts,
            flat[2] = {columns ? shape_elems(&s) / columns : 0, columns};
    x = transform_rows(o, d, &t, compose_reshape(o, x, 2, flat, NULL));
    s.dims[last] = t.bins;
    s.dims[rank - 1] = t.out_parts;
    x = exchange(o, compose_reshape(o, x, rank, s.dims, NULL), axis, last);
    return draft_finish(o, d, build_cast(&o->im, NULL, x, type, draft_output_name(d)));
}

static bool stft_sizes(struct onnx *o, struct draft *d, struct transform *t, int64_t *out_step)
{
    const struct shape *x = &d->in[0]->shape;
    const struct value *window = draft_input(d, 2);
    int64_t onesided, of_window = window ? shape_elems(&window->shape) : x->dims[1];
    if (!draft_take_int(o, d, "onesided", 1, &onesided) ||
        !scalar_input(o, d, 1, "the step", 0, out_step) ||
        !scalar_input(o, d, 3, "the frame's length", of_window, &t->length))
        return false;
    if (window && (window->shape.rank != 1 || !shape_is_static(&window->shape) ||
                   of_window != t->length || window->dtype != d->in[0]->dtype))
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "the window '%s' does not have the type of the signal and the frame's "
                           "length of %lld",
                           window->name, (long long)t->length);
    if (*out_step < 1 || t->length < 1 || t->length > x->dims[1])
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "frames of %lld elements, each %lld behind the other, do not suit a "
                           "signal of %lld",
                           (long long)t->length, (long long)*out_step, (long long)x->dims[1]);
    t->in_parts = (int)x->dims[2];
    t->out_parts = 2;
    t->used = t->length;
    t->bins = onesided ? t->length / 2 + 1 : t->length;
    return transform_check(o, d, t);
}

/* ---- frames ---- */

enum { MAX_BLOCKS = 64 }; /* of a frame */

/* Frames and steps are so many blocks of the greatest size that divides both. */
static int64_t block_of(int64_t length, int64_t step)
{
    while (step) {
        int64_t rest = length % step;
        length = step;
        step = rest;
    }
    return length;
}

/* Block `first` of each frame, of x [rows, blocks, ..]. */
static struct value *block_of_each(struct onnx *o, const struct draft *d, struct value *x,
                                   int64_t first, int64_t frames, int64_t step)
{
    int64_t end = first + (frames - 1) * step + 1, axis = 1;
    struct value *in[5] = {x};
    in[1] = build_ints(&o->im, NULL, &first, 1);
    in[2] = build_ints(&o->im, NULL, &end, 1);
    in[3] = build_ints(&o->im, NULL, &axis, 1);
    in[4] = build_ints(&o->im, NULL, &step, 1);
    return build_op(&o->im, OP_slice, d->name, in, 5, NULL);
}

/* x [rows, signal, parts] as [rows frames, length parts]. */
static struct value *framed(struct onnx *o, const struct draft *d, struct value *x,
                            const struct transform *t, int64_t step, int64_t frames)
{
    int64_t size = block_of(t->length, step), n = t->length / size;
    int64_t used = (frames - 1) * step + t->length, parts = t->in_parts;
    int64_t dims[3] = {x->shape.dims[0], used / size, size * parts};
    struct value **block = arena_array(o->im.arena, (size_t)n, sizeof *block);
    x = compose_reshape(o, compose_slice(o, x, 1, 0, used, NULL), 3, dims, NULL);
    for (int64_t i = 0; i < n; i++) {
        block[i] = x ? block_of_each(o, d, x, i, frames, step / size) : NULL;
        if (!block[i])
            return NULL;
    }
    int64_t flat[2] = {dims[0] * frames, t->length * parts};
    return compose_reshape(o, compose_along(o, block, (size_t)n, 2, NULL), 2, flat, NULL);
}

/* x [rows, signal, parts] becomes [rows, frames, bins, 2]; `window` may be NULL. */
static struct value *of_frames(struct onnx *o, const struct draft *d, struct value *x,
                               struct value *window, const struct transform *t, int64_t step)
{
    int64_t rows = x->shape.dims[0], frames = (x->shape.dims[1] - t->length) / step + 1;
    int64_t dims[4] = {rows, frames, t->bins, 2},
            flat[2] = {rows * frames, t->length * t->in_parts};
    x = framed(o, d, x, t, step, frames);
    if (x && window) {
        int64_t each[3] = {flat[0], t->length, t->in_parts}, along[2] = {t->length, 1};
        x = compose_reshape(o, x, 3, each, NULL);
        window = compose_reshape(o, window, 2, along, NULL);
        x = compose_reshape(o, compose_binary(o, OP_mul, x, window, NULL), 2, flat, NULL);
    }
    return compose_reshape(o, transform_rows(o, d, t, x), 4, dims, NULL);
}

/* The same as a convolution of [rows, parts, signal]. */
static struct value *by_convolution(struct onnx *o, const struct draft *d, struct value *x,
                                    struct value *window, const struct transform *t, int64_t step)
{
    struct value *w = transform_matrix(o, d, t, x->dtype, true);
    if (w && window)
        w = build_binary(&o->im, OP_mul, d->name, w, window);
    x = exchange(o, x, 1, 2);
    if (!x || !w)
        return NULL;
    struct value *in[2] = {x, w};
    struct node *conv = build_begin(&o->im, OP_conv, d->name, in, 2, 1);
    ((struct conv_attrs *)conv->attrs)->strides =
        (struct attr_ints){arena_copy(o->im.arena, &step, sizeof step), 1};
    x = exchange(o, build_end1(&o->im, conv, NULL), 1, 2);
    if (!x)
        return NULL;
    int64_t dims[4] = {x->shape.dims[0], x->shape.dims[1], t->bins, 2};
    return compose_reshape(o, x, 4, dims, NULL);
}

bool onnx_compose_stft(struct onnx *o, struct draft *d)
{
    struct transform t = {.length = 0};
    int64_t step = 1;
    if (!draft_need_inputs(o, d, 2) || !check_signal(o, d, 3, 3) || !stft_sizes(o, d, &t, &step))
        return false;
    enum dtype type = d->in[0]->dtype, compute = compose_compute_type(type);
    struct value *x = build_cast(&o->im, NULL, d->in[0], compute, NULL), *window = NULL;
    if (draft_input(d, 2))
        window = build_cast(&o->im, NULL, d->in[2], compute, NULL);
    bool in_rows = transform_is_apart(&t) && t.length / block_of(t.length, step) <= MAX_BLOCKS;
    struct value *y =
        in_rows ? of_frames(o, d, x, window, &t, step) : by_convolution(o, d, x, window, &t, step);
    return y && draft_finish(o, d, build_cast(&o->im, NULL, y, type, draft_output_name(d)));
}
