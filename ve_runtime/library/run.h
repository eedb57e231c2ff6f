/*
 * run.h: what the files of library.h share.
 */
#ifndef SHEAF_VE_RUNTIME_LIBRARY_RUN_H
#define SHEAF_VE_RUNTIME_LIBRARY_RUN_H

#include "bundle/library/library.h"
#include "ve_runtime/context.h"

struct library_run {
    struct library_context common; /* first */
    struct ve_context ve;
    struct rt_copies states;         /* the network's, from `initial` */
    uint8_t *initial;                /* what state begins with */
    struct rt_copies copies;         /* room for those of a step of a run */
    int64_t (*dims)[SHEAF_MAX_RANK]; /* of each output */
    uint64_t mark; /* upper bits of pointers to memory of the library's process; 0: not known */
};

static inline struct library_run *library_run_of(struct library_context *c)
{
    return (struct library_run *)(void *)c;
}

/* struct library_device's; detach also what of it there is after a failure. */
enum sheaf_status library_run_attach(struct library_context *c);
void library_run_detach(struct library_context *c);
enum sheaf_status library_run_reset(struct library_context *c);
enum sheaf_status library_run_call(struct library_context *c, const struct device_call *call,
                                   int anew);

#endif
