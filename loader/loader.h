/*
 * loader.h: the tool `loader` as a function of the library libsheaf.
 */
#ifndef SHEAF_LOADER_H
#define SHEAF_LOADER_H

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Does what the command line asks for.  Results go to `out`, one sentence about a fault to
 * `errout`; neither is closed.  Returns the exit code: 0, or 1 after a fault; with
 * -expected-labels and no fault, the number of mismatches, at most 125.
 */
int sheaf_loader_main(int argc, char *const *argv, FILE *out, FILE *errout);

#ifdef __cplusplus
}
#endif

#endif
