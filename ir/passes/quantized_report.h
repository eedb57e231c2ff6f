/*
 * quantized_report.h: what became of the nodes of a model that is quantized already.
 */
#ifndef SHEAF_IR_PASSES_QUANTIZED_REPORT_H
#define SHEAF_IR_PASSES_QUANTIZED_REPORT_H

#include "ir/passes/passes.h"
#include "ir/quantize/quantize.h"

/* Before PASSES_LOWER: the nodes that compute on dequantized values, or what is quantized behind
   them.  False where there are none. */
bool quantized_survey(struct graph *g, struct quantize_report *out);

/* Behind it: which of them still compute in float, and why. */
void quantized_settle(struct quantize_report *r, struct graph *lowered,
                      const struct pass_options *opt);

#endif
