/*
 * plan.h: what the runtimes of devices share about launch plans (struct sheaf_plan): whether the
 * steps are sound, and walking those that branch.  Not for applications; names start with rt_plan_.
 */
#ifndef SHEAF_BUNDLE_PLAN_H
#define SHEAF_BUNDLE_PLAN_H

#include "bundle/run/run.h"

enum { RT_PLAN_AREAS = SHEAF_AREA_HOST_CONSTANTS + 1 };

/* ---- check.c ---- */
/* Plans could not have them at first. */
int rt_plan_has_host_steps(const struct sheaf_plan *p);
/* Whether the steps are well formed, for areas of these sizes, kernels and tables that are there,
   and whether those that stay on the host can run there. */
enum sheaf_status rt_plan_check_steps(const struct sheaf_linked *l, struct sheaf_error *err);
enum sheaf_status rt_plan_malformed(const struct sheaf_linked *l, const char *what, uint32_t at,
                                    struct sheaf_error *err);

/* ---- walk.c ---- */
/* Each function returns 0, or what went wrong in numbers of the device's own, which ends the walk.
 */
struct rt_plan_walk {
    const struct sheaf_plan *plan;
    void *device;
    /* Runs step i, and as many of those behind it as go along with it: *out_next is the first that
       is left to the walk.  No branches, and loops only where it knows how. */
    int (*run)(void *device, uint32_t i, uint32_t *out_next);
    /* Reads what a branch or loop depends on, when all before it is done. */
    int (*read)(void *device, uint32_t pointer, void *to, size_t bytes);
    /* The round's number goes where the kernels of a loop look for it. */
    int (*set_round)(void *device, const struct sheaf_step *loop, int64_t round);
};

/* Runs all steps. */
int rt_plan_walk(const struct rt_plan_walk *w);

#endif
