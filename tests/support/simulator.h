/*
 * simulator.h: the simulated NVIDIA driver (tests/sim/sim.h) in place of a real one.
 */
#ifndef SHEAF_TESTS_SIMULATOR_H
#define SHEAF_TESTS_SIMULATOR_H

#include <stdbool.h>

/* From now on what opens libcuda.so.1 gets the simulator; whether it could be loaded. */
bool simulator_open(void);

#endif
