/*
 * common.h: what the operators' files share.
 *
 * An operator's file holds <op>_infer, which checks all that <op>_lower relies on and sets the
 * outputs' types and shapes, and <op>_lower, which appends kernel IR.  The functions for infer set
 * one sentence that names the fault alone (graph_infer_node puts the node's name in front) and
 * return false; those for lower cannot fail.
 *
 * 16-bit floats are stored as such and computed in f32.
 */
#ifndef SHEAF_IR_OPS_COMMON_H
#define SHEAF_IR_OPS_COMMON_H

#include "ir/graph.h"
#include "ir/kernel.h"
#include "ir/lower.h"

/* ---- sets of element types ---- */
#define TYPE(id)     (1u << DTYPE_##id)
#define TYPES_MATH   (TYPE(F32) | TYPE(F16) | TYPE(BF16)) /* what is computed in f32 */
#define TYPES_FLOAT  (TYPES_MATH | TYPE(F64))
#define TYPES_SIGNED (TYPE(I8) | TYPE(I16) | TYPE(I32) | TYPE(I64))
#define TYPES_INT    (TYPES_SIGNED | TYPE(U8) | TYPE(U16) | TYPE(U32) | TYPE(U64))
#define TYPES_NUMBER (TYPES_FLOAT | TYPES_INT)
#define TYPES_INDEX  (TYPE(I32) | TYPE(I64))
#define TYPES_8      (TYPE(I8) | TYPE(U8))
#define TYPES_16     (TYPE(I16) | TYPE(U16))
#define TYPES_PACKED (TYPE(I4) | TYPE(U4) | TYPE(I2) | TYPE(U2)) /* integers of parts of bytes */
/* Floats of at most 8 bits, but f8e8m0, which is of scales. */
#define TYPES_CODED                                                                                \
    (TYPE(F8E4M3FN) | TYPE(F8E4M3FNUZ) | TYPE(F8E5M2) | TYPE(F8E5M2FNUZ) | TYPE(F4E2M1))
#define TYPES_ANY (TYPES_NUMBER | TYPE(BOOL) | TYPES_PACKED | TYPES_CODED | TYPE(F8E8M0))

/* ---- infer (common_infer.c) ---- */

bool ops_check_type(const struct node *n, size_t i, unsigned types, struct error *err);
/* Inputs i and j (where present) have one type. */
bool ops_check_same_type(const struct node *n, size_t i, size_t j, struct error *err);
/* Input i has no extent that is known only at run time. */
bool ops_check_static(const struct node *n, size_t i, struct error *err);
bool ops_check_rank(const struct node *n, size_t i, int rank, struct error *err);
/* Input i (where present) has exactly these dimensions. */
bool ops_check_dims(const struct node *n, size_t i, int rank, const int64_t *dims,
                    struct error *err);
/* The same, or has them as bounds. */
bool ops_check_bounds(const struct node *n, size_t i, int rank, const int64_t *dims,
                      struct error *err);

/* Optional inputs and outputs. */
bool ops_has_input(const struct node *n, size_t i);
bool ops_has_output(const struct node *n, size_t i);

/* Type and shape of output i; nothing where it is left out. */
bool ops_set_output(struct node *n, size_t i, enum dtype dtype, const struct shape *shape,
                    struct error *err);
/* A further output that models do not name, made where it is missing: an i64 scalar. */
struct value *ops_hidden_scalar(struct graph *g, struct node *n, size_t i, const char *suffix);

/* -rank <= axis < rank, counted from 0. */
bool ops_axis(int64_t axis, int rank, int *out_axis, struct error *err);
/* `n` axes without repetition; out_set[d] tells whether d is among them. */
bool ops_axes(const int64_t *axes, size_t n, int rank, bool *out_set, struct error *err);
/* The integers of a constant input of at most one dimension; `what` names it in messages. */
bool ops_const_ints(const struct node *n, size_t i, const char *what, size_t max, int64_t *out,
                    size_t *out_n, struct error *err);
