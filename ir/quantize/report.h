/*
 * report.h: which nodes of a network were quantized, and why the others were not.
 */
#ifndef SHEAF_IR_QUANTIZE_REPORT_H
#define SHEAF_IR_QUANTIZE_REPORT_H

#include "ir/graph.h"

/* One node and what became of it. */
struct quantize_note {
    const char *node; /* its name */
    enum op op;
    bool quantized;
    bool chosen;        /* in float because the user keeps it, or for all its neighbours are */
    const char *reason; /* why in float; NULL where quantized */
};

/* Every node that works on floats, in order; not those that only move them from one float node to
   another.  pass_lower_quantized settles it (pass_options.report): nodes that have found no integer
   form after all compute in float, and their notes say why. */
struct quantize_report {
    struct quantize_note *note;
    size_t n, cap;
};

struct quantize_note *quantize_report_add(struct arena *a, struct quantize_report *r,
                                          const struct node *n);
size_t quantize_report_n_quantized(const struct quantize_report *r);
/* The note of a node, NULL where there is none. */
struct quantize_note *quantize_report_find(const struct quantize_report *r, const struct node *n);

/* For a model that brings its own quantization, after PASSES_CLEAN: the nodes that compute on
   dequantized values, or what is quantized behind them, as if all were quantized.  False where
   there are none. */
bool quantize_report_survey(struct graph *g, struct quantize_report *out);

#endif
