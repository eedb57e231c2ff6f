/*
 * veo.h: what the simulated AVEO offers beside AVEO's own functions (veo.c).
 *
 * It is a shared library with the name of NEC's, libveo.so.1, so that a program that opens that
 * runs in the simulator (ve.h) where LD_LIBRARY_PATH leads to it, or where the test program has
 * opened it before by its path.  Requests are done only when something waits for one, later
 * contexts before earlier ones.  The environment is read when a process is created:
 *
 *   SHEAF_SIM_VE_NODES      number of engines [1]; 0: none
 *   SHEAF_SIM_VE_API        what veo_api_version says [16]; read by each call
 *   SHEAF_SIM_VE_CORES      contexts that a process may have [8]
 *   SHEAF_SIM_VE_MEMORY     bytes that the engine has [48 GiB]
 *   SHEAF_SIM_VE_FAIL       "get_sym 2": the second call of veo_get_sym from there on fails
 *   SHEAF_SIM_VE_LOSE       the same: the process has ended when it is made
 *   SHEAF_SIM_VE_EXCEPTION  n: the n-th call of a function of the engine ends with an exception
 *   SHEAF_SIM_VE_QUANTUM    instructions that a core runs before another one may [1000]
 *   SHEAF_SIM_VE_UNWRITTEN  1: bytes that nobody wrote may be read
 *   SHEAF_SIM_VE_CHECK      0: instructions are not compared with LLVM's disassembler [1]
 *   SHEAF_SIM_VE_UNFAIR     1: a core runs until it waits for others, the last one first, so that
 *                           what one reads and another ought to have written before is not there
 *   SHEAF_SIM_VE_STATS      a file, to which the figures of each process are added at its end
 *   SHEAF_SIM_VE_VERBOSE    1: sentences of failures go to stderr as well
 *
 * Unless that is switched off, every instruction is compared when it is first run: what it was
 * decoded as must read as LLVM's disassembler prints the word, else the call ends with an
 * exception.
 *
 * What a process adds to the file of figures is estimated (ve_time.c), in cycles of the engine's
 * clock.  A line "estimated, not measured" is followed by a table with a line of headings, one for
 * each function that ran, in the order of addresses, and one for all of them, "all".  Its columns:
 *
 *   function   of a kernel "kI_NAME": I is its number in -dump-schedule, NAME a node of the model;
 *              where several nodes have the same kernel, the first of them
 *   calls      by all cores together, as all figures are but `longest`
 *   cycles     by which it moved the clocks of its cores
 *   longest    the same of that core in which it took the longest; of "all": until the last core
 *              had ended, which is the time that it took
 *   vector     of `cycles`, while some vector pipe was busy
 *   fma        that the three pipes for multiply-adds were busy, divided by three
 *   memory     that the pipe for vector memory was busy
 *   flops      of vectors: a multiply-add is two, and those of a pair count one by one
 *   read, written  bytes of vectors, wherever they came from
 *   vector%, fma%, memory%  of `cycles`
 *   peak%      flops of those that could have been: 384 per cycle
 *
 * Then, after an empty line, how often each instruction ran, and an empty line.
 */
#ifndef SHEAF_TESTS_SIM_VEO_H
#define SHEAF_TESTS_SIM_VEO_H

#include <stdint.h>

/* Of all processes.  Those above the line only grow; the others are what is there now. */
struct sim_veo_counters {
    uint64_t processes_created, library_loads;
    uint64_t calls; /* of functions on the engine that have ended, in whatever way */
    uint64_t copies_to_device, copies_to_host;
    uint64_t bytes_to_device, bytes_to_host;
    uint64_t most_contexts; /* that a process had at once */
    uint64_t compared;      /* instructions with LLVM's disassembler */
    /* ---- */
    uint64_t processes, contexts, args;
    uint64_t requests; /* that nobody has waited for */
    uint64_t allocations, bytes;
};

void sim_veo_counters(struct sim_veo_counters *out);
/* What the last exception was, or why an object was not loaded; "" before. */
const char *sim_veo_error(void);

#endif
