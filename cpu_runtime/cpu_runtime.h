/*
 * cpu_runtime.h: runs bundles on the processor.  The calls are those of bundle/runtime.h; here is
 * what only this runtime has.
 */
#ifndef SHEAF_CPU_RUNTIME_H
#define SHEAF_CPU_RUNTIME_H

#include "bundle/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Looks through a comma-separated list of processor features under LLVM's names ("+avx2,+fma"; the
 * sign may be missing, "-x" asks for nothing) for one that this processor, or its operating system,
 * certainly lacks.  Returns the start of its name inside the list and sets *out_length, or returns
 * NULL where there is none.  Features that it does not know, and all on processors other than
 * x86-64, pass.
 */
const char *sheaf_cpu_missing_feature(const char *features, size_t *out_length);

/*
 * Asks the operating system for what some features need beside the processor: for "amx-tile" Linux
 * gives permission per process, to all its threads.  Returns whether all that is needed was given;
 * 0 also where the processor has no such feature.  Opening a bundle does this.
 */
int sheaf_cpu_permit(const char *features);

#ifdef __cplusplus
}
#endif

#endif
