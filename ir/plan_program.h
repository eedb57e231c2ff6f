/*
 * plan_program.h: lifetimes of a program's buffers; used by plan_program.c and plan_overlay.c only.
 */
#ifndef SHEAF_IR_PLAN_PROGRAM_H
#define SHEAF_IR_PLAN_PROGRAM_H

#include "ir/program.h"

struct plan_scope;

/* A buffer is alive during the steps first..last; of a view, see its source. */
struct plan_life {
    uint32_t first, last;
    const struct plan_scope *home; /* innermost scope of all accesses; NULL: there is none */
};

const struct plan_life *plan_lives(const struct program *p, struct arena *scratch); /* by buffer */

/* plan_program with offsets of some activations given: pins[i] of buffer i, -1: it is to be found.
   NULL: none is given. */
void plan_around(struct program *p, bool keep_all, const int64_t *pins);

#endif
