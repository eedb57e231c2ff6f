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
    bool survey;                      /* a model that is quantized already is reported on */
    /* Set by the step, else NULL: what the quantizer did, and what such a model had done. */
    struct quantize_report *by_profile, *of_model;
};

bool pipeline_quantize(struct quantize_step *step, struct error *err);
/* After PASSES_LOWER with these options: the reports are final; -assert-all-nodes-quantized. */
bool pipeline_quantize_settle(const struct quantize_step *step, const struct pass_options *passes,
                              struct error *err);

#endif
