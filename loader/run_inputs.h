/*
 * run_inputs.h: what each input of the network is filled with for a run: a tensor file, images, or
 * random numbers.
 */
#ifndef SHEAF_LOADER_RUN_INPUTS_H
#define SHEAF_LOADER_RUN_INPUTS_H

#include "loader/input/preprocess.h"
#include "loader/pipeline.h"

struct run_inputs {
    const struct graph *graph;
    const struct tensor_arg **file; /* per input of the graph; NULL: not from a file */
    int image_input;                /* the input that takes images; -1: none */
    struct preprocess plan;         /* of that input */
};

/*
 * Decides for each input.  Images go to the one input that no -input names.  Fails where an input
 * would stay empty (with -verify it is filled at random), where an -input names none, and where
 * n_images is no multiple of the batch.
 */
bool run_inputs_plan(struct arena *a, const struct loader_options *opt, const struct graph *g,
                     size_t n_images, struct run_inputs *out_inputs, struct error *err);

/* Fills the inputs that do not take images. */
bool run_inputs_load(struct arena *a, const struct run_inputs *inputs, struct pipeline *p,
                     struct error *err);

/* Fills the image input from plan.batch paths. */
bool run_inputs_load_images(const struct run_inputs *inputs, struct pipeline *p,
                            const char *const *paths, struct error *err);

#endif
