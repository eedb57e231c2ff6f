/*
 * kernel_scalar.h: one value of kernel IR, and the arithmetic of kernel_ops.def on it.
 *
 * This is the definition that folding uses and that the evaluator's lane loops are tested against.
 * A value of an integer or bool type is an int64_t wrapped to its type (u64: the same 64 bits); a
 * float of any width is a double that its type represents exactly.
 */
#ifndef SHEAF_IR_KERNEL_SCALAR_H
#define SHEAF_IR_KERNEL_SCALAR_H

#include "ir/kernel.h"

union kscalar {
    int64_t i;
    double f;
};

/* The value modulo 2^bits, sign- or zero-extended; bool: 0 or 1. */
int64_t kscalar_wrap(enum dtype type, int64_t v);

/* The nearest value of a float type, ties to even. */
double kscalar_round(enum dtype type, double v);

union kscalar kscalar_unary(enum kop op, enum dtype type, union kscalar a);
union kscalar kscalar_binary(enum kop op, enum dtype type, union kscalar a, union kscalar b);
bool kscalar_compare(enum kop op, enum dtype type, union kscalar a, union kscalar b);
union kscalar kscalar_cast(enum dtype to, enum dtype from, union kscalar a);
union kscalar kscalar_bitcast(enum dtype to, enum dtype from, union kscalar a);

/* Element `i` of storage in the format of `type`, and back. */
union kscalar kscalar_read(enum dtype type, const void *data, int64_t i);
void kscalar_write(enum dtype type, void *data, int64_t i, union kscalar v);

#endif
