/*
 * calibrate.h: the range of a tensor that is worth representing, from its histogram.
 */
#ifndef SHEAF_IR_QUANTIZE_CALIBRATE_H
#define SHEAF_IR_QUANTIZE_CALIBRATE_H

#include "ir/quantize/histogram.h"
#include "ir/quantize/schema.h"

/* In the order of -quantization-calibration's words. */
enum calibration { CALIBRATION_NONE, CALIBRATION_KL, CALIBRATION_PERCENTILE, CALIBRATION_MSE };

struct calibration_options {
    enum calibration method;
    double percentile; /* of the values that stays inside, in percent, over 0: 99.99 */
    enum quant_schema schema;
    enum dtype type; /* I8 or I16: how many steps the range is cut into */
};

/*
 * The range to give to schema_params; never wider than the histogram's min and max.  Thresholds lie
 * on edges of bins.  Where the schema is symmetric they are mirror images of each other, else there
 * is one on each side of 0 (symmetric_with_uint8: after the sign of min).
 *   none        min and max
 *   KL          the thresholds with the least divergence between the values and what 255 steps keep
 *               of them (Migacz, "8-bit inference with TensorRT", 2017; calibrate_kl.c).  For I8
 *               alone: I16 has more steps than there are bins, so nothing is lost whatever the
 *               thresholds, and min and max are taken.  Likewise where all values lie in fewer than
 *               255 bins.
 *   percentile  the shortest range around 0 that holds this share of the values, the lowest of
 *               several
 *   MSE         the thresholds with the least expected squared error of rounding and clipping
 *               (calibrate_mse.c)
 */
void calibrate(const struct histogram *h, const struct calibration_options *opt, double *out_min,
               double *out_max);

#endif
