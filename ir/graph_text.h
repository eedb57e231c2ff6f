/*
 * graph_text.h: what the printer and the parser of the graph's text form share.
 */
#ifndef SHEAF_IR_GRAPH_TEXT_H
#define SHEAF_IR_GRAPH_TEXT_H

#include "ir/graph.h"

/* Larger constants are always written out, so that a short text cannot ask for much memory. */
#define GRAPH_TEXT_MAX_FILL_BYTES ((int64_t)1 << 28)

/* Whether the name may follow % without quotes. */
bool graph_text_bare(const char *name);

/* The name of a node that has no other. */
const char *graph_text_node_name(const struct node *n);

#endif
