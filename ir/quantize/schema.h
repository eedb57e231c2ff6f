/*
 * schema.h: from the range of a tensor to scale and zero point (docs/numerics.md).
 *
 * real = (stored - zero_point) * scale.
 */
#ifndef SHEAF_IR_QUANTIZE_SCHEMA_H
#define SHEAF_IR_QUANTIZE_SCHEMA_H

#include "ir/dtype.h"
#include "ir/graph.h"

/* In the order of -quantization-schema's words. */
enum quant_schema {
    SCHEMA_ASYMMETRIC,
    SCHEMA_SYMMETRIC,
    SCHEMA_SYMMETRIC_WITH_UINT8,
    SCHEMA_SYMMETRIC_WITH_POWER2_SCALE
};

/*
 * Parameters for finite values between min and max stored in `type` (I8 or I16).  The range is
 * widened to hold 0; one of nothing but 0, or so small that the scale would not be a normal float,
 * gets scale 0.1 and zero point 0 (or qmin, below).
 *   asymmetric             scale = (max - min) / (qmax - qmin), zero point where 0 falls
 *   symmetric              zero point 0; the smaller side is extended, min against qmin, max
 *                          against qmax
 *   symmetric_with_uint8   where min >= 0 zero point qmin and all of the range, else symmetric
 *   ..power2_scale         symmetric, scale rounded up to a power of two
 * The scale is computed in double and rounded to float.  The zero point is computed from the end
 * that gives it more exactly, rounded and clamped.
 */
struct quant schema_params(enum quant_schema schema, enum dtype type, double min, double max);

/* round_half_even(x / scale) + zero_point, saturated to the type; NaN becomes its smallest. */
int64_t schema_quantize(double x, const struct quant *q, enum dtype type);
double schema_dequantize(int64_t stored, const struct quant *q);

#endif
