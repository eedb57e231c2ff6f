/*
 * quantize.h: puts quantization into a float graph.
 *
 * quantize_graph places QuantizeLinear and DequantizeLinear nodes, as a pre-quantized ONNX model
 * has them, after the ranges of a profile; pass_lower_quantized then makes integer operators of
 * what lies between, for both alike.  The operator table's quantization rule says what can be
 * quantized.
 *
 * Precondition of all functions here: the graph has been through PASSES_CLEAN.
 */
#ifndef SHEAF_IR_QUANTIZE_QUANTIZE_H
#define SHEAF_IR_QUANTIZE_QUANTIZE_H

#include "ir/node_set.h"
#include "ir/quantize/calibrate.h"
#include "ir/quantize/profile.h"
#include "ir/quantize/report.h"

/* Operators and nodes that stay in float. */
struct quantize_keep {
    struct node_set nodes;
    size_t n_searched; /* of its names, the last ones: -quantize-until has found them */
};

struct quantize_options {
    struct calibration_options calibration; /* with schema and precision of activations */
    enum dtype weights;                     /* I8 or I16 */
    enum dtype bias;                        /* I8, I16 or I32 */
    bool per_channel; /* weights of convolutions: one scale per output channel */
    bool per_row;     /* weights of matrix products: one scale per output */
    bool calibrate_constants;
    bool quantize_io; /* inputs and outputs of the network become integers */
    struct quantize_keep keep;
};

bool quantize_graph(struct graph *g, const struct profile *p, const struct quantize_options *opt,
                    struct quantize_report *out_report, struct error *err);

/* Replaces constant weights of contractions by `type` (I8, I4) with a scale per output channel and
   per `block` values of the summed dimension (0: all of it); the arithmetic stays float.  Says of
   how many contractions. */
bool quantize_weights_only(struct graph *g, enum dtype type, int64_t block,
                           const struct quantize_keep *keep, size_t *out_n_nodes,
                           struct error *err);

/* Float tensors and constants are stored in `type` (F16 or BF16) and computed in f32; inputs and
   outputs stay f32 unless `io`. */
bool convert_storage(struct graph *g, enum dtype type, bool io, const struct quantize_keep *keep,
                     struct error *err);

/* By what the node stays in float, as a reason; NULL: by nothing. */
const char *quantize_kept_by(const struct quantize_keep *keep, const struct node *n);

#endif
