/*
 * run_measure.h: the quantized network beside the float one, on what the command line names.
 */
#ifndef SHEAF_LOADER_RUN_MEASURE_H
#define SHEAF_LOADER_RUN_MEASURE_H

#include "loader/run_labels.h"

struct run_measure {
    struct arena *arena;
    const struct loader_options *opt;
    const struct run_files *files;
    const struct run_labels *labels;
    const struct image_size *first_image; /* as for pipeline_open */
    FILE *out;
};

/* Tensors whose nodes stay in float, beside those of the options. */
struct run_kept {
    const char **tensor;
    size_t n, cap;
};

/* A network whose tensors can be read, compiled for this machine, in an arena of its own. */
struct measured {
    struct arena arena;
    struct pipeline *pipeline;
    struct run_inputs inputs;
};

/* The float network, or the quantized one that keeps `kept` in float.  measured_close is due in any
   case. */
bool measured_open(const struct run_measure *m, bool in_float, const struct run_kept *kept,
                   struct measured *out, struct error *err);
/* The same for any variant. */
bool measured_open_variant(const struct run_measure *m, const struct pipeline_variant *variant,
                           struct measured *out, struct error *err);
/* Run i, from 0 on. */
bool measured_run(struct measured *n, size_t i, struct error *err);
void measured_close(struct measured *n);

/* -quantization-report: writes it. */
bool run_report(const struct run_measure *m, const struct run_kept *kept, struct error *err);

/*
 * -quantize-until: starts with all nodes quantized.  As long as too many labels are lost, the node
 * that adds most noise of its own (quantize_error.h) is kept in float, with those that run as one
 * with it, and the network is compiled and measured anew.  Prints each step.  Fails where the loss
 * is too large as long as anything is quantized.
 */
bool run_until(const struct run_measure *m, struct run_kept *out_kept, struct error *err);

#endif
