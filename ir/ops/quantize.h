/*
 * quantize.h: scale and zero point of QuantizeLinear and DequantizeLinear: one of each, or one per
 * index along the axis.
 */
#ifndef SHEAF_IR_OPS_QUANTIZE_H
#define SHEAF_IR_OPS_QUANTIZE_H

#include "ir/ops/common.h"

#define TYPES_QUANTIZED (TYPE(I8) | TYPE(U8) | TYPE(I16) | TYPE(U16) | TYPE(I4) | TYPE(U4))

/* Shapes of inputs 1 (scale) and 2 (zero point, optional). */
bool quantize_check(const struct node *n, int64_t axis, struct error *err);
/* Element of parameter `buf` for the element of input 0 at idx. */
kval quantize_parameter(struct lower *l, size_t i, int64_t axis, const kval *idx);

#endif
