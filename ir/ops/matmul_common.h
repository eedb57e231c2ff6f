/*
 * matmul_common.h: what matmul, matmul_integer and qlinear_matmul share: numpy.matmul's shapes and
 * the affine form of the contraction.  The last two dimensions are multiplied, the others
 * broadcast; a vector is a row on the left and a column on the right, without a dimension in the
 * result.
 *
 * Iterations: the batch dimensions larger than 1, then m, n, k.  A batch dimension that only one
 * operand has is one of its own rows (M) or columns (N).
 */
#ifndef SHEAF_IR_OPS_MATMUL_COMMON_H
#define SHEAF_IR_OPS_MATMUL_COMMON_H

#include "ir/ops/common.h"

/* Inputs 0 and b are static and can be multiplied; the result's shape. */
bool matmul_shape(const struct node *n, size_t b, struct shape *out, struct error *err);

struct matmul_indices {
    int n_batch;
    kval batch[MAX_RANK]; /* of the result; 0: the dimension is 1 */
    kval m, n;            /* 0: the result has no such dimension */
};

/* Opens the contraction of inputs 0 and b.  Prologues and epilogue follow. */
struct kcontract *matmul_begin(struct lower *l, size_t b, enum dtype acc,
                               struct matmul_indices *out_indices);
/* Stores v to output 0 in the epilogue. */
void matmul_store(struct lower *l, const struct matmul_indices *at, kval v);

/* ---- integers ---- */

/* Parameters (scales, zero points) belong to an operand or to the result. */
enum matmul_side { MATMUL_A, MATMUL_B, MATMUL_Y };

/* Input i (where present) has one element; or one per row of a or y, per column of b: as a vector,
   or in the shape of the operand with 1 for the other dimension of the matrix. */
bool matmul_check_parameter(const struct node *n, size_t i, enum matmul_side side,
                            const struct shape *operand, struct error *err);
kval matmul_load_parameter(struct lower *l, size_t i, enum matmul_side side,
                           const struct matmul_indices *at);
/* Checks types (all of `types`) and zero points, which may be left out. */
bool matmul_integer_check(const struct node *n, size_t a_zero, size_t b, size_t b_zero,
                          unsigned types, struct error *err);
/* Opens the contraction with its prologues and its epilogue; returns the sum. */
kval matmul_integer_begin(struct lower *l, size_t a_zero, size_t b, size_t b_zero,
                          struct matmul_indices *out_indices);

#endif
