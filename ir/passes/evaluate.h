/*
 * evaluate.h: what a node of constants gives.
 */
#ifndef SHEAF_IR_PASSES_EVALUATE_H
#define SHEAF_IR_PASSES_EVALUATE_H

#include "ir/graph.h"

/*
 * Runs the node's own lowering through the reference evaluator, without BLAS: the order of all
 * arithmetic is fixed, so that the same node gives the same bytes on every machine.  The node is
 * inferred, without state or blocks, and its inputs are constants, except that Shape needs only the
 * shape of its input.
 *
 * out_result[i] receives output i, in arena `a`; an extent known at run time is known by then, and
 * the result has the true dimensions.  Outputs left out give NULL.  Returns false where an input
 * is not known after all.
 */
bool evaluate_node(struct arena *a, const struct node *n, const struct tensor **out_result);

#endif
