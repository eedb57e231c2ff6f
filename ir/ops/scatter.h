/*
 * scatter.h: what operators share that store updates at indices which are data.
 */
#ifndef SHEAF_IR_OPS_SCATTER_H
#define SHEAF_IR_OPS_SCATTER_H

#include "ir/ops/common.h"

enum { SCATTER_X, SCATTER_INDICES, SCATTER_UPDATES };

/* The reduction's name and the types that it takes; the output is like x. */
bool scatter_infer(struct node *n, const char *reduction, struct error *err);
/* Stores v, an element of the updates as it is, at `to`, or combines it with what is there. */
void scatter_store(struct lower *l, const char *reduction, const kval *to, kval v);

#endif
