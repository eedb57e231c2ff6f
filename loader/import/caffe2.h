/*
 * caffe2.h: shared by the files of the Caffe2 importer (caffe2_*.c); nobody else includes it.
 *
 * A net is a list of operators over named blobs, run in order; a blob may be written again.  Here
 * each write is a value of its own, and the last one bears the blob's name.
 */
#ifndef SHEAF_LOADER_IMPORT_CAFFE2_H
#define SHEAF_LOADER_IMPORT_CAFFE2_H

#include "loader/import/build.h"
#include "loader/import/caffe2.pb-c.h"
#include "loader/import/name_map.h"

/* ---- caffe2_args.c ---- */

/* An Argument; lists are in the arena. */
struct c2_arg {
    const char *name;
    bool has_f, has_i, has_s, has_other;
    bool used;
    const char *wanted; /* NULL, or what somebody took it for that it is not */
    float f;
    int64_t i;
    const char *s;
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
    struct value *value; /* NULL: an output of `maker` that is not computed */
    const char *maker;   /* the type of the operator that wrote it */
};

struct caffe2 {
    struct importer im;
    struct name_map blobs; /* struct c2_blob */
};

struct c2_op {
    const Caffe2__OperatorDef *proto;
    const char *type;
    const char *name; /* for sentences: the operator's, else its first output's */
    struct value **in;
    size_t n_in;
    struct c2_args args;
    const char *out; /* the blob of its first output */
    bool nhwc;       /* argument `order` */
};

/* The operator's first output, as a value that no other blob holds; NULL after a fault. */
typedef struct value *c2_convert_fn(struct caffe2 *c, struct c2_op *op);

/* NULL: no such operator. */
c2_convert_fn *c2_converter(const char *type);
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

c2_convert_fn c2_conv, c2_max_pool, c2_average_pool;                  /* caffe2_window.c */
c2_convert_fn c2_given_tensor_fill, c2_constant_fill, c2_random_fill; /* caffe2_fill.c */

#endif
