/*
 * eval.h: the reference evaluator: interprets kernels and programs.
 *
 * It shares the lowering with the compiled path, so agreement of the two proves code generation;
 * meaning is checked against published vectors.  Arithmetic is that of kernel_ops.def to the bit.
 * Contractions accumulate in the accumulator's type, in ascending order of the K indices.
 */
#ifndef SHEAF_IR_EVAL_H
#define SHEAF_IR_EVAL_H

#include "ir/kernel.h"
#include "ir/program.h"

struct eval_options {
    bool blas; /* f32 contractions may go through OpenBLAS: faster, another order of summation */
    const struct kextern_functions *functions; /* the user's, all that are called; NULL: none are */
};

/* Runs a kernel; data[i] is the storage of buffer i in its layout (locals too may be NULL: they are
   made in `scratch`). */
void eval_kernel(const struct kernel *k, void *const *data, struct arena *scratch,
                 const struct eval_options *opt);

/* Runs a program on the three areas, as the bundle's function would. */
void eval_program(const struct program *p, uint8_t *constants, uint8_t *mutables,
                  uint8_t *activations, const struct eval_options *opt);

#endif
