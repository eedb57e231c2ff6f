/*
 * context.h: what a bundle has on a Vector Engine: a process with its code and constants once, and
 * for each context memory areas and cores.  Runtime and libraries (library.h) stand on it.
 */
#ifndef SHEAF_VE_RUNTIME_CONTEXT_H
#define SHEAF_VE_RUNTIME_CONTEXT_H

#include <pthread.h>

#include "bundle/plan/plan.h"
#include "ve_runtime/driver.h"

/* A context of AVEO's, which takes a core. */
struct ve_core {
    struct veo_thr_ctxt *context;
    int n_users;
};

/* What the contexts on one set of constants have in common. */
struct ve_shared {
    struct driver driver;
    uint64_t library; /* the code */
    struct driver_memory constants;
    /* Of the cores; and calls of one run are queued on all of its cores before those of another
       one, so that no two runs wait for each other where they share cores. */
    pthread_mutex_t lock;
    struct ve_core core[SHEAF_VE_MAX_RANKS];
    uint32_t n_cores; /* that are open */
};

/* A network of this code: rt_shared's device. */
struct ve_network {
    struct ve_shared *shared;
    int owns_shared;
    const struct sheaf_linked *linked; /* of a plan that plan_check has seen */
    uint64_t *kernels;                 /* addresses of the plan's */
    const void *host_constants;        /* steps on the host read them here */
};

/* A context of its own: sheaf_bundle's device. */
struct ve_context {
    const struct ve_network *network;
    struct ve_shared *shared;
    struct driver_memory mutables, activations;
    struct driver_memory control; /* of the runs: a barrier, and for each rank a sheaf_ve_call */
    void *host;                   /* where the area of the host lies */
    uint64_t area[RT_PLAN_AREAS]; /* by number in pointers; the last two are the host's */
    uint64_t *arguments;          /* the address of each pointer of the plan */
    struct veo_args *args[SHEAF_VE_MAX_RANKS]; /* the address of each rank's */
    uint32_t max_ranks;
    uint32_t core[SHEAF_VE_MAX_RANKS]; /* of each rank */
    uint32_t n_ranks;
    struct rt_traffic traffic;
    uint64_t *requests; /* room for those of a step of a run */
};

/* ---- plan_check.c ---- */
/* Whether the plan is well formed, and for this device. */
enum sheaf_status plan_check(const struct sheaf_linked *linked, struct sheaf_error *err);

/* ---- shared.c ---- */
struct ve_network_options {
    const struct sheaf_linked *linked;
    const void *constants; /* copied to the engine */
    int node;
    /* Another network of the same code and constants, which has them there already; NULL: none.  It
       is closed later. */
    const struct ve_network *beside;
};
enum sheaf_status ve_network_open(const struct ve_network_options *options,
                                  struct ve_network **out_network, struct sheaf_error *err);
void ve_network_close(struct ve_network *n); /* NULL is allowed */

/* ---- cores.c ---- */
/* Gives the context n cores in the place of those that it has; fails and changes nothing where
   there are not so many. */
enum sheaf_status ve_cores_take(struct ve_context *c, uint32_t n, struct sheaf_error *err);
void ve_cores_leave(struct ve_context *c);
/* The first core, whose queue the copies of a run go through. */
struct veo_thr_ctxt *ve_first_core(const struct ve_context *c);

/* ---- context.c ---- */
/* A zeroed context with its areas, of which the mutable one is zero, and one core;
   ve_context_close undoes it, and what of it there is after a failure. */
enum sheaf_status ve_context_open(struct ve_context *c, const struct ve_network *network,
                                  struct sheaf_error *err);
void ve_context_close(struct ve_context *c);
/* After ve_cores_take: tells each rank so. */
enum sheaf_status ve_context_set_ranks(struct ve_context *c, struct sheaf_error *err);

/* ---- request.c ---- */
enum ve_direction { VE_TO_DEVICE, VE_TO_HOST };
/* Copies, in the order of a context's requests, and waits; `what` is for the sentence.  There is
   room in `requests` for as many. */
enum sheaf_status ve_copy(struct driver *d, struct veo_thr_ctxt *context,
                          const struct rt_copies *copies, enum ve_direction direction,
                          uint64_t *requests, const char *what, struct sheaf_error *err);
/* Calls a kernel of the plan in each rank, and waits for all. */
enum sheaf_status ve_call(struct ve_context *c, uint32_t kernel, struct sheaf_error *err);

/* ---- plan.c ---- */
/* A run, on what lies in the context's areas. */
enum sheaf_status ve_run(struct ve_context *c, struct sheaf_error *err);

#endif
