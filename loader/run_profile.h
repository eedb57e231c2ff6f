/*
 * run_profile.h: -dump-profile and -merge-profile.
 */
#ifndef SHEAF_LOADER_RUN_PROFILE_H
#define SHEAF_LOADER_RUN_PROFILE_H

#include "loader/run_inputs.h"

/*
 * Runs the network, which is ready to run, on all samples and writes the profile: nothing where a
 * sample is at fault.  One line goes to `out`; a bar to `errout` while it lasts, if that is a
 * terminal.
 */
bool run_profile(struct arena *a, const struct loader_options *opt, const struct run_inputs *inputs,
                 struct pipeline *p, FILE *out, FILE *errout, struct error *err);

/* Needs no network. */
bool run_merge_profiles(struct arena *a, const struct loader_options *opt, FILE *out,
                        struct error *err);

#endif
