#include "ir/ops/window.h"

#include <string.h>

/* Attributes beyond this are nonsense, and products of two stay far from overflow. */
#define LIMIT_WINDOW ((int64_t)1 << 30)

/* Copies a list attribute of `n` elements, all within min..LIMIT_WINDOW; without it `def`. */
static bool window_list(struct attr_ints list, const char *name, int n, int64_t min, int64_t def,
                        int64_t *out, struct error *err)
{
    if (list.n && list.n != (size_t)n)
        return error_set(err, SHEAF_ERROR_SHAPE, "%s has %zu values where %d are needed", name,
                         list.n, n);
    for (int i = 0; i < n; i++) {
        out[i] = list.n ? list.v[i] : def;
        if (out[i] < min || out[i] > LIMIT_WINDOW)
            return error_set(err, SHEAF_ERROR_SHAPE, "%s may not contain %lld", name,
                             (long long)out[i]);
    }
    return true;
}

enum auto_pad { PAD_EXPLICIT, PAD_VALID, PAD_SAME_UPPER, PAD_SAME_LOWER };

static bool parse_auto_pad(const char *text, enum auto_pad *out, struct error *err)
{
    static const char *const names[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
    for (int i = 0; i < 4; i++) {
        if (!strcmp(text, names[i])) {
            *out = (enum auto_pad)i;
            return true;
        }
    }
    return error_set(err, SHEAF_ERROR_UNSUPPORTED, "auto_pad '%s' is not known", text);
}

/* SAME: as many windows as strides begin inside the input, with the padding this needs. */
static void window_same(struct window *w, int d, bool upper)
{
    int64_t span = (w->kernel[d] - 1) * w->dilation[d] + 1;
    w->out[d] = (w->in[d] + w->stride[d] - 1) / w->stride[d];
    int64_t pad = (w->out[d] - 1) * w->stride[d] + span - w->in[d];
    pad = pad > 0 ? pad : 0;
    w->pad_begin[d] = upper ? pad / 2 : pad - pad / 2;
    w->pad_end[d] = pad - w->pad_begin[d];
}

static bool window_explicit(struct window *w, int d, bool ceil_mode, struct error *err)
{
    int64_t span = (w->kernel[d] - 1) * w->dilation[d] + 1;
    int64_t padded = w->in[d] + w->pad_begin[d] + w->pad_end[d];
    if (span > padded)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "a window of %lld does not fit into %lld (padding included) in spatial "
                         "dimension %d",
                         (long long)span, (long long)padded, d);
    int64_t room = padded - span;
    w->out[d] = (room + (ceil_mode ? w->stride[d] - 1 : 0)) / w->stride[d] + 1;
    /* The last window must begin inside the input or the padding in front of it. */
    if (ceil_mode && (w->out[d] - 1) * w->stride[d] >= w->in[d] + w->pad_begin[d])
        w->out[d]--;
    return true;
}

/* Attributes and the sizes of input and windows; `pads` takes the attribute's values. */
static bool window_begin(const struct window_spec *spec, const struct shape *x,
                         const int64_t *kernel, struct window *w, enum auto_pad *mode,
                         int64_t *pads, struct error *err)
{
    w->n = x->rank - 2;
    if (w->n < 1 || w->n > WINDOW_MAX_DIMS)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "the input has %d dimensions where %d to %d are possible", x->rank, 3,
                         2 + WINDOW_MAX_DIMS);
    if (!kernel && !spec->kernel_shape.n)
        return error_set(err, SHEAF_ERROR_SHAPE, "kernel_shape is missing");
    if (!parse_auto_pad(spec->auto_pad, mode, err) ||
        !window_list(spec->kernel_shape, "kernel_shape", w->n, 1, 1, w->kernel, err) ||
        !window_list(spec->strides, "strides", w->n, 1, 1, w->stride, err) ||
        !window_list(spec->dilations, "dilations", w->n, 1, 1, w->dilation, err) ||
        !window_list(spec->pads, "pads", 2 * w->n, 0, 0, pads, err))
        return false;
    for (int d = 0; d < w->n; d++) {
        w->in[d] = x->dims[2 + d];
        if (w->in[d] > LIMIT_WINDOW)
            return error_set(err, SHEAF_ERROR_SHAPE, "spatial extent %lld is too large",
                             (long long)w->in[d]);
        if (kernel && spec->kernel_shape.n && w->kernel[d] != kernel[d])
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "kernel_shape says %lld where the weights have %lld",
                             (long long)w->kernel[d], (long long)kernel[d]);
        if (kernel)
            w->kernel[d] = kernel[d];
        if (w->kernel[d] < 1 || w->kernel[d] > LIMIT_WINDOW)
            return error_set(err, SHEAF_ERROR_SHAPE, "a window of %lld elements is not possible",
                             (long long)w->kernel[d]);
    }
    return true;
}

