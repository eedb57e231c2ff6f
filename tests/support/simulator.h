/*
 * simulator.h: the simulated drivers in place of real ones: NVIDIA's (tests/sim/sim.h), and AVEO of
 * the Vector Engine (tests/sim/veo.h).
 */
#ifndef SHEAF_TESTS_SIMULATOR_H
#define SHEAF_TESTS_SIMULATOR_H

#include <stdbool.h>

/* From now on what opens libcuda.so.1 or libveo.so.1 gets the simulator; whether it could be
   loaded. */
bool simulator_open(void);
bool simulator_open_ve(void);

#endif
