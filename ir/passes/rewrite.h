/*
 * rewrite.h: steps that several passes share.
 */
#ifndef SHEAF_IR_PASSES_REWRITE_H
#define SHEAF_IR_PASSES_REWRITE_H

#include "ir/graph.h"

/* Whether the value leaves any block. */
bool rewrite_is_block_output(struct graph *g, const struct value *v);

/*
 * Everybody who used `from`, an output of a node in block b, uses `to` instead.  Outputs of the
 * graph keep their names: where `from` is one, `to` takes its name.  Returns false, and does
 * nothing, where that cannot be: `to` is state (which changes while `from` must not), or an output
 * would no longer be a tensor of its own.
 */
bool rewrite_replace(struct graph *g, const struct block *b, struct value *from, struct value *to);

/* The node reads state, so it must stay between the nodes that change it. */
bool rewrite_reads_state(const struct node *n);

/* Makes the node another operator with default attributes and these inputs; outputs stay. */
void rewrite_node(struct graph *g, struct node *n, enum op op, size_t n_in,
                  struct value *const *in);

/* The same operator, attributes and inputs. */
bool rewrite_nodes_equal(const struct node *a, const struct node *b);

/* The node becomes a Reshape of x to the (static) shape of its only output. */
void rewrite_as_reshape(struct graph *g, struct node *n, struct value *x);

#endif
