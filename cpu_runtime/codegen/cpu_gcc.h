/*
 * cpu_gcc.h: processors as GCC names them (-march, -mtune).
 */
#ifndef SHEAF_CPU_GCC_H
#define SHEAF_CPU_GCC_H

#include "cpu_runtime/codegen/cpu_arch.h"

/*
 * What a value of GCC's -march means here: a processor of cpu_arch.h and changes of its features
 * ("+a,-b", "" for none).  Fails, naming what is known, on a value that is not.
 */
bool cpu_gcc_march(struct arena *a, const struct cpu_arch *arch, const char *march,
                   const char **out_cpu, const char **out_changes, struct error *err);

/* LLVM's name of the processor that a value of GCC's -mtune names. */
bool cpu_gcc_mtune(struct arena *a, const struct cpu_arch *arch, const char *mtune,
                   const char **out_cpu, struct error *err);

#endif
