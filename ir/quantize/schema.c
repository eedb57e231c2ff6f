#include "ir/quantize/schema.h"

#include <assert.h>
#include <float.h>
#include <math.h>

/*
 * The zero point is computed from that end of the range whose quotient by the scale is smaller,
 * since its rounding error is (Jacob et al., "Quantization and training of neural networks for
 * efficient integer-arithmetic-only inference", 2018, want it exact; gemmlowp takes the better
 * end).
 */
static int32_t zero_point_of(double scale, double min, double max, double qmin, double qmax)
{
    double from_min = qmin - min / scale, from_max = qmax - max / scale;
    double error_min = fabs(qmin) + fabs(min / scale);
    double error_max = fabs(qmax) + fabs(max / scale);
    double zero = rint(error_min < error_max ? from_min : from_max);
    return (int32_t)fmin(fmax(zero, qmin), qmax);
}

static float power2_up(float scale)
{
    int e;
    float m = frexpf(scale, &e);
    return ldexpf(1, m == 0.5f ? e - 1 : e);
}

struct quant schema_params(enum quant_schema schema, enum dtype type, double min, double max)
{
    assert(type == DTYPE_I8 || type == DTYPE_I16);
    assert(isfinite(min) && isfinite(max) && min <= max);
    double qmin = (double)dtype_int_min(type), qmax = (double)dtype_int_max(type);
    min = fmin(min, 0);
    max = fmax(max, 0);
    bool from_zero = schema == SCHEMA_SYMMETRIC_WITH_UINT8 && min >= 0;
    bool asymmetric = schema == SCHEMA_ASYMMETRIC || from_zero;
    double exact = asymmetric ? (max - min) / (qmax - qmin) : fmax(min / qmin, max / qmax);
    float scale = (float)exact;
    if (scale < FLT_MIN) /* its inverse may be infinite */
        return (struct quant){0.1f, from_zero ? (int32_t)qmin : 0};
    if (asymmetric)
        return (struct quant){scale, zero_point_of((double)scale, min, max, qmin, qmax)};
    return (struct quant){schema == SCHEMA_SYMMETRIC_WITH_POWER2_SCALE ? power2_up(scale) : scale,
                          0};
}

int64_t schema_quantize(double x, const struct quant *q, enum dtype type)
{
    double lo = (double)dtype_int_min(type), hi = (double)dtype_int_max(type);
    double stored = rint(x / (double)q->scale) + q->zero_point;
    return (int64_t)(stored >= hi ? hi : stored >= lo ? stored : lo);
}

double schema_dequantize(int64_t stored, const struct quant *q)
{
    return (double)(stored - q->zero_point) * (double)q->scale;
}