bool window_compute(const struct window_spec *spec, const struct shape *x, const int64_t *kernel,
                    struct window *out, struct error *err)
{
    struct window w = {.n = 0};
    enum auto_pad mode = PAD_EXPLICIT;
    int64_t pads[2 * WINDOW_MAX_DIMS];
    if (!window_begin(spec, x, kernel, &w, &mode, pads, err))
        return false;
    for (int d = 0; d < w.n; d++) {
        if (mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER) {
            window_same(&w, d, mode == PAD_SAME_UPPER);
        } else {
            w.pad_begin[d] = mode == PAD_EXPLICIT ? pads[d] : 0;
            w.pad_end[d] = mode == PAD_EXPLICIT ? pads[w.n + d] : 0;
            if (!window_explicit(&w, d, spec->ceil_mode, err))
                return false;
        }
        int64_t end = (w.out[d] - 1) * w.stride[d] + (w.kernel[d] - 1) * w.dilation[d];
        w.outside[d] = w.pad_begin[d] > 0 || end - w.pad_begin[d] >= w.in[d];
        w.any_outside |= w.outside[d];
    }
    *out = w;
    return true;
}

/*
 * With a stated size, or SAME (in * stride), what is too much is cut off on both sides; of an odd
 * number of elements SAME_UPPER cuts the larger part at the end, all others at the beginning.
 */
bool window_compute_transposed(const struct window_spec *spec, struct attr_ints output_padding,
                               struct attr_ints output_shape, const struct shape *x,
                               const int64_t *kernel, struct window *out, struct error *err)
{
    struct window w = {.n = 0};
    enum auto_pad mode = PAD_EXPLICIT;
    int64_t pads[2 * WINDOW_MAX_DIMS], added[WINDOW_MAX_DIMS], stated[WINDOW_MAX_DIMS];
    if (!window_begin(spec, x, kernel, &w, &mode, pads, err))
        return false;
    if (output_shape.n == (size_t)w.n + 2) { /* written by some exporters: N and C in front */
        output_shape.v += 2;
        output_shape.n -= 2;
    }
    if (!window_list(output_padding, "output_padding", w.n, 0, 0, added, err) ||
        !window_list(output_shape, "output_shape", w.n, 1, 1, stated, err))
        return false;
    bool same = mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER;
    for (int d = 0; d < w.n; d++) {
        int64_t full =
            (w.in[d] - 1) * w.stride[d] + added[d] + (w.kernel[d] - 1) * w.dilation[d] + 1;
        if (output_shape.n || same) {
            w.out[d] = output_shape.n ? stated[d] : w.in[d] * w.stride[d];
            int64_t cut = full > w.out[d] ? full - w.out[d] : 0;
            w.pad_begin[d] = mode == PAD_SAME_UPPER ? cut / 2 : cut - cut / 2;
            w.pad_end[d] = cut - w.pad_begin[d];
        } else {
            w.pad_begin[d] = mode == PAD_EXPLICIT ? pads[d] : 0;
            w.pad_end[d] = mode == PAD_EXPLICIT ? pads[w.n + d] : 0;
            w.out[d] = full - w.pad_begin[d] - w.pad_end[d];
        }
        if (w.out[d] < 1 || w.out[d] > LIMIT_WINDOW)
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "the result would have %lld elements in spatial dimension %d",
                             (long long)w.out[d], d);
    }
    *out = w;
    return true;
}

struct shape window_output_shape(const struct window *w, const struct shape *x)
{
    struct shape s = *x;
    for (int d = 0; d < w->n; d++)
        s.dims[2 + d] = w->out[d];
    return s;
}

kval window_position(struct kernel *k, const struct window *w, int d, kval o, kval tap)
{
    kval from = ops_add_const(k, ops_mul_const(k, o, w->stride[d]), -w->pad_begin[d]);
    return kernel_binary(k, KOP_ADD, from, ops_mul_const(k, tap, w->dilation[d]));
}

bool window_infer_pool(struct node *n, unsigned types, const struct window_spec *spec,
                       struct error *err)
{
    struct window w;
    if (!ops_check_type(n, 0, types, err) || !ops_check_static(n, 0, err) ||
        !window_compute(spec, &n->in[0]->shape, NULL, &w, err))
        return false;
    struct shape y = window_output_shape(&w, &n->in[0]->shape);
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

kval window_reduce(struct kernel *k, const struct window *w, int x, const kval *out,
                   enum kcombine combine, kval start, kval outside, reduce_element *element,
                   kval with)
{
    kval tap[WINDOW_MAX_DIMS], size[WINDOW_MAX_DIMS], in[MAX_RANK] = {out[0], out[1]};
    for (int d = 0; d < w->n; d++)
        size[d] = kernel_const_index(k, w->kernel[d]);
    kval result;
    kernel_reduce_begin(k, combine, 1, w->n, size, 1, &start, tap);
    for (int d = 0; d < w->n; d++)
        in[2 + d] = window_position(k, w, d, out[2 + d], tap[d]);
    kval v = w->any_outside ? kernel_load_or(k, x, in, outside) : kernel_load(k, x, in);
    v = kernel_cast(k, kernel_inst(k, start)->type, v);
    if (element)
        v = element(k, v, with);
    kernel_reduce_end(k, &v, &result);
    return result;
}
