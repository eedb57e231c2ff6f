/*
 * image_plan.h: from the image options and the shape of a model's input to a preprocess plan.
 */
#ifndef SHEAF_LOADER_IMAGE_PLAN_H
#define SHEAF_LOADER_IMAGE_PLAN_H

#include "ir/graph.h"
#include "loader/input/preprocess.h"
#include "loader/options.h"

/*
 * What the options ask for on this input.  Fails where the input does not look like pictures
 * (rank 3 or 4 with a dimension of 1 or 3 where the layout has its channels) or an option does not
 * fit its number of channels.
 */
bool image_plan(const struct loader_options *opt, const struct value *input,
                struct preprocess *out_plan, struct error *err);

/* The pixels as they are, for an input [N,H,W,C] or [H,W,C] that takes them. */
struct preprocess image_plan_pixels(const struct value *input);

#endif
