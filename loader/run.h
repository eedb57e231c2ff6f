/*
 * run.h: does what a checked command line asks for, by calling the pipeline.
 */
#ifndef SHEAF_LOADER_RUN_H
#define SHEAF_LOADER_RUN_H

#include <stdio.h>

#include "loader/options.h"

/* Prints results to `out` and, where that is a terminal, progress to `errout`.  *out_mismatches
   counts images without their expected label. */
bool loader_run(struct arena *a, const struct loader_options *opt, FILE *out, FILE *errout,
                size_t *out_mismatches, struct error *err);

#endif
