/*
 * caffe2.h: shared by the files of the Caffe2 importer (caffe2_*.c); nobody else includes it.
 *
 * A net is a list of operators over named blobs, run in order; a blob may be written again.  Here
 * each write is a value of its own, and the last one bears the blob's name.
 */
#ifndef SHEAF_LOADER_IMPORT_CAFFE2_CAFFE2_H
#define SHEAF_LOADER_IMPORT_CAFFE2_CAFFE2_H

#include "loader/import/build.h"
#include "loader/import/caffe2.pb-c.h"
#include "loader/import/name_map.h"

/* ---- args.c ---- */

/* An Argument; lists are in the arena. */
struct c2_arg {
    const char *name;
    bool has_f, has_i, has_s, has_other;
    bool used;
    const char *wanted; /* NULL, or what somebody took it for that it is not */
    float f;
    int64_t i;
    const char *s;
    const uint8_t *bytes; /* of s, else of the first of `strings`; NULL: neither */
    size_t n_bytes;
    struct attr_floats floats;
    struct attr_ints ints;
    struct attr_strings strings;
};

struct c2_args {
    struct c2_arg *arg;
    size_t n;
};

bool c2_args_read(struct importer *im, const char *node, const Caffe2__OperatorDef *p,
                  struct c2_args *out_args);
/* The argument, marked as used; NULL: not given. */
struct c2_arg *c2_arg_find(struct c2_args *args, const char *name);
int64_t c2_arg_int(struct c2_args *args, const char *name, int64_t otherwise);
float c2_arg_float(struct c2_args *args, const char *name, float otherwise);
const char *c2_arg_string(struct c2_args *args, const char *name, const char *otherwise);
/* The list, or one number as a list of one; n is 0 where it is not given. */
struct attr_ints c2_arg_ints(struct importer *im, struct c2_args *args, const char *name);

/* ---- operators ---- */

/* What a blob holds at the moment. */
struct c2_blob {
    struct value *value;        /* NULL: an output of `maker` that is not computed */
    const char *maker;          /* the type of the operator that wrote it */
    struct value *scale, *zero; /* of 8-bit operators: what `value` means; NULL: itself */
};

struct caffe2 {
    struct importer im;
    struct name_map blobs; /* struct c2_blob */
    bool in_weights;       /* the net in work is that of the weights */
};

struct c2_op {
    const Caffe2__OperatorDef *proto;
    const char *type;
    const char *name; /* for sentences: the operator's, else its first output's */
    struct value **in;
    const struct c2_blob **blob; /* that the inputs were read from */
    size_t n_in;
    struct c2_args args;
    const char *out;            /* the blob of its first output */
    struct value **more;        /* further outputs from 1 on, n_output in all; NULL: not computed */
    struct value *scale, *zero; /* of its first output, as in c2_blob */
    bool nhwc;                  /* argument `order` */
};

/* The operator's first output, as a value that no other blob holds; NULL after a fault. */
typedef struct value *c2_convert_fn(struct caffe2 *c, struct c2_op *op);

/* NULL: no such operator. */
c2_convert_fn *c2_converter(const char *type);
/* The operator as Sheaf knows it. */
c2_convert_fn c2_convert;
/* As a function of the user's; extern.c. */
c2_convert_fn c2_extern;
bool c2_error(struct caffe2 *c, const struct c2_op *op, enum sheaf_status status, const char *fmt,
              ...) ERROR_PRINTF(4, 5);
bool c2_check_inputs(struct caffe2 *c, const struct c2_op *op, size_t min, size_t max);
/* A node of the operator's name with one output. */
struct node *c2_begin(struct caffe2 *c, struct c2_op *op, enum op kind, struct value *const *in,
                      size_t n_in);
/* Blobs of order NHWC are transposed before and after operators that are NCHW here: the name that
   the operator's node gives its output, and the operator's output. */
struct value *c2_to_nchw(struct caffe2 *c, const struct c2_op *op, struct value *x);
const char *c2_inner_name(const struct c2_op *op);
struct value *c2_from_nchw(struct caffe2 *c, const struct c2_op *op, struct value *y);

/* v under the name of the operator's first output; NULL stays so. */
struct value *c2_named(struct caffe2 *c, const struct c2_op *op, struct value *v);
/* Output i, from 1 on, is v; nothing where the net does not want it.  NULL: false, a fault has been
   told. */
bool c2_bind(struct caffe2 *c, struct c2_op *op, size_t i, struct value *v);
bool c2_output_wanted(const struct c2_op *op, size_t i);
/* 0 <= axis <= rank; negative ones count from the end. */
bool c2_read_axis(struct caffe2 *c, struct c2_op *op, const char *name, int64_t otherwise, int rank,
                  int64_t *out);
/* A sentence where the shape of input i is known only at run time, or has not `rank` dimensions,
   where that is not negative. */
bool c2_need_static(struct caffe2 *c, const struct c2_op *op, size_t i, int rank);
/* The content of input i; NULL after a sentence where it is computed. */
const struct tensor *c2_need_constant(struct caffe2 *c, const struct c2_op *op, size_t i);
bool c2_fill_shape(struct caffe2 *c, struct c2_op *op, struct shape *out_shape);
enum dtype c2_dtype(int64_t code); /* of TensorProto.DataType; DTYPE_NONE: not supported */

/* f(x, number) */
struct value *c2_number(struct caffe2 *c, enum op op, struct value *x, double number);
struct value *c2_slice(struct caffe2 *c, struct value *x, int64_t axis, int64_t start, int64_t end);
struct value *c2_gather(struct caffe2 *c, struct value *x, struct value *at, int64_t axis);
struct value *c2_unsqueeze(struct caffe2 *c, struct value *x, int64_t axis);
/* Sums, means .. over one axis, which goes. */
struct value *c2_reduce(struct caffe2 *c, enum op op, struct value *x, int64_t axis);

c2_convert_fn c2_conv, c2_conv_relu, c2_conv_transpose, c2_max_pool, c2_average_pool; /* window.c */
/* fill.c */
c2_convert_fn c2_given_tensor_fill, c2_given_bytes_fill, c2_int8_given_fill, c2_constant_fill,
    c2_random_fill;
/* int8.c */
c2_convert_fn c2_int8, c2_int8_quantize, c2_int8_dequantize;
/* math.c */
c2_convert_fn c2_arg_max, c2_averaged_loss, c2_batch_box_cox, c2_batch_matmul, c2_bucketize,
    c2_dot_product, c2_elementwise_linear, c2_layer_norm, c2_log1p, c2_logit, c2_lp_norm, c2_matmul,
    c2_mod, c2_pow, c2_reduce_back, c2_replace_nan, c2_rms_norm, c2_scale, c2_sigmoid_cross_entropy,
    c2_sqr;
/* move.c */
c2_convert_fn c2_batch_gather, c2_batch_one_hot, c2_cast, c2_embedding, c2_fill_examples,
    c2_gather_op, c2_gather_nd, c2_resize_nearest, c2_scatter_assign, c2_shape, c2_slice_op,
    c2_split, c2_tile, c2_top_k;
/* sparse.c */
c2_convert_fn c2_batch_sparse_to_dense, c2_embedding_bag, c2_gather_ranges, c2_lengths_range_fill,
    c2_lengths_sum, c2_lengths_to_ranges, c2_sparse_label_split, c2_sparse_lengths,
    c2_sparse_to_dense, c2_sparse_to_dense_mask;

#endif
