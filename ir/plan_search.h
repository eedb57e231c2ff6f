/*
 * plan_search.h: the searching half of the planner; used by plan.c only.
 */
#ifndef SHEAF_IR_PLAN_SEARCH_H
#define SHEAF_IR_PLAN_SEARCH_H

#include <stdbool.h>

#include "ir/plan.h"

/*
 * Looks for offsets with which all items fit into `capacity` bytes, visiting at most `max_nodes`
 * partial packings.  Sizes are multiples of the alignment.  Sets the offsets and returns true, or
 * leaves them alone.
 */
bool plan_search(struct arena *scratch, struct plan_item *items, size_t n, int64_t capacity,
                 uint32_t max_nodes);

#endif
