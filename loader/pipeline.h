/*
 * pipeline.h: the way of a model through the compiler: import, passes, program, and then either a
 * bundle on disk or code in memory that is run here.
 */
#ifndef SHEAF_LOADER_PIPELINE_H
#define SHEAF_LOADER_PIPELINE_H

#include <stdio.h>

#include "ir/graph.h"
#include "ir/passes/passes.h"
#include "ir/quantize/quantize.h"
#include "loader/input/image.h"
#include "loader/options.h"

struct pipeline;

/* What can be seen of the network after a run, beside its outputs. */
enum pipeline_shown {
    PIPELINE_SHOWS_OUTPUTS,  /* nothing */
    PIPELINE_SHOWS_FLOATS,   /* by name: the float tensors, see pipeline_traced */
    PIPELINE_SHOWS_INTEGERS, /* by name: the quantized tensors that the model itself has */
    PIPELINE_SHOWS_ALL       /* every tensor, for every node is a kernel; see pipeline_find */
};

/*
 * Where a compilation departs from the command line: for what compiles one model several times.
 * Zeroed, it is the command line itself.
 */
struct pipeline_variant {
    enum pipeline_shown shown;
    bool in_float;           /* as the model has it, whatever the options say about quantization */
    bool stepwise;           /* kernels can be run one by one, see pipeline_run_stepwise */
    bool here;               /* code for this machine, even where a bundle is asked for */
    const char *const *keep; /* nodes or tensors that stay in float beside those of the options */
    size_t n_keep;
    const enum qdq_mode *qdq; /* NULL: as the options say */
    const char *cpu;          /* NULL: as the options say, the first of -mcpu */
};

/*
 * Import, passes and program.  `first_image` (or NULL) gives the shape of an image input that
 * neither the model nor -model-input states.  `log` gets the text of -verbose; NULL: none.
 * `variant` NULL: as the options say.
 */
bool pipeline_open(struct arena *a, const struct loader_options *opt,
                   const struct pipeline_variant *variant, const struct image_size *first_image,
                   FILE *log, struct pipeline **out_pipeline, struct error *err);

/* The compiled graph.  Its inputs and outputs are those of the model, in the model's order, with
   plain layout; behind the outputs there are more where tensors are shown by name.  Its uses are
   counted. */
const struct graph *pipeline_graph(const struct pipeline *p);

/* Whether input i takes the bytes of pictures, see -fold-preprocessing. */
bool pipeline_takes_pixels(const struct pipeline *p, size_t i);

/* What the quantizer did; NULL where it had nothing to do. */
const struct quantize_report *pipeline_quantized(const struct pipeline *p);

/* Model, processor and identity of a profile that is taken of it. */
void pipeline_describe(const struct pipeline *p, struct profile *profile);

/*
 * The names of the tensors that are shown by name, inputs and outputs included, in the order of the
 * network: those of the graph after PASSES_CLEAN.  Of these a quantized network may have fewer left
 * once it is lowered, see pipeline_tensor.
 */
size_t pipeline_traced(const struct pipeline *p, const char *const **out_names);

/* After pipeline_run: the tensor of that name, dense at its true extents, and what its integers
   mean (scale 0: it is no integer form).  False where it is not shown. */
bool pipeline_tensor(const struct pipeline *p, const char *name, struct tensor *out_tensor,
                     struct quant *out_quant);

/*
 * Runs a pipeline of variant `stepwise` kernel by kernel; after each, fn is told every value of the
 * graph that the kernel wrote, whose storage it may change: what comes behind reads that.  False,
 * and nothing is run, where the network has branches or loops.
 */
typedef void pipeline_observer(struct pipeline *p, const struct value *written, void *arg);
bool pipeline_run_stepwise(struct pipeline *p, pipeline_observer *fn, void *arg);

/* The buffer of a value of the graph; -1 where it does not reach memory. */
int pipeline_find(const struct pipeline *p, const struct value *v);
/* After pipeline_run with PIPELINE_SHOWS_ALL: the buffer's content, laid out as the value's layout
   says, and its true extents. */
const void *pipeline_data(const struct pipeline *p, int buf, int64_t *out_dims);

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

/* A function of a bundle: a model compiled for one or several processors. */
struct pipeline_entry {
    const char *name; /* NULL: that of the first part */
    struct pipeline **parts;
    size_t n_parts;
};

const char *pipeline_entry_name(const struct pipeline *p); /* as the options say, legalised */

/* Puts the part that asks most of the processor first, for the first that can run is run.  Fails
   where programs cannot find out what their processor has, or where two parts ask the same. */
bool pipeline_sort_parts(struct pipeline_entry *entry, struct error *err);

/* Writes NAME.o, NAME.weights, NAME.h and with -save-asm NAME.s into `dir`: all or none. `together`
   as in program_join; not NULL where there are more entries than one.  The pipelines cannot be run
   afterwards. */
bool pipeline_emit_bundle(const struct pipeline_entry *entries, size_t n, const bool *together,
                          const char *dir, struct error *err);

/* Writes the library that -emit-lib asks for, a function for each entry, all files or none;
   out_note receives what the tool says of it.  The pipelines cannot be run afterwards. */
bool pipeline_emit_library(const struct pipeline_entry *entries, size_t n, struct strbuf *out_note,
                           struct error *err);

/* Makes the network ready to run in this process, through the evaluator where `interpreter`. */
bool pipeline_prepare_run(struct pipeline *p, bool interpreter, struct error *err);

/* After pipeline_prepare_run: storage of input i, dense.  A run leaves it as it is. */
void *pipeline_input(struct pipeline *p, size_t i);
bool pipeline_run(struct pipeline *p, struct error *err);
/* State becomes zero, as after pipeline_prepare_run. */
void pipeline_reset_state(struct pipeline *p);
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
