/*
 * node_words.h: the words of an option that names nodes of the model: kinds of operators, names of
 * nodes or of the tensors that they make.
 */
#ifndef SHEAF_LOADER_NODE_WORDS_H
#define SHEAF_LOADER_NODE_WORDS_H

#include "ir/node_set.h"
#include "loader/options.h"

struct node_words {
    const char *option; /* as in a sentence: "option -host-nodes" */
    const struct option_texts *words;
    const char *model;
    const bool *imported; /* see node_words_imported */
    const char *when;     /* the graph is that at which time: "when it comes to quantization" */
};

/* Before PASSES_CLEAN, which removes nodes: which of the words name a node or its result. */
const bool *node_words_imported(struct graph *imported, const struct option_texts *words);

/* Which nodes of the graph they name.  `names` has room for as many as there are words, and becomes
   the set's. */
bool node_words_find(const struct node_words *w, struct graph *g, const char **names,
                     struct node_set *out_set, struct error *err);

#endif
