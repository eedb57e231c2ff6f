/*
 * qlinear.h: requantization of qlinear_conv and qlinear_matmul, whose scales may be computed at run
 * time; where they are constant, pass_lower_quantized makes integer factors of them.
 */
#ifndef SHEAF_IR_OPS_QLINEAR_H
#define SHEAF_IR_OPS_QLINEAR_H

#include "ir/ops/common.h"

/* The scales are floats of one type; the zero point of y has 8 bits. */
bool qlinear_check(const struct node *n, size_t x_scale, size_t w_scale, size_t y_scale,
                   size_t y_zero, struct error *err);

/* x * w / y, rounded to `type` after each operation, as ONNX's reference does with scales of it. */
double qlinear_factor(enum dtype type, double x, double w, double y);

struct qlinear_scales {
    kval x, w, y; /* of the type in which they are stored */
};
/* saturate(rint(sum * factor + zero)) in the type of zero, in f64. */
kval qlinear_requantize(struct kernel *k, kval sum, const struct qlinear_scales *s, kval zero);

#endif
