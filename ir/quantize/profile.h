/*
 * profile.h: what a network's tensors hold on a set of samples.
 *
 * Tensors are keyed by their names in the model, in the order of the network.  The file form is in
 * loader/profile/.
 */
#ifndef SHEAF_IR_QUANTIZE_PROFILE_H
#define SHEAF_IR_QUANTIZE_PROFILE_H

#include "ir/arena.h"
#include "ir/error.h"
#include "ir/graph.h"
#include "ir/quantize/histogram.h"

/*
 * Whose profile it is.  Neither depends on batch size, on the target or on optimization: both are
 * taken of the graph as imported.  `operators` covers the kinds of all nodes, their order and the
 * names of their outputs, `weights` the content of all float constants.
 */
struct profile_identity {
    uint64_t operators, weights; /* 0: not known */
};
struct profile_identity profile_identity_of(const struct graph *imported);

struct profile_tensor {
    const char *name;
    struct histogram *histogram;
};

struct profile {
    const char *model;     /* its name, for messages */
    const char *processor; /* kind of processor that ran it, "" where not known */
    struct profile_identity identity;
    uint64_t samples;
    struct profile_tensor *tensor;
    size_t n, cap;
    bool from_glow; /* names are Glow's: legalised, with the number of the result behind ':' */
};

/* The tensor's histogram; NULL where the profile has none of that name, or, in a profile of Glow's,
   several that may be meant. */
const struct histogram *profile_find(const struct profile *p, const char *name);
/* The same of a value of a graph.  Glow names a tensor after the node that makes it, and that node
   after the model's, or after its first output where it has no name; both are tried. */
const struct histogram *profile_find_value(const struct profile *p, const struct value *v);

/* Adds `from`; refused where the two are not of one model or do not have the same tensors. */
bool profile_merge(struct profile *p, const struct profile *from, struct error *err);

/* Refuses a profile of another model, with the reason: other operators, other weights. */
bool profile_check(const struct profile *p, const struct profile_identity *model,
                   const char *model_name, struct error *err);

#endif
