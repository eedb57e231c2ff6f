/*
 * integer.h: operands of contractions whose sums are exact integers: types, accumulators and zero
 * points.
 */
#ifndef SHEAF_IR_OPS_INTEGER_H
#define SHEAF_IR_OPS_INTEGER_H

#include "ir/ops/common.h"

/* Inputs a and b are of `types`, their zero points (inputs az, bz, where present) of the same
   types. */
bool integer_check_operands(const struct node *n, size_t a, size_t az, size_t b, size_t bz,
                            unsigned types, struct error *err);
/* i32 where a and b have 8 bits, else i64. */
enum dtype integer_accumulator(enum dtype a, enum dtype b);
/* What surrounds input 0 where its zero point does: padding that adds nothing. */
kval integer_padding(struct lower *l, size_t zero);
/* Whether input `zero` may be anything but 0. */
bool integer_has_zero(const struct node *n, size_t zero);
/* Ends the prologue of an operand: raw - zero in the accumulator's type. */
void integer_prologue_end(struct kernel *k, enum dtype acc, kval raw, kval zero);

#endif
