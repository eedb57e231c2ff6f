/*
 * control.h: what If and Loop share.
 */
#ifndef SHEAF_IR_OPS_CONTROL_H
#define SHEAF_IR_OPS_CONTROL_H

#include "ir/ops/common.h"

/* Infers the nodes of an inner block; all its outputs have types then. */
bool control_infer_block(struct graph *g, struct block *b, struct error *err);

#endif
