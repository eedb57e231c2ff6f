/*
 * plan.h: walking a bundle's launch plan.  Straight segments of it, loops of known length and steps
 * that stay on the host included, are CUDA graphs, made when a context is opened.
 */
#ifndef SHEAF_GPU_RUNTIME_PLAN_H
#define SHEAF_GPU_RUNTIME_PLAN_H

#include "bundle/plan/plan.h"
#include "gpu_runtime/driver.h"

/* What the contexts on one set of constants have in common: rt_shared's device. */
struct gpu_shared {
    struct driver driver;
    CUmodule module;
    CUfunction *kernels;   /* as in the plan */
    CUdeviceptr constants; /* 0 where there are none */
    int owns_constants;
    const void *host_constants;
};

/* A context of its own: sheaf_bundle's device. */
struct gpu_context {
    struct gpu_shared *shared;
    const struct sheaf_plan *plan;
    const char *name;                /* of the bundle */
    CUdeviceptr area[RT_PLAN_AREAS]; /* by number in pointers; the last two are the host's */
    void *host;                      /* pinned: where the area of the host lies */
    CUstream stream;
    CUevent done;           /* of the last run, where that was on another stream */
    int elsewhere;          /* it was */
    CUdeviceptr *arguments; /* the address of each pointer of the plan */
    void **parameters;      /* and where it stands, as launches want it */
    uint32_t *behind;       /* by the step that a segment starts with: that behind it; else 0 */
    CUgraphExec *graphs;    /* of it; NULL where it does nothing */
    uint8_t *decision;      /* pinned: what a branch or loop reads */
    struct rt_copies in, out;
    CUgraphExec whole; /* copies in, all steps, copies out; NULL where the plan branches */
};

/* ---- plan_check.c ---- */
/* Whether the plan is well formed, for areas of these sizes. */
enum sheaf_status plan_check(const struct sheaf_linked *linked, struct sheaf_error *err);

/* ---- plan_graph.c ---- */
/* Addresses and graphs, once areas, stream and event are there; plan_close undoes it, and what of
   it there is after a failure. */
enum sheaf_status plan_open(struct gpu_context *g, struct sheaf_error *err);
/* After plan_open, for contexts whose runs copy: once `in` and `out` are set. */
enum sheaf_status plan_open_copying(struct gpu_context *g, struct sheaf_error *err);
void plan_close(struct gpu_context *g);
/* The round's number goes where the kernels of a loop look for it. */
CUresult plan_set_round(struct gpu_context *g, const struct sheaf_step *s, int64_t round,
                        CUstream stream);
CUresult plan_copy_in(struct gpu_context *g, const struct rt_copies *c, CUstream stream);
CUresult plan_copy_out(struct gpu_context *g, const struct rt_copies *c, CUstream stream);

/* ---- plan.c ---- */
/* Queues a run on the stream; waits where the plan branches on data. */
enum sheaf_status plan_run(struct gpu_context *g, CUstream stream, struct sheaf_error *err);
/* On the context's own stream, with the copies. */
enum sheaf_status plan_run_copying(struct gpu_context *g, struct sheaf_error *err);
/* Streams are not ordered among each other, but runs of a context are on the same memory: what is
   queued on the stream from here on comes behind what was on another one before plan_end. */
CUresult plan_begin(struct gpu_context *g, CUstream stream);
CUresult plan_end(struct gpu_context *g, CUstream stream);

#endif
