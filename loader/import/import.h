/*
 * import.h: a trained network from its file to a graph (ir/graph.h).
 *
 * ONNX models and Caffe2 nets become the operators of ir/ops.def in the semantics of the newest
 * ONNX version: older forms are rewritten, shape arithmetic on known shapes is computed.  The graph
 * is in topological order, inferred and validated; its values bear the model's tensor names.
 *
 * Everything lies in the caller's arena; no file stays open or mapped.
 */
#ifndef SHEAF_LOADER_IMPORT_IMPORT_H
#define SHEAF_LOADER_IMPORT_IMPORT_H

#include "ir/graph.h"

/* What the user says about one input of the model. */
struct import_input {
    const char *name;
    enum dtype dtype; /* DTYPE_NONE: not said */
    int rank;         /* -1: dimensions not said */
    int64_t dims[MAX_RANK];
    struct quant quant; /* scale 0: not quantized */
    /* ONNX only: the input has this value for good and becomes a constant.  For what must be known
       when the network is compiled, such as a shape that the model takes as an input. */
    const struct tensor *constant;
};

/* The value of a symbolic dimension. */
struct import_symbol {
    const char *name;
    int64_t value;
    bool is_batch; /* it may be missing where all first dimensions are numbers */
};

struct import_options {
    /* One path: a folder with predict_net.pb and init_net.pb (Caffe2), or an ONNX file.  Two: a
       Caffe2 net and its weights. */
    const char *const *paths;
    size_t n_paths;
    const struct import_input *inputs;
    size_t n_inputs;
    const char *input_option; /* what describes them, for sentences; NULL: -model-input */
    const struct import_symbol *symbols;
    size_t n_symbols;
    /* Operators that functions of the user's compute, "Foo" or "com.acme.Foo", and what he says of
       their nodes' outputs, where the model does not: type and shape are there. */
    const char *const *externs;
    size_t n_externs;
    bool externs_may_lack; /* the model need not have nodes of all of them */
    const struct import_input *extern_outputs;
    size_t n_extern_outputs;
    int64_t batch; /* value of a first dimension that the model leaves open; 0: 1 */
    /* Pixels of the image that will be fed, for a Caffe2 net whose input shape is not said; 0: not
       known. */
    int64_t image_height, image_width;
};

/* What the user ought to know but what is no error, one sentence each; the tool prints them. */
struct import_notes {
    const char **text;
    size_t n, cap;
};

/* The graph, or NULL with one sentence in `err`.  `notes` (NULL: not wanted) is appended to. */
struct graph *import_model(struct arena *arena, const struct import_options *opt,
                           struct import_notes *notes, struct error *err);

#endif
