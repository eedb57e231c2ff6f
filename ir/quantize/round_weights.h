/*
 * round_weights.h: weights as integers, so that what sums them loses least.
 *
 * Rounding to nearest leaves each weight with an error of up to half a step, and each output with
 * the sum of these errors times its inputs.  Inputs behind a ReLU have a mean far from 0: the sum
 * of the errors alone, times that mean, shifts the output by the same amount everywhere, and that
 * is most of the noise.  So the sum over each output's weights is brought below half a step: those
 * weights that lie nearest to the middle between two integers are rounded the other way, which
 * costs each of them next to nothing.  (Where the shift comes from: Nagel et al., "Data-free
 * quantization through weight equalization and bias correction", 2019.)
 */
#ifndef SHEAF_IR_QUANTIZE_ROUND_WEIGHTS_H
#define SHEAF_IR_QUANTIZE_ROUND_WEIGHTS_H

#include <stddef.h>

/* Integers lo .. hi for x, which is in steps. */
void round_weights(const double *x, size_t n, double lo, double hi, double *out);

#endif
