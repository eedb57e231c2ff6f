/* network.h: a network of a benchmark, and how much there is to do in it. */
#ifndef SHEAF_TESTS_BENCH_NETWORK_H
#define SHEAF_TESTS_BENCH_NETWORK_H

#include "ir/kernel.h"

/* An ONNX file, or a folder with a network of Caffe2, which takes pictures of 224 x 224 where it
   does not say.  NULL and a sentence where it cannot be read. */
struct graph *network_import(struct arena *a, const char *path, struct error *err);

/* Multiply-adds of the kernel's contractions, padding counted as work. */
double network_multiply_adds(const struct kernel *k);

#endif
