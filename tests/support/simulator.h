/*
 * simulator.h: the simulated drivers in place of real ones: NVIDIA's (tests/sim/sim.h), and AVEO of
 * the Vector Engine (tests/sim/veo.h).
 *
 * Where $SHEAF_VE_CARD is set, what is asked for here of the latter is the AVEO that is installed:
 * so the tests of conformance run on a card.
 */
#ifndef SHEAF_TESTS_SIMULATOR_H
#define SHEAF_TESTS_SIMULATOR_H

#include <stdbool.h>

/* From now on what opens libcuda.so.1 or libveo.so.1 gets the simulator; whether it could be
   loaded.  AVEO gives a process several cores from then on, unless the environment forbids it. */
bool simulator_open(void);
bool simulator_open_ve(void);

/* What stands before a command of the shell that is to get it. */
const char *simulator_environment(void);
const char *simulator_environment_ve(void);

#endif
