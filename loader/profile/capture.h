/*
 * capture.h: what the tensors of a network hold, run after run, becomes a profile.
 *
 * Tensors are the float inputs of the network and the float results of its nodes.  What lies inside
 * of an If or Loop has another content each time around and is left out.  Memory depends on the
 * network alone, not on the number of runs.
 */
#ifndef SHEAF_LOADER_PROFILE_CAPTURE_H
#define SHEAF_LOADER_PROFILE_CAPTURE_H

#include "ir/quantize/profile.h"

struct capture {
    struct arena *arena;
    struct profile profile;     /* without samples, identity and names of model and processor */
    const struct value **value; /* of tensor i of the profile */
    size_t n_inner;             /* float tensors that are left out */
    float *scratch;
    size_t scratch_elems;
};

void capture_init(struct capture *c, struct arena *a, const struct graph *g);

/*
 * Counts the content of tensor i after a run: `data` lies as the value's layout says, with these
 * true extents.  Fails where a number is not finite; `sample` names the run for the message.
 */
bool capture_add(struct capture *c, size_t i, const void *data, const int64_t *dims,
                 const char *sample, struct error *err);

#endif
