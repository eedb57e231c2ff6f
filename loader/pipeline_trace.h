/*
 * pipeline_trace.h: which tensors of the network can be read by name after a run.
 */
#ifndef SHEAF_LOADER_PIPELINE_TRACE_H
#define SHEAF_LOADER_PIPELINE_TRACE_H

#include "loader/pipeline.h"

struct pipeline_trace {
    struct arena *arena;
    const char **name; /* in the order of the network */
    size_t n, cap;
};

/* After PASSES_CLEAN: chooses the tensors, all of the body that `shown` says. */
void pipeline_trace_choose(struct pipeline_trace *t, const struct graph *g,
                           enum pipeline_shown shown);

/* Makes them reach memory, as outputs do.  Before PASSES_LOWER this holds on to every tensor;
   behind it, it changes nothing of how the network computes. */
void pipeline_trace_hold(const struct pipeline_trace *t, struct graph *g);

#endif
