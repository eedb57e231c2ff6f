/*
 * forms.h: which integer form a node may have, as far as scales do not decide.  The quantizer asks
 * before it puts parameters into the graph, pass_lower_quantized when they are there.
 */
#ifndef SHEAF_IR_QUANTIZE_FORMS_H
#define SHEAF_IR_QUANTIZE_FORMS_H

#include "ir/ops/reduce.h"
#include "ir/ops/window.h"

/* Works on floats, rather than makes them or holds blocks; constants are floats too where
   `with_constants`. */
bool form_works_on_floats(const struct node *n, bool with_constants);

/* How many inputs, from the first on, are data that the node moves or chooses; 0: it computes.
   Those behind them are parameters, such as bounds. */
size_t form_data_inputs(const struct node *n);

/* What operators make of the terms of a sum that is rescaled as one. */
enum form_term { FORM_NO_TERM, FORM_SUM, FORM_PRODUCT, FORM_QUOTIENT, FORM_CLIP, FORM_NEGATION };
enum form_term form_term_of(const struct node *n);

/* At most one dimension is larger than 1, so that the tensor can be factors of what it is
   multiplied with; *out_from_right is that dimension, counted from the last (0). */
bool form_varies_along_one(int rank, const int64_t *dims, int *out_from_right);

/* Each element of the output depends on the same element of all inputs that are not constant, and
   constants are numbers: a table if these inputs are functions of one tensor. */
bool form_is_pointwise(const struct node *n);

struct form_mean {
    int64_t n; /* elements of each mean */
    bool pool; /* over `window`; else over `axes` */
    struct window_spec window;
    struct reduce_spec axes;
};

bool form_is_mean(const struct node *n);
/* Why the sums of a mean do not have one divisor that is known; NULL: they have. */
const char *form_mean_obstacle(const struct node *n, struct form_mean *out);

#endif
