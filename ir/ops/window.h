/*
 * window.h: geometry of sliding windows (convolution, pooling) over the spatial dimensions of
 * x [N, C, spatial...].  Formulas: ONNX operators Conv, MaxPool and AveragePool.
 */
#ifndef SHEAF_IR_OPS_WINDOW_H
#define SHEAF_IR_OPS_WINDOW_H

#include "ir/ops/reduce.h"

enum { WINDOW_MAX_DIMS = 4 }; /* of a convolution: 4 + 4 loops for them and 4 for n, g, m, c */

/* The attributes that windowed operators have in common. */
struct window_spec {
    const char *auto_pad;
    bool ceil_mode;
    struct attr_ints dilations, kernel_shape, pads, strides;
};

#define WINDOW_SPEC(a, ceil)                                                                       \
    ((struct window_spec){(a)->auto_pad, (ceil), (a)->dilations, (a)->kernel_shape, (a)->pads,     \
                          (a)->strides})

/* Sets them, for operators that state ceil_mode otherwise or not at all. */
#define WINDOW_SET(a, spec)                                                                        \
    ((a)->auto_pad = (spec)->auto_pad, (a)->dilations = (spec)->dilations,                         \
     (a)->kernel_shape = (spec)->kernel_shape, (a)->pads = (spec)->pads,                           \
     (a)->strides = (spec)->strides)

/* Window o covers input positions o * stride + k * dilation - pad_begin, 0 <= k < kernel. */
struct window {
    int n; /* spatial dimensions */
    int64_t in[WINDOW_MAX_DIMS], out[WINDOW_MAX_DIMS], kernel[WINDOW_MAX_DIMS];
    int64_t stride[WINDOW_MAX_DIMS], dilation[WINDOW_MAX_DIMS];
    int64_t pad_begin[WINDOW_MAX_DIMS], pad_end[WINDOW_MAX_DIMS];
    bool outside[WINDOW_MAX_DIMS]; /* some window reaches outside the input */
    bool any_outside;
};

/* `kernel`: sizes of the windows, or NULL where kernel_shape gives them. */
bool window_compute(const struct window_spec *spec, const struct shape *x, const int64_t *kernel,
                    struct window *out, struct error *err);

/* Of a transposed convolution: input position i reaches outputs i * stride + k * dilation -
   pad_begin; `outside` stays unset. */
bool window_compute_transposed(const struct window_spec *spec, struct attr_ints output_padding,
                               struct attr_ints output_shape, const struct shape *x,
                               const int64_t *kernel, struct window *out, struct error *err);

/* The shape of an operator that keeps N and C. */
struct shape window_output_shape(const struct window *w, const struct shape *x);

/* o * stride + k * dilation - pad_begin in dimension d. */
kval window_position(struct kernel *k, const struct window *w, int d, kval o, kval tap);

/* ---- pooling ---- */

/* Input 0 is static and of one of `types`, output 0 its windows. */
bool window_infer_pool(struct node *n, unsigned types, const struct window_spec *spec,
                       struct error *err);
/* Reduces the window of output index `out` over input buffer x, in the type of `start`, with which
   it begins; `outside`, of the buffer's type, stands for positions outside of x.  `element` and
   `with` as for reduce_over. */
kval window_reduce(struct kernel *k, const struct window *w, int x, const kval *out,
                   enum kcombine combine, kval start, kval outside, reduce_element *element,
                   kval with);

#endif
