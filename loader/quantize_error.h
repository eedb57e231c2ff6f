/*
 * quantize_error.h: how far each tensor of a quantized network is from that of the float one.
 *
 * Over samples are summed the signal x^2 and the noise (x - x')^2, x' being what the integers mean;
 * noise / signal is the inverse of the SQNR.  A node is blamed for the noise of its output less
 * that of its noisiest input, each relative to its own signal: noises of independent roundings add.
 * Where an input exists in one network only, because it lies inside of a kernel, what it is
 * computed from stands for it.
 */
#ifndef SHEAF_LOADER_QUANTIZE_ERROR_H
#define SHEAF_LOADER_QUANTIZE_ERROR_H

#include "loader/pipeline.h"

struct tensor_error {
    const char *name;
    double signal, noise;    /* sums over all elements of all samples */
    const struct node *node; /* of the float network; NULL: an input */
    double own;              /* noise / signal that the node adds; set by quantize_errors_blame */
};

struct quantize_errors {
    struct arena *arena;
    const struct graph *graph;          /* of the float network */
    struct pipeline *exact, *quantized; /* both traced */
    struct tensor_error *tensor;        /* those that both networks have, in their order */
    size_t n;
    size_t n_samples;
};

void quantize_errors_init(struct quantize_errors *e, struct arena *a, struct pipeline *exact,
                          struct pipeline *quantized);
/* After both networks have run on the same sample. */
void quantize_errors_add(struct quantize_errors *e);
/* Sets `own` of every tensor. */
void quantize_errors_blame(struct quantize_errors *e);

/* 10 log10(1 / ratio); infinite where there is no noise. */
double quantize_error_db(double ratio);
/* noise / signal; infinite where there is noise alone. */
double quantize_error_ratio(const struct tensor_error *t);

/*
 * The nodes between the tensor and those of the list before it, with the one that makes it: what
 * runs as one on integers, and what must be kept in float together.  Calls fn with each.
 */
void quantize_errors_nodes(const struct quantize_errors *e, const struct tensor_error *t,
                           void (*fn)(const struct node *n, void *arg), void *arg);

#endif
