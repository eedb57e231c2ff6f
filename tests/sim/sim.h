/*
 * sim.h: what the simulated driver offers beside CUDA's own functions (cuda.c).
 *
 * It is a shared library with the name of NVIDIA's, libcuda.so.1, so that a program that opens that
 * runs in the simulator where LD_LIBRARY_PATH leads to it, or where the test program has opened it
 * before by its path.  The environment is read by each cuInit:
 *
 *   SHEAF_SIM_DEVICES      number of devices [1]; 0: none
 *   SHEAF_SIM_DRIVER       what cuDriverGetVersion says [12080]
 *   SHEAF_SIM_ARCH         compute capability of the device [80], which takes code for up to that
 *   SHEAF_SIM_MEMORY       bytes that the device has [16 GiB]; more is CUDA_ERROR_OUT_OF_MEMORY
 *   SHEAF_SIM_DEFER        1: work in streams is done only when something waits for it
 *   SHEAF_SIM_FAIL_LAUNCH  n: the n-th launch from there on fails
 *   SHEAF_SIM_FAIL_LOAD    n: the n-th load of a module from there on fails
 *   SHEAF_SIM_FAIL_MEMORY  n: the n-th call from there on that takes memory (device or pinned
 *                          memory, a stream, an event, a graph to be launched) fails
 *   SHEAF_SIM_VERBOSE      1: sentences of failures go to stderr as well
 *
 * What stopped a launch is one sentence; cuGetErrorString gives it for the error that followed.
 */
#ifndef SHEAF_TESTS_SIM_SIM_H
#define SHEAF_TESTS_SIM_SIM_H

#include <stdint.h>

/* Of the process. Those above the line only grow; the others are what is there now. */
struct sim_counters {
    uint64_t launches, cooperative_launches; /* of kernels, those in graphs too */
    uint64_t graph_launches;
    uint64_t host_calls; /* of functions of the host, those in graphs too */
    uint64_t queued;     /* calls that put work into a stream; a graph is one */
    uint64_t copies_to_device, copies_to_host, copies_on_device, fills;
    uint64_t bytes_to_device, bytes_to_host;
    uint64_t module_loads, synchronizations;
    uint64_t instructions; /* of warps */
    uint64_t peak_bytes;
    /* ---- */
    uint64_t bytes, allocations, modules, streams, events, graphs, host_allocations, contexts;
};

void sim_counters(struct sim_counters *out);
/* Of the last failure of a launch or load; "" before. */
const char *sim_error(void);

#endif
