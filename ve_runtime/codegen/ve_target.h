/*
 * ve_target.h: NEC's Vector Engine as a compilation target.
 */
#ifndef SHEAF_VE_TARGET_H
#define SHEAF_VE_TARGET_H

#include "ir/target.h"

/* Code for a Vector Engine, carried by an object of the host. */
const struct target *ve_target_create(struct arena *a, const struct target *host);

/* The parts, one file each. */
void ve_prepare_contract(const struct target *t, struct kernel *k, kval contract);
bool ve_schedule_contract(const struct target *t, struct kernel *k, kval contract,
                          struct schedule_entry *out_entry);
/* The most lanes that divide an extent. */
int64_t ve_even_lanes(int64_t extent);
struct schedule *ve_schedule(const struct target *t, struct arena *a, struct kernel *k);

#endif
