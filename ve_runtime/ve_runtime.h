/*
 * ve_runtime.h: runs bundles on NEC's Vector Engine, SX-Aurora TSUBASA (loader -ve).  The calls are
 * those of bundle/runtime.h; here is what only this runtime has.
 *
 * With the common calls alone a program needs to know nothing of the device: tensors lie in its own
 * memory, and a run copies the inputs to the engine and the outputs back.  A run then uses one
 * core. Contexts that sheaf_attach makes get cores of their own as long as there are some, and
 * share them from then on, so that a program that answers many requests at once uses the whole
 * card.  One that wants a single answer early gives its context several cores with
 * sheaf_ve_set_cores.
 *
 * AVEO's library libveo.so.1 is opened with the first bundle.  Each opened bundle is a process on
 * the engine, on the node that the environment variable VE_NODE_NUMBER tells, 0 without it.  AVEO
 * lets a process have more than one core only where the environment has VE_OMP_NUM_THREADS=1.
 */
#ifndef SHEAF_VE_RUNTIME_H
#define SHEAF_VE_RUNTIME_H

#include "bundle/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * From now on n cores share the work of each run of this context.  Without this call it is one.
 * Results do not depend on it.  A card has 8, 10 or 16 cores; the time of a run is best where no
 * other context uses any of these.  Refuses more than the bundle has code for, and more than AVEO
 * gives; the number then stays as it was.
 */
enum sheaf_status sheaf_ve_set_cores(sheaf_bundle *bundle, uint32_t n, struct sheaf_error *err);

/* Copies the whole activations area, config->activationsMemSize bytes, from the engine: what lies
   there after a run, for tests and debugging. */
enum sheaf_status sheaf_ve_activations(const sheaf_bundle *bundle, void *out,
                                       struct sheaf_error *err);

#ifdef __cplusplus
}
#endif

#endif
