/*
 * run_compare.h: what -qdq=fused changes in a model that is quantized already.
 */
#ifndef SHEAF_LOADER_RUN_COMPARE_H
#define SHEAF_LOADER_RUN_COMPARE_H

#include "loader/run_measure.h"

/* -compare-qdq: runs the model in both modes on the same inputs and prints the largest difference
   of each integer tensor that both have, in steps of its scale. */
bool run_compare_qdq(const struct run_measure *m, struct error *err);

#endif
