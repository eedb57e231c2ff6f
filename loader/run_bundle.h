/*
 * run_bundle.h: compiles what a bundle holds beside the first part of its first entry, and writes
 * it.
 */
#ifndef SHEAF_LOADER_RUN_BUNDLE_H
#define SHEAF_LOADER_RUN_BUNDLE_H

#include "loader/pipeline.h"

/*
 * `first` is the model of the command line, compiled for its first processor as `variant` says.
 * -mcpu may name more, -add-entry further models.  With -emit-lib it becomes a library, of which
 * out_note receives what the tool says.  Fails where two entries have one name, or where
 * programs cannot tell the processors apart.
 */
bool run_bundle(struct arena *a, const struct loader_options *opt, struct pipeline *first,
                const struct pipeline_variant *variant, const struct image_size *first_image,
                FILE *log, struct strbuf *out_note, struct error *err);

#endif
