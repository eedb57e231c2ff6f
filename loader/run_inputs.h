/*
 * run_inputs.h: what each input of the network is filled with, run by run: a tensor file, one of
 * many, images, or random numbers.
 */
#ifndef SHEAF_LOADER_RUN_INPUTS_H
#define SHEAF_LOADER_RUN_INPUTS_H

#include "loader/input/labels.h"
#include "loader/input/preprocess.h"
#include "loader/pipeline.h"

/* The files that the command line names, found before the model is read. */
struct run_files {
    struct lines images;
    struct lines *tensors; /* of opt->inputs[i]: of -input one, which serves all runs */
    size_t n_tensors;      /* in each folder and list, where there are any; else 0 */
};

bool run_files_find(struct arena *a, const struct loader_options *opt, struct run_files *out_files,
                    struct error *err);

/* Items that labels are printed of: images, else runs. */
size_t run_files_items(const struct run_files *files);

struct run_inputs {
    const struct graph *graph;
    const struct run_files *files;
    int *source;            /* per input of the graph: position in opt->inputs, or -1 */
    int image_input;        /* the input that takes images; -1: none */
    struct preprocess plan; /* of that input */
    bool takes_pixels;      /* it holds the bytes themselves, whatever they mean */
    size_t n_runs, batch;   /* images that a run takes; 1 where it takes none */
};

/*
 * Decides for each input.  Images go to the one input that no -input, -input-dir or -input-list
 * names.  Fails where an input would stay empty (with -verify it is filled at random), where an
 * option names none, where the number of images is no multiple of the batch, and where inputs have
 * files for different numbers of runs.
 */
bool run_inputs_plan(struct arena *a, const struct loader_options *opt, const struct pipeline *p,
                     const struct run_files *files, struct run_inputs *out_inputs,
                     struct error *err);

/* Fills the inputs for run 0, 1, ..: what all runs share only for run 0. */
bool run_inputs_load(const struct run_inputs *inputs, struct pipeline *p, size_t run,
                     struct error *err);

/* The file, or the first of them, that makes the run different from others; NULL: there is none. */
const char *run_inputs_name(const struct run_inputs *inputs, size_t run);

#endif
