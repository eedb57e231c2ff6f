/*
 * report.h: what the tool prints about the outputs of a run.
 */
#ifndef SHEAF_LOADER_REPORT_H
#define SHEAF_LOADER_REPORT_H

#include "ir/quantize/quantize.h"
#include "ir/strbuf.h"
#include "ir/tensor.h"
#include "loader/input/labels.h"

struct report_label {
    int64_t label;
    double value;
};

/* In place: exp(v - max) / sum. */
void report_softmax(double *values, size_t n);

/* The k largest values, largest first, among equals the first; NaN counts as the smallest.  Labels
   are positions less `offset`.  Returns how many there are: k or n. */
size_t report_top_labels(const double *values, size_t n, size_t k, int64_t offset,
                         struct report_label *out_labels);

/*
 * ` File: NAME` and the labels, one a line:
 *      File: cat.png<TAB>Label-K1: 285 (probability: 0.7319) Egyptian cat
 * Values that are no probabilities (`is_probability` false) are called score.  `names` is NULL
 * where there are no names.
 */
void report_print_labels(struct strbuf *out, const char *file, const struct report_label *labels,
                         size_t n, bool is_probability, const struct lines *names);

/* Whether the values are at least 0 and sum to 1. */
bool report_is_distribution(const double *values, size_t n);

/* ` Output: NAME f32[1,10]: 0.25 1 -3 ...`: the first ten elements. */
void report_print_tensor(struct strbuf *out, const char *name, const struct tensor *t);

/* `Quantized: 53 of 57 nodes; in float: softmax 'prob' (softmax has no integer form), ...`: the
   first few, or all.  Of an -add-entry it begins with `Quantized (ENTRY)`; NULL: of -model. */
void report_print_quantized(struct strbuf *out, const char *entry, const struct quantize_report *r,
                            bool all);

#endif
