/*
 * build.h: what both importers build graphs with.
 *
 * Nodes are appended in order and inferred at once, so that the rewriting of older forms can look
 * at the shapes of its inputs; shape arithmetic on constants is computed on the way (fold.c).
 * Functions that return a pointer return NULL after a fault, with the sentence in im->err.
 */
#ifndef SHEAF_LOADER_IMPORT_BUILD_H
#define SHEAF_LOADER_IMPORT_BUILD_H

#include "loader/import/import.h"
#include "loader/import/name_map.h"

struct importer {
    struct arena *arena;
    const struct import_options *opt;
    struct import_notes *notes; /* NULL: not wanted */
    struct error *err;
    struct graph *g;
    struct block *block;                  /* where nodes are appended */
    const char *path;                     /* of the file in work: begins every sentence */
    int64_t filled_bytes;                 /* of all constants that build_filled made */
    struct name_map freed;                /* size_t: how often build_free_name took a name away */
    bool *has_extern, *has_extern_output; /* by position in the options: it was met */
    struct known_table *known;            /* of numbers that a run computes (known.h) */
};

/* ---- sentences ---- */

void import_note(struct importer *im, const char *fmt, ...) ERROR_PRINTF(2, 3);
/* All return false and put im->path in front; the later ones also the node's name. */
bool import_error(struct importer *im, enum sheaf_status status, const char *fmt, ...)
    ERROR_PRINTF(3, 4);
bool import_node_error(struct importer *im, const char *node, enum sheaf_status status,
                       const char *fmt, ...) ERROR_PRINTF(4, 5);
bool import_node_errorv(struct importer *im, const char *node, enum sheaf_status status,
                        const char *fmt, va_list args) ERROR_PRINTF(4, 0);

/* The first dimension that is negative or makes the tensor too large, or -1.  Dimensions of 0 do
   not excuse the others: operators permute them. */
int import_bad_dim(int rank, const int64_t *dims);

/* ---- options ---- */

const struct import_input *import_find_input(const struct importer *im, const char *name);
/* The option that describes inputs: behind it stand '=' and the input. */
const char *import_input_option(const struct importer *im);
/* Every input that the user described exists; else a sentence that lists those of the model. */
bool import_check_inputs(struct importer *im);

/* ---- values and nodes ---- */

/* An input of the model; NULL where its dimensions are not possible. */
struct value *build_input(struct importer *im, const char *name, enum dtype dtype, int rank,
                          const int64_t *dims, const struct import_input *said);

/* A value that bears the name gets another one, made of it; but an input keeps its name, since
   clients know it by that. */
void build_free_name(struct importer *im, const char *name);

struct value *build_ints(struct importer *im, const char *name, const int64_t *v, size_t n);
/* A scalar of any float type. */
struct value *build_float(struct importer *im, const char *name, enum dtype dtype, double v);
/* A constant tensor of one value, of at most BUILD_MAX_FILLED_BYTES: shapes in a file may ask for
   far more memory than the file has bytes. */
#define BUILD_MAX_FILLED_BYTES ((int64_t)1 << 30)
struct value *build_filled(struct importer *im, const char *node, const char *name,
                           enum dtype dtype, const struct shape *shape, double v);
/* The same data under another shape of as many elements. */
struct value *build_constant_view(struct importer *im, const struct value *v, int rank,
                                  const int64_t *dims);

/* A node with these inputs and default attributes, at the end of im->block.  Attributes may be set
   until build_end gives it its outputs, infers it and folds it where that is possible; nothing else
   may be appended in between. */
struct node *build_begin(struct importer *im, enum op op, const char *name, struct value *const *in,
                         size_t n_in, size_t n_out);
/* out_names[i]: "" or NULL leaves the output out, or names it after itself where the operator needs
   it. */
bool build_end(struct importer *im, struct node *n, const char *const *out_names);
/* For the usual node of one output, which is returned. */
struct value *build_end1(struct importer *im, struct node *n, const char *out_name);
/* Both at once: one output, default attributes. */
struct value *build_op(struct importer *im, enum op op, const char *name, struct value *const *in,
                       size_t n_in, const char *out_name);

/* ---- formulas: nodes of one output without a name; an input of NULL, after a fault, gives NULL,
   so that only the last result needs a look ---- */

/* A scalar constant of the type that `like` has. */
struct value *build_number(struct importer *im, const struct value *like, double v);
struct value *build_unary(struct importer *im, enum op op, const char *node, struct value *x);
struct value *build_binary(struct importer *im, enum op op, const char *node, struct value *a,
                           struct value *b);

/* Conversion; x itself where it has the type and needs no name. */
struct value *build_cast(struct importer *im, const char *node, struct value *x, enum dtype to,
                         const char *out_name);
/* An operator of ReduceSum's kin over these axes, or with none over all. */
struct value *build_reduce(struct importer *im, enum op op, const char *node, struct value *x,
                           struct attr_ints axes, bool keepdims);
/* The axes from `first` to the last one. */
struct attr_ints build_axes_from(struct importer *im, int first, int rank);
/* Normalization of in[0] over the axes from `first` on; in[1] scales, in[2], which may be absent,
   is added.  Without `center` the mean stays. */
struct value *build_normalize(struct importer *im, const char *node, struct value *const in[3],
                              int first, bool center, float epsilon, const char *out_name);

/* ---- compositions; out_name NULL: made up ---- */

struct value *build_reshape(struct importer *im, struct value *x, int rank, const int64_t *dims,
                            const char *out_name);
/* Two dimensions, cut before `axis`; x itself where it has that form and needs no name. */
struct value *build_flatten(struct importer *im, struct value *x, int64_t axis,
                            const char *out_name);
struct value *build_transpose(struct importer *im, struct value *x, const int64_t *perm,
                              const char *out_name);
/* `b` with dimensions of size 1 appended, so that its first dimension stands at `axis` of `rank`
   when shapes are aligned at the right; axis -1 aligns it at the right already. */
struct value *build_align(struct importer *im, const char *node, struct value *b, int rank,
                          int64_t axis);
/* What works along an axis over all dimensions from `axis` on together (softmax and its kin in ONNX
   before version 13). */
typedef struct value *build_along_fn(struct importer *im, const char *node, struct value *x,
                                     int64_t axis, const char *out_name);
build_along_fn build_softmax, build_log_softmax;
struct value *build_flat(struct importer *im, build_along_fn *along, const char *node,
                         struct value *x, int64_t axis, const char *out_name);
/* Softmax so (ONNX before version 13, Caffe2). */
struct value *build_flat_softmax(struct importer *im, const char *node, struct value *x,
                                 int64_t axis, const char *out_name);

/* ---- the end ---- */

/* Makes v an output of the graph's body, under this name; an input or constant, or what is an
   output already, goes through an Identity. */
bool build_graph_output(struct importer *im, struct value *v, const char *name);

/* Computes a node of static shapes whose inputs are constant, if that is cheap, and turns its
   outputs into constants (fold.c).  The node is the last of its block. */
void fold_last_node(struct importer *im, struct node *n);

/* import_model for each format; the paths were chosen by it. */
struct graph *onnx_import(struct importer *im, const char *path);
struct graph *caffe2_import(struct importer *im, const char *net_path, const char *weights_path);

#endif
