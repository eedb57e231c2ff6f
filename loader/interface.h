/*
 * interface.h: from the options of the group Interface to what the passes are told
 * (ir/passes/interface.h).
 */
#ifndef SHEAF_LOADER_INTERFACE_H
#define SHEAF_LOADER_INTERFACE_H

#include "ir/passes/interface.h"
#include "loader/options.h"

/*
 * What the options ask of this graph, which is clean and quantized; *out_interface is NULL where
 * that is nothing.  Fails where an option names no input or output, where -fold-preprocessing finds
 * no picture or more than one, and where what is bound together does not fit.
 */
bool interface_make(const struct loader_options *opt, const struct graph *g,
                    const struct interface **out_interface, struct error *err);

/* What -input-type=NAME,TYPE.. and its kin say, put together by names; called by options_check. */
bool interface_parse(struct arena *a, struct loader_options *opt, struct error *err);

#endif
