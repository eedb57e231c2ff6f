/*
 * ve_build.h: objects for the simulated Vector Engine, made by LLVM from a test's text.
 */
#ifndef SHEAF_TESTS_SIM_VE_BUILD_H
#define SHEAF_TESTS_SIM_VE_BUILD_H

#include <stddef.h>

/* A relocatable object, malloc'ed; NULL and LLVM's message, which is printed, where it refuses. */
void *ve_assemble(const char *assembly, size_t *out_n_bytes);
/* The same of LLVM IR, optimized, as position-independent code. */
void *ve_compile(const char *ir, size_t *out_n_bytes);

#endif
