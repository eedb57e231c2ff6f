/*
 * pipeline_quantize.h: the step of the pipeline that the options about quantization ask for.
 */
#ifndef SHEAF_LOADER_PIPELINE_QUANTIZE_H
#define SHEAF_LOADER_PIPELINE_QUANTIZE_H

#include "loader/pipeline.h"

struct quantize_step {
    const struct loader_options *opt;
    const struct pipeline_variant *variant;
    const char *model_name;
    struct profile_identity identity; /* of the graph as imported */
    struct graph *graph;              /* after PASSES_CLEAN; changed in place */
};

/* *out_report is NULL where no profile is used. */
bool pipeline_quantize(const struct quantize_step *step, struct quantize_report **out_report,
                       struct error *err);
/* After PASSES_LOWER: what the report says is final; -assert-all-nodes-quantized. */
bool pipeline_quantize_settle(const struct quantize_step *step, struct quantize_report *report,
                              struct error *err);

#endif
