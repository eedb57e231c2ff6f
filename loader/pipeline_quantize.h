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
    const bool *imported; /* node_words_imported of -keep-original-precision-for-nodes */
    struct graph *graph;  /* after PASSES_CLEAN; changed in place */
    /* Set by the step, else NULL: what the quantizer did, and what had been done to a model that is
       quantized already. */
    struct quantize_report *by_profile, *of_model;
    /* Whether each note of the second may stay in float. */
    const bool *excused;
};

bool pipeline_quantize(struct quantize_step *step, struct error *err);
/* The report that PASSES_LOWER is to settle; NULL: there is none. */
struct quantize_report *pipeline_quantize_report(const struct quantize_step *step);
/* After that: -assert-all-nodes-quantized. */
bool pipeline_quantize_check(const struct quantize_step *step, struct error *err);

#endif
