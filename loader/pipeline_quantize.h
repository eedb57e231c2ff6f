/*
 * pipeline_quantize.h: the step of the pipeline that the options about quantization ask for.
 */
#ifndef SHEAF_LOADER_PIPELINE_QUANTIZE_H
#define SHEAF_LOADER_PIPELINE_QUANTIZE_H

#include "ir/target.h"
#include "loader/pipeline.h"

struct quantize_step {
    const struct loader_options *opt;
    const struct pipeline_variant *variant;
    const struct target *target;
    const char *model_name;
    struct profile_identity identity; /* of the graph as imported */
    struct graph *graph;              /* after PASSES_CLEAN; changed in place */
};

/* *out_report is NULL where no profile is used. */
bool pipeline_quantize(const struct quantize_step *step, const struct quantize_report **out_report,
                       struct error *err);

#endif