/* Dimensions that the model states as a shape; none may be negative. */
bool ops_stated_shape(size_t rank, const int64_t *dims, struct shape *out, struct error *err);
/* Input i is an extent: an i64 scalar, constant or the result of a node. */
bool ops_check_extent(const struct node *n, size_t i, struct error *err);
/* Shapes that the importers have worked out: `shape` has bounds, and input first + d, where
   present, is the extent of dimension d, at most its bound. */
bool ops_given_extents(const struct node *n, size_t first, struct shape *shape, struct error *err);
/* numpy's rule; *acc becomes the common shape. */
bool ops_broadcast(struct shape *acc, const struct shape *s, struct error *err);

/* Output 0 is like input 0. */
bool ops_infer_unary(struct node *n, unsigned types, struct error *err);
/* All inputs have one type of `types` and broadcast to output 0, of type `out` (DTYPE_NONE: the
   inputs' type). */
bool ops_infer_broadcast(struct node *n, unsigned types, enum dtype out, struct error *err);

/* ---- lower (common_lower.c) ---- */

/* f32 for 16-bit floats, else the type itself. */
enum dtype ops_compute_type(enum dtype t);
/* An element in its compute type, and back to storage. */
kval ops_load(struct kernel *k, int buf, const kval *idx);
void ops_store(struct kernel *k, int buf, const kval *idx, kval v);
/* The only element of a buffer, whatever its rank. */
kval ops_load_scalar(struct kernel *k, int buf);
/* Indices into `buf` that broadcasts to `rank` dimensions indexed by idx. */
void ops_broadcast_index(struct kernel *k, int buf, int rank, const kval *idx, kval *out);
kval ops_load_broadcast(struct kernel *k, int buf, int rank, const kval *idx);

/* One point per element of `buf`; a scalar needs no region. */
void ops_map_begin(struct kernel *k, int buf, kval *out_index);
void ops_map_end(struct kernel *k, int buf);

/* Output 0 element by element. */
void ops_map_unary(struct lower *l, kval (*fn)(struct lower *, kval x));
/* Folds all inputs from left to right; with two inputs an ordinary binary operator. */
void ops_map_fold(struct lower *l, kval (*fn)(struct lower *, kval a, kval b));
/* Output 0 takes the same elements in row-major order, whatever the layouts. */
void ops_copy_linear(struct lower *l);
/* The same where dimensions with extents of the run need not be the same on both sides. */
void ops_copy_flat(struct lower *l);

/* Lanes of a reduction along `axis`: 16 along the last dimension where it is long. */
int ops_reduce_lanes(const struct kbuf *buf, int axis);

kval ops_add_const(struct kernel *k, kval a, int64_t c);
kval ops_mul_const(struct kernel *k, kval a, int64_t c);
kval ops_and(struct kernel *k, kval a, kval b); /* 0: absent */
/* Indices of element `linear` in row-major order. */
void ops_unflatten(struct kernel *k, kval linear, int rank, const int64_t *dims, kval *out);
/* The same for the true extents of a buffer. */
void ops_unflatten_in(struct kernel *k, kval linear, int buf, kval *out);
/* How many elements a buffer has. */
kval ops_elems(struct kernel *k, int buf);
/* min(max(i, 0), extent - 1) */
kval ops_clamp_index(struct kernel *k, kval i, kval extent);
/* An element of `buf` as an index below `extent`: negative ones count from the end, and what lies
   outside, which is the caller's fault, is moved inside. */
kval ops_load_index(struct kernel *k, int buf, const kval *idx, kval extent);
/* A local buffer of i64 zeros, for tables that are filled in part. */
int ops_add_zeros(struct kernel *k, const char *name, int rank, const int64_t *dims);
/* Output 0 takes the elements of input 0, which has its shape. */
void ops_copy(struct lower *l);
/* The least value of the type, or minus infinity; the greatest, or infinity. */
kval ops_lowest(struct kernel *k, enum dtype t);
kval ops_highest(struct kernel *k, enum dtype t);
kval ops_is_nan(struct kernel *k, kval x);
/* KOP_MIN or KOP_MAX, but NaN where either is NaN. */
kval ops_extreme(struct kernel *k, enum kop op, kval a, kval b);

#endif
