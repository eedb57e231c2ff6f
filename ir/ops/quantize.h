/*
 * quantize.h: scale and zero point of QuantizeLinear and DequantizeLinear: one of each; one per
 * index along the axis; or, with a block size, one per block of so many indices along the axis and
 * per index of the other dimensions.
 */
#ifndef SHEAF_IR_OPS_QUANTIZE_H
#define SHEAF_IR_OPS_QUANTIZE_H

#include "ir/ops/common.h"

#define TYPES_QUANTIZED (TYPES_8 | TYPES_16 | TYPES_PACKED | TYPES_CODED)
#define TYPES_SCALE     (TYPES_MATH | TYPE(F8E8M0))

struct quantize_axis {
    int64_t axis, block_size; /* as the attributes say; block_size 0: no blocks */
};

/* Shapes of inputs 1 (scale) and 2 (zero point, optional). */
bool quantize_check(const struct node *n, const struct quantize_axis *a, struct error *err);
/* The element of parameter `i` that belongs to the element of input 0 at idx, as it is stored. */
kval quantize_parameter(struct lower *l, size_t i, const struct quantize_axis *a, const kval *idx);
/* The same as a number of type `to`. */
kval quantize_parameter_as(struct lower *l, size_t i, const struct quantize_axis *a,
                           const kval *idx, enum dtype to);
/* The type that attribute `name` holds the ONNX code of, one of `types`; `otherwise` for code 0. */
bool quantize_type(int64_t code, const char *name, unsigned types, enum dtype otherwise,
                   enum dtype *out, struct error *err);

#endif
