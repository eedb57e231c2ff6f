/*
 * ml.h: what the operators of the domain ai.onnx.ml share.
 */
#ifndef SHEAF_LOADER_IMPORT_ONNX_COMPOSE_ML_H
#define SHEAF_LOADER_IMPORT_ONNX_COMPOSE_ML_H

#include "loader/import/onnx/compose/compose.h"

bool ml_take_text(struct onnx *o, struct draft *d, const char *name, const char *otherwise,
                  const char **out);

/* A list of numbers, from the attribute NAME or the tensor NAME_as_tensor; empty: not given. */
struct ml_numbers {
    double *v;
    size_t n;
};
bool ml_take_numbers(struct onnx *o, struct draft *d, const char *name, struct ml_numbers *out);
/* The same of integers. */
bool ml_take_ints(struct onnx *o, struct draft *d, const char *name, struct attr_ints *out);
/* Constants of the type. */
struct value *ml_constant(struct onnx *o, enum dtype type, const double *v, int rank,
                          const int64_t *dims);

/* x in f32, or f64 where it is that. */
struct value *ml_float(struct onnx *o, struct value *x);
/* The same as [rows, columns]; one row where x has one dimension. */
struct value *ml_rows(struct onnx *o, const struct draft *d, struct value *x);

/* What the model makes of scores (attribute post_transform), along the last axis. */
struct value *ml_post_transform(struct onnx *o, const struct draft *d, const char *kind,
                                struct value *scores);

/* Names of classes: integers, or strings; {0} where there are none. */
struct ml_labels {
    size_t n;
    struct value *names; /* constant */
    bool texts;
};
bool ml_take_labels(struct onnx *o, struct draft *d, const char *ints, const char *strings,
                    struct ml_labels *out);
/* Output 0: the names at these indices [rows]; output 1: the scores as f32. */
bool ml_finish_classes(struct onnx *o, struct draft *d, const struct ml_labels *labels,
                       struct value *index, struct value *scores);

/* Of each class [rows, classes] from the scores of all pairs [rows, pairs] and what turns one into
   a probability (svm_probability.c). */
struct value *ml_pair_probabilities(struct onnx *o, const struct draft *d, struct value *scores,
                                    const struct ml_numbers *a, const struct ml_numbers *b,
                                    size_t classes);

#endif
