/*
 * pipeline.h: the way of a model through the compiler: import, passes, program, and then either a
 * bundle on disk or code in memory that is run here.
 */
#ifndef SHEAF_LOADER_PIPELINE_H
#define SHEAF_LOADER_PIPELINE_H

#include <stdio.h>

#include "ir/graph.h"
#include "loader/input/image.h"
#include "loader/options.h"

struct pipeline;

/*
 * Import, passes and program.  `first_image` (or NULL) gives the shape of an image input that
 * neither the model nor -model-input states.  `log` gets the text of -verbose; NULL: none.
 */
bool pipeline_open(struct arena *a, const struct loader_options *opt,
                   const struct image_size *first_image, FILE *log, struct pipeline **out_pipeline,
                   struct error *err);

/* The compiled graph.  Its inputs and outputs are those of the model, in the model's order, with
   plain layout. */
const struct graph *pipeline_graph(const struct pipeline *p);

/* The texts of the -dump options, each complete. */
enum pipeline_dump {
    PIPELINE_DUMP_GRAPH,
    PIPELINE_DUMP_DOT,
    PIPELINE_DUMP_KERNELS,
    PIPELINE_DUMP_SCHEDULE,
    PIPELINE_DUMP_LLVM_IR
};
bool pipeline_dump(struct pipeline *p, enum pipeline_dump what, struct strbuf *out,
                   struct error *err);

/* Writes NAME.o, NAME.weights, NAME.h and with -save-asm NAME.s into `dir`: all or none. */
bool pipeline_emit_bundle(struct pipeline *p, const char *dir, struct error *err);

/* Makes the network ready to run in this process, through the evaluator where `interpreter`. */
bool pipeline_prepare_run(struct pipeline *p, bool interpreter, struct error *err);

/* After pipeline_prepare_run: storage of input i, dense.  A run leaves it as it is. */
void *pipeline_input(struct pipeline *p, size_t i);
bool pipeline_run(struct pipeline *p, struct error *err);
/* After pipeline_run: data of output i, dense at its true extents, which out_dims receives (one per
   dimension of the output). */
const void *pipeline_output(const struct pipeline *p, size_t i, int64_t *out_dims);

/* Runs compiled code and evaluator on the inputs as they stand and compares every node.  `report`
   receives the text to print.  A difference is SHEAF_ERROR_DIVERGED.  After pipeline_prepare_run
   with interpreter false. */
bool pipeline_verify(struct pipeline *p, struct strbuf *report, struct error *err);

/* Gives back what is not memory of the arena.  NULL is allowed. */
void pipeline_close(struct pipeline *p);

#endif
