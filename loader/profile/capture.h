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
    size_t n_threads;
    size_t scratch_elems; /* that each thread needs */
    float **scratch;
};

/* After graph_count_uses.  `n_threads` count at the same time, each other tensors; 0: as many as
   there are processors. */
void capture_init(struct capture *c, struct arena *a, const struct graph *g, size_t n_threads);

/* Content of a tensor, which lies as the value's layout says, and its true extents. */
struct capture_data {
    const void *data;
    int64_t dims[MAX_RANK];
};

/*
 * Counts the content of all tensors after a run; data[i] is of tensor i of the profile.  Fails
 * where a number is not finite, with the first such tensor; `sample` names the run for the message.
 */
bool capture_add(struct capture *c, const struct capture_data *data, const char *sample,
                 struct error *err);

#endif
