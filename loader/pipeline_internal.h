/*
 * pipeline_internal.h: what the files of the pipeline share: pipeline.c (the way down to the plan,
 * and running), pipeline_emit.c (object code and bundles) and pipeline_library.c.
 */
#ifndef SHEAF_LOADER_PIPELINE_INTERNAL_H
#define SHEAF_LOADER_PIPELINE_INTERNAL_H

#include "bundle/emit/emit.h"
#include "bundle/write/weights.h"
#include "ir/program.h"
#include "loader/pipeline.h"
#include "loader/pipeline_quantize.h"
#include "loader/pipeline_run.h"
#include "loader/pipeline_trace.h"

/* One model for one processor. */
struct pipeline {
    struct arena *arena;
    const struct loader_options *opt;
    struct pipeline_variant variant;
    FILE *log;
    double started;    /* of the step that log_step reports next */
    const char *model; /* the last part of its path */
    const char *name, *entry;
    const struct target *target;
    struct pass_options passes;
    struct profile_identity identity;
    const bool *imported, *host_imported; /* node_words_imported, of both options */
    struct graph *graph;
    struct quantize_step quantized;
    struct pipeline_trace trace;
    struct program *program;
    const uint8_t *constants; /* of pipeline_emit */
    struct emit_schedules *schedules;
    struct pipeline_run run;
};

/* -verbose: what was just done and how long it took. */
void pipeline_log(struct pipeline *p, const char *what);

/* The request for entries of parts, and the weights that go with it. */
struct bundle_parts {
    struct emit_entry *entries;
    struct weights weights;
    struct emit_request request;
    uint64_t digest64; /* of the weights' area, of pipeline_generate */
};
void pipeline_request(const struct pipeline_entry *entries, size_t n, const bool *together,
                      struct bundle_parts *out_parts);
/* The same, and its code as the options want it; the trailer is behind replaceable weights. */
bool pipeline_generate(const struct pipeline_entry *entries, size_t n, const bool *together,
                       struct bundle_parts *out_parts, struct emit_result *out_code,
                       struct error *err);

/* The model as it was written, with this many items for -onnx-define-symbol=NAME<=N. */
struct graph *pipeline_import(struct pipeline *p, const struct image_size *image, int64_t items,
                              struct error *err);
/* What that option asks for, on the clean graph of one item. */
bool pipeline_set_items(struct pipeline *p, const struct image_size *image, struct error *err);

/* The network by itself as object code. */
bool pipeline_emit(struct pipeline *p, bool want_text, struct emit_result *out_result,
                   struct error *err);

#endif
