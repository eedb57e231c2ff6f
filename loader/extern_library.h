/*
 * extern_library.h: the user's functions, where a network is run within the tool.
 */
#ifndef SHEAF_LOADER_EXTERN_LIBRARY_H
#define SHEAF_LOADER_EXTERN_LIBRARY_H

#include "ir/program.h"

/* Finds the functions that the program calls in the shared library `path` (NULL: none was named),
   which stays open until extern_library_close.  Of a program that calls none nothing is opened. */
bool extern_library_open(struct arena *a, const struct program *p, const char *path,
                         struct kextern_functions *out_functions, void **out_library,
                         struct error *err);
void extern_library_close(void *library); /* NULL is fine */

#endif
