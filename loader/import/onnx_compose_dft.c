/*
 * DFT and STFT: products with a constant matrix of sines and cosines, which is made here.  Complex
 * numbers are pairs of elements, so one real product of [.., 2 n] by [2 n, 2 bins] does it all.
 * STFT is a convolution, whose windows are the frames.
 */
#include <math.h>

#include "loader/import/onnx_compose.h"

struct transform {
    int64_t length;          /* of the transform */
    int64_t used;            /* elements of the input that enter; the others up to `length` are 0 */
    int64_t bins;            /* elements of the output */
    int in_parts, out_parts; /* 2: complex */
    bool inverse;
    bool half; /* the input is the first half of a spectrum of real numbers */
};

/* cos(2 pi m / n), and with `sine` the sine; exact where it is 0 or 1. */
static double wave(int64_t m, int64_t n, bool sine)
{
    static const double pi = 3.14159265358979323846, quarter[] = {1, 0, -1, 0};
    m %= n;
    if (4 * m % n == 0)
        return quarter[(4 * m / n + (sine ? 3 : 0)) % 4];
    double angle = 2 * pi * (double)m / (double)n;
    return sine ? sin(angle) : cos(angle);
}

/* What part `in` of input i adds to part `out` of output k. */
static double factor(const struct transform *t, int64_t i, int in, int64_t k, int out)
{
    double f = wave(i * k, t->length, in != out);
    /* exp(-j x) = cos x - j sin x, and j * j = -1; the inverse has exp(j x). */
    if (in != out && (in == 1) == t->inverse)
        f = -f;
    if (t->inverse)
        f /= (double)t->length;
    /* The other half is the mirror image. */
    if (t->half && i > 0 && 2 * i != t->length)
        f *= 2;
    return f;
}

static bool check_size(struct onnx *o, const struct draft *d, const struct transform *t)
{
    int64_t most = BUILD_MAX_FILLED_BYTES;
    if (t->length < 1 || t->length > most || t->used < 1)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "a transform of length %lld of %lld elements is not possible",
                           (long long)t->length, (long long)t->used);
    int64_t rows = t->used * t->in_parts, columns = t->bins * t->out_parts;
    return compose_reserve(o, d, rows * columns > most ? most + 1 : rows * columns * 8);
}

/* [used * in_parts, bins * out_parts], or as weights of a convolution [bins * out_parts, in_parts,
   used]. */
static struct value *matrix(struct onnx *o, const struct transform *t, enum dtype type,
                            bool as_weights)
{
    int64_t rows = t->used * t->in_parts, columns = t->bins * t->out_parts;
    int64_t dims[3] = {rows, columns, 0};
    if (as_weights) {
        dims[0] = columns;
        dims[1] = t->in_parts;
        dims[2] = t->used;
    }
    struct tensor *w = tensor_new(o->im.arena, type, as_weights ? 3 : 2, dims);
    for (int64_t i = 0; i < t->used; i++)
        for (int in = 0; in < t->in_parts; in++)
            for (int64_t k = 0; k < t->bins; k++)
                for (int out = 0; out < t->out_parts; out++) {
                    int64_t row = i * t->in_parts + in, column = k * t->out_parts + out;
                    int64_t at = as_weights ? (column * t->in_parts + in) * t->used + i
                                            : row * columns + column;
                    tensor_set(w, at, factor(t, i, in, k, out));
                }
    return graph_add_constant(o->im.g, NULL, w);
}

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
    return check_size(o, d, t);
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
    s.dims[last] *= s.dims[rank - 1];
    x = compose_reshape(o, x, rank - 1, s.dims, NULL);
    struct value *w = matrix(o, &t, compute, false);
    x = build_binary(&o->im, OP_matmul, d->name, x, w);
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
    return check_size(o, d, t);
}

bool onnx_compose_stft(struct onnx *o, struct draft *d)
{
    struct transform t = {.length = 0};
    int64_t step = 1;
    if (!draft_need_inputs(o, d, 2) || !check_signal(o, d, 3, 3) || !stft_sizes(o, d, &t, &step))
        return false;
    enum dtype type = d->in[0]->dtype, compute = compose_compute_type(type);
    struct value *x = exchange(o, build_cast(&o->im, NULL, d->in[0], compute, NULL), 1, 2);
    struct value *w = matrix(o, &t, compute, true);
    if (draft_input(d, 2)) {
        struct value *window = build_cast(&o->im, NULL, d->in[2], compute, NULL);
        w = build_binary(&o->im, OP_mul, d->name, w, window);
    }
    if (!x || !w)
        return false;
    struct value *in[2] = {x, w};
    struct node *conv = build_begin(&o->im, OP_conv, d->name, in, 2, 1);
    ((struct conv_attrs *)conv->attrs)->strides =
        (struct attr_ints){arena_copy(o->im.arena, &step, sizeof step), 1};
    x = exchange(o, build_end1(&o->im, conv, NULL), 1, 2);
    if (!x)
        return false;
    int64_t dims[4] = {x->shape.dims[0], x->shape.dims[1], t.bins, 2};
    return draft_finish(
        o, d,
        build_cast(&o->im, NULL, compose_reshape(o, x, 4, dims, NULL), type, draft_output_name(d)));
}
