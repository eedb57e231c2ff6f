/*
 * node_set.h: nodes that somebody has named: by kinds of operators, by their own names, or by those
 * of the tensors that they make.
 */
#ifndef SHEAF_IR_NODE_SET_H
#define SHEAF_IR_NODE_SET_H

#include "ir/graph.h"

struct node_set {
    bool op[OP_COUNT];
    const char *const *name; /* of nodes or of the tensors they make */
    size_t n_names;
};

/* Adds the operators that a word names, as they are called here, in ONNX, Caffe2 or Glow, in any
   case of letters.  False where it names none. */
bool node_set_add_kind(struct node_set *s, const char *word);
/* The words that it knows, without second spellings; NULL behind the last. */
const char *node_set_kind(size_t i);
bool node_is_named(const struct node *n, const char *name);
bool node_set_has(const struct node_set *s, const struct node *n);

#endif
