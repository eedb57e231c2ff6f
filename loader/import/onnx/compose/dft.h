/*
 * dft.h: Fourier transforms of a constant length, for DFT and STFT.
 */
#ifndef SHEAF_LOADER_IMPORT_ONNX_COMPOSE_DFT_H
#define SHEAF_LOADER_IMPORT_ONNX_COMPOSE_DFT_H

#include "loader/import/onnx/compose/compose.h"

struct transform {
    int64_t length;          /* of the transform */
    int64_t used;            /* elements of the input that enter; the others up to `length` are 0 */
    int64_t bins;            /* elements of the output */
    int in_parts, out_parts; /* 2: complex */
    bool inverse;
    bool half; /* the input is the first half of a spectrum of real numbers */
};

/* Whether it is better taken apart than one product. */
bool transform_is_apart(const struct transform *t);
bool transform_check(struct onnx *o, const struct draft *d, const struct transform *t);
/* [used * in_parts, bins * out_parts], or as weights of a convolution [bins * out_parts, in_parts,
   used]; NULL where it takes too much. */
struct value *transform_matrix(struct onnx *o, const struct draft *d, const struct transform *t,
                               enum dtype type, bool as_weights);
/* x [rows, used * in_parts] becomes [rows, bins * out_parts]. */
struct value *transform_rows(struct onnx *o, const struct draft *d, const struct transform *t,
                             struct value *x);

#endif
